"""The one way through every WS-Trust door: who calls, that he calls once, and what becomes of what he asks for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from sts.core.callers import Party, authenticated, message_uses, opened_before
from sts.core.delegation import subjects
from sts.core.errors import ReplayedToken, StsError
from sts.core.exchange import TokenProof, TokenUse
from sts.core.pending_uses import PendingUses
from sts.core.renewal import cancel, renew
from sts.core.trust import Call, Caller, TrustAction, TrustAnswer, TrustDesk, TrustRequest
from sts.core.trust_issue import Asked, issue_token
from sts.core.validation import validate

_ACTIONS: Final[Mapping[TrustAction, Callable[[Asked, Call], TrustAnswer]]] = {
    TrustAction.ISSUE: issue_token,
    TrustAction.VALIDATE: validate,
    TrustAction.RENEW: renew,
    TrustAction.CANCEL: cancel,
}


def answer(caller: Caller, requests: Sequence[TrustRequest], desk: TrustDesk, now: datetime) -> tuple[TrustAnswer, ...]:
    """What becomes of the requests of one message, in their order; `now` may carry microseconds.

    Who asks is settled before what for. The message, its nonce and the tokens in it are used up in one transaction,
    before anything is issued, validated or cancelled; what is refused earlier leaves no record. If one request is
    refused, all are, and only what was cancelled before stays so. Raises the StsError of the first step that refuses,
    which names the caller once that is settled.
    """
    namespace = desk.parts.directory.namespace(caller.namespace)
    uses = PendingUses()
    call = Call(namespace, desk, now)
    reading = _collecting(uses, call) if _presents_tokens(caller, requests) else call
    party = authenticated(caller, reading)
    with _named(party):
        uses.use_all(namespace, tuple(message_uses(caller)), now)
        about = subjects(party, requests, reading)
        _record(uses.made, caller.source, call)
        return tuple(
            _ACTIONS[request.action](Asked(request, party, subject), call)._replace(caller=party.principal.name)
            for request, subject in zip(requests, about, strict=True)
        )


@contextmanager
def _named(party: Party) -> Iterator[None]:
    """Whatever is refused within says to whom."""
    try:
        yield
    except StsError as error:
        error.caller = party.principal.name
        raise


def _presents_tokens(caller: Caller, requests: Sequence[TrustRequest]) -> bool:
    """Whether tokens may be used up while a message is read, its caller's or others'."""
    if isinstance(caller.proof, TokenProof):
        return True
    return any(request.on_behalf_of is not None or request.act_as is not None for request in requests)


def _collecting(uses: PendingUses, call: Call) -> Call:
    """The same, with the uses of tokens not on record yet."""
    return call._replace(desk=replace(call.desk, parts=replace(call.desk.parts, replays=uses)))


def _record(uses: Sequence[TokenUse], source: str, call: Call) -> None:
    """Have all uses on record, or none; a second one of what came encrypted is refused as it is while it is opened."""
    if not uses:
        return
    try:
        call.parts.replays.use_all(call.namespace, uses, call.now)
    except ReplayedToken as replayed:
        with opened_before(replayed.decrypted_by, source, call):
            raise
