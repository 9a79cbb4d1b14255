"""What a person with a browser is told wherever a request is refused, and what software is told instead."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.flows.people import Page
from tests.flows.world import World, lend, members, open_world

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SIGN_IN = "/contoso/v2/wsfederation"
OURS = "http://127.0.0.1:8000"
STRANGE = "http://stranger.example"

REFUSED = [
    pytest.param({"path": SIGN_IN, "base_url": STRANGE}, 400, "This request is not understood", id="unknown host"),
    pytest.param({"path": "/", "base_url": STRANGE}, 400, "This request is not understood", id="unknown host's root"),
    pytest.param({"path": "/nowhere"}, 404, "There is nothing at this address", id="unknown address"),
    pytest.param({"path": "/nobody/v2/wsfederation"}, 404, "There is nothing at this address", id="unknown namespace"),
    pytest.param({"path": "/contoso/.well-known/jwks.json", "method": "PUT"}, 405, "not understood", id="method"),
    pytest.param(
        {"path": SIGN_IN, "method": "POST", "data": b"wa=" + b"x" * 300_001},
        413,
        "This request is too large",
        id="body",
    ),
    pytest.param({"path": SIGN_IN, "method": "POST", "data": b"wa=%zz"}, 400, "is not understood", id="form"),
    pytest.param({"path": f"{SIGN_IN}?wa=%ff"}, 400, "is not understood", id="query"),
]


def asked(world: World, request: dict[str, Any], accept: str) -> TestResponse:
    """The answer to a request from software that wants this."""
    given: dict[str, Any] = {"base_url": OURS, "method": "GET", **request}
    return world.client.open(headers={"Accept": accept}, **given)


@pytest.mark.parametrize(("request_", "status", "heading"), REFUSED)
def test_browser_gets_a_page_with_the_code_and_the_trace_id(
    still_people: World, request_: dict[str, Any], status: int, heading: str
) -> None:
    page = Page(asked(still_people, request_, BROWSER))
    record = still_people.records()[-1]
    assert (page.status, heading in page.heading) == (status, True), page.answer.text
    assert page.answer.mimetype == "text/html"
    assert f"Trace ID {record['trace_id']}" in page.text
    assert f"{record['error']}: " in page.text
    assert page.policy["default-src"] == "'none'"
    assert page.answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html;q=0.5, application/problem+json"])
@pytest.mark.parametrize(
    "request_", [{"path": "/", "base_url": STRANGE}, {"path": "/nowhere"}], ids=["host", "address"]
)
def test_software_gets_problem_details(still_people: World, request_: dict[str, Any], accept: str) -> None:
    answer = asked(still_people, request_, accept)
    assert answer.mimetype == "application/problem+json"
    assert members(answer)["trace_id"] == answer.headers["Request-Id"]


def test_method_that_is_not_allowed_is_told_to_browsers_with_those_that_are(still_people: World) -> None:
    answer = asked(still_people, {"path": "/health/live", "method": "DELETE"}, BROWSER)
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)


@pytest.mark.parametrize(
    ("path", "methods"), [(SIGN_IN, {"GET", "POST"}), (f"{SIGN_IN}/", {"GET", "POST"}), (f"{SIGN_IN}/local", {"POST"})]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_method_at_an_address_of_sign_in_is_refused_with_those_that_are_not(
    still_people: World, path: str, methods: set[str], method: str
) -> None:
    answer = asked(still_people, {"path": path, "method": method}, BROWSER)
    if method in methods:
        assert answer.status_code != 405
    else:
        assert (answer.status_code, answer.headers["Allow"]) == (405, ", ".join(sorted(methods)))


def test_person_who_comes_by_plain_http_is_told_of_https(people: World) -> None:
    for world in lend(open_world(people.home, base_url="https://sts.example")):
        page = Page(asked(world, {"path": SIGN_IN, "base_url": "http://sts.example"}, BROWSER))
        assert (page.status, page.heading) == (400, "This connection is not secure")
        assert "ACS90013" in page.text


def test_token_endpoint_at_an_unknown_host_answers_in_its_own_protocol(still_people: World) -> None:
    request = {"path": "/contoso/oauth2/token", "method": "POST", "base_url": STRANGE}
    answer = asked(still_people, request, BROWSER)
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_request")
