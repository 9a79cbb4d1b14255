"""What operators do to credentials, on a real database under a clock that the test moves."""

import base64
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)

from sts.core.credentials import Status, decryption_credentials, published_signing, signing_credential
from sts.core.errors import Conflict, InvalidCertificate, IssuingFailed, KeyUnreadable, NotFound, OperatorError
from sts.core.model import Credential, KeyType, Kind, Use
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import private_key_bytes
from sts.operations import audit, credential_files, credential_states, namespaces, new_credentials
from sts.operations.credentials import PURPOSES, default_subject
from sts.operations.new_credentials import CertificateFile, CertificateOrder, KeyOrder, SharedKey
from sts.operations.rings import CredentialRow, Listing, Outcome, RingName, Selection, list_credentials
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, reopened, workbench, write_pkcs12

SECOND = timedelta(seconds=1)
SIGNING = RingName("contoso")
DECRYPTION = RingName("contoso", Use.DECRYPTION)
KEYS = RingName("contoso", kind=Kind.SYMMETRIC)
ORDERS = RingName("contoso", relying_party="orders")
ORDERS_KEYS = RingName("contoso", kind=Kind.SYMMETRIC, relying_party="orders")
CONTOSO = """
namespace: contoso
relying_parties:
  - {name: orders, realm: urn:orders, token_format: jwt}
  - {name: bills, realm: urn:bills, token_format: swt, managed: true}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with the namespace contoso, to be copied: keys take time to make."""
    home = tmp_path_factory.mktemp("template")
    made = workbench(home)
    made.apply(CONTOSO)
    made.installation.database.close()
    return home


@pytest.fixture
def bench(tmp_path: Path, template: Path) -> Workbench:
    home = shutil.copytree(template, tmp_path / "home")
    return reopened(home)


def generated(bench: Workbench, ring: RingName = SIGNING, now: datetime = NOW, life: timedelta = 365 * DAY) -> Outcome:
    """A certificate with a key that is quick to make, where the use allows it."""
    quick = KeyType.P256 if ring.use is Use.SIGNING else KeyType.RSA2048
    return new_credentials.generate_certificate(
        bench.installation, CertificateOrder(ring, "CN=new", life, quick, now), now
    )


def rows(bench: Workbench, now: datetime = NOW, **wanted: object) -> tuple[CredentialRow, ...]:
    return list_credentials(bench.installation, Listing("contoso", **{"kind": Kind.CERTIFICATE, **wanted}), now)


def signer(bench: Workbench, now: datetime, party: str = "orders") -> Credential:
    known = bench.known()
    assert known.namespace is not None
    return signing_credential(known.namespace, known.relying_parties[party], now)


def chosen(ring: RingName, outcome: Outcome) -> Selection:
    return Selection(ring, thumbprint=outcome.row.thumbprint)


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


def test_rows_are_shown_ring_by_ring_the_active_one_first_and_then_the_newest(bench: Workbench) -> None:
    first = generated(bench, now=NOW + DAY)
    second = generated(bench, now=NOW + 2 * DAY)
    dedicated = generated(bench, ORDERS, now=NOW + 3 * DAY)
    shown = rows(bench, NOW + 3 * DAY)
    assert [(r.index, r.use, r.relying_party, r.status, r.reason) for r in shown] == [
        (1, Use.SIGNING, None, Status.ACTIVE, ""),
        (2, Use.SIGNING, None, Status.INACTIVE, "next"),
        (3, Use.SIGNING, None, Status.INACTIVE, "next"),
        (1, Use.DECRYPTION, None, Status.ACTIVE, ""),
        (1, Use.SIGNING, "orders", Status.ACTIVE, ""),
    ]
    assert [r.thumbprint for r in shown[1:3]] == [second.row.thumbprint, first.row.thumbprint]
    assert rows(bench, NOW + 3 * DAY, relying_party="orders") == (dedicated.row,)
    assert [r.use for r in rows(bench, use=Use.DECRYPTION)] == [Use.DECRYPTION]
    assert [r.subject for r in rows(bench, kind=Kind.SYMMETRIC)] == [None]


def test_a_row_says_what_happens_next(bench: Workbench) -> None:
    new = generated(bench, now=NOW + DAY)
    at = NOW + 30 * DAY
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY, at)
    assert (outcome.row.next_step, outcome.row.next_step_at) == ("promoted", at)
    steps = [
        [(r.status, r.reason, r.next_step, r.next_step_at) for r in rows(bench, when)[:2]] for when in (at - SECOND, at)
    ]
    old_end, new_end = NOW + 730 * DAY, NOW + 366 * DAY
    assert steps == [
        [(Status.ACTIVE, "", "retired", at), (Status.INACTIVE, "next", "promoted", at)],
        [(Status.ACTIVE, "", "expired", new_end), (Status.INACTIVE, "retired", "expired", old_end)],
    ]
    assert [(r.status, r.next_step) for r in rows(bench, NOW + 800 * DAY)[:2]] == [(Status.EXPIRED, None)] * 2


