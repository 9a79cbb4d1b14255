"""The picture of a simulation: what it shows, and that any viewer can read it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sts.core.model import Credential
from sts.core.rollover import RingName
from sts.operations.calendar_ticks import MOST, ticks
from sts.operations.simulation import Simulation, Span
from sts.operations.timeline import LEFT, RIGHT, draw
from tests.core.builders import DAY, SECOND, credential, key

START = datetime(2026, 1, 1, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
LIFE = 730 * DAY
FIRST = credential(
    1,
    not_before=START,
    not_after=START + LIFE,
    published_at=START,
    primary_from=START,
    demoted_at=START + LIFE - 45 * DAY,
)
SECOND_ONE = credential(
    2,
    not_before=START + LIFE - 90 * DAY,
    not_after=START + 2 * LIFE - 90 * DAY,
    published_at=START + LIFE - 90 * DAY,
    primary_from=START + LIFE - 45 * DAY,
)


def simulated(*members: Credential, span: timedelta = 6 * 365 * DAY, **rings: tuple[Credential, ...]) -> Simulation:
    """A simulation whose signing ring ends as these."""
    named = {RingName(name.replace("_", "-")): ring for name, ring in rings.items()}
    return Simulation("contoso", Span(START, START + span), (), (), (), {RingName.SIGNING: members, **named})


def drawn(simulation: Simulation) -> ElementTree.Element:
    return ElementTree.fromstring(draw(simulation))


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in picture.iter(f"{SVG}text")]


def bars(picture: ElementTree.Element) -> list[tuple[str, float, float]]:
    """The pieces of the bars with their left and right edges; the legend's lie above."""
    return [
        (e.get("class", ""), float(e.get("x", "0")), round(float(e.get("x", "0")) + float(e.get("width", "0")), 1))
        for e in picture.iter(f"{SVG}rect")
        if e.get("class") != "paper" and float(e.get("y", "0")) > 100
    ]


def x(at: timedelta, span: timedelta = 6 * 365 * DAY) -> float:
    return round(LEFT + (RIGHT - LEFT) * (at / span), 1)


def test_a_bar_shows_when_its_certificate_is_published_active_retired_and_over() -> None:
    end = 2 * LIFE - 90 * DAY
    assert bars(drawn(simulated(FIRST, SECOND_ONE))) == [
        ("active", x(timedelta(0)), pytest.approx(x(LIFE - 45 * DAY), abs=0.2)),
        ("retired", x(LIFE - 45 * DAY), pytest.approx(x(LIFE), abs=0.2)),
        ("next", x(LIFE - 90 * DAY), pytest.approx(x(LIFE - 45 * DAY), abs=0.2)),
        ("active", x(LIFE - 45 * DAY), pytest.approx(x(end), abs=0.2)),
    ]


def test_what_overlaps_lies_in_two_lanes_and_what_does_not_in_one() -> None:
    def lanes(*members: Credential) -> int:
        picture = drawn(simulated(*members))
        return len({e.get("y") for e in picture.iter(f"{SVG}rect") if float(e.get("y", "0")) > 100})

    later = replace(FIRST, id=3, published_at=START + LIFE + DAY, not_after=START + 2 * LIFE, demoted_at=None)
    assert lanes(FIRST, SECOND_ONE) == 2
    assert lanes(FIRST, later) == 1


def test_the_overlap_is_told_in_days() -> None:
    assert "next: public 90d, active 45d before" in texts(drawn(simulated(FIRST, SECOND_ONE)))


def test_every_ring_that_holds_something_has_a_band_and_the_legend_names_every_mark() -> None:
    picture = drawn(simulated(FIRST, signing_keys=(key(9, not_before=START, published_at=START, primary_from=START),)))
    shown = " ".join(texts(picture))
    assert "symmetric keys" in shown
    assert "partners encrypt to" not in shown, "an empty ring has no band"
    for word in ("published, next", "active", "retired", "promoted", "expired", "destroyed"):
        assert word in shown


