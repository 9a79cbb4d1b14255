"""`sts key`: the symmetric keys that the service shares with relying parties."""

import sys
from datetime import datetime
from typing import Unpack

import click

from sts.assemble import utc_now
from sts.cli.files import read_input, read_reference, write_private
from sts.cli.opening import open_home
from sts.cli.options import (
    KEY_USES,
    Instant,
    RingArguments,
    SelectionArguments,
    examples,
    json_option,
    ring_name,
    ring_options,
    selection,
    selection_options,
)
from sts.cli.output import named, print_json, tell, warn
from sts.cli.states import add_state_commands
from sts.core.errors import OperatorError
from sts.core.model import Kind
from sts.operations import credential_files, new_credentials
from sts.operations.configuration.sources import symmetric_key
from sts.operations.credential_files import KeyCopy
from sts.operations.installation import Installation
from sts.operations.new_credentials import KeyOrder, SharedKey
from sts.operations.rings import Selection

_DESTINATION = "Write the key to this file, readable by you alone."
_SHOW = "Print the key, on a terminal only."


@click.group(epilog=examples("sts key list --namespace contoso"))
def key() -> None:
    """Symmetric signing keys: list, generate, import, export, make primary, revoke, delete.

    SWT, and JWT of relying parties with `signing: symmetric`, are signed with them. Whoever verifies with a key can
    also sign with it: give a relying party a key of its own.
    """


class _Order(RingArguments):
    not_before: datetime | None
    not_after: datetime | None


@key.command(
    epilog=examples(
        "sts key generate --namespace contoso --relying-party orders --destination orders.key",
        "sts key generate --namespace contoso --not-after 2030-01-01T00:00:00Z",
    )
)
@ring_options(*KEY_USES)
@click.option("--not-before", type=Instant(), metavar="T", help="Such as 2027-01-01T00:00:00Z; by default now.")
@click.option("--not-after", type=Instant(), metavar="T", help="By default ten years after its beginning.")
@click.option("--destination", metavar="FILE", help=_DESTINATION)
@json_option
def generate(destination: str | None, as_json: bool, **order: Unpack[_Order]) -> None:
    """Make a 256-bit key, published at once and not primary."""
    now = utc_now()
    name = ring_name(Kind.SYMMETRIC, order)
    installation = open_home(now)
    outcome = new_credentials.generate_key(installation, KeyOrder(name, order["not_before"], order["not_after"]), now)
    where = "" if destination is None else f", written to {destination}"
    if destination is not None:
        _hand_out(installation, Selection(name, thumbprint=outcome.row.thumbprint_sha256), destination)
    tell(outcome, f"generated {named(outcome.row)}, not primary{where}", as_json=as_json)


def _hand_out(installation: Installation, made: Selection, destination: str) -> None:
    try:
        _export(installation, made, destination)
    except OperatorError as error:
        remedy = f"sts key export {made.ring.arguments} --thumbprint {made.thumbprint} --destination FILE"
        raise OperatorError(f"the key was made, but {error.message}; hand it out with `{remedy}`") from error


class _Import(RingArguments):
    source: str
    not_before: datetime
    not_after: datetime


@key.command(
    "import",
    epilog=examples(
        "sts key import orders.key --namespace contoso --relying-party orders "
        "--not-before 2026-01-01T00:00:00Z --not-after 2027-01-01T00:00:00Z",
    ),
)
@click.argument("source", metavar="SOURCE")
@ring_options(*KEY_USES)
@click.option("--not-before", type=Instant(), required=True, metavar="T", help="Its first second.")
@click.option("--not-after", type=Instant(), required=True, metavar="T", help="Its last second.")
@json_option
def import_(as_json: bool, **given: Unpack[_Import]) -> None:
    """Take a 256-bit key that somebody else made, not primary.

    SOURCE is a file with the standard base64 of the 32 bytes, or env:NAME, file:PATH, or `-` for the standard input;
    never the key itself, which other users of the machine would see.
    """
    now = utc_now()
    value = _value(given["source"])
    shared = SharedKey(ring_name(Kind.SYMMETRIC, given), value, given["not_before"], given["not_after"])
    outcome = new_credentials.import_key(open_home(now), shared, now)
    tell(outcome, f"imported {named(outcome.row)}, not primary", as_json=as_json)


def _value(source: str) -> bytes:
    text = read_reference(source) if source.startswith(("env:", "file:")) else read_input(source)
    try:
        return symmetric_key(text)
    except ValueError as error:
        raise OperatorError(str(error)) from error


@key.command(
    epilog=examples(
        "sts key export --namespace contoso --relying-party orders --destination orders.key",
        "sts key export --namespace contoso --index 2 --show",
    )
)
@selection_options(*KEY_USES)
@click.option("--destination", metavar="FILE", help=_DESTINATION)
@click.option("--show", is_flag=True, help=_SHOW)
@json_option
def export(destination: str | None, show: bool, as_json: bool, **chosen: Unpack[SelectionArguments]) -> None:
    """Hand out a key, as base64, for its relying party: the active one unless you name another.

    The audit trail says who took it.
    """
    if (destination is None) == (not show):
        raise click.UsageError("say where the key goes: --destination FILE, or --show on a terminal")
    if show and not sys.stdout.isatty():
        raise OperatorError("a key is shown on a terminal only; write it to a file with --destination FILE")
    wanted = selection(Kind.SYMMETRIC, chosen)
    copy = _export(open_home(utc_now()), wanted, destination)
    if show:
        click.echo(copy.value)
        warn((f"this was {named(copy.row)}",))
    elif as_json:
        print_json(copy.row)
    else:
        click.echo(f"wrote {named(copy.row)} to {destination}")


def _export(installation: Installation, chosen: Selection, destination: str | None) -> KeyCopy:
    """Audited first, written then: a copy that nobody recorded would be worse than a record without a copy."""
    copy = credential_files.export_key(installation, chosen, utc_now())
    if destination is not None:
        write_private(destination, f"{copy.value}\n".encode())
    return copy


add_state_commands(key, Kind.SYMMETRIC, KEY_USES)
