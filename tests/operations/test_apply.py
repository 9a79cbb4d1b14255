"""Applying a configuration file to a real database."""

from dataclasses import replace
from pathlib import Path

import pytest

from sts.core.credentials import decryption_credentials, published_signing
from sts.core.errors import InvalidConfiguration
from sts.core.model import Kind, Use
from sts.crypto.certificates import Purpose
from sts.crypto.passwords import verify_password
from sts.operations.apply import ApplyRequest, apply
from sts.store import audit
from tests.operations.workbench import (
    DAY,
    ENVIRONMENT,
    NOW,
    Workbench,
    workbench,
    write_certificate,
)

CONTOSO = """\
namespace: contoso
relying_parties:
  - {name: orders, realm: https://orders.example/, token_format: jwt, rule_groups: [everything]}
service_identities:
  - {name: worker, password: env:PASSWORD}
rule_groups:
  - {name: everything, rules: [{input: {issuer: LOCAL AUTHORITY}}]}
"""
NEW_NAMESPACE = (
    "created namespace contoso: with a signing certificate, a decryption certificate, a symmetric key and a tenant CA"
)
DATES = "not_before: 2026-01-01T00:00:00Z, not_after: 2027-01-01T00:00:00Z"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return workbench(tmp_path)


def test_a_new_namespace_gets_its_four_primaries_at_once(bench: Workbench) -> None:
    assert bench.changes("namespace: contoso\n") == [NEW_NAMESPACE]
    namespace = bench.known().namespace
    assert namespace is not None
    assert [(c.use, c.kind, c.subject) for c in namespace.credentials[:3]] == [
        (Use.SIGNING, Kind.CERTIFICATE, "CN=contoso.sts.example"),
        (Use.DECRYPTION, Kind.CERTIFICATE, "CN=contoso.sts.example decryption"),
        (Use.SIGNING, Kind.SYMMETRIC, None),
    ]
    authority = namespace.credentials[3]
    assert (authority.use, authority.kind) == (Use.TENANT_CA, Kind.CERTIFICATE)
    assert (authority.subject or "").startswith("CN=contoso tenant CA ")
    for credential in namespace.credentials:
        assert credential.primary_from == credential.published_at == credential.created_at == NOW
    assert published_signing(namespace, NOW) == namespace.credentials[:1]
    assert decryption_credentials(namespace, NOW) == namespace.credentials[1:2]
    lives = [c.not_after - c.not_before for c in namespace.credentials]
    assert lives == [730 * DAY, 730 * DAY, 3650 * DAY, 730 * DAY]
    assert bench.installation.key_ring.signer(namespace, namespace.credentials[0]).sign(b"data")


def test_a_file_is_applied_once_and_then_there_is_nothing_to_do(bench: Workbench) -> None:
    assert bench.changes(CONTOSO) == [
        NEW_NAMESPACE,
        "created rule group everything",
        "created service identity worker",
        "created relying party orders",
    ]
    before = bench.known()
    assert bench.changes(CONTOSO) == []
    assert bench.at(NOW + 30 * DAY).changes(CONTOSO) == []
    assert bench.known() == before


def test_a_rehearsal_says_the_same_and_does_nothing(bench: Workbench) -> None:
    rehearsed = bench.apply(CONTOSO, is_rehearsal=True)
    assert bench.known().namespace is None
    assert bench.apply(CONTOSO).changes == rehearsed.changes


def test_a_bad_file_changes_nothing(bench: Workbench) -> None:
    with pytest.raises(InvalidConfiguration):
        bench.apply(CONTOSO.replace("env:PASSWORD", "env:MISSING"))
    assert bench.known().namespace is None


def test_a_failure_half_way_changes_nothing(bench: Workbench) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    request = ApplyRequest(CONTOSO.encode(), bench.installation.home, ENVIRONMENT)
    with pytest.raises(KeyboardInterrupt):
        apply(bench.installation, request, NOW, stop)
    assert bench.known().namespace is None


