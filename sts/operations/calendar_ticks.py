"""Where to mark an axis of time, and with what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

MOST: Final = 12

_MONTHS: Final = ((1, "%b %Y"), (3, "%b %Y"), (6, "%b %Y"), (12, "%Y"), (24, "%Y"), (60, "%Y"), (120, "%Y"))
_SECONDS: Final = (
    *((count, "%H:%M:%S") for count in (1, 5, 15, 30)),
    *((60 * count, "%H:%M") for count in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *((86_400 * count, "%Y-%m-%d") for count in (1, 2, 7, 14)),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ticks(start: datetime, end: datetime) -> tuple[tuple[datetime, str], ...]:
    """Round instants from start to end with their labels: seconds to decades, at most twelve of them."""
    for seconds, label in _SECONDS:
        if (end - start) / timedelta(seconds=seconds) <= MOST:
            return _labelled(_by_seconds(start, seconds), end, label)
    for months, label in _MONTHS:
        if (end - start) / timedelta(days=30 * months) <= MOST:
            return _labelled(_by_months(start, months), end, label)
    return _labelled(_by_months(start, 1200), end, "%Y")


_Tick = Callable[[int], datetime]


def _labelled(tick: _Tick, end: datetime, label: str) -> tuple[tuple[datetime, str], ...]:
    found = []
    number = 0
    while (at := tick(number)) <= end:
        found.append((at, at.strftime(label)))
        number += 1
    return tuple(found)


def _by_seconds(start: datetime, seconds: int) -> _Tick:
    step = timedelta(seconds=seconds)
    first = -((_EPOCH - start) // step)
    return lambda number: _EPOCH + (first + number) * step


def _by_months(start: datetime, months: int) -> _Tick:
    before = start.year * 12 + start.month - 1
    whole = start == datetime(start.year, start.month, 1, tzinfo=UTC)
    first = -((-before - (0 if whole else 1)) // months)

    def tick(number: int) -> datetime:
        year, month = divmod((first + number) * months, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC)

    return tick
