"""Column types: aware UTC instants and spans as 64-bit integers of seconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)

Id: Final = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER counts up by itself there
Ordered: Final = Text().with_variant(Text(collation="C"), "postgresql")  # compared by code point, as in SQLite


def seconds(instant: datetime) -> int:
    """Answer an aware instant as columns keep it: whole seconds since 1970 UTC, fractions cut off."""
    return (instant - _EPOCH) // _SECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as seconds since 1970 UTC; fractions are cut off."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Answer the seconds; a naive datetime raises TypeError."""
        return None if value is None else seconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Answer the instant, in UTC."""
        return None if value is None else _EPOCH + timedelta(seconds=value)


class Span(TypeDecorator[timedelta]):
    """A timedelta, kept as seconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Answer the seconds."""
        return None if value is None else value // _SECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        """Answer the span."""
        return None if value is None else timedelta(seconds=value)
