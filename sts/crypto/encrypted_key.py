"""Keys wrapped for the owner of a certificate, as what an xenc:EncryptedKey holds."""

from binascii import b2a_base64
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1

from sts.core.errors import NoEncryptionCertificate
from sts.crypto.encrypted_element import RSA_OAEP
from sts.crypto.xml import NS, escape_text

_METHOD: Final = (
    f'<xenc:EncryptionMethod Algorithm="{RSA_OAEP}">'
    f'<ds:DigestMethod Algorithm="{NS["ds"]}sha1"></ds:DigestMethod></xenc:EncryptionMethod>'
)
_SCHEME: Final = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303 (OAEP needs no collision resistance)


class _Recipient(NamedTuple):
    """A certificate's key, and the hint that lets its owner find the private one."""

    key: RSAPublicKey
    hint: str


def wrapped_key(key: bytes, certificate: bytes) -> str:
    """What an EncryptedKey holds for the owner of a certificate (DER), in canonical text.

    The prefixes `xenc` and `ds` are the caller's to declare, outside of it. Wrapped with RSA-OAEP and SHA-1, the one
    key transport that every relying party reads. Raises NoEncryptionCertificate unless the certificate's key is RSA
    (XML Encryption 1.1, 5.5.2).
    """
    recipient = _recipient(certificate)
    return f"{_METHOD}{recipient.hint}{cipher_data(recipient.key.encrypt(key, _SCHEME))}"


def cipher_data(value: bytes) -> str:
    """An xenc:CipherData with what was encrypted."""
    text = b2a_base64(value, newline=False).decode()
    return f"<xenc:CipherData><xenc:CipherValue>{text}</xenc:CipherValue></xenc:CipherData>"


@lru_cache(maxsize=4096)
def _recipient(der: bytes) -> _Recipient:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise NoEncryptionCertificate("An encryption certificate must have an RSA key.")
    issuer = escape_text(certificate.issuer.rfc4514_string())
    return _Recipient(
        key,
        f'<ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="{NS["wsse"]}"><ds:X509Data><ds:X509IssuerSerial>'
        f"<ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber>"
        "</ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference></ds:KeyInfo>",
    )
