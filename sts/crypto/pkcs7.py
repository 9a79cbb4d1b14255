"""PKCS#7 as a bag of certificates (RFC 5652, 5: SignedData that nobody signed)."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7


def certificates_only(certificates: Sequence[bytes]) -> bytes:
    """The DER of a PKCS#7 message that carries these DER certificates and nothing else; at least one."""
    return pkcs7.serialize_certificates([x509.load_der_x509_certificate(each) for each in certificates], Encoding.DER)
