"""The description of the WS-Trust endpoints through the real door, by GET and by message."""

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import (
    MEDIA_TYPES,
    SOAP11,
    SOAP12,
    TRUST_13,
    TRUST_2005,
    WSA10,
    WSA2004,
    TrustMessage,
    anonymous,
    request,
    username_token,
)

MEX = "http://schemas.xmlsoap.org/ws/2004/09/mex"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
GET_METADATA = f"{MEX}/GetMetadata/Request"
HERE = "http://127.0.0.1:8000/contoso/v2/wstrust/mex"
SOAP_VERSIONS = pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["1.1", "1.2"])
ASKING = pytest.mark.parametrize(("action", "body"), [(GET, ""), (GET_METADATA, f'<m:GetMetadata xmlns:m="{MEX}"/>')])


def message(action: str, body: str = "", soap: str = SOAP12, wsa: str = WSA10, **changed: str) -> bytes:
    """A message that asks for metadata, as WCF writes it."""
    to, reply, more = (
        changed.get(name, default) for name, default in (("to", HERE), ("reply", anonymous(wsa)), ("more", ""))
    )
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:a="{wsa}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{action}</a:Action>'
        "<a:MessageID>urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8</a:MessageID>"
        f"<a:ReplyTo><a:Address>{reply}</a:Address></a:ReplyTo>"
        f'<a:To s:mustUnderstand="1">{to}</a:To>{more}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def send(world: World, octets: bytes, soap: str = SOAP12) -> TestResponse:
    """Post a message."""
    return world.post("v2/wstrust/mex", octets, content_type=MEDIA_TYPES[soap])


def sections(answer: TestResponse) -> list[etree._Element]:
    """What is in the Metadata of an answer."""
    assert answer.status_code == 200, answer.text
    (metadata,) = etree.fromstring(answer.data).iter(f"{{{MEX}}}Metadata")
    return list(metadata)


@ASKING
@SOAP_VERSIONS
@pytest.mark.parametrize("wsa", [WSA10, WSA2004], ids=["1.0", "2004"])
def test_a_message_gets_what_get_gets(still_world: World, action: str, body: str, soap: str, wsa: str) -> None:
    answer = send(still_world, message(action, body, soap, wsa), soap)
    (section,) = sections(answer)
    assert section.get("Dialect") == WSDL
    published = etree.fromstring(still_world.get("v2/wstrust/mex").data)
    assert etree.tostring(section[0], method="c14n2") == etree.tostring(published, method="c14n2")
    root = etree.fromstring(answer.data)
    assert root.tag == f"{{{soap}}}Envelope"
    assert root.findtext(f"*/{{{wsa}}}Action") == action.removesuffix("/Request") + (
        "Response" if action == GET else "/Response"
    )
    assert root.findtext(f"*/{{{wsa}}}RelatesTo") == "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(
    ("inside", "count"),
    [
        (f"<m:Dialect>{WSDL}</m:Dialect>", 1),
        ("<m:Dialect>http://www.w3.org/2001/XMLSchema</m:Dialect>", 0),
        (f"<m:Dialect>{WSDL}</m:Dialect><m:Identifier>urn:other</m:Identifier>", 0),
    ],
)
def test_another_dialect_is_not_there(still_world: World, inside: str, count: int) -> None:
    body = f'<m:GetMetadata xmlns:m="{MEX}">{inside}</m:GetMetadata>'
    assert len(sections(send(still_world, message(GET_METADATA, body)))) == count


