"""Rows C01 to C08, C10 to C14, C16, C18 and C20 where they meet the functions that read and judge certificates."""

import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES
from cryptography.x509.oid import ExtendedKeyUsageOID

from sts.core.errors import InvalidCertificate
from sts.core.model import KeyType
from sts.crypto import certificates, pkcs12
from sts.crypto.certificates import Purpose, accept, generate, load
from tests.crypto.authorities import DAY, NOW, SELF, Leaf, certificate, key_usage, rsa_key
from tests.crypto.key_files import (
    ABSURD,
    PASSWORD,
    armour,
    encrypted_pkcs8,
    encryption,
    good_file,
    hidden_in_ber,
    pem_file,
    pkcs12_file,
    with_iterations,
    with_mac_iterations,
)

RSA_SHA256, RSA_SHA1, RSA_MD5 = (bytes.fromhex(f"06092a864886f70d0101{arc}") for arc in ("0b", "05", "04"))


def test_c01_expired_certificate_is_refused() -> None:
    with pytest.raises(InvalidCertificate, match="expired on"):
        accept(load(certificate(Leaf(not_after=NOW - DAY))), NOW, purpose=Purpose.SIGNING, roots=())


def test_c01_certificate_not_yet_valid_is_remarked_on() -> None:
    loaded = load(certificate(Leaf(not_before=NOW + DAY)))
    assert "not valid before" in accept(loaded, NOW, purpose=Purpose.SIGNING, roots=())[0]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 1024).public_key(), id="C02-rsa-1024"),
        pytest.param(lambda: rsa.generate_private_key(65537, 2047).public_key(), id="C02-rsa-2047"),
        pytest.param(lambda: rsa.generate_private_key(3, 2048).public_key(), id="C02-exponent-3"),
        pytest.param(lambda: rsa.RSAPublicNumbers(65537, 2**16384 + 1).public_key(), id="C02-rsa-16385"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP192R1()).public_key(), id="C02-p192"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256K1()).public_key(), id="C02-secp256k1"),
        pytest.param(lambda: ed25519.Ed25519PrivateKey.generate().public_key(), id="C02-ed25519"),
        pytest.param(lambda: dsa.generate_private_key(2048).public_key(), id="C02-dsa"),
    ],
)
def test_weak_or_unusual_key_is_refused(key: Callable[[], CertificatePublicKeyTypes]) -> None:
    with pytest.raises(InvalidCertificate, match="key"):
        load(certificate(Leaf(key())))


def test_c02_even_modulus_is_refused() -> None:
    modulus = rsa_key().public_key().public_numbers().n
    odd, even = modulus.to_bytes(256, "big"), (modulus & ~1).to_bytes(256, "big")
    with pytest.raises(InvalidCertificate, match="even modulus"):
        load(certificate().replace(odd, even))


@pytest.mark.parametrize("purpose", [Purpose.SIGNING, Purpose.VERIFICATION])
def test_c03_certificate_for_key_encipherment_only_does_not_sign(purpose: Purpose) -> None:
    loaded = load(certificate(Leaf(extensions=[key_usage("key_encipherment")])))
    with pytest.raises(InvalidCertificate, match="key usage does not allow"):
        accept(loaded, NOW, purpose=purpose, roots=())


@pytest.mark.parametrize("purpose", [Purpose.DECRYPTION, Purpose.ENCRYPTION])
def test_c03_certificate_for_signing_only_does_not_encrypt(purpose: Purpose) -> None:
    loaded = load(certificate(Leaf(extensions=[key_usage("digital_signature")])))
    with pytest.raises(InvalidCertificate, match="key usage does not allow"):
        accept(loaded, NOW, purpose=purpose, roots=())


def test_c04_certificate_for_tls_servers_only_is_remarked_on() -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    loaded = load(certificate(Leaf(extensions=[(usage, False)])))
    assert "extended key usage" in accept(loaded, NOW, purpose=Purpose.SIGNING, roots=())[0]


