"""Keys and self-signed certificates for tests, made once a process, weak and foreign ones among them."""

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from sts.crypto.signer import PrivateKey, SoftwareSigner

NOW = datetime(2026, 11, 21, 22, tzinfo=UTC)
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2028, 1, 1, tzinfo=UTC)

_MAKERS = {
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def private_key(kind: str, owner: str = "idp") -> PrivateKey:
    """The key of this kind that the owner holds."""
    return _private_key(kind, owner)


def rsa_key(owner: str) -> rsa.RSAPrivateKey:
    """The RSA key of 2048 bits that the owner holds."""
    key = private_key("rsa2048", owner)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def certificate(kind: str, owner: str = "idp") -> bytes:
    """A self-signed certificate (DER) of that key, good from NOT_BEFORE to NOT_AFTER."""
    return _certificate(kind, owner)


def signer(kind: str, owner: str = "idp") -> SoftwareSigner:
    """The owner's key behind the Signer port."""
    return SoftwareSigner.from_private_key(private_key(kind, owner), certificate(kind, owner))


@cache
def _private_key(kind: str, owner: str) -> PrivateKey:
    return _MAKERS[kind]()


@cache
def _certificate(kind: str, owner: str) -> bytes:
    key = _private_key(kind, owner)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{owner} & <{kind}>")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 4711, NOT_BEFORE, NOT_AFTER)
    digest = None if kind == "ed25519" else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.DER)
