"""JSON Web Tokens (RFC 7519) under RS256, ES256/384/512 or HS256, and the access tokens of RFC 9068.

Read under PS256 too, which clients choose for RSA keys: the key decides the family, the token which of its members.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from json.encoder import encode_basestring_ascii as _quote
from typing import Final

import jwt

from sts.core.claims import JWT_NAMES, LITERAL_NAMES, LONG_NAMES, NAME_IDENTIFIER, names_actor
from sts.core.errors import InvalidAudience, InvalidCertificate, InvalidJwtToken, InvalidSignature, UnwritableClaim
from sts.core.exchange import Claimed, TokenDescriptor, TokenView, Trusted, VerificationKey, VerifiedToken
from sts.core.model import Claim, Kind, SignatureAlgorithm, TokenFormat, Use
from sts.core.ports import Signer
from sts.crypto import certificates
from sts.crypto.keys import PublicKey, require_strong
from sts.tokens import jwt_bonds, jwt_members
from sts.tokens.lifetime import Lifetime, check_lifetime
from sts.tokens.text import refuse_uncarriable

MAX_BYTES: Final = 16 * 1024
MAX_CANDIDATES: Final = 8
KEY_BYTES: Final = 32

_ACCESS_TOKEN = "at+jwt"
_QUOTED_NAMES = {long: _quote(short) for long, short in JWT_NAMES.items()}
_PS256 = "PS256"  # RFC 7518, 3.5
_ALGORITHMS = {algorithm.value: algorithm for algorithm in SignatureAlgorithm} | {_PS256: SignatureAlgorithm.RS256}
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_NEVER_CLAIMS = _REGISTERED | jwt_bonds.MEMBERS | {LITERAL_NAMES}  # when written

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TYPES = frozenset({"jwt", _ACCESS_TOKEN})
# Keys or key addresses in the message, extensions that change its meaning, and the marks of encryption.
_REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip"})
_CURVES = {
    "p256": SignatureAlgorithm.ES256,
    "p384": SignatureAlgorithm.ES384,
    "p521": SignatureAlgorithm.ES512,
}
_JWS = jwt.PyJWS(algorithms=list(_ALGORITHMS), options={"enforce_minimum_key_length": True})


def write(descriptor: TokenDescriptor, signer: Signer) -> bytes:
    """Build and sign a token in the compact form; several claims of one type become an array.

    Well-known claim types have ACS's short names, others their own; where such a short name is a claim type itself,
    `literal_names` has it. With the type `at+jwt` the one nameidentifier is
    also `sub` and `client_id` (RFC 9068, 2.2). Raises UnwritableClaim, naming the claim type, for a type that would
    take the place of a registered name, for two types that share a name, for characters that no token may carry, and
    for an `at+jwt` without exactly one nameidentifier.
    """
    header = _header(descriptor.jwt_type, signer.algorithm, signer.key_id)
    signing_input = header + b"." + _encode(_payload(descriptor).encode("ascii"))
    return signing_input + b"." + _encode(signer.sign(signing_input))


def read(token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify a token: shape, header, algorithm of the key, signature, issuer, audience, times, in this order.

    `now` is aware UTC. The id is `jti`, or a hash of the signed text where there is none. Raises InvalidJwtToken,
    InvalidSignature or InvalidAudience; the `detail` begins with what was wrong (RFC 7519, 7.2; RFC 8725, 3).
    """
    header, payload = _split(token)
    algorithm, hint = _check_header(header)
    key = _verify(token, algorithm, _candidates(trusted, algorithm, hint, now))
    members = jwt_members.parse(payload)
    content = _content(members)
    if content.issuer != trusted.issuer:
        raise _refusal("issuer: missing or not the trusted one")
    if trusted.audience is not None and content.audiences != (trusted.audience,):
        raise InvalidAudience("Audience validation failed.", detail="audience: missing or not ours alone")
    if content.issued_at is not None and content.issued_at > now + trusted.skew:
        raise _refusal("time: issued in the future")
    check_lifetime(content.lifetime, trusted, now, _refusal)
    return VerifiedToken(
        id=content.id or _encode(hashlib.sha256(token.rpartition(b".")[0]).digest()).decode("ascii"),
        issuer=content.issuer,
        audience=" ".join(content.audiences) or None,
        not_before=content.lifetime.not_before,
        expires_at=content.lifetime.expires_at,
        claims=content.claims,
        key=key,
        issued_at=content.issued_at,
        holder=jwt_bonds.holder(members, trusted.holder_of_key),
        actors=jwt_bonds.actors(members, content.issuer),
    )


def claimed(token: bytes) -> Claimed:
    """Who the token claims that issued it, and for whom; raises InvalidJwtToken if it has not the shape of one."""
    _, payload = _split(token)
    members = jwt_members.parse(payload)
    issuer, audiences = jwt_members.text(members, "iss"), jwt_members.audiences(members)
    return Claimed(TokenFormat.JWT, issuer, audiences, partial(read, token))


