"""Tokens of ours that their owners renew or cancel, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER, ROLE
from sts.core.errors import (
    AccessDenied,
    BadRequest,
    FormatNotOffered,
    KeyNotOffered,
    NoEncryptionCertificate,
    RelyingPartyNotFound,
    StsError,
    UnableToRenew,
)
from sts.core.exchange import IssuedToken, PasswordProof, TokenProof
from sts.core.model import ClaimPattern, Rule, TokenFormat
from sts.core.trust import Caller, KeyKind, KeyRequest, Renewing, RequestedLifetime, StatusCode, TrustAction
from sts.crypto.certificates import public_key_info
from tests.core.builders import NOW, SECOND
from tests.core.test_acceptance import MODULES
from tests.core.test_issue import PASSWORD
from tests.core.trust_world import BILLING, ORDERS, TrustWorld, about, wanted
from tests.crypto.identities import certificate, rsa_key
from tests.tokens.holders import decrypted

FORMATS = pytest.mark.parametrize("token_format", TokenFormat)
CLIENT = public_key_info(certificate("rsa2048", "client"))
LATER = NOW + timedelta(minutes=9)
NAMELESS = Rule(ClaimPattern("LOCAL AUTHORITY", NAME_IDENTIFIER), output_type=ROLE, output_value="any")


@pytest.fixture
def world() -> TrustWorld:
    made = TrustWorld()
    made.identity("worker", id=1, may_act=True)
    made.identity("other", id=2, may_act=True)
    return made


def other(world: TrustWorld) -> Caller:
    return world.caller(PasswordProof("other", PASSWORD))


def somebody(world: TrustWorld, name: str = "alice") -> Caller:
    """Somebody of the identity provider, signed in once more."""
    number = f"{next(world.messages):032x}"
    return world.caller(world.partners((NAME_IDENTIFIER, name), (ROLE, number), id=number))


def opened(world: TrustWorld, **changes: Any) -> TokenProof:
    """A token for billing, as it sees it."""
    issued = world.token(wanted(BILLING, **changes))
    return TokenProof(issued.format, decrypted(issued.token, rsa_key("rp")))


def renewed(
    world: TrustWorld, target: IssuedToken | TokenProof, caller: Caller | None = None, **how: Any
) -> IssuedToken:
    now = how.pop("now", LATER)
    return world.token(about(TrustAction.RENEW, target, **how), caller, now)


def is_valid(world: TrustWorld, target: IssuedToken, now: Any = LATER) -> bool:
    status = world.answer(about(TrustAction.VALIDATE, target), now=now).status
    return status is not None and status.code is StatusCode.VALID


@FORMATS
def test_a_token_is_renewed_in_its_own_format_for_the_same_audience(
    world: TrustWorld, token_format: TokenFormat
) -> None:
    realm = ORDERS + "queue?api-version=2013-07"
    issued = world.token(wanted(realm, format=token_format))
    new = renewed(world, issued)
    assert (new.format, new.audience, new.principal) == (token_format, realm, "worker")
    assert new.expires_at == LATER + timedelta(seconds=600)
    assert new.token != issued.token
    assert is_valid(world, issued)
    assert is_valid(world, new)


@FORMATS
def test_a_token_that_was_asked_for_as_not_to_be_renewed_is_not(world: TrustWorld, token_format: TokenFormat) -> None:
    once = world.token(wanted(renewing=Renewing.REFUSED, format=token_format))
    assert is_valid(world, once)
    with pytest.raises(UnableToRenew, match="Renewing"):
        renewed(world, once)
    other_token = world.token(wanted(format=token_format), now=NOW + SECOND)
    last = renewed(world, other_token, renewing=Renewing.REFUSED)
    with pytest.raises(UnableToRenew, match="Renewing"):
        renewed(world, last)


def test_a_token_that_is_not_renewed_is_not_renewed_by_whom_its_relying_party_shows_it(world: TrustWorld) -> None:
    target = opened(world, key=KeyRequest(KeyKind.PUBLIC, public_key=CLIENT), renewing=Renewing.REFUSED)
    with pytest.raises(UnableToRenew, match="Renewing"):
        world.answer(about(TrustAction.RENEW, target), now=LATER)


def test_a_token_that_is_not_renewed_is_not_renewed_in_another_format_either(world: TrustWorld) -> None:
    once = world.token(wanted(renewing=Renewing.REFUSED))
    other_format = world.answer(about(TrustAction.VALIDATE, once, format=TokenFormat.JWT)).issued
    assert other_format is not None
    with pytest.raises(UnableToRenew, match="Renewing"):
        renewed(world, other_format)


def test_a_renewed_token_tells_what_is_true_today(world: TrustWorld) -> None:
    issued = world.token(caller=somebody(world))
    new = renewed(world, issued, somebody(world))
    roles = [
        {claim.value for claim in MODULES[TokenFormat.SAML20].view(token.token).claims if claim.type == ROLE}
        for token in (issued, new)
    ]
    assert len(roles[0] | roles[1]) == 2


def test_a_renewed_token_lasts_as_asked_and_no_longer_than_any_other(world: TrustWorld) -> None:
    issued = world.token()
    for asked, given in ((LATER + timedelta(seconds=60), 60), (LATER + timedelta(days=9), 600)):
        new = renewed(world, issued, lifetime=RequestedLifetime(None, asked))
        assert new.expires_at == LATER + timedelta(seconds=given)


def test_a_token_with_a_public_key_keeps_it(world: TrustWorld) -> None:
    target = opened(world, key=KeyRequest(KeyKind.PUBLIC, public_key=CLIENT))
    given = world.answer(about(TrustAction.RENEW, target), now=LATER)
    assert given.issued is not None
    assert (given.issued.encrypted, given.key) == (True, KeyKind.PUBLIC)
    again = decrypted(given.issued.token, rsa_key("rp"))
    assert b"holder-of-key" in again
    world.billing(encryption_certificate=None)
    with pytest.raises(NoEncryptionCertificate):
        renewed(world, target)


def test_a_delegated_token_is_renewed_with_the_token_of_whom_it_is_about(world: TrustWorld) -> None:
    issued = world.token(wanted(act_as=world.partners(id="1" * 32)))
    with pytest.raises(UnableToRenew):
        renewed(world, issued)
    with pytest.raises(UnableToRenew):
        renewed(world, issued, somebody(world))
    assert renewed(world, issued, act_as=world.partners(id="2" * 32)).principal == "alice"


REFUSED: dict[str, tuple[Any, dict[str, Any], type[StsError]]] = {
    "expired": (lambda w: w.token(), {"now": NOW + timedelta(seconds=600)}, UnableToRenew),
    "long expired": (lambda w: w.token(), {"now": NOW + timedelta(days=9)}, UnableToRenew),
    "somebody else's": (lambda w: w.token(caller=other(w)), {}, UnableToRenew),
    "a person's of the same name": (lambda w: w.token(caller=somebody(w, "worker")), {}, UnableToRenew),
    "with a secret key": (lambda w: opened(w, key=KeyRequest(KeyKind.SYMMETRIC)), {}, UnableToRenew),
    "in another format": (lambda w: w.token(), {"format": TokenFormat.JWT}, FormatNotOffered),
    "for another relying party": (lambda w: w.token(), {"realm": BILLING}, BadRequest),
    "with another key": (lambda w: w.token(), {"key": KeyRequest(KeyKind.PUBLIC, public_key=CLIENT)}, KeyNotOffered),
}


@pytest.mark.parametrize(("make", "changes", "error"), REFUSED.values(), ids=REFUSED)
def test_a_token_is_not_renewed(world: TrustWorld, make: Any, changes: dict[str, Any], error: type[StsError]) -> None:
    target = make(world)
    with pytest.raises(error):
        renewed(world, target, **changes)


def test_a_cancelled_token_is_not_renewed(world: TrustWorld) -> None:
    issued = world.token()
    world.send(about(TrustAction.CANCEL, issued))
    with pytest.raises(UnableToRenew, match="cancelled"):
        renewed(world, issued)


def test_nothing_is_renewed_that_would_not_be_issued_today(world: TrustWorld) -> None:
    issued = world.token()
    world.group(Rule(ClaimPattern("LOCAL AUTHORITY", EMAIL_ADDRESS)))
    with pytest.raises(AccessDenied):
        renewed(world, issued)
    world.party(enabled=False)
    with pytest.raises(RelyingPartyNotFound):
        renewed(world, issued)


def test_tokens_that_name_nobody_are_alike(world: TrustWorld) -> None:
    world.group(NAMELESS)
    issued = world.token(caller=other(world))
    assert renewed(world, issued).principal == "worker"
    world.group(NAMELESS, Rule(ClaimPattern("LOCAL AUTHORITY")))
    with pytest.raises(UnableToRenew):
        renewed(world, issued)


@FORMATS
def test_a_token_is_cancelled_by_whom_it_is_about_once_and_again(world: TrustWorld, token_format: TokenFormat) -> None:
    issued = world.token(wanted(format=token_format))
    for _ in range(2):
        given = world.answer(about(TrustAction.CANCEL, issued))
        assert (given.issued, given.status, given.proof) == (None, None, None)
    assert not is_valid(world, issued, NOW)


def test_a_token_that_is_over_needs_no_cancelling(world: TrustWorld) -> None:
    issued = world.token()
    world.answer(about(TrustAction.CANCEL, issued), now=issued.expires_at)
    assert world.cancellations.ends == {}


@pytest.mark.parametrize("owner", ["other", "a person of the same name"])
def test_nobody_cancels_somebody_elses_token(world: TrustWorld, owner: str) -> None:
    issued = world.token(caller=other(world) if owner == "other" else somebody(world, "worker"))
    with pytest.raises(AccessDenied):
        world.send(about(TrustAction.CANCEL, issued))
    assert is_valid(world, issued, NOW)


def test_who_acted_cancels_what_was_issued_for_it(world: TrustWorld) -> None:
    issued = world.token(wanted(act_as=world.partners(id="1" * 32)))
    with pytest.raises(AccessDenied):
        world.send(about(TrustAction.CANCEL, issued), caller=other(world))
    world.send(about(TrustAction.CANCEL, issued))
    assert not is_valid(world, issued, NOW)
