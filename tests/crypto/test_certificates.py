"""X.509 certificates: read, judged, made."""

import base64
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sts.core.errors import InvalidCertificate
from sts.core.model import KeyType
from sts.crypto import certificates
from sts.crypto.certificates import Purpose, accept, generate, load, parse, public_key
from sts.crypto.roots import load_roots
from tests.crypto.authorities import DAY, NOW, Issuer, Leaf, authority, certificate, elliptic_key, key_usage, rsa_key

ROOT = Issuer("CN=root", elliptic_key("root"))
INTERMEDIATE = Issuer("CN=intermediate", elliptic_key("intermediate"))
ROOT_LEAF = Leaf(ROOT.key.public_key(), ROOT.subject, extensions=[authority(), key_usage("key_cert_sign")])
INTERMEDIATE_LEAF = replace(ROOT_LEAF, key=INTERMEDIATE.key.public_key(), subject=INTERMEDIATE.subject)


def root(**changes: object) -> bytes:
    return certificate(replace(ROOT_LEAF, **changes), ROOT)  # type: ignore[arg-type]  # a test changes any field


def wrapped(data: bytes) -> bytes:
    return base64.encodebytes(data)


@pytest.mark.parametrize(
    "file",
    [
        lambda der: der,
        certificates.pem,
        lambda der: certificates.pem(der).replace(b"\n", b"\r\n"),
        lambda der: b"Bag Attributes\n    friendlyName: leaf\n" + certificates.pem(der),
        base64.b64encode,
        wrapped,
    ],
    ids=["der", "pem", "pem-crlf", "pem-after-text", "base64", "base64-in-lines"],
)
def test_certificate_loads_from_every_form(file: object) -> None:
    der = certificate()
    assert callable(file)
    assert load(file(der)).der == der


def test_certificate_says_what_is_in_it() -> None:
    der = certificate(Leaf(subject="CN=leaf,O=Contoso", serial=0x0102))
    expected = x509.load_der_x509_certificate(der)
    loaded = load(der)
    assert loaded == parse(der)
    assert (loaded.subject, loaded.issuer, loaded.serial) == ("CN=leaf,O=Contoso", "CN=leaf", 0x0102)
    assert (loaded.not_before, loaded.not_after) == (NOW - 10 * DAY, NOW + 10 * DAY)
    assert loaded.thumbprint == expected.fingerprint(hashes.SHA1()).hex()
    assert loaded.thumbprint_sha256 == expected.fingerprint(hashes.SHA256()).hex()
    assert loaded.key_type == "rsa2048"


def test_public_key_is_typed_and_kept() -> None:
    der = certificate()
    assert isinstance(public_key(der), rsa.RSAPublicKey)
    assert public_key(der) is public_key(der)


@pytest.mark.parametrize(
    ("key_type", "kind", "size"),
    [
        (KeyType.RSA2048, rsa.RSAPrivateKey, 2048),
        (KeyType.RSA3072, rsa.RSAPrivateKey, 3072),
        (KeyType.P256, ec.EllipticCurvePrivateKey, 256),
        (KeyType.P384, ec.EllipticCurvePrivateKey, 384),
    ],
)
def test_generated_certificate_is_strong_and_accepted(key_type: KeyType, kind: type, size: int) -> None:
    key, der = generate("CN=contoso,O=Contoso", key_type, NOW, NOW + 730 * DAY, Purpose.SIGNING)
    loaded = load(der)
    assert isinstance(key, kind)
    assert key.key_size == size
    assert loaded.key_type == key_type.value
    assert (loaded.subject, loaded.issuer) == ("CN=contoso,O=Contoso", "CN=contoso,O=Contoso")
    assert (loaded.not_before, loaded.not_after) == (NOW, NOW + 730 * DAY)
    assert accept(loaded, NOW, purpose=Purpose.SIGNING, roots=()) == ()


@pytest.mark.parametrize(
    ("purpose", "usages", "is_ca"),
    [
        (Purpose.SIGNING, {"digital_signature"}, False),
        (Purpose.DECRYPTION, {"key_encipherment", "data_encipherment"}, False),
        (Purpose.CA, {"key_cert_sign", "crl_sign"}, True),
    ],
)
def test_generated_certificate_is_limited_to_its_purpose(purpose: Purpose, usages: set[str], is_ca: bool) -> None:
    _, der = generate("CN=contoso", KeyType.RSA2048, NOW, NOW + DAY, purpose)
    made = x509.load_der_x509_certificate(der)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    identifier = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    assert {name for name in (*names, "key_cert_sign", "crl_sign") if getattr(usage.value, name)} == usages
    assert usage.critical
    assert constraints.critical
    assert constraints.value.ca is is_ca
    assert identifier.value == x509.SubjectKeyIdentifier.from_public_key(made.public_key())


@pytest.mark.parametrize("subject", ["", "contoso", "CN=", "CN=" + "x" * 65, "XX=contoso"])
def test_subject_that_no_certificate_can_carry_is_refused(subject: str) -> None:
    with pytest.raises(InvalidCertificate, match="subject"):
        generate(subject, KeyType.P256, NOW, NOW + DAY, Purpose.SIGNING)


@pytest.mark.parametrize("end", [NOW, NOW - DAY])
def test_certificate_that_ends_before_it_begins_is_not_made(end: datetime) -> None:
    with pytest.raises(InvalidCertificate, match="must end after it begins"):
        generate("CN=contoso", KeyType.P256, NOW, end, Purpose.SIGNING)


