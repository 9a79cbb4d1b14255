"""Credentials that operators make or bring."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)

from sts.core.credentials import Status, decryption_credentials, next_change, published_signing
from sts.core.errors import Conflict, InvalidCertificate, OperatorError
from sts.core.model import KeyType, Kind, Use
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import private_key_bytes
from sts.operations import credential_files, credential_states, new_credentials
from sts.operations.credentials import PURPOSES, default_subject
from sts.operations.new_credentials import CertificateFile, CertificateOrder, KeyOrder, SharedKey
from sts.operations.rings import RingName, Selection
from tests.operations.credentials import (
    DECRYPTION,
    KEYS,
    ORDERS,
    ORDERS_KEYS,
    SIGNING,
    generated,
    signer,
)
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, write_pkcs12


def test_a_generated_certificate_is_published_and_not_primary(bench: Workbench) -> None:
    outcome = new_credentials.generate_certificate(bench.installation, CertificateOrder(SIGNING), NOW + DAY)
    assert outcome.warnings == ()
    row = outcome.row
    assert (row.index, row.status, row.reason, row.primary_from) == (2, Status.INACTIVE, "next", None)
    assert (row.subject, row.published_at, row.not_after) == ("CN=contoso.sts.example", NOW + DAY, NOW + 731 * DAY)
    known = bench.known().namespace
    assert known is not None
    assert [c.thumbprint for c in published_signing(known, NOW + DAY)][1:] == [row.thumbprint]


def test_a_rings_policy_says_how_certificates_are_made(bench: Workbench) -> None:
    bench.apply("namespace: contoso\nrollover: {signing: {lifetime: 1y, key_type: p384}}\n")
    row = new_credentials.generate_certificate(bench.installation, CertificateOrder(SIGNING), NOW).row
    assert row.not_after - row.not_before == 365 * DAY
    known = bench.known().namespace
    assert known is not None
    assert known.credentials[-1].key_type == "p384"


def test_a_second_decryption_certificate_decrypts_after_the_primary(bench: Workbench) -> None:
    new = generated(bench, DECRYPTION)
    known = bench.known().namespace
    assert known is not None
    assert [c.thumbprint for c in decryption_credentials(known, NOW)][1:] == [new.row.thumbprint]


def test_decryption_is_rsa(bench: Workbench) -> None:
    order = CertificateOrder(DECRYPTION, key_type=KeyType.P256)
    with pytest.raises(InvalidCertificate, match="RSA"):
        new_credentials.generate_certificate(bench.installation, order, NOW)


@pytest.mark.parametrize(
    ("ring", "error"),
    [
        (RingName("contoso", relying_party="bills"), "bills is managed: the namespace's credentials serve it"),
        (
            RingName("contoso", Use.DECRYPTION, relying_party="orders"),
            "decryption certificates belong to the namespace",
        ),
    ],
)
def test_a_dedicated_certificate_that_could_never_serve_is_refused(
    bench: Workbench, ring: RingName, error: str
) -> None:
    with pytest.raises(Conflict, match=error):
        generated(bench, ring)
    pfx = bench.installation.home / "own.pfx"
    write_pkcs12(pfx)
    with pytest.raises(Conflict, match=error):
        new_credentials.import_certificate(bench.installation, file(ring, pfx.read_bytes()), NOW)


def test_a_managed_relying_party_takes_no_dedicated_key(bench: Workbench) -> None:
    ring = RingName("contoso", kind=Kind.SYMMETRIC, relying_party="bills")
    with pytest.raises(Conflict, match="managed"):
        new_credentials.generate_key(bench.installation, KeyOrder(ring), NOW)


def test_the_first_dedicated_certificate_signs_at_once_and_the_operator_is_told(bench: Workbench) -> None:
    outcome = generated(bench, ORDERS)
    assert outcome.warnings == ("no certificate of orders was ever made primary, so this one signs from now on",)
    assert signer(bench, NOW).thumbprint == outcome.row.thumbprint
    assert generated(bench, ORDERS, NOW + DAY).warnings == ()


def test_a_dedicated_key_for_tokens_that_certificates_sign_is_remarked_on(bench: Workbench) -> None:
    (warning,) = new_credentials.generate_key(bench.installation, KeyOrder(ORDERS_KEYS), NOW).warnings
    assert warning == "tokens for orders are signed with a certificate, so this key will not sign for it"


def file(ring: RingName, content: bytes, private_key: bytes | None = None, password: str = "") -> CertificateFile:
    return CertificateFile(ring, content, (password or ENVIRONMENT["PFX"]).encode(), private_key)


def pair(tmp_path: Path) -> tuple[bytes, bytes, bytes]:
    """A certificate (DER), its key as encrypted PKCS#8 (DER), and both as PKCS#12."""
    key, der = certificates.generate("CN=brought", KeyType.P256, NOW - DAY, NOW + 100 * DAY, Purpose.SIGNING)
    encryption = BestAvailableEncryption(ENVIRONMENT["PFX"].encode())
    loaded = load_der_private_key(private_key_bytes(key), None)
    pkcs8 = loaded.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)
    write_pkcs12(tmp_path / "made.pfx")
    return der, pkcs8, (tmp_path / "made.pfx").read_bytes()


