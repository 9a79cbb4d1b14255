"""Software keys behind the core's Signer port."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sts.core import ports
from sts.core.errors import KeyUnreadable
from sts.core.model import SignatureAlgorithm
from sts.crypto.signer import PrivateKey, SoftwareSigner, load_private_key, private_key_bytes

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def certificate(key: PrivateKey) -> bytes:
    name = x509.Name.from_rfc4514_string("CN=signer")
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_rsa_key_signs_rs256(rsa_key: rsa.RSAPrivateKey) -> None:
    signer: ports.Signer = SoftwareSigner.from_private_key(rsa_key, certificate(rsa_key))
    assert signer.algorithm is SignatureAlgorithm.RS256
    rsa_key.public_key().verify(signer.sign(b"data"), b"data", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("curve", "algorithm", "digest", "size"),
    [
        (ec.SECP256R1(), SignatureAlgorithm.ES256, hashes.SHA256(), 32),
        (ec.SECP384R1(), SignatureAlgorithm.ES384, hashes.SHA384(), 48),
        (ec.SECP521R1(), SignatureAlgorithm.ES512, hashes.SHA512(), 66),
    ],
    ids=["ES256", "ES384", "ES512"],
)
def test_elliptic_key_signs_r_and_s_of_fixed_size(
    curve: ec.EllipticCurve, algorithm: SignatureAlgorithm, digest: hashes.HashAlgorithm, size: int
) -> None:
    key = ec.generate_private_key(curve)
    signer = SoftwareSigner.from_private_key(key, certificate(key))
    assert signer.algorithm is algorithm
    for _ in range(20):
        signature = signer.sign(b"data")
        assert len(signature) == 2 * size
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.public_key().verify(encode_dss_signature(r, s), b"data", ec.ECDSA(digest))


def test_symmetric_key_signs_hs256() -> None:
    signer: ports.Signer = SoftwareSigner.from_symmetric(b"k" * 32, "key-1")
    assert signer.algorithm is SignatureAlgorithm.HS256
    assert signer.key_id == "key-1"
    assert signer.certificate is None
    assert signer.sign(b"data") == hmac.new(b"k" * 32, b"data", hashlib.sha256).digest()


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_symmetric_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(KeyUnreadable):
        SoftwareSigner.from_symmetric(b"k" * size, "key-1")


def test_key_id_is_the_base64url_sha1_thumbprint_of_the_certificate(rsa_key: rsa.RSAPrivateKey) -> None:
    der = certificate(rsa_key)
    signer = SoftwareSigner.from_private_key(rsa_key, der)
    assert base64.urlsafe_b64decode(signer.key_id + "=") == hashlib.sha1(der).digest()
    assert signer.certificate == der


def test_certificate_of_another_key_is_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(KeyUnreadable, match="not that of the certificate"):
        SoftwareSigner.from_private_key(rsa_key, certificate(ec.generate_private_key(ec.SECP256R1())))


def test_curve_without_a_signature_algorithm_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(KeyUnreadable, match="secp256k1"):
        SoftwareSigner.from_private_key(key, certificate(key))


def test_repr_shows_no_key() -> None:
    shown = repr(SoftwareSigner.from_symmetric(b"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "key-1"))
    assert shown == "SoftwareSigner(algorithm=<SignatureAlgorithm.HS256: 'HS256'>, key_id='key-1')"


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
def test_private_key_survives_its_bytes(key: PrivateKey) -> None:
    loaded = load_private_key(private_key_bytes(key))
    assert private_key_bytes(loaded) == private_key_bytes(key)


ED25519 = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("der", [b"", b"junk", ED25519], ids=["empty", "junk", "ed25519"])
def test_bytes_that_are_no_usable_private_key_are_refused(der: bytes) -> None:
    with pytest.raises(KeyUnreadable):
        load_private_key(der)
