"""How guessing is bounded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from sts.core.errors import TooManyRequests
from sts.store import tables
from sts.store.failures import FailureCounters, FailureLimits
from tests.contract.backends import SqlBackend
from tests.core.builders import NOW, namespace

CONTOSO = namespace()
MINUTE = timedelta(minutes=1)


def fail(
    counters: FailureCounters,
    times: int,
    name: str = "worker",
    source: str = "192.0.2.1",
    at: datetime = NOW,
    **by: bool,
) -> None:
    for number in range(times):
        varied_name = f"{name}{number}" if by.get("names") else name
        counters.record(CONTOSO, varied_name, f"{source}{number}" if by.get("sources") else source, at)


@pytest.mark.parametrize(
    ("failures", "by", "attempt", "refused"),
    [
        (9, {}, ("worker", "192.0.2.1"), False),
        (10, {}, ("worker", "192.0.2.1"), True),
        (10, {}, ("worker", "192.0.2.2"), False),
        (10, {}, ("other", "192.0.2.1"), False),
        (99, {"names": True}, ("other", "192.0.2.1"), False),
        (100, {"names": True}, ("other", "192.0.2.1"), True),
        (100, {"names": True}, ("other", "192.0.2.2"), False),
        (99, {"sources": True}, ("worker", "192.0.2.2"), False),
        (100, {"sources": True}, ("worker", "192.0.2.2"), True),
        (100, {"sources": True}, ("other", "192.0.2.2"), False),
    ],
)
def test_attempts_are_refused_from_the_limit_on(
    sql: SqlBackend, failures: int, by: dict[str, bool], attempt: tuple[str, str], refused: bool
) -> None:
    fail(FailureCounters(sql.database), failures, **by)
    counters = FailureCounters(sql.other_process().database)
    if refused:
        with pytest.raises(TooManyRequests) as refusal:
            counters.check(CONTOSO, *attempt, NOW)
        assert 0 < refusal.value.retry_after <= 900
    else:
        counters.check(CONTOSO, *attempt, NOW)


def test_source_is_counted_over_all_namespaces_and_a_name_in_its_own(sql: SqlBackend) -> None:
    counters = FailureCounters(sql.database, FailureLimits(name_from_source=2, source=3, name=2))
    fail(counters, 2)
    other = namespace(id=2)
    counters.check(other, "worker", "192.0.2.1", NOW)
    counters.record(other, "worker", "192.0.2.1", NOW)
    with pytest.raises(TooManyRequests):
        counters.check(other, "anybody", "192.0.2.1", NOW)


@pytest.mark.parametrize(
    ("later", "retry_after"),
    [(timedelta(), 900), (timedelta(seconds=0.5), 900), (timedelta(seconds=899.5), 1), (timedelta(seconds=899), 1)],
)
def test_refusal_says_when_to_come_again(sql: SqlBackend, later: timedelta, retry_after: int) -> None:
    counters = FailureCounters(sql.database)
    fail(counters, 10)
    with pytest.raises(TooManyRequests) as refusal:
        counters.check(CONTOSO, "worker", "192.0.2.1", NOW + later)
    assert refusal.value.retry_after == retry_after


@pytest.mark.parametrize("clock", [NOW + 15 * MINUTE, NOW + timedelta(days=3650), NOW - 15 * MINUTE])
def test_other_window_begins_at_nothing(sql: SqlBackend, clock: datetime) -> None:
    counters = FailureCounters(sql.database)
    fail(counters, 10)
    counters.check(CONTOSO, "worker", "192.0.2.1", clock)
    fail(counters, 9, at=clock)
    counters.check(CONTOSO, "worker", "192.0.2.1", clock)
    fail(counters, 1, at=clock)
    with pytest.raises(TooManyRequests):
        counters.check(CONTOSO, "worker", "192.0.2.1", clock)


def test_windows_that_are_over_are_forgotten(sql: SqlBackend) -> None:
    counters = FailureCounters(sql.database)
    fail(counters, 3, names=True)
    counters.record(CONTOSO, "worker", "192.0.2.1", NOW + 15 * MINUTE)
    with sql.database.reading() as connection:
        assert set(connection.scalars(sa.select(tables.failure.c.began_at))) == {NOW + 15 * MINUTE}


def test_sixteen_failures_at_once_are_all_counted(sql: SqlBackend) -> None:
    counters = [FailureCounters(sql.database), FailureCounters(sql.other_process().database)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: counters[n % 2].record(CONTOSO, "worker", "192.0.2.1", NOW), range(48)))
    with sql.database.reading() as connection:
        assert set(connection.scalars(sa.select(tables.failure.c.failures))) == {48}


@pytest.mark.parametrize("name", ["", "x" * 100_000, "a\0b", "\ud800", "n\n"], ids=ascii)
def test_any_name_can_be_counted(sql: SqlBackend, name: str) -> None:
    counters = FailureCounters(sql.database)
    fail(counters, 10, name, name)
    with pytest.raises(TooManyRequests):
        counters.check(CONTOSO, name, name, NOW)
    with sql.database.reading() as connection:
        assert all(len(kept) <= 256 for kept in connection.scalars(sa.select(tables.failure.c.name)))
