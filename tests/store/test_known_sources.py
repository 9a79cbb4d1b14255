"""Networks from which a name was right lately: the guesses of others everywhere are not held against them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from sts.core.errors import TooManyRequests
from sts.core.model import Namespace, ServiceIdentity
from sts.store import purging, tables
from sts.store.failures import FailureCounters, network_of
from sts.store.known_sources import KEPT, MOST, RENEWED, KnownSources
from tests.contract.backends import SqlBackend
from tests.core.builders import DAY, NOW, namespace

CONTOSO = namespace()
OWNER, STRANGER = "192.0.2.1", "203.0.113.1"
SECOND = timedelta(seconds=1)
WORKER = ServiceIdentity(0, "worker", "$argon2id$")


def guessed_everywhere(counters: FailureCounters, now: datetime = NOW) -> None:
    """Have strangers fail with a name until all of them together are refused."""
    for number in range(100):
        counters.record(CONTOSO, "worker", f"198.51.100.{number}", now)


def is_refused(
    sql: SqlBackend, source: str, now: datetime = NOW, name: str = "worker", of: Namespace = CONTOSO
) -> bool:
    """Whether another process refuses an attempt."""
    try:
        FailureCounters(sql.other_process().database).check(of, name, source, now)
    except TooManyRequests:
        return True
    return False


def known(sql: SqlBackend) -> dict[str, datetime]:
    """Until when which networks are known."""
    with sql.database.reading() as connection:
        rows = connection.execute(sa.select(tables.known_source.c.source, tables.known_source.c.expires_at))
        return {row.source: row.expires_at for row in rows}


def test_limit_over_all_sources_does_not_hold_where_the_name_was_right(sql: SqlBackend) -> None:
    counters = FailureCounters(sql.database)
    counters.record_success(CONTOSO, "worker", OWNER, NOW)
    guessed_everywhere(counters)
    assert (is_refused(sql, OWNER), is_refused(sql, STRANGER)) == (False, True)


@pytest.mark.parametrize(
    ("of", "name"), [(namespace(id=2), "worker"), (CONTOSO, "other")], ids=["another namespace", "another name"]
)
def test_success_of_one_name_is_not_that_of_another(sql: SqlBackend, of: Namespace, name: str) -> None:
    counters = FailureCounters(sql.database)
    counters.record_success(of, name, OWNER, NOW)
    guessed_everywhere(counters)
    assert is_refused(sql, OWNER)


@pytest.mark.parametrize(("failures", "names"), [(10, ["worker"]), (100, [f"name-{n}" for n in range(100)])])
def test_limits_of_one_source_hold_where_the_name_was_right(sql: SqlBackend, failures: int, names: list[str]) -> None:
    counters = FailureCounters(sql.database)
    counters.record_success(CONTOSO, "worker", OWNER, NOW)
    for number in range(failures):
        assert not is_refused(sql, OWNER)
        counters.record(CONTOSO, names[number % len(names)], OWNER, NOW)
    assert is_refused(sql, OWNER)


@pytest.mark.parametrize(
    ("right_from", "asked_from", "refused"),
    [
        ("2001:db8::1", "2001:db8::2", False),
        ("2001:db8::1", "2001:db8:0:1::1", True),
        ("::ffff:192.0.2.1", OWNER, False),
    ],
)
def test_neighbours_in_a_network_are_known_together(
    sql: SqlBackend, right_from: str, asked_from: str, *, refused: bool
) -> None:
    counters = FailureCounters(sql.database)
    counters.record_success(CONTOSO, "worker", right_from, NOW)
    guessed_everywhere(counters)
    assert is_refused(sql, asked_from) is refused


def test_network_is_forgotten_after_thirty_days(sql: SqlBackend) -> None:
    counters = FailureCounters(sql.database)
    counters.record_success(CONTOSO, "worker", OWNER, NOW)
    for now, refused in ((NOW + KEPT - SECOND, False), (NOW + KEPT, True)):
        guessed_everywhere(counters, now)
        assert is_refused(sql, OWNER, now) is refused
    assert purging.purge(sql.database, NOW + KEPT - SECOND) == 0
    assert purging.purge(sql.database, NOW + KEPT) == 1


@pytest.mark.parametrize(("later", "written_at"), [(RENEWED - SECOND, NOW), (RENEWED, NOW + RENEWED)])
def test_success_is_written_at_most_once_a_day(sql: SqlBackend, later: timedelta, written_at: datetime) -> None:
    for now in (NOW, NOW + SECOND, NOW + later):
        FailureCounters(sql.other_process().database).record_success(CONTOSO, "worker", OWNER, now)
    assert known(sql) == {OWNER: written_at + KEPT}


def test_sixteen_successes_at_once_are_one(sql: SqlBackend) -> None:
    counters = [FailureCounters(sql.database), FailureCounters(sql.other_process().database)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: counters[n % 2].record_success(CONTOSO, "worker", OWNER, NOW), range(16)))
    assert known(sql) == {OWNER: NOW + KEPT}


def test_name_is_known_from_a_bounded_number_of_networks(sql: SqlBackend) -> None:
    sources = KnownSources(sql.database)
    for number in range(MOST):
        sources.record(CONTOSO, "worker", f"198.51.100.{number}", NOW + number * SECOND)
    sources.record(CONTOSO, "other", OWNER, NOW)
    before = known(sql)
    sources.record(CONTOSO, "worker", STRANGER, NOW + DAY - SECOND)
    assert known(sql) == before, "all of them are of the last day"
    later = NOW + DAY + 2 * SECOND
    sources.record(CONTOSO, "worker", STRANGER, later)
    assert before.keys() - known(sql).keys() == {"198.51.100.0"}
    assert known(sql)[STRANGER] == later + KEPT
    assert OWNER in known(sql)


@pytest.mark.parametrize(
    ("change", "remembered"),
    [
        (lambda sql, of, stored: sql.save_service_identity(of, replace(stored, password_hash="$argon2id$2")), False),
        (lambda sql, of, stored: sql.save_service_identity(of, replace(stored, enabled=False)), False),
        (lambda sql, of, stored: sql.save_service_identity(of, replace(stored, name="another")), False),
        (lambda sql, of, stored: sql.delete_service_identity(of, stored), False),
        (lambda sql, of, stored: sql.save_service_identity(of, replace(stored, may_act=True)), True),
    ],
    ids=["password", "disabled", "renamed", "deleted", "no secret"],
)
def test_networks_are_forgotten_with_the_password(
    sql: SqlBackend, change: Callable[[SqlBackend, Namespace, ServiceIdentity], None], *, remembered: bool
) -> None:
    contoso = sql.save_namespace(replace(CONTOSO, id=0))
    stored = sql.save_service_identity(contoso, WORKER)
    FailureCounters(sql.database).record_success(contoso, "worker", OWNER, NOW)
    change(sql, contoso, stored)
    assert (network_of(OWNER) in known(sql)) is remembered
