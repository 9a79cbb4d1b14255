"""`sts ca-certificate`: the tenant CA certificates of a namespace, for the services that its devices connect to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypedDict, TypeVar, Unpack

import click

from sts.assemble import utc_now
from sts.cli.files import write_public
from sts.cli.opening import open_home
from sts.cli.options import Span, choose, credential_options, examples, json_option, namespace_option
from sts.cli.output import named, print_credentials, print_json, printable, tell, warn
from sts.cli.states import Noun, add_changing_commands
from sts.core.model import KeyType
from sts.operations import tenant_ca
from sts.operations.rings import Selection
from sts.operations.tenant_ca import CAWish, Proof, ProofOrder

Command = TypeVar("Command", bound=Callable[..., Any])


class _Chosen(TypedDict):
    namespace: str
    index: int | None
    thumbprint: str | None


def _selection_options(command: Command) -> Command:
    return namespace_option(credential_options(command))


def _destination_option(command: Command) -> Command:
    return click.option("--destination", required=True, metavar="FILE", help="Where to write it.")(command)


def _selection(chosen: _Chosen) -> Selection:
    return choose(tenant_ca.ring_of(chosen["namespace"]), chosen["index"], chosen["thumbprint"])


@click.group(
    "ca-certificate",
    epilog=examples(
        "sts ca-certificate list --namespace contoso",
        "sts ca-certificate download --namespace contoso --destination contoso-ca.cer",
        "sts ca-certificate download-proof --namespace contoso --verification-code 4F1B... --destination proof.cer",
    ),
)
def ca_certificate() -> None:
    """The tenant CA, which issues the daily certificates of devices: list, download, prove, replace.

    A service that devices connect to must trust their tenant CA: give it the certificate, and where it asks for a
    proof that the CA is yours, the certificate that `download-proof` makes of its code. The CA lives for two years.
    90 days before its end the next one is here, Inactive (next): give it to every such service, too, before it becomes
    active 45 days later. Once the old one has expired, they may forget it.
    """


@ca_certificate.command(
    "list", epilog=examples("sts ca-certificate list --namespace contoso --json", "sts ca-certificate list --root")
)
@click.option("--namespace", metavar="NS", help="The namespace.")
@click.option("--root", is_flag=True, help="The installation's root CA instead, above those of all namespaces.")
@json_option
def list_(namespace: str | None, root: bool, as_json: bool) -> None:
    """List them, the active one first and then the newest.

    Active: issues certificates now. Inactive (next): will; have it trusted. Inactive (retired): issued certificates
    that may still be valid. Expired and Revoked: trust it no more.
    """
    if root is (namespace is not None):
        raise click.UsageError("name either --namespace NS or --root")
    now = utc_now()
    installation = open_home(now)
    if namespace is None:
        rows = tenant_ca.list_roots(installation, now)
    else:
        rows = tenant_ca.list_authorities(installation, namespace, now)
    print_credentials(rows, as_json=as_json)


class _Wish(TypedDict):
    namespace: str
    lifetime: timedelta | None
    key_type: str | None


@ca_certificate.command(
    epilog=examples(
        "sts ca-certificate generate --namespace contoso",
        "sts ca-certificate generate --namespace contoso --lifetime 5y --key-type p256",
    )
)
@namespace_option
@click.option("--lifetime", type=Span(), metavar="SPAN", help="Such as 2y or 90d; by default that of the ring, 2y.")
@click.option(
    "--key-type",
    type=click.Choice([key_type.value for key_type in KeyType]),
    help="By default that of the ring, rsa3072.",
)
@json_option
def generate(as_json: bool, **wish: Unpack[_Wish]) -> None:
    """Make another CA certificate below the root, published at once and not primary.

    Give it to every service that trusts the present one, then make it primary. Where the ring is automatic this
    happens by itself.
    """
    now = utc_now()
    key_type = KeyType(wish["key_type"]) if wish["key_type"] else None
    wanted = CAWish(wish["namespace"], wish["lifetime"], key_type)
    outcome = tenant_ca.generate(open_home(now), wanted, now)
    tell(outcome, f"generated {named(outcome.row)}, published and not primary", as_json=as_json)


@ca_certificate.command(
    epilog=examples(
        "sts ca-certificate download --namespace contoso --destination contoso-ca.cer",
        "sts ca-certificate download --namespace contoso --index 2 --destination contoso-ca-next.cer",
    )
)
@_selection_options
@_destination_option
@json_option
def download(destination: str, as_json: bool, **chosen: Unpack[_Chosen]) -> None:
    """Write a CA certificate to a file, in DER: the active one unless you name another."""
    now = utc_now()
    copy = tenant_ca.download(open_home(now), _selection(chosen), now)
    write_public(destination, copy.der)
    if as_json:
        print_json(copy.row)
    else:
        click.echo(f"wrote {named(copy.row)} to {destination}")


@ca_certificate.command(
    "download-chain",
    epilog=examples(
        "sts ca-certificate download-chain --namespace contoso --destination contoso-ca.p7b",
        "openssl pkcs7 -inform DER -in contoso-ca.p7b -print_certs",
    ),
)
@_selection_options
@_destination_option
@json_option
def download_chain(destination: str, as_json: bool, **chosen: Unpack[_Chosen]) -> None:
    """Write a CA certificate and the root above it to a file, as PKCS#7 in DER."""
    now = utc_now()
    chain = tenant_ca.download_chain(open_home(now), _selection(chosen), now)
    write_public(destination, chain.pkcs7)
    if as_json:
        print_json(chain.row)
    else:
        click.echo(f"wrote {named(chain.row)} and its root to {destination}")


class _ProofOf(_Chosen):
    verification_code: str


@ca_certificate.command(
    "download-proof",
    epilog=examples(
        "sts ca-certificate download-proof --namespace contoso --verification-code 4F1B... --destination proof.cer",
        "sts ca-certificate download-proof --namespace contoso --index 2 --verification-code 4F1B... "
        "--destination proof.cer",
    ),
)
@_selection_options
@click.option("--verification-code", required=True, metavar="CODE", help="What the service that verifies gave you.")
@_destination_option
@json_option
def download_proof(destination: str, as_json: bool, **given: Unpack[_ProofOf]) -> None:
    """Write a certificate that proves that the CA is yours: its common name is the code, its issuer the CA.

    It is valid for a day. The code is 1 to 128 printable characters; more than 64 bytes of them are beyond what X.509
    foresees, and some software refuses them. To have the next CA verified before its day, name it with --index.
    """
    now = utc_now()
    order = ProofOrder(_selection(given), given["verification_code"])
    proof = tenant_ca.prove(open_home(now), order, now)
    write_public(destination, proof.certificate.der)
    if as_json:
        print_json(_summary(order, proof))
    else:
        click.echo(f"wrote a proof of {printable(named(proof.row))} to {destination}")
    warn(proof.warnings)


def _summary(order: ProofOrder, proof: Proof) -> dict[str, object]:
    return {
        "authority": proof.row,
        "verification_code": order.code,
        "serial": f"{proof.certificate.serial:x}",
        "not_before": proof.certificate.not_before,
        "not_after": proof.certificate.not_after,
    }


add_changing_commands(
    ca_certificate,
    Noun(
        "ca-certificate",
        _selection_options,
        lambda chosen: tenant_ca.ring_of(chosen["namespace"]),
        "it issues the certificates of devices",
        "it issues nothing any more, cacerts leaves it out, and the certificates that it issued no longer authenticate",
    ),
)
