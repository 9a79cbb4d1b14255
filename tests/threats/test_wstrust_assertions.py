"""Rows X, D and A at the WS-Trust endpoint where an assertion in the security header says who asks."""

import pytest

from tests.flows.world import World
from tests.threats.assertion_doors import DENIED, TRUST
from tests.threats.endpoints import seen_refused
from tests.threats.hostile_assertions import HOSTILE, Row
from tests.threats.identity_providers import OTHER, Said, assertion, stage, trust

NO_TOKEN = ("ACS10000", "ACS10003")  # what is refused with the message around it, before anybody looks for an assertion
ROWS = [row for row in HOSTILE if row.is_text and row.id != "X15-byte order mark"]  # within a message it is text


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_hostile_assertion_is_refused(trusting: World, row: Row) -> None:
    made = row.make(stage(trusting, recipient=TRUST.recipient))
    found = seen_refused(trusting, lambda: TRUST.present(trusting, made))
    assert found.status == 400
    if DENIED not in found.body:
        assert any(code in found.body for code in NO_TOKEN)
        return
    assert row.reason in found.reason
    assert found.answer == TRUST.refusal(trusting, b"nonsense").answer


def test_a01_one_identity_provider_does_not_speak_as_another(trusting: World) -> None:
    made = assertion(stage(trusting, recipient=TRUST.recipient), Said(issuer=OTHER))
    assert "signature" in TRUST.refusal(trusting, made).reason


def test_x17_text_beside_an_assertion_is_refused(trusting: World) -> None:
    made = assertion(stage(trusting, recipient=TRUST.recipient))
    found = seen_refused(trusting, lambda: TRUST.present(trusting, made + b"text"))
    assert "text beside its elements" in found.body
