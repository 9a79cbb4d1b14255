"""Whom a new token is about: the caller, or somebody for whom he may act (WS-Trust 1.4, 9.2: OnBehalfOf, ActAs)."""

from collections.abc import Sequence

from sts.core.callers import Party
from sts.core.errors import BadRequest, InvalidToken, MayNotAct
from sts.core.exchange import Actor, TokenProof
from sts.core.own_tokens import Subject, is_own, read_own, subject_of
from sts.core.presented import Presented
from sts.core.redemption import claimed_by, redeem
from sts.core.trust import Call, TrustRequest


def subjects(party: Party, requests: Sequence[TrustRequest], call: Call) -> list[Subject]:
    """Whom the token of each request is about, and who acts for him, the caller first.

    The token of somebody else is verified as a caller's would be: one of an identity provider, of a service identity,
    or one that this namespace issued for any of its relying parties. Where several requests present it, it is read, and
    used, once. Only a service identity that may act for others presents one. Raises MayNotAct, BadRequest,
    TooManyRequests, StoreUnavailable or a subclass of InvalidToken.
    """
    known: dict[TokenProof | None, Subject] = {}
    for presented in map(_presented, requests):
        if presented not in known:
            known[presented] = _subject(party, presented, call)
    return [known[_presented(request)] for request in requests]


def _presented(request: TrustRequest) -> TokenProof | None:
    """The token of somebody else, None where the caller asks for himself."""
    if request.act_as is not None and request.on_behalf_of is not None:
        raise BadRequest("a token is asked for with OnBehalfOf or with ActAs, not with both")
    return request.act_as or request.on_behalf_of


def _subject(party: Party, presented: TokenProof | None, call: Call) -> Subject:
    if presented is None:
        return Subject(party.principal, party.provider, party.actors)
    _require_privilege(party, call)
    inner = _inner(party, presented, call)
    actor = Actor(party.principal.name, party.principal.identity_provider)
    return inner._replace(actors=(actor, *party.actors, *inner.actors))


def _require_privilege(party: Party, call: Call) -> None:
    name = party.principal.name
    identity = call.parts.directory.service_identity(call.namespace, name) if party.provider is None else None
    if identity is None:
        raise MayNotAct(f"'{name}' may not act for others: only service identities may, with may_act: true")
    if not identity.may_act:
        raise MayNotAct(f"service identity '{name}' may not act for others (may_act)")


def _inner(party: Party, proof: TokenProof, call: Call) -> Subject:
    """Whom the token is about that the caller presents for somebody else."""
    claimed = claimed_by(proof, call.parts)
    if claimed.encrypted or not is_own(claimed, call):
        redeemed = redeem(Presented.at_trust_endpoint(call.namespace, proof, party.source), call.parts, call.now)
        return Subject(redeemed.principal, redeemed.provider, redeemed.actors)
    own = read_own(proof, claimed, call)
    if own.has_expired(call.now):
        raise InvalidToken("The token is not valid.", detail=f"it expired at {own.expires_at:%FT%TZ}")
    if call.desk.cancellations.is_cancelled(call.namespace, own.cancelled_as):
        raise InvalidToken("The token is not valid.", detail="it was cancelled")
    return subject_of(own, call)
