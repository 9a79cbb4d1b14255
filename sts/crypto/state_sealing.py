"""What a browser carries for us from one request to the next: it can only bring it back as it was."""

import os
import re
from base64 import urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sts.core.errors import InvalidState
from sts.crypto.pem import NotPem, from_base64

_VERSION: Final = b"\x01"
_SALT: Final = 16  # bytes
_KEY: Final = 32
_NONCE: Final = 12
_TAG: Final = 16
_INFO: Final = b"sts sealed state 1"
_BASE64URL: Final = re.compile("[A-Za-z0-9_-]+", re.ASCII)
_STANDARD: Final = str.maketrans("-_", "+/")


def seal_state(key: bytes, data: bytes) -> str:
    """Encrypt and authenticate (AES-256-GCM); every text has a key of its own, derived from the 32 bytes of `key`.

    The answer is base64url, for addresses and form fields.
    """
    salt = os.urandom(_SALT)
    cipher, nonce = _cipher(key, salt)
    sealed = _VERSION + salt + cipher.encrypt(nonce, data, _VERSION)
    return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def open_state(key: bytes, text: str) -> bytes:
    """Open what `seal_state` made under the same key; raises InvalidState for everything else."""
    try:
        if _BASE64URL.fullmatch(text) is None:
            raise InvalidState(detail="the state is no base64url")
        sealed = from_base64((text.translate(_STANDARD) + "=" * (-len(text) % 4)).encode("ascii"))
        if sealed[:1] != _VERSION or len(sealed) < len(_VERSION) + _SALT + _TAG:
            raise InvalidState(detail="the state has no known format")
        cipher, nonce = _cipher(key, sealed[1 : 1 + _SALT])
        return cipher.decrypt(nonce, sealed[1 + _SALT :], _VERSION)
    except (InvalidTag, NotPem) as error:
        raise InvalidState(detail="the state is not one of ours, or it was changed") from error


def _cipher(key: bytes, salt: bytes) -> tuple[AESGCM, bytes]:
    derived = HKDF(algorithm=hashes.SHA256(), length=_KEY + _NONCE, salt=salt, info=_INFO).derive(key)
    return AESGCM(derived[:_KEY]), derived[_KEY:]
