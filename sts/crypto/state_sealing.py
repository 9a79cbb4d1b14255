"""What a browser carries for us from one request to the next: it can only bring it back as it was."""

import os
from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sts.core.errors import InvalidState
from sts.crypto.pem import NotPem, from_base64

_VERSION: Final = b"\x02"
_NONCE: Final = 16  # bytes
_TAG: Final = 16
_KEY: Final = 64  # of AES-256-SIV: two halves
_INFO: Final = b"sts sealed state 2"
_STANDARD: Final = bytes.maketrans(b"-_+/= \t\r\n", b"+/" + 7 * b"!")  # base64url as base64, the rest as neither


def seal_state(key: bytes, data: bytes) -> str:
    """Encrypt and authenticate under a key that is derived from the 32 bytes of `key`.

    AES-256-SIV (RFC 5297) with a random nonce: no number of texts is too many for one key, which GCM's short nonces
    would set a limit to. The answer is base64url, for addresses and form fields.
    """
    nonce = os.urandom(_NONCE)
    sealed = _VERSION + nonce + _cipher(key).encrypt(data, [_VERSION, nonce])
    return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def open_state(key: bytes, text: str) -> bytes:
    """Open what `seal_state` made under the same key; raises InvalidState for everything else."""
    try:
        sealed = from_base64(text.encode("ascii").translate(_STANDARD) + b"=" * (-len(text) % 4))
        nonce, encrypted = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        if sealed[:1] != _VERSION or len(encrypted) < _TAG:
            raise InvalidState(detail="the state has no known format")
        return _cipher(key).decrypt(encrypted, [_VERSION, nonce])
    except (NotPem, UnicodeEncodeError) as error:
        raise InvalidState(detail="the state is no base64url") from error
    except InvalidTag as error:
        raise InvalidState(detail="the state is not one of ours, or it was changed") from error


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(HKDF(algorithm=hashes.SHA256(), length=_KEY, salt=None, info=_INFO).derive(key))
