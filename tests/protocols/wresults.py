"""Responses that carry tokens: ours, and those of identity providers as other software writes them."""

from base64 import b64encode
from datetime import timedelta

from sts.core.exchange import IssuedToken
from sts.core.model import ContentEncryption, TokenFormat
from sts.crypto.signer import SoftwareSigner
from sts.tokens import jwt, saml11, saml20, swt
from tests.crypto.identities import certificate, signer
from tests.tokens.assertions import DESCRIPTOR

TRUST_2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
TRUST_13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

SAML_MODULES = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20}
SWT_DESCRIPTOR = DESCRIPTOR._replace(claims=tuple(c for c in DESCRIPTOR.claims if "," not in c.value))


def token(token_format: TokenFormat) -> bytes:
    """The sample token in a format."""
    if token_format is TokenFormat.SWT:
        return swt.write(SWT_DESCRIPTOR, SoftwareSigner.from_symmetric(bytes(range(32)), "key"))
    if token_format is TokenFormat.JWT:
        return jwt.write(DESCRIPTOR, signer("rsa2048"))
    return SAML_MODULES[token_format].write(DESCRIPTOR, signer("rsa2048"))


def issued(token_format: TokenFormat) -> IssuedToken:
    """The sample token as the mint hands it out."""
    return IssuedToken(
        token=token(token_format),
        format=token_format,
        id=DESCRIPTOR.id,
        audience=DESCRIPTOR.audience,
        issued_at=DESCRIPTOR.issued_at,
        expires_at=DESCRIPTOR.issued_at.replace(microsecond=0) + timedelta(minutes=10),
        relying_party="orders",
        principal="alice",
        credential_id=1,
    )


def encrypted(token_format: TokenFormat, owner: str = "rp") -> IssuedToken:
    """The sample assertion, encrypted to an owner's certificate."""
    plain = issued(token_format)
    recipient = certificate("rsa2048", owner)
    sealed = SAML_MODULES[token_format].encrypt(plain.token, recipient, ContentEncryption.AES256_CBC)
    return plain._replace(token=sealed, encrypted=True)


def adfs(assertion: str) -> str:
    """A response as AD FS writes it: everything there is, in the namespace of February 2005."""
    reference = (
        f'<o:SecurityTokenReference k:TokenType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"'
        f' xmlns:o="{WSSE}" xmlns:k="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd">'
        '<o:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">'
        "_a</o:KeyIdentifier></o:SecurityTokenReference>"
    )
    return (
        f'<t:RequestSecurityTokenResponse xmlns:t="{TRUST_2005}"><t:Lifetime>'
        f'<wsu:Created xmlns:wsu="{WSU}">2026-11-21T22:00:00.000Z</wsu:Created>'
        f'<wsu:Expires xmlns:wsu="{WSU}">2026-11-21T23:00:00.000Z</wsu:Expires></t:Lifetime>'
        '<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">'
        '<wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing">'
        "<wsa:Address>https://sts.example/contoso/</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
        f"<t:RequestedSecurityToken>{assertion}</t:RequestedSecurityToken>"
        f"<t:RequestedAttachedReference>{reference}</t:RequestedAttachedReference>"
        f"<t:RequestedUnattachedReference>{reference}</t:RequestedUnattachedReference>"
        "<t:TokenType>urn:oasis:names:tc:SAML:1.0:assertion</t:TokenType>"
        "<t:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</t:RequestType>"
        "<t:KeyType>http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey</t:KeyType>"
        "</t:RequestSecurityTokenResponse>"
    )


def bare(assertion: str, trust: str = TRUST_2005) -> str:
    """A response with nothing but its token, as npm `wsfed` writes it."""
    return (
        f'<t:RequestSecurityTokenResponse Context="undefined" xmlns:t="{trust}"><t:RequestedSecurityToken>{assertion}'
        "</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>"
    )


def token_first(assertion: str) -> str:
    """A response with the token before everything else, unprefixed."""
    return (
        f'<RequestSecurityTokenResponse xmlns="{TRUST_2005}"><RequestedSecurityToken>{assertion}'
        "</RequestedSecurityToken><TokenType>urn:oasis:names:tc:SAML:2.0:assertion</TokenType>"
        "<RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</RequestType></RequestSecurityTokenResponse>"
    )


def collection(assertion: str, count: int = 1) -> str:
    """A collection of WS-Trust 1.3."""
    return (
        f'<trust:RequestSecurityTokenResponseCollection xmlns:trust="{TRUST_13}">'
        + f"<trust:RequestSecurityTokenResponse><trust:RequestedSecurityToken>{assertion}"
        "</trust:RequestedSecurityToken></trust:RequestSecurityTokenResponse>"
        * count
        + "</trust:RequestSecurityTokenResponseCollection>"
    )


def spacious(assertion: str) -> str:
    """A declaration, line breaks and blanks wherever the signature does not mind."""
    return (
        f'\r\n<?xml version="1.0" encoding="utf-8"?>\r\n<t:RequestSecurityTokenResponse xmlns:t="{TRUST_2005}">\r\n'
        f"  <t:RequestedSecurityToken>\r\n    {assertion}\r\n  </t:RequestedSecurityToken>\r\n"
        "</t:RequestSecurityTokenResponse>\r\n"
    )


def inherited(assertion: str) -> str:
    """The assertion's own namespaces declared further up, as serialisers of whole documents do."""
    return bare(assertion).replace(
        "<t:RequestSecurityTokenResponse ",
        '<t:RequestSecurityTokenResponse xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ',
    )


def compact_token(text: bytes, value_type: str) -> str:
    """A BinarySecurityToken, which identity providers do not send."""
    return (
        f'<wsse:BinarySecurityToken xmlns:wsse="{WSSE}" ValueType="{value_type}">{b64encode(text).decode()}'
        "</wsse:BinarySecurityToken>"
    )
