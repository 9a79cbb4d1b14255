"""Whatever comes to the WS-Trust endpoints, something orderly goes out, and nobody becomes somebody else."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from werkzeug.test import TestResponse

from sts.core.claims import NAME_IDENTIFIER
from sts.protocols.wstrust.names import DIALECTS, Credential, address
from tests.flows.world import World
from tests.protocols.wstrust.messages import (
    ROOT,
    SOAP11,
    SOAP12,
    TRUST_13,
    TRUST_2005,
    WSSE,
    WSU,
    TrustMessage,
    by_secret,
    request,
    signed,
)
from tests.threats.endpoints import require_no_secret
from tests.threats.identity_providers import assertion, stage
from tests.threats.trust_door import POSSESSED, SAML20, deliver, furnished, good, signed_message

MUTATIONS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
SCRAPS = [
    *(b"<", b">", b"/>", b'"', b"&", b"&#0;", b"&x;", b"\xff", b"\0", b"\xef\xbb\xbf", b"]]>", b"<!--", b"<?x?>"),
    *(b"<![CDATA[", b"<!DOCTYPE x>", b' wsu:Id="_1"', b' wsu:Id="_0"', b"<x/>", b"  ", b"-1", b"9" * 400, b"A" * 5000),
    *(
        b"\xed\xa0\x80",
        "\U0001f600".encode(),
        "\u202e".encode(),
        b"#",
        b"urn:x",
        b"9999-12-31T23:59:59Z",
        b"0001-01-01",
    ),
]
IDENTITY = "http://schemas.xmlsoap.org/ws/2005/05/identity"
TEXTS = [
    "",
    " ",
    "x",
    "\n",
    "0",
    "-1",
    "9" * 50,
    "true",
    "urn:x",
    "#_0",
    "#_1",
    "AAAA",
    "=",
    "9999-12-31T23:59:59Z",
    "é",
]


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    """A service for everybody."""
    return furnished(shared_world)


def by_username(world: World) -> tuple[TrustMessage, bytes]:
    message = good(world)
    return message, message.xml()


def of_2005(world: World) -> tuple[TrustMessage, bytes]:
    message = good(world, request(SAML20, namespace=TRUST_2005), trust=TRUST_2005, soap=SOAP11)
    return message, message.xml()


def elaborate(world: World) -> tuple[TrustMessage, bytes]:
    """A request with everything in it."""
    wishes = (
        f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType><t:KeySize>256</t:KeySize>",
        f'<t:Entropy><t:BinarySecret Type="{TRUST_13}/Nonce">{"A" * 24}</t:BinarySecret></t:Entropy>',
        f"<t:ComputedKeyAlgorithm>{TRUST_13}/CK/PSHA1</t:ComputedKeyAlgorithm>",
        "<t:Lifetime><wsu:Created>2026-06-01T12:00:00Z</wsu:Created></t:Lifetime><t:Renewing/>",
        f'<t:Claims Dialect="{IDENTITY}"><i:ClaimType xmlns:i="{IDENTITY}" Uri="{NAME_IDENTIFIER}"/></t:Claims>',
        "<t:TokenType>urn:oasis:names:tc:SAML:2.0:assertion</t:TokenType>",
    )
    message = good(world, request(POSSESSED, *wishes))
    return message, message.xml()


def by_bearer(world: World) -> tuple[TrustMessage, bytes]:
    at = stage(world, recipient=ROOT + "v2/wstrust/13/issuedtoken-bearer")
    message = good(world, endpoint="issuedtoken-bearer", token=assertion(at).decode())
    return message, message.xml()


def by_derived_key(world: World) -> tuple[TrustMessage, bytes]:
    """Of a token that holds no key: everything before that is read."""
    reference = '<wsse:SecurityTokenReference><wsse:Reference URI="#{}"/></wsse:SecurityTokenReference>'
    identity = stage(world)
    derived = (
        '<c:DerivedKeyToken xmlns:c="http://schemas.xmlsoap.org/ws/2005/02/sc" wsu:Id="_dk">'
        f"{reference.format(identity.id)}<c:Generation>1</c:Generation><c:Length>24</c:Length>"
        "<c:Label>label</c:Label><c:Nonce>AAAA</c:Nonce></c:DerivedKeyToken>"
    )
    token = assertion(identity).decode()
    message = good(world, endpoint="issuedtoken-symmetric", token=token, security=derived)
    signing = by_secret(b"k" * 32)
    return message, signed(message.xml(), replace(signing, key_info=reference.format("_dk")))


MAKERS: dict[str, Callable[[World], tuple[TrustMessage, bytes]]] = {
    "username": by_username,
    "2005": of_2005,
    "elaborate": elaborate,
    "certificate": signed_message,
    "bearer": by_bearer,
    "derived": by_derived_key,
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def orderly(world: World, message: TrustMessage, body: bytes, answer: TestResponse) -> None:
    """The answer is a token or a fault of the sender's, and the log knows which and has no secret."""
    record = world.records()[-1]
    assert record["trace_id"] == answer.headers["Request-Id"]
    assert "internal error" not in record.get("message", ""), (record, body)
    allowed = (200, 400, 500) if message.soap == SOAP11 else (200, 400)
    assert answer.status_code in allowed, (record, body)
    root = etree.fromstring(answer.data)
    assert etree.QName(root).localname == "Envelope"
    assert ("error" in record) == (answer.status_code != 200)
    assert b"s:Receiver" not in answer.data
    require_no_secret(world, answer)


