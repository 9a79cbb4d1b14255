"""A world for each test, or one for all tests that only ask."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.certified import SETTINGS
from tests.flows.signing_in import configured
from tests.flows.world import World, lend, make_world, open_world


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configured service, to be copied: making its keys is slow."""
    home = tmp_path_factory.mktemp("pattern")
    make_world(home).close()
    return home


@pytest.fixture
def world(pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    yield from lend(open_world(tmp_path))


@pytest.fixture
def proxied(pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own, behind a proxy that forwards the certificates of clients."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    yield from lend(open_world(tmp_path, **SETTINGS))


@pytest.fixture(scope="session")
def still_world(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One service for every test that neither changes its configuration nor moves its clock."""
    home = tmp_path_factory.mktemp("still")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    yield from lend(open_world(home))


@pytest.fixture(scope="module")
def module_world(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One service for the tests of a module, which configure it once."""
    home = tmp_path_factory.mktemp("module")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    yield from lend(open_world(home))


@pytest.fixture(scope="session")
def people_pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service in which people sign in, to be copied."""
    home = tmp_path_factory.mktemp("people-pattern")
    configured(home).close()
    return home


@pytest.fixture
def people(people_pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own in which people sign in."""
    shutil.copytree(people_pattern, tmp_path, dirs_exist_ok=True)
    yield from lend(open_world(tmp_path))


@pytest.fixture(scope="module")
def still_people(people_pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same for the tests of a module that neither configure it nor move its clock."""
    home = tmp_path_factory.mktemp("still-people")
    shutil.copytree(people_pattern, home, dirs_exist_ok=True)
    yield from lend(open_world(home))
