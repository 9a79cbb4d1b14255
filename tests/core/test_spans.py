"""Spans and instants as operators write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.spans import LONGEST, format_span, parse_instant, parse_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("2y", timedelta(days=730)),
        ("8h", timedelta(hours=8)),
        ("2w", timedelta(days=14)),
        ("4m", timedelta(minutes=4)),
        ("1s", timedelta(seconds=1)),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text", ["", "d", "90", "0d", "-1d", "1.5d", "90 d", "90D", "1d2h", "٣d", "101y", "9999999999y", "1d\n"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"span of time|more than 100 years"):
        parse_span(text)


@given(st.integers(1, int(LONGEST.total_seconds())))
def test_a_written_span_reads_back_the_same(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_span(format_span(span)) == span


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2025-12-31T19:00:00-05:00"])
def test_an_instant_is_read_into_utc(text: str) -> None:
    assert parse_instant(text) == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-W01-1T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T00:00:00.5Z",
        "0001-01-01T00:00:00+23:00",
        "2026-01-01T00:00:00Z ",
    ],
)
def test_an_instant_without_its_zone_or_not_in_whole_seconds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an instant with its zone"):
        parse_instant(text)