CHANGES = [
    ("jwt, rule", "swt, rule", "changed relying party orders: token_format jwt -> swt"),
    ("jwt, rule", "jwt, token_lifetime: 60, rule", "changed relying party orders: token_lifetime 600 -> 60"),
    (
        "https://orders.example/",
        "urn:orders",
        "changed relying party orders: realm https://orders.example/ -> urn:orders",
    ),
    (", rule_groups: [everything]", "", 'changed relying party orders: rule_groups ["everything"] -> []'),
    ("env:PASSWORD", "env:OTHER", "changed service identity worker: password set"),
    ("env:PASSWORD", "env:PASSWORD, symmetric_key: env:KEY", "changed service identity worker: symmetric_key set"),
    ("env:PASSWORD", "env:PASSWORD, enabled: false", "changed service identity worker: enabled true -> false"),
    ("env:PASSWORD", "env:PASSWORD, may_act: true", "changed service identity worker: may_act false -> true"),
    (
        "env:PASSWORD",
        "env:PASSWORD, recoverable_password: true",
        "changed service identity worker: recoverable_password false -> true, password set",
    ),
    ("namespace: contoso", "namespace: contoso\nsession: 1h", "changed namespace contoso: session 8h -> 1h"),
    (
        "namespace: contoso",
        "namespace: contoso\nhosts: [a.example]",
        'changed namespace contoso: hosts [] -> ["a.example"]',
    ),
    ("issuer: LOCAL AUTHORITY", "issuer: LOCAL AUTHORITY, type: a", "changed rule group everything: rules"),
]


@pytest.mark.parametrize(("old", "new", "line"), CHANGES, ids=[line for _, _, line in CHANGES])
def test_a_change_of_the_file_is_made_told_and_audited(bench: Workbench, old: str, new: str, line: str) -> None:
    bench.apply(CONTOSO)
    changed = CONTOSO.replace(old, new)
    (change,) = bench.at(NOW + DAY).changes(changed)
    assert change.startswith(line)
    assert bench.changes(changed) == []
    with bench.installation.database.reading() as connection:
        (record,) = audit.list_newest(connection, "contoso", 1)
        audit.verify(connection)
    assert (record.at, record.actor) == (NOW + DAY, "tests")
    assert record.subject in (
        "relying-party:orders",
        "service-identity:worker",
        "namespace:contoso",
        "rule-group:everything",
    )


def test_passwords_are_hashed_and_appear_nowhere_else(bench: Workbench) -> None:
    bench.apply(CONTOSO)
    stored = bench.known().service_identities["worker"].password_hash
    verify_password(stored, b"correct horse")
    with bench.installation.database.reading() as connection:
        assert "correct horse" not in repr(audit.list_newest(connection, None, 100))


def test_a_secret_that_the_file_leaves_out_stays(bench: Workbench) -> None:
    bench.apply(CONTOSO.replace("env:PASSWORD", "env:PASSWORD, symmetric_key: env:KEY"))
    before = bench.known().service_identities["worker"]
    bench.apply(CONTOSO.replace(", password: env:PASSWORD", ", interactive: true"))
    after = bench.known().service_identities["worker"]
    assert after == replace(before, interactive=True)
    namespace = bench.known().namespace
    assert namespace is not None
    assert bench.installation.key_ring.shared_key(namespace, after) == bytes(range(32))


def test_a_password_is_recoverable_only_by_choice_and_only_while_it_is_the_one(bench: Workbench) -> None:
    def kept() -> bytes | None:
        known = bench.known()
        assert known.namespace is not None
        return bench.installation.key_ring.recoverable_password(known.namespace, known.service_identities["worker"])

    recoverable = CONTOSO.replace("env:PASSWORD", "env:PASSWORD, recoverable_password: true")
    without = CONTOSO.replace("password: env:PASSWORD", "recoverable_password: true")
    bench.apply(CONTOSO)
    assert kept() is None
    (warning,) = bench.apply(without).warnings
    assert "is stored only as a hash" in warning
    assert kept() is None
    assert bench.changes(recoverable) == ["changed service identity worker: password set"]
    assert kept() == b"correct horse"
    assert bench.changes(without) == []
    assert kept() == b"correct horse"
    bench.apply(recoverable.replace("env:PASSWORD", "env:OTHER"))
    assert kept() == b"battery staple"
    bench.apply(CONTOSO.replace("env:PASSWORD", "env:OTHER"))
    assert kept() is None
    with bench.installation.database.reading() as connection:
        assert "battery staple" not in repr(audit.list_newest(connection, None, 100))


