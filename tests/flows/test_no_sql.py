"""A warm process issues tokens without the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.flows.doors import DOORS, Caller, realm_of
from tests.flows.self_issued import OLD_KEY, present, self_issued, signed
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
    """The SQL of every engine of this process, transactions' beginnings and ends included."""
    seen: list[str] = []

    def record(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    def record_end(connection: Any) -> None:
        seen.append("END")

    listeners = (("before_cursor_execute", record), ("commit", record_end), ("rollback", record_end))
    for name, listener in listeners:
        event.listen(sa.Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(sa.Engine, name, listener)


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
