"""XML Encryption towards relying parties: a fresh content key for every element, wrapped for one RSA certificate."""

from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache
from secrets import token_bytes
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1

from sts.core.errors import NoEncryptionCertificate
from sts.core.model import ContentEncryption
from sts.crypto.xml import NS, escape_text

RSA_OAEP: Final = NS["xenc"] + "rsa-oaep-mgf1p"
ELEMENT: Final = NS["xenc"] + "Element"

_CONTENT_KEY_BYTES = 32
_BLOCK_BYTES = 16
_GCM_NONCE_BYTES = 12
_METHODS = {
    ContentEncryption.AES256_CBC: NS["xenc"] + "aes256-cbc",
    ContentEncryption.AES256_GCM: NS["xenc11"] + "aes256-gcm",
}


class _Recipient(NamedTuple):
    """A certificate's key, and the hint that lets its owner find the private one."""

    key: RSAPublicKey
    hint: str


def encrypt(data: bytes, certificate: bytes, algorithm: ContentEncryption) -> bytes:
    """Encrypt a serialised element to a certificate (DER); answers an `xenc:EncryptedData` in UTF-8.

    The content key is wrapped with RSA-OAEP and SHA-1, the one key transport that every relying party reads. Raises
    NoEncryptionCertificate unless the certificate's key is RSA (XML Encryption 1.1, 4.1 and 5.5.2).
    """
    recipient = _recipient(certificate)
    content_key = token_bytes(_CONTENT_KEY_BYTES)
    wrapped = recipient.key.encrypt(content_key, OAEP(MGF1(SHA1()), SHA1(), None))  # noqa: S303 (OAEP needs no collision resistance)
    content = _CIPHERS[algorithm](content_key, data)
    return (
        f'<xenc:EncryptedData xmlns:xenc="{NS["xenc"]}" Type="{ELEMENT}">'
        f'<xenc:EncryptionMethod Algorithm="{_METHODS[algorithm]}"></xenc:EncryptionMethod>'
        f'<ds:KeyInfo xmlns:ds="{NS["ds"]}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{RSA_OAEP}">'
        f'<ds:DigestMethod Algorithm="{NS["ds"]}sha1"></ds:DigestMethod></xenc:EncryptionMethod>'
        f"{recipient.hint}{_cipher_data(wrapped)}</xenc:EncryptedKey></ds:KeyInfo>"
        f"{_cipher_data(content)}</xenc:EncryptedData>"
    ).encode()


def _cbc(key: bytes, data: bytes) -> bytes:
    padding = _BLOCK_BYTES - len(data) % _BLOCK_BYTES
    vector = token_bytes(_BLOCK_BYTES)
    encryptor = Cipher(AES(key), CBC(vector)).encryptor()
    return vector + encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()


def _gcm(key: bytes, data: bytes) -> bytes:
    nonce = token_bytes(_GCM_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, None)


_CIPHERS: dict[ContentEncryption, Callable[[bytes, bytes], bytes]] = {
    ContentEncryption.AES256_CBC: _cbc,
    ContentEncryption.AES256_GCM: _gcm,
}


def _cipher_data(value: bytes) -> str:
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
