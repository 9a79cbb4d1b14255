"""Rows X, D and A at the doors where assertions are exchanged for tokens: WRAP and both OAuth endpoints."""

import pytest

from tests.flows.world import World
from tests.threats.assertion_doors import ACS, OAUTH2, TRUST, WRAP, AssertionDoor, every_door
from tests.threats.endpoints import seen_refused
from tests.threats.hostile_assertions import HOSTILE, Row
from tests.threats.identity_providers import Said, assertion, stage, trust
from tests.threats.signatures import Recipe
from tests.threats.test_xml_signature import KEY_VALUE, key_info, x509_data


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


@every_door
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(key_info(x509_data("rsa2048", "attacker")), id="D32"),
        pytest.param(key_info(x509_data("rsa2048", "idp"), KEY_VALUE), id="D35"),
    ],
)
def test_what_key_info_says_makes_nobody_another(trusting: World, door: AssertionDoor, text: str) -> None:
    made = assertion(stage(trusting, recipient=door.recipient), recipe=Recipe(key_info=text))
    assert door.present(trusting, made).status_code == 200
    assert trusting.records()[-1]["principal"] == "alice@corp.example"


@every_door
def test_x13_endless_text_is_too_large(trusting: World, door: AssertionDoor) -> None:
    made = assertion(stage(trusting, recipient=door.recipient), Said(attributes="x" * 1024**2))
    found = seen_refused(trusting, lambda: door.present(trusting, made))
    status = 400 if door is TRUST else 413  # every fault of a sender is 400
    assert (found.status, "too large" in found.reason) == (status, True)
