"""The feed of identity providers from which relying parties make sign-in pages of their own (acs.md, 3.3)."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlencode

from sts.core.errors import BadRequest, MethodNotAllowed, StsError
from sts.core.model import IdentityProvider, Namespace
from sts.protocols.addresses import WS_FEDERATION
from sts.protocols.http import Answer, Form, HttpRequest, json_answer, parse_form, timestamp
from sts.protocols.refusals import refusal, retry_headers
from sts.protocols.wsfed import SIGN_IN, Delivery, SignOutKind, check_size, context_of, delivery_of, script_json, told

VERSION: Final = "1.0"
MAX_CALLBACK: Final = 100  # characters

_NAME: Final = "[A-Za-z_$][A-Za-z0-9_$]*"
_CALLBACK: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*", re.ASCII)
_COMMON: Final = (
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    ("Access-Control-Allow-Origin", "*"),
)
_JSON: Final = (("Content-Type", "application/json; charset=utf-8"), *_COMMON)
_SCRIPT: Final = (("Content-Type", "application/javascript; charset=utf-8"), *_COMMON)


class FeedRequest(NamedTuple):
    """A relying party's page asks where people may sign in; every text is as it came."""

    realm: str
    reply: str | None = None
    context: str | None = None
    delivery: Delivery = Delivery.FORM
    callback: str | None = None


class FeedEntry(NamedTuple):
    """One identity provider as the feed shows it."""

    name: str
    login_url: str
    logout_url: str
    image_url: str
    email_domains: tuple[str, ...]


def parse(request: HttpRequest) -> FeedRequest:
    """Read a request for the feed; raises MethodNotAllowed, PayloadTooLarge or BadRequest (MissingField)."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("GET")
    form = parse_form(request.query.encode(errors="surrogatepass"))
    version = form.optional("version") or VERSION
    if version != VERSION:
        raise BadRequest(f"'version' is not {VERSION}, the only one there is")
    realm, reply = form.single("realm"), form.optional("reply_to")
    check_size("realm", realm)
    check_size("reply_to", reply or "")
    return FeedRequest(
        realm=realm,
        reply=reply,
        context=context_of(form, "context"),
        delivery=delivery_of(form),
        callback=_callback(form),
    )


def _callback(form: Form) -> str | None:
    """The name of a function, with dots between its parts at most: anything else could be a script."""
    callback = form.optional("callback")
    if callback is not None and (len(callback) > MAX_CALLBACK or _CALLBACK.fullmatch(callback) is None):
        raise BadRequest(f"'callback' is not the name of a function of at most {MAX_CALLBACK} characters")
    return callback


def entries(request: FeedRequest, namespace: Namespace, providers: Sequence[IdentityProvider]) -> tuple[FeedEntry, ...]:
    """What the feed shows: `providers` are those that the relying party accepts, in their order.

    All addresses lead through ours, since a sign-in must begin in the browser in which it ends.
    """
    return tuple(_entry(request, namespace, provider) for provider in providers)


def _entry(request: FeedRequest, namespace: Namespace, provider: IdentityProvider) -> FeedEntry:
    address = namespace.issuer + WS_FEDERATION
    back = {"wtrealm": request.realm} | ({} if request.reply is None else {"wreply": request.reply})
    sign_in = {"wa": SIGN_IN, **back, "whr": provider.issuer or provider.name}
    if request.context is not None:
        sign_in["wctx"] = request.context
    if request.delivery is not Delivery.FORM:
        sign_in["protocol"] = request.delivery.value
    return FeedEntry(
        name=provider.display_name or provider.name,
        login_url=f"{address}?{urlencode(sign_in)}",
        logout_url=f"{address}?{urlencode({'wa': SignOutKind.SIGN_OUT.value, **back})}",
        image_url=provider.image or "",
        email_domains=provider.email_domains,
    )


def feed(shown: Sequence[FeedEntry], callback: str | None) -> Answer:
    """The feed: a JSON array, or a script that calls the function of that name with it."""
    array = script_json(
        [
            {
                "Name": entry.name,
                "LoginUrl": entry.login_url,
                "LogoutUrl": entry.logout_url,
                "ImageUrl": entry.image_url,
                "EmailAddressSuffixes": entry.email_domains,
            }
            for entry in shown
        ]
    )
    if callback is None:
        return Answer(200, _JSON, array.encode())
    return Answer(200, _SCRIPT, f"/**/{callback}({array});".encode())


def refuse(error: StsError, trace_id: str, now: datetime) -> Answer:
    """The answer that refuses, JSON with a status that stops a script from being run."""
    members = {
        "httpReturnCode": refusal(error).status,
        "timeStamp": timestamp(now),
        "traceId": trace_id,
        "errors": [{"errorCode": line.code, "errorMessage": line.message} for line in told(error)],
    }
    return json_answer(refusal(error).status, (*_JSON, *retry_headers(error)), members)
