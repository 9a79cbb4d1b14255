"""Whether the clock can be believed: two looks must agree before anything that cannot be taken back is done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sts.core.credentials import instant
from sts.core.errors import ClockInDoubt

BEHIND: Final = timedelta(minutes=5)
AHEAD: Final = timedelta(minutes=5)  # of looks that come every 20 seconds
SECOND_LOOK: Final = timedelta(seconds=30)  # the least time between two looks that can agree


@dataclass(frozen=True, slots=True)
class ClockMarks:
    """What earlier looks left behind."""

    agreed: datetime | None = None  # the last instant that two looks agreed on
    doubted: datetime | None = None  # the first look after a jump


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What one look makes of the clock."""

    marks: ClockMarks
    now: datetime  # never before what was agreed on
    fault: str | None = None  # why nothing may be done now

    @property
    def again_at(self) -> datetime | None:
        """When a second look can agree with this one, None where it is not needed or of no use."""
        return None if self.marks.doubted is None else self.marks.doubted + SECOND_LOOK


def read_clock(marks: ClockMarks, now: datetime) -> ClockReading:
    """Hold a look at the clock against the earlier ones; `now` is aware UTC.

    A clock more than five minutes behind what was agreed on is not believed until it has caught up; one that is more
    than five minutes ahead not before a second look, at least 30 s later by the same clock and within those minutes.
    """
    now = now.replace(microsecond=0)
    if marks.agreed is None:
        return ClockReading(ClockMarks(agreed=now), now)
    if now < marks.agreed - BEHIND:
        fault = (
            f"the clock says {instant(now)}, but it was {instant(marks.agreed)} already: set it right, or if it is "
            "right now and was wrong then, run `sts rollover accept-restore`"
        )
        return ClockReading(ClockMarks(marks.agreed), marks.agreed, fault)
    if now <= marks.agreed + AHEAD or _confirms(marks.doubted, now):
        return ClockReading(ClockMarks(agreed=max(now, marks.agreed)), max(now, marks.agreed))
    doubted = marks.doubted if marks.doubted is not None and marks.doubted <= now <= marks.doubted + AHEAD else now
    fault = f"the clock says {instant(now)}, and the last look was at {instant(marks.agreed)}; a second look must agree"
    return ClockReading(ClockMarks(marks.agreed, doubted), marks.agreed, fault)


def _confirms(doubted: datetime | None, now: datetime) -> bool:
    return doubted is not None and doubted + SECOND_LOOK <= now <= doubted + AHEAD


@dataclass(frozen=True, slots=True)
class AgreedClock:
    """The clock while that is done which an agreed look allows: it may go on from there, but not jump."""

    clock: Callable[[], datetime]
    agreed: datetime

    def __call__(self) -> datetime:
        """Tell the time, never before what was agreed on; raises ClockInDoubt for more than five minutes after it."""
        now = self.clock()
        if now > self.agreed + AHEAD:
            raise ClockInDoubt(
                f"the clock says {instant(now)}, and a look at {instant(self.agreed)} began this: it jumped, or that "
                "took too long; the next look goes on"
            )
        return max(now, self.agreed)
