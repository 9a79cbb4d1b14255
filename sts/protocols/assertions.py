"""Assertions in the forms of the OAuth endpoints: cut out, never read (RFC 7521, 7522 and 7523; acs.md, 3.6)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from sts.core.errors import AuthenticationFailed, BadRequest, InvalidSamlToken, InvalidToken, UnsupportedGrant
from sts.core.exchange import ClientAssertion, TokenProof
from sts.core.model import TokenFormat
from sts.core.uris import SAML11_TOKEN, SAML20_TOKEN, SWT_TOKEN
from sts.protocols.http import Form

CLIENT_CREDENTIALS: Final = "client_credentials"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SAML20_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
SAML11_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml1_1-bearer"
_DRAFT_JWT_BEARER: Final = "http://oauth.net/grant_type/jwt/1.0/bearer"
_JWT_CLIENT: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SAML20_CLIENT: Final = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"

Decode = Callable[[str], TokenProof]


def _as_it_is(token_format: TokenFormat, text: str) -> TokenProof:
    return TokenProof(token_format, text.encode())


def _base64url(token_format: TokenFormat, text: str) -> TokenProof:
    """Undo base64url (RFC 7522, 2.1); padding, and the alphabet of plain base64, are what some clients send."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        token = urlsafe_b64decode(plain.encode("ascii") + b"=" * (-len(plain) % 4))
    except (Error, UnicodeEncodeError) as error:
        raise InvalidSamlToken("SAML token is invalid.", detail="format: not base64url") from error
    if urlsafe_b64encode(token).decode().rstrip("=") != plain:
        raise InvalidSamlToken("SAML token is invalid.", detail="format: not canonical base64url")
    return TokenProof(token_format, token)


GRANTS: Final[Mapping[str, Decode]] = {  # of oauth2/token
    JWT_BEARER: partial(_as_it_is, TokenFormat.JWT),
    SAML20_BEARER: partial(_base64url, TokenFormat.SAML20),
    SAML11_BEARER: partial(_base64url, TokenFormat.SAML11),
    SWT_TOKEN: partial(_as_it_is, TokenFormat.SWT),
}
ACS_GRANTS: Final[Mapping[str, Decode]] = {
    SAML20_TOKEN: partial(_as_it_is, TokenFormat.SAML20),
    SAML11_TOKEN: partial(_as_it_is, TokenFormat.SAML11),
    SWT_TOKEN: partial(_as_it_is, TokenFormat.SWT),
    JWT_BEARER: partial(_as_it_is, TokenFormat.JWT),
    _DRAFT_JWT_BEARER: partial(_as_it_is, TokenFormat.JWT),
}
_CLIENT_ASSERTIONS: Final[Mapping[str, Decode]] = {
    _JWT_CLIENT: partial(_as_it_is, TokenFormat.JWT),
    _SAML20_CLIENT: partial(_base64url, TokenFormat.SAML20),
}


def assertion(form: Form, grants: Mapping[str, Decode]) -> TokenProof:
    """The assertion of a request, by its grant type; raises MissingField, UnsupportedGrant or InvalidToken."""
    grant = form.single("grant_type")
    if grant not in grants:
        raise UnsupportedGrant(
            f"the grant type is not supported; this endpoint knows {CLIENT_CREDENTIALS}, {', '.join(grants)}"
        )
    return grants[grant](form.single("assertion"))


def client_assertion(form: Form) -> ClientAssertion | None:
    """The token with which the client authenticates, None if there is none (RFC 7521, 4.2).

    Raises MissingField, BadRequest or AuthenticationFailed.
    """
    if form.optional("client_assertion") is None and form.optional("client_assertion_type") is None:
        return None
    text, kind = form.single("client_assertion"), form.single("client_assertion_type")
    if kind not in _CLIENT_ASSERTIONS:
        raise BadRequest(f"client_assertion_type is none of {', '.join(_CLIENT_ASSERTIONS)}")
    try:
        proof = _CLIENT_ASSERTIONS[kind](text)
    except InvalidToken as error:
        raise AuthenticationFailed(detail=f"client assertion: {error.detail}") from error
    if proof.format is None:
        raise BadRequest("a client assertion has one format")
    return ClientAssertion(proof.format, proof.token, form.optional("client_id"))
