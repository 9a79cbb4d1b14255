"""npm `wsfed` and `saml` as identity provider, and what they need to sign and to encrypt."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_der_x509_certificate

from sts.core.claims import EMAIL_ADDRESS
from sts.core.model import ContentEncryption, KeyType, TokenFormat
from sts.crypto.certificates import Purpose, generate, pem
from sts.crypto.signer import PrivateKey
from tests.interop.node import run_node

METHODS = {
    ContentEncryption.AES256_CBC: "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    ContentEncryption.AES256_GCM: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
}


class Pair(NamedTuple):
    """A key and its certificate, good today: the software looks at the clock."""

    private: PrivateKey
    der: bytes


@lru_cache
def pair(owner: str) -> Pair:
    """The owner's own."""
    now = datetime.now(UTC).replace(microsecond=0)
    begin, end = now - timedelta(days=1), now + timedelta(days=1)
    return Pair(*generate(f"CN={owner}", KeyType.RSA2048, begin, end, Purpose.SIGNING))


@dataclass(frozen=True)
class Asked:
    """Who asks the identity provider for alice, and where the answer goes."""

    realm: str
    reply: str
    issuer: str = "https://idp.example/"


def wresult(version: TokenFormat, asked: Asked, **more: object) -> bytes:
    """What the identity provider posts for alice."""
    options = {
        "issuer": asked.issuer,
        "cert": pem(pair("idp").der).decode(),
        "key": _private_pem(pair("idp").private),
        "signatureAlgorithm": "rsa-sha256",
        "digestAlgorithm": "sha256",
        "nameIdentifier": "alice",
        "attributes": {EMAIL_ADDRESS: "alice@idp.example"},
        "recipient": asked.reply,
    }
    message = {
        "version": version.value,
        "options": options | more,
        "query": {"wtrealm": asked.realm, "wreply": asked.reply, "wctx": "the state"},
        "user": {"id": "alice", "displayName": "Alice", "emails": [{"value": "alice@idp.example"}]},
    }
    answer = run_node("identity_provider.js", message)
    assert "wresult" in answer, answer
    written: str = answer["wresult"]
    return written.encode()


def encryption(certificate: bytes, algorithm: ContentEncryption) -> dict[str, Any]:
    """The options with which the software encrypts to one of our certificates (DER)."""
    return {
        "encryptionCert": pem(certificate).decode(),
        "encryptionPublicKey": _public_pem(certificate),
        "encryptionAlgorithm": METHODS[algorithm],
        "disallowEncryptionWithInsecureAlgorithm": False,
        "warnOnInsecureEncryptionAlgorithm": False,
    }


def _private_pem(key: PrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _public_pem(certificate: bytes) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(serialization.Encoding.PEM, form).decode()
