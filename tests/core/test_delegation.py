"""Tokens for somebody else: who may ask, what is believed of him, who stands in the token."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.errors import (
    AccessDenied,
    BadRequest,
    InvalidSignature,
    InvalidToken,
    MayNotAct,
    ReplayedToken,
    StsError,
    UnwritableClaim,
)
from sts.core.exchange import Actor, IssuedToken, PasswordProof, TokenProof, Trusted, VerificationKey, VerifiedToken
from sts.core.model import ClaimPattern, Kind, Rule, RuleGroup, ServiceIdentity, TokenFormat
from sts.core.trust import TrustRequest
from tests.core.builders import NOW
from tests.core.test_acceptance import ISSUER, MODULES, provider
from tests.core.test_issue import DER, PASSWORD, SHARED_KEY, self_issued
from tests.core.trust_world import BILLING, ORDERS, TrustWorld, proof_of, wanted

CONTOSO = "https://sts.example/contoso/"
WORKER, SECOND_TIER = Actor("worker", CONTOSO), Actor("second", CONTOSO)
EITHER = pytest.mark.parametrize("way", ["act_as", "on_behalf_of"])
WITH_ACTORS = pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20, TokenFormat.JWT])


@pytest.fixture
def world() -> TrustWorld:
    made = TrustWorld()
    made.identity("worker", id=1, has_symmetric_key=True, may_act=True)
    made.identity("second", id=2, has_symmetric_key=True, may_act=True)
    made.identity("modest", id=3, has_symmetric_key=True)
    made.key_ring.shared_keys[3] = SHARED_KEY
    made.billing(encryption_required=False, proof_of_possession=False)
    return made


def read(issued: IssuedToken) -> VerifiedToken:
    """A token of ours as its relying party reads it."""
    key = VerificationKey("", Kind.CERTIFICATE, DER)
    found: VerifiedToken = MODULES[issued.format].read(issued.token, Trusted(CONTOSO, issued.audience, (key,)), NOW)
    return found


def told(issued: IssuedToken, claim_type: str) -> set[str]:
    return {claim.value for claim in read(issued).claims if claim.type == claim_type}


def for_somebody(world: TrustWorld, inner: TokenProof, name: str = "worker", **changes: Any) -> IssuedToken:
    caller = world.caller(PasswordProof(name, PASSWORD))
    return world.token(wanted(**{"realm": BILLING, "act_as": inner, **changes}), caller)


@EITHER
@WITH_ACTORS
def test_the_subject_is_whom_the_token_is_about_and_the_actor_is_the_caller(
    world: TrustWorld, way: str, token_format: TokenFormat
) -> None:
    request: TrustRequest = wanted(BILLING, format=token_format, **{way: world.partners()})
    issued = world.token(request)
    assert issued.principal == "alice"
    assert (told(issued, NAME_IDENTIFIER), told(issued, IDENTITY_PROVIDER)) == ({"alice"}, {ISSUER})
    assert read(issued).actors == (WORKER,)


@WITH_ACTORS
def test_a_token_that_we_issued_for_another_relying_party_is_acted_on_again_and_again(
    world: TrustWorld, token_format: TokenFormat
) -> None:
    front = world.token(wanted(ORDERS, format=token_format), world.caller(world.partners()))
    middle = [for_somebody(world, proof_of(front), format=token_format) for _ in range(2)][-1]
    assert read(middle).actors == (WORKER,)
    back = for_somebody(world, proof_of(middle), "second", realm=ORDERS, format=token_format)
    assert read(back).actors == (SECOND_TIER, WORKER)
    assert (told(back, NAME_IDENTIFIER), told(back, IDENTITY_PROVIDER)) == ({"alice"}, {ISSUER})


def test_access_tokens_are_acted_on_too(world: TrustWorld) -> None:
    world.party(identity_providers=("adfs",), token_format=TokenFormat.JWT, jwt_type="at+jwt")
    front = world.token(caller=world.caller(world.partners()))
    middle = for_somebody(world, proof_of(front), realm=ORDERS)
    assert told(middle, NAME_IDENTIFIER) == {"alice"}
    assert read(middle).actors == (WORKER,)


def test_what_an_identity_provider_said_is_never_said_by_us_even_by_way_of_our_own_token(world: TrustWorld) -> None:
    front = world.token(caller=world.caller(world.partners((NAME_IDENTIFIER, "worker"))))
    rules = (
        Rule(ClaimPattern("LOCAL AUTHORITY", NAME_IDENTIFIER, "worker"), output_type=ROLE, output_value="operator"),
        Rule(ClaimPattern("adfs", NAME_IDENTIFIER), output_type=ROLE, output_value="visitor"),
    )
    world.directory.rule_groups[1, "behind"] = RuleGroup(2, "behind", rules)
    world.billing(encryption_required=False, proof_of_possession=False, rule_groups=("behind",))
    assert told(for_somebody(world, proof_of(front)), ROLE) == {"visitor"}


def test_a_service_identity_may_be_the_subject(world: TrustWorld) -> None:
    issued = for_somebody(world, self_issued("modest"))
    assert (issued.principal, read(issued).actors) == ("modest", (WORKER,))
    world.identity("modest", id=3, enabled=False)
    own = world.token(caller=world.caller(PasswordProof("second", PASSWORD)))
    assert for_somebody(world, proof_of(own)).principal == "second"
    world.identity("second", id=2, enabled=False)
    with pytest.raises(InvalidToken) as refusal:
        for_somebody(world, proof_of(own))
    assert "disabled" in (refusal.value.detail or "")


def test_one_token_serves_all_requests_of_a_message(world: TrustWorld) -> None:
    inner = world.partners()
    answers = world.send(wanted(act_as=inner), wanted(BILLING, act_as=inner), wanted(on_behalf_of=inner))
    assert [given.issued.principal for given in answers if given.issued] == ["alice"] * 3
    with pytest.raises(ReplayedToken):
        for_somebody(world, inner)


@EITHER
def test_a_token_that_a_relying_party_could_have_made_is_not_acted_on(world: TrustWorld, way: str) -> None:
    front = world.token(wanted(ORDERS, format=TokenFormat.SWT), world.caller(world.partners()))
    with pytest.raises(BadRequest) as refusal:
        world.token(wanted(BILLING, **{way: proof_of(front)}))
    assert "symmetric key" in refusal.value.message


@EITHER
@pytest.mark.parametrize("name", ["modest", None])
def test_only_a_service_identity_that_may_act_asks_for_others(world: TrustWorld, way: str, name: str | None) -> None:
    proof = world.partners(id="1" * 32) if name is None else PasswordProof(name, PASSWORD)
    world.directory.service_identities[1, "alice"] = ServiceIdentity(4, "alice", may_act=True)
    with pytest.raises(MayNotAct):
        world.token(wanted(**{way: world.partners()}), world.caller(proof))


REFUSED: dict[str, tuple[Any, type[StsError]]] = {
    "T12 unsigned": (lambda w: stripped(w.partners()), InvalidSignature),
    "of nobody": (lambda w: w.partners(issuer="https://nobody.example/"), InvalidSignature),
    "of another key": (lambda w: w.partners(owner="eve"), InvalidSignature),
    "for somebody else": (lambda w: w.partners(audience="https://elsewhere.example/"), InvalidToken),
    "forged in our name": (lambda w: w.partners(issuer=CONTOSO, audience=ORDERS), InvalidSignature),
}


def stripped(proof: TokenProof) -> TokenProof:
    """The same without its signature."""
    head, _, rest = proof.token.partition(b"<ds:Signature")
    return TokenProof(proof.format, head + rest.partition(b"</ds:Signature>")[2])


@EITHER
@pytest.mark.parametrize(("make", "error"), REFUSED.values(), ids=REFUSED)
def test_a_token_that_does_not_hold_is_not_acted_on(
    world: TrustWorld, way: str, make: Any, error: type[StsError]
) -> None:
    with pytest.raises(error):
        world.token(wanted(BILLING, **{way: make(world)}))


def test_a_token_of_ours_is_not_acted_on_once_it_is_over_cancelled_or_its_key_is_gone(world: TrustWorld) -> None:
    inner = proof_of(world.token(caller=world.caller(world.partners())))
    with pytest.raises(InvalidToken) as expired:
        world.token(wanted(BILLING, act_as=inner), now=NOW + timedelta(seconds=600))
    assert "expired" in (expired.value.detail or "")
    world.cancellations.cancel(
        world.directory.namespace("contoso"), MODULES[TokenFormat.SAML20].view(inner.token).id or "", NOW, NOW
    )
    with pytest.raises(InvalidToken) as cancelled:
        for_somebody(world, inner)
    assert "cancelled" in (cancelled.value.detail or "")
    held = world.directory.credentials[1]
    world.directory.credentials[1] = (1, replace(held[1], revoked_at=NOW))
    with pytest.raises(InvalidSignature):
        for_somebody(world, inner)


def test_a_relying_party_takes_nobody_from_a_provider_that_is_not_one_of_its_own(world: TrustWorld) -> None:
    inner = proof_of(world.token(caller=world.caller(world.partners())))
    world.billing(encryption_required=False, proof_of_possession=False, identity_providers=())
    with pytest.raises(AccessDenied, match="takes nobody from"):
        for_somebody(world, inner)
    world.directory.providers[1, "adfs"] = provider(issuer="https://renamed.example/")
    with pytest.raises(InvalidToken):
        for_somebody(world, inner)


def test_both_ways_at_once_and_a_format_that_names_no_actor_are_refused(world: TrustWorld) -> None:
    inner = world.partners()
    with pytest.raises(BadRequest):
        world.send(wanted(act_as=inner, on_behalf_of=inner))
    with pytest.raises(StsError) as refusal:
        world.send(wanted(act_as=inner, format=TokenFormat.SWT))
    assert not isinstance(refusal.value, InvalidToken)


def test_a_chain_of_actors_is_bounded(world: TrustWorld) -> None:
    inner = world.partners()
    for _ in range(8):
        inner = proof_of(for_somebody(world, inner, format=TokenFormat.JWT))
    with pytest.raises(UnwritableClaim):
        for_somebody(world, inner, format=TokenFormat.JWT)