def test_sections_that_are_absent_are_left_alone(bench: Workbench) -> None:
    bench.apply(CONTOSO)
    assert bench.apply("namespace: contoso\n", prunes=True).changes == ()
    assert list(bench.known().relying_parties) == ["orders"]


def test_what_a_present_section_leaves_out_is_listed_and_deleted_only_when_pruning(bench: Workbench) -> None:
    bench.apply(CONTOSO)
    empty = "namespace: contoso\nrelying_parties: []\nrule_groups: []\nservice_identities: []\n"
    kept = bench.apply(empty)
    assert kept.changes == ()
    assert [(gone.noun, gone.name) for gone in kept.left_out] == [
        ("relying party", "orders"),
        ("rule group", "everything"),
        ("service identity", "worker"),
    ]
    pruned = bench.apply(empty, prunes=True)
    assert pruned.changes == kept.left_out
    assert pruned.left_out == ()
    assert bench.known().relying_parties == {}


def test_pruning_refuses_to_take_what_a_relying_party_outside_the_file_needs(bench: Workbench) -> None:
    bench.apply(CONTOSO)
    assert bench.apply("namespace: contoso\nrule_groups: []\n").changes == ()
    with pytest.raises(InvalidConfiguration, match="line 2: rule_groups: rule group 'everything' is left out, but"):
        bench.apply("namespace: contoso\nrule_groups: []\n", prunes=True)


def test_relying_parties_may_exchange_their_realms(bench: Workbench) -> None:
    party = "  - {{name: {}, realm: 'urn:{}', token_format: jwt}}\n"
    first = (
        "namespace: contoso\nrelying_parties:\n"
        + party.format("a", "1")
        + party.format("b", "2")
        + party.format("c", "3")
    )
    rotated = (
        "namespace: contoso\nrelying_parties:\n"
        + party.format("a", "2")
        + party.format("b", "3")
        + party.format("c", "1")
    )
    bench.apply(first)
    assert len(bench.changes(rotated)) == 3
    assert {party.name: party.realm for party in bench.known().relying_parties.values()} == {
        "a": "urn:2",
        "b": "urn:3",
        "c": "urn:1",
    }


def test_a_renamed_relying_party_takes_the_realm_when_the_old_one_is_pruned(bench: Workbench) -> None:
    bench.apply(CONTOSO)
    renamed = CONTOSO.replace("name: orders", "name: sales")
    with pytest.raises(InvalidConfiguration, match="is the realm of relying party 'orders', which the file leaves out"):
        bench.apply(renamed)
    assert bench.changes(renamed, prunes=True) == ["deleted relying party orders", "created relying party sales"]


PROVIDER = "identity_providers:\n  - {name: adfs, issuer: urn:idp, certificates: [idp.cer]}\n"


def test_an_issuer_belongs_to_one_identity_provider(bench: Workbench) -> None:
    write_certificate(bench.installation.home / "idp.cer", Purpose.VERIFICATION)
    bench.apply("namespace: contoso\n" + PROVIDER)
    renamed = "namespace: contoso\n" + PROVIDER.replace("name: adfs", "name: login")
    with pytest.raises(InvalidConfiguration, match="'urn:idp' is the issuer of identity provider 'adfs', which the"):
        bench.apply(renamed)
    twice = "namespace: contoso\n" + PROVIDER + PROVIDER.partition("\n")[2].replace("name: adfs", "name: login")
    with pytest.raises(InvalidConfiguration, match="'urn:idp' is"):
        bench.apply(twice)
    changed = bench.changes(renamed, prunes=True)
    assert set(changed) == {"deleted identity provider adfs", "created identity provider login"}


