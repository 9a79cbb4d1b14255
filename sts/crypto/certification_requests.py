"""PKCS#10 certification requests, read by strict rules (RFC 2986)."""

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sts.core.errors import InvalidCertificate
from sts.crypto import asn1
from sts.crypto.keys import PublicKey, require_strong

SIZE_LIMIT: Final = 10_240  # bytes

_DIGESTS: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """What a request proves and asks for; the extensions and attributes that it wishes for are not read."""

    public_key: PublicKey = field(repr=False)
    common_names: tuple[str, ...]


def load(der: bytes) -> CertificationRequest:
    """The one request that is all of the data, once its signature proves that its sender holds the private key.

    Raises InvalidCertificate for anything else, for a weak key and for a signature with SHA-1 or MD5.
    """
    if len(der) > SIZE_LIMIT:
        raise InvalidCertificate(f"a certification request has at most {SIZE_LIMIT} bytes")
    request = _decode(der)
    key = _public_key(request)
    require_strong(key)
    _require_possession(request)
    return CertificationRequest(key, _common_names(request))


def _decode(der: bytes) -> x509.CertificateSigningRequest:
    try:
        asn1.element(der)
        return x509.load_der_x509_csr(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidCertificate("this is not a PKCS#10 certification request", detail=str(error)) from error


def _public_key(request: x509.CertificateSigningRequest) -> PublicKey:
    try:
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidCertificate("the key of the certification request cannot be read", detail=str(error)) from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise InvalidCertificate("the key of the certification request is neither RSA nor ECDSA")
    return key


def _require_possession(request: x509.CertificateSigningRequest) -> None:
    try:
        if not isinstance(request.signature_hash_algorithm, _DIGESTS):
            raise InvalidCertificate("the certification request must be signed with SHA-256, SHA-384 or SHA-512")
        proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidCertificate(
            "the certification request is signed with an algorithm that does not fit its key", detail=str(error)
        ) from error
    if not proven:
        raise InvalidCertificate("the signature of the certification request is not that of its key")


def _common_names(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        attributes = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError as error:
        raise InvalidCertificate("the subject of the certification request is malformed", detail=str(error)) from error
    return tuple(str(attribute.value) for attribute in attributes)
