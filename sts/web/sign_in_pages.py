"""The pages of signing in and out, each with the strictest policy under which it works."""

from base64 import b64encode
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from flask import Response, current_app

from sts.core.addresses import origin_of
from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    BadRequest,
    InsecureTransport,
    InvalidSignInResponse,
    InvalidState,
    InvalidToken,
    MethodNotAllowed,
    NamespaceNotFound,
    NotFound,
    PayloadTooLarge,
    RelyingPartyNotFound,
    StoreUnavailable,
    StsError,
    TooManyRequests,
)
from sts.protocols import wsfed
from sts.protocols.http import Answer, timestamp
from sts.protocols.refusals import retry_headers
from sts.protocols.wsfed import PostForm, Told
from sts.web.context import response

_STATIC: Final = Path(__file__).with_name("static")
_HEADERS: Final = (
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Pragma", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
)


class Policy(NamedTuple):
    """What a page may do; everything else is forbidden it (Content Security Policy 3)."""

    script: str = ""  # the name of its one script
    form_action: str = "'none'"
    images: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    framed_by: str = "'none'"

    @property
    def header(self) -> str:
        """The policy as browsers read it."""
        directives = {
            "default-src": "'none'",
            "style-src": _hash("sign_in.css"),
            "script-src": _hash(self.script) if self.script else "",
            "img-src": " ".join(self.images),
            "frame-src": " ".join(self.frames),
            "form-action": self.form_action,
            "frame-ancestors": self.framed_by,
            "base-uri": "'none'",
        }
        return "; ".join(f"{name} {value}" for name, value in directives.items() if value)


class Way(NamedTuple):
    """An identity provider on the page that offers a choice."""

    name: str
    label: str
    address: str
    image: str | None


class HomeRealm(NamedTuple):
    """What the page that offers a choice shows."""

    relying_party: str
    ways: tuple[Way, ...]
    last: str | None  # the name of the one that was chosen last time
    fields: tuple[tuple[str, str], ...]  # of the request, for the form with the e-mail address
    action: str
    has_domains: bool
    unknown: str | None


class PasswordForm(NamedTuple):
    """What the form of a local identity provider shows."""

    relying_party: str
    provider: str
    action: str
    state: str
    refused: StsError | None
    name: str  # as it was typed the last time

    def __repr__(self) -> str:
        """What is no secret."""
        return f"PasswordForm({self.relying_party!r})"


class SignedOut(NamedTuple):
    """What the page after signing out does."""

    cleanups: tuple[str, ...]
    onward: str | None
    framed_by: str | None = None  # the origins of identity providers that show the page in a frame


class _Words(NamedTuple):
    heading: str
    advice: str


_APPLICATION: Final = "The application sent a request that cannot be answered. Tell the people who look after it."
_AGAIN: Final = "Go back to the application and begin again, in this browser."
_NOT_ACCEPTED: Final = "What your identity provider sent was not accepted."  # whatever was wrong with it
_WORDS: Final = {
    InvalidState: _Words("Please sign in again", _AGAIN),
    RelyingPartyNotFound: _Words("This application is not known here", _APPLICATION),
    NamespaceNotFound: _Words("There is nothing at this address", _APPLICATION),
    InsecureTransport: _Words("This connection is not secure", "Use the address that begins with https://."),
    PayloadTooLarge: _Words("This request is too large", _APPLICATION),
    BadRequest: _Words("This request is not understood", _APPLICATION),
    MethodNotAllowed: _Words("Please sign in again", _AGAIN),
    InvalidSignInResponse: _Words("You could not be signed in", _NOT_ACCEPTED),
    InvalidToken: _Words("You could not be signed in", _NOT_ACCEPTED),
    AuthenticationFailed: _Words("You could not be signed in", "Go back to the application and try again."),
    AccessDenied: _Words(
        "You have no access",
        "It is known who you are, but this application is not open to you. Its owners can change that.",
    ),
    TooManyRequests: _Words("Too many attempts", "Wait a while and try again."),
    StoreUnavailable: _Words("Try again in a moment", "The service is busy or being looked after."),
    StsError: _Words("You could not be signed in", "Tell the people who look after this service, with the trace ID."),
}
_STRAY_WORDS: Final = {  # at addresses where nobody signs in
    **_WORDS,
    NotFound: _Words("There is nothing at this address", "Look at the address again, or begin where you came from."),
    MethodNotAllowed: _WORDS[BadRequest],
    StsError: _Words("This did not work", "Tell the people who look after this service, with the trace ID."),
}


class _PostTexts(NamedTuple):
    """The page of a form that posts itself, made once: what is particular to a form is put in by its name."""

    page: str
    field: str


def post_page(form: PostForm, status: int = 200) -> Response:
    """The page of `post_answer` as the framework's."""
    return response(post_answer(form, status))


def post_answer(form: PostForm, status: int = 200) -> Answer:
    """A form that posts itself, or is posted by its button where scripts do not run.

    Every sign-in ends in it; a general template costs several times as much. Its texts are prepared in Flask.
    """
    origin, texts = origin_of(form.action), _post_texts()
    fields = "".join([texts.field % {"name": escape(name), "value": escape(value)} for name, value in form.fields])
    body = texts.page % {"host": escape(origin), "action": escape(form.action), "fields": fields}
    return _answer(body, Policy(script="post.js", form_action=origin), status)


