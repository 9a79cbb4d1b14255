"""Certificates for the tests, good ones and bad ones; a test changes one field."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from sts.crypto.signer import PrivateKey

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def elliptic_key(name: str = "leaf") -> ec.EllipticCurvePrivateKey:
    """A P-256 key for each name."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Issuer:
    """Who signs a certificate."""

    subject: str
    key: PrivateKey


@dataclass(frozen=True)
class Leaf:
    """What goes into a certificate."""

    key: CertificatePublicKeyTypes = field(default_factory=lambda: rsa_key().public_key())
    subject: str = "CN=leaf"
    serial: int = 4711
    not_before: datetime = NOW - 10 * DAY
    not_after: datetime = NOW + 10 * DAY
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()


SELF = Issuer("CN=leaf", rsa_key())


def certificate(leaf: Leaf | None = None, issuer: Issuer = SELF) -> bytes:
    """The DER of a certificate; self-signed if nothing else is said."""
    leaf = leaf or Leaf()
    subject, signer = x509.Name.from_rfc4514_string(leaf.subject), x509.Name.from_rfc4514_string(issuer.subject)
    builder = x509.CertificateBuilder(signer, subject, leaf.key, leaf.serial, leaf.not_before, leaf.not_after)
    for extension, critical in leaf.extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def key_usage(*allowed: str) -> tuple[x509.KeyUsage, bool]:
    """A critical KeyUsage with these bits."""
    return x509.KeyUsage(**{name: name in allowed for name in USAGES}), True


def authority(path_length: int | None = None) -> tuple[x509.BasicConstraints, bool]:
    """Critical BasicConstraints of a CA."""
    return x509.BasicConstraints(ca=True, path_length=path_length), True
