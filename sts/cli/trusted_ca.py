"""`sts trusted-ca`: the CAs of others, whose certificates authenticate service identities."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, Unpack

import click

from sts.assemble import utc_now
from sts.cli.files import read_input
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option, namespace_option, yes_option
from sts.cli.output import print_json, print_table, printable, warn
from sts.core.credentials import instant
from sts.operations import trusted_cas
from sts.operations.trusted_cas import TrustedCAName, TrustedCAOutcome, TrustedCARow

Command = TypeVar("Command", bound=Callable[..., Any])


class _Arguments(TypedDict):
    namespace: str
    name: str
    if_match: str | None


def _name_option(command: Command) -> Command:
    return click.option("--name", required=True, metavar="NAME", help="The trusted CA's name in the namespace.")(
        command
    )


def _certificate_option(text: str) -> Callable[[Command], Command]:
    return click.option("--certificate", required=True, metavar="FILE", help=text)


def _choice(command: Command) -> Command:
    """The options that name one that is there."""
    text = "Refuse unless this is still its version, which the list shows."
    if_match = click.option("--if-match", metavar="VERSION", help=text)
    return namespace_option(_name_option(if_match(command)))


_CA_FILE = _certificate_option("The CA's certificate: DER, PEM or base64; `-` reads the standard input.")
_PROOF_FILE = _certificate_option("The certificate that it issued: DER, PEM or base64; `-` reads the standard input.")


@click.group(
    "trusted-ca",
    epilog=examples(
        "sts trusted-ca add --namespace contoso --name factory --certificate factory.cer",
        "sts trusted-ca verification-code --namespace contoso --name factory",
        "sts trusted-ca verify --namespace contoso --name factory --certificate proof.cer",
    ),
)
def trusted_ca() -> None:
    """CAs of others: whoever has a certificate of one authenticates as the service identity that it names.

    Add the CA's certificate, get a verification code, have the CA issue a certificate whose common name is that code,
    verify with it. From then on a client certificate of that CA with the common name NAME, presented at oauth2/token
    with client_id=NAME, is as good as the password of NAME. Several CAs may be verified at once: the old and the next.
    """


@trusted_ca.command("list", epilog=examples("sts trusted-ca list --namespace contoso --json"))
@namespace_option
@json_option
def list_(namespace: str, as_json: bool) -> None:
    """List them. Only Verified ones are trusted; Unverified ones wait for their proof; Expired ones for replacement."""
    now = utc_now()
    rows = trusted_cas.list_all(open_home(now), namespace, now)
    if as_json:
        print_json(rows)
        return
    heads = ("NAME", "STATUS", "SUBJECT", "THUMBPRINT", "VALID FROM", "VALID TO", "VERIFIED", "VERSION")
    print_table(heads, (_cells(row) for row in rows))


def _cells(row: TrustedCARow) -> tuple[object, ...]:
    dates = (row.not_before, row.not_after, row.verified_at)
    return row.name, row.status, row.subject, row.thumbprint, *dates, row.version


@trusted_ca.command(epilog=examples("sts trusted-ca add --namespace contoso --name factory --certificate factory.cer"))
@namespace_option
@_name_option
@_CA_FILE
@json_option
def add(namespace: str, name: str, certificate: str, as_json: bool) -> None:
    """Add a CA by its certificate, unverified.

    It need not be a root, and nothing above it need be known: what counts is that its owner holds its key, which
    `verify` proves. Next: `sts trusted-ca verification-code`.
    """
    now = utc_now()
    file = read_input(certificate)
    outcome = trusted_cas.add(open_home(now), TrustedCAName(namespace, name), file, now)
    _tell(outcome, f"added {_named(outcome.row)}, unverified: its clients are not trusted yet", as_json=as_json)


@trusted_ca.command(
    "verification-code",
    epilog=examples("sts trusted-ca verification-code --namespace contoso --name factory"),
)
@_choice
@json_option
def verification_code(as_json: bool, **chosen: Unpack[_Arguments]) -> None:
    """Print a fresh verification code, good for 24 hours and once; the one before it is void.

    Have the CA issue a certificate whose subject is CN=CODE. If the CA is that of another `sts`:
    `sts ca-certificate download-proof --verification-code CODE --destination proof.cer`.
    """
    now = utc_now()
    made = trusted_cas.new_code(open_home(now), _chosen(chosen), now)
    if as_json:
        print_json({"verification_code": made.code, **_members(made.row)})
        return
    click.echo(made.code)
    if made.row.code_expires_at is not None:
        click.echo(f"good until {instant(made.row.code_expires_at)}; next: sts trusted-ca verify", err=True)


@trusted_ca.command(epilog=examples("sts trusted-ca verify --namespace contoso --name factory --certificate proof.cer"))
@_choice
@_PROOF_FILE
@json_option
def verify(certificate: str, as_json: bool, **chosen: Unpack[_Arguments]) -> None:
    """Prove that the CA's owner holds its key: with a certificate that it issued to the verification code.

    From then on the CA's clients are trusted. A proof that is refused leaves the code as it was: try again.
    """
    now = utc_now()
    proof = read_input(certificate)
    row = trusted_cas.verify(open_home(now), _chosen(chosen), proof, now)
    _tell(TrustedCAOutcome(row), f"verified {_named(row)}: its clients are trusted from now on", as_json=as_json)


@trusted_ca.command(
    epilog=examples("sts trusted-ca replace --namespace contoso --name factory --certificate factory-2029.cer")
)
@_choice
@_CA_FILE
@yes_option
@json_option
def replace(certificate: str, yes: bool, as_json: bool, **chosen: Unpack[_Arguments]) -> None:
    """Put another certificate in a CA's place, unverified. Clients of the old one are refused at once.

    To change over without a gap, add the next CA under a name of its own, verify it, and remove the old one later.
    """
    now = utc_now()
    file = read_input(certificate)
    _confirm("Replace", chosen, yes=yes)
    outcome = trusted_cas.replace(open_home(now), _chosen(chosen), file, now)
    _tell(outcome, f"replaced by {_named(outcome.row)}, unverified: its clients are not trusted yet", as_json=as_json)


@trusted_ca.command(epilog=examples("sts trusted-ca remove --namespace contoso --name factory"))
@_choice
@yes_option
@json_option
def remove(yes: bool, as_json: bool, **chosen: Unpack[_Arguments]) -> None:
    """Stop trusting a CA. Its clients are refused at once, within 5 seconds on every machine."""
    now = utc_now()
    _confirm("Stop trusting", chosen, yes=yes)
    row = trusted_cas.remove(open_home(now), _chosen(chosen), now)
    _tell(TrustedCAOutcome(row), f"removed {_named(row)}", as_json=as_json)


def _chosen(arguments: _Arguments) -> TrustedCAName:
    return TrustedCAName(arguments["namespace"], arguments["name"], arguments["if_match"])


def _confirm(verb: str, arguments: _Arguments, *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        question = f"{verb} {printable(arguments['name'])} of {printable(arguments['namespace'])}?"
        click.confirm(f"{question} Its clients will be refused.", abort=True, err=True)


def _named(row: TrustedCARow) -> str:
    return f"{row.name}: {row.subject} ({row.thumbprint})"


def _tell(outcome: TrustedCAOutcome, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome.row)
    else:
        click.echo(printable(sentence))
    warn(outcome.warnings)


def _members(row: TrustedCARow) -> dict[str, object]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
