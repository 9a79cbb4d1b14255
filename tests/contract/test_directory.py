"""What every Directory does."""

from dataclasses import replace

import pytest

from sts.core.errors import NamespaceNotFound
from sts.core.model import (
    INSTALLATION,
    INSTALLATION_SCOPE,
    ClaimPattern,
    IdentityProvider,
    Namespace,
    PartnerCertificate,
    RelyingParty,
    Rule,
    RuleGroup,
    ServiceIdentity,
    TokenFormat,
    Use,
    relying_party_scope,
)
from tests.contract.backends import Backend
from tests.core import builders

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
ORDERS = RelyingParty(id=0, name="orders", realm="https://a.example/orders/", token_format=TokenFormat.JWT)


def rule(value: str) -> Rule:
    return Rule(ClaimPattern("LOCAL AUTHORITY"), output_type="role", output_value=value)


def test_namespace_carries_its_issuer_and_its_own_credentials_only(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam", issuer="https://sts.example/fabrikam/"))
    own = backend.insert_credential(contoso, builders.key(), b"k" * 32)
    backend.insert_credential(fabrikam, builders.key(), b"k" * 32)
    found = backend.directory.namespace("contoso")
    assert found.issuer == "https://sts.example/contoso/"
    assert [credential.id for credential in found.credentials] == [own.id]


@pytest.mark.parametrize("name", ["", "nobody", "CONTOSO", "contoso\0", "contoso\ud800", "n" * 100_000])
def test_unknown_namespace_is_refused(backend: Backend, name: str) -> None:
    backend.save_namespace(CONTOSO)
    with pytest.raises(NamespaceNotFound):
        backend.directory.namespace(name)


@pytest.mark.parametrize(
    ("realms", "expected"),
    [
        (["https://a.example/orders/"], "orders"),
        (["https://a.example/orders/1", "https://a.example/orders/", "https://a.example/"], "orders"),
        (["https://a.example/orders/v2/x", "https://a.example/orders/v2/", "https://a.example/orders/"], "v2"),
        (["https://a.example/other", "https://a.example/"], "root"),
        (["https://b.example/"], None),
        (["https://A.example/orders/"], None),
        (["https://a.example/orders/\0", "https://a.example/orders/\ud800"], None),
        ([], None),
    ],
)
def test_relying_party_is_that_of_the_first_registered_realm(
    backend: Backend, realms: list[str], expected: str | None
) -> None:
    contoso = backend.save_namespace(CONTOSO)
    for name, realm in [("root", "https://a.example/"), ("orders", ORDERS.realm), ("v2", ORDERS.realm + "v2/")]:
        backend.save_relying_party(contoso, replace(ORDERS, name=name, realm=realm))
    for _ in ("cold", "warm"):
        found = backend.directory.relying_party(contoso, realms)
        assert (found and found.name) == expected


def test_relying_party_of_another_namespace_is_not_found(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam"))
    backend.save_relying_party(contoso, ORDERS)
    assert backend.directory.relying_party(contoso, [ORDERS.realm])
    assert backend.directory.relying_party(fabrikam, [ORDERS.realm]) is None


def test_relying_party_carries_its_credentials_and_the_rules_of_its_groups_in_order(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    for name in "ab":
        backend.save_rule_group(contoso, RuleGroup(0, name, (rule(name), rule(f"{name}2"))))
    orders = backend.save_relying_party(contoso, replace(ORDERS, rule_groups=("b", "a")))
    dedicated = replace(builders.key(), scope=relying_party_scope(orders.id))
    stored = backend.insert_credential(contoso, dedicated, b"k" * 32)
    found = backend.directory.relying_party(contoso, [ORDERS.realm])
    assert found
    assert found.rules == (rule("b"), rule("b2"), rule("a"), rule("a2"))
    assert [credential.id for credential in found.credentials] == [stored.id]


def test_service_identity_is_found_by_its_exact_name(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    stored = backend.save_service_identity(contoso, ServiceIdentity(0, "worker"))
    assert backend.directory.service_identity(contoso, "worker") == stored
    for name in ("Worker", "", "worker\0", "\ud800", "w" * 100_000):
        assert backend.directory.service_identity(contoso, name) is None


def test_certificate_leads_to_the_service_identities_of_the_namespace_that_have_it(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam", issuer="https://sts.example/fabrikam/"))
    pinned = PartnerCertificate(b"der", "CN=robot", "0" * 40, builders.NOW, builders.NOW)
    for owner, name in ((contoso, "robot"), (contoso, "android"), (fabrikam, "other")):
        backend.save_service_identity(owner, ServiceIdentity(0, name, certificate=pinned))
    backend.save_service_identity(contoso, ServiceIdentity(0, "worker"))
    assert list(backend.directory.certificate_owners(contoso, b"der")) == ["android", "robot"]
    assert list(backend.directory.certificate_owners(fabrikam, b"der")) == ["other"]
    assert list(backend.directory.certificate_owners(contoso, b"another")) == []


def test_identity_providers_are_the_namespaces_by_name_disabled_ones_too(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam"))
    assert tuple(backend.directory.identity_providers(contoso)) == ()
    stored = [
        backend.save_identity_provider(contoso, IdentityProvider(0, name, issuer=f"urn:{name}", enabled=name != "b"))
        for name in ("c", "b", "a")
    ]
    backend.save_identity_provider(fabrikam, IdentityProvider(0, "d"))
    for _ in ("cold", "warm"):
        assert tuple(backend.directory.identity_providers(contoso)) == tuple(reversed(stored))


def test_changed_identity_provider_arrives_in_this_process_and_in_the_other(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    adfs = backend.save_identity_provider(contoso, IdentityProvider(0, "adfs", issuer="urn:adfs"))
    orders = backend.save_relying_party(contoso, replace(ORDERS, identity_providers=("adfs",)))
    processes = (backend, backend.other_process())

    def look() -> list[tuple[str, bool]]:
        seen = []
        for process in processes:
            process.settle()
            seen.append([(p.name, p.enabled) for p in process.directory.identity_providers(contoso)])
        assert seen[0] == seen[1]
        return seen[0]

    assert look() == [("adfs", True)]
    backend.save_identity_provider(contoso, replace(adfs, enabled=False))
    assert look() == [("adfs", False)]
    backend.save_relying_party(contoso, replace(orders, identity_providers=()))
    backend.delete_identity_provider(contoso, adfs)
    assert look() == []


def test_roots_are_the_installations_and_a_change_of_them_arrives(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.insert_credential(contoso, builders.credential(use=Use.TENANT_CA), b"k" * 32)
    processes = (backend, backend.other_process())
    root = builders.credential(use=Use.ROOT_CA, scope=INSTALLATION_SCOPE)
    for expected in range(3):
        for process in processes:
            process.settle()
            assert len(process.directory.roots()) == expected
            assert len(process.directory.roots()) == expected
            assert [c.use for c in process.directory.namespace("contoso").credentials] == [Use.TENANT_CA]
        stored = backend.insert_credential(INSTALLATION, root, b"k" * 32)
    backend.delete_credential(INSTALLATION, stored)
    for process in processes:
        process.settle()
        assert [c.deleted_at is None for c in process.directory.roots()] == [True, True, False]


def test_every_kind_of_change_arrives_in_this_process_and_in_the_other(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    group = backend.save_rule_group(contoso, RuleGroup(0, "a", (rule("x"),)))
    orders = backend.save_relying_party(contoso, replace(ORDERS, rule_groups=("a",)))
    worker = backend.save_service_identity(contoso, ServiceIdentity(0, "worker"))
    processes = (backend, backend.other_process())

    def look() -> list[tuple[object, ...]]:
        seen = []
        for process in processes:
            process.settle()
            found = process.directory.relying_party(contoso, [ORDERS.realm])
            identity = process.directory.service_identity(contoso, "worker")
            living = [c for c in process.directory.namespace("contoso").credentials if c.deleted_at is None]
            seen.append((found and (found.name, found.rules), identity and identity.enabled, len(living)))
        assert seen[0] == seen[1]
        return seen

    assert look()[0] == (("orders", (rule("x"),)), True, 0)
    backend.save_rule_group(contoso, replace(group, rules=(rule("y"),)))
    assert look()[0] == (("orders", (rule("y"),)), True, 0)
    renamed = backend.save_relying_party(contoso, replace(orders, name="sales"))
    backend.save_service_identity(contoso, replace(worker, enabled=False))
    assert look()[0] == (("sales", (rule("y"),)), False, 0)
    key = backend.insert_credential(contoso, builders.key(), b"k" * 32)
    assert look()[0] == (("sales", (rule("y"),)), False, 1)
    backend.delete_credential(contoso, key)
    backend.delete_relying_party(contoso, renamed)
    backend.delete_service_identity(contoso, worker)
    assert look()[0] == (None, None, 0)
    assert [c.id for c in backend.directory.namespace("contoso").credentials] == [key.id]  # its tombstone


def test_realm_registered_later_is_found_before_the_shorter_one_that_is_warm(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.save_relying_party(contoso, ORDERS)
    other = backend.other_process()
    realms = [ORDERS.realm + "v2/x", ORDERS.realm + "v2/", ORDERS.realm]
    found = [process.directory.relying_party(contoso, realms) for process in (backend, other)]
    assert [one and one.name for one in found] == ["orders", "orders"]
    nested = backend.save_relying_party(contoso, replace(ORDERS, name="v2", realm=ORDERS.realm + "v2/"))
    other.settle()
    found = [process.directory.relying_party(contoso, realms) for process in (backend, other)]
    assert [one and one.name for one in found] == ["v2", "v2"]
    backend.save_relying_party(contoso, replace(nested, realm="https://b.example/"))
    other.settle()
    found = [process.directory.relying_party(contoso, realms) for process in (backend, other)]
    assert [one and one.name for one in found] == ["orders", "orders"]


def test_deleted_namespace_is_gone_everywhere(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    other = backend.other_process()
    assert other.directory.namespace("contoso") == backend.directory.namespace("contoso")
    backend.delete_namespace(contoso)
    other.settle()
    for process in (backend, other):
        with pytest.raises(NamespaceNotFound):
            process.directory.namespace("contoso")
