"""What expired is forgotten, in chunks, and is not accepted again."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.store import purging, tables
from tests.contract.backends import SqlBackend
from tests.contract.test_sessions import CONTOSO, SIGNED_IN
from tests.core.builders import DAY, NOW

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
