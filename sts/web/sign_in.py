"""Signing in and out by browser: each view parses, makes one call, renders."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from sts.core import sign_in as steps
from sts.core import sign_out as leaving
from sts.core.addresses import origin_of
from sts.core.errors import InvalidReply, MethodNotAllowed, StsError
from sts.core.issue import find_relying_party
from sts.core.model import IdentityProvider
from sts.core.sign_in_steps import (
    AskPassword,
    AtProvider,
    Choose,
    Deliver,
    PendingSignIn,
    SignInRefused,
    Step,
    Typed,
)
from sts.protocols import addresses, home_realm, wsfed
from sts.protocols.http import parse_form
from sts.protocols.wsfed import Delivery, ErrorContext, SignInRequest, SignInResponse, SignOutKind, SignOutRequest
from sts.web import sign_in_pages as pages
from sts.web.arrival import read_request
from sts.web.browser_call import Call, call_of, is_elsewhere
from sts.web.context import current_arrival, current_service, note, note_error, note_issued, response
from sts.web.cookies import SameSite
from sts.web.returning import TAKEN, Taken, keep_session, take, token_page

LONGEST_EMAIL: Final = 254  # characters (RFC 5321, 4.5.3.1.3)
LONGEST_LINK: Final = 4096  # characters of an address that a form is turned into: any proxy takes it

_REPEATED: Final = ("wa", "wtrealm", "wreply", "wctx", "wfresh", "wauth", "wct", "protocol")  # when a choice is made
_LINKED: Final = (*_REPEATED, "whr", "redirect")  # all that a sign-in request has an effect by
_BOTH: Final = ("GET", "POST")
METHODS: Final = {addresses.WS_FEDERATION: _BOTH, addresses.LOCAL_SIGN_IN: ("POST",)}  # that are answered

sign_in: Final = Blueprint("sign_in", __name__)


def _call(namespace: str) -> Call:
    return call_of(current_service(), namespace, current_arrival(), request.environ)


@sign_in.errorhandler(StsError)
def refuse(error: StsError) -> Response:
    """A page that a person understands."""
    note_error(error)
    return pages.refused_page(error, current_arrival().trace_id, current_service().clock())


@sign_in.errorhandler(SignInRefused)
def refuse_to_relying_party(refusal: SignInRefused) -> Response:
    """The relying party is told, at its error address if it has one; else the person."""
    error, pending, relying_party = refusal.error, refusal.pending, refusal.relying_party
    service, trace_id = current_service(), current_arrival().trace_id
    note(relying_party=relying_party.name, provider=pending.provider or None)
    note_error(error)
    if relying_party.error_url is None:
        return pages.refused_page(error, trace_id, service.clock())
    try:
        error_url = steps.usable_address(relying_party.error_url, service.directory.namespace(pending.namespace))
    except InvalidReply as unusable:
        return refuse(unusable)
    context = ErrorContext(trace_id, pending.context, pending.provider or None)
    return pages.post_page(wsfed.error_form(error, error_url, context, service.clock()), wsfed.status(error))


@sign_in.errorhandler(Exception)
def refuse_anything(error: Exception) -> Response:
    """Whatever it was: the person gets a page, the log the traceback."""
    return refuse(StsError("internal error", detail="".join(traceback.format_exception(error))))


@sign_in.route(f"/<namespace>/{addresses.WS_FEDERATION}", methods=_BOTH, provide_automatic_options=False)
def ws_federation(namespace: str) -> Response:
    """Sign in, take an identity provider's answer, sign out."""
    taken = request.environ.pop(TAKEN, None)
    if isinstance(taken, Exception):
        raise taken
    if isinstance(taken, Taken):
        return taken.call.jar.send(_deliver(taken.call, taken.step, SameSite.NONE))
    call = _call(namespace)
    if call.message.method == "HEAD":  # which changes nothing (RFC 9110, 9.2.1), so that nobody signs in or out by it
        raise MethodNotAllowed(*_BOTH)
    if is_elsewhere(call, current_arrival()):
        query = f"?{call.message.query}" if call.message.query else ""
        return redirect(call.here + query, 307)  # identity providers and cookies know the one address of the issuer
    if not call.message.query and not call.message.body and call.jar.leaving:
        call.jar.has_left()
        call = call._replace(message=call.message._replace(query=call.jar.leaving))
    message = wsfed.parse(call.message)
    if isinstance(message, SignInRequest) and _may_withhold(call):
        given = call.fields  # of which others may be secrets, which are better not in an address
        address = f"{call.here}?{urlencode({name: given[name] for name in _LINKED if name in given})}"
        if len(address) <= LONGEST_LINK:
            return _redirect(address, 303)  # without a cookie: it would take the place of one that is withheld
    return call.jar.send(_ANSWERS[type(message)](call, message))


