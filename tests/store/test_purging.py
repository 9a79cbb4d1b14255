"""What expired is forgotten, in chunks, and is not accepted again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread

import pytest
import sqlalchemy as sa

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.store import installation, purging, tables
from sts.store.database import Database
from sts.store.replay import SqlReplayCache
from tests.contract.backends import SqlBackend
from tests.contract.postgresql import Server
from tests.contract.test_sessions import CONTOSO, SIGNED_IN
from tests.core.builders import DAY, NOW
from tests.store.earlier_schemas import earlier_schema

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def count(sql: SqlBackend, table: sa.Table) -> int:
    with sql.database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_everything_that_expired_goes_in_chunks_and_nothing_else(
    sql: SqlBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "CHUNK", 3)
    contoso = sql.save_namespace(CONTOSO)
    for number in range(10):
        expires_at = NOW + (number // 2) * SECOND  # two in each second
        sql.replays.use(contoso, TokenUse("i", str(number), expires_at, None), NOW)
        sql.sessions.start(contoso, SIGNED_IN, NOW + number * SECOND - HOUR)
    assert purging.purge(sql.database, NOW + HOUR - SECOND) == 10  # all sessions, no use
    assert (count(sql, tables.replay), count(sql, tables.browser_session)) == (10, 0)
    assert purging.purge(sql.database, NOW + HOUR + 3 * SECOND) == 8
    assert purging.purge(sql.database, NOW + HOUR + 3 * SECOND) == 0
    assert count(sql, tables.replay) == 2


def test_cancelled_tokens_go_in_chunks_a_day_after_their_end(sql: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "CHUNK", 3)
    contoso = sql.save_namespace(CONTOSO)
    for number in range(10):
        sql.cancellations.cancel(contoso, str(number), NOW + number * SECOND, NOW)
    assert purging.purge(sql.database, NOW + DAY) == 0
    assert purging.purge(sql.database, NOW + DAY + 8 * SECOND) == 8
    assert count(sql, tables.cancelled_token) == 2


def test_purged_use_is_refused_whatever_the_clock_says(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    use = TokenUse("i", "1", NOW, NOW - HOUR)
    sql.replays.use(contoso, use, NOW)
    assert purging.purge(sql.database, NOW + HOUR) == 1
    with pytest.raises(ReplayedToken) as refused:
        sql.other_process().replays.use(contoso, use, NOW - HOUR)
    other = TokenUse("a", "2", NOW + HOUR, NOW - HOUR)
    with pytest.raises(ReplayedToken):
        sql.replays.use_all(contoso, (other, use), NOW - HOUR)
    sql.replays.use_all(contoso, (other,), NOW - HOUR)  # what was refused left no record
    assert "uses are on record only after" in (refused.value.detail or "")


def test_uses_on_record_before_an_upgrade_are_on_record_after_it(database_url: str) -> None:
    used = {"namespace_id": 1, "issuer": "i", "token_id": "1", "expires_at": 2_000_000_000}
    with earlier_schema(database_url, "0011") as connection:
        connection.execute(sa.insert(sa.table("replay", *map(sa.column, used))), used)
    database = Database(database_url)
    database.migrate()
    contoso, again = replace(CONTOSO, id=1), TokenUse("i", "1", NOW + DAY, NOW)
    with pytest.raises(ReplayedToken):
        SqlReplayCache(database).use(contoso, again, NOW)
    database.close()


def waiting(act: Callable[[], object], database: Database) -> Thread:
    """A thread in which this is done, once it waits for a transaction of PostgreSQL's."""
    thread = Thread(target=act, daemon=True)
    thread.start()
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while thread.is_alive():
        with database.reading() as connection:
            if connection.scalar(waits):
                return thread
    raise AssertionError("it did not wait")


def test_whoever_waits_for_the_purging_of_a_use_hears_of_it(postgresql_server: Server) -> None:
    sql = SqlBackend(postgresql_server.new_database())
    contoso = sql.save_namespace(CONTOSO)
    use = TokenUse("i", "1", NOW, NOW - HOUR)
    sql.replays.use(contoso, use, NOW)
    refused: list[ReplayedToken] = []

    def again() -> None:
        with pytest.raises(ReplayedToken) as found:
            sql.other_process().replays.use(contoso, use, NOW)
        refused.append(found.value)

    with sql.database.recording() as connection:
        installation.raise_replay_horizon(connection, NOW)
        connection.execute(sa.delete(tables.replay))
        thread = waiting(again, sql.other_process().database)
    thread.join()
    assert "uses are on record only after" in (refused[0].detail or "")


@pytest.mark.parametrize("known", [None, NOW - HOUR])
def test_of_two_horizons_that_are_raised_at_once_the_later_one_stays(
    postgresql_server: Server, known: datetime | None
) -> None:
    sql = SqlBackend(postgresql_server.new_database())
    other = sql.other_process().database
    if known is not None:
        with sql.database.recording() as connection:
            installation.raise_replay_horizon(connection, known)

    def raise_less() -> None:
        with other.recording() as connection:
            installation.raise_replay_horizon(connection, NOW)

    with sql.database.recording() as connection:
        installation.raise_replay_horizon(connection, NOW + HOUR)
        thread = waiting(raise_less, sql.other_process().database)
    thread.join()
    with sql.database.reading() as connection:
        assert installation.replay_horizon(connection) == NOW + HOUR
