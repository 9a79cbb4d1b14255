"""Trusted CAs in the database: versions, snapshots, what goes with what; and the migration that brought them."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.errors import Conflict, NotFound
from sts.core.model import Namespace, PartnerCertificate, TrustedCA
from sts.store import namespaces, trusted_cas
from sts.store.database import Database
from tests.contract.backends import BASE_URL, SqlBackend
from tests.core.builders import DAY, NOW, SECOND
from tests.store.earlier_schemas import earlier_schema

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
CERTIFICATE = PartnerCertificate(b"\x30\x00", "CN=factory", "ab" * 20, NOW, NOW + DAY)
FACTORY = TrustedCA(0, "factory", CERTIFICATE)


@pytest.fixture
def contoso(sql: SqlBackend) -> Namespace:
    return sql.save_namespace(CONTOSO)


def save(sql: SqlBackend, namespace: Namespace, authority: TrustedCA) -> TrustedCA:
    with sql.change() as change:
        return trusted_cas.save(change, namespace, authority)


def find(sql: SqlBackend, namespace: Namespace, name: str = "factory") -> TrustedCA:
    with sql.database.reading() as connection:
        return trusted_cas.find(connection, namespace, name)


def test_it_comes_back_as_it_was_stored(sql: SqlBackend, contoso: Namespace) -> None:
    stored = save(sql, contoso, FACTORY)
    assert find(sql, contoso) == stored == replace(FACTORY, id=stored.id, revision=1, created_at=NOW, updated_at=NOW)
    changes = {"code_hash": "cd" * 32, "code_expires_at": NOW + DAY, "verified_at": NOW - SECOND}
    changed = save(sql, contoso, replace(stored, certificate=replace(CERTIFICATE, der=b"\x30\x01\x00"), **changes))
    assert find(sql, contoso) == changed
    assert changed.revision == 2


def test_every_write_makes_a_version_that_never_was(sql: SqlBackend, contoso: Namespace) -> None:
    seen = []
    for _ in range(3):
        stored = save(sql, contoso, FACTORY)
        seen.append(stored.version)
        for _ in range(2):
            stored = save(sql, contoso, stored)
            seen.append(stored.version)
        with sql.change() as change:
            trusted_cas.delete(change, contoso, stored)
    assert len(set(seen)) == len(seen) == 9


def test_a_name_is_used_once_in_a_namespace_and_again_in_another(sql: SqlBackend, contoso: Namespace) -> None:
    save(sql, contoso, FACTORY)
    with pytest.raises(Conflict, match="'factory' is that of the trusted CA 'factory' already"):
        save(sql, contoso, FACTORY)
    fabrikam = sql.save_namespace(replace(CONTOSO, name="fabrikam"))
    assert save(sql, fabrikam, FACTORY).id
    with pytest.raises(NotFound, match="has no trusted CA 'nothing'"):
        find(sql, contoso, "nothing")


def test_one_that_is_gone_is_neither_saved_nor_deleted(sql: SqlBackend, contoso: Namespace) -> None:
    stored = save(sql, contoso, FACTORY)
    with sql.change() as change:
        trusted_cas.delete(change, contoso, stored)
    with pytest.raises(NotFound):
        save(sql, contoso, stored)
    with pytest.raises(NotFound), sql.change() as change:
        trusted_cas.delete(change, contoso, stored)


def test_one_of_another_namespace_is_not_touched(sql: SqlBackend, contoso: Namespace) -> None:
    stored = save(sql, contoso, FACTORY)
    fabrikam = sql.save_namespace(replace(CONTOSO, name="fabrikam"))
    with pytest.raises(NotFound):
        save(sql, fabrikam, stored)
    with pytest.raises(NotFound):
        find(sql, fabrikam)


def test_snapshots_carry_them_by_name_and_drop_what_changed_in_every_process(
    sql: SqlBackend, contoso: Namespace
) -> None:
    other = sql.other_process()
    sql.save_namespace(replace(CONTOSO, name="fabrikam"))

    def seen() -> list[tuple[str, ...]]:
        other.settle()
        return [
            tuple(each.version for each in process.directory.namespace("contoso").trusted_cas)
            for process in (sql, other)
        ]

    assert seen() == [(), ()]
    second = save(sql, contoso, replace(FACTORY, name="second"))
    first = save(sql, contoso, replace(FACTORY, name="first"))
    assert seen() == [(first.version, second.version)] * 2
    changed = save(sql, contoso, first)
    assert seen() == [(changed.version, second.version)] * 2
    with sql.change() as change:
        trusted_cas.delete(change, contoso, second)
    assert seen() == [(changed.version,)] * 2
    assert sql.directory.namespace("fabrikam").trusted_cas == ()


def test_they_go_with_their_namespace(sql: SqlBackend, contoso: Namespace) -> None:
    save(sql, contoso, FACTORY)
    sql.delete_namespace(contoso)
    again = sql.save_namespace(CONTOSO)
    assert again.trusted_cas == ()
    assert sql.directory.namespace("contoso").trusted_cas == ()


def test_a_database_of_the_first_schema_is_brought_here_with_what_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sts.db"
    with earlier_schema(url, "0001") as connection:
        row = {"name": "contoso", "session": 60, "rollover": "{}", "created_at": 0}
        columns = ", ".join(row)
        connection.execute(sa.text(f"INSERT INTO namespace ({columns}) VALUES (:{', :'.join(row)})"), row)
    database = Database(url)
    database.migrate()
    with database.reading() as connection:
        assert namespaces.find(connection, BASE_URL, "contoso").trusted_cas == ()
    database.close()
