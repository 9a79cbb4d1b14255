"""WS-Federation in the browser (WS-Federation 1.2, 13): what it brings, where it is sent, what it takes along."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from html import escape
from typing import Final, NamedTuple
from urllib.parse import unquote_plus, urlencode

from sts.core.addresses import check_url
from sts.core.errors import (
    BadRequest,
    InvalidSamlToken,
    InvalidSignInRequest,
    InvalidSignInResponse,
    InvalidToken,
    IssuingFailed,
    MethodNotAllowed,
    MissingField,
    NotWsFederation,
    StsError,
    UnwritableClaim,
)
from sts.core.exchange import IssuedToken, TokenProof
from sts.core.model import IdentityProvider, Namespace
from sts.crypto.xml import escape_attribute, instant, parse_instant
from sts.protocols import rstr
from sts.protocols.addresses import WS_FEDERATION
from sts.protocols.content_type import FORM, media_type
from sts.protocols.http import Form, HttpRequest, parse_form, timestamp
from sts.protocols.refusals import ISSUING_FAILED, refusal
from sts.protocols.token_elements import acs_token_element

SIGN_IN: Final = "wsignin1.0"
MAX_CONTEXT: Final = 2048  # bytes of a relying party's wctx
MAX_PLAIN_CONTEXT: Final = 8192  # of one in base64url, as our own is at another sts, through two of which it passes
MAX_TEXT: Final = 2048  # bytes of any other parameter
MAX_STATE: Final = 24_576  # characters of our own, which holds all of them at their longest

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_PLAIN: Final = re.compile("[A-Za-z0-9_-]*", re.ASCII)  # means nothing in HTML, XML and addresses
_MINUTES: Final = re.compile("[0-9]{1,9}", re.ASCII)
_IGNORED: Final = ("wreq", "wreqptr")
_MINUTE: Final = timedelta(minutes=1)
_HOSTILE_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class SignOutKind(StrEnum):
    """Who signs out: the person, everywhere; or somebody who was signed out there, and tells us to forget."""

    SIGN_OUT = "wsignout1.0"
    CLEANUP = "wsignoutcleanup1.0"


class Delivery(StrEnum):
    """How a token gets to the relying party."""

    FORM = "wsfederation"  # a form that posts itself
    SCRIPT = "javascriptnotify"  # handed to the program around the browser (acs.md, 3.3)


class SignInRequest(NamedTuple):
    """A relying party sends somebody to sign in; every text is as it came, nothing is normalised."""

    realm: str
    reply: str | None = None
    context: str | None = None
    home_realm: str | None = None
    fresh: timedelta | None = None  # the greatest age of the sign-in; zero: sign in again
    authentication: str | None = None
    created: datetime | None = None
    choose: bool = False  # show the choice of identity providers even where there is nothing to choose
    delivery: Delivery = Delivery.FORM
    ignored: tuple[str, ...] = ()  # parameters that came and have no effect, for the log


class SignInResponse(NamedTuple):
    """An identity provider sends somebody back; the state is "" where it came without."""

    state: str
    wresult: str | None  # as it came; None: the sign-in came back without
    realm: str | None = None  # of the relying party, where nobody asked for it

    def __repr__(self) -> str:
        """What is no secret."""
        return f"SignInResponse({len(self.wresult or '')} characters, realm={self.realm!r})"

    def proof(self) -> TokenProof:
        """Cut the token out; raises MissingField, InvalidSignInResponse or PayloadTooLarge."""
        if self.wresult is None:
            raise MissingField("wresult")
        return rstr.cut(self.wresult.encode())


class SignOutRequest(NamedTuple):
    """Somebody signs out, or was signed out elsewhere."""

    kind: SignOutKind
    realm: str | None = None
    reply: str | None = None


class PostForm(NamedTuple):
    """A form that the browser posts to another party; the texts are not escaped yet."""

    action: str
    fields: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """What is no secret."""
        return f"PostForm({self.action!r}, {[name for name, _ in self.fields]})"


class ErrorContext(NamedTuple):
    """What the error address of a relying party is told besides the errors."""

    trace_id: str
    context: str | None = None  # the relying party's wctx
    identity_provider: str | None = None


class Told(NamedTuple):
    """One line of what people and relying parties are told about an error."""

    code: str
    message: str


def parse(request: HttpRequest) -> SignInRequest | SignInResponse | SignOutRequest:
    """Read a message that a browser brings by GET or POST.

    Parameters that we do not know are ignored; what an identity provider sent is read later, by `proof`. Raises
    MethodNotAllowed, PayloadTooLarge, BadRequest, NotWsFederation, InvalidSignInRequest or InvalidSignInResponse
    (WS-Federation 1.2, 13.1 and 13.2).
    """
    form = _form(request)
    action = form.optional("wa")
    if action == SIGN_IN and _is_response(form):
        return _sign_in_response(request, form)
    if action == SIGN_IN:
        try:
            return _sign_in_request(form)
        except BadRequest as error:
            raise InvalidSignInRequest(error) from error
    if action in set(SignOutKind):
        return SignOutRequest(SignOutKind(action), _text(form, "wtrealm"), _text(form, "wreply"))
    raise NotWsFederation(_no_action(action, form))


def _form(request: HttpRequest) -> Form:
    """The parameters of the address and of the body; one that is in both counts as there more than once."""
    if request.method not in ("GET", "HEAD", "POST"):
        raise MethodNotAllowed("GET", "POST")
    query = parse_form(request.query.encode(errors="surrogatepass"))
    if request.method != "POST":
        return query
    if "wresult" in query.values:
        raise InvalidSignInResponse(detail="a token came in the address")
    if media_type(request.content_type) not in (FORM, ""):
        raise BadRequest(f"the body is not {FORM}")
    body = parse_form(request.body)
    both = query.values.keys() & body.values.keys()
    return Form({**query.values, **body.values}, query.repeated | body.repeated | both)


def _is_response(form: Form) -> bool:
    """Whether it brings a token, or comes back without: nobody begins a sign-in without saying for whom."""
    return "wresult" in form.values or (bool(form.values.get("wctx")) and not form.values.get("wtrealm"))


def _no_action(action: str | None, form: Form) -> str:
    if {"SAMLRequest", "SAMLResponse"} & form.values.keys():
        return "This address speaks WS-Federation, not the SAML protocol."
    known = ", ".join((SIGN_IN, *SignOutKind))
    if action is None:
        return f"This is no WS-Federation message: 'wa' is missing; it is one of {known}."
    return f"This is no WS-Federation message that is understood: 'wa' is none of {known}."


def _sign_in_request(form: Form) -> SignInRequest:
    realm = _text(form, "wtrealm")
    if realm is None:
        raise MissingField("wtrealm")
    return SignInRequest(
        realm=realm,
        reply=_text(form, "wreply"),
        context=context_of(form, "wctx"),
        home_realm=_text(form, "whr"),
        fresh=_minutes(form),
        authentication=_text(form, "wauth"),
        created=_created(form),
        choose=(form.optional("redirect") or "").lower() == "false",
        delivery=delivery_of(form),
        ignored=tuple(name for name in _IGNORED if name in form.values),
    )


def _sign_in_response(request: HttpRequest, form: Form) -> SignInResponse:
    """A token is never in an address: those are written down in logs and histories."""
    if request.method != "POST" and "wresult" in form.values:
        raise InvalidSignInResponse(detail="a token came in the address")
    try:
        state, realm = form.optional("wctx") or "", form.optional("wtrealm")
        wresult = form.optional("wresult") or form.values.get("wresult")  # an empty one is one that cannot be read
    except BadRequest as error:
        raise InvalidSignInResponse(detail=error.message) from error
    if len(state) > MAX_STATE:
        raise InvalidSignInResponse(detail=f"wctx of {len(state)} characters")
    return SignInResponse(state, wresult, realm)


def context_of(form: Form, name: str) -> str | None:
    """What a relying party wants back unchanged; raises BadRequest for what is too long, or what XML cannot carry."""
    context = form.optional(name)
    if context is None:
        return None
    size = len(context.encode())
    allowed = MAX_CONTEXT if size <= MAX_CONTEXT or _PLAIN.fullmatch(context) is None else MAX_PLAIN_CONTEXT
    if size > allowed:
        raise BadRequest(f"'{name}' has {size} bytes; {allowed} are allowed")
    try:
        escape_attribute(context)
    except UnwritableClaim as error:
        raise BadRequest(f"'{name}' holds a character that cannot be sent back", detail=error.detail) from error
    return context


def delivery_of(form: Form) -> Delivery:
    """How the token is to be delivered; raises BadRequest."""
    asked = form.optional("protocol") or Delivery.FORM.value
    if asked not in set(Delivery):
        raise BadRequest(f"'protocol' is none of {', '.join(Delivery)}")
    return Delivery(asked)


def check_size(name: str, value: str) -> None:
    """Raise BadRequest for a parameter that is too long to be taken along."""
    if len(value.encode()) > MAX_TEXT:
        raise BadRequest(f"'{name}' has more than {MAX_TEXT} bytes")


def _text(form: Form, name: str) -> str | None:
    value = form.optional(name)
    if value is None:
        return None
    check_size(name, value)
    if _CONTROL.search(value) is not None:
        raise BadRequest(f"'{name}' holds a control character")
    return value


def _minutes(form: Form) -> timedelta | None:
    """wfresh, in whole minutes (WS-Federation 1.2, 13.2.2)."""
    value = form.optional("wfresh")
    if value is None:
        return None
    if _MINUTES.fullmatch(value) is None:
        raise BadRequest("'wfresh' is not a number of minutes; 0 asks for a new sign-in")
    return timedelta(minutes=int(value))


def _created(form: Form) -> datetime | None:
    value = form.optional("wct")
    if value is None:
        return None
    try:
        return parse_instant(value)
    except InvalidSamlToken as error:
        raise BadRequest("'wct' is not a time such as 2026-11-21T22:00:00Z", detail=error.detail) from error


def sign_in_address(provider: IdentityProvider, namespace: Namespace, state: str, request: SignInRequest) -> str:
    """Where somebody signs in at an identity provider, who comes back to us with `state`.

    The provider's own parameters stay. Raises IssuingFailed where the provider has no address that may be used.
    """
    wanted = {
        "wa": SIGN_IN,
        "wtrealm": namespace.issuer,
        "wreply": namespace.issuer + WS_FEDERATION,
        "wctx": state,
    }
    if request.created is not None:
        wanted["wct"] = instant(request.created)
    if request.fresh is not None:
        wanted["wfresh"] = str(request.fresh // _MINUTE)
    if request.authentication is not None:
        wanted["wauth"] = request.authentication
    return _address(_usable(provider, provider.sign_in_url, namespace), wanted)


def sign_out_address(provider: IdentityProvider, namespace: Namespace, reply: str | None) -> str:
    """Where somebody signs out at an identity provider, who then comes back to `reply`; raises IssuingFailed."""
    wanted = {"wa": SignOutKind.SIGN_OUT.value, "wtrealm": namespace.issuer}
    if reply is not None:
        wanted["wreply"] = reply
    return _address(_usable(provider, provider.sign_out_url or provider.sign_in_url, namespace), wanted)


def cleanup_address(reply: str) -> str:
    """Where a relying party forgets somebody who signed out; `reply` is its reply address."""
    return _address(reply, {"wa": SignOutKind.CLEANUP.value})


def _usable(provider: IdentityProvider, address: str | None, namespace: Namespace) -> str:
    """The address, checked once more: it may have been written past the checks."""
    try:
        return check_url(address or "", namespace.issuer)
    except ValueError as error:
        raise IssuingFailed(
            f"identity provider '{provider.name}' has no usable address to sign in or out at", detail=str(error)
        ) from error


def _address(url: str, wanted: Mapping[str, str]) -> str:
    """The URL with these parameters; of its own query everything else stays as it is written."""
    base, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in wanted]
    return f"{base}?{'&'.join([*kept, urlencode(wanted)])}"


def answer_form(issued: IssuedToken, reply: str, context: str | None) -> PostForm:
    """The form that brings a token to the relying party's reply address (WS-Federation 1.2, 13.2.3)."""
    fields = [("wa", SIGN_IN), ("wresult", rstr.feb2005(issued, context).decode())]
    return PostForm(reply, (*fields, *([] if context is None else [("wctx", context)])))


