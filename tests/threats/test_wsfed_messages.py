"""Threat rows W at the reader of WS-Federation messages; the pages and the state are tested where they are made."""

from urllib.parse import quote, urlencode

import pytest

from sts.core.errors import BadRequest, InvalidSignInRequest, PayloadTooLarge
from sts.protocols import wsfed
from sts.protocols.wsfed import SignInRequest, SignOutKind, SignOutRequest
from tests.protocols.requests import get, post

REALM = "https://rp.example/"


def sign_in(**more: str) -> str:
    """The query of a sign-in request."""
    return urlencode({"wa": "wsignin1.0", "wtrealm": REALM} | more)


ADDRESSES = [
    pytest.param("https://rp.example.evil.com/cb", id="W01"),
    pytest.param("https://rp.example@evil.com/", id="W02-user"),
    pytest.param("https://rp.example\\@evil.com/", id="W02-backslash"),
    pytest.param("//evil.com", id="W03-no scheme"),
    pytest.param("https:evil.com", id="W03-no slashes"),
    pytest.param("/\\evil.com", id="W03-backslash"),
    pytest.param("javascript:alert(1)", id="W04"),
    pytest.param("https://rp.example/cb/../../x", id="W05-dots"),
    pytest.param("https://rp.example/cb?x=1", id="W05-query"),
    pytest.param("https://rp.example/cb#f", id="W05-fragment"),
    pytest.param("https://rp.example:443/cb", id="W05-port"),
    pytest.param("HTTPS://rp.example/cb", id="W05-case"),
    pytest.param(" https://rp.example/cb ", id="W05-blanks"),
    pytest.param("https://rp。example/cb", id="W06-full stop"),
    pytest.param("https://rp%2eexample/cb", id="W06-escape"),
    pytest.param("data:text/html,<script>alert(1)</script>", id="W07"),
]


@pytest.mark.parametrize("reply", ADDRESSES)
def test_reply_address_is_handed_on_as_it_came_so_that_it_can_be_compared_byte_for_byte(reply: str) -> None:
    for request in (get(sign_in(wreply=reply)), post(sign_in(wreply=reply).encode())):
        assert wsfed.parse(request) == SignInRequest(REALM, reply)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("java\nscript:alert(1)", id="W04-line break"),
        pytest.param("https://rp.example/cb\t", id="W05-tab"),
        pytest.param("https://rp.example/cb\r\nLocation: https://evil.com", id="W05-header"),
        pytest.param("https://rp.example/\x85", id="W06-next line"),
    ],
)
def test_reply_address_with_control_characters_is_refused_at_once(reply: str) -> None:
    with pytest.raises(InvalidSignInRequest, match="processing a WS-Federation sign-in request"):
        wsfed.parse(get(sign_in(wreply=reply)))


@pytest.mark.parametrize(
    ("query", "inner"),
    [
        pytest.param("wa=wsignin1.0", "The required field 'wtrealm' is missing.", id="W08-none"),
        pytest.param(
            f"wa=wsignin1.0&wtrealm={quote(REALM)}&wtrealm=urn:other",
            "the field 'wtrealm' is there more than once",
            id="W08-two",
        ),
        pytest.param(sign_in(wctx="x" * 100_000), "'wctx' has 100000 bytes; 8192 are allowed", id="W09-base64url"),
        pytest.param(sign_in(wctx="x=" * 50_000), "'wctx' has 100000 bytes; 2048 are allowed", id="W09"),
        pytest.param(sign_in(wctx="é" * 1025), "'wctx' has 2050 bytes; 2048 are allowed", id="W09-in bytes"),
    ],
)
def test_request_is_refused_for_its_reason(query: str, inner: str) -> None:
    with pytest.raises(InvalidSignInRequest) as refused:
        wsfed.parse(get(query))
    assert refused.value.inner.message == inner


def test_realm_in_address_and_body_is_refused_w08() -> None:
    with pytest.raises(InvalidSignInRequest):
        wsfed.parse(post({"wtrealm": REALM})._replace(query=sign_in()))


@pytest.mark.parametrize("name", ["wa", "wctx", "wreply", "whr", "wfresh", "wauth", "wct", "redirect", "protocol"])
def test_no_parameter_may_come_twice(name: str) -> None:
    with pytest.raises(BadRequest, match=r"more than once|WS-Federation sign-in request"):
        wsfed.parse(get(f"{sign_in()}&{name}=0&{name}=0"))


def test_largest_context_is_handed_on() -> None:
    context = "é" * 1024
    assert wsfed.parse(get(sign_in(wctx=context))) == SignInRequest(REALM, context=context)


def test_markup_in_the_context_is_handed_on_as_it_came_w16() -> None:
    context = '"><script>alert(1)</script>'
    assert wsfed.parse(get(sign_in(wctx=context))) == SignInRequest(REALM, context=context)


@pytest.mark.parametrize(
    ("body", "cause", "message"),
    [
        pytest.param(b"wa=" + b"x" * 50_000_000, PayloadTooLarge, "too large", id="W19"),
        pytest.param(b"&".join([b"a=1"] * 600_000), PayloadTooLarge, "too large", id="W20"),
        pytest.param(b"&".join([b"a=1"] * 101), BadRequest, "more than 100 fields", id="W20-a few"),
        pytest.param(b"wa=wsignin1.0&wtrealm=%ff", BadRequest, "not UTF-8", id="W21"),
        pytest.param(b"wa=wsignin1.0&wtrealm=\xff", BadRequest, "not UTF-8", id="W21-bytes"),
        pytest.param(b"wa=wsignin1.0&wtrealm=%zz", BadRequest, "percent escape", id="W21-escape"),
    ],
)
def test_form_is_refused_before_anything_is_read(body: bytes, cause: type[Exception], message: str) -> None:
    with pytest.raises(cause, match=message):
        wsfed.parse(post(body))


def test_sign_out_carries_the_reply_address_as_it_came_w22() -> None:
    """Whoever acts on it compares it with the registered ones; for a clean-up it is never followed."""
    query = urlencode({"wa": "wsignoutcleanup1.0", "wreply": "https://evil.com/"})
    assert wsfed.parse(get(query)) == SignOutRequest(SignOutKind.CLEANUP, None, "https://evil.com/")
