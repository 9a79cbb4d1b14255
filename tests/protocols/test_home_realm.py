"""The feed of identity providers, for pages of others."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from sts.core.errors import BadRequest, MethodNotAllowed, MissingField, RelyingPartyNotFound, StoreUnavailable
from sts.core.model import IdentityProvider, Namespace, ProviderKind
from sts.protocols import home_realm, wsfed
from sts.protocols.home_realm import FeedRequest
from sts.protocols.wsfed import Delivery, SignInRequest, SignOutKind, SignOutRequest
from tests.protocols.requests import NOW, TRACE_ID, get, post

REALM = "https://orders.example/"
NAMESPACE = Namespace(1, "contoso", "https://sts.example/contoso/")
ADFS = IdentityProvider(
    1,
    "adfs",
    issuer="http://adfs.example/trust",
    sign_in_url="https://adfs.example/adfs/ls/",
    display_name="Contoso <AD FS>",
    image="https://contoso.example/logo.png",
    email_domains=("contoso.example", "contoso.de"),
)
LOCAL = IdentityProvider(2, "local", kind=ProviderKind.LOCAL)
REQUEST = FeedRequest(REALM)


def test_request_is_read() -> None:
    fields = {
        "protocol": "javascriptnotify",
        "realm": REALM,
        "reply_to": "https://orders.example/in",
        "context": "ctx",
        "request_id": "7",
        "version": "1.0",
        "callback": "orders.showSignIn",
    }
    assert home_realm.parse(get(urlencode(fields))) == FeedRequest(
        REALM, "https://orders.example/in", "ctx", Delivery.SCRIPT, "orders.showSignIn"
    )
    assert home_realm.parse(get(urlencode({"realm": REALM, "callback": ""}))) == REQUEST


@pytest.mark.parametrize(
    "callback",
    [
        *(
            "alert(1)",
            "a;b",
            "a b",
            "<script>",
            "a..b",
            ".a",
            "a.",
            "1a",
            "a[0]",
            "a\n",
            "/**/a",
            "a//",
            "é",
            "a" * 101,
        ),
        "a.b.c.d=1",
    ],
)
def test_callback_that_is_no_name_of_a_function_is_refused(callback: str) -> None:
    with pytest.raises(BadRequest, match="'callback' is not the name of a function"):
        home_realm.parse(get(urlencode({"realm": REALM, "callback": callback})))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "'realm' is missing"),
        ({"realm": REALM, "version": "2.0"}, "'version' is not 1.0"),
        ({"realm": REALM, "protocol": "openid"}, "'protocol' is none of wsfederation, javascriptnotify"),
        ({"realm": REALM, "context": "x." + "x" * 2047}, "'context' has 2049 bytes; 2048 are allowed"),
        ({"realm": REALM, "context": "x" * 8193}, "'context' has 8193 bytes; 8192 are allowed"),
        ({"realm": REALM, "reply_to": "x" * 2049}, "'reply_to' has more than 2048"),
        ({"realm": "\U0001f600" * 513}, "'realm' has more than 2048 bytes"),
    ],
)
def test_request_that_cannot_be_read_is_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        home_realm.parse(get(urlencode(fields)))


def test_two_realms_are_refused() -> None:
    with pytest.raises(BadRequest, match="more than once"):
        home_realm.parse(get("realm=a&realm=b"))


def test_feed_is_for_get_only() -> None:
    with pytest.raises(MethodNotAllowed):
        home_realm.parse(post({"realm": REALM}))


def test_feed_is_the_json_of_acs() -> None:
    answer = home_realm.feed(home_realm.entries(REQUEST, NAMESPACE, (ADFS, LOCAL)), None)
    headers = dict(answer.headers)
    assert answer.status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    first, second = json.loads(answer.body)
    assert list(first) == ["Name", "LoginUrl", "LogoutUrl", "ImageUrl", "EmailAddressSuffixes"]
    assert first["Name"] == "Contoso <AD FS>"
    assert first["ImageUrl"] == "https://contoso.example/logo.png"
    assert first["EmailAddressSuffixes"] == ["contoso.example", "contoso.de"]
    assert (second["Name"], second["ImageUrl"], second["EmailAddressSuffixes"]) == ("local", "", [])


def test_script_calls_the_function_with_the_same_array_and_ends_nothing() -> None:
    hostile = replace(ADFS, display_name="</script><script>alert(1)//\u2028")
    shown = home_realm.entries(REQUEST, NAMESPACE, (hostile,))
    answer = home_realm.feed(shown, "orders.show")
    headers = dict(answer.headers)
    assert headers["Content-Type"] == "application/javascript; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    text = answer.body.decode("ascii")
    assert text.startswith("/**/orders.show([{")
    assert text.endswith("}]);")
    assert "<" not in text
    assert json.loads(text.removeprefix("/**/orders.show(").removesuffix(");")) == json.loads(
        home_realm.feed(shown, None).body
    )


def test_addresses_of_the_feed_lead_to_the_sign_in_that_was_asked_for() -> None:
    request = FeedRequest(REALM, "https://orders.example/in", 'c"<&', Delivery.SCRIPT)
    adfs, local = home_realm.entries(request, NAMESPACE, (ADFS, LOCAL))
    assert adfs.login_url.startswith("https://sts.example/contoso/v2/wsfederation?wa=wsignin1.0&")
    expected = SignInRequest(REALM, "https://orders.example/in", 'c"<&', ADFS.issuer, delivery=Delivery.SCRIPT)
    assert wsfed.parse(get(urlsplit(adfs.login_url).query)) == expected
    assert wsfed.parse(get(urlsplit(local.login_url).query)) == expected._replace(home_realm="local")
    assert wsfed.parse(get(urlsplit(adfs.logout_url).query)) == SignOutRequest(
        SignOutKind.SIGN_OUT, REALM, "https://orders.example/in"
    )


def test_plain_request_leaves_out_what_was_not_asked() -> None:
    (local,) = home_realm.entries(REQUEST, NAMESPACE, (LOCAL,))
    assert parse_qsl(urlsplit(local.login_url).query) == [("wa", "wsignin1.0"), ("wtrealm", REALM), ("whr", "local")]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RelyingPartyNotFound("Relying party with name 'urn:x' was not found"), 400, "ACS50001"),
        (MissingField("realm"), 400, "ACS90011"),
        (MethodNotAllowed("GET"), 405, "ACS90013"),
        (StoreUnavailable("the database is away"), 503, "ACS60021"),
    ],
)
def test_refusal_is_json_with_the_code_and_the_trace(error: Exception, status: int, code: str) -> None:
    answer = home_realm.refuse(error, TRACE_ID, NOW)
    assert answer.status == status
    told = json.loads(answer.body)
    assert (told["httpReturnCode"], told["traceId"], told["timeStamp"]) == (status, TRACE_ID, "2014-10-25 00:59:12Z")
    assert [line["errorCode"] for line in told["errors"]] == [code]
    assert dict(answer.headers)["X-Content-Type-Options"] == "nosniff"
