"""Foreign software on both sides of the running server: npm `wsfed` and `saml` sign people in, passport takes over.

Each token travels as in the field: the identity provider answers to what the browser brings it, the server reads that
and posts a token of its own, which the relying party judges by the certificate in our metadata.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree

from sts.core.claims import EMAIL_ADDRESS, IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.model import ContentEncryption, KeyType, TokenFormat, Use
from sts.crypto.certificates import parse, pem
from sts.operations.credential_states import make_primary
from sts.operations.new_credentials import CertificateOrder, generate_certificate
from sts.operations.rings import RingName, Selection
from tests.flows.browsing import Browser, hidden
from tests.flows.server import Server, prepare, running
from tests.interop.metadata import METADATA, encryption_certificates, signing_certificates
from tests.interop.node import run_node
from tests.interop.npm_identity_provider import Asked, encryption, pair, wresult

DECRYPTION = RingName("contoso", use=Use.DECRYPTION)
PROVIDER = (
    '  - {{name: {0}, issuer: "https://{0}.example/", sign_in_url: "https://{0}.example/ls", certificates: [idp.cer], '
    "decryption: {1}}}\n"
)
PARTY = (
    '  - {{name: {0}, realm: "https://{0}.example/", token_format: {0}, rule_groups: [all], '
    'reply: ["https://{0}.example/in"], identity_providers: [plain, cbc, gcm]}}\n'
)
OUTGOING = ("saml11", "saml20", "jwt")
CLAIMS = (NAME_IDENTIFIER, EMAIL_ADDRESS, IDENTITY_PROVIDER)
CONFIGURATION = (
    "namespace: contoso\n"
    "rule_groups: [{name: all, rules: [{input: {issuer: plain}}, {input: {issuer: cbc}}, {input: {issuer: gcm}}]}]\n"
    "identity_providers:\n"
    + "".join(PROVIDER.format(*each) for each in (("plain", "none"), ("cbc", "aes256-cbc"), ("gcm", "aes256-gcm")))
    + "relying_parties:\n"
    + "".join(PARTY.format(name) for name in OUTGOING)
)


@dataclass(frozen=True)
class Incoming:
    """What the identity provider sends."""

    provider: str  # its name here
    version: TokenFormat
    recipient: int | None = None  # the place of the certificate that it encrypts to in our metadata; None: it does not

    def __str__(self) -> str:
        return f"{self.version} {self.provider}" + ("" if self.recipient is None else f" to {self.recipient}")


SAML11, SAML20 = TokenFormat.SAML11, TokenFormat.SAML20
ENCRYPTED = [("cbc", SAML11), ("cbc", SAML20), ("gcm", SAML20)]  # `wsfed` knows no GCM
INCOMING = [
    *(Incoming("plain", version) for version in (SAML11, SAML20)),
    *(Incoming(*how, recipient) for how in ENCRYPTED for recipient in (0, 1)),
]


@pytest.fixture(scope="module")
def sign_in_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose namespace has a primary decryption certificate and the one before it."""
    then = datetime.now(UTC) - timedelta(hours=1)
    prepared = prepare(tmp_path_factory.mktemp("npm"), then)
    (prepared.installation.home / "idp.cer").write_bytes(pair("idp").der)
    prepared.apply(CONFIGURATION, then)
    newer = generate_certificate(prepared.installation, CertificateOrder(DECRYPTION, key_type=KeyType.RSA2048), then)
    make_primary(prepared.installation, Selection(DECRYPTION, thumbprint=newer.row.thumbprint), then)
    with running(prepared):
        yield prepared


def address(server: Server, party: str, **more: str) -> str:
    """Where a relying party sends the browser."""
    query = {"wa": "wsignin1.0", "wtrealm": f"https://{party}.example/", "wctx": "kept", **more}
    return f"{server.base_url}/contoso/v2/wsfederation?{urlencode(query)}"


def answered(server: Server, browser: Browser, incoming: Incoming, forged: bytes = b"alice") -> etree._Element:
    """The page to which the answer of the identity provider leads."""
    led = urlsplit(browser.led(address(server, "saml20", whr=incoming.provider)))
    sent = dict(parse_qsl(led.query))
    options: dict[str, Any] = {}
    if incoming.recipient is not None:
        certificates = encryption_certificates(server.document(METADATA))
        assert len(certificates) == 2
        options = encryption(certificates[incoming.recipient], ContentEncryption(f"aes256-{incoming.provider}"))
    asked = Asked(sent["wtrealm"], sent["wreply"], f"https://{incoming.provider}.example/")
    made = wresult(incoming.version, asked, **options).replace(b">alice<", b">%b<" % forged)
    return browser.open(sent["wreply"], {"wa": "wsignin1.0", "wresult": made.decode(), "wctx": sent["wctx"]})


def judged(server: Server, party: str, posted: str) -> dict[str, Any]:
    """What passport makes of what we post to a relying party, which trusts the certificate in our metadata."""
    certificate = signing_certificates(server.document(METADATA))[0]
    realm, issuer = f"https://{party}.example/", f"{server.base_url}/contoso/"
    options: dict[str, Any] = {"realm": realm, "recipientUrl": f"{realm}in"}
    if party == "jwt":
        options |= {"jwt": {"audience": realm, "issuer": issuer, "algorithms": ["RS256"]}}
        options |= {"cert": pem(certificate).decode()}
    else:
        options |= {"thumbprints": [parse(certificate).thumbprint]}
    return run_node("relying_party.js", {"options": options, "wresult": posted})


@pytest.mark.parametrize("incoming", INCOMING, ids=str)
def test_person_gets_from_npm_by_the_server_to_passport_in_three_formats(
    sign_in_server: Server, incoming: Incoming
) -> None:
    browser = Browser()
    page = answered(sign_in_server, browser, incoming)
    assert page.xpath("string(//form/@action)") == "https://saml20.example/in"
    pages = {party: browser.open(address(sign_in_server, party)) for party in ("saml11", "jwt")} | {"saml20": page}
    for party, shown in pages.items():
        assert hidden(shown, "wctx") == "kept"
        user = judged(sign_in_server, party, hidden(shown, "wresult"))["user"]
        names = ("nameid", "email", "identityprovider") if party == "jwt" else CLAIMS
        said = ["alice", "alice@idp.example", f"https://{incoming.provider}.example/"]
        assert [user[name] for name in names] == said


@pytest.mark.parametrize("version", [SAML11, SAML20])
def test_answer_that_was_changed_on_the_way_lets_nobody_in(sign_in_server: Server, version: TokenFormat) -> None:
    browser = Browser()
    page = answered(sign_in_server, browser, Incoming("plain", version), b"admin")
    assert page.xpath("string(//h1)") == "You could not be signed in"
    assert "ACS20001" in str(page.xpath("string(//main)"))
    assert browser.led(address(sign_in_server, "jwt", whr="plain")).startswith("https://plain.example/ls?")


def test_passport_refuses_what_was_changed_after_the_server(sign_in_server: Server) -> None:
    page = answered(sign_in_server, Browser(), Incoming("plain", SAML20))
    changed = hidden(page, "wresult").replace(">alice<", ">admin<")
    assert "Signature check errors" in judged(sign_in_server, "saml20", changed)["refused"]
