"""What an operator does with a namespace's tenant CA, and how the root above it looks after itself."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.x509.oid import NameOID

from sts.core.credentials import Status
from sts.core.errors import Conflict, KeyUnreadable, NamespaceNotFound, NotFound, OperatorError
from sts.core.model import INSTALLATION, Credential, KeyType, Namespace, Use
from sts.core.tenant_ca import authorities, issuing_root
from sts.crypto import authority, keys
from sts.crypto.certificates import load, parse
from sts.operations import credential_states, tenant_ca
from sts.operations.authorities import TenantCAOrder, make_first, make_tenant_ca
from sts.operations.credential_states import Breakage
from sts.operations.credentials import Ring, store
from sts.operations.rings import CredentialRow, Selection
from sts.operations.tenant_ca import ProofOrder, ring_of
from sts.store import audit, namespaces
from sts.store import credentials as table
from sts.store.tables import credential as rows
from tests.openssl import Chain, certificates_in, verify
from tests.operations.workbench import DAY, NOW, Workbench, workbench

YEAR = 365 * DAY
RING = ring_of("contoso")
ACTIVE = Selection(RING)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = workbench(tmp_path)
    made.apply("namespace: contoso\n")
    return made


def listed(bench: Workbench, now: datetime = NOW) -> list[tuple[str, Status, str]]:
    found = tenant_ca.list_authorities(bench.installation, "contoso", now)
    return [(row.thumbprint, row.status, row.reason) for row in found]


def add_next(bench: Workbench, now: datetime) -> Credential:
    """Make and publish the next tenant CA, as rollover does."""
    namespace = contoso(bench)
    made = make_tenant_ca(bench.installation, TenantCAOrder(namespace), now)
    with bench.installation.database.changing("tests", now) as change:
        return store(change, bench.installation.key_ring, Ring(namespace, Use.TENANT_CA), made)


def roots(bench: Workbench) -> tuple[Credential, ...]:
    with bench.installation.database.reading() as connection:
        return table.list_roots(connection)


def contoso(bench: Workbench) -> Namespace:
    found = bench.known().namespace
    assert found is not None
    return found


def der_of(credential: Credential) -> bytes:
    assert credential.certificate is not None
    return credential.certificate


def forget(bench: Workbench, *uses: Use) -> None:
    """Make the database one that is older than tenant CAs."""
    with bench.installation.database.recording() as connection:
        connection.execute(sa.delete(rows).where(rows.c.use.in_(uses)))


def prove(bench: Workbench, code: str, selection: Selection = ACTIVE, now: datetime = NOW) -> tenant_ca.Proof:
    return tenant_ca.prove(bench.installation, ProofOrder(selection, code), now)


def test_a_new_namespace_has_a_tenant_ca_under_the_installations_root(bench: Workbench, tmp_path: Path) -> None:
    [row] = tenant_ca.list_authorities(bench.installation, "contoso", NOW)
    assert (row.index, row.use, row.status, row.reason) == (1, Use.TENANT_CA, Status.ACTIVE, "")
    assert (row.not_before, row.not_after, row.primary_from, row.published_at) == (NOW, NOW + 730 * DAY, NOW, NOW)
    [root] = roots(bench)
    assert (root.subject or "").startswith("CN=sts.example root CA ")
    assert (root.not_before, root.not_after, root.key_type) == (NOW, NOW + 3650 * DAY, "rsa3072")
    [held] = authorities(contoso(bench))
    assert held.key_type == "rsa3072"
    verify(tmp_path, Chain(der_of(held), [der_of(root)]), NOW + 729 * DAY)


def test_every_namespace_has_a_tenant_ca_of_its_own_and_all_have_one_root(bench: Workbench) -> None:
    bench.apply("namespace: fabrikam\n")
    mine = tenant_ca.list_authorities(bench.installation, "contoso", NOW)
    theirs = tenant_ca.list_authorities(bench.installation, "fabrikam", NOW)
    assert mine[0].thumbprint != theirs[0].thumbprint
    assert (theirs[0].subject or "").startswith("CN=fabrikam tenant CA ")
    assert len(roots(bench)) == 1


def test_the_name_of_a_long_namespace_fits_a_common_name(bench: Workbench) -> None:
    bench.apply(f"namespace: {'n' * 64}\n")
    [row] = tenant_ca.list_authorities(bench.installation, "n" * 64, NOW)
    assert (row.subject or "").startswith("CN=nnnn")
    assert len(row.subject or "") == 64 + len("CN=")


def test_the_policy_of_a_namespace_says_what_its_tenant_ca_is(bench: Workbench) -> None:
    bench.apply("namespace: fabrikam\nrollover: {tenant-ca: {lifetime: 90d, lead: 9d, turn: 4d, key_type: p256}}\n")
    [row] = tenant_ca.list_authorities(bench.installation, "fabrikam", NOW)
    assert row.not_after == NOW + 90 * DAY
    copy = tenant_ca.download(bench.installation, Selection(ring_of("fabrikam")), NOW)
    assert load(copy.der).key_type == "p256"


def test_the_active_one_is_first_and_downloaded_unless_another_is_named(bench: Workbench) -> None:
    [first] = authorities(contoso(bench))
    later = NOW + 640 * DAY
    second = add_next(bench, later)
    assert listed(bench, later) == [
        (first.thumbprint, Status.ACTIVE, ""),
        (second.thumbprint, Status.INACTIVE, "next"),
    ]
    selections = (ACTIVE, Selection(RING, index=2), Selection(RING, thumbprint=second.thumbprint_sha256))
    copies = [tenant_ca.download(bench.installation, selection, later).der for selection in selections]
    assert copies == [first.certificate, second.certificate, second.certificate]
    turned = NOW + 685 * DAY
    credential_states.make_primary(bench.installation, Selection(RING, index=2), turned)
    assert listed(bench, turned) == [
        (second.thumbprint, Status.ACTIVE, ""),
        (first.thumbprint, Status.INACTIVE, "retired"),
    ]
    assert tenant_ca.download(bench.installation, ACTIVE, turned).der == second.certificate
    assert listed(bench, NOW + 731 * DAY)[1] == (first.thumbprint, Status.EXPIRED, "")


def test_what_is_not_there_is_said_in_the_words_of_the_command(bench: Workbench) -> None:
    words = "see `sts ca-certificate list --namespace contoso`"
    with pytest.raises(NotFound, match=words):
        tenant_ca.download(bench.installation, Selection(RING, index=2), NOW)
    with pytest.raises(NamespaceNotFound):
        tenant_ca.list_authorities(bench.installation, "fabrikam", NOW)
    signing = next(c for c in contoso(bench).credentials if c.use is Use.SIGNING)
    with pytest.raises(Conflict, match="is for signing: it cannot serve for tenant-ca"):
        tenant_ca.download(bench.installation, Selection(RING, thumbprint=signing.thumbprint), NOW)


def test_openssl_verifies_the_chain_and_the_proof(bench: Workbench, tmp_path: Path) -> None:
    chain = certificates_in(tmp_path, tenant_ca.download_chain(bench.installation, ACTIVE, NOW).pkcs7)
    authority = tenant_ca.download(bench.installation, ACTIVE, NOW).der
    [root] = [each for each in chain if each != authority]
    assert len(chain) == 2
    proof = prove(bench, "4F1B2C").certificate
    verify(tmp_path, Chain(authority, [root]), NOW)
    verify(tmp_path, Chain(proof.der, [root], [authority]), NOW)
    assert parse(proof.der).subject == "CN=4F1B2C"
    assert (proof.not_before, proof.not_after) == (NOW, NOW + DAY)
    assert prove(bench, "4F1B2C", now=NOW + DAY).certificate.not_before == NOW + DAY - timedelta(minutes=5)


def test_the_next_ca_proves_itself_before_its_day_and_the_old_one_after_it(bench: Workbench, tmp_path: Path) -> None:
    later = NOW + 640 * DAY
    second = add_next(bench, later)
    [root] = roots(bench)
    proof = prove(bench, "CODE", Selection(RING, index=2), later).certificate.der
    verify(tmp_path, Chain(proof, [der_of(root)], [der_of(second)]), later)
    credential_states.make_primary(bench.installation, Selection(RING, index=2), later + DAY)
    old = prove(bench, "CODE", Selection(RING, index=2), later + DAY).certificate.der
    verify(tmp_path, Chain(old, [der_of(root)], [der_of(authorities(contoso(bench))[0])]), later + DAY)


def test_a_proof_is_in_the_audit_trail(bench: Workbench) -> None:
    proof = prove(bench, "4F1B2C")
    with bench.installation.database.reading() as connection:
        [record] = audit.list_newest(connection, "contoso", 1)
    assert (record.action, record.details["code"]) == ("certificate.prove", "4F1B2C")
    assert record.details["serial"] == f"{proof.certificate.serial:x}"
    assert record.details["thumbprint"] == proof.row.thumbprint


@pytest.mark.parametrize("code", ["", "x" * 129, "a\nb", "a\0b", "\x1b[2J", "\u202e", "\ud800"])
def test_what_is_no_code_is_refused(bench: Workbench, code: str) -> None:
    with pytest.raises(OperatorError, match="1 to 128 printable characters"):
        prove(bench, code)


@pytest.mark.parametrize(
    ("code", "warnings"), [("x" * 64, 0), ("x" * 65, 1), ("x" * 128, 1), ("é" * 33, 1), ("a b", 0)]
)
@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_code_that_is_longer_than_common_names_may_be_is_warned_of(
    bench: Workbench, code: str, warnings: int
) -> None:
    proof = prove(bench, code)
    assert len(proof.warnings) == warnings
    [name] = x509.load_der_x509_certificate(proof.certificate.der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == code


def test_a_ca_that_nobody_may_trust_proves_nothing(bench: Workbench) -> None:
    with pytest.raises(Conflict, match="is expired: nobody may trust it"):
        prove(bench, "CODE", Selection(RING, index=1), NOW + 800 * DAY)
    [held] = authorities(contoso(bench))
    chosen = Selection(RING, thumbprint=held.thumbprint)
    credential_states.revoke(bench.installation, chosen, NOW, Breakage.ACCEPTED)
    with pytest.raises(Conflict, match="is revoked: nobody may trust it"):
        prove(bench, "CODE", Selection(RING, index=1))
    with pytest.raises(NotFound, match="no certificate of this ring is active"):
        prove(bench, "CODE")


@pytest.mark.parametrize("uses", [(Use.TENANT_CA,), (Use.TENANT_CA, Use.ROOT_CA)], ids=["under a root", "without"])
@pytest.mark.parametrize("verb", ["list", "download", "chain", "prove"])
def test_an_older_namespace_gets_its_tenant_ca_on_first_need(
    bench: Workbench, verb: str, uses: tuple[Use, ...]
) -> None:
    forget(bench, *uses)
    verbs: dict[str, Any] = {
        "list": lambda: tenant_ca.list_authorities(bench.installation, "contoso", NOW),
        "download": lambda: tenant_ca.download(bench.installation, ACTIVE, NOW),
        "chain": lambda: tenant_ca.download_chain(bench.installation, ACTIVE, NOW),
        "prove": lambda: prove(bench, "CODE"),
    }
    verbs[verb]()
    verbs[verb]()
    assert [status for _, status, _ in listed(bench)] == [Status.ACTIVE]
    assert len(roots(bench)) == 1


def test_a_ca_that_somebody_took_away_is_not_made_again(bench: Workbench) -> None:
    [held] = authorities(contoso(bench))
    chosen = Selection(RING, thumbprint=held.thumbprint)
    credential_states.revoke(bench.installation, chosen, NOW, Breakage.ACCEPTED)
    credential_states.delete(bench.installation, chosen, NOW)
    assert listed(bench) == []
    assert len(authorities(contoso(bench))) == 1


def test_sixteen_at_once_make_one_tenant_ca_and_one_root(bench: Workbench) -> None:
    forget(bench, Use.TENANT_CA, Use.ROOT_CA)
    before = contoso(bench)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: make_first(bench.installation, before, NOW), range(16)))
    assert len(listed(bench)) == len(roots(bench)) == 1


def test_a_root_is_succeeded_in_time_over_thirty_years(bench: Workbench, tmp_path: Path) -> None:
    bench.apply("namespace: contoso\nrollover: {tenant-ca: {lifetime: 2y, lead: 90d, turn: 45d, key_type: p256}}\n")
    now = NOW
    while now < NOW + 30 * YEAR:
        now += 640 * DAY
        made = add_next(bench, now)
        assert made.not_after == now + 730 * DAY
        chain = tenant_ca.download_chain(bench.installation, Selection(RING, thumbprint=made.thumbprint), now).pkcs7
        [root] = [each for each in certificates_in(tmp_path, chain) if each != made.certificate]
        verify(tmp_path, Chain(der_of(made), [root]), made.not_after - DAY)
    held = roots(bench)
    assert len(held) == 5
    assert [c.predecessor_id for c in held] == [None, *(c.id for c in held[:-1])]
    assert [c.demoted_at for c in held[:-1]] == [c.primary_from for c in held[1:]]
    assert all(one.not_after - 730 * DAY == following.primary_from for one, following in pairwise(held))


def policy(lifetime: str) -> str:
    return f"rollover: {{tenant-ca: {{lifetime: {lifetime}, lead: 90d, turn: 45d, key_type: p256}}}}\n"


def issuer_of(bench: Workbench, namespace: str, now: datetime, index: int = 1) -> Credential:
    """The root that signed a tenant CA, which OpenSSL verifies to the last day."""
    chosen = Selection(ring_of(namespace), index=index)
    copy = tenant_ca.download(bench.installation, chosen, now)
    chain = certificates_in(bench.installation.home, tenant_ca.download_chain(bench.installation, chosen, now).pkcs7)
    [der] = [each for each in chain if each != copy.der]
    verify(bench.installation.home, Chain(copy.der, [der]), copy.row.not_after - DAY)
    return next(c for c in roots(bench) if c.certificate == der)


def test_longer_and_longer_tenant_cas_each_get_a_root_that_outlives_them(bench: Workbench) -> None:
    bench.apply(f"namespace: b\n{policy('6y')}")
    bench.apply(f"namespace: c\n{policy('10y')}")
    later = bench.at(NOW + DAY)
    later.apply(f"namespace: d\n{policy('10y')}")
    later.apply(f"namespace: e\n{policy('20y')}")
    held = roots(bench)
    assert [c.predecessor_id for c in held] == [None, *(c.id for c in held[:-1])]
    issuers = [issuer_of(bench, name, NOW + DAY).id for name in ("contoso", "b", "c", "d", "e")]
    first, second, third, *_ = (c.id for c in held)
    assert issuers[:4] == [first, first, first, second]
    assert issuers[4] in (third, held[-1].id)
    for name, years in (("b", 6), ("c", 10), ("d", 10), ("e", 20)):
        [row] = tenant_ca.list_authorities(bench.installation, name, NOW + DAY)
        assert row.not_after - row.not_before == years * YEAR


def test_a_policy_that_grows_longer_can_be_applied_at_any_time(bench: Workbench) -> None:
    for years in (6, 10, 15, 40):
        bench.apply(f"namespace: b{years}\n{policy(f'{years}y')}")
        assert issuer_of(bench, f"b{years}", NOW).not_after >= NOW + years * YEAR


def test_an_installation_of_seven_years_can_create_a_namespace_whose_tenant_ca_lives_for_five(
    bench: Workbench,
) -> None:
    late = NOW + 6 * YEAR + 100 * DAY
    add_next(bench, late)
    assert len(roots(bench)) == 2
    old = bench.at(NOW + 7 * YEAR + 100 * DAY)
    old.apply(f"namespace: fabrikam\n{policy('5y')}")
    first, second, third = roots(bench)
    assert issuer_of(bench, "fabrikam", old.now) == second
    assert (first.demoted_at, second.primary_from) == (old.now, old.now)
    assert third.primary_from == second.not_after - 5 * YEAR
    actions = [record.action for record in newest(bench, "", 2)]
    assert actions == ["certificate.generate", "rollover.promote"]


def newest(bench: Workbench, namespace: str, count: int) -> tuple[Any, ...]:
    with bench.installation.database.reading() as connection:
        return tuple(audit.list_newest(connection, namespace, count))


def test_keys_of_cas_are_made_before_a_transaction_begins(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(bench, Use.TENANT_CA, Use.ROOT_CA)
    before = contoso(bench)
    busy = []
    generate = keys.generate_key

    def generated(kind: KeyType) -> Any:
        busy.append(kind)
        other = sqlite3.connect(bench.installation.home / "sts.db", timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        return generate(kind)

    monkeypatch.setattr(authority, "generate_key", generated)
    make_first(bench.installation, before, NOW)
    assert busy == [KeyType.RSA3072, KeyType.RSA3072]


def test_a_root_whose_key_does_not_open_is_never_replaced_silently(bench: Workbench) -> None:
    [root] = roots(bench)
    with bench.installation.database.recording() as connection:
        connection.execute(sa.update(rows).where(rows.c.id == root.id).values(sealed=b"\x01" + b"?" * 200))
    bench.installation.key_ring.drop_all()  # it was opened when contoso's tenant CA was issued
    with pytest.raises(KeyUnreadable):
        bench.apply("namespace: fabrikam\n")
    assert len(roots(bench)) == 1


def test_the_roots_key_opens_as_the_installations_alone(bench: Workbench) -> None:
    [root] = roots(bench)
    key_ring = bench.installation.key_ring
    assert key_ring.secret(INSTALLATION, root)
    with bench.installation.database.recording() as connection:
        sealed = connection.scalar(sa.select(rows.c.sealed).where(rows.c.id == root.id))
        tenant = sa.update(rows).where(rows.c.use == Use.TENANT_CA)
        connection.execute(tenant.values(sealed=sealed))
    [held] = authorities(contoso(bench))
    with pytest.raises(KeyUnreadable):
        key_ring.secret(contoso(bench), held)
    with pytest.raises(KeyUnreadable):
        key_ring.secret(contoso(bench), replace(root))


def test_deleting_a_namespace_leaves_the_root(bench: Workbench) -> None:
    with bench.installation.database.changing("tests", NOW) as change:
        namespaces.delete(change, contoso(bench))
        change.audit("contoso", "namespace.delete", "namespace:contoso", {})
    assert issuing_root(roots(bench), NOW) is not None


def test_rows_look_like_those_of_every_certificate() -> None:
    assert {"index", "thumbprint", "status", "reason", "next_step"} <= set(CredentialRow.__dataclass_fields__)
