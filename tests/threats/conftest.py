"""Whole services for the rows that are tested at the real endpoints."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.world import World, worlds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A service of the test's own."""
    yield from worlds(tmp_path)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service for all tests of a module: what they send changes nothing."""
    yield from worlds(tmp_path_factory.mktemp("shared"))
