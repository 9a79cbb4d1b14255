"""Rows X, D and A at the doors where assertions are exchanged for tokens: WRAP and both OAuth endpoints."""

import pytest

from tests.flows.world import World
from tests.threats.assertion_doors import ACS, OAUTH2, WRAP, AssertionDoor, every_door
from tests.threats.hostile_assertions import HOSTILE, Row
from tests.threats.identity_providers import assertion, stage, trust


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


@every_door
def test_honest_assertion_is_accepted(trusting: World, door: AssertionDoor) -> None:
    made = stage(trusting, recipient=door.recipient)
    answer = door.present(trusting, assertion(made))
    assert answer.status_code == 200, answer.text
    assert trusting.records()[-1]["principal"] == "alice@corp.example"


ROWS = [(OAUTH2, row) for row in HOSTILE]
ROWS += [(door, row) for door in (ACS, WRAP) for row in HOSTILE if row.is_text]
IDS = [f"{row.id}-{door.path}" for door, row in ROWS]


@pytest.mark.parametrize(("door", "row"), ROWS, ids=IDS)
def test_hostile_assertion_is_refused(trusting: World, door: AssertionDoor, row: Row) -> None:
    found = door.refusal(trusting, row.make(stage(trusting, recipient=door.recipient)))
    assert row.reason in found.reason
    assert found.answer == door.refusal(trusting, b"nonsense").answer
