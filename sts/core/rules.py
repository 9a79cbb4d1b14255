"""The rules engine: order-free, to a fixed point (acs.md, 1.5)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sts.core.claims import LOCAL_AUTHORITY, MAX_INPUT_CLAIMS, MAX_VALUE_LENGTH
from sts.core.errors import RulesFailed
from sts.core.model import Claim, Rule

MAX_PASSES: Final = 10
MAX_OUTPUT_CLAIMS: Final = 1000


def apply_rules(rules: Sequence[Rule], claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The output claims of all rules over the input, each (type, value) once, in the order of the rules.

    All rules run at once over all claims; outputs are issued by LOCAL AUTHORITY and join the input of the next pass,
    until a pass adds nothing. Raises RulesFailed when the tenth pass still adds claims, and for more than 80 input
    claims, types or values over 64 KiB, or more than 1000 outputs.
    """
    refuse_excess(claims)
    known = dict.fromkeys(claims)
    is_chained = any(map(_takes_outputs, rules))
    for _ in range(MAX_PASSES):
        outputs = dict.fromkeys(_one_pass(rules, known))  # all of them: what fired once fires in every later pass
        if len(outputs) > MAX_OUTPUT_CLAIMS:
            raise RulesFailed(f"the number of output claims exceeds the limit ({MAX_OUTPUT_CLAIMS})")
        if outputs.keys() <= known.keys():
            return tuple(outputs)
        _refuse_too_long(outputs)
        if not is_chained:  # the next pass would be this one again
            return tuple(outputs)
        known.update(outputs)
    raise RulesFailed(f"the rules do not come to an end within {MAX_PASSES} passes")


def refuse_excess(claims: Sequence[Claim]) -> None:
    """Raise RulesFailed for more than 80 input claims, or a type or value over 64 KiB."""
    _refuse_too_many(claims)
    _refuse_too_long(claims)


def _refuse_too_many(claims: Sequence[Claim]) -> None:
    if len(claims) > MAX_INPUT_CLAIMS:
        raise RulesFailed(f"the number of input claims ({len(claims)}) exceeds the limit ({MAX_INPUT_CLAIMS})")


def _refuse_too_long(claims: Iterable[Claim]) -> None:
    for claim in claims:
        if len(claim.value) > MAX_VALUE_LENGTH or len(claim.type) > MAX_VALUE_LENGTH:
            raise RulesFailed(f"a claim is longer than the limit ({MAX_VALUE_LENGTH} characters)")


def _takes_outputs(rule: Rule) -> bool:
    """Whether what rules put out can be the input of this one, or its condition."""
    return rule.input.issuer == LOCAL_AUTHORITY or (
        rule.condition is not None and rule.condition.issuer == LOCAL_AUTHORITY
    )


def _one_pass(rules: Iterable[Rule], known: Collection[Claim]) -> list[Claim]:
    return [
        _output(rule, claim)
        for rule in rules
        if rule.condition is None or any(map(rule.condition.matches, known))  # once a rule, not once a claim
        for claim in filter(rule.input.matches, known)
    ]


def _output(rule: Rule, claim: Claim) -> Claim:
    return Claim(
        claim.type if rule.output_type is None else rule.output_type,
        claim.value if rule.output_value is None else rule.output_value,
        LOCAL_AUTHORITY,
    )
