"""`sts token`: what a token says."""

import click

from sts.assemble import utc_now
from sts.cli.files import STANDARD_INPUT, read_input
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option
from sts.cli.output import print_json, printable
from sts.core.credentials import instant
from sts.operations.inspection import Inspection, inspect


@click.group(epilog=examples("sts token inspect token.txt"))
def token() -> None:
    """Tokens: inspect one."""


@token.command(
    "inspect",
    epilog=examples(
        "sts token inspect assertion.xml",
        "curl -s -u worker:$SECRET -d grant_type=client_credentials -d resource=https://orders.example/ "
        "http://127.0.0.1:8000/contoso/oauth2/token | sts token inspect",
        "sts token inspect --namespace contoso from-adfs.xml",
    ),
)
@click.argument("file", metavar="[FILE]", default=STANDARD_INPUT)
@click.option("--namespace", metavar="NS", help="Verify as this namespace would; by default its issuer's.")
@json_option
def inspect_(file: str, namespace: str | None, as_json: bool) -> None:
    """Say what a token says, who signed it, and whether and why not it verifies against our own credentials.

    With --namespace, also what came from that namespace's identity providers and service identities, encrypted or not.

    FILE (by default the standard input) holds a SWT, a JWT, a SAML 1.1 or 2.0 assertion, also in base64url, or the
    whole answer of a token endpoint; of WS-Federation the `wresult`, or the form that a browser posts. Exit status 1:
    it does not verify, or is no token. Nothing is sent anywhere.
    """
    now = utc_now()
    found = inspect(open_home(now), read_input(file), namespace, now)
    if as_json:
        print_json(_values(found))
    else:
        for name, value in _lines(found):
            click.echo(printable(f"{name + ':':<12} {value}"))
    if found.verified is False:
        raise SystemExit(1)


def _values(found: Inspection) -> dict[str, object]:
    view = found.view
    return {
        "format": view.format,
        "encrypted": view.encrypted,
        "id": view.id,
        "issuer": view.issuer,
        "audience": view.audience,
        "not_before": view.not_before,
        "expires_at": view.expires_at,
        "claims": [{"type": claim.type, "value": claim.value} for claim in view.claims],
        "algorithm": view.algorithm,
        "key_hint": view.key_hint,
        "signed_by": found.signed_by,
        "vouched_by": found.vouched_by,
        "verified": found.verified,
        "reasons": found.reasons,
    }


def _lines(found: Inspection) -> list[tuple[str, str]]:
    view = found.view
    lines = [("format", view.format.value)]
    lines += [(name, value) for name, value in (("id", view.id), ("issuer", view.issuer)) if value]
    lines += [("audience", view.audience)] if view.audience else []
    times = (("valid from", view.not_before), ("expires", view.expires_at))
    lines += [(name, instant(at)) for name, at in times if at is not None]
    lines += [("claim", f"{claim.type} = {claim.value}") for claim in view.claims]
    lines += [("algorithm", view.algorithm)] if view.algorithm else []
    if found.signed_by is not None:
        by = found.signed_by
        owner = (
            f"relying party {by.relying_party} of {by.namespace}" if by.relying_party else f"namespace {by.namespace}"
        )
        lines.append(("signed by", f"{by.subject or 'key'} ({by.thumbprint}) of {owner}"))
    lines += [("vouched by", found.vouched_by)] if found.vouched_by else []
    verdicts = {True: "yes", False: "no", None: "cannot be told"}
    lines.append(("verifies", "; ".join((verdicts[found.verified], *found.reasons))))
    return lines
