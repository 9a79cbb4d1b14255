"""The one way through every WS-Trust door: who calls, that he calls once, and what becomes of what he asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sts.core.callers import authenticated, message_uses
from sts.core.delegation import subjects
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
    refused, all are, and only what was cancelled before stays so. Raises the StsError of the first step that refuses.
    """
    namespace = desk.parts.directory.namespace(caller.namespace)
    uses = PendingUses()
    reading = Call(namespace, replace(desk, parts=replace(desk.parts, replays=uses)), now)
    party = authenticated(caller, reading)
    uses.use_all(namespace, tuple(message_uses(caller)), now)
    about = subjects(party, requests, reading)
    if uses.made:
        desk.parts.replays.use_all(namespace, uses.made, now)
    call = Call(namespace, desk, now)
    return tuple(
        _ACTIONS[request.action](Asked(request, party, subject), call)
        for request, subject in zip(requests, about, strict=True)
    )
