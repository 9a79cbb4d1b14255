"""Whether clock and database are believed: what a look leaves behind, and what a question does not."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sts.core.errors import OperatorError
from sts.operations import audit, ring_status, rollover, watch
from sts.operations.watch import RESTORED, accept_restore, doubt, look
from tests.operations.workbench import DAY, NOW, Workbench, workbench

MINUTE = timedelta(minutes=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An installation in which one thing was recorded, at NOW."""
    made = workbench(tmp_path)
    with made.installation.database.changing("tests", NOW) as change:
        change.audit("", "test", "", {})
    return made


def test_before_the_first_look_the_newest_record_tells_the_time(bench: Workbench) -> None:
    """F05: a clock that is years ahead is not believed at once, even if nobody ever looked."""
    assert look(bench.installation, NOW + 3650 * DAY).fault is not None
    assert look(bench.installation, NOW + 2 * MINUTE).fault is None


def test_the_first_look_of_a_new_installation_is_believed(bench: Workbench) -> None:
    assert look(bench.installation, NOW + MINUTE).fault is None


def test_an_empty_database_believes_any_first_look(tmp_path: Path) -> None:
    assert look(workbench(tmp_path).installation, NOW + 3650 * DAY).fault is None


def test_a_question_leaves_no_mark(bench: Workbench) -> None:
    assert doubt(bench.installation, NOW + 3650 * DAY) is None, "nobody has looked for long; that is no fault"
    assert not (bench.installation.home / watch.MARK).exists()
    assert look(bench.installation, NOW + MINUTE).fault is None


def test_a_jump_that_somebody_saw_is_told_until_a_second_look_agrees(bench: Workbench) -> None:
    look(bench.installation, NOW)
    seen = look(bench.installation, NOW + DAY)
    assert (seen.now, seen.again_at) == (NOW, NOW + DAY + timedelta(seconds=30))
    assert doubt(bench.installation, NOW + DAY + timedelta(seconds=20)) is not None
    assert look(bench.installation, NOW + DAY + MINUTE).fault is None
    assert doubt(bench.installation, NOW + DAY + MINUTE) is None


def test_a_clock_that_is_behind_is_told_at_once(bench: Workbench) -> None:
    look(bench.installation, NOW)
    assert "set it right" in (doubt(bench.installation, NOW - DAY) or "")


def test_an_operator_may_say_that_the_clock_is_right_now_and_was_wrong_then(bench: Workbench) -> None:
    wrong = NOW + 3650 * DAY
    look(bench.installation, wrong)
    look(bench.installation, wrong + MINUTE)
    assert look(bench.installation, NOW).fault is not None
    assert accept_restore(bench.installation, NOW)
    assert look(bench.installation, NOW + MINUTE).fault is None
    assert audit.list_newest(bench.installation, None, 1)[0].details == {"agreed": "2036-11-18T22:01:00Z"}


@pytest.mark.parametrize("ahead", [timedelta(0), DAY, 3650 * DAY])
def test_a_clock_that_is_ahead_cannot_be_accepted_it_needs_a_second_look(bench: Workbench, ahead: timedelta) -> None:
    look(bench.installation, NOW)
    assert not accept_restore(bench.installation, NOW + ahead)
    assert (look(bench.installation, NOW + ahead).fault is None) is (ahead == timedelta(0))


def test_a_database_that_does_not_know_the_marked_change_is_noticed_and_can_be_accepted(bench: Workbench) -> None:
    look(bench.installation, NOW)
    mark = bench.installation.home / watch.MARK
    mark.write_text(f"5 {'0' * 64}\n")
    assert look(bench.installation, NOW + MINUTE).fault == RESTORED
    assert doubt(bench.installation, NOW + MINUTE) == RESTORED
    assert accept_restore(bench.installation, NOW + MINUTE)
    assert look(bench.installation, NOW + 2 * MINUTE).fault is None
    assert mark.read_text().split()[0] == "2", "its own record of that is the newest change now"
    assert mark.stat().st_mode & 0o777 == 0o600


DAMAGED = [b"", b"\n", b"rubbish", b"5", b"\xff\x00", b"5 0000", b"%d %s" % (2**70, b"0" * 64), b"-1 %s" % (b"0" * 64)]


@pytest.mark.parametrize("content", DAMAGED, ids=repr)
def test_a_damaged_mark_holds_every_step_until_the_database_is_accepted(bench: Workbench, content: bytes) -> None:
    """A power cut may leave it empty; a number that no database can hold must not be asked for."""
    mark = bench.installation.home / watch.MARK
    mark.write_bytes(content)
    for fault in (look(bench.installation, NOW).fault, doubt(bench.installation, NOW)):
        assert fault is not None
        assert str(mark) in fault
        assert "is damaged" in fault or "cannot be read" in fault
        assert "sts rollover accept-restore" in fault
    assert accept_restore(bench.installation, NOW)
    assert audit.list_newest(bench.installation, None, 1)[0].action == "rollover.accept-restore"
    assert look(bench.installation, NOW + MINUTE).fault is None
    assert not accept_restore(bench.installation, NOW + MINUTE)


def unwritable(bench: Workbench) -> Workbench:
    """The same with a mark in a folder that cannot be written to."""
    mark = bench.installation.home / "absent" / watch.MARK
    return replace(bench, installation=replace(bench.installation, mark=mark))


def test_a_mark_that_cannot_be_written_stops_nothing_and_is_told_with_the_remedy(bench: Workbench) -> None:
    bench.apply("{namespace: contoso, rollover: {signing: {key_type: p256}, tenant-ca: {key_type: p256}}}")
    held = unwritable(bench)
    look(held.installation, NOW + 640 * DAY - MINUTE)
    outcome = rollover.run(held.installation, NOW + 640 * DAY)
    assert (len(outcome.done), outcome.failed, outcome.fault) == (3, (), None)
    for warning in (
        outcome.warning or "",
        *map(str, ring_status.status(held.installation, None, NOW + 640 * DAY).warnings),
    ):
        assert f"{held.installation.home}/absent/newest-change" in warning
        assert "rollover goes on" in warning
        assert "STS_MARK_FILE" in warning


def test_a_restore_is_not_accepted_silently_where_the_mark_cannot_be_written(bench: Workbench) -> None:
    mark = bench.installation.home / watch.MARK
    mark.mkdir()
    assert "cannot be read" in (look(bench.installation, NOW).fault or "")
    with pytest.raises(OperatorError, match="cannot be written"):
        accept_restore(bench.installation, NOW)
    assert [path.name for path in bench.installation.home.glob(".*")] == [], "no draft is left"
    assert "cannot be read" in (doubt(bench.installation, NOW) or "")