@pytest.mark.parametrize("algorithm", [RSA_SHA1, RSA_MD5], ids=["C05-sha1", "C05-md5"])
def test_certificate_signed_with_a_broken_hash_is_refused(algorithm: bytes) -> None:
    with pytest.raises(InvalidCertificate, match="SHA-256, SHA-384 or SHA-512 is needed"):
        load(certificate().replace(RSA_SHA256, algorithm))


@pytest.mark.parametrize(
    "der",
    [certificate() + b"\x00", certificate() + b"\n", certificate()[:-5], b"", b"\x30", b"\x30\x80" + certificate()],
    ids=["C06-trailing", "C06-newline", "C06-cut", "C06-empty", "C06-one-byte", "C06-indefinite"],
)
def test_der_of_the_wrong_size_is_refused(der: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        load(der)


PEM = certificates.pem(certificate())


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(PEM + certificates.pem(certificate(Leaf(serial=2))), id="C07-two-certificates"),
        pytest.param(PEM + PEM, id="C07-the-same-twice"),
        pytest.param(PEM + armour(b"\x30\x00", b"X509 CRL"), id="C07-crl-beside"),
        pytest.param(armour(certificate(), b"PKCS7"), id="C07-another-label"),
        pytest.param(PEM + b"-----BEGIN CERTIFICATE-----\n", id="C07-second-never-ends"),
        pytest.param(PEM + b"more", id="C07-text-after"),
        pytest.param(PEM.replace(b"MII", b"M!I", 1), id="C07-not-base64"),
    ],
)
def test_pem_of_anything_but_one_certificate_is_refused(file: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        load(file)


PKCS8 = rsa_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
PKCS1 = rsa_key().private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(armour(PKCS8, b"PRIVATE KEY"), id="C08-pem"),
        pytest.param(armour(PKCS8, b"PRIVATE KEY") + PEM, id="C08-before-the-certificate"),
        pytest.param(PEM + armour(PKCS1, b"RSA PRIVATE KEY"), id="C08-after-the-certificate"),
        pytest.param(pem_file(), id="C08-encrypted"),
        pytest.param(PKCS8, id="C08-der"),
        pytest.param(PKCS1, id="C08-pkcs1"),
        pytest.param(good_file(), id="C08-pkcs12"),
    ],
)
def test_private_key_in_place_of_a_certificate_is_refused_with_a_warning(file: bytes) -> None:
    with pytest.raises(InvalidCertificate, match=r"private key .* nothing was stored.* exposed"):
        load(file)


BY_PBKDF2 = pkcs12_file(rsa_key(), certificate(), protection=encryption(PBES.PBESv2SHA256AndAES256CBC, 1000))
BY_PBE = pkcs12_file(rsa_key(), certificate(), protection=encryption(PBES.PBESv1SHA1And3KeyTripleDESCBC, 1000))


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(with_mac_iterations(BY_PBKDF2, ABSURD), id="C10-mac"),
        pytest.param(with_mac_iterations(BY_PBKDF2, 600_001), id="C10-mac-one-too-many"),
        pytest.param(with_iterations(BY_PBKDF2, ABSURD), id="C10-pbkdf2"),
        pytest.param(with_iterations(BY_PBE, ABSURD), id="C10-pbe"),
        pytest.param(pem_file(with_iterations(encrypted_pkcs8(), ABSURD)), id="C11-pkcs8"),
    ],
)
def test_absurd_iteration_count_is_refused_before_anybody_counts(file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs12, "_CHILD", "/nonexistent")
    with pytest.raises(InvalidCertificate, match="more than 600000 iterations"):
        pkcs12.load(file, PASSWORD)


def test_c10_count_that_hides_is_ended_by_the_kernel_while_other_threads_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs12, "CPU_SECONDS", 1)
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        with pytest.raises(InvalidCertificate, match="more work than") as refusal:
            pkcs12.load(hidden_in_ber(with_iterations(BY_PBKDF2, ABSURD)), PASSWORD)
    finally:
        done.set()
        thread.join()
    assert refusal.value.detail is not None
    assert refusal.value.detail.startswith("ended by signal")
    assert len(ticks) > 20


