"""`sts certificate`: the certificates with private keys that the service holds."""

from datetime import datetime, timedelta
from typing import Unpack

import click

from sts.assemble import utc_now
from sts.cli.files import read_input, read_password, write_public
from sts.cli.opening import open_home
from sts.cli.options import (
    CERTIFICATE_USES,
    Instant,
    RingArguments,
    SelectionArguments,
    Span,
    examples,
    json_option,
    ring_name,
    ring_options,
    selection,
    selection_options,
)
from sts.cli.output import named, print_json, tell
from sts.cli.states import add_state_commands
from sts.core.model import KeyType, Kind
from sts.operations import credential_files, new_credentials
from sts.operations.new_credentials import CertificateFile, CertificateOrder


@click.group(epilog=examples("sts certificate list --namespace contoso"))
def certificate() -> None:
    """Signing and decryption certificates: list, generate, import, make primary, download, revoke, delete.

    The primary of a ring signs; the others are published, so that partners know them before their day comes.
    """


class _Order(RingArguments):
    subject: str | None
    lifetime: timedelta | None
    key_type: str | None
    not_before: datetime | None


@certificate.command(
    epilog=examples(
        "sts certificate generate --namespace contoso --use signing",
        "sts certificate generate --namespace contoso --subject 'CN=contoso 2027' --lifetime 1y --key-type p256",
    )
)
@ring_options(*CERTIFICATE_USES)
@click.option("--subject", metavar="NAME", help="RFC 4514, such as 'CN=contoso,O=Contoso'; by default made up.")
@click.option("--lifetime", type=Span(), metavar="SPAN", help="Such as 2y or 90d; by default that of the ring, 2y.")
@click.option(
    "--key-type",
    type=click.Choice([key_type.value for key_type in KeyType]),
    help="By default that of the ring, rsa2048; decryption is RSA.",
)
@click.option("--not-before", type=Instant(), metavar="T", help="Such as 2027-01-01T00:00:00Z; by default now.")
@json_option
def generate(as_json: bool, **order: Unpack[_Order]) -> None:
    """Make a self-signed certificate, published at once and not primary.

    Hand it out, wait until your partners have it, then make it primary.
    """
    now = utc_now()
    key_type = KeyType(order["key_type"]) if order["key_type"] else None
    wanted = CertificateOrder(
        ring_name(Kind.CERTIFICATE, order), order["subject"], order["lifetime"], key_type, order["not_before"]
    )
    outcome = new_credentials.generate_certificate(open_home(now), wanted, now)
    tell(outcome, f"generated {named(outcome.row)}, published and not primary", as_json=as_json)


class _Import(RingArguments):
    file: str
    password: str | None
    password_file: str | None
    private_key: str | None


@certificate.command(
    "import",
    epilog=examples(
        "sts certificate import contoso.pfx --namespace contoso --password env:PFX_PASSWORD",
        "sts certificate import contoso.cer --private-key contoso.key --namespace contoso --password-file secret.txt",
    ),
)
@click.argument("file", metavar="FILE")
@ring_options(*CERTIFICATE_USES)
@click.option("--password", metavar="SOURCE", help="Where its password is: env:NAME or file:PATH; else you are asked.")
@click.option("--password-file", metavar="PATH", help="The same as --password file:PATH.")
@click.option("--private-key", metavar="PATH", help="The encrypted PKCS#8 key of a FILE that is a certificate alone.")
@json_option
def import_(as_json: bool, **given: Unpack[_Import]) -> None:
    """Take a certificate with its private key, published and not primary.

    FILE is PKCS#12 (.pfx, .p12; or its base64), or PEM with one certificate and its encrypted private key, or a
    certificate in DER, PEM or base64 whose key --private-key names. `-` reads the standard input.
    """
    now = utc_now()
    file = CertificateFile(
        ring_name(Kind.CERTIFICATE, given),
        read_input(given["file"]),
        read_password(given["password"], given["password_file"]),
        read_input(given["private_key"]) if given["private_key"] else None,
    )
    outcome = new_credentials.import_certificate(open_home(now), file, now)
    tell(outcome, f"imported {named(outcome.row)}, published and not primary", as_json=as_json)


@certificate.command(
    epilog=examples(
        "sts certificate download --namespace contoso --destination contoso.cer",
        "sts certificate download --namespace contoso --use decryption --index 2 --pem --destination contoso.pem",
    )
)
@selection_options(*CERTIFICATE_USES)
@click.option("--destination", required=True, metavar="FILE", help="Where to write it.")
@click.option("--pem", is_flag=True, help="PEM instead of DER.")
@json_option
def download(destination: str, pem: bool, as_json: bool, **chosen: Unpack[SelectionArguments]) -> None:
    """Write a certificate to a file: the active one unless you name another. Private keys never leave."""
    now, wanted = utc_now(), selection(Kind.CERTIFICATE, chosen)
    copy = credential_files.download_certificate(open_home(now), wanted, now)
    write_public(destination, copy.pem if pem else copy.der)
    if as_json:
        print_json(copy.row)
    else:
        click.echo(f"wrote {named(copy.row)} to {destination}")


add_state_commands(certificate, Kind.CERTIFICATE, CERTIFICATE_USES)