@sign_in.route(f"/<namespace>/{addresses.LOCAL_SIGN_IN}", methods=_BOTH, provide_automatic_options=False)
def local(namespace: str) -> Response:
    """Sign in with the name and password of a local account."""
    call = _call(namespace)
    if call.message.method != "POST":
        raise MethodNotAllowed("POST")
    form = parse_form(call.message.body)
    name, password = form.optional("username") or "", form.optional("password") or ""
    typed = Typed(form.single("state"), name, password.encode("utf-8", "surrogatepass"))
    step = steps.sign_in_locally(call.visit, typed, call.service.desk)
    if isinstance(step, Deliver):
        call.jar.keep_device(step.device)
        return call.jar.send(_deliver(call, step, SameSite.LAX))
    return call.jar.send(_ask_password(call, step))


@sign_in.get(f"/<namespace>/{addresses.IDENTITY_PROVIDERS}")
def identity_providers(namespace: str) -> Response:
    """The feed for sign-in pages of relying parties."""
    service, arrival = current_service(), current_arrival()
    try:
        asked = home_realm.parse(read_request(arrival, request.environ))
        known = service.directory.namespace(namespace)
        relying_party = find_relying_party(known, asked.realm, service.parts.directory)
        shown = steps.allowed_providers(known, relying_party, service.parts)
        return response(home_realm.feed(home_realm.entries(asked, known, shown), asked.callback))
    except StsError as error:
        note_error(error)
        return response(home_realm.refuse(error, arrival.trace_id, service.clock()))


def _may_withhold(call: Call) -> bool:
    """Whether the browser may have a session that it withholds, as it does with Lax from forms of other sites.

    With a link it brings it. What has an e-mail address, as our own form, is better not in one.
    """
    return call.message.method == "POST" and not call.jar.session and "email" not in call.fields


def _begin(call: Call, message: SignInRequest) -> Response:
    call = call.marked()
    email = call.fields.get("email", "")[:LONGEST_EMAIL]
    if email:
        message = message._replace(home_realm=email if "@" in email else f"@{email}")
    step = steps.begin(call.visit, message, call.service.desk)
    return _render(call, step, message)


def _render(call: Call, step: Step, message: SignInRequest) -> Response:
    if isinstance(step, Deliver):
        return _deliver(call, step, SameSite.NONE)
    if isinstance(step, AskPassword):
        return _ask_password(call, step)
    if isinstance(step, Choose):
        return _choose(call, step)
    return _go_to_provider(call, step, message)


def _go_to_provider(call: Call, step: AtProvider, message: SignInRequest) -> Response:
    call.jar.keep_across_sites()
    call.jar.keep_choice(step.provider.name)
    note(provider=step.provider.name)
    state = call.service.desk.states.seal(step.pending)
    address = wsfed.sign_in_address(step.provider, call.visit.namespace, state, message)
    return _lead(call, address)


def _lead(call: Call, address: str) -> Response:
    """On to an address: by redirection after a link, by a page after a form."""
    if call.message.method == "POST":
        return pages.go_on_page(address)
    return _redirect(address, 302)


def _redirect(address: str, status: int) -> Response:
    answer = redirect(address, status)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _ask_password(call: Call, step: AskPassword) -> Response:
    call.jar.keep_choice(step.provider.name)
    note(provider=step.provider.name, relying_party=step.relying_party.name)
    if step.refused is not None:
        note_error(step.refused)
    shown = pages.PasswordForm(
        relying_party=step.relying_party.name,
        provider=_label(step.provider),
        action=call.visit.namespace.issuer + addresses.LOCAL_SIGN_IN,
        state=call.service.desk.states.seal(step.pending),
        refused=step.refused,
        name=step.name,
    )
    return pages.password_page(shown)


