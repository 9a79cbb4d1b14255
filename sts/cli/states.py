"""The verbs that certificates and keys have in common: list, make-primary, revoke, delete."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import click

from sts.assemble import utc_now
from sts.cli.opening import open_home
from sts.cli.options import (
    Command,
    Instant,
    choose,
    examples,
    json_option,
    namespace_option,
    relying_party_option,
    require_named,
    ring_name,
    selection_options,
    yes_option,
)
from sts.cli.output import named, print_credentials, tell
from sts.core.credentials import instant
from sts.core.model import Kind, Use
from sts.operations import credential_states
from sts.operations.credential_states import Breakage
from sts.operations.installation import Installation
from sts.operations.rings import NOUNS, Listing, RingName, Selection, list_credentials, look_up


@dataclass(frozen=True, slots=True)
class Noun:
    """What the verbs that change a credential are about."""

    name: str
    options: Callable[[Command], Command]  # that name one
    ring: Callable[[Any], RingName]  # of their values
    primary: str  # what the primary does
    revoked: str  # what a revoked one does no more


def add_state_commands(group: click.Group, kind: Kind, uses: Sequence[Use]) -> None:
    """Add the common verbs to the group of a noun."""
    _add_list(group, kind, uses)
    noun = Noun(
        NOUNS[kind],
        selection_options(*uses),
        partial(ring_name, kind),
        "it signs (or is the first to decrypt)",
        "it signs and decrypts nothing any more, and is no longer published",
    )
    add_changing_commands(group, noun)


def add_changing_commands(group: click.Group, noun: Noun) -> None:
    """Add the verbs that change one: make-primary, revoke, delete."""
    _add_make_primary(group, noun)
    _add_revoke(group, noun)
    _add_delete(group, noun)


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


def _add_make_primary(group: click.Group, noun: Noun) -> None:
    command = f"sts {noun.name} make-primary --namespace contoso --index 2"
    text = f"""Make one the primary: from then on {noun.primary}.

    The one before it stays, and what it signed stays good. With --at every node changes over at the same instant.
    """

    @group.command("make-primary", help=text, epilog=examples(command, f"{command} --at 2027-01-01T00:00:00Z"))
    @noun.options
    @click.option("--at", type=Instant(), metavar="T", help="When; by default as soon as every node has it.")
    @json_option
    def make_primary(at: datetime | None, as_json: bool, **chosen: Any) -> None:
        now, wanted = utc_now(), _explicit(noun, chosen)
        outcome = credential_states.make_primary(open_home(now), wanted, now, at)
        begin = outcome.row.primary_from
        since = "" if begin is None else f" from {instant(begin)}"
        tell(outcome, f"primary{since}: {named(outcome.row)}", as_json=as_json)


def _add_revoke(group: click.Group, noun: Noun) -> None:
    text = f"""Revoke one for good: {noun.revoked}.

    A published successor takes the place of a revoked primary at once; where there is none, --force is needed.
    """

    @group.command(help=text, epilog=examples(f"sts {noun.name} revoke --namespace contoso --index 2"))
    @noun.options
    @click.option("--force", is_flag=True, help="Even if somebody gets nothing any more; without it they are named.")
    @yes_option
    @json_option
    def revoke(force: bool, yes: bool, as_json: bool, **chosen: Any) -> None:
        now, wanted = utc_now(), _explicit(noun, chosen)
        installation = open_home(now)
        wanted = _confirmed("Revoke", installation, wanted, yes=yes)
        outcome = credential_states.revoke(installation, wanted, now, _breakage(forced=force))
        tell(outcome, f"revoked {named(outcome.row)}", as_json=as_json)


def _add_delete(group: click.Group, noun: Noun) -> None:
    text = """Destroy one for good. The primary cannot be deleted: make another primary or revoke it first.

    Nor, without --force, one that was primary a day ago: what it signed may still be about, and would be refused.
    """

    @group.command(help=text, epilog=examples(f"sts {noun.name} delete --namespace contoso --index 3"))
    @noun.options
    @click.option("--force", is_flag=True, help="Even if what it signed may still be about.")
    @yes_option
    @json_option
    def delete(force: bool, yes: bool, as_json: bool, **chosen: Any) -> None:
        now, wanted = utc_now(), _explicit(noun, chosen)
        installation = open_home(now)
        wanted = _confirmed("Destroy the key of", installation, wanted, yes=yes)
        outcome = credential_states.delete(installation, wanted, now, _breakage(forced=force))
        tell(outcome, f"deleted {named(outcome.row)}", as_json=as_json)


def _explicit(noun: Noun, chosen: Mapping[str, Any]) -> Selection:
    """The credential that the options name; raises UsageError when they name none, or two."""
    return require_named(choose(noun.ring(chosen), chosen["index"], chosen["thumbprint"]))


def _breakage(*, forced: bool) -> Breakage:
    return Breakage.ACCEPTED if forced else Breakage.REFUSED


def _confirmed(verb: str, installation: Installation, chosen: Selection, *, yes: bool) -> Selection:
    """The same credential, by its thumbprint, once somebody at a terminal has said yes to it."""
    if yes or not sys.stdin.isatty():
        return chosen
    row = look_up(installation, chosen, utc_now())
    click.confirm(f"{verb} {named(row)} for good?", abort=True, err=True)
    return Selection(chosen.ring, thumbprint=row.thumbprint_sha256)
