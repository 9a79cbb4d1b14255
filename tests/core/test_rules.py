"""The rules engine (acs.md, 1.5)."""

from itertools import permutations
from typing import ClassVar

import pytest

from sts.core.claims import LOCAL_AUTHORITY, ROLE
from sts.core.errors import RulesFailed
from sts.core.model import Claim, ClaimPattern, Rule
from sts.core.rules import apply_rules

ADFS = "adfs"


def claim(type_: str, value: str, issuer: str = ADFS) -> Claim:
    return Claim(type_, value, issuer)


def made(*pairs: tuple[str, str]) -> tuple[Claim, ...]:
    return tuple(Claim(t, v, LOCAL_AUTHORITY) for t, v in pairs)


def rule(*, issuer: str = ADFS, output: tuple[str | None, str | None] = (None, None), **pattern: str) -> Rule:
    return Rule(ClaimPattern(issuer, **pattern), None, *output)


def both(first: ClaimPattern, second: ClaimPattern, output: tuple[str | None, str | None]) -> Rule:
    return Rule(first, second, *output)


A = claim("a", "b")
C = claim("c", "d")
CASES = {
    "no rules": ([], [A], ()),
    "pass through": ([rule()], [A, C], made(("a", "b"), ("c", "d"))),
    "another issuer": ([rule(issuer="google")], [A], ()),
    "by type": ([rule(type="c")], [A, C], made(("c", "d"))),
    "by type and value": ([rule(type="c", value="x")], [A, C], ()),
    "by value": ([rule(value="d")], [A, C], made(("c", "d"))),
    "another type out": ([rule(type="a", output=("role", None))], [A], made(("role", "b"))),
    "another value out": ([rule(type="a", output=(None, "x"))], [A], made(("a", "x"))),
    "an empty value out": ([rule(type="a", output=(None, ""))], [A], made(("a", ""))),
    "both out": ([rule(type="a", output=("e", "f"))], [A], made(("e", "f"))),
    "case matters in types": ([rule(type="A")], [A], ()),
    "case matters in values": ([rule(value="B")], [A], ()),
    "case matters in issuers": ([rule(issuer="ADFS")], [A], ()),
    "the same output once": ([rule(), rule(type="a")], [A], made(("a", "b"))),
    "two inputs": (
        [both(ClaimPattern(ADFS, "a", "b"), ClaimPattern(ADFS, "c", "d"), ("e", "f"))],
        [A, C],
        made(("e", "f")),
    ),
    "two inputs, one missing": ([both(ClaimPattern(ADFS, "a"), ClaimPattern(ADFS, "z"), ("e", "f"))], [A, C], ()),
    "two inputs pass the first's value": (
        [both(ClaimPattern(ADFS, "a"), ClaimPattern(ADFS, "c"), ("e", None))],
        [A, C],
        made(("e", "b")),
    ),
    "outputs are inputs of the next pass": (
        [rule(type="a", output=("m", "n")), rule(issuer=LOCAL_AUTHORITY, type="m", output=("o", "p"))],
        [A],
        made(("m", "n"), ("o", "p")),
    ),
    "a pass-through of what is already ours": (
        [rule(issuer=LOCAL_AUTHORITY)],
        [claim("a", "b", LOCAL_AUTHORITY)],
        made(("a", "b")),
    ),
}


@pytest.mark.parametrize(("rules", "claims", "expected"), CASES.values(), ids=CASES.keys())
def test_rules_turn_input_claims_into_output_claims(rules, claims, expected):
    assert apply_rules(rules, claims) == expected


def test_the_order_of_rules_and_claims_does_not_matter():
    rules = [
        rule(type="a", output=("m", "n")),
        rule(issuer=LOCAL_AUTHORITY, type="m", output=(ROLE, "p")),
        both(ClaimPattern(LOCAL_AUTHORITY, ROLE), ClaimPattern(ADFS, "c"), ("q", "r")),
    ]
    outcomes = {
        frozenset(apply_rules(rules_, claims)) for rules_ in permutations(rules) for claims in permutations([A, C])
    }
    assert outcomes == {frozenset(made(("m", "n"), (ROLE, "p"), ("q", "r")))}


def chain(length: int) -> list[Rule]:
    first = rule(type="a", output=("0", None))
    return [first] + [rule(issuer=LOCAL_AUTHORITY, type=str(n), output=(str(n + 1), None)) for n in range(length - 1)]


def test_ten_passes_are_enough_for_a_chain_of_nine():
    assert len(apply_rules(chain(9), [A])) == 9


def test_a_chain_that_still_adds_claims_in_the_tenth_pass_is_an_error():
    with pytest.raises(RulesFailed, match="10 passes"):
        apply_rules(chain(10), [A])


def test_eighty_input_claims_are_allowed_and_one_more_is_an_error():
    claims = [claim("t", str(n)) for n in range(81)]
    assert len(apply_rules([rule()], claims[:80])) == 80
    with pytest.raises(RulesFailed, match=r"number of input claims \(81\) exceeds the limit \(80\)"):
        apply_rules([rule()], claims)


def test_a_claim_value_of_a_megabyte_is_an_error_a28():
    with pytest.raises(RulesFailed, match="longer than the limit"):
        apply_rules([rule()], [claim("t", "x" * 1_000_000)])


def test_more_than_a_thousand_outputs_are_an_error():
    rules = [rule(type="a", output=(str(n), "x")) for n in range(1001)]
    with pytest.raises(RulesFailed, match="output claims"):
        apply_rules(rules, [A])


class Counted(ClaimPattern):
    """A pattern that fits nothing and knows how often it was asked."""

    asked: ClassVar[int] = 0

    def matches(self, claim: Claim) -> bool:
        Counted.asked += 1
        return False


def test_a_second_input_is_looked_for_once_however_many_claims_fit_the_first():
    claims = [claim("t", str(n)) for n in range(80)]
    assert apply_rules([both(ClaimPattern(ADFS), Counted(ADFS), ("e", "f"))], claims) == ()
    assert Counted.asked == 80
