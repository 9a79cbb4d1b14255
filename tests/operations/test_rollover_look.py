"""Looks at the rings whose turn it is: as good as looks at all of them, and much cheaper."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from sts.core.errors import StoreUnavailable
from sts.core.model import Use
from sts.core.rollover import RingName
from sts.operations import credential_states, namespaces, rollover, watch
from sts.operations.agenda import MOST, SOON, Agenda
from sts.operations.installation import Installation
from sts.operations.rings import RingName as Ring
from sts.operations.rings import Selection
from sts.operations.rollover_look import LATEST, Looked, look
from sts.store import namespaces as table
from sts.store.database import Database
from tests.operations.rolling import (
    END,
    MINUTE,
    PUBLISHED,
    QUICK,
    SECOND,
    SIGNING,
    TURNED,
    contoso,
    members,
    ring_state,
    warnings,
)
from tests.operations.workbench import DAY, NOW, Workbench


@dataclass
class Watcher:
    """A process that looks when a test tells it to."""

    installation: Installation
    agenda: Agenda
    now: datetime = NOW

    def look(self, now: datetime) -> Looked:
        """Look at an instant, once the clock is believed."""
        watch.look(self.installation, now - MINUTE)
        self.now = now
        return look(self.installation, self.agenda, lambda: self.now)

    def steps(self, now: datetime) -> list[str]:
        looked = self.look(now)
        assert (looked.fault, looked.failed) == (None, ())
        return [f"{done.ring} {done.kind}" for done in looked.done]

    def next_turn(self) -> datetime | None:
        return self.agenda.next_turn(self.now)

    def rest(self, now: datetime) -> None:
        """Look until nothing has its turn."""
        while self.look(now).done or self.next_turn() == now:
            pass

    @property
    def texts(self) -> set[str]:
        return {str(warning) for entry in self.agenda.entries for warning in entry.warnings}


def watcher(installation: Installation) -> Watcher:
    return Watcher(installation, Agenda(installation.database))


def elsewhere(bench: Workbench) -> Workbench:
    """The same installation as another process sees it."""
    database = Database(f"sqlite:///{bench.installation.home}/sts.db")
    return replace(bench, installation=replace(bench.installation, database=database))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(NOW, NOW + LATEST, id="nothing for long"),
        pytest.param(PUBLISHED - 2 * LATEST, PUBLISHED - LATEST, id="every hour, for the sake of partners"),
        pytest.param(PUBLISHED - 20 * MINUTE, PUBLISHED, id="the instant of a step"),
        pytest.param(PUBLISHED - SECOND, PUBLISHED, id="a second before it"),
    ],
)
def test_the_next_turn_is_when_something_happens_next(quick: Workbench, now: datetime, expected: datetime) -> None:
    beside = watcher(quick.installation)
    beside.rest(now - MINUTE)
    beside.agenda.drop_all()
    beside.look(now)
    assert beside.next_turn() == expected


def test_steps_are_done_in_their_turn(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    beside.rest(NOW)
    rings = ("signing", "decryption", "tenant-ca")
    assert beside.steps(PUBLISHED - MINUTE) == []
    assert beside.steps(PUBLISHED) == [f"{ring} publish" for ring in rings]
    assert beside.next_turn() == PUBLISHED, "what was done leads to another plan"
    assert beside.steps(PUBLISHED + SECOND) == []
    assert beside.steps(TURNED - 2 * MINUTE) == []
    assert beside.steps(TURNED - MINUTE) == [f"{ring} promote" for ring in rings]
    assert beside.steps(TURNED - MINUTE + SECOND) == []
    assert beside.next_turn() == TURNED, "when each node turns, the next plan begins"


def hold(bench: Workbench) -> None:
    credential_states.make_primary(bench.installation, Selection(Ring("contoso"), 1), PUBLISHED - DAY)


def resume(bench: Workbench) -> None:
    rollover.resume(bench.installation, "contoso", SIGNING, PUBLISHED - DAY)


def lengthen(bench: Workbench) -> None:
    bench.apply("{namespace: contoso, rollover: {signing: {lead: 200d, key_type: p256}}}")


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        pytest.param(None, hold, {"decryption", "tenant-ca"}, id="an operator makes primary"),
        pytest.param(hold, resume, {"signing", "decryption", "tenant-ca"}, id="an operator lets it go on"),
    ],
)
@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_what_changes_has_its_turn_at_once(
    quick: Workbench,
    before: Callable[[Workbench], None] | None,
    change: Callable[[Workbench], None],
    expected: set[str],
    where: str,
) -> None:
    beside = watcher(quick.installation)
    if before is not None:
        before(quick)
    beside.rest(PUBLISHED - DAY)
    change(quick if where == "here" else elsewhere(quick))
    beside.steps(PUBLISHED - DAY + MINUTE)
    assert {step.partition(" ")[0] for step in beside.steps(PUBLISHED)} == expected


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_policy_that_makes_a_step_due_is_acted_on_at_the_next_look(quick: Workbench, where: str) -> None:
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED - DAY)
    lengthen(quick if where == "here" else elsewhere(quick))
    assert beside.steps(PUBLISHED - DAY + SECOND) == ["signing publish"]


def test_namespaces_come_and_go(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    beside.rest(NOW)
    other = elsewhere(quick)
    other.apply(QUICK.replace("contoso", "fabrikam"))
    beside.look(NOW + SECOND)
    assert len(beside.agenda.entries) == 2 + 1  # and the installation
    namespaces.delete(other.installation, "fabrikam", NOW)
    beside.look(NOW + 2 * SECOND)
    assert len(beside.agenda.entries) == 1 + 1


def test_the_history_of_another_database_gives_all_their_turn(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    beside.rest(NOW)
    beside.agenda.drop_all()
    assert beside.agenda.turn(NOW + SECOND) == (contoso(quick.installation).id,)


def fill(installation: Installation, count: int) -> None:
    """Namespaces that hold nothing."""
    with installation.database.changing("tests", NOW) as change:
        for number in range(count):
            table.save(change, replace(contoso(installation), id=0, name=f"n{number}", hosts=(), credentials=()))
        change.audit("", "fill", "tests", {})


def test_a_look_takes_so_many_and_the_next_one_the_rest(quick: Workbench) -> None:
    fill(quick.installation, MOST)
    agenda = Agenda(quick.installation.database)
    first = agenda.turn(NOW)
    assert len(first) == MOST
    assert agenda.next_turn(NOW) == NOW
    second = agenda.turn(NOW)
    assert sorted((*first, *second)) == list(range(1, MOST + 2))
    assert agenda.turn(NOW) == ()


def test_what_a_look_did_not_come_to_has_its_turn_soon(quick: Workbench) -> None:
    agenda = Agenda(quick.installation.database)
    (taken,) = agenda.turn(NOW)
    assert agenda.turn(NOW + SOON - SECOND) == ()
    assert agenda.turn(NOW + SOON) == (taken,)


def test_a_change_while_a_namespace_is_looked_at_is_not_lost(quick: Workbench) -> None:
    agenda = Agenda(quick.installation.database)
    (taken,) = agenda.turn(NOW)
    hold(elsewhere(quick))
    assert agenda.turn(NOW) == (taken,)


def test_an_unreachable_database_is_told_and_asked_again(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    with quick.installation.database.recording() as connection:
        connection.exec_driver_sql("ALTER TABLE namespace RENAME TO away")
    with pytest.raises(StoreUnavailable):
        beside.agenda.turn(NOW)
    with quick.installation.database.recording() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO namespace")
    assert beside.agenda.turn(NOW) == (contoso(quick.installation).id,)


def spoil(installation: Installation, use: Use = Use.SIGNING) -> None:
    """Have the database lose every new secret of a use, as a failing disk might."""
    with installation.database.recording() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER spoil AFTER UPDATE OF sealed ON credential WHEN new.use = '{use}' "
            "AND new.sealed <> zeroblob(9) BEGIN UPDATE credential SET sealed = zeroblob(9) WHERE id = new.id; END"
        )


def test_what_fails_in_one_ring_stops_no_other_and_is_tried_again(quick: Workbench) -> None:
    quick.apply(QUICK.replace("contoso", "fabrikam"))
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED - MINUTE)
    spoil(quick.installation)
    looked = beside.look(PUBLISHED)
    done = [f"{done.namespace} {done.ring}" for done in looked.done]
    assert done == [f"{ns} {ring}" for ns in ("contoso", "fabrikam") for ring in ("decryption", "tenant-ca")]
    assert [str(each).partition(": ")[0] for each in looked.failed] == ["contoso signing", "fabrikam signing"]
    assert {text.partition(": a step failed: ")[0] for text in beside.texts} == {"contoso signing", "fabrikam signing"}
    with quick.installation.database.recording() as connection:
        connection.exec_driver_sql("DROP TRIGGER spoil")
    looked = beside.look(PUBLISHED + SOON)
    assert [f"{done.namespace} {done.ring}" for done in looked.done] == ["contoso signing", "fabrikam signing"]
    assert beside.texts == set()


def test_warnings_are_those_of_the_status(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    for now in (NOW, NOW + 3650 * DAY - 80 * DAY):
        beside.rest(now)
        told = {str(each) for each in warnings(quick.installation, now)}
        assert beside.texts == told
    assert [entry.soonest_end for entry in beside.agenda.entries] == [END, now + 3650 * DAY]  # the last: the root CA's


def test_the_time_in_public_begins_when_the_key_has_been_made(quick: Workbench) -> None:
    ticks = [PUBLISHED + number * 10 * SECOND for number in range(1000)]
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED - MINUTE)
    look(quick.installation, beside.agenda, lambda: ticks.pop(0))
    made = members(quick.installation)[-1]
    assert made.published_at is not None
    assert made.not_before < made.published_at == made.created_at
    assert ring_state(quick.installation).steps(made.published_at)[0].at == max(TURNED, made.published_at + 45 * DAY)


def test_a_look_that_takes_too_long_leaves_the_rest_to_the_next(quick: Workbench) -> None:
    quick.apply(QUICK.replace("contoso", "fabrikam"))
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED - MINUTE)
    instants = iter([PUBLISHED] * 12)  # as often as the first of them asks for the time
    looked = look(quick.installation, beside.agenda, lambda: next(instants, PUBLISHED + 6 * MINUTE))
    assert {done.namespace for done in looked.done} == {"contoso"}
    looked = beside.look(PUBLISHED + 7 * MINUTE)
    assert {done.namespace for done in looked.done} == {"fabrikam"}


def test_nothing_is_done_and_nothing_forgotten_while_the_clock_is_in_doubt(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    beside.rest(NOW)
    doubted = look(quick.installation, beside.agenda, lambda: PUBLISHED)
    assert doubted.done == ()
    assert "a second look must agree" in (doubted.fault or "")
    assert len(beside.steps(PUBLISHED + MINUTE)) == 3


@pytest.mark.parametrize("jump", [2 * LATEST, 3650 * DAY])
@pytest.mark.parametrize("readings", range(1, 8))
def test_f05_a_clock_that_jumps_during_a_look_destroys_and_promotes_nothing(
    quick: Workbench, jump: timedelta, readings: int
) -> None:
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED + MINUTE)
    beside.rest(TURNED - 3 * MINUTE)
    beside.agenda.drop_all()
    before = [members(quick.installation, name) for name in RingName]
    told = iter([TURNED - 2 * MINUTE] * readings)
    looked = look(quick.installation, beside.agenda, lambda: next(told, TURNED - 2 * MINUTE + jump))
    assert looked.done == ()
    assert [members(quick.installation, name) for name in RingName] == before
    assert all("it jumped" in each.text for each in looked.failed)
    beside.steps(TURNED - MINUTE)
    assert beside.texts == set(), "the next look mends what the jump left"


def test_a_clock_that_jumps_while_a_key_is_made_publishes_nothing(quick: Workbench) -> None:
    beside = watcher(quick.installation)
    beside.rest(PUBLISHED - MINUTE)
    told = iter([PUBLISHED] * 4)
    looked = look(quick.installation, beside.agenda, lambda: next(told, PUBLISHED + DAY))
    assert looked.done == ()
    assert "it jumped" in looked.failed[0].text
    assert len(members(quick.installation)) == 1
    assert len(beside.steps(PUBLISHED + MINUTE)) == 3
