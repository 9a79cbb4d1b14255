"""Spans and instants as operators write them: `90d`, `2y`, `8h`; `2026-01-01T00:00:00Z`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

UNITS: Final = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
PATTERN: Final = r"^[1-9][0-9]{0,9}[ywdhms]$"
LONGEST: Final = timedelta(days=100 * 365)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def parse_span(text: str) -> timedelta:
    """Read a whole number and one unit: y (365 days), w, d, h, m or s.

    Raises ValueError with a sentence for anything else, and for more than 100 years.
    """
    if re.fullmatch(PATTERN, text, re.ASCII) is None:
        raise ValueError(
            f"'{text}' is not a span of time: write a whole number and one unit (y, w, d, h, m, s), such as 90d or 2y"
        )
    count, unit = int(text[:-1]), UNITS[text[-1]]
    if count > LONGEST // unit:
        raise ValueError(f"'{text}' is more than 100 years")
    return count * unit


def format_span(span: timedelta) -> str:
    """Write a positive span with the largest unit that divides it; the inverse of `parse_span`."""
    for unit, size in UNITS.items():
        if unit != "w" and span % size == timedelta(0):
            return f"{span // size}{unit}"
    raise ValueError("a span of time is a whole number of seconds")


def parse_instant(text: str) -> datetime:
    """Read an instant in whole seconds with its zone, into UTC; raises ValueError with a sentence."""
    try:
        if _INSTANT.fullmatch(text) is None:
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is not an instant with its zone, such as 2026-01-01T00:00:00Z") from None
