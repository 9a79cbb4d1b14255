"""The response that carries a token: written byte for byte as relying parties know it, cut as partners send it."""

import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sts.core.errors import InvalidSignInResponse, PayloadTooLarge
from sts.core.model import TokenFormat
from sts.crypto.xml import NS, parse
from sts.protocols import rstr
from tests.crypto.identities import NOW, certificate, private_key
from tests.protocols import wresults
from tests.protocols.wresults import SAML_MODULES, TRUST_13, TRUST_2005, encrypted, issued
from tests.tokens.assertions import TRUSTED
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

FORMATS = pytest.mark.parametrize("token_format", TokenFormat)
SAML = pytest.mark.parametrize("token_format", SAML_MODULES)
ASSERTIONS = {
    TokenFormat.SAML11: ("AssertionID", "urn:oasis:names:tc:SAML:1.0:assertion:Assertion"),
    TokenFormat.SAML20: ("ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"),
}

START = (
    '<t:RequestSecurityTokenResponse Context="{context}" xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust">'
    "<t:Lifetime>"
    '<wsu:Created xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">'
    "2026-11-21T22:00:00.000Z</wsu:Created>"
    '<wsu:Expires xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">'
    "2026-11-21T22:10:00.000Z</wsu:Expires></t:Lifetime>"
    '<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">'
    '<EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>https://orders.example/api/</Address>'
    "</EndpointReference></wsp:AppliesTo><t:RequestedSecurityToken>"
)
REFERENCE = (
    '<SecurityTokenReference d3p1:TokenType="{token_type}"'
    ' xmlns:d3p1="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"'
    ' xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">'
    '<KeyIdentifier ValueType="{value_type}">_0123456789abcdef0123456789abcdef</KeyIdentifier></SecurityTokenReference>'
)
END = (
    "<t:TokenType>{uri}</t:TokenType><t:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</t:RequestType>"
    "<t:KeyType>http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey</t:KeyType></t:RequestSecurityTokenResponse>"
)
PROFILE = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-"
KEY_IDENTIFIERS = {
    TokenFormat.SAML11: (f"{PROFILE}1.1#SAMLV1.1", f"{PROFILE}1.0#SAMLAssertionID"),
    TokenFormat.SAML20: (f"{PROFILE}1.1#SAMLV2.0", f"{PROFILE}1.1#SAMLID"),
}
NAMES = {
    TokenFormat.SWT: "uuid:01234567-89ab-cdef-0123-456789abcdef",
    TokenFormat.JWT: "_01234567-89ab-cdef-0123-456789abcdef-0123456789ABCDEF0123456789ABCDEF",
}


@SAML
def test_response_with_an_assertion_is_that_of_acs_byte_for_byte(token_format: TokenFormat) -> None:
    sample = issued(token_format)
    token_type, value_type = KEY_IDENTIFIERS[token_format]
    reference = REFERENCE.format(token_type=token_type, value_type=value_type)
    expected = (
        START.format(context="rm=0&amp;id=passive")
        + sample.token.decode()
        + f"</t:RequestedSecurityToken><t:RequestedAttachedReference>{reference}</t:RequestedAttachedReference>"
        + f"<t:RequestedUnattachedReference>{reference}</t:RequestedUnattachedReference>"
        + END.format(uri=token_format.uri)
    )
    assert rstr.feb2005(sample, "rm=0&id=passive").decode() == expected


@pytest.mark.parametrize("token_format", NAMES)
def test_response_with_another_token_is_that_of_acs_byte_for_byte(token_format: TokenFormat) -> None:
    sample = issued(token_format)
    written = rstr.feb2005(sample, "ctx").decode()
    expected = (
        START.format(context="ctx")
        + f'<wsse:BinarySecurityToken wsu:Id="{NAMES[token_format]}" ValueType="{token_format.uri}"'
        + ' EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"'
        + f' xmlns:wsu="{wresults.WSU}" xmlns:wsse="{wresults.WSSE}">TOKEN</wsse:BinarySecurityToken>'
        + "</t:RequestedSecurityToken>"
        + END.format(uri=token_format.uri)
    )
    encoded = re.search(r">([A-Za-z0-9+/=]+)</wsse:BinarySecurityToken>", written)
    assert encoded is not None
    assert b64decode(encoded.group(1), validate=True) == sample.token
    assert written.replace(encoded.group(1), "TOKEN") == expected


@FORMATS
def test_there_is_no_white_space_between_elements(token_format: TokenFormat) -> None:
    for element in etree.fromstring(rstr.feb2005(issued(token_format), "ctx")).iter():
        assert (element.text or "x").strip()
        assert element.tail is None


