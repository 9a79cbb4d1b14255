"""Sign-in and sign-out across sites, where browsers are strict about cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import LAUNCH, Visitors
from tests.browser.demo import Demo
from tests.browser.sites import PASSWORD, Sites, running_sites
from tests.browser.visitor import Visitor
from tests.tools import require_tool

SESSION = "__Host-sts-session-contoso"
LEAVING = "__Host-sts-leaving-contoso"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """A service, an identity provider and an application at three sites."""
    with running_sites(tmp_path_factory.mktemp("sites")) as running:
        yield running


@pytest.fixture
def ann(visitors: Visitors, sites: Sites) -> Visitor:
    """Somebody who has signed in, with the browser as it comes: it sends no cookies from frames to other sites."""
    return signed_in(visitors(ignore_https_errors=True), sites)


@pytest.fixture
def lenient(chromium: Browser, demo: Demo, sites: Sites, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody who has signed in, with a browser that is set to send cookies from frames too."""
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text('{"profile": {"cookie_controls_mode": 0}}')
    context = chromium.browser_type.launch_persistent_context(
        tmp_path, executable_path=require_tool("chromium"), args=LAUNCH, ignore_https_errors=True
    )
    visitor = Visitor(context, demo, None)
    yield signed_in(visitor, sites)
    visitor.leave()
    assert visitor.faults == []


def signed_in(visitor: Visitor, sites: Sites) -> Visitor:
    """Sign in to the application."""
    sites.signed_in = 0
    sites.cleanups.clear()
    visitor.go(sites.address("wsignin1.0"))
    visitor.arrive(sites.application)
    return visitor


def kept(visitor: Visitor) -> dict[str, tuple[object, ...]]:
    """The cookies of the service: whether secure, out of reach of scripts, for which sites, where, whether for long."""
    return {
        cookie["name"]: (
            cookie["secure"],
            cookie["httpOnly"],
            cookie["sameSite"],
            cookie["path"],
            cookie["expires"] > 0,
        )
        for cookie in visitor.context.cookies()
        if cookie["domain"] == "sts.example"
    }


def test_identity_provider_of_another_site_posts_back_and_the_cookies_come_along(ann: Visitor, sites: Sites) -> None:
    assert sites.signed_in == 1
    assert kept(ann) == {
        "__Host-sts-browser": (True, True, "None", "/", False),
        SESSION: (True, True, "None", "/", False),
        "__Host-sts-choice-contoso": (True, True, "Lax", "/", True),
    }


def test_signing_out_goes_by_way_of_the_identity_provider_and_back(ann: Visitor, sites: Sites) -> None:
    ann.go(f"{sites.address('wsignout1.0')}&wreply={sites.application}")
    ann.page.get_by_role("heading", name="Goodbye").wait_for()
    assert len(sites.cleanups) == 1
    assert SESSION not in kept(ann)
    assert kept(ann)[LEAVING] == (True, True, "Lax", "/", True)
    ann.follow("Back")
    ann.arrive(sites.application)
    assert LEAVING not in kept(ann)


def test_identity_provider_of_another_site_ends_the_session_from_a_frame(lenient: Visitor, sites: Sites) -> None:
    lenient.go(f"{sites.provider}?wa=wsignout1.0")
    lenient.page.frame_locator("iframe").get_by_role("heading", name="You are signed out").wait_for()
    lenient.page.wait_for_load_state("networkidle")
    assert len(sites.cleanups) == 1
    assert SESSION not in kept(lenient)


def test_browser_that_keeps_cookies_from_frames_keeps_the_session(ann: Visitor, sites: Sites) -> None:
    ann.go(f"{sites.provider}?wa=wsignout1.0")
    ann.page.frame_locator("iframe").get_by_role("heading", name="You are signed out").wait_for()
    assert sites.cleanups == []
    assert SESSION in kept(ann)


def test_form_of_another_site_finds_the_session_of_a_local_account(visitors: Visitors, sites: Sites) -> None:
    ann = visitors(ignore_https_errors=True)
    sites.signed_in = 0
    sites.contexts.clear()
    ann.go(sites.asking)
    ann.type("ann", PASSWORD)
    ann.arrive(sites.application)
    before = kept(ann)
    assert before[SESSION] == before["__Host-sts-browser"] == (True, True, "Lax", "/", False)
    marks = {cookie["value"] for cookie in ann.context.cookies() if cookie["name"] == "__Host-sts-browser"}
    ann.go(sites.asking)
    ann.arrive(sites.application)
    assert (sites.signed_in, sites.contexts) == (2, ["a&b\r\n\u20ac"] * 2)
    assert marks == {cookie["value"] for cookie in ann.context.cookies() if cookie["name"] == "__Host-sts-browser"}
