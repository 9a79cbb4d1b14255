"""Simple Web Tokens (SWT 0.9.5.1): form-encoded claims under HMAC-SHA256, in the order and encoding of ACS."""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final
from urllib.parse import unquote_to_bytes

from sts.core.claims import names_actor
from sts.core.errors import (
    FormatNotOffered,
    InvalidAudience,
    InvalidSignature,
    InvalidSwtToken,
    NoSigningKey,
    UnwritableClaim,
)
from sts.core.exchange import Claimed, HolderPolicy, TokenDescriptor, TokenView, Trusted, VerificationKey, VerifiedToken
from sts.core.model import Claim, Kind, SignatureAlgorithm, TokenFormat, Use
from sts.core.ports import Signer
from sts.tokens.lifetime import Lifetime, check_lifetime
from sts.tokens.text import refuse_uncarriable

MAX_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 100
KEY_BYTES: Final = 32

_AUDIENCE = "Audience"
_EXPIRES_ON = "ExpiresOn"
_ISSUER = "Issuer"
_MAC = "HMACSHA256"
_RESERVED = {name.lower(): name for name in (_AUDIENCE, _EXPIRES_ON, _ISSUER, _MAC)}
_MAC_FIELD = f"&{_MAC}=".encode()

# .NET's HttpUtility.UrlEncode: lower-case escapes, a plus for the space.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!*()")
_ENCODED = tuple(chr(byte) if byte in _PLAIN else "+" if byte == 0x20 else f"%{byte:02x}" for byte in range(256))

# Partners' encoders leave different marks bare; none leaves the semicolon, a second separator of old form parsers.
_TEXT = rb"(?:[A-Za-z0-9\-_.!~*'()+/:@,$?]|%[0-9A-Fa-f]{2})"
_FIELD = re.compile(rb"(%b+)=(%b*)" % (_TEXT, _TEXT))
_INSTANT = re.compile(r"[1-9][0-9]{0,11}")
_LAST_INSTANT = 253_402_300_799  # 9999-12-31T23:59:59Z


def write(descriptor: TokenDescriptor, signer: Signer) -> bytes:
    """Build and sign a token; the claims of one type share one parameter, their values joined by commas.

    Raises UnwritableClaim, naming the claim type, for a value with a comma (it could not be told from two values), for
    a claim type that is empty or one of the token's own parameters in any case of letters, and for characters that
    no token may carry; NoSigningKey if the signer is not a symmetric key; FormatNotOffered for what it cannot say.
    """
    if signer.algorithm is not SignatureAlgorithm.HS256:
        raise NoSigningKey("A simple web token is signed with a symmetric key.")
    if descriptor.confirmation is not None or descriptor.actors:
        raise FormatNotOffered("A simple web token names neither a key nor who acts for its subject; ask for another.")
    text = _unsigned(descriptor).encode("ascii")
    mac = base64.b64encode(signer.sign(text)).decode("ascii")
    return text + _MAC_FIELD + _encode(mac).encode("ascii")


