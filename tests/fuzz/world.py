"""A whole service for the fuzzer, one in each process, and identity providers that sign in at it."""

import os
from collections.abc import Mapping
from functools import cache
from itertools import count
from random import Random
from typing import Any

from lxml import etree

from sts.core.claims import NAME_IDENTIFIER, ROLE
from sts.core.model import ContentEncryption, TokenFormat
from sts.crypto.xmldsig import sign_element
from tests.flows.identity_provider import MODULES, Encryption, IdentityProvider, signer
from tests.flows.operators import DECRYPTION, first
from tests.flows.people import Page
from tests.flows.signing_in import SIGN_IN_WORLD, party
from tests.flows.tokens import content_of
from tests.flows.world import World, open_world
from tests.fuzz.running import Forged, home
from tests.protocols.wresults import adfs as response

ALICE = (
    (NAME_IDENTIFIER, "alice"),
    (ROLE, "reader"),
    ("https://adfs.example/department", "sales"),
    ("https://adfs.example/department", "\u00fc & <b>"),
)
BOB = ((NAME_IDENTIFIER, "bob"), (ROLE, "auditor"))
ADMIN = ((NAME_IDENTIFIER, "admin"), (ROLE, "admin"))
STATED = tuple(
    {claim_type: [value for kind, value in claims if kind == claim_type] for claim_type, _ in claims}
    for claims in (ALICE, BOB)
)
FORMATS = (TokenFormat.SAML11, TokenFormat.SAML20)
SEALED = {"sealing": ContentEncryption.AES256_GCM, "cbc": ContentEncryption.AES256_CBC}
PARTIES = {"adfs": "jwt", "sealing": "sealed", "cbc": "cbc"}  # of the identity providers
_CBC = (
    '  - {name: cbc, issuer: "https://cbc.example/", sign_in_url: "https://cbc.example/ls", certificates: [cbc.cer],\n'
    "     decryption: aes256-cbc}\n"
)

_visitors = count(1)


@cache
def service() -> World:
    """The service of this process."""
    folder = home()
    for name in ("adfs", "other", "sealing", "cbc"):
        IdentityProvider(name).write_certificate(folder)
    world = open_world(folder)
    configuration = SIGN_IN_WORLD.replace(
        "  - {name: local, kind: local}\n", f"{_CBC}  - {{name: local, kind: local}}\n"
    )
    configuration = configuration.replace(
        "      - {input: {issuer: sealing}}\n", "      - {input: {issuer: sealing}}\n      - {input: {issuer: cbc}}\n"
    )
    world.apply(
        configuration
        + party("jwt", "jwt", "adfs")
        + party("sealed", "jwt", "sealing")
        + party("cbc", "jwt", "cbc")
        + party("choice", "saml20", "adfs, other, local")
        + party("form", "swt", "local")
        + party("told", "saml11", "adfs", error_url="https://told.example/error")
    )
    world.move(seconds=10)
    return world


def visitor() -> str:
    """An address that nobody came from before: limits count by it."""
    number = next(_visitors)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def last_record(world: World) -> Mapping[str, Any]:
    """What the log says of the last request; the log is emptied, since nobody reads more of it."""
    *_, record = world.records()
    os.ftruncate(world.log_descriptor, 0)
    return record


def require_stated(page: Page) -> None:
    """Return if a token says of somebody what an identity provider said; raises Forged."""
    claims = content_of(service(), "jwt", page.token).claims
    told = {name: values for name, values in claims.items() if not name.endswith("/identityprovider")}
    if told not in STATED:
        raise Forged(str(told))


def honest(random: Random, name: str) -> bytes:
    """A token that an identity provider has just made, before it is encrypted."""
    return _provider(name, random.choice(FORMATS), random.choice((ALICE, BOB))).token(service())


def _provider(name: str, token_format: TokenFormat, claims: tuple[tuple[str, str], ...]) -> IdentityProvider:
    return IdentityProvider(name, token_format, claims=claims)


def sealed(random: Random, name: str, token: bytes) -> bytes:
    """A token as the identity provider would send it: encrypted where it is held to that."""
    if name not in SEALED:
        return token
    certificate = Encryption.to(first(service(), DECRYPTION)).certificate
    is_saml11 = b"urn:oasis:names:tc:SAML:1.0:assertion" in token
    module = MODULES[TokenFormat.SAML11 if is_saml11 else TokenFormat.SAML20]
    encrypted: bytes = module.encrypt(token, certificate, SEALED[name])
    return encrypted


@cache
def donors(name: str) -> tuple[bytes, ...]:
    """What an attacker may have besides: tokens of an identity provider for others, of others, and signed documents."""
    world = service()
    metadata = etree.fromstring(
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m"><Extensions>admin</Extensions>'
        "</EntityDescriptor>"
    )
    tokens = [
        maker.token(world)
        for token_format in FORMATS
        for maker in (
            _provider(name, token_format, ADMIN).sending(audience="https://elsewhere.example/"),
            _provider("other", token_format, ADMIN),
            _provider("attacker", token_format, ADMIN).sending(issuer=f"https://{name}.example/"),
        )
    ]
    documents = [sign_element(metadata, "_m", signer(name), 0), *tokens]
    return (*documents, *(response(token.decode()).encode() for token in tokens))
