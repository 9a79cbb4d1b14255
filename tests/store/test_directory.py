"""What is warm needs no SQL, and nothing that changed stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from sts.core.errors import NamespaceNotFound, StoreUnavailable
from sts.core.exchange import TokenUse
from sts.core.model import (
    ClaimPattern,
    IdentityProvider,
    Namespace,
    PartnerCertificate,
    RelyingParty,
    Rule,
    RuleGroup,
    ServiceIdentity,
    TokenFormat,
    relying_party_scope,
)
from sts.core.realms import candidates
from sts.store import changes, directory, namespaces, relying_parties, service_identities, tables
from sts.store.bounded import BoundedMap
from tests.contract.backends import SqlBackend
from tests.core import builders

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
ORDERS = RelyingParty(id=0, name="orders", realm="https://a.example/orders/", token_format=TokenFormat.JWT)


@contextmanager
def statements(sql: SqlBackend) -> Iterator[list[str]]:
    """The SQL that a process sends meanwhile."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    sa.event.listen(sql.database._engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sql.database._engine, "before_cursor_execute", note)


def save_parties(sql: SqlBackend, namespace: Namespace, *realms: str, **settings: object) -> list[RelyingParty]:
    with sql.change() as change:
        return [
            relying_parties.save(change, namespace, replace(ORDERS, name=realm, realm=realm, **settings))
            for realm in realms
        ]


def names(sql: SqlBackend, namespace: Namespace, *realms: str) -> list[str | None]:
    found = [sql.directory.relying_party(namespace, candidates(realm)) for realm in realms]
    return [one and one.name for one in found]