def read(token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify a token: shape, MAC, issuer, audience, times, in this order; its id is the MAC.

    `now` is aware UTC. A missing Audience is accepted only in the minimal form, which has no ExpiresOn either and
    needs `trusted.require_expiry` to be False. Raises InvalidSwtToken, InvalidSignature or InvalidAudience; the
    `detail` begins with what was wrong.
    """
    signed, mac = _split(token)
    key = _verifying_key(signed, mac, trusted.keys)
    content = _parse(signed)
    if trusted.holder_of_key is HolderPolicy.REQUIRED:
        raise _refusal("confirmation: a simple web token is for its bearer")
    if content.issuer != trusted.issuer:
        raise _refusal("issuer: not the trusted one")
    minimal = content.expires_at is None and content.audience is None and not trusted.require_expiry
    if trusted.audience is not None and content.audience != trusted.audience and not minimal:
        raise InvalidAudience("Audience validation failed.", detail="audience: missing or not ours")
    check_lifetime(Lifetime(None, content.expires_at), trusted, now, _refusal)
    return VerifiedToken(
        id=_mac_text(mac),
        issuer=content.issuer,
        audience=content.audience,
        not_before=None,
        expires_at=content.expires_at,
        claims=content.claims,
        key=key,
    )


def claimed(token: bytes) -> Claimed:
    """Who the token claims that issued it, and for whom; raises InvalidSwtToken if it has not the shape of one."""
    signed, _ = _split(token)
    content = _parse(signed)
    audiences = () if content.audience is None else (content.audience,)
    return Claimed(TokenFormat.SWT, content.issuer, audiences, partial(read, token))


def view(token: bytes) -> TokenView:
    """What the token says, unverified; raises InvalidSwtToken if it has not the shape of one."""
    signed, mac = _split(token)
    content = _parse(signed)
    return TokenView(
        format=TokenFormat.SWT,
        issuer=content.issuer,
        audience=content.audience,
        not_before=None,
        expires_at=content.expires_at,
        id=_mac_text(mac),
        claims=content.claims,
        algorithm=SignatureAlgorithm.HS256,
        key_hint=None,
    )


def _unsigned(descriptor: TokenDescriptor) -> str:
    values: dict[str, list[str]] = {}
    for claim in descriptor.claims:
        if "," in claim.value:
            raise UnwritableClaim(
                f"The claim {claim.type!a} has a value with a comma, which a simple web token cannot tell from "
                "two values."
            )
        values.setdefault(claim.type, []).append(claim.value)
    fields = [f"{_encode_type(claim_type)}={_encode(','.join(joined))}" for claim_type, joined in values.items()]
    claims = "&".join(fields)
    # Escapes that only suspicious characters have; most tokens have none of them.
    if "%0" in claims or "%1" in claims or "%ed" in claims or "%ef" in claims:
        refuse_uncarriable(descriptor.claims)
    own = (
        f"{_AUDIENCE}={_encode(descriptor.audience)}&{_EXPIRES_ON}={int(descriptor.expires_at.timestamp())}"
        f"&{_ISSUER}={_encode(descriptor.issuer)}"
    )
    return f"{claims}&{own}" if claims else own


@lru_cache(maxsize=1024)
def _encode_type(claim_type: str) -> str:
    if not claim_type or claim_type.lower() in _RESERVED or names_actor(claim_type):
        raise UnwritableClaim(f"A simple web token cannot carry a claim of the type {claim_type!a}.")
    return _encode(claim_type)


def _encode(text: str) -> str:
    return "".join([_ENCODED[byte] for byte in text.encode("utf-8", "surrogatepass")])


@dataclass(frozen=True, slots=True)
class _Content:
    issuer: str
    audience: str | None
    expires_at: datetime | None
    claims: tuple[Claim, ...]


def _split(token: bytes) -> tuple[bytes, bytes]:
    """Cut the token into the signed text and the MAC, which must come last and be written in one way only."""
    if len(token) > MAX_BYTES:
        raise _refusal(f"size: {len(token)} bytes")
    signed, separator, encoded = token.rpartition(_MAC_FIELD)
    if not separator or _FIELD.fullmatch(_MAC_FIELD[1:] + encoded) is None:
        raise _refusal(f"format: {_MAC} is not the last parameter")
    text = _decode(encoded)
    try:
        mac = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _refusal("format: the MAC is not base64") from error
    if _mac_text(mac) != text:
        raise _refusal("format: the base64 of the MAC is not canonical")
    return signed, mac


def _verifying_key(signed: bytes, mac: bytes, keys: Sequence[VerificationKey]) -> VerificationKey:
    for key in keys:
        if key.kind is not Kind.SYMMETRIC or key.use is not Use.SIGNING or len(key.material) != KEY_BYTES:
            continue
        if hmac.compare_digest(hmac.digest(key.material, signed, "sha256"), mac):
            return key
    raise InvalidSignature("Signature verification failed.", detail="signature: no trusted key made this MAC")


def _parse(signed: bytes) -> _Content:
    fields = _fields(signed)
    issuer = fields.pop(_ISSUER, None)
    if issuer is None:
        raise _refusal("issuer: missing")
    audience = fields.pop(_AUDIENCE, None)
    expires_on = fields.pop(_EXPIRES_ON, None)
    claims = tuple(Claim(name, value, issuer) for name, joined in fields.items() for value in joined.split(","))
    return _Content(issuer, audience, None if expires_on is None else _instant(expires_on), claims)


def _fields(signed: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    parts = signed.split(b"&", MAX_FIELDS)
    if len(parts) > MAX_FIELDS:
        raise _refusal(f"format: more than {MAX_FIELDS} parameters")
    for part in parts:
        match = _FIELD.fullmatch(part)
        if match is None:
            raise _refusal("format: a parameter is not form-encoded")
        name = _decode(match.group(1))
        if name in fields:
            raise _refusal("duplicate: a parameter occurs twice")
        if _RESERVED.get(name.lower(), name) != name or name == _MAC:
            raise _refusal("format: a reserved name in another case, or a second MAC")
        fields[name] = _decode(match.group(2))
    return fields


def _decode(encoded: bytes) -> str:
    try:
        return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal("format: the escapes are not UTF-8") from error


def _instant(text: str) -> datetime:
    if _INSTANT.fullmatch(text) is None or int(text) > _LAST_INSTANT:
        raise _refusal(f"time: {_EXPIRES_ON} is not a number of seconds")
    return datetime.fromtimestamp(int(text), UTC)


def _mac_text(mac: bytes) -> str:
    return base64.b64encode(mac).decode("ascii")


def _refusal(detail: str) -> InvalidSwtToken:
    return InvalidSwtToken("SWT token is invalid.", detail=detail)
