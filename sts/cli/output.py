"""What commands print: tables for people, one JSON value for programs, warnings on the standard error stream."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import click

from sts.core.credentials import instant
from sts.operations.rings import CredentialRow, Outcome

_GAP = "  "
_INDENT = " " * 7  # below what comes after the index
_STEPS = {"promoted": "becomes primary", "retired": "retires", "expired": "expires"}


def print_json(value: object) -> None:
    """Print one JSON value: dataclasses as objects, instants as ISO 8601 with `Z`."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their heads, each column as wide as its widest cell."""
    for line in _aligned([heads, *rows]):
        click.echo(line)


def _aligned(rows: Iterable[Sequence[object]]) -> list[str]:
    """A line for each row, the columns below each other."""
    lines = [tuple(_cell(value) for value in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def warn(warnings: Iterable[str]) -> None:
    """Print warnings on the standard error stream."""
    for warning in warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


def tell(outcome: Outcome, sentence: str, *, as_json: bool) -> None:
    """Print what became of a credential."""
    if as_json:
        print_json(outcome.row)
    else:
        click.echo(printable(sentence))
    warn(outcome.warnings)


def named(row: CredentialRow) -> str:
    """A credential in a sentence."""
    owner = f" of relying party {row.relying_party}" if row.relying_party else ""
    return f"{row.use} {row.subject or 'key'} ({row.thumbprint}){owner}"


def print_credentials(rows: Sequence[CredentialRow], *, as_json: bool) -> None:
    """Print the rows of rings: each credential in a line, and below it what happens next and its thumbprints."""
    if as_json:
        print_json(rows)
        return
    shows_party = any(row.relying_party is not None for row in rows)
    party = ("RELYING PARTY",) if shows_party else ()
    heads = ("INDEX", "USE", *party, "STATUS", "SUBJECT", "VALID FROM", "VALID TO")
    lines = _aligned([heads, *(_cells(row, shows_party=shows_party) for row in rows)])
    click.echo(lines[0])
    for row, line in zip(rows, lines[1:], strict=True):
        click.echo(line)
        for detail in _details(row):
            click.echo(f"{_INDENT}{detail}")


def _cells(row: CredentialRow, *, shows_party: bool) -> tuple[object, ...]:
    status = f"{row.status} ({row.reason})" if row.reason else row.status
    party = (row.relying_party,) if shows_party else ()
    return row.index, row.use, *party, status, row.subject, row.not_before, row.not_after


def _details(row: CredentialRow) -> Iterator[str]:
    if row.next_step is not None:
        yield f"next     {_STEPS[row.next_step]} {_cell(row.next_step_at)}"
    if row.subject is None:
        yield f"key      {row.thumbprint_sha256}"
        return
    yield f"SHA-1    {row.thumbprint}"
    yield f"SHA-256  {row.thumbprint_sha256}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return instant(value) if isinstance(value, datetime) else printable(str(value)).replace("\n", "\\n")


def printable(text: str) -> str:
    """The text with control characters escaped, line breaks kept: what others wrote must not drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