def view(token: bytes) -> TokenView:
    """What the token says, unverified; raises InvalidJwtToken if it has not the shape of one."""
    header, payload = _split(token)
    content = _content(jwt_members.parse(payload))
    hint, algorithm = header.get("kid", header.get("x5t")), header.get("alg")
    return TokenView(
        format=TokenFormat.JWT,
        id=content.id,
        issuer=content.issuer,
        audience=" ".join(content.audiences) or None,
        not_before=content.lifetime.not_before,
        expires_at=content.lifetime.expires_at,
        claims=content.claims,
        key_hint=hint if isinstance(hint, str) else None,
        algorithm=algorithm if isinstance(algorithm, str) else None,
    )


@lru_cache(maxsize=4096)
def _header(jwt_type: str, algorithm: SignatureAlgorithm, key_id: str) -> bytes:
    members = {"typ": jwt_type, "alg": algorithm}
    if algorithm is not SignatureAlgorithm.HS256:
        members["x5t"] = key_id
    members["kid"] = key_id
    return _encode(json.dumps(members, separators=(",", ":")).encode("ascii"))


def _payload(descriptor: TokenDescriptor) -> str:
    values: dict[str, list[str]] = {}
    for claim in descriptor.claims:
        values.setdefault(claim.type, []).append(_quote(claim.value))
    registered = (
        f'"aud":{_quote(descriptor.audience)},"iss":{_quote(descriptor.issuer)}'
        f',"nbf":{int(descriptor.not_before.timestamp())},"exp":{int(descriptor.expires_at.timestamp())}'
        f',"iat":{int(descriptor.issued_at.timestamp())},"jti":{_quote(descriptor.id)}'
    )
    members = [registered]
    if descriptor.jwt_type == _ACCESS_TOKEN:
        members.append(_subject(values))
    for claim_type, quoted in values.items():
        name = _QUOTED_NAMES.get(claim_type) or _own_name(claim_type, descriptor)
        members.append(f"{name}:{quoted[0]}" if len(quoted) == 1 else f"{name}:[{','.join(quoted)}]")
    literal = [_quote(claim_type) for claim_type in values if claim_type in LONG_NAMES]
    if literal:
        members.append(f'"{LITERAL_NAMES}":[{",".join(literal)}]')
    if descriptor.confirmation is not None or descriptor.actors:
        members += jwt_bonds.write(descriptor)
    payload = "{" + ",".join(members) + "}"
    if "\\" in payload:  # an escape may hide what no token may carry; most tokens have none
        refuse_uncarriable(descriptor.claims)
    return payload


def _own_name(claim_type: str, descriptor: TokenDescriptor) -> str:
    """The JSON name of a claim type that is none of the well-known ones."""
    if claim_type in _NEVER_CLAIMS or (claim_type == "client_id" and descriptor.jwt_type == _ACCESS_TOKEN):
        raise UnwritableClaim(f"The claim type {claim_type!a} is a registered name of JSON web tokens.")
    if names_actor(claim_type):
        raise UnwritableClaim(f"The claim type {claim_type!a} is the service's own: it says who acts for the subject.")
    long = LONG_NAMES.get(claim_type)
    if long is not None and any(claim.type == long for claim in descriptor.claims):
        raise UnwritableClaim(f"The claim types {claim_type!a} and {long!a} share a name in JSON web tokens.")
    return _quote(claim_type)


def _subject(values: Mapping[str, Sequence[str]]) -> str:
    """Who is meant: `sub` and `client_id`, which RFC 9068 (section 2.2) requires."""
    subjects = values.get(NAME_IDENTIFIER, ())
    if len(subjects) != 1:
        raise UnwritableClaim(
            f"An {_ACCESS_TOKEN} needs exactly one claim of the type {NAME_IDENTIFIER}; let a rule of the relying "
            "party give it, or use the type JWT."
        )
    return f'"sub":{subjects[0]},"client_id":{subjects[0]}'