@pytest.mark.parametrize(
    ("waited", "expected"),
    [
        (timedelta(0), timedelta(seconds=6)),
        (timedelta(seconds=5), timedelta(seconds=6)),
        (timedelta(seconds=6), timedelta(seconds=6)),
        (timedelta(seconds=7), timedelta(seconds=7)),
        (DAY, DAY),
    ],
    ids=str,
)
def test_make_primary_waits_until_every_node_has_the_certificate(
    bench: Workbench, waited: timedelta, expected: timedelta
) -> None:
    old, new = signer(bench, NOW), generated(bench)
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + waited)
    assert outcome.row.primary_from == NOW + expected
    assert signer(bench, NOW + expected - SECOND).thumbprint == old.thumbprint
    assert signer(bench, NOW + expected).thumbprint == new.row.thumbprint
    assert bool(outcome.warnings) == (waited < DAY)  # partners have had no day to read it


@pytest.mark.parametrize(
    ("at", "begins"),
    [
        (NOW + 10 * DAY, NOW + 10 * DAY),
        (NOW + 2 * DAY, NOW + 2 * DAY),
        (NOW - DAY, NOW + 2 * DAY),  # the past means now
        (NOW + 364 * DAY, NOW + 364 * DAY),
    ],
)
def test_a_schedule_turns_at_its_second_on_every_node(bench: Workbench, at: datetime, begins: datetime) -> None:
    old, new = signer(bench, NOW), generated(bench)
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY, at)
    assert outcome.row.primary_from == begins
    if begins > NOW + 2 * DAY:
        assert signer(bench, begins - SECOND).thumbprint == old.thumbprint
    assert signer(bench, begins).thumbprint == new.row.thumbprint
    assert signer(bench, begins + SECOND).thumbprint == new.row.thumbprint


@pytest.mark.parametrize(
    ("at", "fits"),
    [
        (NOW + 10 * DAY - SECOND, False),  # not yet valid
        (NOW + 10 * DAY, True),
        (NOW + 20 * DAY, True),
        (NOW + 20 * DAY + SECOND, False),  # expired
    ],
)
def test_a_certificate_becomes_primary_only_within_its_validity(bench: Workbench, at: datetime, fits: bool) -> None:
    order = CertificateOrder(SIGNING, "CN=new", 10 * DAY, KeyType.P256, NOW + 10 * DAY)
    new = new_credentials.generate_certificate(bench.installation, order, NOW)
    if fits:
        assert credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW, at).row.primary_from == at
        return
    with pytest.raises(Conflict, match=r"cannot become primary on .*: it (is not valid before|expired on)"):
        credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW, at)
    assert rows(bench)[0].next_step == "expired"


def test_a_second_schedule_replaces_the_first(bench: Workbench) -> None:
    first, second = generated(bench), generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, first), NOW + DAY, NOW + 10 * DAY)
    credential_states.make_primary(bench.installation, chosen(SIGNING, second), NOW + DAY, NOW + 5 * DAY)
    for at in (NOW + 5 * DAY, NOW + 10 * DAY, NOW + 20 * DAY):
        assert signer(bench, at).thumbprint == second.row.thumbprint


@pytest.mark.parametrize("verb", [credential_states.revoke, credential_states.delete])
def test_what_is_revoked_or_deleted_before_its_day_does_not_take_the_place(
    bench: Workbench, verb: Callable[..., Outcome]
) -> None:
    old, new, at = signer(bench, NOW), generated(bench), NOW + 10 * DAY
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY, at)
    verb(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY)
    for now in (at - SECOND, at, at + DAY):
        assert signer(bench, now).thumbprint == old.thumbprint
    known = bench.known().namespace
    assert known is not None
    assert [c.demoted_at for c in known.credentials if c.thumbprint == old.thumbprint] == [None]


def test_a_revoked_primary_keeps_its_place_and_the_operator_is_told(bench: Workbench) -> None:
    generated(bench)
    outcome = credential_states.revoke(bench.installation, Selection(SIGNING, 1), NOW + DAY)
    assert outcome.row.status is Status.REVOKED
    (warning,) = outcome.warnings
    assert "sts certificate make-primary --namespace contoso --use signing" in warning
    with pytest.raises(IssuingFailed, match="was revoked on 2026-11-22T22:00:00Z"):
        signer(bench, NOW + DAY)
    with pytest.raises(Conflict, match="already"):
        credential_states.revoke(bench.installation, Selection(SIGNING, thumbprint=outcome.row.thumbprint), NOW + DAY)


def test_the_primary_is_deleted_only_after_another_is_primary_or_it_is_revoked(bench: Workbench) -> None:
    new, old = generated(bench), rows(bench)[0]
    this = Selection(SIGNING, thumbprint=old.thumbprint)
    with pytest.raises(Conflict, match="make another primary or revoke it first"):
        credential_states.delete(bench.installation, this, NOW + DAY)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY)
    deleted = credential_states.delete(bench.installation, this, NOW + 2 * DAY)
    assert (deleted.row.thumbprint, deleted.row.reason) == (old.thumbprint, "retired")
    with pytest.raises(NotFound, match=r"was deleted on 2026-11-23T22:00:00Z"):
        credential_states.make_primary(bench.installation, this, NOW + 3 * DAY)
    known = bench.known().namespace
    assert known is not None
    tombstone = next(c for c in known.credentials if c.thumbprint == old.thumbprint)
    with pytest.raises(KeyUnreadable):
        bench.installation.key_ring.secret(known, tombstone)