def _choose(call: Call, step: Choose) -> Response:
    note(relying_party=step.relying_party.name)
    given = call.fields
    fields = tuple((name, given[name]) for name in _REPEATED if given.get(name))
    shown = pages.HomeRealm(
        relying_party=step.relying_party.name,
        ways=tuple(_way(call, provider, fields) for provider in step.providers),
        last=call.jar.last_choice or None,
        fields=fields,
        action=call.here,
        has_domains=any(provider.email_domains for provider in step.providers),
        unknown=step.unknown,
    )
    return pages.home_realm_page(shown)


def _way(call: Call, provider: IdentityProvider, fields: tuple[tuple[str, str], ...]) -> pages.Way:
    address = f"{call.here}?{urlencode([*fields, ('whr', provider.name)])}"
    return pages.Way(provider.name, _label(provider), address, _image(provider, call))


def _label(provider: IdentityProvider) -> str:
    return provider.display_name or provider.name


def _image(provider: IdentityProvider, call: Call) -> str | None:
    try:
        return steps.usable_address(provider.image, call.visit.namespace) if provider.image else None
    except InvalidReply:
        return None


def _take(call: Call, message: SignInResponse) -> Response:
    return _deliver(call, take(call, message), SameSite.NONE)


def _deliver(call: Call, step: Deliver, same_site: SameSite) -> Response:
    pending: PendingSignIn = step.pending
    note_issued(step.issued)
    note(provider=pending.provider)
    keep_session(call, step, same_site)
    if pending.delivery == Delivery.SCRIPT:
        return pages.notify_page(wsfed.notification(step.issued, pending.context))
    return response(token_page(step))


def _sign_out(call: Call, message: SignOutRequest) -> Response:
    done = leaving.sign_out(call.visit, leaving.SigningOut(message.realm, message.reply), call.service.desk)
    note(principal=done.principal, provider=None if done.provider is None else done.provider.name)
    if call.visit.browser.session:
        call.jar.end_session()
    cleanups = tuple(wsfed.cleanup_address(reply) for reply in done.cleanups)
    if message.kind is SignOutKind.CLEANUP:
        return pages.signed_out_page(pages.SignedOut(cleanups, done.reply, _framing(call, done.provider)))
    onward = done.reply
    if done.provider is not None:
        call.jar.keep_leaving(_leaving(done))
        onward = wsfed.sign_out_address(done.provider, call.visit.namespace, call.here)
    if onward is not None and not cleanups:
        return _lead(call, onward)
    return pages.signed_out_page(pages.SignedOut(cleanups, onward))


def _leaving(done: leaving.SignedOut) -> str:
    """What is left to do when the identity provider sends the browser back.

    The address that it sends it back to says nothing of this: it is the one that is registered there, byte for byte.
    """
    wanted = {"wa": SignOutKind.SIGN_OUT.value}
    if done.reply is not None and done.realm is not None:
        wanted |= {"wtrealm": done.realm, "wreply": done.reply}
    return urlencode(wanted)


def _framing(call: Call, provider: IdentityProvider | None) -> str | None:
    """The origins of who may show the cleanup in a frame: the session's identity provider, any if it is over already.

    An identity provider that signs somebody out because we asked for it shows it after we ended the session.
    """
    known = call.service.parts.directory.identity_providers(call.visit.namespace) if provider is None else (provider,)
    return " ".join(sorted({origin for origin in map(_origin, known) if origin is not None})) or None


def _origin(provider: IdentityProvider) -> str | None:
    address = provider.sign_out_url or provider.sign_in_url
    try:
        return None if address is None else origin_of(address)
    except ValueError:
        return None


_ANSWERS: Final[Mapping[type, Callable[[Call, Any], Response]]] = {
    SignInRequest: _begin,
    SignInResponse: _take,
    SignOutRequest: _sign_out,
}