def test_c12_file_cut_at_any_byte_is_refused() -> None:
    file = good_file()
    for size in range(len(file)):
        with pytest.raises(InvalidCertificate):
            pkcs12.load(file[:size], PASSWORD)


def test_c13_file_with_trailing_junk_is_refused() -> None:
    with pytest.raises(InvalidCertificate, match="bytes after its end"):
        pkcs12.load(good_file() + b"junk", PASSWORD)


STRANGER = rsa.generate_private_key(65537, 2048)
ENCRYPTED_STRANGER = STRANGER.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param(pkcs12_file(None, certificate()), "no private key", id="C14-certificate-only"),
        pytest.param(pkcs12_file(rsa_key(), None), "no certificate that belongs", id="C14-key-only"),
        pytest.param(pkcs12_file(STRANGER, None, [certificate()]), "no certificate that belongs", id="C14-another-key"),
        pytest.param(pem_file(ENCRYPTED_STRANGER), "not that of the certificate", id="C14-another-key-pem"),
        pytest.param(
            pkcs12_file(rsa_key(), certificate(), [certificate(Leaf(serial=number)) for number in range(1, 51)]),
            "more than 10 certificates",
            id="C14-50-certificates",
        ),
        pytest.param(PEM + PEM + pem_file()[len(PEM) :], "one certificate, one", id="C14-two-certificates-pem"),
        pytest.param(PEM + armour(PKCS8, b"PRIVATE KEY"), "one certificate, one", id="C14-key-without-password"),
    ],
)
def test_file_without_one_key_and_its_certificate_is_refused(file: bytes, reason: str) -> None:
    with pytest.raises(InvalidCertificate, match=reason):
        pkcs12.load(file, PASSWORD)


@pytest.mark.parametrize(
    ("not_before", "not_after"),
    [
        pytest.param(datetime(2049, 12, 31, tzinfo=UTC), datetime(2052, 1, 1, tzinfo=UTC), id="C16-2049"),
        pytest.param(datetime(2051, 1, 1, tzinfo=UTC), datetime(2052, 1, 1, tzinfo=UTC), id="C16-2051"),
        pytest.param(datetime(9999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), id="C16-9999"),
    ],
)
def test_beginning_decades_ahead_is_read_right_and_refused(not_before: datetime, not_after: datetime) -> None:
    loaded = load(certificate(Leaf(not_before=not_before, not_after=not_after)))
    assert (loaded.not_before, loaded.not_after) == (not_before, not_after)
    with pytest.raises(InvalidCertificate, match=f"begins on {not_before.year}-"):
        accept(loaded, NOW, purpose=Purpose.SIGNING, roots=())


def test_c16_end_in_9999_is_no_fault() -> None:
    loaded = load(certificate(Leaf(not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))))
    assert accept(loaded, NOW, purpose=Purpose.SIGNING, roots=()) == ()


def with_serial(content: bytes) -> bytes:
    """The serial number 4711 is two bytes; others of two bytes take its place."""
    return certificate(Leaf(), SELF).replace(b"\x02\x02\x12\x67", b"\x02\x02" + content, 1)


@pytest.mark.parametrize("serial", [b"\x00\x00", b"\xff\x85", b"\x80\x00"], ids=["C18-zero", "C18-negative", "C18-low"])
def test_serial_number_that_is_not_positive_is_refused_without_asking_the_library(serial: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidCertificate, match="serial number"):
            load(with_serial(serial))


def test_c20_certificate_made_for_decryption_does_not_sign() -> None:
    _, der = generate("CN=contoso", KeyType.RSA2048, NOW, NOW + DAY, Purpose.DECRYPTION)
    with pytest.raises(InvalidCertificate, match="key usage does not allow"):
        accept(load(der), NOW, purpose=Purpose.SIGNING, roots=())
