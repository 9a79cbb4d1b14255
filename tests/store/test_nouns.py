"""Every noun comes back as it was stored, and what would break another is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sts.core.errors import Conflict, KeyUnreadable, NamespaceNotFound, NotFound
from sts.core.model import (
    ClaimPattern,
    ContentEncryption,
    IdentityProvider,
    KeyType,
    Kind,
    Namespace,
    Origin,
    PartnerCertificate,
    ProviderKind,
    RelyingParty,
    RingPolicy,
    Rule,
    RuleGroup,
    ServiceIdentity,
    TokenFormat,
    Use,
    relying_party_scope,
)
from sts.store import (
    credentials,
    identity_providers,
    installation,
    namespaces,
    relying_parties,
    rule_groups,
    sealed_rows,
    service_identities,
    tables,
)
from sts.store.changes import Change
from tests.contract.backends import BASE_URL, SqlBackend
from tests.core import builders
from tests.core.builders import DAY, NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
CERTIFICATE = PartnerCertificate(b"\x30\x00", "CN=partner", "ab" * 20, NOW, NOW + DAY)
OTHER_CERTIFICATE = replace(CERTIFICATE, thumbprint="cd" * 20)
RULES = (
    Rule(ClaimPattern("LOCAL AUTHORITY")),
    Rule(ClaimPattern("adfs", "t", "a\0b\ud800é"), ClaimPattern("adfs", "u"), "role", "approver"),
)
GROUP = RuleGroup(0, "group", RULES)
PROVIDER = IdentityProvider(0, "adfs", issuer="http://adfs.example/", certificates=(CERTIFICATE, OTHER_CERTIFICATE))
LOCAL = IdentityProvider(0, "local", kind=ProviderKind.LOCAL, email_domains=("a.example",), enabled=False)
IDENTITY = ServiceIdentity(0, "worker", "$argon2id$", certificate=CERTIFICATE, swt_without_expiry=True)
PARTY = RelyingParty(
    id=0,
    name="orders",
    realm="https://orders.example/",
    token_format=TokenFormat.JWT,
    signing=Kind.SYMMETRIC,
    token_lifetime=timedelta(hours=2),
    reply=("https://orders.example/b", "https://orders.example/a"),
    error_url="https://orders.example/error",
    encryption_certificate=CERTIFICATE,
    encryption_algorithm=ContentEncryption.AES256_GCM,
    managed=True,
    jwt_type="at+jwt",
    identity_providers=("local", "adfs"),
    rule_groups=("second", "group"),
)
POLICY = RingPolicy(False, timedelta(days=100), timedelta(days=9), timedelta(days=3), KeyType.P256)

SAVED = [
    (rule_groups, GROUP, {"name": "renamed", "rules": RULES[:1]}),
    (identity_providers, PROVIDER, {"name": "renamed", "certificates": (OTHER_CERTIFICATE,), "unsolicited": True}),
    (identity_providers, replace(PROVIDER, decryption=ContentEncryption.AES256_CBC), {"decryption": None}),
    (service_identities, IDENTITY, {"name": "renamed", "certificate": None, "password_hash": None, "enabled": False}),
    (relying_parties, PARTY, {"name": "renamed", "rule_groups": ("group",), "encryption_certificate": None}),
    (relying_parties, replace(PARTY, identity_providers=()), {"realm": "urn:x", "identity_providers": ("adfs",)}),
]


@pytest.fixture
def contoso(sql: SqlBackend) -> Namespace:
    return sql.save_namespace(CONTOSO)


def save_linked(change: Change, namespace: Namespace) -> None:
    for name in ("group", "second"):
        rule_groups.save(change, namespace, replace(GROUP, name=name))
    for provider in (PROVIDER, LOCAL):
        identity_providers.save(change, namespace, provider)


@pytest.mark.parametrize(("module", "thing", "changes"), SAVED)
def test_noun_comes_back_as_it_was_stored(
    sql: SqlBackend, contoso: Namespace, module: Any, thing: Any, changes: dict[str, object]
) -> None:
    with sql.change() as change:
        if module is relying_parties:
            save_linked(change, contoso)
        stored = module.save(change, contoso, thing)
    changed = replace(stored, **changes)
    for expected in (stored, changed):
        with sql.change() as change:
            assert module.save(change, contoso, expected) == expected
        if isinstance(expected, RelyingParty):
            expected = replace(expected, rules=RULES * len(expected.rule_groups), nested_realms=None)
        with sql.database.reading() as connection:
            assert module.find(connection, contoso, expected.name) == expected
            assert module.list_all(connection, contoso) == (expected,)
    with sql.change() as change:
        module.delete(change, contoso, changed)
    with sql.database.reading() as connection:
        assert module.list_all(connection, contoso) == ()
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.partner_certificate)) in (0, 2)
        with pytest.raises(NotFound):
            module.find(connection, contoso, changed.name)


@pytest.mark.parametrize(
    ("module", "thing"),
    [(rule_groups, GROUP), (identity_providers, LOCAL), (service_identities, IDENTITY),
     (relying_parties, replace(PARTY, rule_groups=(), identity_providers=()))],
)  # fmt: skip
def test_name_is_taken_once_in_a_namespace_and_gone_things_cannot_be_saved(
    sql: SqlBackend, contoso: Namespace, module: Any, thing: Any
) -> None:
    fabrikam = sql.save_namespace(replace(CONTOSO, name="fabrikam"))
    with sql.change() as change:
        stored = module.save(change, contoso, thing)
        module.save(change, fabrikam, thing)
        with pytest.raises(Conflict, match=f"'{thing.name}'"):
            module.save(change, contoso, replace(thing, **({"realm": "urn:x"} if module is relying_parties else {})))
        for gone in (lambda: module.save(change, contoso, replace(stored, id=99, name="x", **realm_of(stored))),
                     lambda: module.save(change, fabrikam, replace(stored, name="x", **realm_of(stored))),
                     lambda: module.delete(change, fabrikam, stored)):  # fmt: skip
            with pytest.raises(NotFound):
                gone()


def realm_of(thing: object) -> dict[str, str]:
    return {"realm": "urn:another"} if isinstance(thing, RelyingParty) else {}


def test_realm_is_registered_once_in_a_namespace(sql: SqlBackend, contoso: Namespace) -> None:
    with sql.change() as change:
        save_linked(change, contoso)
        relying_parties.save(change, contoso, PARTY)
        with pytest.raises(Conflict, match=r"realm 'https://orders\.example/' .* 'orders'"):
            relying_parties.save(change, contoso, replace(PARTY, name="other"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rule_groups": ("group", "nowhere")}, "no rule group 'nowhere'"),
        ({"identity_providers": ("nowhere",)}, "no identity provider 'nowhere'"),
    ],
)
def test_relying_party_is_linked_only_with_what_is_there(
    sql: SqlBackend, contoso: Namespace, changes: dict[str, Any], sentence: str
) -> None:
    with sql.change() as change:
        save_linked(change, contoso)
        with pytest.raises(NotFound, match=sentence):
            relying_parties.save(change, contoso, replace(PARTY, **changes))


def test_what_a_relying_party_uses_cannot_be_deleted(sql: SqlBackend, contoso: Namespace) -> None:
    with sql.change() as change:
        save_linked(change, contoso)
        party = relying_parties.save(change, contoso, PARTY)
        group = rule_groups.find(change.connection, contoso, "group")
        provider = identity_providers.find(change.connection, contoso, "adfs")
        with pytest.raises(Conflict, match="'orders'"):
            rule_groups.delete(change, contoso, group)
        with pytest.raises(Conflict, match="'orders'"):
            identity_providers.delete(change, contoso, provider)
        relying_parties.delete(change, contoso, party)
        rule_groups.delete(change, contoso, group)
        identity_providers.delete(change, contoso, provider)


def test_namespace_comes_back_as_it_was_stored(sql: SqlBackend) -> None:
    given = replace(
        CONTOSO, hosts=("b.example", "a.example"), session=timedelta(minutes=5), rollover={"signing": POLICY}
    )
    stored = sql.save_namespace(given)
    sql.save_namespace(replace(CONTOSO, name="another"))
    with sql.database.reading() as connection:
        found = namespaces.find(connection, BASE_URL, "contoso")
        assert replace(found, version=0) == replace(stored, issuer="https://sts.example/contoso/")
        assert [namespace.name for namespace in namespaces.list_all(connection, BASE_URL)] == ["another", "contoso"]
        assert namespaces.list_hosts(connection) == {"a.example": "contoso", "b.example": "contoso"}


@pytest.mark.parametrize("base_url", ["https://sts.example", "https://sts.example/"])
def test_issuer_is_the_base_url_and_the_name(base_url: str) -> None:
    assert namespaces.issuer(base_url, "contoso") == "https://sts.example/contoso/"


def test_host_belongs_to_one_namespace(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(replace(CONTOSO, hosts=("a.example",)))
    with pytest.raises(Conflict, match=r"a\.example"):
        sql.save_namespace(replace(CONTOSO, name="fabrikam", hosts=("b.example", "a.example")))
    sql.save_namespace(replace(contoso, hosts=()))
    sql.save_namespace(replace(CONTOSO, name="fabrikam", hosts=("b.example", "a.example")))


def test_namespace_goes_with_all_that_is_in_it(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(replace(CONTOSO, hosts=("a.example",)))
    with sql.change() as change:
        save_linked(change, contoso)
        relying_parties.save(change, contoso, PARTY)
        service_identities.save(change, contoso, IDENTITY)
    first = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    sql.insert_credential(contoso, builders.key(predecessor_id=first.id), b"k" * 32)
    sql.delete_namespace(contoso)
    for table in set(tables.METADATA.sorted_tables) - {tables.audit, tables.change}:
        with sql.database.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table.name
    with pytest.raises(NamespaceNotFound):
        sql.delete_namespace(contoso)
    again = sql.save_namespace(CONTOSO)
    assert again.id != contoso.id


def test_credential_comes_back_as_it_was_stored_and_only_its_instants_move(sql: SqlBackend, contoso: Namespace) -> None:
    given = builders.credential(certificate=b"\x30\x00", key_type="rsa2048", origin=Origin.IMPORTED, created_at=None)
    stored = sql.insert_credential(contoso, given, b"k" * 32)
    assert replace(stored, id=given.id, created_at=None) == given
    assert stored.created_at == NOW
    moved = replace(stored, primary_from=NOW, demoted_at=NOW + DAY, revoked_at=NOW + 2 * DAY, published_at=None)
    with sql.change() as change:
        credentials.save(change, contoso, replace(moved, subject="CN=forged", certificate=b"forged"))
    with sql.database.reading() as connection:
        assert credentials.find(connection, contoso, stored.id) == moved
        assert credentials.list_all(connection, contoso) == (moved,)
        assert credentials.list_scope(connection, contoso, "namespace") == (moved,)
        assert credentials.list_scope(connection, contoso, "rp:1") == ()


def test_deleted_credential_leaves_a_tombstone_without_its_secret(sql: SqlBackend, contoso: Namespace) -> None:
    stored = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    sql.delete_credential(contoso, stored)
    with sql.database.reading() as connection:
        assert credentials.find(connection, contoso, stored.id).deleted_at == NOW
        assert connection.scalar(sa.select(tables.credential.c.sealed)) is None
        with pytest.raises(KeyUnreadable):
            credentials.sealed_secret(connection, contoso, stored.id)
    for act in (credentials.save, credentials.delete):
        with pytest.raises(NotFound), sql.change() as change:
            act(change, contoso, stored)


def test_relying_party_takes_its_dedicated_secrets_with_it(sql: SqlBackend, contoso: Namespace) -> None:
    alone = replace(PARTY, rule_groups=(), identity_providers=())
    party, other = (sql.save_relying_party(contoso, replace(alone, name=n, realm=n)) for n in ("urn:a", "urn:b"))
    for owner in (party, other):
        for _ in range(2):
            scope = relying_party_scope(owner.id)
            sql.insert_credential(contoso, builders.key(scope=scope), b"k" * 32)
    (first, _) = credentials_of(sql, contoso, party)
    sql.delete_credential(contoso, first)
    sql.delete_relying_party(contoso, party)
    assert all(credential.deleted_at for credential in credentials_of(sql, contoso, party))
    assert not any(credential.deleted_at for credential in credentials_of(sql, contoso, other))


def credentials_of(sql: SqlBackend, namespace: Namespace, party: RelyingParty) -> tuple[Any, ...]:
    with sql.database.reading() as connection:
        return credentials.list_scope(connection, namespace, relying_party_scope(party.id))


def test_credential_has_one_successor(sql: SqlBackend, contoso: Namespace) -> None:
    first = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    successor = builders.key(predecessor_id=first.id)
    sql.insert_credential(contoso, successor, b"k" * 32)
    with pytest.raises(Conflict):
        sql.insert_credential(contoso, successor, b"k" * 32)


def test_credential_of_another_namespace_is_not_found(sql: SqlBackend, contoso: Namespace) -> None:
    fabrikam = sql.save_namespace(replace(CONTOSO, name="fabrikam"))
    stored = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    acts: list[Callable[[Change], object]] = [
        lambda change: credentials.find(change.connection, fabrikam, stored.id),
        lambda change: credentials.save(change, fabrikam, stored),
        lambda change: credentials.delete(change, fabrikam, stored),
    ]
    for act in acts:
        with pytest.raises(NotFound), sql.change() as change:
            act(change)


def test_no_secret_is_stored_in_the_clear(sql: SqlBackend, contoso: Namespace) -> None:
    secret = b"0123456789abcdef0123456789ABCDEF"
    sql.insert_credential(contoso, builders.key(use=Use.SIGNING), secret)
    sql.save_service_identity(contoso, IDENTITY, secret)
    for table in tables.METADATA.sorted_tables:
        with sql.database.reading() as connection:
            assert secret not in b"".join(
                value for row in connection.execute(sa.select(table)) for value in row if isinstance(value, bytes)
            )
            assert secret.hex() not in repr(connection.execute(sa.select(table)).all())


def test_symmetric_key_of_a_service_identity_is_named_and_removed(sql: SqlBackend, contoso: Namespace) -> None:
    stored = sql.save_service_identity(contoso, IDENTITY, b"k" * 32)
    with sql.database.reading() as connection:
        assert service_identities.find(connection, contoso, "worker") == replace(stored, has_symmetric_key=True)
        fingerprint = service_identities.symmetric_key_fingerprint(connection, contoso, stored)
    assert fingerprint == sql.key_ring.fingerprint(b"k" * 32)
    sql.save_service_identity(contoso, replace(stored, enabled=False))
    with sql.database.reading() as connection:
        assert service_identities.symmetric_key_fingerprint(connection, contoso, stored) == fingerprint
    sql.save_service_identity(contoso, replace(stored, has_symmetric_key=False))
    with sql.database.reading() as connection:
        assert service_identities.symmetric_key_fingerprint(connection, contoso, stored) is None
        with pytest.raises(KeyUnreadable):
            service_identities.sealed_symmetric_key(connection, contoso, stored)


def test_installation_remembers_its_master_key(sql: SqlBackend) -> None:
    with sql.change() as change:
        assert installation.master_key_check(change.connection) is None
        for value in (b"first", b"second"):
            installation.save_master_key_check(change, value)
    with sql.database.reading() as connection:
        assert installation.master_key_check(connection) == b"second"


def test_sealed_rows_are_those_that_hold_a_secret(sql: SqlBackend) -> None:
    def count() -> int:
        with sql.database.reading() as connection:
            return sealed_rows.count(connection)

    assert count() == 0
    contoso = sql.save_namespace(CONTOSO)
    stored = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    assert count() == 1
    sql.save_service_identity(contoso, IDENTITY, b"k" * 32)
    assert count() == 2
    sql.delete_credential(contoso, stored)
    assert count() == 1
