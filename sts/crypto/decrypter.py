"""Software keys behind the core's Decrypter port."""

from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from sts.core.errors import KeyUnreadable
from sts.core.model import KeyTransport
from sts.crypto.signer import PrivateKey

_PADDINGS: Final = {
    KeyTransport.RSA_OAEP_MGF1P_SHA1: OAEP(MGF1(SHA1()), SHA1(), None),  # noqa: S303 (OAEP needs no collision resistance)
    KeyTransport.RSA_OAEP_MGF1P_SHA256: OAEP(MGF1(SHA1()), SHA256(), None),  # noqa: S303
    KeyTransport.RSA_OAEP_11_SHA256: OAEP(MGF1(SHA256()), SHA256(), None),
}


@dataclass(frozen=True, slots=True, eq=False)
class SoftwareDecrypter:
    """A private key in this process's memory that unwraps content keys; nothing it shows of itself holds the key."""

    _key: RSAPrivateKey = field(repr=False)

    @classmethod
    def from_private_key(cls, key: PrivateKey) -> Self:
        """The decrypter of an RSA key; raises KeyUnreadable for any other, since only RSA transports keys."""
        if not isinstance(key, RSAPrivateKey):
            raise KeyUnreadable("a decryption certificate's private key must be RSA")
        return cls(key)

    def unwrap(self, wrapped: bytes, transport: KeyTransport) -> bytes | None:
        """The content key that was wrapped for this key, None where it does not fit (XML Encryption 1.1, 5.5.2)."""
        try:
            return self._key.decrypt(wrapped, _PADDINGS[transport])
        except ValueError:
            return None
