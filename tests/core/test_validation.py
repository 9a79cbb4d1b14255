"""Whether a token is valid, and what is issued anew for one that is."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sts.core.claims import NAME_IDENTIFIER
from sts.core.errors import (
    AccessDenied,
    BadRequest,
    FormatNotOffered,
    InvalidToken,
    KeyNotOffered,
    RelyingPartyNotFound,
    StoreUnavailable,
    StsError,
    TooManyRequests,
)
from sts.core.exchange import IssuedToken, PublicHolder, TokenProof
from sts.core.model import Claim, TokenFormat
from sts.core.trust import (
    KeyKind,
    KeyRequest,
    RequestedLifetime,
    StatusCode,
    TrustAction,
    TrustAnswer,
    TrustRequest,
)
from sts.crypto.certificates import public_key_info
from tests.core.builders import DAY, NOW, SECOND, dedicated, key
from tests.core.test_acceptance import MODULES
from tests.core.test_issue import self_issued
from tests.core.trust_world import BILLING, ORDERS, TrustWorld, about, wanted
from tests.crypto.identities import certificate, rsa_key
from tests.tokens.holders import decrypted

FORMATS = pytest.mark.parametrize("token_format", TokenFormat)
PUBLIC = PublicHolder(public_key_info(certificate("rsa2048", "client")))


@pytest.fixture
def world() -> TrustWorld:
    return TrustWorld()


def judged(world: TrustWorld, target: IssuedToken | TokenProof, now: Any = NOW) -> tuple[StatusCode, str]:
    status = world.answer(about(TrustAction.VALIDATE, target), now=now).status
    assert status is not None
    return status.code, status.reason


VALID = (StatusCode.VALID, "The token is valid.")
INVALID = (StatusCode.INVALID, "The token is not valid.")


@FORMATS
def test_a_token_of_ours_is_valid_until_its_end(world: TrustWorld, token_format: TokenFormat) -> None:
    issued = world.token(wanted(format=token_format))
    assert judged(world, issued) == VALID
    assert judged(world, issued, issued.expires_at - SECOND) == VALID
    over = (StatusCode.INVALID, "The token has expired.")
    assert judged(world, issued, issued.expires_at) == over
    assert judged(world, issued, NOW + 200 * DAY) == over


@FORMATS
def test_a_cancelled_token_is_not_valid(world: TrustWorld, token_format: TokenFormat) -> None:
    issued = world.token(wanted(format=token_format))
    other = world.token(wanted(format=token_format), now=NOW + SECOND)
    world.send(about(TrustAction.CANCEL, issued))
    assert judged(world, issued) == (StatusCode.INVALID, "The token was cancelled.")
    assert judged(world, other, NOW + SECOND) == VALID


def test_a_token_that_a_dedicated_key_signed_is_valid(world: TrustWorld) -> None:
    world.party(token_format=TokenFormat.SWT)
    world.directory.credentials[5] = (1, dedicated(key(5, primary_from=NOW - DAY)))
    world.key_ring.secrets[5] = b"d" * 32
    issued = world.token()
    assert issued.credential_id == 5
    assert judged(world, issued) == VALID


def test_a_token_that_others_can_make_is_not_valid_for_a_relying_party_with_a_key_of_its_own(world: TrustWorld) -> None:
    world.party(token_format=TokenFormat.SWT)
    shared = world.token()
    assert judged(world, shared) == VALID
    world.directory.credentials[5] = (1, dedicated(key(5, primary_from=NOW - DAY)))
    world.key_ring.secrets[5] = b"d" * 32
    assert judged(world, shared) == INVALID


@FORMATS
def test_a_token_whose_credential_is_revoked_or_destroyed_is_not_valid(
    world: TrustWorld, token_format: TokenFormat
) -> None:
    issued = world.token(wanted(format=token_format))
    owner, held = world.directory.credentials[issued.credential_id]
    for change in ({"revoked_at": NOW}, {"deleted_at": NOW}):
        world.directory.credentials[issued.credential_id] = (owner, replace(held, **change))
        assert judged(world, issued) == INVALID


@FORMATS
def test_a_forged_token_is_not_valid(world: TrustWorld, token_format: TokenFormat) -> None:
    token = world.token(wanted(format=token_format)).token
    place = token.index(b"worker") if b"worker" in token else len(token) // 2  # the claims of a JWT
    another = token[:place] + (b"A" if token[place : place + 1] != b"A" else b"B") + token[place + 1 :]
    for forged in (another, token[:-20], b"", b"<a/>", b"a.b.c"):
        assert judged(world, TokenProof(token_format, forged)) == INVALID


def test_a_partners_token_is_valid_without_being_used_up(world: TrustWorld) -> None:
    for target in (world.partners(), world.held(PUBLIC, id="2" * 32), self_issued()):
        assert [judged(world, target) for _ in range(2)] == [VALID] * 2
    assert world.token(caller=world.caller(world.partners())).principal == "alice"


PARTNERS: dict[str, Any] = {
    "another key": lambda w: w.partners(owner="eve"),
    "another audience": lambda w: w.partners(audience="https://elsewhere.example/"),
    "expired": lambda w: w.partners(expires_at=NOW - timedelta(minutes=10), not_before=NOW - timedelta(hours=1)),
    "unknown": lambda w: w.partners(issuer="https://nobody.example/"),
    "too many claims": lambda w: w.partners(*((f"urn:{number}", "x") for number in range(81))),
}


@pytest.mark.parametrize("make", PARTNERS.values(), ids=PARTNERS)
def test_a_partners_token_that_would_not_be_let_in_is_not_valid(world: TrustWorld, make: Any) -> None:
    answered = world.answer(about(TrustAction.VALIDATE, make(world)))
    assert answered.status is not None
    assert (answered.status.code, answered.status.reason) == INVALID
    assert answered.status.detail


def test_an_encrypted_token_for_somebody_else_is_not_valid_and_such_are_bounded(world: TrustWorld) -> None:
    issued = world.token(wanted(BILLING))
    target = TokenProof(None, issued.token)
    for _ in range(20):
        assert judged(world, target) == INVALID
    with pytest.raises(TooManyRequests):
        judged(world, target)


def test_whether_a_token_was_cancelled_is_not_guessed(world: TrustWorld) -> None:
    class Away:
        def is_cancelled(self, *_: Any) -> bool:
            raise StoreUnavailable("The database does not answer; try again later.")

    issued = world.token()
    world.desk = replace(world.desk, cancellations=Away())  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        judged(world, issued)


def anew(world: TrustWorld, target: IssuedToken | TokenProof, **changes: Any) -> TrustAnswer:
    return world.answer(about(TrustAction.VALIDATE, target, **{"format": TokenFormat.JWT, **changes}))


@pytest.mark.parametrize("token_format", [TokenFormat.JWT, TokenFormat.SAML11, TokenFormat.SAML20])
def test_a_valid_token_is_issued_in_another_format_for_the_same_and_no_longer(
    world: TrustWorld, token_format: TokenFormat
) -> None:
    brief = wanted(format=token_format, lifetime=RequestedLifetime(None, NOW + timedelta(minutes=3)))
    issued = world.token(brief, world.caller(world.partners()))
    given = anew(world, issued)
    assert given.status is not None
    assert given.status.code is StatusCode.VALID
    assert given.issued is not None
    view = MODULES[TokenFormat.JWT].view(given.issued.token)
    assert (given.issued.expires_at, view.audience) == (issued.expires_at, ORDERS)
    assert Claim(NAME_IDENTIFIER, "alice", "https://sts.example/contoso/") in view.claims
    assert (given.token_type, given.key) == (TokenFormat.JWT.uri, KeyKind.BEARER)


def test_the_delegation_chain_stays(world: TrustWorld) -> None:
    world.identity("worker", id=1, may_act=True)
    issued = world.token(wanted(act_as=world.partners()))
    given = anew(world, issued).issued
    assert given is not None
    payload = given.token.split(b".")[1]
    assert b'"act":{"sub":"worker"' in base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def test_an_invalid_token_is_not_issued_anew(world: TrustWorld) -> None:
    issued = world.token()
    world.send(about(TrustAction.CANCEL, issued))
    given = anew(world, issued)
    assert given.status is not None
    assert (given.status.code, given.issued) == (StatusCode.INVALID, None)


NOT_ANEW: dict[str, tuple[Any, dict[str, Any], type[StsError]]] = {
    "a partner's": (lambda w: w.partners(), {}, BadRequest),
    "for another relying party": (lambda w: w.token(), {"realm": BILLING}, BadRequest),
    "that its relying party could have made": (lambda w: w.token(wanted(format=TokenFormat.SWT)), {}, BadRequest),
    "with a key": (lambda w: w.token(), {"key": KeyRequest(KeyKind.SYMMETRIC)}, KeyNotOffered),
    "that is bound to a key": (lambda w: bound(w), {"format": TokenFormat.SAML20}, KeyNotOffered),
    "that must be encrypted": (lambda w: opened(w), {}, FormatNotOffered),
}


def bound(world: TrustWorld) -> TokenProof:
    """A token with a public key, as the relying party sees it."""
    request = wanted(BILLING, key=KeyRequest(KeyKind.PUBLIC, public_key=PUBLIC.public_key))
    return opened(world, request)


def opened(world: TrustWorld, request: TrustRequest | None = None) -> TokenProof:
    issued = world.token(request or wanted(BILLING))
    return TokenProof(issued.format, decrypted(issued.token, rsa_key("rp")))


@pytest.mark.parametrize(("make", "changes", "error"), NOT_ANEW.values(), ids=NOT_ANEW)
def test_what_is_not_issued_anew_is_refused(
    world: TrustWorld, make: Any, changes: dict[str, Any], error: type[StsError]
) -> None:
    with pytest.raises(error):
        anew(world, make(world), **changes)


def test_nothing_is_issued_anew_that_would_not_be_issued_today(world: TrustWorld) -> None:
    issued = world.token(caller=world.caller(world.partners()))
    world.party(token_format=TokenFormat.SAML20)
    with pytest.raises(AccessDenied):
        anew(world, issued)
    world.party(enabled=False)
    with pytest.raises(RelyingPartyNotFound):
        anew(world, issued)


def test_a_request_without_a_token_is_refused(world: TrustWorld) -> None:
    with pytest.raises(BadRequest):
        world.send(TrustRequest(TrustAction.VALIDATE))


@pytest.mark.parametrize("action", [TrustAction.RENEW, TrustAction.CANCEL])
def test_what_can_only_be_done_with_tokens_of_ours_is_not_done_with_others(
    world: TrustWorld, action: TrustAction
) -> None:
    with pytest.raises(BadRequest):
        world.send(TrustRequest(action))
    encrypted = TokenProof(None, world.token(wanted(BILLING)).token)
    forged = world.partners(owner="eve", issuer="https://sts.example/contoso/")
    for target in (world.partners(), encrypted, forged):
        with pytest.raises(InvalidToken):
            world.send(about(action, target))