def _encode(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


@dataclass(frozen=True, slots=True)
class _Candidate:
    key: VerificationKey
    algorithm: SignatureAlgorithm  # what the key signs with; of RSA keys also PS256 is read
    material: PublicKey | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Content:
    id: str | None
    issuer: str | None
    audiences: tuple[str, ...]
    issued_at: datetime | None
    lifetime: Lifetime
    claims: tuple[Claim, ...]


def _split(token: bytes) -> tuple[dict[str, object], bytes]:
    """Answer the members of the header, and the payload's bytes."""
    if len(token) > MAX_BYTES:
        raise _refusal(f"size: {len(token)} bytes")
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise _refusal("format: not three segments of base64url")
    header, payload, _ = (_decode(segment) for segment in match.groups())
    return jwt_members.parse(header), payload


def _decode(segment: bytes) -> bytes:
    try:
        data = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise _refusal("format: a segment is not base64url") from error
    if _encode(data) != segment:
        raise _refusal("format: the base64url of a segment is not canonical")
    return data


def _check_header(header: Mapping[str, object]) -> tuple[str, str | None]:
    """Answer the algorithm's name and the hint at the key; raises InvalidJwtToken."""
    refused = sorted(_REFUSED_HEADERS & header.keys())
    if refused:
        raise _refusal(f"header: {', '.join(refused)}")
    token_type = header.get("typ", "JWT")
    if not isinstance(token_type, str) or token_type.lower().removeprefix("application/") not in _TYPES:
        raise _refusal("typ: not an access token or assertion")
    hints = [header[name] for name in ("kid", "x5t") if name in header]
    for hint in hints:
        if not isinstance(hint, str) or _KEY_ID.fullmatch(hint) is None:
            raise _refusal("kid: not 1 to 64 letters, digits, dots, hyphens or underscores")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise _refusal("alg: missing or not allowed")
    return algorithm, str(hints[0]) if hints else None


def _candidates(trusted: Trusted, algorithm: str, hint: str | None, now: datetime) -> Sequence[_Candidate]:
    """The keys that may verify the token: fit for it, of its algorithm's family and, if it names one, of that name."""
    fit = [candidate for key in trusted.keys if (candidate := _fit(key, now)) is not None]
    if not fit:
        raise _unsigned("key: none is valid, for signing, of a known kind and large enough")
    same = [candidate for candidate in fit if candidate.algorithm is _ALGORITHMS[algorithm]]
    if not same:
        raise _refusal(f"alg: no trusted key is for {algorithm}")
    named = [candidate for candidate in same if hint is None or candidate.key.id in (hint, "")]
    if not named:
        raise _unsigned("kid: no trusted key has this name")
    return named[:MAX_CANDIDATES]


def _fit(key: VerificationKey, now: datetime) -> _Candidate | None:
    if key.use is not Use.SIGNING:
        return None
    if key.kind is Kind.SYMMETRIC:
        # Exactly the size of our keys: the text of a certificate can never become the secret of an HMAC.
        return _Candidate(key, SignatureAlgorithm.HS256, key.material) if len(key.material) == KEY_BYTES else None
    public = _public(key.material)
    if public is None or not public.not_before <= now <= public.not_after:
        return None
    return _Candidate(key, public.algorithm, public.material)


@dataclass(frozen=True, slots=True)
class _Public:
    algorithm: SignatureAlgorithm
    material: PublicKey
    not_before: datetime
    not_after: datetime


@lru_cache(maxsize=1024)
def _public(der: bytes) -> _Public | None:
    """The key of a certificate and what it is for; None for one that would not be imported today."""
    try:
        material = certificates.public_key(der)
        require_strong(material)
        certificate = certificates.parse(der)
    except InvalidCertificate:
        return None
    algorithm = _CURVES.get(certificate.key_type, SignatureAlgorithm.RS256)
    return _Public(algorithm, material, certificate.not_before, certificate.not_after)


def _verify(token: bytes, algorithm: str, candidates: Sequence[_Candidate]) -> VerificationKey:
    for candidate in candidates:
        try:
            _JWS.decode(token, candidate.material, [algorithm])
        except jwt.PyJWTError:
            continue
        return candidate.key
    raise _unsigned("signature: no trusted key made it")


def _content(members: Mapping[str, object]) -> _Content:
    issuer = jwt_members.text(members, "iss")
    lifetime = Lifetime(jwt_members.instant(members, "nbf"), jwt_members.instant(members, "exp"))
    return _Content(
        id=jwt_members.text(members, "jti"),
        issuer=issuer,
        audiences=jwt_members.audiences(members),
        issued_at=jwt_members.instant(members, "iat"),
        lifetime=lifetime,
        claims=tuple(_claims(members, issuer or "")),
    )


def _claims(members: Mapping[str, object], issuer: str) -> Iterator[Claim]:
    subject = jwt_members.text(members, "sub")
    told = members.get(LITERAL_NAMES)
    literal = told if isinstance(told, list) else []
    name = JWT_NAMES[NAME_IDENTIFIER]
    names = None if name in literal else members.get(name)
    if subject is not None and subject not in (names if isinstance(names, list) else [names]):
        yield Claim(NAME_IDENTIFIER, subject, issuer)
    for name, value in members.items():
        if name not in _REGISTERED and name != LITERAL_NAMES:
            values = value if isinstance(value, list) else [value]
            claim_type = name if name in literal else LONG_NAMES.get(name, name)
            yield from (Claim(claim_type, _text(one), issuer) for one in values if one is not None)


def _text(value: object) -> str:
    """A claim value as text: what is no string in JSON's own words."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise _refusal("format: a claim is nested too deep") from error


def _refusal(detail: str) -> InvalidJwtToken:
    return InvalidJwtToken("JWT token is invalid.", detail=detail)


def _unsigned(detail: str) -> InvalidSignature:
    return InvalidSignature("Signature verification failed.", detail=detail)
