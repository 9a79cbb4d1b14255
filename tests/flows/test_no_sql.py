"""A warm process issues tokens without the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.connections import looking
from tests.flows.doors import DOORS, Caller, realm_of
from tests.flows.people import Person
from tests.flows.self_issued import OLD_KEY, present, self_issued, signed
from tests.flows.signing_in import ADFS, signed_in
from tests.flows.tokens import PARTIES
from tests.flows.world import World

TOKENS = 50
DOCUMENTS = (
    "FederationMetadata/2007-06/FederationMetadata.xml",
    ".well-known/openid-configuration",
    ".well-known/jwks.json",
)
OFFERED = [pytest.param(door, party, id=f"{door.name} {party}") for door in DOORS for party in door.parties]


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of every SQLite database of this process as the driver runs it, transactions' beginnings and ends too."""
    seen: list[str] = []

    def trace(connection: Any) -> None:
        connection.set_trace_callback(seen.append)

    def forget(connection: Any) -> None:
        connection.set_trace_callback(None)

    with looking(trace, forget):
        yield seen


@pytest.mark.parametrize(("door", "party"), OFFERED)
@pytest.mark.parametrize("rest", ["", "orders/2026?id="], ids=["the realm itself", "realms below it"])
def test_fifty_tokens_of_a_warm_process_ask_the_database_nothing(
    still_world: World, door: Any, party: str, rest: str
) -> None:
    assert door(still_world, Caller(realm_of(party))).status_code == 200
    with statements() as seen:
        for number in range(TOKENS):
            realm = realm_of(party) + (f"{rest}{number}" if rest else "")
            assert door(still_world, Caller(realm)).status_code == 200
    assert seen == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_of_a_warm_process_ask_the_database_nothing(still_world: World, document: str) -> None:
    still_world.get(document)
    with statements() as seen:
        for _ in range(TOKENS):
            assert still_world.get(document).status_code == 200
    assert seen == []


def test_a_host_name_that_is_known_or_strange_asks_the_database_nothing(still_world: World) -> None:
    still_world.client.get("/health/live", base_url="http://stranger.example")
    still_world.client.get("/.well-known/jwks.json", base_url="http://stranger.example")
    with statements() as seen:
        for number in range(TOKENS):
            still_world.client.get("/.well-known/jwks.json", base_url=f"http://stranger{number}.example")
    assert seen == []


def test_the_only_writing_of_an_assertion_is_the_record_of_its_use(still_world: World) -> None:
    assert present(still_world, self_issued(still_world, 599)).status_code == 200
    with statements() as seen:
        assert present(still_world, self_issued(still_world, 598)).status_code == 200
    writing = [statement for statement in seen if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [statement.split()[:3] for statement in writing] == [["INSERT", "INTO", "replay"]]
    minimal = signed({"Issuer": "old"}, OLD_KEY)
    assert present(still_world, minimal).status_code == 200
    with statements() as seen:
        assert present(still_world, minimal).status_code == 200
    assert seen == []


def test_a_sign_in_by_a_token_writes_once_and_nothing_of_another_transaction(still_people: World) -> None:
    signed_in(Person(still_people), "jwt")
    person = Person(still_people)
    state, answer = ADFS.asked_by(person.sign_in("jwt")), ADFS.answer(still_people)
    with statements() as seen:
        assert person.bring(state, answer).status == 200
    assert [statement.split()[0] for statement in seen] == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
    assert [statement.split()[2] for statement in seen if statement.startswith("INSERT")] == [
        "replay",  # the sign-in
        "replay",  # its token
        "browser_session",
    ]


def test_nothing_is_asked_for_where_a_sign_in_begins(still_people: World) -> None:
    Person(still_people).sign_in("jwt")
    with statements() as seen:
        ADFS.asked_by(Person(still_people).sign_in("jwt"))
    assert seen == []


@pytest.mark.parametrize("party", PARTIES)
def test_a_cold_process_asks_once(world: World, party: str) -> None:
    with statements() as seen:
        world.token(party)
    assert 0 < len(seen) < 60
    with statements() as seen:
        world.token(party)
    assert seen == []


def test_a_change_elsewhere_costs_nothing_here(world: World) -> None:
    for party in PARTIES:
        world.token(party)
    world.apply("namespace: fabrikam\n")
    with statements() as seen:
        for party in PARTIES:
            world.token(party)
    assert seen == []
