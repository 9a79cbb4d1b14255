"""Encrypts assertions as an identity provider would, honest or not: every part of the result can be another."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sts.core.model import ContentEncryption, KeyTransport
from sts.crypto.decrypter import SoftwareDecrypter
from tests.crypto.identities import rsa_key

DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
CBC, GCM = ContentEncryption.AES256_CBC, ContentEncryption.AES256_GCM
CONTENT = {CBC: XENC + "aes256-cbc", GCM: XENC11 + "aes256-gcm"}

SHA1_DIGEST = f'<ds:DigestMethod Algorithm="{DS}sha1"/>'
SHA256_DIGEST = f'<ds:DigestMethod Algorithm="{XENC}sha256"/>'
MGF_SHA256 = f'<x11:MGF xmlns:x11="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>'
MGF_SHA1 = MGF_SHA256.replace("mgf1sha256", "mgf1sha1")


@dataclass(frozen=True, slots=True)
class Transport:
    """A way to wrap a key: what is said of it, and what is done."""

    algorithm: str
    parameters: str
    mask_digest: hashes.HashAlgorithm
    digest: hashes.HashAlgorithm


TRANSPORTS = {
    "default": Transport(XENC + "rsa-oaep-mgf1p", "", hashes.SHA1(), hashes.SHA1()),
    KeyTransport.RSA_OAEP_MGF1P_SHA1: Transport(XENC + "rsa-oaep-mgf1p", SHA1_DIGEST, hashes.SHA1(), hashes.SHA1()),
    KeyTransport.RSA_OAEP_MGF1P_SHA256: Transport(
        XENC + "rsa-oaep-mgf1p", SHA256_DIGEST, hashes.SHA1(), hashes.SHA256()
    ),
    KeyTransport.RSA_OAEP_11_SHA256: Transport(
        XENC11 + "rsa-oaep", SHA256_DIGEST + MGF_SHA256, hashes.SHA256(), hashes.SHA256()
    ),
}


def honest(data: bytes) -> bytes:
    """Leave what is about to be sent as it is."""
    return data


@dataclass(frozen=True, slots=True)
class Sealing:
    """The parts of an encrypted element; the defaults make one that opens."""

    algorithm: ContentEncryption = GCM
    transport: Transport = TRANSPORTS[KeyTransport.RSA_OAEP_MGF1P_SHA1]
    owner: str = "sts"  # of the key that it is encrypted to
    content_key: bytes = bytes(range(32))
    method: str | None = None  # what it says of the content encryption; None: the truth
    change_content: Callable[[bytes], bytes] = honest
    change_key: Callable[[bytes], bytes] = honest
    change: Callable[[str], str] = str  # of the whole text


def sealed(plaintext: bytes, sealing: Sealing) -> bytes:
    """Encrypt as the recipe says, as an EncryptedAssertion of SAML 2.0."""
    transport = sealing.transport
    scheme = padding.OAEP(padding.MGF1(transport.mask_digest), transport.digest, None)
    wrapped = sealing.change_key(rsa_key(sealing.owner).public_key().encrypt(sealing.content_key, scheme))
    content = sealing.change_content(_CIPHERS[sealing.algorithm](sealing.content_key, plaintext))
    text = (
        f'<EncryptedAssertion xmlns="{SAML20}"><xenc:EncryptedData xmlns:xenc="{XENC}" xmlns:ds="{DS}" '
        f'Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{sealing.method or CONTENT[sealing.algorithm]}"/>'
        f'<ds:KeyInfo><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{transport.algorithm}">'
        f"{transport.parameters}</xenc:EncryptionMethod><ds:KeyInfo><ds:KeyName>any</ds:KeyName></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>"
        f"<xenc:CipherValue>{b64encode(content).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></EncryptedAssertion>"
    )
    return sealing.change(text).encode()


@dataclass(slots=True)
class CountingDecrypter:
    """A software key that counts how often it was used."""

    key: SoftwareDecrypter
    uses: int = 0

    def unwrap(self, wrapped: bytes, transport: KeyTransport) -> bytes | None:
        """Count, and do it."""
        self.uses += 1
        return self.key.unwrap(wrapped, transport)


def decrypters(*owners: str) -> list[CountingDecrypter]:
    """The keys of these owners."""
    return [CountingDecrypter(SoftwareDecrypter.from_private_key(rsa_key(owner))) for owner in owners]


def _cbc(key: bytes, data: bytes) -> bytes:
    """Padded as XML Encryption has it: any bytes, the last of which says how many they are."""
    count = 16 - len(data) % 16
    padded = data + secrets.token_bytes(count - 1) + bytes([count])
    vector = secrets.token_bytes(16)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padded) + encryptor.finalize()


def _gcm(key: bytes, data: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, data, None)


_CIPHERS = {CBC: _cbc, GCM: _gcm}