def notification(issued: IssuedToken, context: str | None) -> str:
    """What `window.external.notify` hands over: JSON that can stand in a script as it is (acs.md, 3.3)."""
    token = '<?xml version="1.0" encoding="utf-16"?>' + acs_token_element(issued).decode()
    members = {
        "appliesTo": issued.audience,
        "context": context,
        "created": int(issued.issued_at.timestamp()),
        "expires": int(issued.expires_at.timestamp()),
        "securityToken": escape(token),
        "tokenType": issued.format.uri,
    }
    return script_json(members)


def script_json(value: object) -> str:
    """JSON in ASCII that neither ends a script nor begins a comment there."""
    return json.dumps(value, separators=(",", ":")).translate(_HOSTILE_IN_SCRIPT)


def told(error: StsError) -> tuple[Told, ...]:
    """What may be told about an error, the outer line first; never the detail.

    Whatever is wrong with what an identity provider sent has one answer.
    """
    if isinstance(error, InvalidToken):
        return told(InvalidSignInResponse(detail=""))
    if isinstance(error, InvalidSignInRequest):
        return (Told(error.code, error.message), *told(error.inner))
    issuing, _, message = ISSUING_FAILED.partition(": ")
    if refusal(error).text is not None:
        return (Told(issuing, message),)
    inner = Told(error.code, error.message)
    return (Told(issuing, message), inner) if isinstance(error, IssuingFailed) else (inner,)


def status(error: StsError) -> int:
    """The HTTP status of an error in the browser: a token that somebody else made is not the browser's credential."""
    return 400 if isinstance(error, InvalidToken) else refusal(error).status


def error_form(error: StsError, error_url: str, context: ErrorContext, now: datetime) -> PostForm:
    """The form that tells a relying party's error address what went wrong (acs.md, 3.8)."""
    members = {
        "context": context.context,
        "httpReturnCode": status(error),
        "identityProvider": context.identity_provider,
        "timeStamp": timestamp(now),
        "traceId": context.trace_id,
        "errors": [{"errorCode": line.code, "errorMessage": line.message} for line in told(error)],
    }
    return PostForm(error_url, (("ErrorDetails", json.dumps(members)),))