def test_warm_process_sends_no_sql(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(replace(CONTOSO, hosts=("login.contoso.example",)))
    pinned = PartnerCertificate(b"der", "CN=robot", "0" * 40, builders.NOW, builders.NOW)
    sql.save_service_identity(contoso, ServiceIdentity(0, "worker", certificate=pinned), b"k" * 32)
    credential = sql.insert_credential(contoso, builders.key(), b"k" * 32)
    save_parties(sql, contoso, "https://a.example/", "https://a.example/orders/", "https://a.example/orders/v2/")

    def issue() -> None:
        assert sql.directory.namespace_of_host("login.contoso.example") == "contoso"
        assert sql.directory.namespace_of_host("stranger.example") is None
        namespace = sql.directory.namespace("contoso")
        for number in range(50):  # the callers choose what they ask for
            assert names(sql, namespace, f"https://a.example/orders/{number}/x?y=/{number}") == [
                "https://a.example/orders/"
            ]
            assert names(sql, namespace, f"https://a.example/{number}#z") == ["https://a.example/"]
        identity = sql.directory.service_identity(namespace, "worker")
        assert identity
        assert sql.key_ring.shared_key(namespace, identity)
        assert sql.key_ring.signer(namespace, credential)
        assert sql.directory.identity_providers(namespace) == ()
        assert sql.directory.certificate_owners(namespace, b"der") == ("worker",)
        assert sql.directory.certificate_owners(namespace, b"of a stranger") == ()

    issue()
    with statements(sql) as seen:
        issue()
    assert seen == []


def test_certificate_leads_to_whom_it_is_pinned_to_now(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    pinned = PartnerCertificate(b"der", "CN=robot", "0" * 40, builders.NOW, builders.NOW)
    robot = sql.save_service_identity(contoso, ServiceIdentity(0, "robot"))
    other = sql.other_process()
    for name, certificate, owners in (
        ("robot", None, ()),
        ("robot", pinned, ("robot",)),
        ("android", pinned, ("android",)),
        ("android", replace(pinned, der=b"another"), ()),
    ):
        sql.save_service_identity(contoso, replace(robot, name=name, certificate=certificate))
        for process in (sql, other):
            process.settle()
            assert process.directory.certificate_owners(contoso, b"der") == owners
    sql.save_service_identity(contoso, replace(robot, certificate=pinned))
    assert sql.directory.certificate_owners(contoso, b"der") == ("robot",)
    with sql.change() as change:
        service_identities.delete(change, contoso, robot)
    assert sql.directory.certificate_owners(contoso, b"der") == ()
    other.database.close()


def test_renamed_identity_provider_has_its_new_name_at_the_relying_parties_that_use_it(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    adfs = sql.save_identity_provider(contoso, IdentityProvider(0, "adfs"))
    save_parties(sql, contoso, "https://a.example/", identity_providers=("adfs",))
    other = sql.other_process()
    for name in ("adfs", "login"):
        sql.save_identity_provider(contoso, replace(adfs, name=name))
        for process in (sql, other):
            process.settle()
            found = process.directory.relying_party(contoso, ["https://a.example/"])
            assert found
            assert found.identity_providers == (name,)
    other.database.close()


def test_cold_relying_party_is_found_with_a_few_statements_among_thousands(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    save_parties(sql, contoso, *(f"https://a.example/{number}/" for number in range(2_000)))
    with statements(sql) as seen:
        assert names(sql, contoso, "https://a.example/1234/" + "x/" * 10) == ["https://a.example/1234/"]
    assert len([statement for statement in seen if statement.startswith("SELECT")]) <= 12


def test_relying_party_with_too_many_nested_realms_asks_once_for_each_realm_below(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    save_parties(sql, contoso, "https://a.example/", *(f"https://a.example/{number}/" for number in range(257)))
    asked = ("https://a.example/", "https://a.example/x", "https://a.example/7/x")
    expected: list[str | None] = ["https://a.example/", "https://a.example/", "https://a.example/7/"]
    assert names(sql, contoso, *asked) == expected
    with statements(sql) as seen:
        assert names(sql, contoso, *asked) == expected
    assert len([statement for statement in seen if "realm IN" in statement]) == 1


@pytest.mark.parametrize("count", [255, 256, 257])
def test_nested_realms_are_all_or_not_held(sql: SqlBackend, count: int) -> None:
    contoso = sql.save_namespace(CONTOSO)
    below = [f"https://a.example/{number}/" for number in range(count)]
    save_parties(
        sql, contoso, "https://a.example/", "https://a.example0", "https://a.exampl", "https://A.example/x", *below
    )
    root = sql.directory.relying_party(contoso, ["https://a.example/"])
    assert root
    assert root.nested_realms == (frozenset(below) if count <= 256 else None)


@pytest.mark.parametrize(
    "realm", ["urn:x", "https://ä.example/", "https://a.example/%_/", "https://a.example/\u10ff\U0001f600/"]
)
def test_nested_realms_are_told_by_code_point(sql: SqlBackend, realm: str) -> None:
    contoso = sql.save_namespace(CONTOSO)
    below = [realm + tail for tail in ("/", "0", "z", "\uffef", "\U0001f600", "\U0010fffd")]
    save_parties(sql, contoso, realm, realm[:-1], realm[:-1] + "\U0010fffd", realm.swapcase() + "a", *below)
    found = sql.directory.relying_party(contoso, [realm])
    assert found
    assert found.nested_realms == frozenset(below)


def furnished(sql: SqlBackend, name: str) -> Namespace:
    """A namespace with three relying parties and a service identity."""
    made = sql.save_namespace(replace(CONTOSO, name=name))
    for group in ("g", "h"):
        sql.save_rule_group(made, RuleGroup(0, group))
    save_parties(sql, made, "https://a.example/", "https://b.example/", rule_groups=("g",))
    save_parties(sql, made, "https://c.example/", rule_groups=("h",))
    sql.save_service_identity(made, ServiceIdentity(0, "worker"))
    return made


def kept(sql: SqlBackend, *namespaces: Namespace) -> set[tuple[str, str]]:
    """What of namespaces so furnished is in memory."""
    directory, held = sql.directory, set()
    for namespace in namespaces:
        found = {
            "namespace": directory._namespaces.get(namespace.name),
            "worker": directory._service_identities.get((namespace.id, "worker")),
            **{host: directory._relying_parties.get((namespace.id, f"https://{host}.example/")) for host in "abc"},
        }
        held |= {(namespace.name, what) for what, snapshot in found.items() if snapshot is not None}
    return held


def warm(sql: SqlBackend, *namespaces: Namespace) -> set[tuple[str, str]]:
    """Ask for all of it, and answer what is in memory then."""
    for namespace in namespaces:
        sql.directory.namespace(namespace.name)
        sql.directory.service_identity(namespace, "worker")
        names(sql, namespace, "https://a.example/", "https://b.example/", "https://c.example/")
    return kept(sql, *namespaces)


def test_change_drops_only_what_it_touched(sql: SqlBackend) -> None:
    contoso, fabrikam = furnished(sql, "contoso"), furnished(sql, "fabrikam")
    everything = warm(sql, contoso, fabrikam)
    assert len(everything) == 10
    other = sql.other_process()
    (a, b) = (other.directory.relying_party(contoso, [f"https://{host}.example/"]) for host in "ab")
    worker = other.directory.service_identity(contoso, "worker")
    assert a
    assert b
    assert worker
    dedicated = replace(builders.key(), scope=relying_party_scope(b.id))
    steps = [
        (lambda: other.save_relying_party(contoso, replace(a, name="a")), {"a"}),
        (lambda: other.insert_credential(contoso, dedicated, b"k" * 32), {"b"}),
        (lambda: save_parties(other, contoso, "https://a.example/below/"), {"a"}),
        (lambda: save_parties(other, contoso, "https://a.exam"), set()),
        (lambda: other.save_rule_group(contoso, RuleGroup(0, "new")), set()),
        (lambda: other.save_service_identity(contoso, worker), {"worker"}),
        (lambda: other.insert_credential(contoso, builders.key(), b"k" * 32), {"namespace"}),
        (lambda: other.save_namespace(contoso), {"namespace"}),
    ]
    for step, dropped in steps:
        assert warm(sql, contoso, fabrikam) == everything
        step()
        assert kept(sql, contoso, fabrikam) == everything
        sql.settle()
        assert kept(sql, contoso, fabrikam) == everything - {("contoso", what) for what in dropped}


def test_rule_group_drops_those_who_use_it(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    group = sql.save_rule_group(contoso, RuleGroup(0, "g"))
    save_parties(sql, contoso, "https://a.example/", rule_groups=("g",))
    save_parties(sql, contoso, "https://b.example/")
    names(sql, contoso, "https://a.example/", "https://b.example/")
    rules = (Rule(ClaimPattern("LOCAL AUTHORITY")),)
    sql.save_rule_group(contoso, replace(group, name="renamed", rules=rules))
    assert len(sql.directory._relying_parties) == 1
    found = sql.directory.relying_party(contoso, ["https://a.example/"])
    assert found
    assert (found.rule_groups, found.rules) == (("renamed",), rules)


def test_version_of_a_namespace_grows_with_its_own_changes_only(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    first = sql.directory.namespace("contoso").version
    save_parties(sql, contoso, "https://a.example/")
    sql.save_service_identity(contoso, ServiceIdentity(0, "worker"))
    assert sql.directory.namespace("contoso").version == first
    assert sql.other_process().directory.namespace("contoso").version == first
    sql.insert_credential(contoso, builders.key(), b"k" * 32)
    assert sql.directory.namespace("contoso").version > first


@pytest.mark.parametrize("kept", [10, 50])
def test_memory_is_bounded_by_what_is_registered(sql: SqlBackend, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "MOST_RELYING_PARTIES", kept)
    process = sql.other_process()
    contoso = sql.save_namespace(CONTOSO)
    realms = [f"https://a.example/{number}/" for number in range(30)]
    save_parties(sql, contoso, *realms)
    for tail in ("", "x", "y", "y/z"):
        assert names(process, contoso, *(realm + tail for realm in realms)) == realms
    for number in range(30):
        assert process.directory.service_identity(contoso, f"nobody{number}") is None
        with pytest.raises(NamespaceNotFound):
            process.directory.namespace(f"nobody{number}")
    assert len(process.directory._relying_parties) == min(kept, 30)
    assert len(process.directory._service_identities) == 0
    assert len(process.directory._namespaces) == 0


def test_bounded_map_forgets_the_oldest() -> None:
    kept: BoundedMap[int, int] = BoundedMap(3)
    for number in (1, 2, 3, 1, 4):
        kept.put(number, number)
    assert [kept.get(number) for number in (1, 2, 3, 4)] == [None, 2, 3, 4]


def test_snapshot_read_before_a_change_is_not_kept_after_it(sql: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    contoso = sql.save_namespace(CONTOSO)
    other = sql.other_process()
    find = namespaces.find
    changing: list[Thread] = []

    def change_after_reading(*arguments: object) -> Namespace:
        found = find(*arguments)  # type: ignore[arg-type]
        if not changing:
            other.save_namespace(replace(contoso, hosts=("new.example",)))
            changing.append(Thread(target=sql.settle))
            changing[0].start()
        return found

    monkeypatch.setattr(namespaces, "find", change_after_reading)
    assert sql.directory.namespace("contoso").hosts == ()
    changing[0].join()
    assert sql.directory.namespace("contoso").hosts == ("new.example",)


def test_restored_database_drops_everything(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    process = sql.other_process()
    sql.save_namespace(replace(contoso, hosts=("new.example",)))
    assert process.directory.namespace("contoso").hosts == ("new.example",)
    assert process.directory.namespace_of_host("new.example") == "contoso"
    with sql.database.recording() as connection:  # as if yesterday's copy had been put in place
        connection.execute(sa.delete(tables.change).where(tables.change.c.sequence > 1))
        connection.execute(sa.delete(tables.host))
    process.settle()
    assert process.directory.namespace("contoso").hosts == ()
    assert process.directory.namespace_of_host("new.example") is None


def test_more_changes_than_are_worth_looking_at_drop_everything(
    sql: SqlBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    contoso = sql.save_namespace(CONTOSO)
    process = sql.other_process()
    process.directory.namespace("contoso")
    monkeypatch.setattr(changes, "_MOST_AT_ONCE", 10)
    save_parties(sql, contoso, *(f"https://a.example/{number}/" for number in range(20)))
    process.settle()
    assert process.directory._namespaces.get("contoso") is None
    process.directory.namespace("contoso")
    process.settle()
    assert process.directory._namespaces.get("contoso") is not None


def test_change_of_an_unknown_kind_drops_everything(sql: SqlBackend) -> None:
    sql.save_namespace(CONTOSO)
    sql.directory.namespace("contoso")
    with sql.database.recording() as connection:
        row = {"namespace_id": 1, "kind": "made-by-a-newer-version", "key": ""}
        connection.execute(sa.insert(tables.change).values(**row))
    sql.settle()
    assert sql.directory._namespaces.get("contoso") is None


def test_warm_snapshots_serve_while_the_database_is_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    sql = SqlBackend(f"sqlite:///{home}/sts.db")
    contoso = sql.save_namespace(CONTOSO)
    save_parties(sql, contoso, "https://a.example/", "https://b.example/")
    credential = sql.insert_credential(contoso, builders.key(), b"k" * 32)

    def issue() -> None:
        namespace = sql.directory.namespace("contoso")
        assert names(sql, namespace, "https://a.example/x") == ["https://a.example/"]
        assert sql.key_ring.signer(namespace, credential).sign(b"data")

    issue()
    sql.database.close()
    home.rename(tmp_path / "away")
    issue()
    cold = [
        sql.settle,
        lambda: sql.directory.namespace("fabrikam"),
        lambda: sql.directory.service_identity(contoso, "worker"),
        lambda: names(sql, contoso, "https://b.example/"),
        lambda: sql.replays.use(contoso, TokenUse("i", "t", builders.NOW, None), builders.NOW),
    ]
    for need in cold:
        with pytest.raises(StoreUnavailable):
            need()
    issue()
    (tmp_path / "away").rename(home)
    assert names(sql, contoso, "https://b.example/") == ["https://b.example/"]
