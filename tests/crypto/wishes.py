"""Certification requests for the tests, good ones and bad ones; a test changes one field."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.crypto.authorities import authority, certificate, elliptic_key, key_usage, rsa_key

# AlgorithmIdentifiers (RFC 8017, A.2.4), of one length so that one takes the place of another.
_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_SHA1_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101050500")
_MD5_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101040500")


@dataclass(frozen=True)
class Wish:
    """What goes into a certification request."""

    names: Sequence[str] = ("worker",)  # common names
    key: CertificateIssuerPrivateKeyTypes = field(default_factory=lambda: elliptic_key("device"))
    digest: Any = field(default_factory=hashes.SHA256)
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()
    beside: Sequence[x509.NameAttribute] = ()  # other attributes of the subject


def request(**changes: Any) -> bytes:
    """The DER of a certification request, by `worker` for itself if nothing else is said."""
    wish = replace(Wish(), **changes)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in wish.names]
    builder = x509.CertificateSigningRequestBuilder(x509.Name([*wish.beside, *names]))
    for extension, critical in wish.extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(wish.key, wish.digest).public_bytes(Encoding.DER)


@cache
def small_key() -> rsa.RSAPrivateKey:
    """An RSA key of 1024 bits."""
    return rsa.generate_private_key(65537, 1024)


@cache
def _dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


def _forged() -> bytes:
    """Signed by another key than the one in it: the last byte of the signature is another."""
    good = request(key=rsa_key())
    return good[:-1] + bytes([good[-1] ^ 1])


def _signed_by(algorithm: bytes) -> bytes:
    """The same with another signature algorithm: the library signs with none of these for an RSA key."""
    return request(key=rsa_key()).replace(_SHA256_WITH_RSA, algorithm)


def bad_requests() -> dict[str, tuple[bytes, str]]:
    """Requests that nobody may get a certificate for, and a word of the reason."""
    good = request()
    return {
        "another's name": (request(names=["somebody"]), "must name CN=worker"),
        "a name in other letters": (request(names=["Worker"]), "must name CN=worker"),
        "a name with a blank after it": (request(names=["worker "]), "must name CN=worker"),
        "two common names": (request(names=["worker", "somebody"]), "must name CN=worker"),
        "the same common name twice": (request(names=["worker", "worker"]), "must name CN=worker"),
        "a forged signature": (_forged(), "signature"),
        "RSA of 1024 bits": (request(key=small_key()), "1024 bits"),
        "P-192": (request(key=ec.generate_private_key(ec.SECP192R1())), "curve secp192r1"),
        "secp256k1": (request(key=ec.generate_private_key(ec.SECP256K1())), "curve secp256k1"),
        "Ed25519": (request(key=ed25519.Ed25519PrivateKey.generate(), digest=None), "neither RSA nor ECDSA"),
        "DSA": (request(key=_dsa_key()), "neither RSA nor ECDSA"),
        "SHA-1": (_signed_by(_SHA1_WITH_RSA), "must be signed with SHA-256"),
        "MD5": (_signed_by(_MD5_WITH_RSA), "must be signed with SHA-256"),
        "a byte after its end": (good + b"\0", "not a PKCS#10"),
        "cut off": (good[:-5], "not a PKCS#10"),
        "nothing": (b"", "not a PKCS#10"),
        "a certificate": (certificate(), "not a PKCS#10"),
        "too large": (b"\x30" * 10_241, "at most 10240 bytes"),
    }


ASKING_FOR_A_CA = (authority(), key_usage("key_cert_sign", "crl_sign"))
