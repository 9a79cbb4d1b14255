"""What an identity provider sends a browser back with, taken before Flask (ADR 6): so does almost every sign-in end."""

from io import BytesIO
from typing import Final, NamedTuple

from sts.assemble import Service
from sts.core import sign_in as steps
from sts.core.errors import BadRequest, InvalidSignInRequest, InvalidState, MissingField
from sts.core.sign_in_steps import Deliver, Returned, Unsolicited
from sts.protocols import wsfed
from sts.protocols.http import Answer
from sts.protocols.wsfed import Delivery, SignInResponse
from sts.web import sign_in_pages as pages
from sts.web.arrival import Arrival, Environ
from sts.web.browser_call import Call, call_of, is_elsewhere
from sts.web.context import ISSUED, NOTED
from sts.web.cookies import SameSite
from sts.web.token_endpoints import Outcome

TAKEN: Final = "sts.taken"  # where the view finds how far its request has come

_MARK: Final = b"wresult="
_NEITHER: Final = "The field 'wtrealm' of a sign-in request is missing, and the field 'wresult' of an answer to one."


class Taken(NamedTuple):
    """An answer of an identity provider that was taken, and has yet to be answered with a page."""

    call: Call
    step: Deliver


def take(call: Call, message: SignInResponse) -> Deliver:
    """Take an identity provider's answer to a sign-in, or one that nobody asked for."""
    if message.state:
        return _take_asked(call, message)
    if message.realm is None:
        raise InvalidSignInRequest(MissingField("wtrealm"))
    return steps.take_unsolicited(call.visit, Unsolicited(message.realm, message.proof), call.service.desk)


def _take_asked(call: Call, message: SignInResponse) -> Deliver:
    try:
        return steps.take(call.visit, Returned(message.state, message.proof), call.service.desk)
    except InvalidState as error:
        if message.wresult is not None:
            raise
        raise BadRequest(_NEITHER, detail=error.detail) from error


def keep_session(call: Call, step: Deliver, same_site: SameSite) -> None:
    """Have the browser keep a session that began."""
    if step.session_token:
        call.jar.keep_session(step.session_token, same_site)


def token_page(step: Deliver) -> Answer:
    """The page that brings the relying party its token."""
    return pages.post_answer(wsfed.answer_form(step.issued, step.pending.reply, step.pending.context))


def returned(service: Service, namespace: str, arrival: Arrival, environ: Environ) -> Outcome | None:
    """Answer a POST to the address of sign-in if it brings a token that is good; else None, and the view goes on.

    It finds what was raised, or an answer that was taken and wants another page, at TAKEN; or its request as it was.
    """
    try:
        call = call_of(service, namespace, arrival, environ)
        message = None if _MARK not in call.message.body or is_elsewhere(call, arrival) else wsfed.parse(call.message)
        if not isinstance(message, SignInResponse):
            environ["wsgi.input"] = BytesIO(call.message.body)
            return None
        return _answered(call, take(call, message), environ)
    except Exception as error:  # whatever it was: the view raises it, where pages are made of errors
        environ[TAKEN] = error
        return None


def _answered(call: Call, step: Deliver, environ: Environ) -> Outcome | None:
    """The page, of which the record tells what was issued even if it cannot be made."""
    environ[ISSUED], environ[NOTED] = step.issued, {"provider": step.pending.provider}
    if step.pending.delivery == Delivery.SCRIPT:
        environ[TAKEN] = Taken(call, step)
        return None
    keep_session(call, step, SameSite.NONE)
    page = token_page(step)
    length = ("Content-Length", str(len(page.body)))
    answer = page._replace(headers=(*page.headers, length, *call.jar.headers()))
    return Outcome(answer, step.issued, noted=environ[NOTED])
