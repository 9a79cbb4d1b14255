"""Finds the token in what people paste: the token itself, its base64url, or a whole answer that carries it."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from sts.core.errors import BadRequest, InvalidToken
from sts.core.exchange import TokenView
from sts.core.model import TokenFormat
from sts.core.ports import TokenFormat as Format
from sts.protocols import rstr
from sts.tokens import jwt, saml11, saml20, swt

FORMATS: Final[Mapping[TokenFormat, Format]] = {
    TokenFormat.SWT: swt,
    TokenFormat.JWT: jwt,
    TokenFormat.SAML11: saml11,
    TokenFormat.SAML20: saml20,
}
_JSON_MEMBER: Final = "access_token"  # OAuth 2.0 (RFC 6749, 5.1)
_TOKEN_FIELDS: Final = ("wrap_access_token", "wresult")  # OAuth WRAP 0.9; WS-Federation 1.2, 13.2.3
_FORMS: Final = (b"wrap_access_token", b"wa=", b"wresult=", b"wctx=")  # how a form with one of them begins
_JWS_DOTS: Final = 2


def find_token(pasted: bytes) -> tuple[bytes, TokenView]:
    """Answer the token's bytes and what it says, unverified; raises BadRequest, InvalidToken."""
    token = pasted.strip()
    if token.startswith(b"HTTP/"):
        token = token.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip()
    if token.startswith(b"{"):
        token = _member(token)
    elif token.startswith(_FORMS):
        fields = dict(parse_qsl(token.decode("ascii", "replace")))
        token = next((fields[name].strip().encode() for name in _TOKEN_FIELDS if name in fields), b"")
    token = _unwrapped(token)
    return _viewed((rstr.carried(token) if token.startswith(b"<") else None) or token)


def _viewed(token: bytes) -> tuple[bytes, TokenView]:
    if token.startswith(b"<"):
        try:
            return token, saml20.view(token)
        except InvalidToken as error:
            return token, _saml11(token, error)
    if b"HMACSHA256=" in token:
        return token, swt.view(token)
    if token.count(b".") == _JWS_DOTS:
        return token, jwt.view(token)
    raise BadRequest("this is no SWT, JWT or SAML assertion, nor an answer that carries one")


def _saml11(token: bytes, otherwise: InvalidToken) -> TokenView:
    """What a SAML 1.1 assertion says; of two refusals the one that is about more than the version counts."""
    try:
        return saml11.view(token)
    except InvalidToken as error:
        wrong_version = (error.detail or "").startswith("root: ")
        raise (otherwise if wrong_version else error) from None


def _member(answer: bytes) -> bytes:
    try:
        members = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise BadRequest("this begins like JSON and is none", detail=str(error)) from error
    token = members.get(_JSON_MEMBER)
    if not isinstance(token, str):
        raise BadRequest(f"the answer has no {_JSON_MEMBER}")
    return token.strip().encode("utf-8", "replace")


def _unwrapped(token: bytes) -> bytes:
    """An assertion out of its base64url (RFC 8693 answers carry SAML so)."""
    try:
        decoded = base64.b64decode(token + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return token
    return decoded if decoded.lstrip().startswith(b"<") else token
