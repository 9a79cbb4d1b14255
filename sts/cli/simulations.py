"""What `sts rollover plan` and `sts rollover simulate` print."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import click

from sts.cli.output import print_json, print_table, warn
from sts.core.credentials import instant
from sts.operations.simulation import Event, EventKind, Foreseen, Published, Simulation

_HEADS: Final = ("AT", "RING", "EVENT", "CREDENTIAL", "VALID TO", "SIGNING IN METADATA", "DECRYPTION IN METADATA")
_SHORT: Final = 8  # digits of a thumbprint in a table
_MOST: Final = 4  # certificates in one cell
_SECOND: Final = timedelta(seconds=1)


def print_simulation(played: Simulation, *, as_json: bool) -> None:
    """Print the events; for people with the metadata after each, the order being that of the document."""
    if as_json:
        print_json(played.events)
    else:
        first = played.metadata[0]
        click.echo(f"{played.namespace} from {instant(played.span.start)} to {instant(played.span.end)}")
        click.echo(f"metadata at first: signing {_list(first.signing)}; decryption {_list(first.decryption)}")
        if played.events or len(played.metadata) > 1:
            print_table(_HEADS, _rows(played))
        else:
            click.echo("nothing happens")
    warn(_sentence(each) for each in played.foreseen)
    warn(f"from {instant(each.at)} on, {each.failure}" for each in played.failed)


def _rows(played: Simulation) -> Iterator[tuple[object, ...]]:
    """A row for each event; the last of those at one instant tells how the metadata reads from then on."""
    changes = {each.at: each for each in played.metadata[1:]}
    events = {at: list(group) for at, group in groupby(sorted(played.events, key=_effect), key=_effect)}
    for at in sorted({*changes, *events}):
        cells = [_cells(event) for event in events.get(at, ())] or [(at, "", "metadata", "", "")]
        yield from ((*each, "", "") for each in cells[:-1])
        yield *cells[-1], *_metadata(changes.get(at))


def _effect(event: Event) -> datetime:
    """From when an event can be seen: what expires is valid in its last second."""
    return event.at + _SECOND if event.event is EventKind.EXPIRED else event.at


def _cells(event: Event) -> tuple[object, ...]:
    return event.at, event.ring, event.event, event.thumbprint[:_SHORT], event.not_after


def _metadata(change: Published | None) -> tuple[str, str]:
    return ("", "") if change is None else (_list(change.signing), _list(change.decryption))


def _list(thumbprints: Sequence[str]) -> str:
    shown = ", ".join(each[:_SHORT] for each in thumbprints[:_MOST]) or "none"
    return shown if len(thumbprints) <= _MOST else f"{shown} and {len(thumbprints) - _MOST} more"


def _sentence(foreseen: Foreseen) -> str:
    return f"from {instant(foreseen.at)} a person is needed: {foreseen.warning}"
