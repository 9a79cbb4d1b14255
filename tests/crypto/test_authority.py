"""Certificate authorities: what they issue, read by OpenSSL and by the library."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from sts.core.errors import InvalidCertificate, KeyUnreadable, NoIssuingAuthority
from sts.core.model import KeyType
from sts.core.tenant_ca import Subscriber
from sts.crypto import pkcs7
from sts.crypto.authority import SoftwareAuthority, issuer_among, make_root
from sts.crypto.certificates import load
from tests.crypto.authorities import DAY, NOW, elliptic_key, rsa_key
from tests.crypto.wishes import ASKING_FOR_A_CA, bad_requests, request
from tests.openssl import Chain, certificates_in, certification_request, verify

T = TypeVar("T", bound=x509.ExtensionType)
MINUTE = timedelta(minutes=1)
WORKER = Subscriber("worker", NOW - 5 * MINUTE, NOW + DAY)
KINDS = [KeyType.P256, KeyType.P384, KeyType.RSA2048]


@dataclass(frozen=True)
class Authorities:
    """A root and a CA below it, a year old."""

    root: SoftwareAuthority
    tenant: SoftwareAuthority


@cache
def authorities(kind: KeyType = KeyType.P256, tenant_end: timedelta = 365 * DAY) -> Authorities:
    key, der = make_root(Subscriber("sts.example root CA", NOW - 365 * DAY, NOW + 3000 * DAY), kind)
    root = SoftwareAuthority.from_private_key(key, der)
    key, der = root.subordinate(Subscriber("contoso tenant CA", NOW - 365 * DAY, NOW + tenant_end), kind)
    return Authorities(root, SoftwareAuthority.from_private_key(key, der))


def read(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def extension(der: bytes, kind: type[T]) -> tuple[T, bool]:
    found = read(der).extensions.get_extension_for_class(kind)
    return found.value, found.critical


def usage(der: bytes) -> set[str]:
    value, critical = extension(der, x509.KeyUsage)
    assert critical
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*names, "key_cert_sign", "crl_sign") if getattr(value, name)}


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_what_a_tenant_ca_issued(tmp_path: Path, kind: KeyType) -> None:
    made = authorities(kind)
    root, tenant = made.root.certificate, made.tenant.certificate
    device = made.tenant.certify(request(), WORKER).der
    proof = made.tenant.prove(Subscriber("4F1B", WORKER.not_before, WORKER.not_after)).der
    verify(tmp_path, Chain(tenant, [root]), NOW)
    verify(tmp_path, Chain(device, [root], [tenant]), NOW, purpose="sslclient")
    verify(tmp_path, Chain(proof, [root], [tenant]), NOW)


@pytest.mark.parametrize("moment", [NOW - 6 * MINUTE, NOW + DAY + MINUTE], ids=["too early", "too late"])
def test_openssl_refuses_a_device_outside_of_its_day(tmp_path: Path, moment: object) -> None:
    made = authorities()
    device = made.tenant.certify(request(), WORKER).der
    with pytest.raises(AssertionError, match=r"not yet valid|expired"):
        verify(tmp_path, Chain(device, [made.root.certificate], [made.tenant.certificate]), moment)  # type: ignore[arg-type]


def test_openssl_refuses_a_device_as_a_server(tmp_path: Path) -> None:
    made = authorities()
    chain = Chain(made.tenant.certify(request(), WORKER).der, [made.root.certificate], [made.tenant.certificate])
    with pytest.raises(AssertionError, match="purpose"):
        verify(tmp_path, chain, NOW, purpose="sslserver")


def test_a_ca_below_a_tenant_ca_is_one_too_many(tmp_path: Path) -> None:
    made = authorities()
    key, below = made.tenant.subordinate(Subscriber("too deep", NOW - DAY, NOW + DAY), KeyType.P256)
    leaf = SoftwareAuthority.from_private_key(key, below).certify(request(), WORKER).der
    with pytest.raises(AssertionError, match="path length"):
        verify(tmp_path, Chain(leaf, [made.root.certificate], [made.tenant.certificate, below]), NOW)


def test_a_root_and_a_tenant_ca_say_what_they_are() -> None:
    made = authorities()
    for der, path_length in ((made.root.certificate, 1), (made.tenant.certificate, 0)):
        assert extension(der, x509.BasicConstraints) == (x509.BasicConstraints(ca=True, path_length=path_length), True)
        assert usage(der) == {"key_cert_sign", "crl_sign"}
        assert load(der).der == der
    assert load(made.root.certificate).issuer == load(made.root.certificate).subject == "CN=sts.example root CA"
    assert load(made.tenant.certificate).issuer == "CN=sts.example root CA"
    assert load(made.tenant.certificate).subject == "CN=contoso tenant CA"


def test_each_certificate_names_its_issuers_key() -> None:
    made = authorities()
    device = made.tenant.certify(request(), WORKER).der
    for issued, issuer in ((made.tenant.certificate, made.root.certificate), (device, made.tenant.certificate)):
        named = extension(issued, x509.AuthorityKeyIdentifier)[0].key_identifier
        assert named == extension(issuer, x509.SubjectKeyIdentifier)[0].digest
        assert extension(issued, x509.SubjectKeyIdentifier)[0].digest != named


@pytest.mark.parametrize(
    ("key", "usages"),
    [(elliptic_key(), {"digital_signature"}), (rsa_key(), {"digital_signature", "key_encipherment"})],
    ids=["p256", "rsa"],
)
def test_a_device_may_authenticate_and_nothing_else(key: rsa.RSAPrivateKey, usages: set[str]) -> None:
    device = authorities().tenant.certify(request(key=key), WORKER)
    assert extension(device.der, x509.BasicConstraints) == (x509.BasicConstraints(ca=False, path_length=None), True)
    assert usage(device.der) == usages
    assert list(extension(device.der, x509.ExtendedKeyUsage)[0]) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert read(device.der).public_key() == key.public_key()
    assert load(device.der).subject == "CN=worker"
    assert (device.not_before, device.not_after) == (NOW - 5 * MINUTE, NOW + DAY)


def test_what_a_request_wishes_for_besides_is_left_out() -> None:
    device = authorities().tenant.certify(request(extensions=ASKING_FOR_A_CA), WORKER)
    assert extension(device.der, x509.BasicConstraints)[0].ca is False
    assert "key_cert_sign" not in usage(device.der)


def test_a_request_that_names_nobody_is_for_whoever_sent_it() -> None:
    assert load(authorities().tenant.certify(request(names=[]), WORKER).der).subject == "CN=worker"


@pytest.mark.parametrize(("data", "reason"), bad_requests().values(), ids=bad_requests().keys())
def test_a_bad_request_gets_no_certificate(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidCertificate, match=reason):
        authorities().tenant.certify(data, WORKER)


def test_a_request_of_openssl_gets_a_certificate_that_openssl_verifies(tmp_path: Path) -> None:
    made = authorities()
    wish = certification_request(tmp_path, "-newkey", "rsa:2048", "-subj", "/O=Contoso/CN=worker")
    device = made.tenant.certify(wish, WORKER).der
    chain = Chain(device, [made.root.certificate], [made.tenant.certificate])
    verify(tmp_path, chain, NOW, purpose="sslclient")
    assert load(device).subject == "CN=worker"


def test_a_proof_is_no_ca_and_carries_the_code() -> None:
    proof = authorities().tenant.prove(Subscriber("0123456789ABCDEF" * 3, NOW, NOW + DAY)).der
    assert load(proof).subject == "CN=" + "0123456789ABCDEF" * 3
    assert load(proof).issuer == "CN=contoso tenant CA"
    assert extension(proof, x509.BasicConstraints)[0].ca is False
    assert usage(proof) == {"digital_signature", "content_commitment", "key_encipherment"}


@pytest.mark.parametrize("code", ["x" * 64, "x" * 65, "x" * 128, "é" * 64, 'a+b,"c"=#<>;\\ \u2713'])
@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_proof_carries_any_code_and_openssl_verifies_it(tmp_path: Path, code: str) -> None:
    made = authorities()
    proof = made.tenant.prove(Subscriber(code, NOW, NOW + DAY)).der
    verify(tmp_path, Chain(proof, [made.root.certificate], [made.tenant.certificate]), NOW)
    assert [attribute.value for attribute in read(proof).subject] == [code]


def test_nothing_outlives_its_issuer_or_begins_before_it() -> None:
    made = authorities(tenant_end=timedelta(hours=6))
    device = made.tenant.certify(request(), WORKER)
    assert device.not_after == NOW + timedelta(hours=6)
    early = made.tenant.certify(request(), Subscriber("worker", NOW - 1000 * DAY, NOW))
    assert early.not_before == load(made.tenant.certificate).not_before
    _, der = made.root.subordinate(Subscriber("long", NOW, NOW + 9999 * DAY), KeyType.P256)
    assert load(der).not_after == load(made.root.certificate).not_after


@pytest.mark.parametrize("begin", [NOW + timedelta(hours=6), NOW + 10 * DAY])
def test_an_authority_that_has_ended_issues_nothing(begin: object) -> None:
    tenant = authorities(tenant_end=timedelta(hours=6)).tenant
    with pytest.raises(NoIssuingAuthority, match="not valid while worker is"):
        tenant.certify(request(), Subscriber("worker", begin, NOW + 20 * DAY))  # type: ignore[arg-type]


def test_serial_numbers_are_random_and_fit_128_bits() -> None:
    tenant = authorities().tenant
    serials = [tenant.certify(request(), WORKER).serial for _ in range(50)]
    assert len(set(serials)) == 50
    assert all(0 < serial <= 2**128 for serial in serials)
    assert max(serials).bit_length() > 120
    assert read(tenant.certify(request(), WORKER).der).serial_number not in serials


def test_a_key_that_is_not_that_of_the_certificate_is_refused() -> None:
    with pytest.raises(KeyUnreadable):
        SoftwareAuthority.from_private_key(elliptic_key("another"), authorities().root.certificate)


def test_an_authority_shows_nothing_of_its_key() -> None:
    assert repr(authorities().tenant) == "SoftwareAuthority()"


def test_the_issuer_of_a_certificate_is_found_among_roots_of_one_name() -> None:
    made, namesake = authorities(), authorities(KeyType.P384)
    roots = [namesake.root.certificate, made.tenant.certificate, made.root.certificate]
    assert issuer_among(made.tenant.certificate, roots) == made.root.certificate
    with pytest.raises(InvalidCertificate, match="issuer of CN=contoso tenant CA is not known"):
        issuer_among(made.tenant.certificate, roots[:2])


def test_openssl_reads_the_certificates_of_a_message(tmp_path: Path) -> None:
    made = authorities()
    chain = {made.tenant.certificate, made.root.certificate}
    assert set(certificates_in(tmp_path, pkcs7.certificates_only(sorted(chain)))) == chain
