"""Software keys behind the core's Signer port."""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sts.core.errors import KeyUnreadable
from sts.core.model import SignatureAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

SYMMETRIC_KEY_SIZE: Final = 32

_CURVES: Final[dict[str, tuple[SignatureAlgorithm, hashes.HashAlgorithm]]] = {
    "secp256r1": (SignatureAlgorithm.ES256, hashes.SHA256()),
    "secp384r1": (SignatureAlgorithm.ES384, hashes.SHA384()),
    "secp521r1": (SignatureAlgorithm.ES512, hashes.SHA512()),
}


@dataclass(frozen=True, slots=True, eq=False)
class SoftwareSigner:
    """A key in this process's memory that signs; nothing it shows of itself holds the key."""

    algorithm: SignatureAlgorithm
    key_id: str
    certificate: bytes | None = field(repr=False)
    _sign: Callable[[bytes], bytes] = field(repr=False)

    @classmethod
    def from_private_key(cls, key: PrivateKey, certificate: bytes) -> Self:
        """The signer of a private key and its DER certificate; raises KeyUnreadable when they are not a pair."""
        spki = _public_bytes(x509.load_der_x509_certificate(certificate).public_key())
        if _public_bytes(key.public_key()) != spki:
            raise KeyUnreadable("the private key is not that of the certificate")
        thumbprint = hashlib.sha1(certificate, usedforsecurity=False).digest()
        key_id = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode("ascii")
        algorithm, sign = _rsa(key) if isinstance(key, rsa.RSAPrivateKey) else _ecdsa(key)
        return cls(algorithm, key_id, certificate, sign)

    @classmethod
    def from_symmetric(cls, key: bytes, key_id: str) -> Self:
        """The signer of a 256-bit symmetric key; raises KeyUnreadable when it has another size."""
        if len(key) != SYMMETRIC_KEY_SIZE:
            raise KeyUnreadable(f"a symmetric key has {SYMMETRIC_KEY_SIZE} bytes, this one {len(key)}")

        def sign(data: bytes) -> bytes:
            return hmac.digest(key, data, "sha256")

        return cls(SignatureAlgorithm.HS256, key_id, None, sign)

    def sign(self, data: bytes) -> bytes:
        """Sign the data; ECDSA answers r || s (RFC 7518, 3.4), HS256 the 32 bytes of the MAC."""
        return self._sign(data)


def require_signing(key: PrivateKey, certificate: bytes) -> None:
    """Sign something and verify it under the DER certificate; raises KeyUnreadable when that fails."""
    probe = os.urandom(32)
    public = x509.load_der_x509_certificate(certificate).public_key()
    try:
        if isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            public.verify(
                key.sign(probe, padding.PKCS1v15(), hashes.SHA256()), probe, padding.PKCS1v15(), hashes.SHA256()
            )
            return
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(key.sign(probe, ec.ECDSA(hashes.SHA256())), probe, ec.ECDSA(hashes.SHA256()))
            return
    except InvalidSignature as error:
        raise KeyUnreadable("what the stored private key signs does not verify") from error
    raise KeyUnreadable("the private key is not that of the certificate")


def private_key_bytes(key: PrivateKey) -> bytes:
    """The private key as unencrypted PKCS#8 DER, to be sealed at once."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(der: bytes) -> PrivateKey:
    """The private key of PKCS#8 DER that this service sealed; raises KeyUnreadable.

    RSA keys were checked when they came in and are authenticated by their seal; checking the primes again would
    cost tens of milliseconds for each.
    """
    try:
        key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable("the stored private key is not PKCS#8") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyUnreadable("the stored private key is neither RSA nor on an elliptic curve")
    return key


def _public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _rsa(key: rsa.RSAPrivateKey) -> tuple[SignatureAlgorithm, Callable[[bytes], bytes]]:
    raw, scheme, digest = key.sign, padding.PKCS1v15(), hashes.SHA256()

    def sign(data: bytes) -> bytes:
        return raw(data, scheme, digest)

    return SignatureAlgorithm.RS256, sign


def _ecdsa(key: ec.EllipticCurvePrivateKey) -> tuple[SignatureAlgorithm, Callable[[bytes], bytes]]:
    if key.curve.name not in _CURVES:
        raise KeyUnreadable(f"no signature algorithm is defined for the curve {key.curve.name}")
    algorithm, digest = _CURVES[key.curve.name]
    raw, scheme, size = key.sign, ec.ECDSA(digest, deterministic_signing=True), (key.curve.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(raw(data, scheme))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return algorithm, sign
