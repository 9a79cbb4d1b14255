"""When a clock is believed (rollover.md, promise 6; F04, F05)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.clock import AHEAD, BEHIND, SECOND_LOOK, AgreedClock, ClockMarks, read_clock
from sts.core.errors import ClockInDoubt
from tests.core.builders import DAY, NOW, SECOND

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TEN_YEARS = 3650 * DAY
AGREED = ClockMarks(agreed=NOW)


def looks(*clock: timedelta, marks: ClockMarks = AGREED) -> list[bool]:
    """Whether each of these looks, at spans from the last agreed one, is believed."""
    believed = []
    for at in clock:
        reading = read_clock(marks, NOW + at)
        marks = reading.marks
        believed.append(reading.fault is None)
    return believed


def test_the_first_look_of_all_is_believed() -> None:
    reading = read_clock(ClockMarks(), NOW + timedelta(microseconds=5))
    assert (reading.fault, reading.now, reading.marks) == (None, NOW, AGREED)


@pytest.mark.parametrize(
    ("clock", "believed"),
    [
        pytest.param([MINUTE, 2 * MINUTE, 3 * MINUTE], [True, True, True], id="it goes on"),
        pytest.param([AHEAD], [True], id="five minutes without a look"),
        pytest.param([AHEAD + SECOND], [False], id="more than five minutes without a look"),
        pytest.param([-BEHIND], [True], id="five minutes back"),
        pytest.param([-BEHIND - SECOND], [False], id="more than five minutes back"),
        pytest.param([-HOUR, -HOUR + MINUTE, -HOUR + 2 * MINUTE], [False] * 3, id="an hour back, however often"),
        pytest.param([-TEN_YEARS, -TEN_YEARS + MINUTE], [False, False], id="ten years back"),
        pytest.param([-DAY, MINUTE], [False, True], id="a day back and set right"),
        pytest.param([HOUR, MINUTE], [False, True], id="an hour ahead and set right"),
        pytest.param([HOUR, HOUR + SECOND_LOOK], [False, True], id="an hour ahead, two looks agree"),
        pytest.param([DAY, DAY + SECOND_LOOK], [False, True], id="a day ahead, two looks agree"),
        pytest.param([DAY, DAY + AHEAD + SECOND], [False, False], id="a second look so late that it may be a jump"),
        pytest.param([DAY, DAY + SECOND_LOOK - SECOND], [False, False], id="a second look too soon"),
        pytest.param([DAY, DAY, DAY + SECOND_LOOK], [False, False, True], id="a look too soon does not start anew"),
        pytest.param([TEN_YEARS, TEN_YEARS + MINUTE], [False, True], id="ten years ahead, two looks agree"),
        pytest.param([TEN_YEARS, MINUTE], [False, True], id="ten years ahead and set right"),
        pytest.param([TEN_YEARS, DAY, DAY + MINUTE], [False, False, True], id="two jumps agree with themselves only"),
        pytest.param([DAY, 3 * DAY, 5 * DAY], [False] * 3, id="single looks that are days apart"),
        pytest.param([DAY, 3 * DAY, 3 * DAY + MINUTE], [False, False, True], id="days apart, then two that agree"),
    ],
)
def test_a_clock_is_believed_when_two_looks_agree(clock: list[timedelta], believed: list[bool]) -> None:
    assert looks(*clock) == believed


def test_now_never_goes_back() -> None:
    assert read_clock(AGREED, NOW - MINUTE).now == NOW
    assert read_clock(AGREED, NOW - DAY).now == NOW


def test_while_in_doubt_now_stands_still() -> None:
    assert read_clock(AGREED, NOW + TEN_YEARS).now == NOW


def test_a_doubted_look_says_when_the_next_one_can_agree() -> None:
    assert read_clock(AGREED, NOW + DAY).again_at == NOW + DAY + SECOND_LOOK
    assert read_clock(AGREED, NOW + MINUTE).again_at is None
    assert read_clock(AGREED, NOW - DAY).again_at is None, "the passing of time does not help here"


@pytest.mark.parametrize(("at", "words"), [(NOW - DAY, "accept-restore"), (NOW + DAY, "a second look must agree")])
def test_the_fault_names_both_instants_and_the_way_out(at: object, words: str) -> None:
    fault = read_clock(AGREED, at).fault
    assert fault is not None
    assert words in fault
    assert "2026-06-01T12:00:00Z" in fault


@given(st.lists(st.timedeltas(min_value=-20 * TEN_YEARS, max_value=20 * TEN_YEARS), max_size=30))
def test_whatever_a_clock_does_the_agreed_instant_never_goes_back(clock: list[timedelta]) -> None:
    marks, last = AGREED, NOW
    for at in clock:
        reading = read_clock(marks, NOW + at)
        assert reading.marks.agreed is not None
        assert reading.now >= last
        assert reading.marks.agreed >= last
        if reading.fault is not None:
            assert reading.now == last, "in doubt, no time passes"
        marks, last = reading.marks, reading.now


@given(st.timedeltas(min_value=AHEAD + SECOND, max_value=20 * TEN_YEARS), st.timedeltas(max_value=timedelta(0)))
def test_one_wrong_look_between_two_right_ones_never_counts(jump: timedelta, back: timedelta) -> None:
    back = max(back, -BEHIND)
    reading = read_clock(read_clock(AGREED, NOW + jump).marks, NOW + MINUTE + back)
    assert reading.fault is None
    assert reading.now <= NOW + MINUTE


@pytest.mark.parametrize(
    ("at", "told"),
    [(-DAY, NOW), (timedelta(0), NOW), (MINUTE, NOW + MINUTE), (AHEAD, NOW + AHEAD)],
)
def test_what_an_agreed_look_allows_goes_by_a_clock_that_goes_on(at: timedelta, told: object) -> None:
    assert AgreedClock(lambda: NOW + at, NOW)() == told


@pytest.mark.parametrize("jump", [AHEAD + SECOND, HOUR, TEN_YEARS])
def test_a_clock_that_jumps_after_a_look_is_not_believed(jump: timedelta) -> None:
    readings = iter([NOW + MINUTE, NOW + jump, NOW + 2 * MINUTE])
    clock = AgreedClock(lambda: next(readings), NOW)
    assert clock() == NOW + MINUTE
    with pytest.raises(ClockInDoubt, match="it jumped, or that took too long"):
        clock()
    assert clock() == NOW + 2 * MINUTE