def test_decryption_certificate_is_rsa() -> None:
    with pytest.raises(InvalidCertificate, match="are RSA"):
        generate("CN=contoso", KeyType.P256, NOW, NOW + DAY, Purpose.DECRYPTION)
    elliptic = certificate(Leaf(elliptic_key().public_key()), Issuer("CN=leaf", elliptic_key()))
    with pytest.raises(InvalidCertificate, match="must have an RSA key"):
        accept(load(elliptic), NOW, purpose=Purpose.ENCRYPTION, roots=())


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.CA])
def test_self_signed_certificate_without_extensions_is_accepted(purpose: Purpose) -> None:
    assert accept(load(certificate()), NOW, purpose=purpose, roots=()) == ()


@pytest.mark.parametrize(
    ("instant", "accepted"),
    [
        (NOW - 10 * DAY, True),
        (NOW + 10 * DAY, True),
        (NOW + 11 * DAY, False),
    ],
    ids=["first-second", "last-second", "after"],
)
def test_certificate_is_judged_at_the_given_instant(instant: datetime, accepted: bool) -> None:
    loaded = load(certificate())
    if accepted:
        assert accept(loaded, instant, purpose=Purpose.SIGNING, roots=()) == ()
        return
    with pytest.raises(InvalidCertificate, match="expired on 2026-06-11T00:00:00Z"):
        accept(loaded, instant, purpose=Purpose.SIGNING, roots=())


def test_certificate_still_to_come_is_accepted_with_a_warning() -> None:
    warnings = accept(load(certificate()), NOW - 11 * DAY, purpose=Purpose.SIGNING, roots=())
    assert warnings == ("the certificate is not valid before 2026-05-22T00:00:00Z",)


def test_certificate_of_a_trusted_root_is_accepted() -> None:
    leaf = load(certificate(Leaf(), ROOT))
    assert accept(leaf, NOW, purpose=Purpose.SIGNING, roots=[root()]) == ()


def test_future_certificate_of_a_trusted_root_is_accepted() -> None:
    leaf = load(certificate(Leaf(not_before=NOW + DAY), ROOT))
    assert len(accept(leaf, NOW, purpose=Purpose.SIGNING, roots=[root()])) == 1


def test_certificate_of_an_intermediate_among_the_extra_roots_is_accepted() -> None:
    leaf = load(certificate(Leaf(), INTERMEDIATE))
    roots = [root(), certificate(INTERMEDIATE_LEAF, ROOT)]
    assert accept(leaf, NOW, purpose=Purpose.SIGNING, roots=roots) == ()


@pytest.mark.parametrize(
    ("issuer", "roots"),
    [
        (ROOT, []),
        (Issuer("CN=root", elliptic_key("impostor")), [root()]),
        (INTERMEDIATE, [root()]),
        (ROOT, [root(not_after=NOW - DAY)]),
        (ROOT, [root(extensions=[])]),
        (ROOT, [root(extensions=[(x509.BasicConstraints(False, None), True)])]),
        (ROOT, [root(extensions=[authority(), key_usage("digital_signature")])]),
        (Issuer("CN=leaf", elliptic_key("impostor")), [root()]),
    ],
    ids=[
        "no-roots",
        "root-of-the-same-name",
        "intermediate-not-given",
        "root-expired",
        "root-without-constraints",
        "root-is-no-ca",
        "root-may-not-sign-certificates",
        "own-name-other-key",
    ],
)
def test_certificate_without_a_trusted_issuer_is_refused(issuer: Issuer, roots: list[bytes]) -> None:
    leaf = load(certificate(Leaf(), issuer))
    with pytest.raises(InvalidCertificate, match="neither self-signed nor issued by"):
        accept(leaf, NOW, purpose=Purpose.SIGNING, roots=roots)


def test_public_roots_load_and_vouch_for_no_stranger() -> None:
    roots = load_roots(None)
    assert len(roots) == Path(certifi.where()).read_bytes().count(b"-----BEGIN CERTIFICATE-----")
    with pytest.raises(InvalidCertificate, match="neither self-signed nor issued by"):
        accept(load(certificate(Leaf(), ROOT)), NOW, purpose=Purpose.SIGNING, roots=roots)


@pytest.mark.filterwarnings("error")
def test_public_root_of_any_serial_number_is_loaded_in_silence() -> None:
    with pytest.raises(InvalidCertificate):
        accept(load(certificate(Leaf(), ROOT)), NOW, purpose=Purpose.SIGNING, roots=load_roots(None)[::-1])


def test_extra_roots_join_the_public_ones(tmp_path: Path) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(certificates.pem(root()) + certificates.pem(certificate(INTERMEDIATE_LEAF, ROOT)))
    roots = load_roots(path)
    assert len(roots) == len(load_roots(None)) + 2
    assert accept(load(certificate(Leaf(), ROOT)), NOW, purpose=Purpose.VERIFICATION, roots=roots) == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "not a PEM file"),
        (b"junk", "not a PEM file"),
        (certificates.pem(certificate()), "no CA certificate: CN=leaf"),
    ],
    ids=["missing", "empty", "junk", "leaf"],
)
def test_extra_roots_that_are_no_ca_certificates_are_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidCertificate, match=reason):
        load_roots(path)


def test_ca_certificate_is_accepted_only_with_its_basic_constraints() -> None:
    assert accept(load(root()), NOW, purpose=Purpose.CA, roots=()) == ()
    with pytest.raises(InvalidCertificate, match="not that of a CA"):
        accept(load(certificate()), NOW, purpose=Purpose.CA, roots=())


def test_unknown_critical_extension_is_refused() -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert load(certificate(Leaf(extensions=[(extension, False)])))
    with pytest.raises(InvalidCertificate, match=r"1\.2\.3\.4"):
        load(certificate(Leaf(extensions=[(extension, True)])))


def test_repr_shows_no_bytes() -> None:
    assert "der" not in repr(load(certificate(Leaf(rsa_key().public_key()))))
