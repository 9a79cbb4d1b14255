"""What operators do with the CAs of others, on a real database under a clock that the test moves."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.errors import Conflict, InvalidCertificate, NamespaceNotFound, NotFound, OperatorError, StaleVersion
from sts.core.model import Use
from sts.core.trusted_cas import MOST
from sts.crypto.certificates import pem
from sts.operations import audit, trusted_cas
from sts.operations.trusted_cas import TrustedCAName, TrustedCARow
from sts.store import credentials, namespaces, tables
from sts.store import trusted_cas as table
from tests.crypto.authorities import DAY, NOW, certificate, key_usage
from tests.crypto.factories import FACTORY, NAMESAKE, OF_A_CA, STRANGER, Factory
from tests.operations.workbench import Workbench, reopened, workbench

NAME = TrustedCAName("contoso", "factory")
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with two namespaces, to be copied: keys take time to make."""
    home = tmp_path_factory.mktemp("template")
    made = workbench(home).at(NOW)
    for namespace in ("contoso", "fabrikam"):
        made.apply(f"namespace: {namespace}\n")
    made.installation.database.close()
    return home


@pytest.fixture
def bench(tmp_path: Path, template: Path) -> Workbench:
    return reopened(shutil.copytree(template, tmp_path / "home")).at(NOW)


def add(bench: Workbench, named: TrustedCAName = NAME, factory: Factory = FACTORY) -> TrustedCARow:
    return trusted_cas.add(bench.installation, named, factory.certificate(), NOW).row


def code(bench: Workbench, named: TrustedCAName = NAME, now: datetime = NOW) -> str:
    return trusted_cas.new_code(bench.installation, named, now).code


def verify(bench: Workbench, proof: bytes, named: TrustedCAName = NAME, now: datetime = NOW) -> TrustedCARow:
    return trusted_cas.verify(bench.installation, named, proof, now)


def verified(bench: Workbench, named: TrustedCAName = NAME, factory: Factory = FACTORY) -> TrustedCARow:
    add(bench, named, factory)
    return verify(bench, factory.prove(code(bench, named)), named)


def rows(bench: Workbench, namespace: str = "contoso", now: datetime = NOW) -> tuple[TrustedCARow, ...]:
    return trusted_cas.list_all(bench.installation, namespace, now)


def everything(bench: Workbench) -> list[list[tuple[object, ...]]]:
    with bench.installation.database.reading() as connection:
        return [[tuple(row) for row in connection.execute(sa.select(table))] for table in tables.METADATA.sorted_tables]


def own_cas(bench: Workbench) -> dict[str, bytes]:
    with bench.installation.database.reading() as connection:
        [root] = credentials.list_roots(connection)
        found = {"installation's root CA": root}
        for name, what in (("contoso", "namespace's own tenant CA"), ("fabrikam", "")):
            namespace = namespaces.find(connection, bench.installation.base_url, name)
            found[what] = next(c for c in namespace.credentials if c.use is Use.TENANT_CA)
    return {what: each.certificate or b"" for what, each in found.items()}


def test_our_own_cas_are_not_trusted_twice(bench: Workbench) -> None:
    add(bench)
    before = everything(bench)
    for what, der in own_cas(bench).items():
        if not what:
            continue
        with pytest.raises(Conflict, match=what):
            trusted_cas.add(bench.installation, TrustedCAName("contoso", "own"), der, NOW)
        with pytest.raises(Conflict, match=what):
            trusted_cas.replace(bench.installation, NAME, der, NOW)
    assert everything(bench) == before


def test_the_tenant_ca_of_another_namespace_can_be_trusted(bench: Workbench) -> None:
    named = TrustedCAName("contoso", "fabrikam")
    assert trusted_cas.add(bench.installation, named, own_cas(bench)[""], NOW).row.status == "Unverified"


