"""Home folders for the tests of the command line."""

import shutil
from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.cli.homes import CONTOSO, PASSWORD


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the namespace contoso, to be copied: its keys take time to make."""
    home = tmp_path_factory.mktemp("template")
    (home / "contoso.yaml").write_text(CONTOSO)
    Console(home).ok("apply", home / "contoso.yaml", PASSWORD=PASSWORD)
    return home


@pytest.fixture
def console(tmp_path: Path, template: Path) -> Console:
    """A console at a home of the test's own, which holds the namespace contoso."""
    return Console(Path(shutil.copytree(template, tmp_path / "home")))