TAKEN = {
    "our issuer": ("issuer: urn:idp", "issuer: https://sts.example/contoso", "of this namespace"),
    "local authority": ("issuer: urn:idp", "issuer: LOCAL AUTHORITY", "reads like LOCAL AUTHORITY"),
    "our accounts": ("issuer: urn:idp", "issuer: accounts", "'accounts' reads like the name of identity provider"),
    "our accounts by name": ("name: adfs", "name: Accounts", "'Accounts' reads like 'accounts', by which tokens name"),
    "another issuer almost": ("issuer: urn:idp", "issuer: URN:PARTNER", "the issuer of identity provider 'partner'"),
}


@pytest.mark.parametrize(("old", "new", "sentence"), TAKEN.values(), ids=TAKEN)
def test_an_identity_provider_that_would_be_taken_for_somebody_else_is_refused(
    bench: Workbench, old: str, new: str, sentence: str
) -> None:
    write_certificate(bench.installation.home / "idp.cer", Purpose.VERIFICATION)
    others = "  - {name: partner, issuer: 'urn:partner', certificates: [idp.cer]}\n  - {name: accounts, kind: local}\n"
    bench.apply(f"namespace: contoso\nidentity_providers:\n{others}")
    written = "namespace: contoso\n" + PROVIDER.replace(old, new)
    for text in (written, written + others):
        with pytest.raises(InvalidConfiguration, match=rf"identity_providers\[1\].issuer: .*{sentence}"):
            bench.apply(text)
    assert bench.changes("namespace: contoso\n" + PROVIDER + others) == ["created identity provider adfs"]


def test_whoever_is_pruned_is_nobody_to_be_taken_for(bench: Workbench) -> None:
    write_certificate(bench.installation.home / "idp.cer", Purpose.VERIFICATION)
    bench.apply("namespace: contoso\n" + PROVIDER)
    renamed = "namespace: contoso\n" + PROVIDER.replace("name: adfs, issuer: urn:idp", "name: new, issuer: 'URN:idp'")
    with pytest.raises(InvalidConfiguration, match="'URN:idp' reads like 'urn:idp', the issuer of"):
        bench.apply(renamed)
    assert set(bench.changes(renamed, prunes=True)) == {
        "deleted identity provider adfs",
        "created identity provider new",
    }


def test_a_host_of_another_namespace_is_refused(bench: Workbench) -> None:
    bench.apply("namespace: contoso\nhosts: [a.example]\n")
    with pytest.raises(
        InvalidConfiguration, match=r"line 2: hosts\[1\]: 'a.example' belongs to the namespace 'contoso'"
    ):
        bench.apply("namespace: fabrikam\nhosts: [a.example]\n")


DEDICATED = CONTOSO.replace(
    "rule_groups: [everything]}",
    f"signing: symmetric, credentials: [{{use: signing, kind: symmetric, value: env:KEY, {DATES}, primary: true}}]}}",
)


def test_a_change_by_somebody_else_meanwhile_is_seen(bench: Workbench) -> None:
    """The file is decided about again, so that nothing is overwritten that was not compared."""
    bench.apply(CONTOSO)
    steps = []

    def meddle(done: int, total: int) -> None:
        steps.append((done, total))

    request = ApplyRequest(DEDICATED.encode(), bench.installation.home, _Meddling(bench))
    applied = apply(bench.installation, request, NOW, meddle)
    assert str(applied.changes[0]) == (
        "changed relying party orders: signing certificate -> symmetric, token_lifetime 77 -> 600, "
        'rule_groups ["everything"] -> []'
    )
    assert steps[-1] == (2, 2)


class _Meddling(dict[str, str]):
    """An environment in which reading a variable for the first time lets somebody else change the namespace."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(ENVIRONMENT)
        self._bench = bench
        self._is_done = False

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        if not self._is_done:
            self._is_done = True
            self._bench.apply(CONTOSO.replace("jwt,", "jwt, token_lifetime: 77,"))
        return super().get(name, default)
