"""Rows X and D at the WS-Trust endpoints: documents that are no envelope, and signatures that do not hold."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.crypto.identities import rsa_key
from tests.flows.world import World
from tests.protocols.wstrust.messages import TrustMessage, by_rsa, signed
from tests.protocols.wstrust.test_signatures import LOOSENED, TAMPERED
from tests.threats.identity_providers import assertion, stage
from tests.threats.test_xml_parsing import ROWS
from tests.threats.trust_door import fault, furnished, good, granted, mechanic_message

TAMPERINGS = {name: change for name, change in TAMPERED.items() if name not in ("another realm", "a later end")}


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    """A service for everybody."""
    return furnished(shared_world)


@pytest.mark.parametrize("row", ROWS)
def test_document_that_is_no_xml_of_ours_is_refused_for_its_reason(service: World, row: str) -> None:
    document, reason = ROWS[row]
    found = fault(service, good(service), document)
    assert (reason in found.detail) or (reason == "size" and "too large" in found.reason)


@pytest.mark.parametrize("row", ["X16 a page", "X19 a lookalike"])
def test_document_of_another_kind_is_refused(service: World, row: str) -> None:
    message = good(service)
    lookalike = message.xml().replace(b"soap-envelope", b"Soap-Envelope")
    document = b"<html><body>Sign in</body></html>" if row == "X16 a page" else lookalike
    assert fault(service, message, document).code in ("Sender", "VersionMismatch")


def test_x19_lookalike_of_an_assertion_is_no_token(service: World) -> None:
    token = assertion(stage(service)).decode().replace("SAML:2.0:assertion", "SAML:2.0:Assertion")
    assert fault(service, good(service, endpoint="issuedtoken-bearer", token=token)).code == "Sender"


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_d02_signed_message_that_was_changed_is_refused(service: World, change: Callable[[bytes], bytes]) -> None:
    message = mechanic_message(service)
    body = signed(message.xml(), by_rsa(rsa_key("mechanic")))
    changed = change(body)
    assert changed != body
    assert fault(service, message, changed).code == "Sender"


ROWS_OF = {  # what is loosened, and the row that it is
    "rsa-sha1": "D36",
    "a SHA-1 digest": "D37",
    "no method": "D38",
    "a MAC for a public key": "D33",
    "inclusive c14n": "D44",
    "c14n with comments": "D18",
    "XSLT": "D41",
}


@pytest.mark.parametrize("name", LOOSENED, ids=lambda name: f"{ROWS_OF.get(name, 'other')} {name}")
def test_genuine_signature_of_a_looser_kind_is_refused(service: World, name: str) -> None:
    changes: dict[str, Any] = LOOSENED[name]
    message = mechanic_message(service).changed(headers='<x wsu:Id="_other"/>')
    body = signed(message.xml(), replace(by_rsa(rsa_key("mechanic")), **changes))
    assert fault(service, message, body).subcode == "FailedAuthentication"


def test_d30_message_signed_by_a_strangers_key_is_refused_whatever_it_says_of_keys(service: World) -> None:
    message: TrustMessage = mechanic_message(service)
    body = signed(message.xml(), by_rsa(rsa_key("attacker")))
    assert fault(service, message, body).subcode == "FailedAuthentication"
    granted(service, message, signed(message.xml(), by_rsa(rsa_key("mechanic"))))