def test_a_ca_is_added_asked_for_its_proof_and_verified(bench: Workbench) -> None:
    der = FACTORY.certificate()
    added = trusted_cas.add(bench.installation, NAME, pem(der), NOW)
    assert (added.row.name, added.row.status, added.row.subject) == ("factory", "Unverified", "CN=factory,O=Factories")
    assert (added.row.verified_at, added.row.code_expires_at, added.warnings) == (None, None, ())
    made = trusted_cas.new_code(bench.installation, NAME, NOW)
    assert (made.row.status, made.row.code_expires_at) == ("Unverified", NOW + DAY)
    done = verify(bench, FACTORY.prove(made.code), now=NOW + DAY - SECOND)
    assert (done.status, done.verified_at, done.code_expires_at) == ("Verified", NOW + DAY - SECOND, None)
    assert rows(bench) == (done,)
    assert rows(bench, "fabrikam") == ()
    assert len({added.row.version, made.row.version, done.version}) == 3


def test_a_code_is_48_upper_case_hexadecimal_characters_and_never_the_same(bench: Workbench) -> None:
    add(bench)
    codes = [code(bench) for _ in range(5)]
    assert all(re.fullmatch("[0-9A-F]{48}", each) for each in codes)
    assert len(set(codes)) == 5


def test_only_the_newest_code_is_good(bench: Workbench) -> None:
    add(bench)
    old, new = code(bench), code(bench)
    with pytest.raises(InvalidCertificate, match="given out last"):
        verify(bench, FACTORY.prove(old))
    assert verify(bench, FACTORY.prove(new)).status == "Verified"


# (the proof for a code, the error, what the operator is told)
NO_PROOFS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "a wrong code": (lambda code: FACTORY.prove(code[::-1]), "given out last"),
    "another CA's signature": (lambda code: STRANGER.prove(code), "was not issued by the CA"),
    "a namesake's signature": (lambda code: NAMESAKE.prove(code), "was not issued by the CA"),
    "a self-made one": (lambda code: certificate(), "was not issued by the CA"),
    "an expired one": (lambda code: FACTORY.prove(code, not_after=NOW - SECOND), "not valid now"),
    "a CA's own": (lambda code: FACTORY.prove(code, extensions=OF_A_CA), "a CA's own"),
    "no certificate": (lambda code: code.encode(), "certificate"),
}


@pytest.mark.parametrize(("make", "told"), NO_PROOFS.values(), ids=NO_PROOFS.keys())
def test_a_failed_proof_changes_nothing_and_keeps_the_code(
    bench: Workbench, make: Callable[[str], bytes], told: str
) -> None:
    add(bench)
    waiting = code(bench)
    before = everything(bench)
    with pytest.raises(InvalidCertificate, match=told):
        verify(bench, make(waiting))
    assert everything(bench) == before
    assert verify(bench, FACTORY.prove(waiting)).status == "Verified"


def test_a_code_is_used_once(bench: Workbench) -> None:
    add(bench)
    proof = FACTORY.prove(code(bench))
    verify(bench, proof)
    with pytest.raises(Conflict, match="was used"):
        verify(bench, proof)


def test_a_code_expires_after_a_day(bench: Workbench) -> None:
    add(bench)
    proof = FACTORY.prove(code(bench))
    with pytest.raises(Conflict, match="expired on 2026-06-02T00:00:00Z; ask for a new one"):
        verify(bench, proof, now=NOW + DAY)


def test_a_proof_for_another_ca_or_namespace_does_not_serve(bench: Workbench) -> None:
    other = replace(NAME, name="other")
    foreign = replace(NAME, namespace="fabrikam")
    add(bench), add(bench, other, STRANGER), add(bench, foreign)
    proof = FACTORY.prove(code(bench))
    code(bench, other), code(bench, foreign)
    with pytest.raises(InvalidCertificate, match="was not issued by the CA"):
        verify(bench, proof, other)
    with pytest.raises(InvalidCertificate, match="given out last"):
        verify(bench, proof, foreign)


