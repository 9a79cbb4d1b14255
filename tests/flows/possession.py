"""Clients that present assertions bound to keys, and prove that they hold them."""

import hmac
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from sts.core.claims import NAME_IDENTIFIER
from sts.core.exchange import HolderOfKey, SymmetricHolder, TokenDescriptor
from sts.core.model import Claim
from sts.tokens import saml11, saml20
from tests.crypto.identities import certificate, signer
from tests.flows.world import World, worlds
from tests.protocols.wstrust.messages import TRUST_13, TrustMessage, by_secret, request, signed
from tests.threats.identity_providers import ADFS, NAMESPACE, trust

PARTIES = """
namespace: contoso
relying_parties:
  - {name: pop20, realm: "https://pop20.example/", token_format: saml20, rule_groups: [all, people],
     identity_providers: [adfs], encryption: required, encryption_certificate: rp.cer, proof_of_possession: true}
  - {name: pop11, realm: "https://pop11.example/", token_format: saml11, rule_groups: [all, people],
     identity_providers: [adfs], encryption: required, encryption_certificate: rp.cer, proof_of_possession: true,
     encryption_algorithm: aes256-gcm}
"""
VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
SAML_ID = {
    saml11: "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID",
    saml20: "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID",
}
PROOF_KEY = bytes(range(50, 82))


def believing(home: Path) -> Iterator[World]:
    """The body of a fixture: a service that believes identity providers, and issues what proves possession."""
    for made in worlds(home):
        trust(made)
        (made.home / "rp.cer").write_bytes(certificate("rsa2048", "rp"))
        made.apply(PARTIES)
        yield made


def send(world: World, message: TrustMessage, body: bytes | None = None) -> TestResponse:
    """Send a message, or other bytes in its place."""
    return world.post(message.path, message.xml() if body is None else body, content_type=message.media_type)


def response(answer: TestResponse) -> etree._Element:
    """The RequestSecurityTokenResponse of an answer that is no fault."""
    assert answer.status_code == 200, answer.text
    return next(etree.fromstring(answer.data).iter(f"{{{TRUST_13}}}RequestSecurityTokenResponse"))


def computed(ours: bytes, theirs: bytes, size: int) -> bytes:
    """P_SHA1 as a client computes it (RFC 2246, 5)."""
    blocks, chained = b"", theirs
    while len(blocks) < size:
        chained = hmac.new(ours, chained, "sha1").digest()
        blocks += hmac.new(ours, chained + theirs, "sha1").digest()
    return blocks[:size]


def held(world: World, module: ModuleType, holder: HolderOfKey | None, number: int = 1, issuer: str = ADFS) -> bytes:
    """What an identity provider says of alice, to whoever holds the key."""
    descriptor = TokenDescriptor(
        id=f"{number:032x}",
        issuer=issuer,
        audience=NAMESPACE,
        issued_at=world.now,
        not_before=world.now,
        expires_at=world.now + timedelta(hours=1),
        claims=(Claim(NAME_IDENTIFIER, "alice", issuer),),
        authenticated_at=world.now,
        confirmation=holder,
    )
    token: bytes = module.write(descriptor, signer("rsa2048", "idp"))
    return token


def reference(module: ModuleType, number: int = 1) -> str:
    """What a signature's KeyInfo says of the assertion beside it."""
    return (
        f'<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType="{SAML_ID[module]}">_{number:032x}'
        "</wsse:KeyIdentifier></wsse:SecurityTokenReference>"
    )


def presenting(world: World, token: bytes, kind: str, *more: str, realm: str = "https://jwt.example/") -> TrustMessage:
    """A request with an issued token."""
    return TrustMessage(world.now, token.decode(), request(realm, *more), endpoint=f"issuedtoken-{kind}")


WRAPPED = SymmetricHolder(PROOF_KEY, certificate("rsa2048", "sts"))


def prove(world: World, token: bytes, key: bytes, key_info: str) -> TestResponse:
    """Present an assertion, and sign with a secret key."""
    message = presenting(world, token, "symmetric")
    return send(world, message, signed(message.xml(), replace(by_secret(key), key_info=key_info)))


def fault(answer: TestResponse) -> str:
    """What a fault says, without what tells one request from the next."""
    assert answer.status_code != 200, answer.text
    reason = next(etree.fromstring(answer.data).iter("{*}Text"))
    code = next(etree.fromstring(answer.data).iter("{*}Subcode"))
    return f"{''.join(code.itertext())} {(reason.text or '').partition('Trace ID')[0]}"