def pem_key(pkcs8: bytes) -> bytes:
    body = base64.encodebytes(pkcs8)
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "arrange",
    [
        pytest.param(lambda der, pkcs8, pfx: (pfx, None), id="pkcs12"),
        pytest.param(lambda der, pkcs8, pfx: (base64.b64encode(pfx), None), id="pkcs12-base64"),
        pytest.param(lambda der, pkcs8, pfx: (certificates.pem(der) + pem_key(pkcs8), None), id="pem-both"),
        pytest.param(lambda der, pkcs8, pfx: (der, pkcs8), id="der-and-der"),
        pytest.param(lambda der, pkcs8, pfx: (certificates.pem(der), pem_key(pkcs8)), id="pem-and-pem"),
        pytest.param(lambda der, pkcs8, pfx: (base64.b64encode(der), pkcs8), id="base64-and-der"),
    ],
)
def test_a_certificate_with_its_key_comes_in_every_usual_form(
    bench: Workbench, tmp_path: Path, arrange: Callable[..., tuple[bytes, bytes | None]]
) -> None:
    content, private_key = arrange(*pair(tmp_path))
    row = new_credentials.import_certificate(bench.installation, file(SIGNING, content, private_key), NOW).row
    assert (row.status, row.reason, row.primary_from) == (Status.INACTIVE, "next", None)
    credential_states.make_primary(bench.installation, Selection(SIGNING, thumbprint=row.thumbprint), NOW + DAY)
    credential = signer(bench, NOW + DAY)
    known = bench.known().namespace
    assert known is not None
    assert bench.installation.key_ring.signer(known, credential).sign(b"data")


def test_a_certificate_without_its_key_is_no_credential(bench: Workbench, tmp_path: Path) -> None:
    der, _, _ = pair(tmp_path)
    for content in (der, certificates.pem(der)):
        with pytest.raises(InvalidCertificate, match="without its private key"):
            new_credentials.import_certificate(bench.installation, file(SIGNING, content), NOW)


@pytest.mark.parametrize(
    ("use", "purpose"), [(Use.SIGNING, Purpose.DECRYPTION), (Use.DECRYPTION, Purpose.SIGNING)], ids=str
)
def test_a_certificate_made_for_the_other_use_is_refused(
    bench: Workbench, tmp_path: Path, use: Use, purpose: Purpose
) -> None:
    write_pkcs12(tmp_path / "other.pfx", purpose)
    content = file(RingName("contoso", use), (tmp_path / "other.pfx").read_bytes())
    with pytest.raises(InvalidCertificate, match="key usage does not allow it"):
        new_credentials.import_certificate(bench.installation, content, NOW)


def test_a_key_lives_ten_years_unless_somebody_says_otherwise(bench: Workbench) -> None:
    row = new_credentials.generate_key(bench.installation, KeyOrder(KEYS), NOW).row
    assert (row.not_before, row.not_after) == (NOW, NOW + 3650 * DAY)
    order = KeyOrder(KEYS, NOW + DAY, NOW + 2 * DAY)
    row = new_credentials.generate_key(bench.installation, order, NOW).row
    assert (row.not_before, row.not_after) == (NOW + DAY, NOW + 2 * DAY)
    with pytest.raises(OperatorError, match="end after it begins"):
        new_credentials.generate_key(bench.installation, KeyOrder(KEYS, NOW, NOW), NOW)


def test_an_imported_key_comes_out_as_it_came_in(bench: Workbench) -> None:
    value = bytes(range(32))
    row = new_credentials.import_key(bench.installation, SharedKey(ORDERS_KEYS, value, NOW, NOW + DAY), NOW).row
    copy = credential_files.export_key(bench.installation, Selection(ORDERS_KEYS, row.index), NOW)
    assert base64.b64decode(copy.value) == value
    assert copy.value not in repr(copy)
    with pytest.raises(Conflict, match="is there already"):
        new_credentials.import_key(bench.installation, SharedKey(ORDERS_KEYS, value, NOW, NOW + DAY), NOW)


@pytest.mark.parametrize("use", [Use.SIGNING, Use.DECRYPTION], ids=str)
@pytest.mark.parametrize(
    ("name", "host", "subject"),
    [
        ("contoso", "sts.example", "CN=contoso.sts.example"),
        ("contoso", f"{'h' * 63}.example", "CN=contoso"),
        ("n" * 64, "sts.example", f"CN={'n' * 53}"),
    ],
)
def test_a_made_up_subject_fits_into_a_certificate(name: str, host: str, subject: str, use: Use) -> None:
    made_up = default_subject(name, host, use)
    assert made_up.startswith(subject)
    assert certificates.generate(made_up, KeyType.RSA2048, NOW, NOW + DAY, PURPOSES[use])


@pytest.mark.parametrize("end", [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)])
def test_a_key_without_end_is_refused_because_nothing_could_succeed_it(bench: Workbench, end: datetime) -> None:
    with pytest.raises(Conflict, match=f"ends in the year {end.year}, which is to say never"):
        new_credentials.generate_key(bench.installation, KeyOrder(KEYS, NOW, end), NOW)
    last = datetime(9989, 12, 31, tzinfo=UTC)
    assert new_credentials.generate_key(bench.installation, KeyOrder(KEYS, NOW, last), NOW).row.not_after == last
    known = bench.known().namespace
    assert known is not None
    assert next_change(known, NOW) is not None
