"""Faults F03, F07 to F10 where they meet the database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from sts.core.errors import KeyUnreadable, ReplayedToken, StoreUnavailable
from sts.core.exchange import TokenUse
from sts.core.model import Credential, Namespace, Use
from sts.store import tables
from tests.contract.backends import SqlBackend
from tests.core import builders
from tests.core.builders import DAY, NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
TABLE = tables.credential
USE = TokenUse("issuer", "1", NOW + DAY, NOW)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def sql(home: Path) -> SqlBackend:
    return SqlBackend(f"sqlite:///{home}/sts.db")


def alter(sql: SqlBackend, credential: Credential, **values: object) -> None:
    with sql.database.recording() as connection:
        connection.execute(sa.update(TABLE).where(TABLE.c.id == credential.id).values(**values))


def sealed(sql: SqlBackend, credential: Credential) -> bytes:
    with sql.database.reading() as connection:
        return bytes(connection.scalar(sa.select(TABLE.c.sealed).where(TABLE.c.id == credential.id)) or b"")


def test_f03_database_away_cached_keys_sign_and_what_checks_replay_refuses(sql: SqlBackend, home: Path) -> None:
    contoso = sql.save_namespace(CONTOSO)
    stored = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    namespace = sql.directory.namespace("contoso")
    assert sql.key_ring.signer(namespace, stored).sign(b"data")
    sql.database.close()
    home.rename(home.with_name("away"))
    assert sql.directory.namespace("contoso") is namespace
    assert sql.key_ring.signer(namespace, stored).sign(b"data")
    with pytest.raises(StoreUnavailable):
        sql.replays.use(namespace, USE, NOW)
    home.with_name("away").rename(home)
    sql.replays.use(namespace, USE, NOW)


def test_f07_row_copied_to_another_namespace_does_not_open(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    fabrikam = sql.save_namespace(replace(CONTOSO, name="fabrikam"))
    stored = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    alter(sql, stored, namespace_id=fabrikam.id)
    with pytest.raises(KeyUnreadable):
        sql.key_ring.signer(fabrikam, stored)


def test_f07_secret_copied_to_another_credential_does_not_open(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    own, other = (sql.insert_credential(contoso, builders.key(), secret * 32) for secret in (b"1", b"2"))
    alter(sql, own, sealed=sealed(sql, other))
    with pytest.raises(KeyUnreadable):
        sql.key_ring.signer(contoso, own)


def test_f07_row_turned_to_another_use_does_not_open(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    stored = sql.insert_credential(contoso, builders.key(use=Use.DECRYPTION), b"k" * 32)
    alter(sql, stored, use=Use.SIGNING)
    (turned,) = sql.directory.namespace("contoso").credentials
    with pytest.raises(KeyUnreadable):
        sql.key_ring.signer(contoso, turned)


@pytest.mark.parametrize("position", [0, 1, 12, 40, 75, 100, -1], ids=lambda position: f"F08-byte-{position}")
def test_flipped_bit_spoils_one_key_and_the_others_sign(sql: SqlBackend, position: int) -> None:
    contoso = sql.save_namespace(CONTOSO)
    spoilt, whole = (sql.insert_credential(contoso, builders.key(), secret * 32) for secret in (b"1", b"2"))
    flipped = bytearray(sealed(sql, spoilt))
    flipped[position] ^= 1
    alter(sql, spoilt, sealed=bytes(flipped))
    with pytest.raises(KeyUnreadable) as refused:
        sql.key_ring.signer(contoso, spoilt)
    assert f"{spoilt.id}" in (refused.value.detail or "")
    assert sql.key_ring.signer(contoso, whole).sign(b"data")
    assert sealed(sql, spoilt) == bytes(flipped)


def test_f09_no_key_is_made_while_the_audit_trail_cannot_be_written(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    with sql.database.recording() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    with pytest.raises(StoreUnavailable):
        sql.insert_credential(contoso, builders.key(), b"k" * 32)
    with sql.database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(TABLE)) == 0
    assert sql.directory.namespace("contoso").credentials == ()


def test_f10_one_of_sixteen_simultaneous_replays_wins(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    processes = [sql, sql.other_process()]
    barrier = Barrier(16)

    def use(number: int) -> int:
        barrier.wait()
        try:
            processes[number % 2].replays.use(contoso, USE, NOW)
        except ReplayedToken:
            return 0
        return 1

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(use, range(16))) == 1
