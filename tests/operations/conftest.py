"""Installations that need not be made anew for every test."""

import shutil
from pathlib import Path

import pytest

from sts.core.model import KeyType
from sts.crypto.certificates import Purpose
from tests.operations.credentials import CONTOSO
from tests.operations.rolling import QUICK
from tests.operations.workbench import DAY, KEY, NOW, Workbench, reopened, workbench, write_certificate, write_pkcs12


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


@pytest.fixture(scope="session")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with keys that are quick to make, where the use allows it, for tests that make many."""
    home = tmp_path_factory.mktemp("quick")
    made = workbench(home)
    made.apply(QUICK)
    made.installation.database.close()
    return home


@pytest.fixture
def quick(tmp_path: Path, quick_home: Path) -> Workbench:
    """An installation of the test's own that makes keys quickly."""
    return reopened(shutil.copytree(quick_home, tmp_path / "home"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files that a configuration names lie."""
    path = tmp_path_factory.mktemp("configuration")
    write_pkcs12(path / "orders.pfx")
    write_pkcs12(path / "decryption.pfx", Purpose.DECRYPTION)
    write_pkcs12(path / "expired.pfx", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    write_pkcs12(path / "later.pfx", not_before=NOW + DAY)
    write_certificate(path / "stock.cer", Purpose.ENCRYPTION)
    write_certificate(path / "later.cer", Purpose.ENCRYPTION, not_before=NOW + DAY)
    write_certificate(path / "expired.cer", Purpose.ENCRYPTION, not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    write_certificate(path / "adfs.cer")
    write_certificate(path / "worker.cer")
    write_certificate(path / "elliptic.cer", key_type=KeyType.P256)
    (path / "worker.key").write_text(f"{KEY}\n")
    return path
