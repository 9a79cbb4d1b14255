"""Rows S01 to S05, S08 and S09 at the real endpoints: names and passwords, and how often one may guess."""

from collections import Counter
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from werkzeug.test import Client

from sts.crypto.passwords import verify_password
from sts.settings import LogFormat
from sts.store import tables
from sts.store.failures import FailureCounters
from sts.store.passwords import LimitedPasswords
from sts.web.app import Application
from sts.web.request_log import RequestLog
from tests.flows.world import CONTOSO, SECRET, World, open_world
from tests.threats.endpoints import (
    ACS,
    ENDPOINTS,
    OAUTH,
    WRAP,
    Endpoint,
    ask,
    endpoints,
    refused,
    seen_refused,
    send,
    stranger,
)

WRONG = "a guess that is wrong"
FABRIKAM = """
namespace: fabrikam
relying_parties:
  - {name: swt, realm: "https://swt.example/", token_format: swt, rule_groups: [all]}
service_identities:
  - {name: worker, password: "env:FABRIKAM_PASSWORD"}
rule_groups:
  - {name: all, rules: [{input: {issuer: LOCAL AUTHORITY}}]}
"""
ODD_NAMES = ["wörker", "\U0001f600", "worker\x01", "worker\u200b", "WORKER", "' OR 1=1--", "w" * 100_000, "\ufffe"]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of every run of Argon2 from here on."""
    runs: list[str] = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, password_hash: str, password: bytes) -> bool:
        runs.append(password_hash.rsplit("$", 2)[0])
        return verify(hasher, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return runs


def guess(world: World, number: int, source: str, endpoint: Endpoint = WRAP) -> Counter[int]:
    """The statuses of a number of wrong passwords from one source."""
    form = endpoint.form(password=WRONG)
    return Counter(ask(world, endpoint, form, source=source).status_code for _ in range(number))


def status(world: World, source: str | None = None, endpoint: Endpoint = WRAP) -> int:
    """The status of a right request."""
    return ask(world, endpoint, source=source).status_code


@endpoints
def test_s01_guessing_ends_in_429_and_others_are_still_served(world: World, endpoint: Endpoint) -> None:
    assert guess(world, 101, "192.0.2.1", endpoint) == {401: 10, 429: 91}
    locked = refused(world, endpoint, source="192.0.2.1")
    assert (locked.status, locked.record["error"]) == (429, "ACS90055")
    assert "name and source" in locked.reason
    assert 1 <= int(dict(locked.headers)["Retry-After"]) <= 15 * 60
    assert status(world, "192.0.2.2", endpoint) == 200
    world.move(seconds=int(dict(locked.headers)["Retry-After"]))
    assert status(world, "192.0.2.1", endpoint) == 200


def test_s01_failures_count_in_every_worker(world: World, neighbour: World) -> None:
    assert guess(world, 6, "192.0.2.1") == {401: 6}
    assert guess(neighbour, 6, "192.0.2.1") == {401: 4, 429: 2}
    assert (status(world, "192.0.2.1"), status(neighbour, "192.0.2.2")) == (429, 200)


def test_s01_name_is_locked_for_all_sources_but_not_for_a_busy_client(world: World, neighbour: World) -> None:
    assert status(world, "192.0.2.100") == 200
    for number in range(10):
        assert guess(neighbour, 10, f"192.0.2.{number}") == {401: 10}
    locked = refused(neighbour, WRAP, source="192.0.2.99")
    assert (locked.status, locked.record["detail"].startswith("the limit of failures by name is")) == (429, True)
    for _ in range(10):
        world.move(minutes=1)
        assert status(world, "192.0.2.100") == 200, "what is remembered asks no counter"
    assert ask(world, WRAP, WRAP.form(password=WRONG)).status_code == 429
    world.move(minutes=4, seconds=59)
    assert status(world, "192.0.2.100") == 200
    world.move(minutes=15)
    assert status(neighbour, "192.0.2.1") == 429
    neighbour.move(minutes=15)
    assert status(neighbour, "192.0.2.1") == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [("nobody", SECRET), ("worker", WRONG), ("gone", SECRET), ("gone", WRONG), ("old", SECRET)],
    ids=["unknown", "wrong", "disabled", "disabled-wrong", "no-password"],
)
@endpoints
def test_s02_every_failure_costs_one_hash_and_two_visits_to_the_counters(
    shared_world: World, hashed: list[str], endpoint: Endpoint, name: str, password: str
) -> None:
    source = stranger()
    for number in (1, 2):
        answer = ask(shared_world, endpoint, endpoint.form(name, password), source=source)
        assert (answer.status_code, hashed) == (401, ["$argon2id$v=19$m=19456,t=2,p=1"] * number)
    with shared_world.service.installation.database.reading() as connection:
        kept = connection.execute(sa.select(tables.failure).where(tables.failure.c.source == source))
        assert sorted((row.counter, row.failures) for row in kept) == [("name and source", 2), ("source", 2)]


def test_s02_unknown_and_known_names_are_verified_equally_often(world: World) -> None:
    calls: list[bool] = []

    def counted(password_hash: str | None, password: bytes) -> None:
        calls.append(password_hash is None)
        verify_password(password_hash, password)

    service = world.service
    passwords = LimitedPasswords(FailureCounters(service.installation.database), counted)
    parts = replace(service.parts, passwords=passwords)
    service = replace(service, parts=parts, trust=replace(service.trust, parts=parts))
    client = Client(Application(service, RequestLog(LogFormat.JSON, 2)))
    for name in ("worker", "nobody", "gone", "old"):
        answer = send(replace(world, client=client), "/contoso/WRAPv0.9", WRAP.form(name, WRONG))
        assert answer.status_code == 401
    assert calls == [False, True, True, True]


@endpoints
def test_s02_failed_authentication_has_one_answer_for_every_cause(shared_world: World, endpoint: Endpoint) -> None:
    causes = {
        "unknown": ("nobody", SECRET),
        "wrong": ("worker", WRONG),
        "is disabled": ("gone", SECRET),
        "'gone' is disabled": ("gone", WRONG),
        "no password": ("old", WRONG),
    }
    answers = set()
    for reason, (name, password) in causes.items():
        refusal = refused(shared_world, endpoint, endpoint.form(name, password))
        assert reason in refusal.reason
        answers.add(refusal.answer)
    assert len(answers) == 1
    ((status_code, headers, body),) = answers
    assert (status_code, "ACS50012: Authentication failed." in body) == (401, True)
    assert ("Content-Length", "0") not in headers


@endpoints
def test_s02_relying_parties_are_hidden_from_strangers(shared_world: World, endpoint: Endpoint) -> None:
    realms = ["https://swt.example/", "https://disabled.example/", "https://nobody.example/", "https://none.example/"]
    answers = {refused(shared_world, endpoint, endpoint.form("nobody", WRONG, realm)).answer for realm in realms}
    assert len(answers) == 1


@endpoints
@pytest.mark.parametrize("password", ["pässwört", "\U0001f511" * 9, "\x01\x02", "ＳＥＣＲＥＴ", " "], ids=ascii)
def test_s03_password_of_any_characters_is_a_wrong_password(
    shared_world: World, endpoint: Endpoint, password: str
) -> None:
    refusal = refused(shared_world, endpoint, endpoint.form(password=password))
    assert (refusal.status, "the password is wrong" in refusal.reason) == (401, True)


@endpoints
@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: ascii(name)[:20])
def test_s03_name_of_any_characters_is_an_unknown_name(shared_world: World, endpoint: Endpoint, name: str) -> None:
    refusal = refused(shared_world, endpoint, endpoint.form(name))
    assert (refusal.status, "unknown service identity" in refusal.reason) == (401, True)


def test_s03_password_outside_ascii_is_right_where_it_is_right(world: World) -> None:
    secret = "Žluťoučký kůň 🐎 pěl"
    world.apply(CONTOSO, {"WORKER_PASSWORD": secret})
    for endpoint in ENDPOINTS:
        assert ask(world, endpoint, endpoint.form(password=secret)).status_code == 200


@endpoints
@pytest.mark.parametrize(("size", "expected"), [(1_000_000, 413), (250_000, 401), (1025, 401)], ids=str)
def test_s04_huge_password_is_refused_without_hashing(
    shared_world: World, hashed: list[str], endpoint: Endpoint, size: int, expected: int
) -> None:
    huge = "p" * size
    refusal = refused(shared_world, endpoint, endpoint.form(password=huge))
    assert (refusal.status, hashed) == (expected, [])
    assert huge not in shared_world.log.read_text()


@endpoints
@pytest.mark.parametrize("field", ["name", "password", "realm"])
@pytest.mark.parametrize("second", ["same", "other", "empty"])
def test_s05_field_that_comes_twice_is_refused(
    shared_world: World, hashed: list[str], endpoint: Endpoint, field: str, second: str
) -> None:
    name = getattr(endpoint, field)
    value = {"same": endpoint.form()[name], "other": "other", "empty": ""}[second]
    for body in (
        urlencode([*endpoint.form().items(), (name, value)]),
        urlencode([(name, value), *endpoint.form().items()]),
    ):
        refusal = refused(shared_world, endpoint, body)
        assert (refusal.status, hashed) == (400, [])
        assert f"'{name}' is there more than once" in refusal.reason


def test_s08_password_of_another_namespaces_identity_is_wrong(world: World) -> None:
    theirs = "the password that fabrikam chose"
    world.apply(FABRIKAM, {"FABRIKAM_PASSWORD": theirs})
    assert send(world, "/fabrikam/WRAPv0.9", WRAP.form(password=theirs)).status_code == 200
    assert status(world) == 200
    ours = refused(world, WRAP, WRAP.form(password=theirs))
    others = seen_refused(world, lambda: send(world, "/fabrikam/WRAPv0.9", WRAP.form()))
    assert ours.answer == others.answer
    assert (ours.status, ours.record["detail"], others.record["detail"]) == (401, *["the password is wrong"] * 2)
    assert theirs not in world.log.read_text()


def test_s08_failures_in_one_namespace_do_not_lock_the_same_name_in_another(world: World) -> None:
    theirs = "the password that fabrikam chose"
    world.apply(FABRIKAM, {"FABRIKAM_PASSWORD": theirs})
    assert guess(world, 11, "192.0.2.1") == {401: 10, 429: 1}
    assert send(world, "/fabrikam/WRAPv0.9", WRAP.form(password=theirs), source="192.0.2.1").status_code == 200


def test_s09_burst_over_a_thousand_names_leaves_other_sources_alone(world: World, hashed: list[str]) -> None:
    assert status(world, "192.0.2.50") == 200
    hashed.clear()
    statuses = Counter(
        ask(world, WRAP, WRAP.form(f"name-{number}", WRONG), source="192.0.2.1").status_code for number in range(1000)
    )
    assert statuses == {401: 100, 429: 900}
    assert len(hashed) == 100, "what is refused by the counters is not hashed"
    assert status(world, "192.0.2.50") == 200
    assert len(hashed) == 100
    assert status(world, "192.0.2.51", OAUTH) == 200
    assert ask(world, ACS, ACS.form("gone", WRONG), source="192.0.2.51").status_code == 401


def test_s09_neighbours_in_one_ipv6_network_are_one_source(world: World) -> None:
    """Whoever has an IPv6 address has 2**64 of them."""
    statuses = Counter(
        ask(world, WRAP, WRAP.form(password=WRONG), source=f"2001:db8:0:1::{number:x}").status_code
        for number in range(12)
    )
    assert statuses == {401: 10, 429: 2}
    assert status(world, "2001:db8:0:2::1") == 200


def test_s09_counters_survive_a_restart(world: World) -> None:
    guess(world, 10, "192.0.2.1")
    world.service.installation.database.close()
    restarted = open_world(world.home)
    assert status(restarted, "192.0.2.1") == 429
    restarted.close()
