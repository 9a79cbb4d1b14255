"""The signature of a message: over Timestamp and Body, by the key of the one token, in one strict shape."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from sts.core.errors import InvalidSignature
from sts.core.exchange import CertificateProof
from sts.core.trust import Derivation, SecretKey
from sts.crypto.message_signature import verify_possession
from sts.protocols.wstrust.errors import BadEnvelope, BadSecurity
from tests.crypto.identities import NOW, certificate, rsa_key
from tests.protocols.wstrust.messages import (
    DS,
    ENCRYPTED,
    HMAC_SHA1,
    HMAC_SHA256,
    SAML,
    SAML11,
    SHA1,
    SOAP12,
    TO_TOKEN,
    WSU,
    TrustMessage,
    at,
    binary_token,
    by_rsa,
    by_secret,
    read_security,
    request,
    signed,
    username_token,
)
from tests.tools import sign_with_xmlsec1

USERNAME = TrustMessage(NOW, username_token("worker", "secret"), request("https://rp.example/"))
KEY = rsa_key("worker")
DER = certificate("rsa2048", "worker")
CERTIFICATE = USERNAME.changed(endpoint="certificate", token=binary_token(DER))
BEARER = USERNAME.changed(endpoint="issuedtoken-bearer", token=SAML)
SYMMETRIC = USERNAME.changed(endpoint="issuedtoken-symmetric", token=SAML)
SECRET = b"s" * 32
MANY = " ".join(f"p{number}" for number in range(17))
INCLUSIVE = '<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="{}"/>'
MINUTE = timedelta(minutes=1)


def reference(way: str) -> str:
    """A SecurityTokenReference in one way."""
    return f"<wsse:SecurityTokenReference>{way}</wsse:SecurityTokenReference>"


def test_a_message_that_its_certificates_key_signed_is_read_security() -> None:
    found = read_security(CERTIFICATE, signed(CERTIFICATE.xml(), by_rsa(KEY)))
    assert found.proof == CertificateProof(DER)
    assert found.possession is not None
    assert found.message.nonce is not None
    assert found.key_names == {"_signature", "_token"}


THUMBPRINT = b64encode(sha1(DER).digest()).decode()
REFERENCES = {
    "thumbprint": f'<wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1">{THUMBPRINT}</wsse:KeyIdentifier>',
    "issuer and serial": f'<ds:X509Data xmlns:ds="{DS}"/>',
    "direct": '<wsse:Reference URI="#_token"/>',
}


@pytest.mark.parametrize("way", REFERENCES.values(), ids=REFERENCES)
def test_a_key_may_be_referred_to_as_clients_do(way: str) -> None:
    info = reference(way)
    assert (
        read_security(CERTIFICATE, signed(CERTIFICATE.xml(), replace(by_rsa(KEY), key_info=info))).possession
        is not None
    )


@pytest.mark.parametrize(
    "info",
    [
        TO_TOKEN.replace("_token", "_0"),
        TO_TOKEN.replace("#_token", "http://evil.example/"),
        REFERENCES["thumbprint"]
        .join(("<wsse:SecurityTokenReference>", "</wsse:SecurityTokenReference>"))
        .replace(THUMBPRINT, "AAAA"),
        "<wsse:SecurityTokenReference/>",
        TO_TOKEN * 2,
        reference(f"<wsse:Embedded>{SAML.replace('_token', '_9')}</wsse:Embedded>"),
        '<ds:KeyName xmlns:ds="http://www.w3.org/2000/09/xmldsig#">x</ds:KeyName>',
    ],
)
def test_a_signature_that_refers_to_another_key_is_refused(info: str) -> None:
    with pytest.raises(BadSecurity):
        read_security(CERTIFICATE, signed(CERTIFICATE.xml(), replace(by_rsa(KEY), key_info=info)))


def test_a_signature_of_another_key_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        read_security(CERTIFICATE, signed(CERTIFICATE.xml(), by_rsa(rsa_key("mallory"))))


@pytest.mark.parametrize("references", [("_0",), ("_1",), ("_0", "_to")])
def test_timestamp_and_body_are_both_signed(references: tuple[str, ...]) -> None:
    with pytest.raises(BadSecurity, match="must cover"):
        read_security(CERTIFICATE, signed(CERTIFICATE.xml(), replace(by_rsa(KEY), references=references)))


def test_addressing_headers_and_the_token_may_be_signed_too() -> None:
    signing = replace(by_rsa(KEY), references=("_0", "_1", "_to", "_token"))
    assert read_security(CERTIFICATE, signed(CERTIFICATE.xml(), signing)).possession is not None


def wrapped(body: bytes) -> bytes:
    """The signed body moved into a header, and another in its place (T13)."""
    start = body.index(b"<s:Body")
    genuine = body[start : body.index(b"</s:Envelope>")]
    forged = genuine.replace(b'wsu:Id="_1"', b"").replace(b"rp.example", b"evil.example")
    without = body[:start] + body[body.index(b"</s:Envelope>") :]
    return without.replace(b"</s:Header>", b"<x:W xmlns:x='urn:x'>" + genuine + b"</x:W></s:Header>" + forged)


TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "T13 body in a header": wrapped,
    "T13 another id": lambda body: wrapped(body).replace(b"<s:Body>", b'<s:Body wsu:Id="_7">'),
    "another realm": lambda body: body.replace(b"https://rp.example/", b"https://evil.example/"),
    "a later end": lambda body: body.replace(at(NOW + 5 * MINUTE).encode(), at(NOW + 6 * MINUTE).encode()),
    "no references": lambda body: body[: body.index(b"<ds:Reference")] + body[body.rindex(b"</ds:Reference>") + 15 :],
    "two SignedInfo": lambda body: body.replace(b"</ds:SignedInfo>", b"</ds:SignedInfo><ds:SignedInfo/>"),
    "one reference twice": lambda body: body.replace(b'URI="#_0"', b'URI="#_1"'),
    "a reference elsewhere": lambda body: body.replace(b'URI="#_0"', b'URI="http://127.0.0.1:1/"'),
    "a reference to all": lambda body: body.replace(b'URI="#_0"', b'URI=""'),
    "an xpointer": lambda body: body.replace(b'URI="#_0"', b'URI="#xpointer(/)"'),
    "an empty value": lambda body: (
        body[: body.index(b"<ds:SignatureValue>")] + b"<ds:SignatureValue/>" + body[body.index(b"<ds:KeyInfo>") :]
    ),
    "elements in the value": lambda body: body.replace(b"</ds:SignatureValue>", b"<x/></ds:SignatureValue>"),
    "an object": lambda body: body.replace(b"</ds:Signature>", b"<ds:Object/></ds:Signature>"),
    "a truncated MAC": lambda body: body.replace(
        b'rsa-sha256"/>', b'rsa-sha256"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>'
    ),
    "the same ID twice": lambda body: body.replace(b"<s:Header>", b'<s:Header><x wsu:Id="_1"/>'),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_a_signed_message_that_was_changed_is_refused(tamper: Callable[[bytes], bytes]) -> None:
    body = tamper(signed(CERTIFICATE.xml(), by_rsa(KEY)))
    with pytest.raises((BadSecurity, InvalidSignature, BadEnvelope)):
        read_security(CERTIFICATE, body)


STR_TRANSFORM = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
LOOSENED: dict[str, dict[str, Any]] = {
    "rsa-sha1": {"method": f"{DS}rsa-sha1"},
    "a MAC for a public key": {"method": HMAC_SHA256},
    "no method": {"method": "urn:none"},
    "a SHA-1 digest": {"digest": SHA1},
    "inclusive c14n": {"canonicalisation": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
    "c14n with comments": {"canonicalisation": "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"},
    "inclusive transform": {"transform": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
    "STR-Transform": {"transform": STR_TRANSFORM},
    "XSLT": {"transform": "http://www.w3.org/TR/1999/REC-xslt-19991116"},
    "enveloped": {"transform": f"{DS}enveloped-signature"},
    "a parameter": {"in_transform": "<x/>"},
    "too many prefixes": {"in_transform": INCLUSIVE.format(MANY)},
    "no prefix": {"in_transform": INCLUSIVE.format("&lt;")},
    "a parameter with more in it": {
        "in_transform": INCLUSIVE.format("x").replace("/>", "><x/></ec:InclusiveNamespaces>")
    },
    "the name and password": {"references": ("_0", "_1", "_other")},
}


@pytest.mark.parametrize("changes", LOOSENED.values(), ids=LOOSENED)
def test_a_genuine_signature_of_a_looser_kind_is_refused(changes: dict[str, Any]) -> None:
    message = CERTIFICATE.changed(headers='<x wsu:Id="_other"/>')
    with pytest.raises(InvalidSignature):
        read_security(message, signed(message.xml(), replace(by_rsa(KEY), **changes)))


@pytest.mark.parametrize(("depth", "good"), [(49, True), (50, False)])
def test_a_part_with_inclusive_prefixes_is_not_nested_too_deep_to_be_canonicalised_quickly(
    depth: int, good: bool
) -> None:
    message = CERTIFICATE.changed(body="<x>" * depth + "</x>" * depth)
    body = signed(message.xml(), replace(by_rsa(KEY), in_transform=INCLUSIVE.format("wsu")))
    if good:
        assert read_security(message, body).possession is not None
        return
    with pytest.raises(InvalidSignature) as refused:
        read_security(message, body)
    assert "nested too deep" in (refused.value.detail or "")


def test_a_signature_where_none_is_taken_is_refused() -> None:
    with pytest.raises(BadSecurity, match="unsigned"):
        read_security(BEARER, signed(BEARER.xml(), by_secret(SECRET)))
    with pytest.raises(BadSecurity, match="unsigned"):
        read_security(USERNAME, signed(USERNAME.xml(), by_secret(SECRET)))


@pytest.mark.parametrize(("method", "digest"), [(HMAC_SHA256, "sha256"), (HMAC_SHA1, "sha1")])
def test_the_secret_key_of_a_token_signs_old_clients_by_sha1(method: str, digest: str) -> None:
    signing = by_secret(SECRET, method)
    if digest == "sha1":
        signing = replace(signing, digest=SHA1)
    found = read_security(SYMMETRIC, signed(SYMMETRIC.xml(), signing)).possession
    assert found is not None
    verify_possession(found, SecretKey(SECRET))
    with pytest.raises(InvalidSignature):
        verify_possession(found, SecretKey(b"t" * 32))


def test_a_key_derived_from_the_tokens_signs() -> None:
    sc = "http://schemas.xmlsoap.org/ws/2005/02/sc"
    derived = (
        f'<c:DerivedKeyToken xmlns:c="{sc}" wsu:Id="_dk">{TO_TOKEN}<c:Offset>0</c:Offset><c:Length>24</c:Length>'
        f"<c:Nonce>{b64encode(b'n' * 16).decode()}</c:Nonce></c:DerivedKeyToken>"
    )
    message = SYMMETRIC.changed(security=derived)
    signing = replace(by_secret(SECRET), key_info=TO_TOKEN.replace("_token", "_dk"))
    found = read_security(message, signed(message.xml(), signing)).possession
    assert found is not None
    assert found.derivation == Derivation(b"WS-SecureConversation" * 2, b"n" * 16, 0, 24)
    with pytest.raises(InvalidSignature):  # it was made with the key itself
        verify_possession(found, SecretKey(SECRET))
    with pytest.raises(BadSecurity, match="DerivedKeyToken"):
        read_security(message, signed(message.xml(), by_secret(SECRET)))


DERIVED = (
    '<c:DerivedKeyToken xmlns:c="http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512" wsu:Id="_dk"{0}>'
    + TO_TOKEN
    + "{1}</c:DerivedKeyToken>"
)
BAD_DERIVATIONS = {
    "another algorithm": DERIVED.format(' Algorithm="urn:x"', ""),
    "a length in words": DERIVED.format("", "<c:Length>many</c:Length>"),
    "a negative offset": DERIVED.format("", "<c:Offset>-1</c:Offset>"),
    "both places": DERIVED.format("", "<c:Offset>0</c:Offset><c:Generation>0</c:Generation>"),
    "something else": DERIVED.format("", "<c:Properties/>"),
    "another token": DERIVED.format("", "").replace("#_token", "#_0"),
    "two of them": DERIVED.format("", "") + DERIVED.format("", "").replace("_dk", "_dk2"),
}


@pytest.mark.parametrize("derived", BAD_DERIVATIONS.values(), ids=BAD_DERIVATIONS)
def test_a_derivation_of_another_shape_is_refused(derived: str) -> None:
    message = SYMMETRIC.changed(security=derived)
    signing = replace(by_secret(SECRET), key_info=TO_TOKEN.replace("_token", "_dk"))
    with pytest.raises(BadSecurity):
        read_security(message, signed(message.xml(), signing))


@pytest.mark.parametrize(
    ("token", "name", "good"),
    [(SAML, "_token", True), (SAML11, "_token", True), (SAML, "_other", False), (ENCRYPTED, "_hidden", True)],
)
def test_a_saml_key_identifier_names_the_token_where_that_can_be_seen(token: str, name: str, good: bool) -> None:
    info = reference(f"<wsse:KeyIdentifier ValueType='x#SAMLID'>{name}</wsse:KeyIdentifier>")
    message = SYMMETRIC.changed(token=token)
    body = signed(message.xml(), replace(by_secret(SECRET), key_info=info))
    if good:
        assert read_security(message, body).possession is not None
    else:
        with pytest.raises(BadSecurity):
            read_security(message, body)


def test_the_same_signed_parts_are_one_message_whatever_its_message_id() -> None:
    body = signed(CERTIFICATE.xml(), by_rsa(KEY))
    assert CERTIFICATE.message_id is not None
    again = read_security(CERTIFICATE, body.replace(CERTIFICATE.message_id.encode(), b"urn:uuid:another"))
    first = read_security(CERTIFICATE, body)
    assert again.message.nonce == first.message.nonce
    assert again.message.id != first.message.id


def test_a_message_that_xmlsec1_signed_is_read_security(tmp_path: Path) -> None:
    """The digests, with their prefixes of inclusive namespaces, are xmlsec1's own work."""
    prefixes = INCLUSIVE.format("s wsse a")
    template = signed(CERTIFICATE.xml(), replace(by_rsa(KEY), in_transform=prefixes))
    body = sign_with_xmlsec1(template, KEY, (f"{WSU}:Timestamp", f"{SOAP12}:Body"), tmp_path)
    assert body != template
    assert read_security(CERTIFICATE, body).possession is not None
