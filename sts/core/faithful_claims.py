"""Which claims of a token of ours are what its subject's voucher said, and not what rules made of it."""

from collections.abc import Collection, Iterator, Sequence

from sts.core.claims import LOCAL_AUTHORITY, LONG_NAMES, NAME_IDENTIFIER
from sts.core.model import Claim, Rule

_CLIENT = "client_id"  # where access tokens of ours repeat the name (RFC 9068, 2.2), which nobody said there


def faithful_claims(claims: Sequence[Claim], rules: Sequence[Rule]) -> tuple[Claim, ...]:
    """Those claims that the rules pass through, of types that no rule can have put out otherwise.

    `claims` are all that a token of a relying party says, under the name that rules have for whoever vouches for its
    subject; `rules` are all of that relying party's. LOCAL AUTHORITY says nothing of anybody but a name.
    """
    made = set(_made_types(rules, {LOCAL_AUTHORITY, *(claim.issuer for claim in claims)}))
    if None in made:
        return ()
    passing = [rule.input for rule in rules if _passes_through(rule)]
    return tuple(
        claim
        for claim in claims
        if _long(claim.type) not in made
        and claim.type != _CLIENT
        and (claim.issuer != LOCAL_AUTHORITY or claim.type == NAME_IDENTIFIER)
        and any(pattern.matches(claim) for pattern in passing)
    )


def _passes_through(rule: Rule) -> bool:
    return rule.output_value is None and rule.output_type in (None, rule.input.type)


def _made_types(rules: Sequence[Rule], issuers: Collection[str]) -> Iterator[str | None]:
    """The types that rules put out otherwise than they came in, from claims of these issuers; None: of every type.

    To pass outputs through, too, adds nothing to them.
    """
    for rule in rules:
        patterns = (rule.input,) if rule.condition is None else (rule.input, rule.condition)
        if _passes_through(rule) or any(pattern.issuer not in issuers for pattern in patterns):
            continue
        made = rule.input.type if rule.output_type is None else rule.output_type
        yield None if made is None else _long(made)


def _long(claim_type: str) -> str:
    """As a JSON web token's reader may take it: what is written under a short name is read as the well-known type."""
    return LONG_NAMES.get(claim_type, claim_type)
