"""Transactions, migrations and what an unavailable database means."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sts.core.errors import Conflict, StoreUnavailable
from sts.core.model import Namespace
from sts.store import audit, namespaces, tables
from sts.store.database import Database
from tests.contract.backends import BASE_URL, SqlBackend
from tests.core.builders import NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")


def count_rows(database: Database, table: sa.Table) -> int:
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_migrated_schema_is_that_of_the_tables(sql: SqlBackend) -> None:
    with sql.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.METADATA) == []


def test_sixteen_may_migrate_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: Database(database_url).migrate(), range(16)))
    assert count_rows(Database(database_url), tables.namespace) == 0


def test_sqlite_file_is_private_and_writes_ahead_with_foreign_keys(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sts.db")
    database.migrate()
    assert stat.S_IMODE(os.stat(tmp_path / "sts.db").st_mode) == 0o600
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


def test_change_without_an_audit_record_is_not_made(sql: SqlBackend) -> None:
    with pytest.raises(RuntimeError, match="audit"), sql.database.changing("test", NOW) as change:
        namespaces.save(change, CONTOSO)
    assert count_rows(sql.database, tables.namespace) == 0


def test_failed_change_leaves_neither_rows_nor_records(sql: SqlBackend) -> None:
    def save_twice() -> None:
        with sql.change() as change:
            namespaces.save(change, CONTOSO)
            namespaces.save(change, CONTOSO)

    with pytest.raises(Conflict):
        save_twice()
    for table in (tables.namespace, tables.audit, tables.change):
        assert count_rows(sql.database, table) == 0


def test_configuration_changes_wait_for_each_other(sql: SqlBackend) -> None:
    sql.save_namespace(CONTOSO)

    def lengthen(_: int) -> None:
        with sql.change() as change:
            found = namespaces.find(change.connection, BASE_URL, "contoso")
            namespaces.save(change, replace(found, session=found.session + timedelta(hours=1)))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lengthen, range(16)))
    with sql.database.reading() as connection:
        assert namespaces.find(connection, BASE_URL, "contoso").session == timedelta(hours=8 + 16)
        assert audit.verify(connection).sequence == 17


def test_thirty_changes_at_once_leave_each_other_connections_to_read_with(sql: SqlBackend) -> None:
    def create(number: int) -> int:
        with sql.database.changing("tests", NOW) as change, sql.database.reading() as connection:
            made = namespaces.save(change, Namespace(0, f"n{number}", ""))
            change.audit(made.name, "namespace.create", f"namespace:{made.name}", {})
            return len(namespaces.list_all(connection, BASE_URL))

    with ThreadPoolExecutor(30) as pool:
        assert sorted(pool.map(create, range(30))) == list(range(30))


def test_reader_sees_one_state_while_a_change_is_committed(sql: SqlBackend) -> None:
    with sql.database.reading() as connection:
        assert namespaces.list_all(connection, BASE_URL) == ()
        sql.save_namespace(CONTOSO)
        assert namespaces.list_all(connection, BASE_URL) == ()
    with sql.database.reading() as connection:
        assert len(namespaces.list_all(connection, BASE_URL)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2038, 1, 19, 3, 14, 8, 999_999, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_kept_in_utc_and_whole_seconds(sql: SqlBackend, given: datetime, kept: datetime) -> None:
    with sql.database.recording() as connection:
        row = {"namespace_id": 1, "issuer": "", "token_id": "", "expires_at": given}
        connection.execute(sa.insert(tables.replay).values(**row))
        found = connection.scalar(sa.select(tables.replay.c.expires_at))
    assert found == kept
    assert found.tzinfo is UTC


def test_naive_instant_is_refused(sql: SqlBackend) -> None:
    row = {"namespace_id": 1, "issuer": "", "token_id": "", "expires_at": datetime(2026, 1, 1)}  # noqa: DTZ001
    with pytest.raises(sa.exc.StatementError, match="offset-naive"), sql.database.recording() as connection:
        connection.execute(sa.insert(tables.replay).values(**row))


def test_unreachable_database_is_unavailable_in_every_way_of_use(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/nowhere/sts.db", f"postgresql://sts@/sts?host={tmp_path}"):
        if url.startswith("postgresql"):
            pytest.importorskip("psycopg", reason="psycopg, the extra `postgres`, is not here")
        database = Database(url)
        ways: list[AbstractContextManager[object]] = [
            database.reading(),
            database.recording(),
            database.changing("test", NOW),
        ]
        for way in ways:
            with pytest.raises(StoreUnavailable), way:
                pass
        with pytest.raises(StoreUnavailable):
            database.poll()


def test_full_database_is_unavailable_and_whole(tmp_path: Path) -> None:
    sql = SqlBackend(f"sqlite:///{tmp_path}/sts.db")
    sql.save_namespace(CONTOSO)

    def fill() -> None:
        with sql.change() as change:
            change.connection.exec_driver_sql("PRAGMA max_page_count = 1")
            for number in range(1_000):
                namespaces.save(change, replace(CONTOSO, name=f"n{number}"))

    with pytest.raises(StoreUnavailable) as refused:
        fill()
    assert refused.value.detail == "database or disk is full"
    assert count_rows(sql.database, tables.namespace) == 1
    with sql.database.reading() as connection:
        audit.verify(connection)


def test_error_of_the_database_shows_no_value(sql: SqlBackend) -> None:
    row = {"name": "n", "value": b"sealed-secret"}
    with sql.change() as change:
        change.connection.execute(sa.insert(tables.installation).values(**row))
    with pytest.raises(sa.exc.IntegrityError) as failed, sql.change() as change:
        change.connection.execute(sa.insert(tables.installation).values(**row))
    assert "sealed-secret" not in str(failed.value)