def test_a_deleted_primary_is_not_succeeded_by_the_one_before_it(bench: Workbench) -> None:
    new = generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY)
    credential_states.revoke(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY)
    credential_states.delete(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY)
    with pytest.raises(IssuingFailed, match="was deleted on"):
        signer(bench, NOW + 3 * DAY)


@pytest.mark.parametrize(
    ("ring", "selection", "error"),
    [
        (SIGNING, {"index": 2}, "there is no certificate 2, the ring has 1; see `sts certificate list"),
        (KEYS, {"index": 9}, "there is no key 9, the ring has 1; see `sts key list"),
        (SIGNING, {"thumbprint": "00" * 20}, "namespace contoso has no signing certificate with the thumbprint 0000"),
        (ORDERS, {"thumbprint": "00" * 32}, "orders has no signing certificate with the thumbprint 0000"),
        (SIGNING, {"thumbprint": "00"}, "is not a thumbprint: 40"),
        (ORDERS, {}, "no certificate of this ring is active"),
        (RingName("nobody"), {"index": 1}, "there is no namespace 'nobody'"),
        (RingName("contoso", relying_party="nobody"), {"index": 1}, "has no relying party 'nobody'"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(
    bench: Workbench, ring: RingName, selection: dict[str, object], error: str
) -> None:
    with pytest.raises(Exception, match=error):
        credential_files.download_certificate(bench.installation, Selection(ring, **selection), NOW)


@pytest.mark.parametrize(
    "write", [str, str.upper, lambda text: ":".join(text[i : i + 2] for i in range(0, len(text), 2))]
)
@pytest.mark.parametrize("digest", ["thumbprint", "thumbprint_sha256"])
def test_a_thumbprint_is_taken_in_every_usual_writing(
    bench: Workbench, write: Callable[[str], str], digest: str
) -> None:
    row = rows(bench)[0]
    selection = Selection(SIGNING, thumbprint=write(getattr(row, digest)))
    assert credential_files.download_certificate(bench.installation, selection, NOW).row == row


def test_download_gives_the_active_certificate_and_nothing_private(bench: Workbench) -> None:
    generated(bench)
    copy = credential_files.download_certificate(bench.installation, Selection(SIGNING), NOW)
    assert copy.row == rows(bench)[0]
    assert certificates.load(copy.der) == certificates.load(copy.pem)
    assert b"PRIVATE" not in copy.pem


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


def test_every_verb_leaves_one_record_of_who_did_what(bench: Workbench) -> None:
    before = audit.verify(bench.installation).sequence
    new = generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW)
    credential_files.export_key(bench.installation, Selection(KEYS), NOW)
    credential_states.revoke(bench.installation, chosen(SIGNING, new), NOW)
    credential_states.delete(bench.installation, chosen(SIGNING, new), NOW)
    records = audit.list_newest(bench.installation, "contoso", 100)[-5:]
    assert [record.action for record in records] == [
        *("certificate.generate", "certificate.make-primary", "symmetric.export"),
        *("certificate.revoke", "certificate.delete"),
    ]
    assert {record.actor for record in records} == {"tests"}
    assert audit.verify(bench.installation).sequence == before + 5


def test_a_refused_verb_leaves_nothing_behind(bench: Workbench) -> None:
    before = audit.verify(bench.installation)
    with pytest.raises(Conflict):
        credential_states.delete(bench.installation, Selection(SIGNING, 1), NOW)
    assert audit.verify(bench.installation) == before


def test_a_namespace_comes_and_goes_with_its_credentials(bench: Workbench) -> None:
    made = namespaces.create(bench.installation, "fabrikam", NOW)
    assert [(c.use, c.kind) for c in made.credentials] == [
        *((Use.SIGNING, Kind.CERTIFICATE), (Use.DECRYPTION, Kind.CERTIFICATE), (Use.SIGNING, Kind.SYMMETRIC)),
    ]
    assert [each.name for each in namespaces.list_all(bench.installation)] == ["contoso", "fabrikam"]
    with pytest.raises(Conflict, match="there is a namespace 'fabrikam' already"):
        namespaces.create(bench.installation, "fabrikam", NOW)
    namespaces.delete(bench.installation, "fabrikam", NOW)
    with pytest.raises(Exception, match="there is no namespace 'fabrikam'"):
        namespaces.delete(bench.installation, "fabrikam", NOW)
    assert audit.list_newest(bench.installation, "fabrikam", 1)[0].action == "namespace.delete"


@pytest.mark.parametrize("name", ["", "a b", "api", "console", "..", "a/b", "x" * 65, "ä"])
def test_a_name_that_cannot_be_an_address_is_refused(bench: Workbench, name: str) -> None:
    with pytest.raises(OperatorError):
        namespaces.create(bench.installation, name, NOW)
    assert [each.name for each in namespaces.list_all(bench.installation)] == ["contoso"]


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