REFUSED = {
    "another action": (message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Put"), "ActionNotSupported"),
    "another address": (message(GET, to="http://127.0.0.1:8000/contoso/"), "DestinationUnreachable"),
    "an answer elsewhere": (message(GET, reply="http://169.254.169.254/"), "OnlyAnonymousAddressSupported"),
    "an unknown header": (message(GET, more='<x:Odd xmlns:x="urn:x" s:mustUnderstand="1"/>'), "MustUnderstand"),
    "a body that is not asked for": (message(GET_METADATA, '<x:Odd xmlns:x="urn:x"/>'), "InvalidRequest"),
    "no envelope": (b"<a/>", "InvalidRequest"),
    "a document type": (b"<!DOCTYPE a><a/>", "InvalidRequest"),
    "too much": (b" " * 400_000, "InvalidRequest"),
}


@pytest.mark.parametrize(("octets", "subcode"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_is_a_fault(still_world: World, octets: bytes, subcode: str) -> None:
    answer = send(still_world, octets)
    assert answer.status_code == 400
    root = etree.fromstring(answer.data)
    assert root.tag == f"{{{SOAP12}}}Envelope"
    assert subcode in "".join(next(root.iter(f"{{{SOAP12}}}Code")).itertext())
    (reason,) = root.iter(f"{{{SOAP12}}}Text")
    assert still_world.records()[-1]["trace_id"] in (reason.text or "")


@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])
@pytest.mark.parametrize("party", ["saml11", "saml20", "jwt", "swt"])
def test_what_the_doors_take_and_say_is_what_the_types_describe(still_world: World, trust: str, party: str) -> None:
    description = etree.fromstring(still_world.get("v2/wstrust/mex").data)
    schemas = description.findall(f"{{{WSDL}}}types/{{http://www.w3.org/2001/XMLSchema}}schema")
    (schema,) = [etree.XMLSchema(schema) for schema in schemas if schema.get("targetNamespace") == trust]
    body = request(f"https://{party}.example/", namespace=trust)
    asked = TrustMessage(still_world.now, username_token("worker", SECRET), body, trust=trust)
    answer = still_world.post(asked.path, asked.xml(), content_type=asked.media_type)
    assert answer.status_code == 200, answer.text
    for message_of in (asked.xml(), answer.data):
        (content,) = next(etree.fromstring(message_of).iter(f"{{{SOAP12}}}Body"))
        schema.assertValid(content)


@pytest.mark.parametrize("path", ["v2/wstrust/mex", "v2/WSTrust/MEX", "v2/wstrust/mex/"])
def test_neither_case_nor_a_slash_matters(still_world: World, path: str) -> None:
    assert still_world.get(path).status_code == 200
    answer = still_world.post(
        path, message(GET, to=f"http://127.0.0.1:8000/contoso/{path}"), content_type="application/soap+xml"
    )
    assert len(sections(answer)) == 1


def test_the_metadata_of_the_federation_names_it_at_every_endpoint(still_world: World) -> None:
    metadata = etree.fromstring(still_world.get("FederationMetadata/2007-06/FederationMetadata.xml").data)
    endpoints = list(metadata.iter("{http://docs.oasis-open.org/wsfed/federation/200706}SecurityTokenServiceEndpoint"))
    assert len(endpoints) == 5
    for endpoint in endpoints:
        path = f"{{{MEX}}}Metadata/{{{MEX}}}MetadataSection/{{{MEX}}}MetadataReference/{{{WSA10}}}Address"
        assert endpoint.findtext(f"{{{WSA10}}}EndpointReference/{{{WSA10}}}Metadata/{path}") == HERE


def test_a_message_of_an_unknown_namespace_is_refused(still_world: World) -> None:
    answer = still_world.client.post("/fabrikam/v2/wstrust/mex", data=message(GET), base_url="http://127.0.0.1:8000")
    assert answer.status_code == 400
    assert b"DestinationUnreachable" in answer.data


@SOAP_VERSIONS
@pytest.mark.parametrize(
    ("base_url", "octets", "told"),
    [
        ("http://evil.example", message(GET), "does not answer to that host name"),
        ("http://127.0.0.1:8000", b"<" * 400_000, "too large"),
        ("http://127.0.0.1:8000", b"<", "not XML"),
    ],
)
def test_what_nobody_reads_is_refused_with_a_fault(
    still_world: World, soap: str, base_url: str, octets: bytes, told: str
) -> None:
    answer = still_world.client.post(
        "/contoso/V2/wstrust/mex/", base_url=base_url, data=octets, content_type=MEDIA_TYPES[soap]
    )
    assert answer.status_code == (500 if soap == SOAP11 else 400)
    root = etree.fromstring(answer.data)
    assert root.tag == f"{{{soap}}}Envelope"
    (reason,) = root.iter("faultstring" if soap == SOAP11 else f"{{{SOAP12}}}Text")
    assert told in (reason.text or "")
    assert still_world.records()[-1]["status"] == answer.status_code
