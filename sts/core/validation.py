"""Whether a token is valid, and the same in another format (WS-Trust 1.3, 7)."""

from dataclasses import replace
from typing import Final, NamedTuple

from sts.core.callers import Party
from sts.core.errors import BadRequest, InvalidToken, KeyNotOffered, RulesFailed
from sts.core.exchange import HolderPolicy, TokenProof
from sts.core.issue import MintOrder, TokenOrder, find_relying_party, require_allowed
from sts.core.model import TokenFormat
from sts.core.own_tokens import OwnToken, is_own, read_own, subject_of
from sts.core.pending_uses import PendingUses
from sts.core.presented import Presented
from sts.core.redemption import claimed_by, redeem
from sts.core.trust import Call, KeyKind, Renewing, Status, StatusCode, TrustAnswer, TrustRequest
from sts.core.trust_issue import Asked, Bond, end_of, in_format, minted

VALID: Final = Status(StatusCode.VALID, "The token is valid.")
_EXPIRED: Final = Status(StatusCode.INVALID, "The token has expired.")
_CANCELLED: Final = Status(StatusCode.INVALID, "The token was cancelled.")
_INVALID: Final = Status(StatusCode.INVALID, "The token is not valid.")
_ALL_FORMATS: Final = frozenset(TokenFormat)


class Judgement(NamedTuple):
    """What became of a token, and the token itself if it is one of ours."""

    status: Status
    own: OwnToken | None = None


def validate(asked: Asked, call: Call) -> TrustAnswer:
    """Say whether a token is valid, and issue it anew where a format is asked for, for whom it was and no longer.

    Valid are tokens of this namespace and those that its partners would be let in with; none of them is used up. Raises
    BadRequest for one that nothing is issued for, KeyNotOffered for one that is bound to a key, TooManyRequests,
    StoreUnavailable.
    """
    target = asked.request.target
    if target is None:
        raise BadRequest("the request holds no token to validate (ValidateTarget)")
    judgement = judge(target, asked.party, call)
    if judgement.status.code is StatusCode.INVALID or asked.request.format is None:
        known = None if judgement.own is None else judgement.own.token.id
        return TrustAnswer(asked.request, status=judgement.status, token_type=asked.request.token_type, target_id=known)
    if judgement.own is None:
        raise BadRequest("only a token of this service is issued anew when it is validated; use Issue for others")
    answered = _issued_anew(asked.request, judgement.own, call)
    return answered._replace(status=judgement.status, target_id=judgement.own.token.id)


def judge(target: TokenProof, party: Party, call: Call) -> Judgement:
    """Whether a token is valid now; why not in words that help nobody to forge one, and `detail` for the log."""
    try:
        claimed = claimed_by(target, call.parts)
        if claimed.encrypted or not is_own(claimed, call):
            return _partners(target, party, call)
        own = read_own(target, claimed, call)
    except InvalidToken as error:
        return Judgement(_INVALID._replace(detail=f"{error.codes} ({error.detail})"))
    if own.has_expired(call.now):
        return Judgement(_EXPIRED, own)
    if call.desk.cancellations.is_cancelled(call.namespace, own.cancelled_as):
        return Judgement(_CANCELLED, own)
    return Judgement(VALID, own)


def _partners(target: TokenProof, party: Party, call: Call) -> Judgement:
    """Of an identity provider or a service identity; whether it was used before does not matter."""
    presented = Presented.at_trust_endpoint(call.namespace, target, party.source).held_by(HolderPolicy.ACCEPTED)
    try:
        redeem(presented, replace(call.parts, replays=PendingUses()), call.now)
    except RulesFailed as error:
        return Judgement(_INVALID._replace(detail=error.codes))
    return Judgement(VALID)


def _issued_anew(request: TrustRequest, own: OwnToken, call: Call) -> TrustAnswer:
    if own.token.holder is not None or (request.key is not None and request.key.kind is not KeyKind.BEARER):
        raise KeyNotOffered("a token that is bound to a key is issued anew by Renew or Issue only")
    if request.realm not in (None, own.audience):
        raise BadRequest("a token is issued anew for the relying party that it was for; use Issue for another")
    if not call.desk.cancellations.is_renewable(call.namespace, own.token.id):
        request = request._replace(renewing=Renewing.REFUSED)
    directory = call.parts.directory
    relying_party = in_format(find_relying_party(call.namespace, own.audience, directory), request.format)
    principal, provider, actors = subject_of(own, call)
    require_allowed(
        TokenOrder(call.namespace, own.audience, _ALL_FORMATS, provider), relying_party, principal, directory
    )
    ends = min(own.expires_at, end_of(request.lifetime, relying_party, call.now))
    order = MintOrder(call.namespace, relying_party, principal, own.claims, own.audience, ends, None, actors)
    return minted(request, order, Bond(KeyKind.BEARER), call)
