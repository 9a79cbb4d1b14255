"""Faults F04 and F05: the clock goes back, or far ahead, while credentials roll over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sts.assemble import utc_now
from sts.core.credentials import published_signing
from sts.operations import ring_status, watch
from sts.store.purging import purge
from tests.cli.console import Console
from tests.flows.operators import NAMESPACE, first, revoke
from tests.flows.self_issued import present, self_issued
from tests.flows.world import START, World, lend, make_world
from tests.operations.rolling import members
from tests.threats.rolling_world import (
    DAY,
    END,
    HOUR,
    MINUTE,
    PUBLISHED,
    QUICK,
    SECOND,
    TURNED,
    alarm,
    credentials,
    look,
    roll,
    signers,
)

WRONG = {
    "F04 an hour back": -HOUR,
    "F04 a day back": -DAY,
    "F04 1970": datetime(1970, 1, 1, tzinfo=UTC) - TURNED,
    "F05 two hours ahead": 2 * HOUR,
    "F05 ten years ahead": 3650 * DAY,
}
BACK = [pytest.param(span, id=name) for name, span in WRONG.items() if span < timedelta(0)]
AHEAD = [pytest.param(span, id=name) for name, span in WRONG.items() if span > timedelta(0)]


@pytest.mark.parametrize("jump", BACK)
def test_f04_while_the_clock_is_behind_nothing_is_done_and_an_alarm_is_raised(rolling: World, jump: timedelta) -> None:
    roll(rolling, PUBLISHED)
    roll(rolling, TURNED - MINUTE)
    look(rolling, TURNED)
    before = credentials(rolling)
    for wait in (timedelta(0), MINUTE, 2 * MINUTE):  # a second look does not make it right
        assert look(rolling, TURNED + jump + wait) == []
        assert "but it was 2028-04-16T12:00:00Z already: set it right" in alarm(rolling)
    assert credentials(rolling) == before
    assert look(rolling, TURNED + MINUTE) == []
    assert not ring_status.status(rolling.service.installation, None, rolling.now).needs_person
    assert signers(rolling) == {members(rolling.service.installation)[1].id}


@pytest.mark.parametrize("jump", BACK)
def test_f04_what_was_destroyed_or_revoked_stays_so_whatever_the_clock_says(rolling: World, jump: timedelta) -> None:
    roll(rolling, PUBLISHED)
    roll(rolling, TURNED - MINUTE)
    roll(rolling, END + SECOND)
    destroyed, present_ = members(rolling.service.installation)
    revoke(rolling, NAMESPACE, present_)
    for now in (END + jump, END - DAY, TURNED - DAY, START + DAY):
        look(rolling, now)
        assert rolling.oauth("jwt").status_code == 400
        published = published_signing(rolling.namespace, now)
        assert [c for c in published if c.id in (destroyed.id, present_.id)] == []


@pytest.mark.parametrize("jump", BACK)
def test_f04_no_replay_window_opens(rolling: World, jump: timedelta) -> None:
    look(rolling, START)
    assertion = self_issued(rolling, 600)
    assert present(rolling, assertion).status_code == 200
    rolling.move(hours=3)
    purge(rolling.service.installation.database, rolling.now)
    for now in (START, START + MINUTE, START + jump):
        rolling.clock.now = now
        assert present(rolling, assertion).status_code == 401


@pytest.mark.parametrize("jump", AHEAD)
def test_f05_while_the_clock_is_far_ahead_one_look_does_nothing(rolling: World, jump: timedelta) -> None:
    look(rolling, START)
    before = credentials(rolling)
    for wait in (timedelta(0), 10 * SECOND, 29 * SECOND):
        assert look(rolling, START + jump + wait) == []
        assert "a second look must agree" in alarm(rolling)
    assert credentials(rolling) == before
    assert look(rolling, START + MINUTE) == []
    assert not ring_status.status(rolling.service.installation, None, rolling.now).needs_person
    assert signers(rolling) == {first(rolling, NAMESPACE).id}
    assert credentials(rolling) == before


def test_f05_looks_that_do_not_agree_with_each_other_are_not_believed(rolling: World) -> None:
    look(rolling, START)
    for days in (400, 3650, 800, 2000):
        assert look(rolling, START + days * DAY) == []
    assert alarm(rolling)


def test_f05_a_second_look_that_agrees_goes_on(rolling: World) -> None:
    roll(rolling, PUBLISHED)
    roll(rolling, TURNED - MINUTE)
    assert look(rolling, END + SECOND) == []
    assert look(rolling, END + 31 * SECOND) == ["signing destroy", "tenant-ca destroy"]


CLOCKS: list[tuple[timedelta, str]] = [
    (HOUR, "but it was"),
    (DAY, "but it was"),
    (-2 * HOUR, ""),  # nobody looked for long, or the clock is ahead: the next looks will tell
    (-3650 * DAY, ""),
]


@pytest.mark.parametrize(("agreed", "sentence"), CLOCKS, ids=str)
def test_the_command_tells_of_a_wrong_clock_with_its_exit_status(
    tmp_path: Path, agreed: timedelta, sentence: str
) -> None:
    at = utc_now() + agreed
    for world in lend(make_world(tmp_path, QUICK)):
        watch.look(world.service.installation, at)
        watch.look(world.service.installation, at + MINUTE)
    result = Console(tmp_path).run("rollover", "status")
    if sentence:
        assert result.exit_code == 1
        assert sentence in result.stderr
        assert "set it right" in result.stderr
    else:
        assert "nothing is done by itself now" not in result.stderr


def test_a_clock_that_was_ahead_does_not_shut_assertions_out_for_years(rolling: World) -> None:
    look(rolling, START)
    wrong = START + 100 * DAY
    look(rolling, wrong)
    look(rolling, wrong + MINUTE)
    assertion = self_issued(rolling, 600)
    assert present(rolling, assertion).status_code == 200
    purge(rolling.service.installation.database, wrong + 4 * HOUR)
    rolling.clock.now = START + HOUR
    assert present(rolling, self_issued(rolling, 600)).status_code == 401
    assert watch.accept_restore(rolling.service.installation, rolling.now)
    assert present(rolling, assertion).status_code == 401
    rolling.move(days=1, minutes=4)
    assert present(rolling, self_issued(rolling, 600)).status_code == 200
