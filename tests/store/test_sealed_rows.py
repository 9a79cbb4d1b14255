"""Every sealed secret is found, whatever it belongs to, and no change of somebody else is undone."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sts.core.model import INSTALLATION, INSTALLATION_SCOPE, Namespace, ServiceIdentity, Use
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey
from sts.store import sealed_rows, tables
from sts.store.sealed_rows import SEALED_COLUMNS, SealedRow
from tests.contract.backends import MASTER, SqlBackend
from tests.core import builders

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
NOT_SEALED = {"installation.value", "partner_certificate.der", "trusted_ca.der", "credential.certificate"}
OLD, NEW = MasterKey.from_bytes(MASTER), MasterKey.from_bytes(b"n" * 32)


def all_rows(sql: SqlBackend, except_under: bytes | None = None) -> list[SealedRow]:
    return [row for page in sealed_rows.pages(sql.database, except_under=except_under) for row in page]


def count(sql: SqlBackend, **conditions: bytes) -> int:
    with sql.database.reading() as connection:
        return sealed_rows.count(connection, **conditions)


def seal_anew(sql: SqlBackend, row: SealedRow) -> None:
    secret = sealing.unseal(OLD, row.sealed, row.context)
    with sql.change() as change:
        sealed_rows.replace(change, row, sealing.seal(NEW, secret, row.context))


@pytest.fixture
def namespace(sql: SqlBackend) -> Namespace:
    """One with a secret of each kind; the installation has one too."""
    contoso = sql.save_namespace(CONTOSO)
    sql.insert_credential(contoso, builders.key(), b"1" * 32)
    root = builders.credential(use=Use.ROOT_CA, scope=INSTALLATION_SCOPE, thumbprint="ab" * 20)
    sql.insert_credential(INSTALLATION, root, b"a private key")
    sql.save_service_identity(contoso, ServiceIdentity(0, "worker"), b"2" * 32)
    sql.save_service_identity(contoso, ServiceIdentity(0, "without a key"))
    kept = ServiceIdentity(0, "with a password", password_hash="a hash", recoverable_password=True)
    sql.save_service_identity(contoso, kept, password=b"3" * 32)
    return contoso


def test_every_binary_column_is_known_to_be_sealed_or_public() -> None:
    binary = {c for table in tables.METADATA.sorted_tables for c in table.c if isinstance(c.type, sa.LargeBinary)}
    assert {f"{c.table.name}.{c.name}" for c in binary - set(SEALED_COLUMNS)} == NOT_SEALED


def test_every_secret_is_found_and_opens_as_what_it_is(sql: SqlBackend, namespace: Namespace) -> None:
    found = {row.owner: sealing.unseal(OLD, row.sealed, row.context) for row in all_rows(sql)}
    assert set(found.values()) == {b"1" * 32, b"a private key", b"2" * 32, b"3" * 32}
    assert found["password of service identity with a password of namespace contoso"] == b"3" * 32
    assert found["symmetric key of service identity worker of namespace contoso"] == b"2" * 32
    assert found[f"root-ca credential {'ab' * 20} of the installation"] == b"a private key"


def test_rows_are_told_apart_by_their_master_key(sql: SqlBackend, namespace: Namespace) -> None:
    assert (count(sql), count(sql, under=OLD.id), count(sql, except_under=OLD.id)) == (4, 4, 0)
    first, *others = all_rows(sql)
    seal_anew(sql, first)
    assert (count(sql, under=OLD.id), count(sql, under=NEW.id)) == (3, 1)
    assert [row.id for row in all_rows(sql, except_under=NEW.id)] == [row.id for row in others]


def test_row_that_was_changed_meanwhile_stays_as_it_is(sql: SqlBackend, namespace: Namespace) -> None:
    (read,) = [row for row in all_rows(sql) if row.column.name == "symmetric_key"]
    identity = sql.directory.service_identity(namespace, "worker")
    assert identity
    sql.save_service_identity(namespace, replace(identity, has_symmetric_key=True), b"3" * 32)
    seal_anew(sql, read)
    (now,) = [row for row in all_rows(sql) if row.column.name == "symmetric_key"]
    assert sealing.unseal(OLD, now.sealed, now.context) == b"3" * 32


def test_row_that_was_deleted_meanwhile_does_not_come_back(sql: SqlBackend, namespace: Namespace) -> None:
    rows = all_rows(sql)
    sql.delete_namespace(namespace)
    for row in rows:
        seal_anew(sql, row)
    assert [row.owner for row in all_rows(sql)] == [f"root-ca credential {'ab' * 20} of the installation"]


def test_more_rows_than_a_page_are_each_found_once(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    with sql.change() as change:
        rows = [
            {"namespace_id": contoso.id, "name": f"n{number}", "symmetric_key": b"x", "symmetric_key_fingerprint": "f"}
            for number in range(250)
        ]
        plain = {"enabled": True, "swt_without_expiry": False, "interactive": False}
        change.connection.execute(sa.insert(tables.service_identity), [{**row, **plain} for row in rows])
    pages = list(sealed_rows.pages(sql.database, except_under=OLD.id))
    assert [len(page) for page in pages] == [100, 100, 50]
    assert len({row.id for page in pages for row in page}) == 250