@makers
def test_message_before_it_is_changed_is_granted_or_gets_as_far_as_its_key(
    service: World, make: Callable[[World], tuple[TrustMessage, bytes]]
) -> None:
    message, body = make(service)
    answer = deliver(service, message, body)
    orderly(service, message, body, answer)
    assert (answer.status_code == 200) is (make is not by_derived_key)


@makers
@MUTATIONS
@given(
    cuts=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 60), st.sampled_from([b"", *SCRAPS]) | st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_message_of_changed_bytes_is_answered_in_order(
    service: World,
    make: Callable[[World], tuple[TrustMessage, bytes]],
    cuts: list[tuple[float, int, bytes]],
) -> None:
    message, body = make(service)
    for place, length, scrap in cuts:
        start = int(place * len(body))
        body = body[:start] + scrap + body[start + length :]
    orderly(service, message, body, deliver(service, message, body))


def places(root: etree._Element) -> Iterator[etree._Element]:
    yield from root.iter()


@makers
@MUTATIONS
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["remove", "double", "move", "text", "attribute", "drop attribute", "rename"]),
            st.integers(0, 400),
            st.integers(0, 400),
            st.sampled_from(TEXTS),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_message_of_changed_elements_is_answered_in_order_and_about_nobody_else(
    service: World,
    make: Callable[[World], tuple[TrustMessage, bytes]],
    steps: list[tuple[str, int, int, str]],
) -> None:
    message, body = make(service)
    root = etree.fromstring(body)
    for step in steps:
        change(root, *step)
    changed = etree.tostring(root)
    answer = deliver(service, message, changed)
    orderly(service, message, changed, answer)
    if answer.status_code == 200:
        assert_still_itself(service, message)


def change(root: etree._Element, step: str, first: int, second: int, text: str) -> None:
    """Change one thing about an element of a document."""
    elements = list(places(root))
    element, other = elements[first % len(elements)], elements[second % len(elements)]
    parent = element.getparent()
    if step == "text":
        element.text = text
    elif step == "attribute":
        element.set(f"{{{WSU}}}Id" if second % 2 else "Id", text)
    elif step == "drop attribute" and element.attrib:
        del element.attrib[sorted(element.attrib)[second % len(element.attrib)]]
    elif step == "rename":
        element.tag = f"{{{WSSE}}}{etree.QName(other).localname}"
    elif parent is not None and step == "remove":
        parent.remove(element)
    elif parent is not None and step == "double":
        parent.insert(second % (len(parent) + 1), deepcopy(element))
    elif parent is not None and step == "move" and element not in other.iterancestors() and element is not other:
        other.append(element)


def assert_still_itself(world: World, message: TrustMessage) -> None:
    """What was granted was granted to whoever the message was of, and for what it asked where that was signed."""
    record = world.records()[-1]
    expected = {"username": "worker", "certificate": "mechanic", "issuedtoken-bearer": "alice@corp.example"}
    assert record["principal"] == expected[message.endpoint]
    if message.endpoint == "certificate":
        assert record["relying_party"] == "saml20"


@pytest.mark.parametrize("path", [address(dialect, credential) for dialect in DIALECTS for credential in Credential])
@pytest.mark.parametrize("content_type", ["application/soap+xml", "text/xml", "", "multipart/related", "\xff"])
def test_every_endpoint_answers_what_is_nothing_with_a_fault(service: World, path: str, content_type: str) -> None:
    for body in (b"", b"\0", b"<", b"<a/>", f'<s:Envelope xmlns:s="{SOAP12}"/>'.encode()):
        answer = service.post(path, body, headers={"Content-Type": content_type})
        soap = SOAP11 if content_type == "text/xml" and b"Envelope" not in body else SOAP12
        is_xml = content_type in ("application/soap+xml", "text/xml", "")  # others are refused before they are read
        assert answer.status_code == ((500 if soap == SOAP11 else 400) if is_xml else 415), answer.text
        assert soap in answer.text
        assert "internal error" not in service.records()[-1]["message"]
