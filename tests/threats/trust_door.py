"""The WS-Trust endpoints from outside: a service with everybody who calls there, and what its faults say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from socket import socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from werkzeug.test import TestResponse

from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, certificate, rsa_key
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import (
    SOAP12,
    TrustMessage,
    binary_token,
    by_rsa,
    request,
    signed,
    timestamp,
    username_token,
)
from tests.threats.endpoints import Refusal, seen_refused, send
from tests.threats.identity_providers import trust

SAML20 = "https://saml20.example/"
POSSESSED = "https://pop.example/"
PARTIES = """
namespace: contoso
service_identities:
  - {name: butler, password: "env:WORKER_PASSWORD", may_act: true}
  - {name: mechanic, certificate: mechanic.cer}
  - {name: digest, password: "env:WORKER_PASSWORD", recoverable_password: true}
relying_parties:
  - {name: pop, realm: "https://pop.example/", token_format: saml20, rule_groups: [all], encryption: required,
     encryption_certificate: rp.cer, proof_of_possession: true}
"""
FABRIKAM = """
namespace: fabrikam
relying_parties:
  - {name: secret, realm: "https://secret.fabrikam.example/", token_format: saml20, rule_groups: [all]}
rule_groups:
  - {name: all, rules: [{input: {issuer: LOCAL AUTHORITY}}]}
"""


_numbers = count(1)


@lru_cache
def mechanic() -> bytes:
    """The certificate (DER) of a service identity, which names it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mechanic")])
    key = rsa_key("mechanic")
    builder = x509.CertificateBuilder(name, name, key.public_key(), 4712, NOT_BEFORE, NOT_AFTER)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def furnished(world: World) -> World:
    """A service with callers of every kind, and a second namespace beside it."""
    trust(world)
    (world.home / "rp.cer").write_bytes(certificate("rsa2048", "rp"))
    (world.home / "mechanic.cer").write_bytes(mechanic())
    world.apply(PARTIES)
    world.apply(FABRIKAM)
    return world


def good(world: World, body: str | None = None, **changes: object) -> TrustMessage:
    """A message that is granted, unless something in it is changed."""
    asked = request(SAML20) if body is None else body
    return TrustMessage(world.now, username_token("worker", SECRET), asked).changed(**changes)


def signed_message(world: World, body: str | None = None) -> tuple[TrustMessage, bytes]:
    """A message of the service identity that has a certificate, and its signed bytes."""
    name = f"_t{next(_numbers)}"  # of its own, or what is signed would be the same
    stamp = timestamp(world.now).replace("_0", name)
    message = mechanic_message(world, body).changed(stamp=stamp)
    return message, signed(message.xml(), replace(by_rsa(rsa_key("mechanic")), references=(name, "_1")))


def mechanic_message(world: World, body: str | None = None) -> TrustMessage:
    """A message of the same service identity, not signed yet."""
    return good(world, body, endpoint="certificate", token=binary_token(mechanic()))


def deliver(world: World, message: TrustMessage, body: bytes | None = None, **headers: str) -> TestResponse:
    """Send a message, or other bytes in its place, from a stranger."""
    return deliver_from(None, world, message, body, **headers)


def deliver_from(
    source: str | None, world: World, message: TrustMessage, body: bytes | None = None, **headers: str
) -> TestResponse:
    """Send a message, or other bytes in its place, from an address; None: a stranger's."""
    sent = message.xml() if body is None else body
    headers = {"Content-Type": message.media_type, **headers}
    return send(world, f"/contoso/{message.path}", sent, headers=headers, source=source)


@dataclass(frozen=True)
class Fault:
    """What a fault says, and how it was refused."""

    code: str
    subcode: str  # its local name
    subsubcode: str | None
    reason: str
    refusal: Refusal

    @property
    def detail(self) -> str:
        """The true reason, which only the log knows."""
        return self.refusal.reason


def fault(world: World, message: TrustMessage, body: bytes | None = None, **headers: str) -> Fault:
    """Send a message of SOAP 1.2 and see it refused as every bad input must be: by a whole fault with status 400."""
    refusal = seen_refused(world, lambda: deliver(world, message, body, **headers))
    assert refusal.status == 400
    assert ("Content-Type", "application/soap+xml; charset=utf-8") in refusal.headers
    return read_fault(refusal)


def read_fault(refusal: Refusal) -> Fault:
    """The parts of a SOAP 1.2 fault; each of the three that must be there is."""
    root = etree.fromstring(refusal.body.encode())
    found = root.find(f"{{{SOAP12}}}Body/{{{SOAP12}}}Fault")
    assert found is not None
    code = found.find(f"{{{SOAP12}}}Code")
    reason = found.findtext(f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text")
    assert code is not None
    assert reason is not None
    assert "Trace ID: ID" in reason
    values = [element.text or "" for element in code.iter(f"{{{SOAP12}}}Value")]
    assert len(values) in (2, 3)
    local = [value.rpartition(":")[2] for value in values]
    return Fault(local[0], local[1], local[2] if len(local) == 3 else None, reason, refusal)


def granted(world: World, message: TrustMessage, body: bytes | None = None) -> etree._Element:
    """The answer to a message that is granted."""
    answer = deliver(world, message, body)
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.data)


@contextmanager
def nobody_calls() -> Iterator[str]:
    """An address on this machine to which nobody connects meanwhile."""
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        connection.close()
        raise AssertionError("somebody connected")
