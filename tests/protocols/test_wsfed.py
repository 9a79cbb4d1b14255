"""WS-Federation in the browser: what is read, what is written, what errors say."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree

from sts.core.errors import (
    AccessDenied,
    BadRequest,
    InvalidAudience,
    InvalidSignature,
    InvalidSignInRequest,
    InvalidSignInResponse,
    InvalidToken,
    IssuingFailed,
    MethodNotAllowed,
    MissingField,
    NoSigningCertificate,
    NotWsFederation,
    RelyingPartyNotFound,
    StoreUnavailable,
    StsError,
)
from sts.core.model import IdentityProvider, Namespace, TokenFormat
from sts.protocols import rstr, wsfed
from sts.protocols.http import HttpRequest
from sts.protocols.token_elements import acs_token_element
from sts.protocols.wsfed import Delivery, ErrorContext, SignInRequest, SignInResponse, SignOutKind, SignOutRequest
from tests.protocols.requests import NOW, TRACE_ID, get, post
from tests.protocols.wresults import bare, issued

REALM = "https://orders.example/"
NAMESPACE = Namespace(1, "contoso", "https://sts.example/contoso/")
PROVIDER = IdentityProvider(1, "adfs", issuer="http://adfs.example/trust", sign_in_url="https://adfs.example/adfs/ls/")
REQUEST = SignInRequest(REALM)
WRESULT = bare(issued(TokenFormat.SAML20).token.decode())
PASSWORD = "urn:oasis:names:tc:SAML:1.0:am:password"
TEN = datetime(2026, 11, 21, 22, tzinfo=UTC)
UNSOLICITED = (("wa", "wsignin1.0"), ("wresult", WRESULT), ("wtrealm", REALM))
SIGN_IN = {"wa": "wsignin1.0", "wtrealm": REALM}


def both(fields: Mapping[str, str]) -> list[HttpRequest]:
    """The same message by GET and by POST."""
    return [get(urlencode(fields)), post(fields, content_type="application/x-www-form-urlencoded")]


def query(address: str) -> list[tuple[str, str]]:
    """The parameters of an address, in their order."""
    return parse_qsl(urlsplit(address).query, keep_blank_values=True, strict_parsing=True)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, REQUEST),
        ({"wreply": "https://orders.example/in?x=1"}, REQUEST._replace(reply="https://orders.example/in?x=1")),
        ({"wctx": "rm=0&id=passive&ru=%2f"}, REQUEST._replace(context="rm=0&id=passive&ru=%2f")),
        ({"wctx": "a\r\nb\tc"}, REQUEST._replace(context="a\r\nb\tc")),
        ({"whr": "alice@contoso.example"}, REQUEST._replace(home_realm="alice@contoso.example")),
        ({"wfresh": "0"}, REQUEST._replace(fresh=timedelta(0))),
        ({"wfresh": "90"}, REQUEST._replace(fresh=timedelta(minutes=90))),
        ({"wauth": PASSWORD}, REQUEST._replace(authentication=PASSWORD)),
        ({"wct": "2026-11-21T22:00:00Z"}, REQUEST._replace(created=TEN)),
        ({"wct": "2026-11-21T23:00:00.1234567+01:00"}, REQUEST._replace(created=TEN)),
        ({"wreq": "<t:RequestSecurityToken/>"}, REQUEST._replace(ignored=("wreq",))),
        ({"redirect": "false"}, REQUEST._replace(choose=True)),
        ({"redirect": "False"}, REQUEST._replace(choose=True)),
        ({"redirect": "true"}, REQUEST),
        ({"protocol": "javascriptnotify"}, REQUEST._replace(delivery=Delivery.SCRIPT)),
        ({"protocol": "wsfederation"}, REQUEST),
        ({"wreply": "", "wctx": "", "whr": "", "wfresh": "", "wct": ""}, REQUEST),
        ({"pullStatus": "0", "x": "\x01"}, REQUEST),
    ],
)
def test_sign_in_request_is_read(more: Mapping[str, str], expected: SignInRequest) -> None:
    for request in both(SIGN_IN | more):
        assert wsfed.parse(request) == expected


def test_parameters_may_be_split_between_address_and_body() -> None:
    request = post({"wctx": "ctx", "wtrealm": REALM})._replace(query="wa=wsignin1.0")
    assert wsfed.parse(request) == REQUEST._replace(context="ctx")


@pytest.mark.parametrize(
    ("fields", "inner"),
    [
        ({"wa": "wsignin1.0"}, "ACS90011: The required field 'wtrealm' is missing."),
        ({"wa": "wsignin1.0", "wtrealm": ""}, "ACS90011: The required field 'wtrealm' is missing."),
        (SIGN_IN | {"wtrealm": "x" * 2049}, "ACS90013: 'wtrealm' has more than 2048 bytes"),
        (SIGN_IN | {"wtrealm": "\U0001f600" * 513}, "ACS90013: 'wtrealm' has more than 2048 bytes"),
        (SIGN_IN | {"whr": "\u00e9" * 1025}, "ACS90013: 'whr' has more than 2048 bytes"),
        (SIGN_IN | {"wtrealm": "a\nb"}, "ACS90013: 'wtrealm' holds a control character"),
        (SIGN_IN | {"whr": "a\x00b"}, None),
        (SIGN_IN | {"whr": "a\x7fb"}, "ACS90013: 'whr' holds a control character"),
        (SIGN_IN | {"wfresh": "-1"}, "ACS90013: 'wfresh' is not a number of minutes; 0 asks for a new sign-in"),
        (SIGN_IN | {"wfresh": "1e9"}, "ACS90013: 'wfresh' is not a number of minutes; 0 asks for a new sign-in"),
        (SIGN_IN | {"wfresh": "٣"}, "ACS90013: 'wfresh' is not a number of minutes; 0 asks for a new sign-in"),
        (SIGN_IN | {"wfresh": "9" * 5000}, "ACS90013: 'wfresh' is not a number of minutes; 0 asks for a new sign-in"),
        (SIGN_IN | {"wct": "yesterday"}, "ACS90013: 'wct' is not a time such as 2026-11-21T22:00:00Z"),
        (SIGN_IN | {"wct": "2026-11-21T22:00:00"}, "ACS90013: 'wct' is not a time such as 2026-11-21T22:00:00Z"),
        (SIGN_IN | {"wctx": "a\x01"}, "ACS90013: 'wctx' holds a character that cannot be sent back"),
        (SIGN_IN | {"protocol": "oauth"}, "ACS90013: 'protocol' is none of wsfederation, javascriptnotify"),
    ],
)
def test_sign_in_request_that_cannot_be_read_is_refused(fields: Mapping[str, str], inner: str | None) -> None:
    for request in both(fields):
        with pytest.raises(BadRequest) as refused:
            wsfed.parse(request)
        if inner is not None:
            assert isinstance(refused.value, InvalidSignInRequest)
            assert refused.value.codes == (
                f"ACS20000: There was an error processing a WS-Federation sign-in request. {inner}"
            )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "'wa' is missing"),
        ({"wa": "wattr1.0"}, "'wa' is none of wsignin1.0, wsignout1.0, wsignoutcleanup1.0"),
        ({"wa": "WSIGNIN1.0"}, "'wa' is none of"),
        ({"wresult": "x"}, "'wa' is missing"),
        ({"SAMLRequest": "fZ"}, "not the SAML protocol"),
    ],
)
def test_message_that_is_not_ws_federation_says_what_would_be(fields: Mapping[str, str], message: str) -> None:
    with pytest.raises(NotWsFederation, match=message) as refused:
        wsfed.parse(post(fields))
    assert refused.value.code == "ACS20012"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "post"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        wsfed.parse(get(urlencode(SIGN_IN))._replace(method=method))
    assert refused.value.allowed == ("GET", "POST")


def test_body_that_is_no_form_is_refused() -> None:
    with pytest.raises(BadRequest, match="the body is not"):
        wsfed.parse(post(urlencode(SIGN_IN).encode(), content_type="text/xml"))


@pytest.mark.parametrize("kind", SignOutKind)
def test_sign_out_is_read(kind: SignOutKind) -> None:
    fields = {"wa": kind.value, "wtrealm": REALM, "wreply": "https://orders.example/bye"}
    for request in both(fields):
        assert wsfed.parse(request) == SignOutRequest(kind, REALM, "https://orders.example/bye")
    assert wsfed.parse(get(f"wa={kind.value}")) == SignOutRequest(kind)


def test_sign_in_response_is_read() -> None:
    response = wsfed.parse(post({"wa": "wsignin1.0", "wresult": WRESULT, "wctx": "sealed-state"}))
    assert response == SignInResponse("sealed-state", WRESULT)
    assert isinstance(response, SignInResponse)
    assert response.proof() == rstr.cut(WRESULT.encode())
    assert "Assertion" not in repr(response)
    assert "sealed-state" not in repr(response)


@pytest.mark.parametrize("fields", [{"wctx": "c"}, {"wctx": "c", "wtrealm": ""}])
def test_sign_in_that_comes_back_without_a_token_is_a_response(fields: Mapping[str, str]) -> None:
    response = wsfed.parse(post({"wa": "wsignin1.0", **fields}))
    assert response == SignInResponse("c", None)
    assert isinstance(response, SignInResponse)
    with pytest.raises(MissingField, match="'wresult' is missing"):
        response.proof()


def test_unsolicited_response_has_no_state() -> None:
    response = wsfed.parse(post({"wa": "wsignin1.0", "wresult": WRESULT}))
    assert isinstance(response, SignInResponse)
    assert (response.state, response.realm) == ("", None)
    response = wsfed.parse(post({"wa": "wsignin1.0", "wresult": WRESULT, "wtrealm": REALM}))
    assert isinstance(response, SignInResponse)
    assert (response.state, response.realm) == ("", REALM)


def read(request: HttpRequest) -> None:
    """Read a response with the token in it."""
    response = wsfed.parse(request)
    assert isinstance(response, SignInResponse)
    response.proof()


@pytest.mark.parametrize(
    "request_",
    [
        get(urlencode({"wa": "wsignin1.0", "wresult": WRESULT})),
        post({"wa": "wsignin1.0"})._replace(query=urlencode({"wresult": WRESULT})),
        post({"wa": "wsignin1.0", "wresult": ""}),
        post({"wa": "wsignin1.0", "wresult": "eyJhbGciOiJub25lIn0.e30."}),
        post({"wa": "wsignin1.0", "wresult": WRESULT, "wctx": "x" * 24_577}),
        post(urlencode([("wa", "wsignin1.0"), ("wresult", WRESULT), ("wresult", WRESULT)]).encode()),
        post(urlencode([*UNSOLICITED, ("wtrealm", "https://other.example/")]).encode()),
        post(dict(UNSOLICITED))._replace(query=urlencode({"wtrealm": REALM})),
        post(urlencode(UNSOLICITED[:2]).encode())._replace(query=urlencode([("wtrealm", REALM)] * 2)),
        post(urlencode([*UNSOLICITED, ("wtrealm", "")]).encode()),
    ],
    ids=[
        *("in the address", "in the address of a POST", "empty", "a bare JWT", "endless state", "twice"),
        *("W08-two realms", "W08-realm in address and body", "W08-twice in the address", "W08-one of two empty"),
    ],
)
def test_sign_in_response_that_cannot_be_read_has_one_answer(request_: HttpRequest) -> None:
    with pytest.raises(InvalidSignInResponse) as refused:
        read(request_)
    assert refused.value.codes == "ACS20001: There was an error processing a WS-Federation sign-in response."


def test_identity_provider_is_asked_with_what_the_relying_party_asked() -> None:
    request = REQUEST._replace(
        fresh=timedelta(0),
        authentication=PASSWORD,
        created=TEN,
        home_realm="adfs",
        reply="https://orders.example/in",
        context="of the relying party",
    )
    address = wsfed.sign_in_address(PROVIDER, NAMESPACE, "the state", request)
    assert address.startswith("https://adfs.example/adfs/ls/?wa=wsignin1.0&wtrealm=")
    assert query(address) == [
        ("wa", "wsignin1.0"),
        ("wtrealm", "https://sts.example/contoso/"),
        ("wreply", "https://sts.example/contoso/v2/wsfederation"),
        ("wctx", "the state"),
        ("wct", "2026-11-21T22:00:00.000Z"),
        ("wfresh", "0"),
        ("wauth", PASSWORD),
    ]


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("https://idp.example/?wp=MBI_FED_SSL", "wp=MBI_FED_SSL&wa=wsignin1.0"),
        ("https://idp.example/?a=%2F&b=c+d&", "a=%2F&b=c+d&wa=wsignin1.0"),
        ("https://idp.example/?", "wa=wsignin1.0"),
        ("https://idp.example/?wa=wsignin1.0&wtrealm=urn:other&x=1", "x=1&wa=wsignin1.0"),
        ("https://idp.example/?w%61=wsignout1.0&x", "x&wa=wsignin1.0"),
    ],
)
def test_parameters_of_the_identity_providers_own_address_stay(own: str, kept: str) -> None:
    address = wsfed.sign_in_address(replace(PROVIDER, sign_in_url=own), NAMESPACE, "s", REQUEST)
    assert address.startswith(f"https://idp.example/?{kept}&wtrealm=https%3A%2F%2Fsts.example%2Fcontoso%2F&")


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "http://idp.example/", "//idp.example/", "https://"])
def test_address_that_was_written_past_the_checks_is_not_used(url: str | None) -> None:
    """As row W15 has it for relying parties."""
    with pytest.raises(IssuingFailed, match="identity provider 'adfs' has no usable address"):
        wsfed.sign_in_address(replace(PROVIDER, sign_in_url=url), NAMESPACE, "s", REQUEST)
    with pytest.raises(IssuingFailed):
        wsfed.sign_out_address(replace(PROVIDER, sign_in_url=url), NAMESPACE, None)


def test_plain_http_is_used_on_loopback_only_while_we_are_there() -> None:
    local = replace(PROVIDER, sign_in_url="http://127.0.0.1:8000/idp/v2/wsfederation")
    here = replace(NAMESPACE, issuer="http://127.0.0.1:8000/contoso/")
    assert wsfed.sign_in_address(local, here, "s", REQUEST).startswith("http://127.0.0.1:8000/idp/v2/wsfederation?")
    with pytest.raises(IssuingFailed):
        wsfed.sign_in_address(local, NAMESPACE, "s", REQUEST)


def test_our_own_namespace_understands_what_we_send_to_identity_providers() -> None:
    request = REQUEST._replace(fresh=timedelta(minutes=5), created=TEN)
    sent = wsfed.sign_in_address(PROVIDER, NAMESPACE, "state", request)
    assert wsfed.parse(get(urlsplit(sent).query)) == request._replace(
        realm=NAMESPACE.issuer, reply="https://sts.example/contoso/v2/wsfederation", context="state"
    )
    sent = wsfed.sign_out_address(PROVIDER, NAMESPACE, "https://sts.example/contoso/bye")
    assert wsfed.parse(get(urlsplit(sent).query)) == SignOutRequest(
        SignOutKind.SIGN_OUT, NAMESPACE.issuer, "https://sts.example/contoso/bye"
    )


def test_people_are_signed_out_where_the_provider_says_else_where_they_sign_in() -> None:
    own = replace(PROVIDER, sign_out_url="https://adfs.example/out?x=1")
    assert wsfed.sign_out_address(own, NAMESPACE, None) == (
        "https://adfs.example/out?x=1&wa=wsignout1.0&wtrealm=https%3A%2F%2Fsts.example%2Fcontoso%2F"
    )
    assert urlsplit(wsfed.sign_out_address(PROVIDER, NAMESPACE, None)).path == "/adfs/ls/"


def test_cleanup_goes_to_the_reply_address() -> None:
    assert wsfed.cleanup_address("https://orders.example/in") == "https://orders.example/in?wa=wsignoutcleanup1.0"
    assert wsfed.cleanup_address("https://orders.example/in?a=1") == (
        "https://orders.example/in?a=1&wa=wsignoutcleanup1.0"
    )


@pytest.mark.parametrize("token_format", TokenFormat)
def test_answer_posts_the_response_and_the_context(token_format: TokenFormat) -> None:
    sample = issued(token_format)
    form = wsfed.answer_form(sample, "https://orders.example/in", '"><script>')
    assert form.action == "https://orders.example/in"
    assert form.fields == (
        ("wa", "wsignin1.0"),
        ("wresult", rstr.feb2005(sample, '"><script>').decode()),
        ("wctx", '"><script>'),
    )
    assert "wresult" in repr(form)
    assert "RequestSecurityTokenResponse" not in repr(form)


def test_answer_without_a_context_has_none() -> None:
    form = wsfed.answer_form(issued(TokenFormat.JWT), "https://orders.example/in", None)
    assert [name for name, _ in form.fields] == ["wa", "wresult"]


@pytest.mark.parametrize("token_format", TokenFormat)
def test_notification_is_that_of_acs_and_harmless_in_a_script(token_format: TokenFormat) -> None:
    sample = issued(token_format)
    text = wsfed.notification(sample, "</script><!--\u2028")
    assert not {"<", ">", "&", "\u2028"} & set(text)
    told = json.loads(text)
    assert list(told) == ["appliesTo", "context", "created", "expires", "securityToken", "tokenType"]
    assert (told["appliesTo"], told["context"]) == (sample.audience, "</script><!--\u2028")
    assert told["expires"] - told["created"] == 600
    assert told["tokenType"] == token_format.uri
    declaration, _, element = unescape(told["securityToken"]).partition("?>")
    assert declaration == '<?xml version="1.0" encoding="utf-16"'
    assert element.encode() == acs_token_element(sample)
    assert etree.fromstring(element) is not None


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (
            RelyingPartyNotFound("Relying party with name 'urn:x' was not found"),
            400,
            [("ACS50001", "Relying party with name 'urn:x' was not found")],
        ),
        (
            NoSigningCertificate("the primary has expired"),
            400,
            [("ACS50000", "There was an error issuing a token."), ("ACS50004", "the primary has expired")],
        ),
        (
            InvalidSignInRequest(BadRequest("'wfresh' is no number")),
            400,
            [
                ("ACS20000", "There was an error processing a WS-Federation sign-in request."),
                ("ACS90013", "'wfresh' is no number"),
            ],
        ),
        (AccessDenied("no claims"), 400, [("ACS60001", "no claims")]),
        (StoreUnavailable("the database is away"), 503, [("ACS60021", "the database is away")]),
        (StsError("secret path", detail="x"), 500, [("ACS50000", "There was an error issuing a token.")]),
    ],
)
def test_error_is_told_as_acs_told_it(error: StsError, status: int, lines: list[tuple[str, str]]) -> None:
    context = ErrorContext(TRACE_ID, context="rp context", identity_provider="adfs")
    form = wsfed.error_form(error, "https://orders.example/error", context, NOW)
    assert form.action == "https://orders.example/error"
    assert [name for name, _ in form.fields] == ["ErrorDetails"]
    details = json.loads(form.fields[0][1])
    assert list(details) == [
        *("context", "httpReturnCode", "identityProvider", "timeStamp", "traceId", "errors"),
    ]
    assert details == {
        "context": "rp context",
        "httpReturnCode": status,
        "identityProvider": "adfs",
        "timeStamp": "2014-10-25 00:59:12Z",
        "traceId": TRACE_ID,
        "errors": [{"errorCode": code, "errorMessage": message} for code, message in lines],
    }


@pytest.mark.parametrize(
    "error",
    [
        InvalidSignature("The signature is not valid.", detail="D02"),
        InvalidAudience("Audience validation failed.", detail="A09"),
        InvalidToken("anything", detail="N01"),
        InvalidSignInResponse(detail="D05"),
    ],
)
def test_whatever_is_wrong_with_an_incoming_token_is_told_the_same(error: StsError) -> None:
    assert wsfed.told(error) == (("ACS20001", "There was an error processing a WS-Federation sign-in response."),)
    assert wsfed.status(error) == 400
