"""Which relying party a requested realm means, asked over HTTP."""

import pytest

from tests.flows.doors import ONE_OF_EACH, Caller, Door
from tests.flows.tokens import content_of
from tests.flows.world import World, members

NESTED = """
namespace: contoso
relying_parties:
  - {name: host, realm: "https://app.example/", token_format: swt, rule_groups: [all]}
  - {name: orders, realm: "https://app.example/orders", token_format: swt, rule_groups: [all]}
  - {name: archive, realm: "https://app.example/orders/archive/", token_format: swt, rule_groups: [all]}
  - {name: urn, realm: "urn:app", token_format: swt, rule_groups: [all]}
"""
LATER = """
namespace: contoso
relying_parties:
  - {name: later, realm: "https://app.example/orders/new", token_format: jwt, rule_groups: [all]}
"""
REALMS = [
    ("https://app.example/", "host"),
    ("https://app.example/x", "host"),
    ("https://app.example/?q", "host"),
    ("https://app.example/ordersandmore", "host"),
    ("https://app.example/orders", "orders"),
    ("https://app.example/orders/", "orders"),
    ("https://app.example/orders?id=1", "orders"),
    ("https://app.example/orders#top", "orders"),
    ("https://app.example/orders/archive", "orders"),
    ("https://app.example/orders/archive/", "archive"),
    ("https://app.example/orders/archive/2026", "archive"),
    ("https://app.example/" + "a/" * 15, "host"),
    ("https://app.example/" + "a/" * 900, None),  # beyond the 32 candidates the shortest are not looked at
    ("urn:app", "urn"),
    ("urn:app/x", "urn"),
    ("urn:app:x", None),
    ("urn:application", None),
    ("https://app.example", None),
    ("https://app.example.evil.example/", None),
    ("https://APP.example/", None),
    ("http://app.example/", None),
    ("https://app.example:443/", None),
    (" https://app.example/", None),
]


def answered_by(world: World, realm: str) -> str | None:
    """The relying party whose token an answer holds, or None for a refusal that says so."""
    answer = world.oauth("any", resource=realm)
    if answer.status_code == 200:
        name: str = world.records()[-1]["relying_party"]
        return name
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_target")
    assert "ACS50001" in answer.text
    return None


@pytest.fixture(scope="module")
def nested(module_world: World) -> World:
    """Relying parties inside each other."""
    module_world.apply(NESTED)
    return module_world


@pytest.mark.parametrize(("realm", "expected"), REALMS)
def test_the_longest_registered_realm_answers(nested: World, realm: str, expected: str | None) -> None:
    assert answered_by(nested, realm) == expected
    assert answered_by(nested, realm) == expected  # now from memory


@pytest.mark.parametrize("door", ONE_OF_EACH, ids=lambda door: door.name)
def test_the_audience_is_the_realm_that_was_asked_for(nested: World, door: Door) -> None:
    realm = "https://app.example/orders/archive/2026?month=11"
    got = door.read(door(nested, Caller(realm)))
    (content,) = [content_of(nested, "swt", got.token)]
    assert content.audience == realm


def test_a_nested_realm_that_is_registered_later_wins_at_once(world: World) -> None:
    world.apply(NESTED)
    asked = ("https://app.example/orders/new", "https://app.example/orders/new/1", "https://app.example/orders/old")
    assert [answered_by(world, realm) for realm in asked] == ["orders", "orders", "orders"]
    world.apply(LATER)
    assert [answered_by(world, realm) for realm in asked] == ["later", "later", "orders"]


def test_a_nested_realm_that_goes_leaves_the_outer_one_at_once(world: World) -> None:
    world.apply(NESTED)
    world.apply(LATER)
    assert answered_by(world, "https://app.example/orders/new") == "later"
    world.apply(NESTED, prunes=True)
    assert answered_by(world, "https://app.example/orders/new") == "orders"


def test_a_realm_that_moves_is_found_at_its_new_place_alone(world: World) -> None:
    world.apply(NESTED)
    assert answered_by(world, "https://app.example/orders") == "orders"
    world.apply(NESTED.replace('https://app.example/orders"', 'https://moved.example/orders"'))
    assert answered_by(world, "https://app.example/orders") == "host"
    assert answered_by(world, "https://moved.example/orders/1") == "orders"


def test_a_disabled_relying_party_does_not_hand_over_to_the_outer_one(world: World) -> None:
    world.apply(NESTED.replace('https://app.example/orders", ', 'https://app.example/orders", enabled: false, '))
    assert answered_by(world, "https://app.example/orders/1") is None
    assert answered_by(world, "https://app.example/x") == "host"


def test_no_realm_of_another_namespace_is_found(world: World) -> None:
    world.apply(NESTED.replace("contoso", "fabrikam").replace("rule_groups: [all]", "rule_groups: []"))
    assert answered_by(world, "https://app.example/") is None
