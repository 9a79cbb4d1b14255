"""Rows W20, W21, S05, S06, S21 and O07 where they meet the form parser and the token endpoints' readers."""

from collections.abc import Callable
from types import ModuleType

import pytest

from sts.core.errors import BadRequest, MethodNotAllowed, StsError
from sts.core.exchange import TokenRequest
from sts.protocols import oauth2, oauth2_acs, wrap
from sts.protocols.http import HttpRequest
from tests.protocols.requests import NOW, REALM, SECRET, TRACE_ID, basic, get, members, post

Parse = Callable[[HttpRequest, str], TokenRequest]

WRAP = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": REALM}
OAUTH = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": SECRET, "scope": REALM}
ENDPOINTS = [(wrap, WRAP), (oauth2_acs, OAUTH), (oauth2, OAUTH)]
NAMES = ["wrap", "acs", "rfc6749"]
endpoints = pytest.mark.parametrize(("endpoint", "fields"), ENDPOINTS, ids=NAMES)


def refused(endpoint: ModuleType, request: HttpRequest) -> int:
    """The status with which an endpoint refuses a request."""
    with pytest.raises(StsError) as raised:
        endpoint.parse(request, "contoso")
    answer = endpoint.refuse(raised.value, TRACE_ID, NOW)
    assert SECRET.encode() not in answer.body
    status: int = answer.status
    return status


def body(fields: dict[str, str]) -> bytes:
    """The fields as a form."""
    return post(fields).body


@endpoints
def test_w20_form_of_too_many_fields_is_refused(endpoint: ModuleType, fields: dict[str, str]) -> None:
    assert refused(endpoint, post(b"a=1&" * 600_000 + body(fields))) == 413
    assert refused(endpoint, post(b"a=1&" * 60_000 + body(fields))) == 400
    assert refused(endpoint, post(b"&" * 100 + body(fields))) == 400


@endpoints
@pytest.mark.parametrize("field", [b"x=\xff", b"\xff=x", b"x=\xc0\xaf", b"x=\xed\xa0\x80"])
def test_w21_form_of_invalid_utf8_is_refused(endpoint: ModuleType, fields: dict[str, str], field: bytes) -> None:
    assert refused(endpoint, post(body(fields) + b"&" + field)) == 400


@endpoints
@pytest.mark.parametrize("escape", ["%ff", "%c0%af", "%ed%a0%80", "%f8%88%80%80%80", "%", "%4", "%zz", "%u00e9", "%00"])
def test_s21_invalid_percent_escape_is_refused(endpoint: ModuleType, fields: dict[str, str], escape: str) -> None:
    assert refused(endpoint, post(body(fields) + f"&x={escape}".encode())) == 400
    assert refused(endpoint, post(body(fields) + f"&{escape}=x".encode())) == 400


@pytest.mark.parametrize("escape", ["%ff", "%zz", "%"])
def test_s21_invalid_percent_escape_inside_basic_is_refused(escape: str) -> None:
    fields = {"grant_type": "client_credentials", "scope": REALM}
    assert refused(oauth2, post(fields, authorization=basic(f"worker:{SECRET}{escape}"))) == 400


@pytest.mark.parametrize(
    ("endpoint", "fields", "name"),
    [(endpoint, fields, name) for endpoint, fields in ENDPOINTS for name in fields],
    ids=[f"S05-{label}-{name}" for label, (_, fields) in zip(NAMES, ENDPOINTS, strict=True) for name in fields],
)
def test_field_that_comes_twice_is_refused(endpoint: ModuleType, fields: dict[str, str], name: str) -> None:
    for second in (fields[name], "other"):
        assert refused(endpoint, post(body(fields) + b"&" + body({name: second}))) == 400
    assert refused(endpoint, post(body(fields) + f"&%{ord(name[0]):02x}{name[1:]}=x".encode())) == 400


@endpoints
def test_s06_get_with_the_password_in_the_query_is_refused(endpoint: ModuleType, fields: dict[str, str]) -> None:
    request = get(body(fields).decode())
    assert refused(endpoint, request) == 405
    with pytest.raises(MethodNotAllowed) as raised:
        endpoint.parse(request, "contoso")
    assert ("Allow", "POST") in endpoint.refuse(raised.value, TRACE_ID, NOW).headers


@endpoints
def test_s06_post_with_the_password_in_the_query_is_refused(endpoint: ModuleType, fields: dict[str, str]) -> None:
    complete = post(fields)
    for query in (body(fields).decode(), "%77rap_password=x", "a=1&client_secret=x", "x=\udc80"):
        request = HttpRequest("POST", "/", {}, query, complete.body, "192.0.2.1", TRACE_ID)
        assert refused(endpoint, request) == 400
    harmless = HttpRequest("POST", "/", {}, "api-version=1", complete.body, "192.0.2.1", TRACE_ID)
    assert endpoint.parse(harmless, "contoso").realm == REALM


@pytest.mark.parametrize("header", [basic(f"worker:{SECRET}"), basic("other:x"), "Bearer x", "", "Basic ???"])
def test_o07_client_secret_in_header_and_body_is_an_invalid_request(header: str) -> None:
    with pytest.raises(BadRequest) as raised:
        oauth2.parse(post(OAUTH, authorization=header), "contoso")
    answer = oauth2.refuse(raised.value, TRACE_ID, NOW)
    assert (answer.status, members(answer)["error"]) == (400, "invalid_request")
