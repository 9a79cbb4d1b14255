"""XML Encryption: to relying parties under a fresh content key, from identity providers with any of our keys."""

from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from sts.core.errors import InvalidEncryptedToken, InvalidToken
from sts.core.model import ContentEncryption
from sts.core.ports import Decrypter
from sts.crypto.decoy import decoy, verify_decoy
from sts.crypto.encrypted_element import CONTENT_METHODS, ELEMENT, EncryptedElement, cut
from sts.crypto.encrypted_key import cipher_data, wrapped_key
from sts.crypto.xml import NS
from sts.crypto.xmldsig import require_signed_assertion

_CONTENT_KEY_BYTES: Final = 32
_BLOCK_BYTES = 16
_GCM_NONCE_BYTES = 12


def encrypt(data: bytes, certificate: bytes, algorithm: ContentEncryption) -> bytes:
    """Encrypt a serialised element to a certificate (DER); answers an `xenc:EncryptedData` in UTF-8.

    The content key is fresh. Raises NoEncryptionCertificate unless the certificate's key is RSA (XML Encryption 1.1,
    4.1).
    """
    content_key = token_bytes(_CONTENT_KEY_BYTES)
    wrapped = wrapped_key(content_key, certificate)
    content = _CIPHERS[algorithm](content_key, data)
    return (
        f'<xenc:EncryptedData xmlns:xenc="{NS["xenc"]}" Type="{ELEMENT}">'
        f'<xenc:EncryptionMethod Algorithm="{CONTENT_METHODS[algorithm]}"></xenc:EncryptionMethod>'
        f'<ds:KeyInfo xmlns:ds="{NS["ds"]}"><xenc:EncryptedKey>{wrapped}</xenc:EncryptedKey></ds:KeyInfo>'
        f"{cipher_data(content)}</xenc:EncryptedData>"
    ).encode()


def decrypt(element: bytes, decrypters: Sequence[Decrypter], algorithm: ContentEncryption) -> bytes:
    """Decrypt an EncryptedAssertion or a bare EncryptedData of a partner that is held to one content encryption.

    Every key is tried, always; if none fits, a random one opens the content, so that the work is the same. Where the
    mode authenticates nothing (CBC), what comes out must be one signed assertion, and if it is not, another is verified
    in its place. Raises InvalidEncryptedToken for every cause: whoever refuses the plaintext afterwards must answer
    the same (XML Encryption 1.1, 5 and 6; Jager and Somorovsky, "How to break XML Encryption").
    """
    sealed = cut(element, algorithm)
    content_key, no_key = _content_key(sealed, decrypters)
    plaintext, no_content = _OPENERS[algorithm](content_key, sealed.content)
    fault = no_key or no_content
    if fault is not None:
        raise InvalidEncryptedToken(detail=fault)
    return plaintext


def _content_key(sealed: EncryptedElement, decrypters: Sequence[Decrypter]) -> tuple[bytes, str | None]:
    """The content key, or a random one and the reason."""
    unwrapped = [decrypter.unwrap(sealed.wrapped_key, sealed.transport) for decrypter in decrypters]
    fitting = [key for key in unwrapped if key is not None]
    if not fitting:
        return token_bytes(_CONTENT_KEY_BYTES), f"key: none of our {len(decrypters)} opens it"
    if len(fitting[0]) != _CONTENT_KEY_BYTES:
        return token_bytes(_CONTENT_KEY_BYTES), f"key: of {len(fitting[0])} bytes"
    return fitting[0], None


def _open_cbc(key: bytes, content: bytes) -> tuple[bytes, str | None]:
    """The plaintext if it is one signed assertion; otherwise another is verified, which takes as long."""
    decryptor = Cipher(AES(key), CBC(content[:_BLOCK_BYTES])).decryptor()
    padded = decryptor.update(content[_BLOCK_BYTES:]) + decryptor.finalize()
    plaintext = padded[: -padded[-1]] if 1 <= padded[-1] <= _BLOCK_BYTES else b""
    try:
        require_signed_assertion(plaintext)
    except InvalidToken as error:
        require_signed_assertion(decoy(len(padded)))
        verify_decoy(len(padded))
        return b"", f"content: {error.detail}"
    return plaintext, None


def _open_gcm(key: bytes, content: bytes) -> tuple[bytes, str | None]:
    try:
        return AESGCM(key).decrypt(content[:_GCM_NONCE_BYTES], content[_GCM_NONCE_BYTES:], None), None
    except InvalidTag:
        return b"", "content: the tag is wrong"


_OPENERS: dict[ContentEncryption, Callable[[bytes, bytes], tuple[bytes, str | None]]] = {
    ContentEncryption.AES256_CBC: _open_cbc,
    ContentEncryption.AES256_GCM: _open_gcm,
}


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
