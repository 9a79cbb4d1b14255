"""What a stranger's message costs: no answer, record or canonical text grows to many times what was sent."""

from dataclasses import replace

import pytest
from lxml import etree

from tests.crypto.identities import rsa_key
from tests.flows.world import World
from tests.protocols.wstrust.messages import SOAP12, by_rsa, signed
from tests.threats.trust_door import fault, furnished, good, mechanic_message

LONG = "urn:" + "x" * 100_000


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    return furnished(shared_world)


def declaring(body: bytes, namespace: str) -> bytes:
    """The message, on whose envelope one namespace more is declared."""
    return body.replace(b"<s:Envelope ", f'<s:Envelope xmlns:x="{namespace}" '.encode(), 1)


def test_of_many_headers_that_are_not_understood_the_first_are_named(service: World) -> None:
    message = good(service, headers='<x:a s:mustUnderstand="1"/>' * 1500)
    found = fault(service, message, declaring(message.xml(), "urn:example:" + "x" * 240))
    assert found.code == "MustUnderstand"
    assert "and 1492 more" in found.reason
    named = etree.fromstring(found.refusal.body.encode()).findall(f"{{{SOAP12}}}Header/{{{SOAP12}}}NotUnderstood")
    assert len(named) == 8
    assert len(found.refusal.body) < 8000


@pytest.mark.parametrize("endpoint", ["username", "certificate"])
def test_a_namespace_with_a_long_name_is_not_repeated_in_answers(service: World, endpoint: str) -> None:
    message = good(service, endpoint=endpoint, headers='<x:a s:mustUnderstand="1"/>' * 1500)
    found = fault(service, message, declaring(message.xml(), LONG))
    assert "namespaces: a name of more than" in found.detail
    assert len(found.refusal.body) < 2000


def test_a_namespace_with_a_long_name_is_not_repeated_in_canonical_text(service: World) -> None:
    message = mechanic_message(service, f"<a>{'<x:b/>' * 1500}</a>")
    small = signed(declaring(message.xml(), "urn:x"), replace(by_rsa(rsa_key("mechanic")), references=("_0", "_1")))
    found = fault(service, message, small.replace(b'xmlns:x="urn:x"', f'xmlns:x="{LONG}"'.encode()))
    assert "namespaces: a name of more than" in found.detail
