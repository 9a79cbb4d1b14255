"""The verbs that certificates and keys have in common: list, make-primary, revoke, delete."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

import click

from sts.assemble import utc_now
from sts.cli.opening import open_home
from sts.cli.options import (
    Instant,
    SelectionArguments,
    examples,
    explicit_selection,
    json_option,
    namespace_option,
    relying_party_option,
    selection_options,
    yes_option,
)
from sts.cli.output import named, print_credentials, tell
from sts.core.credentials import instant
from sts.core.model import Kind, Use
from sts.operations import credential_states
from sts.operations.credential_states import Breakage
from sts.operations.installation import Installation
from sts.operations.rings import NOUNS, Listing, Selection, list_credentials, look_up


def add_state_commands(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    """Add the common verbs to the group of a noun."""
    _add_list(group, kind, uses)
    _add_make_primary(group, kind, uses)
    _add_revoke(group, kind, uses)
    _add_delete(group, kind, uses)


def _add_list(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    noun = NOUNS[kind]

    @group.command("list", epilog=examples(f"sts {noun} list --namespace contoso --use signing --json"))
    @namespace_option
    @relying_party_option
    @click.option("--use", type=click.Choice([use.value for use in uses]), help="Only those for this use.")
    @json_option
    def list_(namespace: str, relying_party: str | None, use: str | None, as_json: bool) -> None:
        """List them, ring by ring, the active one first and then the newest."""
        now = utc_now()
        wanted = Listing(namespace, kind, Use(use) if use else None, relying_party)
        print_credentials(list_credentials(open_home(now), wanted, now), as_json=as_json)


def _add_make_primary(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    command = f"sts {NOUNS[kind]} make-primary --namespace contoso --index 2"

    @group.command("make-primary", epilog=examples(command, f"{command} --at 2027-01-01T00:00:00Z"))
    @selection_options(*uses)
    @click.option("--at", type=Instant(), metavar="T", help="When; by default as soon as every node has it.")
    @json_option
    def make_primary(at: datetime | None, as_json: bool, **chosen: Unpack[SelectionArguments]) -> None:
        """Make one the primary: from then on it signs (or is the first to decrypt).

        The one before it stays and keeps verifying. With --at every node changes over at the same instant.
        """
        now, wanted = utc_now(), explicit_selection(kind, chosen)
        outcome = credential_states.make_primary(open_home(now), wanted, now, at)
        begin = outcome.row.primary_from
        since = "" if begin is None else f" from {instant(begin)}"
        tell(outcome, f"primary{since}: {named(outcome.row)}", as_json=as_json)


def _add_revoke(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    @group.command(epilog=examples(f"sts {NOUNS[kind]} revoke --namespace contoso --index 2"))
    @selection_options(*uses)
    @click.option("--force", is_flag=True, help="Even if relying parties will break; without it they are named.")
    @yes_option
    @json_option
    def revoke(force: bool, yes: bool, as_json: bool, **chosen: Unpack[SelectionArguments]) -> None:
        """Revoke one for good: it signs and decrypts nothing any more, and is no longer published.

        A published successor takes the place of a revoked primary at once.
        """
        now, wanted = utc_now(), explicit_selection(kind, chosen)
        installation = open_home(now)
        wanted = _confirmed("Revoke", installation, wanted, yes=yes)
        breakage = Breakage.ACCEPTED if force else Breakage.REFUSED
        outcome = credential_states.revoke(installation, wanted, now, breakage)
        tell(outcome, f"revoked {named(outcome.row)}", as_json=as_json)


def _add_delete(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    @group.command(epilog=examples(f"sts {NOUNS[kind]} delete --namespace contoso --index 3"))
    @selection_options(*uses)
    @yes_option
    @json_option
    def delete(yes: bool, as_json: bool, **chosen: Unpack[SelectionArguments]) -> None:
        """Destroy one for good. The primary cannot be deleted: make another primary or revoke it first."""
        now, wanted = utc_now(), explicit_selection(kind, chosen)
        installation = open_home(now)
        wanted = _confirmed("Destroy the key of", installation, wanted, yes=yes)
        outcome = credential_states.delete(installation, wanted, now)
        tell(outcome, f"deleted {named(outcome.row)}", as_json=as_json)


def _confirmed(verb: str, installation: Installation, chosen: Selection, *, yes: bool) -> Selection:
    """The same credential, by its thumbprint, once somebody at a terminal has said yes to it."""
    if yes or not sys.stdin.isatty():
        return chosen
    row = look_up(installation, chosen, utc_now())
    click.confirm(f"{verb} {named(row)} for good?", abort=True, err=True)
    return Selection(chosen.ring, thumbprint=row.thumbprint_sha256)