def prepare_post_page() -> None:
    """Have the page at hand that is also made outside of Flask."""
    _post_texts()


@cache
def _post_texts() -> _PostTexts:
    """Rendered with marks in the place of what is put in."""
    marked = PostForm("%(action)s", (("%(name)s", "%(value)s"),))
    style, script = (_text(name).replace("%", "%%") for name in ("sign_in.css", "post.js"))
    text = current_app.jinja_env.get_template("post.html").render(
        form=marked, host="%(host)s", style=style, script=script
    )
    (field,) = [line for line in text.splitlines(keepends=True) if "%(name)s" in line]
    return _PostTexts(text.replace(field, "%(fields)s"), field)


def go_on_page(address: str) -> Response:
    """A page that goes on to an address, in answer to a form: a redirection could be taken for the form's own."""
    return _page("go_on.html", Policy(script="go_on.js"), onward=address, host=origin_of(address))


def notify_page(answer: str) -> Response:
    """A page that hands JSON to the application in which it is shown."""
    return _page("notify.html", Policy(script="notify.js"), answer=answer)


def home_realm_page(shown: HomeRealm) -> Response:
    """The choice of identity providers, the last one first."""
    images = tuple(sorted({origin_of(way.image) for way in shown.ways if way.image}))
    last = next((way for way in shown.ways if way.name == shown.last), None)
    others = [way for way in shown.ways if way is not last]
    # The answer to the form leads on by a page of its own: `form-action` would judge redirections too.
    policy = Policy(form_action="'self'" if shown.has_domains else "'none'", images=images)
    return _page("home_realm.html", policy, **{**shown._asdict(), "last": last}, others=others)


def password_page(shown: PasswordForm) -> Response:
    """The form for a local account."""
    error = shown.refused
    fault = None if error is None else "The name or the password is not right."
    if isinstance(error, TooManyRequests):
        fault = "Too many failed attempts. Wait a while and try again."
    page = _page(
        "password.html",
        Policy(form_action="'self'"),
        200 if error is None else wsfed.status(error),
        **shown._asdict(),
        fault=fault,
    )
    page.headers.extend(() if error is None else retry_headers(error))
    return page


def refused_page(error: StsError, trace_id: str, now: datetime) -> Response:
    """What went wrong, in words for the person in front of it and with the code for whoever is asked."""
    words = next(_WORDS[cause] for cause in type(error).__mro__ if cause in _WORDS)
    shown = _Refusal(words, wsfed.told(error), wsfed.status(error))
    page = _refusal(shown, trace_id, now)
    page.headers.extend(retry_headers(error))
    return page


def stray_page(error: StsError, trace_id: str, now: datetime, problem: Answer) -> Response:
    """The same for whoever comes to an address where nobody signs in, by what software is told there."""
    internal = problem.status == HTTPStatus.INTERNAL_SERVER_ERROR
    told = Told(StsError.code, "internal error") if internal else Told(error.code, error.message)
    words = next(_STRAY_WORDS[cause] for cause in type(error).__mro__ if cause in _STRAY_WORDS)
    page = _refusal(_Refusal(words, (told,), problem.status), trace_id, now)
    page.headers.extend([header for header in problem.headers if header[0] in ("Allow", "Retry-After")])
    page.headers["Vary"] = "Accept"
    return page


class _Refusal(NamedTuple):
    words: _Words
    lines: tuple[Told, ...]
    status: int


def _refusal(shown: _Refusal, trace_id: str, now: datetime) -> Response:
    words, lines, status = shown
    told = {"lines": lines, "status_code": status, "trace_id": trace_id, "timestamp": timestamp(now)}
    return _page("refused.html", Policy(), status, **words._asdict(), **told)


def signed_out_page(shown: SignedOut) -> Response:
    """The page that has every relying party forget somebody, and then leads on."""
    framed_by = shown.framed_by or "'none'"
    frames = tuple(sorted({origin_of(address) for address in shown.cleanups}))
    policy = Policy(script="go_on.js" if shown.onward else "", frames=frames, framed_by=framed_by)
    return _page("signed_out.html", policy, cleanups=shown.cleanups, onward=shown.onward)


def plain_page(template: str) -> Response:
    """A page that only says something."""
    return _page(template, Policy())


def _page(template: str, policy: Policy, status: int = 200, **values: object) -> Response:
    script = _text(policy.script) if policy.script else ""
    body = current_app.jinja_env.get_template(template).render(style=_text("sign_in.css"), script=script, **values)
    return response(_answer(body, policy, status))


def _answer(body: str, policy: Policy, status: int) -> Answer:
    headers = [*_HEADERS, ("Content-Security-Policy", _header(policy))]
    if policy.framed_by == "'none'":
        headers.append(("X-Frame-Options", "DENY"))
    return Answer(status, (*headers, ("Content-Type", "text/html; charset=utf-8")), body.encode())


@lru_cache(maxsize=1024)
def _header(policy: Policy) -> str:
    return policy.header


@cache
def _text(name: str) -> str:
    """A file of ours, to stand in a page as it is."""
    return (_STATIC / name).read_text(encoding="utf-8").strip()


@cache
def _hash(name: str) -> str:
    return f"'sha256-{b64encode(sha256(_text(name).encode()).digest()).decode('ascii')}'"
