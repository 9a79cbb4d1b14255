"""Whole services for the rows that are tested at the real endpoints."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import pattern
from tests.flows.world import World, lend, open_world
from tests.threats.rolling_world import copied, make_pattern

__all__ = ["pattern"]


@pytest.fixture
def world(pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    yield from lend(open_world(tmp_path))


@pytest.fixture
def neighbour(world: World) -> Iterator[World]:
    """Another worker of the same service, on the same database."""
    yield from lend(open_world(world.home))


@pytest.fixture(scope="module")
def shared_world(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service for all tests of a module: what they send changes nothing."""
    home = tmp_path_factory.mktemp("shared")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    yield from lend(open_world(home))


@pytest.fixture(scope="session")
def quick_pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service that makes its keys quickly, to be copied."""
    return make_pattern(tmp_path_factory.mktemp("quick"))


@pytest.fixture
def rolling(quick_pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own, for tests that let it roll over."""
    yield from lend(copied(quick_pattern, tmp_path / "home"))
