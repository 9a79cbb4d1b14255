"""Envelopes: what is read, in which version, and what is refused before anybody looks into it."""

import pytest

from sts.core.errors import PayloadTooLarge
from sts.protocols.wstrust import soap
from sts.protocols.wstrust.errors import BadEnvelope, HeaderNotUnderstood, OtherSoapVersion
from sts.protocols.wstrust.soap import SoapVersion
from tests.crypto.identities import NOW
from tests.protocols.wstrust.messages import SOAP11, SOAP12, TrustMessage, request, username_token

GOOD = TrustMessage(NOW, username_token("worker", "secret"), request("https://rp.example/"))
VERSIONS = [(SOAP11, SoapVersion.SOAP11), (SOAP12, SoapVersion.SOAP12)]


def changed(old: str, new: str) -> bytes:
    """A good message with a text in place of another."""
    body = GOOD.xml()
    assert old.encode() in body
    return body.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(("namespace", "version"), VERSIONS)
def test_an_envelope_of_either_version_is_read(namespace: str, version: SoapVersion) -> None:
    envelope = soap.read(GOOD.changed(soap=namespace).http())
    assert envelope.version is version
    assert len(envelope.headers) == 5
    assert envelope.body.tag == version.tag("Body")
    assert str(envelope.content.tag).endswith("}RequestSecurityToken")


@pytest.mark.parametrize("content_type", ["application/soap+xml", "text/xml", "application/xml; charset=utf-8", ""])
def test_the_envelope_says_its_version_whatever_http_says(content_type: str) -> None:
    assert soap.read(GOOD.http(content_type=content_type)).version is SoapVersion.SOAP12


def test_white_space_around_the_request_does_not_matter() -> None:
    body = GOOD.xml().replace(b"<t:RequestSecurityToken ", b"\n  <t:RequestSecurityToken ")
    envelope = soap.read(GOOD.http(body.replace(b"</s:Body>", b"\n</s:Body>")))
    assert str(envelope.content.tag).endswith("}RequestSecurityToken")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"<html/>",
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        changed("<s:Header>", "<s:Header/><s:Header>"),
        changed("</s:Envelope>", "<s:Body/></s:Envelope>"),
        changed("</s:Envelope>", "<x/></s:Envelope>"),
        changed("</s:Body>", "<x/></s:Body>"),
        changed("</s:Body>", "text</s:Body>"),
        changed(
            "<t:RequestType>",
            '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:1"/><t:RequestType>',
        ),
        b"<!DOCTYPE x>" + GOOD.xml(),
        changed("<s:Header>", "<!-- hidden --><s:Header>"),
        GOOD.xml() + b"<x/>",
        GOOD.xml().decode().encode("utf-16"),
    ],
)
def test_what_is_no_envelope_with_one_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadEnvelope):
        soap.read(GOOD.http(body))


@pytest.mark.parametrize(
    "content_type", ["multipart/related; type=application/xop+xml", "text/plain", "application/x-www-form-urlencoded"]
)
def test_what_a_browser_can_send_from_anywhere_or_with_attachments_is_refused(content_type: str) -> None:
    with pytest.raises(BadEnvelope, match="Content-Type"):
        soap.read(GOOD.http(content_type=content_type))


def test_a_message_beyond_the_limit_of_size_is_refused_as_too_large() -> None:
    with pytest.raises(PayloadTooLarge):
        soap.read(GOOD.http(GOOD.xml() + b" " * 300_000))


def test_an_envelope_of_another_version_is_told_apart() -> None:
    with pytest.raises(OtherSoapVersion):
        soap.read(GOOD.http(GOOD.xml().replace(SOAP12.encode(), b"http://www.w3.org/2001/12/soap-envelope")))


@pytest.mark.parametrize("value", ["1", "true", " 1 "])
@pytest.mark.parametrize("namespace", [SOAP11, SOAP12])
def test_a_header_that_must_be_understood_and_is_not_is_named(value: str, namespace: str) -> None:
    message = GOOD.changed(soap=namespace, headers=f'<x:Odd xmlns:x="urn:x" s:mustUnderstand="{value}"/>')
    with pytest.raises(HeaderNotUnderstood, match="urn:x") as refused:
        soap.require_understood(soap.read(message.http()), ())
    assert "urn:x" in [name.namespace for name in refused.value.names]


@pytest.mark.parametrize(
    "attributes",
    ['s:mustUnderstand="0"', 's:mustUnderstand="false"', "", f's:mustUnderstand="1" s:role="{SOAP12}/role/none"'],
)
def test_a_header_that_need_not_be_understood_or_is_for_somebody_else_is_left_alone(attributes: str) -> None:
    envelope = soap.read(GOOD.changed(headers=f'<x:Odd xmlns:x="urn:x" {attributes}/>').http())
    understood = {str(header.tag) for header in envelope.headers if header.tag != "{urn:x}Odd"}
    soap.require_understood(envelope, understood)
    assert GOOD.headers == ""
    assert understood == {str(header.tag) for header in soap.read(GOOD.http()).headers}, "all others were looked at"


@pytest.mark.parametrize("role", ["next", "ultimateReceiver"])
def test_a_header_for_whoever_receives_it_is_ours(role: str) -> None:
    odd = f'<x:Odd xmlns:x="urn:x" s:mustUnderstand="1" s:role="{SOAP12}/role/{role}"/>'
    with pytest.raises(HeaderNotUnderstood):
        soap.require_understood(soap.read(GOOD.changed(headers=odd).http()), ())