def test_hovering_over_a_bar_tells_its_story() -> None:
    (story, *_) = [element.text for element in drawn(simulated(FIRST)).findall(f"{SVG}g/{SVG}title")][-1:]
    assert story is not None
    assert story.splitlines()[:3] == ["CN=credential-1", FIRST.thumbprint, "published 2026-01-01T00:00:00Z"]


def test_names_are_escaped() -> None:
    picture = drawn(simulated(replace(FIRST, subject='CN=<b>&"x"</b>')))
    assert 'CN=<b>&"x"</b>' in [(e.text or "").splitlines()[0] for e in picture.iter(f"{SVG}title") if e.text]
    assert picture.findall(f".//{SVG}b") == []


def test_the_picture_needs_nothing_from_elsewhere_and_suits_dark_viewers() -> None:
    text = draw(simulated(FIRST, SECOND_ONE))
    assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'class="paper"' in text, "its own background, so that its colours are readable anywhere"


@pytest.mark.parametrize(
    "span", [timedelta(0), SECOND, timedelta(minutes=10), DAY, 40 * DAY, 6 * 365 * DAY, 500 * 365 * DAY]
)
def test_any_span_can_be_drawn(span: timedelta) -> None:
    assert drawn(simulated(FIRST, SECOND_ONE, span=span)).tag == f"{SVG}svg"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(credential(1, published_at=None, primary_from=None), id="never published, never primary"),
        pytest.param(replace(FIRST, revoked_at=START + DAY), id="revoked"),
        pytest.param(replace(FIRST, deleted_at=START + 3 * LIFE), id="destroyed"),
        pytest.param(replace(FIRST, demoted_at=START + 2 * LIFE), id="demoted after its end"),
        pytest.param(replace(FIRST, not_after=START - DAY), id="over before the span"),
    ],
)
def test_whatever_became_of_a_credential_its_pieces_follow_each_other(odd: Credential) -> None:
    pieces = bars(drawn(simulated(odd)))
    for (_, _, right), (_, left, _) in pairwise(pieces):
        assert left == pytest.approx(right, abs=2)


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (START + timedelta(minutes=4), ["00:00:00", "00:00:30"]),
        (START + timedelta(hours=2), ["00:00", "00:10"]),
        (START + 10 * DAY, ["2026-01-01", "2026-01-02"]),
        (START + 300 * DAY, ["Jan 2026", "Feb 2026"]),
        (START + 2000 * DAY, ["Jan 2026", "Jul 2026"]),
        (START + 10 * 365 * DAY, ["2026", "2027"]),
        (START + 20 * 365 * DAY, ["2026", "2028"]),
    ],
)
def test_the_axis_is_marked_at_round_instants(end: datetime, labels: list[str]) -> None:
    found = ticks(START, end)
    assert [label for _, label in found[:2]] == labels
    assert len(found) <= MOST + 2


@pytest.mark.parametrize("start", [START + 14 * DAY, START + 400 * DAY + 7 * SECOND, START - SECOND])
@pytest.mark.parametrize("span", [timedelta(minutes=3), DAY, 100 * DAY, 3650 * DAY])
def test_marks_lie_within_the_span_in_order(start: datetime, span: timedelta) -> None:
    found: Iterable[datetime] = [at for at, _ in ticks(start, start + span)]
    assert list(found) == sorted(set(found))
    assert all(start <= at <= start + span for at in found)
    assert list(found)


def test_the_picture_in_the_docs_was_drawn_by_this_version() -> None:
    shown = (Path(__file__).resolve().parents[2] / "docs" / "rollover.svg").read_text(encoding="utf-8")
    style = re.compile(r"<style>.*?</style>", re.DOTALL)
    assert style.findall(shown) == style.findall(draw(simulated(FIRST)))
    words = texts(ElementTree.fromstring(shown))
    assert words.count("next: public 90d, active 45d before") == 4
