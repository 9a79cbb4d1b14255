"""Which claims of a token of ours are known to be what its subject's voucher said, for which rules."""

import pytest

from sts.core.claims import EMAIL_ADDRESS, LOCAL_AUTHORITY, NAME, NAME_IDENTIFIER, ROLE
from sts.core.faithful_claims import faithful_claims
from sts.core.model import Claim, ClaimPattern, Rule

ALICE = tuple(
    Claim(claim_type, value, "adfs")
    for claim_type, value in ((NAME_IDENTIFIER, "alice"), (ROLE, "clerk"), (EMAIL_ADDRESS, "alice@corp.example"))
)
ALL = {NAME_IDENTIFIER, ROLE, EMAIL_ADDRESS}
BUT_ROLE = {NAME_IDENTIFIER, EMAIL_ADDRESS}
EVERYTHING = Rule(ClaimPattern("adfs"))
OUTPUTS = Rule(ClaimPattern(LOCAL_AUTHORITY))


def rule(issuer: str, claim_type: str | None = None, made: str | None = None, value: str | None = None) -> Rule:
    """A rule for the claims of an issuer."""
    return Rule(ClaimPattern(issuer, claim_type), output_type=made, output_value=value)


def given(issuer: str, condition: str, made: str) -> Rule:
    """A rule with two inputs and a constant output."""
    return Rule(ClaimPattern(issuer), ClaimPattern(condition), made, "constant")


KNOWN: dict[str, tuple[tuple[Rule, ...], set[str]]] = {
    "no rule": ((), set()),
    "everything passes": ((EVERYTHING,), ALL),
    "one type passes": ((rule("adfs", ROLE),), {ROLE}),
    "one type passes under its own name": ((rule("adfs", ROLE, made=ROLE),), {ROLE}),
    "one value passes": ((Rule(ClaimPattern("adfs", ROLE, "clerk")),), {ROLE}),
    "another value passes": ((Rule(ClaimPattern("adfs", ROLE, "boss")),), set()),
    "a condition decides what passes": ((Rule(ClaimPattern("adfs"), ClaimPattern("adfs", ROLE)),), ALL),
    "another provider's pass": ((rule("other"),), set()),
    "outputs pass alone": ((OUTPUTS,), set()),
    "outputs pass too": ((EVERYTHING, OUTPUTS), ALL),
    "a constant": ((EVERYTHING, rule("adfs", EMAIL_ADDRESS, ROLE, "boss")), BUT_ROLE),
    "a constant in the place of a value": ((EVERYTHING, rule("adfs", ROLE, value="boss")), BUT_ROLE),
    "a constant for everybody": ((EVERYTHING, rule("adfs", made=ROLE, value="boss")), BUT_ROLE),
    "a constant in the place of all values": ((EVERYTHING, rule("adfs", value="boss")), set()),
    "another type": ((EVERYTHING, rule("adfs", EMAIL_ADDRESS, NAME_IDENTIFIER)), {ROLE, EMAIL_ADDRESS}),
    "all as another type": ((EVERYTHING, rule("adfs", made=NAME_IDENTIFIER)), {ROLE, EMAIL_ADDRESS}),
    "of an output": ((EVERYTHING, rule(LOCAL_AUTHORITY, ROLE, EMAIL_ADDRESS)), {NAME_IDENTIFIER, ROLE}),
    "a constant of an output": ((EVERYTHING, rule(LOCAL_AUTHORITY, value="boss")), set()),
    "of another provider": ((EVERYTHING, rule("other", ROLE, value="boss")), ALL),
    "where another provider says so": ((EVERYTHING, given("adfs", "other", ROLE)), ALL),
    "where an output says so": ((EVERYTHING, given("adfs", LOCAL_AUTHORITY, ROLE)), BUT_ROLE),
    "another type that nobody asks for": ((EVERYTHING, rule("adfs", ROLE, NAME)), ALL),
    "the name of a JSON web token": ((EVERYTHING, rule("adfs", ROLE, "email", "boss")), {NAME_IDENTIFIER, ROLE}),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), KNOWN.values(), ids=KNOWN)
def test_what_an_identity_provider_said_is_told_from_what_rules_made(
    rules: tuple[Rule, ...], expected: set[str]
) -> None:
    assert {claim.type for claim in faithful_claims(ALICE, rules)} == expected
    assert {claim.type for claim in faithful_claims(ALICE, rules[::-1])} == expected


ACCOUNTS: dict[str, tuple[tuple[Rule, ...], set[str]]] = {
    "everything passes": ((OUTPUTS,), {NAME_IDENTIFIER}),
    "the name passes": ((rule(LOCAL_AUTHORITY, NAME_IDENTIFIER),), {NAME_IDENTIFIER}),
    "a role is made of it": ((OUTPUTS, rule(LOCAL_AUTHORITY, NAME_IDENTIFIER, ROLE, "boss")), {NAME_IDENTIFIER}),
    "it is made": ((OUTPUTS, rule(LOCAL_AUTHORITY, ROLE, NAME_IDENTIFIER)), set()),
    "it is a constant": ((OUTPUTS, rule(LOCAL_AUTHORITY, NAME_IDENTIFIER, value="boss")), set()),
    "a provider's passes": ((EVERYTHING,), set()),
    "a provider's is made": ((OUTPUTS, rule("adfs", ROLE, NAME_IDENTIFIER)), {NAME_IDENTIFIER}),
}


@pytest.mark.parametrize(("rules", "expected"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_of_its_own_accounts_a_namespace_says_the_name_alone(rules: tuple[Rule, ...], expected: set[str]) -> None:
    claims = [claim._replace(issuer=LOCAL_AUTHORITY) for claim in ALICE]
    assert {claim.type for claim in faithful_claims(claims, rules)} == expected


def test_nobody_but_the_service_itself_names_the_client_of_an_access_token() -> None:
    assert faithful_claims([*ALICE, Claim("client_id", "alice", "adfs")], [EVERYTHING]) == ALICE
