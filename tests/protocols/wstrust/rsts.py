"""Requests for tokens as clients write them, of which a test changes one part."""

from base64 import b64encode

import pytest
from lxml import etree

from sts.core.model import TokenFormat
from sts.core.trust import KeyKind, TrustAction, TrustRequest
from sts.crypto.xml import parse
from sts.protocols.wstrust import rst
from sts.protocols.wstrust.names import (
    FEBRUARY_2005,
    TRUST_14,
    WS_TRUST_13,
    WSA10,
    WSP2004,
    WSSE,
    WSU,
    X509_V3,
    Dialect,
)
from tests.protocols.wresults import issued

DIALECTS = pytest.mark.parametrize("dialect", [WS_TRUST_13, FEBRUARY_2005], ids=lambda dialect: str(dialect.path))
REALM = "https://orders.example/api/"
NONCE = bytes(range(32))
IDENTITY = "http://schemas.xmlsoap.org/ws/2005/05/identity"
AUTHORIZATION = "http://docs.oasis-open.org/wsfed/authorization/200706"
STATUS = "/RSTR/Status"
SAML20 = issued(TokenFormat.SAML20).token.decode()
SAML11 = issued(TokenFormat.SAML11).token.decode().replace("_0123", "_4123")  # beside the other, of another ID


def document(body: str, dialect: Dialect, security: str = "") -> bytes:
    """A message with this in its body and its security header, every namespace declared at the top."""
    return (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="{dialect.namespace}"'
        f' xmlns:wsp="{WSP2004}" xmlns:wsa="{WSA10}" xmlns:wsu="{WSU}" xmlns:wsse="{WSSE}" xmlns:t14="{TRUST_14}"'
        f' xmlns:ic="{IDENTITY}" xmlns:auth="{AUTHORIZATION}" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
        f"<s:Header><wsse:Security>{security}</wsse:Security></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def content(message: bytes) -> etree._Element:
    """What the body of a message holds."""
    found = parse(message).find("./{*}Body/*")
    assert found is not None
    return found


def parameter(name: str, text: str) -> str:
    """A parameter of the dialect's own."""
    return f"<t:{name}>{text}</t:{name}>"


def key_type(dialect: Dialect, kind: KeyKind) -> str:
    """The KeyType of a kind."""
    return parameter("KeyType", dialect.key_type(kind))


def applies_to(address: str = REALM) -> str:
    """For whom the token is."""
    return (
        f"<wsp:AppliesTo><wsa:EndpointReference><wsa:Address>{address}</wsa:Address></wsa:EndpointReference>"
        "</wsp:AppliesTo>"
    )


def request(dialect: Dialect, *parts: str, action: str = "Issue", context: str = "") -> str:
    """A RequestSecurityToken of these parts and a RequestType."""
    kind = f"<t:RequestType>{dialect.namespace}/{action}</t:RequestType>"
    return f"<t:RequestSecurityToken{context}>{kind}{''.join(parts)}</t:RequestSecurityToken>"


def read(dialect: Dialect, *parts: str, security: str = "", signing: frozenset[str] = frozenset()) -> TrustRequest:
    """What a request to issue, of these parts and an AppliesTo, is read as."""
    body = request(dialect, applies_to(), *parts)
    return rst.parse(content(document(body, dialect, security)), dialect, signing)[0]


def read_action(dialect: Dialect, action: TrustAction, *parts: str, security: str = "") -> TrustRequest:
    """What a request for another action, of these parts, is read as."""
    body = request(dialect, *parts, action=action)
    return rst.parse(content(document(body, dialect, security)), dialect)[0]


def entropy(dialect: Dialect, octets: bytes = NONCE, kind: str = "Nonce") -> str:
    """The caller's part of a key."""
    secret = b64encode(octets).decode()
    return f'<t:Entropy><t:BinarySecret Type="{dialect.namespace}/{kind}">{secret}</t:BinarySecret></t:Entropy>'


def x509_token(certificate: bytes, name: str = "X509-1") -> str:
    """A certificate in a BinarySecurityToken."""
    return (
        f'<wsse:BinarySecurityToken wsu:Id="{name}" ValueType="{X509_V3}">{b64encode(certificate).decode()}'
        "</wsse:BinarySecurityToken>"
    )


def reference_to(name: str) -> str:
    """A SecurityTokenReference to an ID within the message."""
    return f'<wsse:SecurityTokenReference><wsse:Reference URI="#{name}"/></wsse:SecurityTokenReference>'
