"""The cookies of people's browsers, over https as in earnest and over http on this machine."""

from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client

from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, allow_unsolicited, configured, unasked
from tests.flows.world import World, lend


@pytest.fixture(scope="module")
def earnest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service at an https address."""
    yield from lend(configured(tmp_path_factory.mktemp("earnest"), base_url="https://sts.example"))


@pytest.fixture(scope="module")
def trying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service on this machine alone."""
    yield from lend(configured(tmp_path_factory.mktemp("trying")))


def set_by(page: Page) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets."""
    found: SimpleCookie = SimpleCookie()
    for header in page.answer.headers.getlist("Set-Cookie"):
        found.load(header)
    return dict(found)


def pages_of(world: World) -> list[Page]:
    """The answers of a whole visit."""
    person = Person(world)
    sent = person.sign_in("jwt")
    back = person.bring(ADFS.asked_by(sent), ADFS.answer(world))
    form = person.sign_in("form")
    return [sent, back, form, person.type(form), person.sign_in("choice"), person.sign_out()]


def test_over_https_every_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(earnest: World) -> None:
    cookies = [item for page in pages_of(earnest) for item in set_by(page).items()]
    assert {name for name, _ in cookies} == {
        "__Host-sts-browser",
        "__Host-sts-session-contoso",
        "__Host-sts-device-contoso",
        "__Host-sts-choice-contoso",
    }
    for _, cookie in cookies:
        assert cookie["secure"] is True
        assert cookie["httponly"] is True
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""


def test_cookie_comes_along_across_sites_only_where_an_identity_provider_posts(earnest: World) -> None:
    person = Person(earnest)
    form = person.sign_in("form")
    assert set_by(form)["__Host-sts-browser"]["samesite"] == "Lax"
    done = set_by(person.type(form))
    assert done["__Host-sts-session-contoso"]["samesite"] == "Lax"
    assert done["__Host-sts-device-contoso"]["samesite"] == "Lax"
    person = Person(earnest)
    sent = person.sign_in("jwt")
    assert set_by(sent)["__Host-sts-browser"]["samesite"] == "None"
    back = set_by(person.bring(ADFS.asked_by(sent), ADFS.answer(earnest)))
    assert back["__Host-sts-session-contoso"]["samesite"] == "None"


def test_browser_keeps_its_one_cookie(earnest: World) -> None:
    person = Person(earnest)
    first = set_by(person.sign_in("form"))["__Host-sts-browser"].value
    assert "__Host-sts-browser" not in set_by(person.sign_in("form"))
    assert set_by(person.sign_in("jwt"))["__Host-sts-browser"].value == first


def test_browser_is_given_one_only_where_a_sign_in_begins(earnest: World) -> None:
    allow_unsolicited(earnest)
    person = Person(earnest)
    unmarked = [person.post(person.at(), unasked(earnest, "jwt")), person.sign_in("jwt"), person.sign_out()]
    assert [page.status for page in unmarked] == [200] * 3
    assert ["__Host-sts-browser" in set_by(page) for page in unmarked] == [False, True, False]


@pytest.mark.parametrize("planted", ["", "x", "a" * 44, "a" * 42 + ";", "é" * 43])
def test_cookie_that_is_not_one_of_ours_is_replaced(earnest: World, planted: str) -> None:
    person = Person(earnest)
    person.client.set_cookie("__Host-sts-browser", planted, domain="sts.example")
    assert len(set_by(person.sign_in("form"))["__Host-sts-browser"].value) == 43


def test_what_identifies_a_session_goes_with_the_browser(earnest: World) -> None:
    for page in pages_of(earnest)[:-1]:
        for name, cookie in set_by(page).items():
            is_kept = name in ("__Host-sts-device-contoso", "__Host-sts-choice-contoso")
            assert (cookie["max-age"] != "") is is_kept


def test_cookie_without_its_host_prefix_is_not_read(earnest: World) -> None:
    person = Person(earnest)
    state = ADFS.asked_by(person.sign_in("jwt"))
    value = person.cookies()["__Host-sts-browser"]
    other = Person(earnest)
    other.client.set_cookie("sts-browser", value, domain="sts.example")
    assert other.bring(state, ADFS.answer(earnest)).status == 400


def test_over_http_on_this_machine_cookies_go_without(trying: World) -> None:
    cookies = [item for page in pages_of(trying) for item in set_by(page).items()]
    assert {name for name, _ in cookies} == {
        "sts-browser",
        "sts-session-contoso",
        "sts-device-contoso",
        "sts-choice-contoso",
    }
    for _, cookie in cookies:
        assert (cookie["secure"], cookie["samesite"], cookie["httponly"]) == ("", "Lax", True)


def test_over_plain_http_an_https_service_refuses(earnest: World) -> None:
    answer = earnest.client.get(
        "/contoso/v2/wsfederation?wa=wsignin1.0&wtrealm=https%3A%2F%2Fjwt.example%2F", base_url="http://sts.example"
    )
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("mark", ["wresult", "wresul%74"], ids=["before the framework", "in the framework"])
@pytest.mark.parametrize("octets", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"ab\xe9", b"\x80=\xfe; \xfd", "é".encode()])
def test_cookie_of_somebody_else_that_is_no_text_hides_none_of_ours(trying: World, mark: str, octets: bytes) -> None:
    person = Person(trying)
    sent = person.sign_in("jwt")
    ours = "; ".join(f"{name}={value}" for name, value in person.cookies().items())
    told = f"a={octets.decode('latin-1')}; {ours}; b={octets.decode('latin-1')}"
    fields = {"wa": "wsignin1.0", "wctx": ADFS.asked_by(sent), "wresult": ADFS.answer(trying)}
    answer = Client(trying.client.application, use_cookies=False).post(
        person.at(),
        data=urlencode(fields).replace("wresult=", f"{mark}="),
        base_url=person.base_url,
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"HTTP_COOKIE": told},
    )
    assert (answer.status_code, Page(answer).action) == (200, "https://jwt.example/signin")


@pytest.mark.parametrize(
    "header", ["\xff", "=", "a=\xff", "sts-session-contoso=\xff", "sts-browser=\xff", "\u20ac=\u20ac"]
)
@pytest.mark.parametrize("path", ["v2/wsfederation?wa=wsignin1.0&wtrealm=https://jwt.example/", "v2/wsfederation"])
def test_header_of_cookies_that_is_no_text_is_as_none(trying: World, header: str, path: str) -> None:
    asked = {"base_url": "http://127.0.0.1:8000", "environ_overrides": {"HTTP_COOKIE": header}}
    client = Client(trying.client.application, use_cookies=False)
    assert client.get(f"/contoso/{path}", **asked).status_code == (302 if "?" in path else 400)
    assert client.post("/contoso/v2/wsfederation/local", data={"state": "x"}, **asked).status_code == 400
