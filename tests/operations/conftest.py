"""Installations that need not be made anew for every test."""

import shutil
from pathlib import Path

import pytest

from tests.operations.credentials import CONTOSO
from tests.operations.workbench import Workbench, reopened, workbench


@pytest.fixture(scope="session")
def contoso_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with the namespace contoso, to be copied: keys take time to make."""
    home = tmp_path_factory.mktemp("contoso")
    made = workbench(home)
    made.apply(CONTOSO)
    made.installation.database.close()
    return home


@pytest.fixture
def bench(tmp_path: Path, contoso_home: Path) -> Workbench:
    """An installation of the test's own that holds the namespace contoso."""
    home = shutil.copytree(contoso_home, tmp_path / "home")
    return reopened(home)
