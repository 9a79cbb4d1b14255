"""Tokens as elements of XML messages: written, referred to, and cut out unread (acs.md, 4.3, 4.4)."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.exchange import IssuedToken, TokenProof
from sts.core.model import TokenFormat
from sts.core.uris import JWT_TOKEN, SWT_TOKEN, WSS_SAML11_TOKEN, WSS_SAML20_TOKEN
from sts.crypto.pem import NotPem, from_base64
from sts.crypto.xml import NS, serialise

ENCRYPTED_ASSERTION: Final = f"{{{NS['saml20']}}}EncryptedAssertion"
SAML_ELEMENTS: Final[Mapping[str, TokenFormat | None]] = {  # None: only decrypting shows
    f"{{{NS['saml11']}}}Assertion": TokenFormat.SAML11,
    f"{{{NS['saml20']}}}Assertion": TokenFormat.SAML20,
    ENCRYPTED_ASSERTION: None,
    f"{{{NS['xenc']}}}EncryptedData": None,
}
BINARY_TOKEN: Final = f"{{{NS['wsse']}}}BinarySecurityToken"
BINARY_FORMATS: Final[Mapping[str, TokenFormat]] = {JWT_TOKEN: TokenFormat.JWT, SWT_TOKEN: TokenFormat.SWT}

_WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
_BASE64: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_REFERENCES: Final[Mapping[TokenFormat, tuple[str, str]]] = {  # token type, then value type of the key identifier
    TokenFormat.SAML11: (
        WSS_SAML11_TOKEN,
        "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID",
    ),
    TokenFormat.SAML20: (WSS_SAML20_TOKEN, "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID"),
}
_MAX_TOLD: Final = 200  # characters of what a stranger wrote


def cut_out(element: etree._Element) -> TokenProof:
    """Cut a token out of a message: an assertion, an encrypted one, or a BinarySecurityToken with a JWT or SWT.

    The answer is the element alone with the namespaces that it inherits, or the text of the JWT or SWT. Nothing is
    verified. Raises BadRequest for whatever is no token.
    """
    tag = str(element.tag)
    if tag in SAML_ELEMENTS:
        return TokenProof(SAML_ELEMENTS[tag], serialise(element))
    if tag != BINARY_TOKEN:
        raise BadRequest(f"{tag[:_MAX_TOLD]} is no token that this service reads")
    return _binary(element)


def binary_octets(element: etree._Element) -> bytes:
    """The octets of a BinarySecurityToken (WS-Security 1.1, 6.3); raises BadRequest."""
    encoding = element.get("EncodingType")
    if encoding is not None and encoding != _BASE64:
        raise BadRequest(f"the EncodingType of a BinarySecurityToken is {_BASE64}")
    if len(element):
        raise BadRequest("a BinarySecurityToken holds text only")
    try:
        return from_base64((element.text or "").encode())
    except NotPem as error:
        raise BadRequest(f"the BinarySecurityToken cannot be read: {error}") from error


def token_element(issued: IssuedToken) -> bytes:
    """The token as an XML element: SAML as it is, SWT and JWT in a BinarySecurityToken, base64 of their text."""
    if issued.format.is_saml:
        return issued.token
    return _binary_element(issued, f"_{issued.id}")


def acs_token_element(issued: IssuedToken) -> bytes:
    """The same with the IDs that ACS gave; the one of a SWT is none by the schema, as it holds a colon."""
    if issued.format.is_saml:
        return issued.token
    guid = f"{issued.id[:8]}-{issued.id[8:12]}-{issued.id[12:16]}-{issued.id[16:20]}-{issued.id[20:]}"
    name = f"uuid:{guid}" if issued.format is TokenFormat.SWT else f"_{guid}-{issued.id.upper()}"
    return _binary_element(issued, name)


def reference(issued: IssuedToken) -> str:
    """The SecurityTokenReference that means an assertion, by its ID (WSS SAML Token Profile 1.1, 3.4)."""
    token_type, value_type = _REFERENCES[issued.format]
    return (
        f'<SecurityTokenReference d3p1:TokenType="{token_type}" xmlns:d3p1="{_WSSE11}" xmlns="{NS["wsse"]}">'
        f'<KeyIdentifier ValueType="{value_type}">_{issued.id}</KeyIdentifier></SecurityTokenReference>'
    )


def _binary(element: etree._Element) -> TokenProof:
    value_type = element.get("ValueType") or ""
    if value_type not in BINARY_FORMATS:
        raise BadRequest(
            f"a BinarySecurityToken of ValueType '{value_type[:_MAX_TOLD]}' is no token that this service reads; it "
            f"reads {', '.join(BINARY_FORMATS)}"
        )
    return TokenProof(BINARY_FORMATS[value_type], binary_octets(element))


def _binary_element(issued: IssuedToken, name: str) -> bytes:
    start = (
        f'<wsse:BinarySecurityToken wsu:Id="{name}" ValueType="{issued.format.uri}" EncodingType="{_BASE64}"'
        f' xmlns:wsu="{_WSU}" xmlns:wsse="{NS["wsse"]}">'
    )
    return b"%b%b</wsse:BinarySecurityToken>" % (start.encode(), b64encode(issued.token))
