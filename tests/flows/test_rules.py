"""What rules make of the claims of those who authenticate, seen in tokens."""

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from tests.flows.doors import ONE_OF_EACH, Caller, Door, realm_of
from tests.flows.tokens import FORMATS, content_of
from tests.flows.world import World

ISSUER = "http://127.0.0.1:8000/contoso/"
RULED = """
namespace: contoso
relying_parties:
  - {{name: ruled, realm: "https://ruled.example/", token_format: {format}, rule_groups: {groups}}}
rule_groups:
{rules}
"""
PASS = "{input: {issuer: LOCAL AUTHORITY}}"
EACH_PROTOCOL = pytest.mark.parametrize("door", ONE_OF_EACH, ids=lambda door: door.name)


def rule(input_: str, output: str, condition: str = "") -> str:
    """A rule from "type=value" to "type=value", in the notation of configuration files; an empty part is any."""
    parts = [f"input: {_claim(input_, 'issuer: LOCAL AUTHORITY')}", f"output: {_claim(output)}"]
    if condition:
        parts.append(f"and: {_claim(condition, 'issuer: LOCAL AUTHORITY')}")
    return f"{{{', '.join(parts)}}}"


def _claim(text: str, *more: str) -> str:
    kind, _, value = text.partition("=")
    parts = [*more, *([f'type: "{kind}"'] if kind else []), *([f'value: "{value}"'] if value else [])]
    return f"{{{', '.join(parts)}}}"


def ruled(world: World, *rules: str, token_format: str = "jwt") -> None:
    """Give the namespace a relying party with one group of these rules."""
    lines = "".join(f"      - {one}\n" for one in rules)
    text = f"  - name: ruled\n    rules:\n{lines}"
    world.apply(RULED.format(format=token_format, groups="[ruled]", rules=text))


def claims(world: World) -> dict[str, list[str]]:
    """The claims of the relying party's token, without the identityprovider that is always there."""
    found = dict(content_of(world, "ruled", world.token("ruled")).claims)
    assert found.pop(IDENTITY_PROVIDER) == [ISSUER]
    return found


RULES = [
    pytest.param([PASS], {NAME_IDENTIFIER: ["worker"]}, id="pass everything through"),
    pytest.param([rule(NAME_IDENTIFIER, "http://x/a")], {"http://x/a": ["worker"]}, id="another type, same value"),
    pytest.param([rule("=worker", "=boss")], {NAME_IDENTIFIER: ["boss"]}, id="another value, same type"),
    pytest.param([rule("", "http://x/a=1")], {"http://x/a": ["1"]}, id="any claim"),
    pytest.param(
        [rule("", "http://x/a=1"), rule("http://x/a=1", "http://x/b=2")],
        {"http://x/a": ["1"], "http://x/b": ["2"]},
        id="an output is an input again",
    ),
    pytest.param(
        [rule("http://x/a=1", "http://x/b=2"), rule("", "http://x/a=1")],
        {"http://x/a": ["1"], "http://x/b": ["2"]},
        id="order does not matter",
    ),
    pytest.param(
        [rule("", "http://x/a=1"), rule("http://x/a", "http://x/b", NAME_IDENTIFIER + "=worker")],
        {"http://x/a": ["1"], "http://x/b": ["1"]},
        id="two inputs, the first one's value",
    ),
    pytest.param(
        [rule("", "http://x/a=1"), rule("http://x/a", "http://x/b", NAME_IDENTIFIER + "=boss")],
        {"http://x/a": ["1"]},
        id="two inputs, the second missing",
    ),
    pytest.param(
        [PASS, PASS, rule("", "http://x/a=1"), rule("", "http://x/a=1")],
        {NAME_IDENTIFIER: ["worker"], "http://x/a": ["1"]},
        id="every claim once",
    ),
    pytest.param(
        [rule("", IDENTITY_PROVIDER + "=https://evil.example/"), PASS],
        {NAME_IDENTIFIER: ["worker"]},
        id="the identity provider cannot be invented",
    ),
    pytest.param(
        [rule("", f"http://x/a={number}") for number in range(100)],
        {"http://x/a": [str(number) for number in range(100)]},
        id="a hundred outputs",
    ),
]


@pytest.mark.parametrize(("rules", "expected"), RULES)
def test_a_token_holds_what_the_rules_make_and_nothing_else(
    world: World, rules: list[str], expected: dict[str, list[str]]
) -> None:
    ruled(world, *rules)
    assert {name: sorted(values) for name, values in claims(world).items()} == {
        name: sorted(values) for name, values in expected.items()
    }


NOTHING = [
    pytest.param([rule("=somebody", "http://x/a=1")], id="no rule fits"),
    pytest.param([rule("=WORKER", "http://x/a=1")], id="values are compared by case"),
    pytest.param([rule("", IDENTITY_PROVIDER + "=https://evil.example/")], id="identityprovider alone"),
    pytest.param([rule("", "http://x/a=1", "=somebody")], id="half of two inputs"),
]


@EACH_PROTOCOL
@pytest.mark.parametrize("rules", NOTHING)
def test_without_an_output_claim_there_is_no_token_anywhere(world: World, door: Door, rules: list[str]) -> None:
    ruled(world, *rules, token_format="swt")
    answer = door(world, Caller(realm_of("ruled")))
    assert (answer.status_code, answer.text.count("ACS60001")) == (400, 1)
    assert world.records()[-1]["error"] == "ACS60001"


@EACH_PROTOCOL
def test_a_relying_party_without_rule_groups_gets_nothing(world: World, door: Door) -> None:
    world.apply(RULED.format(format="swt", groups="[]", rules="  - {name: none, rules: []}"))
    assert "ACS60001" in door(world, Caller(realm_of("ruled"))).text


@pytest.mark.parametrize(("steps", "status"), [(9, 200), (10, 400), (30, 400)])
def test_rules_come_to_an_end_within_ten_passes_or_there_is_no_token(world: World, steps: int, status: int) -> None:
    first = rule("=worker", "http://x/0=1")
    ruled(world, first, *(rule(f"http://x/{n}", f"http://x/{n + 1}") for n in range(steps - 1)))
    answer = world.oauth("ruled")
    assert answer.status_code == status
    assert ("ACS60000" in answer.text) is (status == 400)


@pytest.mark.parametrize("token_format", FORMATS)
def test_the_rules_of_several_groups_act_together(world: World, token_format: str) -> None:
    groups = f"""\
  - {{name: first, rules: [{rule("=worker", "http://x/a=1")}]}}
  - {{name: second, rules: [{rule("http://x/a", "http://x/b=2")}]}}"""
    world.apply(RULED.format(format=token_format, groups="[second, first]", rules=groups))
    found = claims(world)
    assert (found["http://x/a"], found["http://x/b"]) == (["1"], ["2"])


def test_a_changed_rule_acts_on_the_next_token(world: World) -> None:
    ruled(world, rule("", ROLE + "=reader"))
    assert claims(world) == {ROLE: ["reader"]}
    ruled(world, rule("", ROLE + "=writer"))
    assert claims(world) == {ROLE: ["writer"]}


def test_claims_of_an_identity_provider_are_not_those_of_the_namespace(world: World) -> None:
    world.apply(
        """
namespace: contoso
identity_providers:
  - {name: local, kind: local}
"""
    )
    ruled(world, "{input: {issuer: local}}", rule("", "http://x/a=1"))
    assert claims(world) == {"http://x/a": ["1"]}
