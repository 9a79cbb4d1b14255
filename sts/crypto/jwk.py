"""Public keys as JSON Web Keys (RFC 7517, RFC 7518)."""

from base64 import urlsafe_b64encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from sts.core.errors import InvalidCertificate
from sts.core.model import SignatureAlgorithm
from sts.crypto.certificates import public_key

_CURVES: Final = {
    "secp256r1": ("P-256", SignatureAlgorithm.ES256),
    "secp384r1": ("P-384", SignatureAlgorithm.ES384),
    "secp521r1": ("P-521", SignatureAlgorithm.ES512),
}


def public_members(certificate: bytes) -> dict[str, str]:
    """The members that say what the key of a DER certificate is: `kty`, `alg`, and `n`, `e` or `crv`, `x`, `y`.

    Raises InvalidCertificate for a key that is neither RSA nor on P-256, P-384 or P-521 (RFC 7518, 6.2 and 6.3).
    """
    key = public_key(certificate)
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
