"""The timeline of a simulation as a picture (SVG): a band for each ring, a bar for each of its credentials.

What a bar shows is told by shape as well as by colour, and the colours suit light and dark viewers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sts.core.credentials import instant
from sts.core.model import Credential
from sts.core.rollover import RingName
from sts.core.spans import format_span
from sts.crypto.xml import escape_attribute, escape_text
from sts.operations.calendar_ticks import ticks
from sts.operations.simulation import EventKind, Simulation, Span, milestones

WIDTH: Final = 1040
LEFT: Final = 28
RIGHT: Final = 1012
HEAD: Final = 118  # above the first band: title, legend, axis
BAND_HEAD: Final = 30
LANE: Final = 54
BAR: Final = 20
BAND_GAP: Final = 14
CHARACTER: Final = 6.1  # the usual width of one in a caption
EXACT: Final = timedelta(days=7)  # a longer span is told in days
NARROWEST: Final = 1.5  # a piece of a bar stays visible

_PURPOSES: Final = {
    RingName.SIGNING: "certificates that sign tokens and metadata",
    RingName.DECRYPTION: "certificates that partners encrypt to",
    RingName.TENANT_CA: "certificates that issue those of devices",
    RingName.SIGNING_KEYS: "symmetric keys, shared with relying parties",
}

_STYLE: Final = """
text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328 }
.paper { fill: #ffffff }
.title { font-size: 18px; font-weight: 600 }
.ring { font-size: 14px; font-weight: 600 }
.quiet { font-size: 11px; fill: #59636e; stroke: #ffffff; stroke-width: 3px; paint-order: stroke }
.name { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; fill: #ffffff }
.grid { stroke: #d1d9e0 }
.next { fill: #ddf4ff; stroke: #0969da; stroke-dasharray: 3 2 }
.active { fill: #0969da; stroke: #0969da }
.retired { fill: #e1e5ea; stroke: #818b98 }
.kept { stroke: #818b98; stroke-width: 3; stroke-dasharray: 2 3 }
.mark { fill: #1f2328; stroke: #1f2328; stroke-width: 1.4; stroke-linecap: round }
.hollow { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.paper, .hollow { fill: #0d1117 }
.quiet { fill: #9198a1; stroke: #0d1117 }
.name { fill: #ffffff }
.grid { stroke: #3d444d }
.next { fill: #121d2f; stroke: #4493f8 }
.active { fill: #1f6feb; stroke: #1f6feb }
.retired { fill: #3d444d; stroke: #9198a1 }
.kept { stroke: #9198a1 }
.mark { fill: #f0f6fc; stroke: #f0f6fc }
.hollow { fill: #0d1117 }
}
"""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where an instant lies."""

    span: Span

    def x(self, at: datetime) -> float:
        """In the picture; what lies outside the span at its edge."""
        length = max(self.span.end - self.span.start, timedelta(seconds=1))
        share = (at - self.span.start) / length
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 1)

    def date(self, at: datetime) -> str:
        """As exact as the picture is."""
        return f"{at:%Y-%m-%d}" if self.span.end - self.span.start > EXACT else instant(at)

    def shows(self, at: datetime | None) -> bool:
        """Whether it lies inside."""
        return at is not None and self.span.start <= at <= self.span.end


@dataclass(frozen=True, slots=True)
class _Bar:
    """The life of one credential as it is drawn."""

    credential: Credential
    begin: datetime
    end: datetime  # its last instant, or when it was revoked or deleted before
    gone: datetime  # until then the key is kept

    @property
    def pieces(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Next, active, retired: from when to when, without what never was."""
        promoted = self.credential.primary_from or self.end
        retired = max(self.credential.demoted_at or self.end, promoted)
        bounds = (self.begin, *(min(max(at, self.begin), self.end) for at in (promoted, retired)), self.end)
        for name, begin, end in zip(("next", "active", "retired"), bounds, bounds[1:], strict=False):
            if begin < end:
                yield name, begin, end


@dataclass(frozen=True, slots=True)
class _Placed:
    """A bar, where it is drawn, and how far to the right its lane is free."""

    bar: _Bar
    top: float
    room: float
    axis: _Axis
    successor: _Bar | None


def draw(simulation: Simulation) -> str:
    """Draw what happens to the rings of a namespace over the span of a simulation; answers an SVG document."""
    axis = _Axis(simulation.span)
    drawn: list[str] = []
    top = float(HEAD)
    for name in RingName:
        bars = _bars(simulation.rings.get(name, ()), simulation.span)
        if not bars:
            continue
        lanes = _lanes(bars)
        drawn += _band(name, top, lanes, axis)
        top += BAND_HEAD + LANE * len(lanes) + BAND_GAP
    height = top + 26
    title = f"{simulation.namespace}: credentials from {axis.date(axis.span.start)} to {axis.date(axis.span.end)}"
    text = "Bars are credentials: published before they are active, and still verifying after they are retired."
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title description">',
            f'<title id="title">{escape_text(title)}</title>',
            f'<desc id="description">{escape_text(text)}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height:g}" rx="6"/>',
            _text(LEFT, 36, title, "title"),
            *_legend(),
            *_grid(axis, top),
            *drawn,
            "</svg>\n",
        )
    )


def _bars(members: Iterable[Credential], span: Span) -> list[_Bar]:
    """Those that are to be seen in the span, oldest first."""
    bars = [_bar(credential) for credential in members]
    return sorted(
        (bar for bar in bars if bar.begin < span.end and bar.gone > span.start and bar.begin < bar.end),
        key=lambda bar: (bar.begin, bar.credential.id),
    )


def _bar(credential: Credential) -> _Bar:
    ends = (credential.not_after, credential.revoked_at, credential.deleted_at)
    end = min(at for at in ends if at is not None)
    return _Bar(credential, credential.published_at or credential.not_before, end, credential.deleted_at or end)


def _lanes(bars: Sequence[_Bar]) -> list[list[_Bar]]:
    """Each bar below those that it overlaps."""
    lanes: list[list[_Bar]] = []
    for bar in bars:
        free = next((lane for lane in lanes if lane[-1].gone < bar.begin), None)
        if free is None:
            lanes.append([bar])
        else:
            free.append(bar)
    return lanes


def _band(name: RingName, top: float, lanes: Sequence[Sequence[_Bar]], axis: _Axis) -> Iterator[str]:
    yield (
        f'<text x="{LEFT}" y="{top + 18:g}"><tspan class="ring">{escape_text(name)}</tspan>'
        f'<tspan class="quiet" dx="8">{escape_text(_PURPOSES[name])}</tspan></text>'
    )
    since = {bar.credential.primary_from: bar for lane in lanes for bar in lane}
    for number, lane in enumerate(lanes):
        edges = [*(axis.x(bar.begin) for bar in lane[1:]), float(RIGHT)]
        for bar, edge in zip(lane, edges, strict=True):
            retired = bar.credential.demoted_at
            successor = None if retired is None else since.get(retired)
            yield from _drawn(_Placed(bar, top + BAND_HEAD + LANE * number, edge - 8, axis, successor))


def _drawn(placed: _Placed) -> Iterator[str]:
    """One bar: its pieces with a text to hover over, its name, its marks, its dates."""
    bar, axis, top = placed.bar, placed.axis, placed.top + 12
    yield f"<g><title>{escape_text(_story(bar.credential))}</title>"
    for name, begin, end in bar.pieces:
        if end <= axis.span.start or begin >= axis.span.end:
            continue
        left, right = axis.x(begin), axis.x(end)
        width = max(NARROWEST, round(right - left, 1))
        yield f'<rect class="{escape_attribute(name)}" x="{left}" y="{top:g}" width="{width:g}" height="{BAR}"/>'
        if name == "active" and width > 9 * CHARACTER:
            yield _text(left + 8, top + 14, bar.credential.thumbprint[:8], "name")
    if axis.x(bar.gone) > axis.x(bar.end):
        middle = top + BAR / 2
        ends = f'x1="{axis.x(bar.end)}" x2="{axis.x(bar.gone)}"'
        yield f'<line class="kept" {ends} y1="{middle:g}" y2="{middle:g}"/>'
    for kind, at in milestones(bar.credential):
        if axis.shows(at):
            yield _mark(kind, axis.x(at), top)
    yield "</g>"
    yield from _captions(placed, top)


def _captions(placed: _Placed, top: float) -> Iterator[str]:
    """The dates below a bar, and beside its end how much earlier its successor came; where there is room."""
    bar, axis = placed.bar, placed.axis
    left, right = axis.x(bar.begin), axis.x(bar.gone)
    dates = ", ".join(f"{_DATED[kind]} {axis.date(at)}" for kind, at in milestones(bar.credential) if kind in _DATED)
    if left + len(dates) * CHARACTER <= placed.room:
        yield _text(left, top + BAR + 14, dates, "quiet")
    elif right - len(dates) * CHARACTER >= max(LEFT, left - 4 * CHARACTER):
        yield f'<text class="quiet" x="{right}" y="{top + BAR + 14:g}" text-anchor="end">{escape_text(dates)}</text>'
    note = _lead_of(placed.successor, bar.end)
    if note and right + 18 + len(note) * CHARACTER <= placed.room:
        yield _text(right + 18, top + 14, note, "quiet")


_DATED: Final = {EventKind.PUBLISHED: "published", EventKind.PROMOTED: "active", EventKind.EXPIRED: "until"}


def _lead_of(successor: _Bar | None, end: datetime) -> str:
    """How long before the end of its predecessor a successor was public, and active."""
    if successor is None or successor.credential.primary_from is None:
        return ""
    public, active = end - successor.begin, end - successor.credential.primary_from
    if active <= timedelta(0):
        return ""
    return f"next: public {format_span(public)}, active {format_span(active)} before"


def _story(credential: Credential) -> str:
    lines = [credential.subject or "symmetric key", credential.thumbprint]
    return "\n".join((*lines, *(f"{kind} {instant(at)}" for kind, at in milestones(credential))))


def _mark(kind: EventKind, x: float, top: float) -> str:
    """The sign of an event, on the upper edge of a bar or at its end."""
    y = top - 6
    shapes = {
        EventKind.PUBLISHED: f'<circle class="mark hollow" cx="{x}" cy="{y:g}" r="3.4"/>',
        EventKind.PROMOTED: f'<path class="mark" d="M{x - 4:g} {y + 3:g}h8l-4 -7z"/>',
        EventKind.RETIRED: f'<path class="mark hollow" d="M{x - 4:g} {y - 3:g}h8l-4 7z"/>',
        EventKind.EXPIRED: f'<path class="mark" d="M{x} {top - 9:g}v{BAR + 12}"/>',
        EventKind.DESTROYED: f'<path class="mark" d="M{x + 5:g} {top + 7:g}l6 6m0 -6l-6 6"/>',
    }
    return shapes[kind]


def _legend() -> Iterator[str]:
    """What pieces and marks mean, in one row."""
    x = float(LEFT)
    for name, text in (("next", "published, next"), ("active", "active"), ("retired", "retired, still verifies")):
        yield f'<rect class="{name}" x="{x:g}" y="53" width="26" height="13"/>'
        yield _text(x + 33, 64, text, "quiet")
        x += 50 + len(text) * CHARACTER
    x += 16
    for kind in EventKind:
        yield f'<g transform="translate({x:g} 60) {_SMALLER.get(kind, "translate(0 6)")}">{_mark(kind, 0, 0)}</g>'
        yield _text(x + 11, 64, kind.value, "quiet")
        x += 34 + len(kind) * CHARACTER


_SMALLER: Final = {EventKind.EXPIRED: "scale(1 0.5) translate(0 -7)", EventKind.DESTROYED: "translate(-6 -10)"}


def _grid(axis: _Axis, bottom: float) -> Iterator[str]:
    for at, label in ticks(axis.span.start, axis.span.end):
        x = axis.x(at)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="104" y2="{bottom:g}"/>'
        yield f'<text class="quiet" x="{x}" y="97" text-anchor="middle">{escape_text(label)}</text>'
        yield f'<text class="quiet" x="{x}" y="{bottom + 14:g}" text-anchor="middle">{escape_text(label)}</text>'


def _text(x: float, y: float, content: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape_text(content)}</text>'