@SAML
def test_encrypted_assertion_stands_alone_and_nothing_refers_to_it(token_format: TokenFormat) -> None:
    sample = encrypted(token_format)
    written = rstr.feb2005(sample, None)
    assert b"<t:RequestedSecurityToken>" + sample.token + b"</t:RequestedSecurityToken><t:TokenType>" in written
    assert sample.id.encode() not in written
    assert b"Reference>" not in written.replace(b"EndpointReference>", b"").replace(b"SecurityTokenReference>", b"")
    root = "EncryptedAssertion" if token_format is TokenFormat.SAML20 else "EncryptedData"
    assert etree.QName(etree.fromstring(written).find(f"{{{TRUST_2005}}}RequestedSecurityToken")[0]).localname == root


@SAML
def test_assertion_inside_the_response_still_verifies(token_format: TokenFormat, tmp_path: Path) -> None:
    """Both as the very bytes, and as software that parses the response first writes the element out again."""
    written = rstr.feb2005(issued(token_format), 'a"b')
    proof = rstr.cut(written)
    assert proof.format is token_format
    assert SAML_MODULES[token_format].read(proof.token, TRUSTED, NOW).issuer == TRUSTED.issuer
    verify_with_xmlsec1(proof.token, certificate("rsa2048"), *ASSERTIONS[token_format], tmp_path)
    verify_with_xmlsec1(written, certificate("rsa2048"), *ASSERTIONS[token_format], tmp_path)


@SAML
def test_xmlsec1_decrypts_inside_the_response_and_verifies_what_comes_out(
    token_format: TokenFormat, tmp_path: Path
) -> None:
    decrypted = decrypt_with_xmlsec1(
        rstr.feb2005(encrypted(token_format), "ctx"), private_key("rsa2048", "rp"), tmp_path
    )
    verify_with_xmlsec1(decrypted, certificate("rsa2048"), *ASSERTIONS[token_format], tmp_path)


@pytest.mark.parametrize(
    "context",
    [
        pytest.param('"><script>alert(1)</script>', id="W16"),
        "a&b=c<d>'e'",
        "line\nbreak\r\n\tand tab",
        "é\U0001f600",
        "]]>",
    ],
)
def test_context_is_escaped_and_comes_back_unchanged(context: str) -> None:
    written = rstr.feb2005(issued(TokenFormat.SAML20), context)
    assert etree.fromstring(written).get("Context") == context
    assert b"<script" not in written


def test_realm_is_escaped() -> None:
    written = rstr.feb2005(issued(TokenFormat.SAML20)._replace(audience="https://a.example/?x=1&y=<2>"), None)
    address = etree.fromstring(written).find(f".//{{{NS['wsa']}}}Address")
    assert address is not None
    assert address.text == "https://a.example/?x=1&y=<2>"


def test_absent_context_is_no_attribute() -> None:
    assert etree.fromstring(rstr.feb2005(issued(TokenFormat.SWT), None)).attrib == {}


WRITERS = {
    "as AD FS": wresults.adfs,
    "as npm wsfed": wresults.bare,
    "WS-Trust 1.3": lambda assertion: wresults.bare(assertion, TRUST_13),
    "collection": wresults.collection,
    "token first": wresults.token_first,
    "white space": wresults.spacious,
    "inherited namespaces": wresults.inherited,
    "byte order mark": lambda assertion: "\ufeff" + wresults.bare(assertion),
}


@SAML
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_token_is_cut_from_what_other_software_writes(writer: Callable[[str], str], token_format: TokenFormat) -> None:
    token = issued(token_format).token
    proof = rstr.cut(writer(token.decode()).encode())
    assert proof.format is token_format
    assert etree.tostring(etree.fromstring(proof.token), method="c14n", exclusive=True) == token
    assert SAML_MODULES[token_format].read(proof.token, TRUSTED, NOW).claims


@SAML
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_encrypted_token_is_cut_without_a_format(writer: Callable[[str], str], token_format: TokenFormat) -> None:
    sealed = encrypted(token_format).token
    proof = rstr.cut(writer(sealed.decode()).encode())
    assert proof.format is None
    assert etree.tostring(etree.fromstring(proof.token), method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(sealed), method="c14n", exclusive=True
    )


def test_prefixes_of_values_are_declared_on_the_token_that_was_cut() -> None:
    assertion = (
        f'<saml:Assertion xmlns:saml="{NS["saml20"]}" ID="_a"><saml:AttributeValue xsi:type="xs:string">x'
        "</saml:AttributeValue></saml:Assertion>"
    )
    cut = parse(rstr.cut(wresults.inherited(assertion).encode()).token)
    assert cut.nsmap["xs"] == "http://www.w3.org/2001/XMLSchema"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_the_one_answer(body: bytes) -> None:
    with pytest.raises(InvalidSignInResponse) as refused:
        rstr.cut(body)
    assert refused.value.codes == "ACS20001: There was an error processing a WS-Federation sign-in response."


def test_response_above_the_limit_is_too_large() -> None:
    with pytest.raises(PayloadTooLarge):
        rstr.cut(b"<a>" + b"x" * 256 * 1024 + b"</a>")
