"""Installations whose every secret is known, so that none can get lost while the master key changes."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.model import ServiceIdentity
from sts.crypto.sealing import MasterKey
from sts.operations import audit, master_key, namespaces
from sts.operations.installation import Installation
from sts.operations.master_key_rotation import Phase, Progress, Rotated, Rotator, rotate
from sts.store import installation as table
from sts.store import sealed_rows, service_identities, tables
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.master_key_opening import open_master_keys
from tests.contract.fixtures import database_url, postgresql_server
from tests.operations.workbench import NOW

__all__ = ["database_url", "postgresql_server"]

IDENTITY = tables.service_identity


@dataclass(frozen=True)
class Vault:
    """An installation with secrets, and what they were before anything was rotated."""

    url: str
    folder: Path
    installation: Installation
    secrets: Mapping[str, bytes]
    fingerprints: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    def opened(self) -> Installation:
        """The same, opened by another process."""
        return open_at(self.url, self.folder)

    def found(self) -> Mapping[str, bytes]:
        """Every secret as another process opens it, by its owner."""
        return secrets_of(self.opened())

    def rotator(self, tell: Callable[[Progress], None] = lambda progress: None) -> Rotator:
        return Rotator(self.installation, lambda: NOW, tell, lambda seconds: None)

    def rotate(self) -> Rotated:
        return rotate(self.rotator())

    def state(self) -> master_key.MasterKeyState:
        return master_key.state(self.opened())

    def audited(self) -> list[str]:
        records = audit.list_newest(self.installation, "", 100)
        return [record.action for record in records if record.subject == "master-key"]


def copy_of(vault: Vault) -> Path:
    """A backup of the database."""
    backup = vault.folder.parent / "backup.db"
    copy_database(vault.path, backup)
    return backup


def restore(vault: Vault, backup: Path) -> None:
    """Bring the database back to what a backup holds."""
    copy_database(backup, vault.path)


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database over another, whoever has them open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def open_at(url: str, folder: Path) -> Installation:
    database = Database(url)
    database.migrate()
    keys = open_master_keys(database, folder / "master.key", NOW)
    return Installation(folder, "https://sts.example", database, SealedKeyRing(database, keys), (), "tests")


def secrets_of(installation: Installation) -> Mapping[str, bytes]:
    keys = installation.key_ring.master_keys
    pages = sealed_rows.pages(installation.database)
    return {row.owner: keys.unseal(row.sealed, row.context) for page in pages for row in page}


def fingerprints_of(installation: Installation) -> Mapping[str, str]:
    """What the database names symmetric keys by, and what it would name another."""
    with installation.database.reading() as connection:
        stored = connection.execute(sa.select(IDENTITY.c.name, IDENTITY.c.symmetric_key_fingerprint)).all()
        keys = connection.execute(sa.select(tables.credential.c.id, tables.credential.c.thumbprint_sha256)).all()
    named = {str(name): str(value) for name, value in (*stored, *keys)}
    return {**named, "another": installation.key_ring.fingerprint(b"another")}


def add_identity(installation: Installation, name: str, key: bytes) -> None:
    contoso = namespaces.find(installation, "contoso")
    ring = installation.key_ring
    with installation.database.changing("tests", NOW) as change:
        change.audit("contoso", "test", name, {})
        made = service_identities.save(change, contoso, ServiceIdentity(0, name))
        service_identities.set_symmetric_key(
            change, contoso, made, ring.fingerprint(key), lambda id: ring.seal_shared_key(contoso, id, key)
        )


def filled(url: str, folder: Path) -> Vault:
    installation = open_at(url, folder)
    namespaces.create(installation, "contoso", NOW)
    for name in ("worker", "reader"):
        add_identity(installation, name, name.encode().ljust(32, b"."))
    if installation.database.dialect != "sqlite":
        master_key.prepare(installation, NOW)
    return Vault(url, folder, installation, secrets_of(installation), fingerprints_of(installation))


def spoil(vault: Vault, name: str = "worker", sealed: bytes = b"\x01" + b"damaged" * 20) -> None:
    with vault.installation.database.recording() as connection:
        connection.execute(sa.update(IDENTITY).where(IDENTITY.c.name == name).values(symmetric_key=sealed))


def require_rotated(vault: Vault, old: bytes) -> None:
    """Everything is under the present key, opens to what it was, and the old key is kept."""
    present = (vault.folder / "master.key").read_bytes()
    assert present != old
    assert (vault.folder / "master.key.previous").read_bytes() == old
    assert {path.name for path in vault.folder.iterdir()} == {"master.key", "master.key.previous"}
    opened = vault.opened()
    assert secrets_of(opened) == vault.secrets
    assert fingerprints_of(opened) == vault.fingerprints
    with opened.database.reading() as connection:
        assert sealed_rows.count(connection, except_under=MasterKey.from_bytes(present).id) == 0
        assert table.rotation(connection) is None
    state = vault.state()
    assert (state.present, state.needs) == (state.database, ())
    (vault.folder / "master.key.previous").unlink()
    assert vault.found() == vault.secrets, "nothing needs the old key any more"


class Stopped(Exception):
    """The test ends the rotation here, as a signal would."""


def stop_while(phase: Phase) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.phase is phase and progress.done:
            raise Stopped

    return stop


def names_in(folder: Path) -> set[str]:
    """The names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def vault(database_url: str, tmp_path: Path) -> Vault:
    """One on a database of each kind."""
    folder = tmp_path / "keys"
    folder.mkdir()
    return filled(database_url, folder)


@pytest.fixture(scope="session")
def local_pattern(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """One to be copied: its keys take time to make."""
    home = tmp_path_factory.mktemp("vault")
    (home / "keys").mkdir()
    made = filled(f"sqlite:///{home}/sts.db", home / "keys")
    made.installation.database.close()
    return made


@pytest.fixture
def local(local_pattern: Vault, tmp_path: Path) -> Vault:
    """One on SQLite."""
    shutil.copytree(local_pattern.folder.parent, tmp_path, dirs_exist_ok=True)
    url, folder = f"sqlite:///{tmp_path}/sts.db", tmp_path / "keys"
    return replace(local_pattern, url=url, folder=folder, installation=open_at(url, folder))
