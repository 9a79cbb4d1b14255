"""A relying party's certificate to encrypt to."""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def write_certificate(path: Path, key: rsa.RSAPrivateKey, begin: datetime, end: datetime) -> None:
    """Write a self-signed certificate (DER) of a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sealed")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