def test_a_replaced_certificate_must_be_proved_anew(bench: Workbench) -> None:
    before = verified(bench)
    replaced = trusted_cas.replace(bench.installation, NAME, NAMESAKE.certificate(), NOW).row
    assert (replaced.status, replaced.verified_at) == ("Unverified", None)
    assert (replaced.thumbprint != before.thumbprint, replaced.created_at) == (True, before.created_at)
    waiting = code(bench)
    with pytest.raises(InvalidCertificate):
        verify(bench, FACTORY.prove(waiting))
    assert verify(bench, NAMESAKE.prove(waiting)).status == "Verified"


def test_two_cas_are_verified_at_once_and_one_is_removed(bench: Workbench) -> None:
    next_one = replace(NAME, name="factory-2")
    verified(bench), verified(bench, next_one, NAMESAKE)
    assert [(row.name, row.status) for row in rows(bench)] == [("factory", "Verified"), ("factory-2", "Verified")]
    assert trusted_cas.remove(bench.installation, NAME, NOW).name == "factory"
    assert [row.name for row in rows(bench)] == ["factory-2"]
    with pytest.raises(NotFound, match="has no trusted CA 'factory'"):
        trusted_cas.remove(bench.installation, NAME, NOW)


VERBS: dict[str, Callable[[Workbench, TrustedCAName], object]] = {
    "verification-code": lambda bench, named: code(bench, named),
    "verify": lambda bench, named: verify(bench, FACTORY.prove("x"), named),
    "replace": lambda bench, named: trusted_cas.replace(bench.installation, named, NAMESAKE.certificate(), NOW),
    "remove": lambda bench, named: trusted_cas.remove(bench.installation, named, NOW),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_a_version_that_was_overtaken_changes_nothing(
    bench: Workbench, verb: Callable[[Workbench, TrustedCAName], object]
) -> None:
    seen = add(bench).version
    code(bench)
    before = everything(bench)
    with pytest.raises(StaleVersion, match="was changed since"):
        verb(bench, replace(NAME, version=seen))
    assert everything(bench) == before


def test_the_present_version_is_taken_by_every_verb(bench: Workbench) -> None:
    install = bench.installation
    row = add(bench)
    made = trusted_cas.new_code(install, replace(NAME, version=row.version), NOW)
    row = verify(bench, FACTORY.prove(made.code), replace(NAME, version=made.row.version))
    row = trusted_cas.replace(install, replace(NAME, version=row.version), NAMESAKE.certificate(), NOW).row
    trusted_cas.remove(install, replace(NAME, version=row.version), NOW)
    assert add(bench).version != row.version
    with pytest.raises(StaleVersion):
        trusted_cas.remove(install, replace(NAME, version=row.version), NOW)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
@pytest.mark.parametrize(
    ("named", "error"),
    [(replace(NAME, name="nothing"), NotFound), (replace(NAME, namespace="nowhere"), NamespaceNotFound)],
    ids=["name", "namespace"],
)
def test_what_is_not_there_is_not_found(
    bench: Workbench,
    verb: Callable[[Workbench, TrustedCAName], object],
    named: TrustedCAName,
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        verb(bench, named)


def test_an_intermediate_whose_root_nobody_knows_is_taken(bench: Workbench) -> None:
    trusted_cas.add(bench.installation, NAME, FACTORY.certificate(STRANGER.issuer), NOW)
    assert verify(bench, FACTORY.prove(code(bench))).status == "Verified"


# (the file, what the operator is told)
NO_CAS = {
    "expired": (lambda: FACTORY.certificate(not_after=NOW - SECOND), "expired on"),
    "no CA": (lambda: FACTORY.certificate(extensions=()), "not that of a CA"),
    "a client's": (lambda: FACTORY.issue(), "not that of a CA"),
    "may not sign certificates": (
        lambda: FACTORY.certificate(extensions=(OF_A_CA[0], key_usage("crl_sign"))),
        "key usage does not allow it to issue certificates",
    ),
    "two certificates": (lambda: pem(FACTORY.certificate()) * 2, "exactly one"),
    "trailing byte": (lambda: FACTORY.certificate() + b"\0", "after its end"),
    "not a certificate": (lambda: b"factory", "no certificate"),
}


@pytest.mark.parametrize(("make", "told"), NO_CAS.values(), ids=NO_CAS.keys())
def test_what_is_not_the_certificate_of_a_ca_is_refused(bench: Workbench, make: Callable[[], bytes], told: str) -> None:
    with pytest.raises(InvalidCertificate, match=told):
        trusted_cas.add(bench.installation, NAME, make(), NOW)
    verified(bench)
    before = everything(bench)
    with pytest.raises(InvalidCertificate, match=told):
        trusted_cas.replace(bench.installation, NAME, make(), NOW)
    assert everything(bench) == before


def test_a_ca_that_begins_later_is_taken_with_a_warning(bench: Workbench) -> None:
    outcome = trusted_cas.add(bench.installation, NAME, FACTORY.certificate(not_before=NOW + DAY), NOW)
    assert "not valid before 2026-06-02" in outcome.warnings[0]


@pytest.mark.parametrize("name", ["", "a" * 65, "fac tory", "factory/1", "fäctory", "factory\n", "-x\0"])
def test_a_name_that_no_address_could_hold_is_refused(bench: Workbench, name: str) -> None:
    with pytest.raises(OperatorError, match="is no name"):
        add(bench, replace(NAME, name=name))


@pytest.mark.parametrize("name", ["a", "A.b_c-9" * 9, "." * 64, "-"])
def test_names_are_those_of_the_cloud_services(bench: Workbench, name: str) -> None:
    assert add(bench, replace(NAME, name=name)).name == name


def test_a_name_and_a_certificate_are_taken_once(bench: Workbench) -> None:
    add(bench)
    with pytest.raises(Conflict, match="the name 'factory' is that of"):
        add(bench, factory=STRANGER)
    with pytest.raises(Conflict, match="this very certificate"):
        trusted_cas.add(bench.installation, replace(NAME, name="again"), _again(bench), NOW)
    add(bench, replace(NAME, namespace="fabrikam"))


def _again(bench: Workbench) -> bytes:
    """The very certificate of the first."""
    with bench.installation.database.reading() as connection:
        der: bytes = connection.scalar(sa.select(tables.trusted_ca.c.der))
        return der


def test_a_namespace_trusts_at_most_a_hundred(bench: Workbench) -> None:
    add(bench)
    with bench.installation.database.changing("tests", NOW) as change:
        contoso = namespaces.find(change.connection, bench.installation.base_url, "contoso")
        change.audit("contoso", "tests", "", {})
        for number in range(MOST - 1):
            table.save(change, contoso, replace(contoso.trusted_cas[0], id=0, name=f"{number}"))
    with pytest.raises(Conflict, match="at most 100"):
        add(bench, replace(NAME, name="one-more"), STRANGER)
    trusted_cas.remove(bench.installation, NAME, NOW)
    assert add(bench, replace(NAME, name="one-more"), STRANGER).name == "one-more"


def test_every_step_is_in_the_audit_trail_and_no_code_is(bench: Workbench) -> None:
    add(bench)
    waiting = code(bench)
    verify(bench, FACTORY.prove(waiting))
    trusted_cas.replace(bench.installation, NAME, NAMESAKE.certificate(), NOW)
    trusted_cas.remove(bench.installation, NAME, NOW)
    records = audit.list_newest(bench.installation, "contoso", 5)
    verbs = ("add", "verification-code", "verify", "replace", "remove")
    assert [record.action for record in records] == [f"trusted-ca.{verb}" for verb in verbs]
    assert {record.subject for record in records} == {"trusted-ca:factory"}
    assert waiting not in repr(records)
    assert waiting not in repr(everything(bench))
    audit.verify(bench.installation)
