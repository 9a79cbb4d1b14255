"""Public keys as JSON Web Keys (RFC 7517, RFC 7518)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sts.core.errors import BadRequest, InvalidCertificate
from sts.core.model import SignatureAlgorithm
from sts.crypto.certificates import public_key
from sts.crypto.keys import RSA_MAXIMUM, PublicKey, require_strong

_CURVES: Final = {
    "secp256r1": ("P-256", SignatureAlgorithm.ES256),
    "secp384r1": ("P-384", SignatureAlgorithm.ES384),
    "secp521r1": ("P-521", SignatureAlgorithm.ES512),
}
_CURVES_BY_NAME: Final = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_SECRETS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_TEXT = re.compile(rf"[A-Za-z0-9_-]{{1,{RSA_MAXIMUM // 6 + 1}}}")


def public_members(certificate: bytes) -> dict[str, str]:
    """The members that say what the key of a DER certificate is: `kty`, `alg`, and `n`, `e` or `crv`, `x`, `y`.

    Raises InvalidCertificate for a key that is neither RSA nor on P-256, P-384 or P-521 (RFC 7518, 6.2 and 6.3).
    """
    return _members(public_key(certificate))


def spki_members(spki: bytes) -> dict[str, str]:
    """The same of a DER SubjectPublicKeyInfo, without an `alg`: what the key may do is not said."""
    key = load_der_public_key(spki)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise InvalidCertificate("the key is neither RSA nor on a curve")
    return {name: value for name, value in _members(key).items() if name != "alg"}


def spki(members: object) -> bytes:
    """The key of a public JWK as DER SubjectPublicKeyInfo; raises BadRequest unless it is one, and strong enough."""
    if not isinstance(members, Mapping) or _SECRETS & members.keys():
        raise BadRequest("the JWK is not a public key")
    try:
        key = _key(members)
        require_strong(key)
    except (InvalidCertificate, UnsupportedAlgorithm, ValueError) as error:
        raise BadRequest(f"the JWK cannot be used: {error}") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key(members: Mapping[str, object]) -> PublicKey:
    kind, curve = members.get("kty"), members.get("crv")
    if kind == "RSA":
        return rsa.RSAPublicNumbers(_number(members, "e"), _number(members, "n")).public_key()
    if kind == "EC" and isinstance(curve, str) and curve in _CURVES_BY_NAME:
        x, y = _number(members, "x"), _number(members, "y")
        return ec.EllipticCurvePublicNumbers(x, y, _CURVES_BY_NAME[curve]).public_key()
    raise ValueError("it is neither RSA nor on P-256, P-384 or P-521")


def _number(members: Mapping[str, object], name: str) -> int:
    text = members.get(name)
    if not isinstance(text, str) or _TEXT.fullmatch(text) is None:
        raise ValueError(f"{name} is not base64url")
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _members(key: PublicKey) -> dict[str, str]:
    if isinstance(key, rsa.RSAPublicKey):
        public = key.public_numbers()
        return {"kty": "RSA", "alg": SignatureAlgorithm.RS256, "n": _shortest(public.n), "e": _shortest(public.e)}
    if key.curve.name not in _CURVES:
        raise InvalidCertificate(f"the curve {key.curve.name} has no name in JWK")
    curve, algorithm = _CURVES[key.curve.name]
    size, point = (key.key_size + 7) // 8, key.public_numbers()
    return {"kty": "EC", "alg": algorithm, "crv": curve, "x": _octets(point.x, size), "y": _octets(point.y, size)}


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _shortest(value: int) -> str:
    return _octets(value, (value.bit_length() + 7) // 8)


def _octets(value: int, size: int) -> str:
    return base64url(value.to_bytes(size, "big"))
