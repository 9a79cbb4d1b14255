"""`sts metadata import` and `list`: the metadata of partners."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, Unpack

import click

from sts.assemble import utc_now
from sts.cli.files import STANDARD_INPUT, read_input
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option, namespace_option, yes_option
from sts.cli.output import print_json, print_table, printable, warn
from sts.core.model import PartnerRole, TokenFormat
from sts.operations import metadata_status
from sts.operations.metadata_desk import Outcome
from sts.operations.metadata_judging import Consent
from sts.operations.metadata_status import MetadataRow
from sts.operations.partner_metadata import MetadataImport, import_metadata

Command = TypeVar("Command", bound=Callable[..., Any])

NEEDS_PERSON: Final = 1  # exit status
_TOLD_APART: Final = ("certificates", "encryption_certificate", "waiting", "signers", "overrides")
_DOCUMENT_SIZE: Final = 2 * 1024 * 1024


class _Arguments(TypedDict):
    namespace: str
    name: str | None
    role: str | None
    entity_id: str | None
    accept: bool
    generate_rules: bool
    token_format: str


def _import_options(command: Command) -> Command:
    accept = click.option(
        "--accept", is_flag=True, help="Agree to everything the document says: new certificates, what it lacks now."
    )
    rules = click.option(
        "--generate-rules", is_flag=True, help="Pass each claim type it offers through, in a rule group of its name."
    )
    text = "Format of the tokens of a relying party that is new."
    formats = click.option(
        "--token-format",
        type=click.Choice([each.value for each in TokenFormat]),
        default=TokenFormat.SAML20.value,
        show_default=True,
        help=text,
    )
    text = "Its name in the namespace; by default found by its entity ID, or made from it."
    name = click.option("--name", metavar="NAME", help=text)
    entity = click.option("--entity-id", metavar="URI", help="Which partner, where the document describes several.")
    return namespace_option(name(_role_options(entity(accept(rules(formats(command)))))))


def _role_options(command: Command) -> Command:
    provider, party = PartnerRole.IDENTITY_PROVIDER.value, PartnerRole.RELYING_PARTY.value
    text = "Take it as an identity provider: people sign in there."
    first = click.option("--identity-provider", "role", flag_value=provider, help=text)
    second = click.option(
        "--relying-party", "role", flag_value=party, help="Take it as a relying party: tokens go there."
    )
    return first(second(command))


@click.command(
    "import",
    epilog=examples(
        "sts metadata import adfs-metadata.xml --namespace contoso --identity-provider --name adfs",
        "sts metadata import https://portal.example/metadata.xml --namespace contoso --relying-party",
        "sts metadata import adfs-metadata.xml --namespace contoso --identity-provider --name adfs --accept",
    ),
)
@click.argument("location", metavar="FILE|URL")
@_import_options
@yes_option
@json_option
def import_(location: str, yes: bool, as_json: bool, **arguments: Unpack[_Arguments]) -> None:
    """Register a partner by its metadata document, or bring a registered one up to date with it.

    The first time the document is taken at its word: look whether it is the partner's. Later a new signing
    certificate is trusted by itself only if a certificate that is trusted already has signed the document. Otherwise
    it waits: it is listed, and trusted once you import again with --accept. Certificates and addresses that the
    document does not name any more stay until then, too; a document about another entity ID is refused until then.
    Compare the thumbprint by another way (telephone) before you accept.

    A FILE that is not there is also looked for in metadata/ of STS_HOME. An https URL is read again every hour by
    `sts serve`; only public addresses, no redirects. Exit status: 0 done, 1 refused, or something waits for you.
    """
    if location == STANDARD_INPUT:
        raise click.UsageError("name a file or an address: it is kept as the place where the document is")
    now = utc_now()
    _confirm(location, arguments, yes=yes)
    installation, role = open_home(now), arguments["role"]
    location = _place(location, installation.home)
    request = MetadataImport(
        namespace=arguments["namespace"],
        location=location,
        document=None if _is_address(location) else read_input(location, _DOCUMENT_SIZE),
        name=arguments["name"],
        role=None if role is None else PartnerRole(role),
        entity_id=arguments["entity_id"],
        consent=Consent.GIVEN if arguments["accept"] else Consent.NONE,
        token_format=TokenFormat(arguments["token_format"]),
        passes_claims=arguments["generate_rules"],
    )
    outcome = import_metadata(installation, request, now)
    if as_json:
        print_json(_value(outcome))
    else:
        _print(outcome)
    warn((*outcome.warnings, *(f"{sentence}: import again with --accept" for sentence in outcome.waiting)))
    sys.exit(NEEDS_PERSON if outcome.waiting else 0)


def _is_address(location: str) -> bool:
    return "://" in location


def _place(location: str, home: Path) -> str:
    """Where the document is: a file that is not there is also looked for in the exchange folder."""
    exchanged = home / "metadata" / location
    if _is_address(location) or Path(location).exists() or not exchanged.exists():
        return location
    return str(exchanged)


def _confirm(location: str, arguments: _Arguments, *, yes: bool) -> None:
    if arguments["accept"] and not yes and sys.stdin.isatty():
        question = f"Trust everything that {printable(location)} says, new certificates included?"
        click.confirm(question, abort=True, err=True)


def _value(outcome: Outcome) -> dict[str, object]:
    fields = (field.name for field in dataclasses.fields(outcome) if field.name != "document")
    return {name: getattr(outcome, name) for name in fields}


def _print(outcome: Outcome) -> None:
    partner = f"{outcome.role} {outcome.name}"
    lines = [f"created {partner}"] if outcome.is_new else []
    for key, change in outcome.changes.items():
        if key not in _TOLD_APART:
            text = change.partition(" -> ")[2] if outcome.is_new else change
            lines.append(f"  {key}: {text}" if outcome.is_new else f"changed {partner}: {key} {text}")
    lines += [f"trusted from now on: {certificate}" for certificate in outcome.trusted]
    lines += [f"not trusted any more: {certificate}" for certificate in outcome.dropped]
    lines += [f"does not wait any more: {what}" for what in outcome.settled]
    lines += [f"created rule in group {outcome.name}: {claim_type} passes through" for claim_type in outcome.rules]
    if not lines:
        lines = [f"changed {partner}: {', '.join(outcome.changes)}"] if outcome.changes else ["no changes"]
    for line in lines:
        click.echo(printable(line))


@click.command("list", epilog=examples("sts metadata list", "sts metadata list --namespace contoso --json"))
@click.option("--namespace", metavar="NS", help="Only this namespace; by default all.")
@json_option
def list_(namespace: str | None, as_json: bool) -> None:
    """List the partners that have a metadata document: where it is, when it was read, what waits for you.

    A file is read when somebody imports or applies it, and has no times here. Exit status 1: something waits (a new
    certificate, a new reply address), or a document cannot be read. Nothing is fetched for it.
    """
    now = utc_now()
    rows = metadata_status.list_all(open_home(now), namespace)
    if as_json:
        print_json([{**_members(row), "needs_person": row.needs_person} for row in rows])
    else:
        heads = ("NAMESPACE", "ROLE", "NAME", "DOCUMENT", "READ", "NEXT", "STATE")
        print_table(heads, (_cells(row) for row in rows))
    for row in rows:
        matters = (*row.waiting, *(() if row.failure is None else (row.failure,)))
        warn(f"{row.namespace} {row.role} {row.name}: {matter}" for matter in matters)
    sys.exit(NEEDS_PERSON if any(row.needs_person for row in rows) else 0)


def _cells(row: MetadataRow) -> tuple[object, ...]:
    state = "waits for you" if row.waiting else "cannot be read" if row.failure is not None else "well"
    return row.namespace, row.role, row.name, row.location, row.read_at, row.due_at, state


def _members(row: MetadataRow) -> dict[str, object]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
