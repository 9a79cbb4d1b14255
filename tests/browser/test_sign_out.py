"""Signing out everywhere, by a real browser."""

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor


def is_forgotten(visitor: Visitor, application: str) -> bool:
    """Whether an application knows nobody."""
    visitor.go(application)
    return visitor.page.get_by_text("Nobody is signed in here").is_visible()


def test_both_applications_the_service_and_the_partner_forget_who_signs_out(visitor: Visitor, demo: Demo) -> None:
    visitor.sign_in(demo.orders, "The partner", "bob")
    visitor.go(f"{demo.reports}sign-in")
    visitor.arrive(demo.reports)
    assert visitor.heading == "Reports: welcome, bob"
    visitor.follow("Sign out everywhere")
    visitor.arrive(demo.reports)
    assert is_forgotten(visitor, demo.orders)
    assert is_forgotten(visitor, demo.reports)
    visitor.follow("Sign in")
    visitor.follow("The partner")
    assert visitor.page.get_by_label("Password").is_visible()
    assert [cookie["name"] for cookie in visitor.context.cookies() if "session" in cookie.get("name", "")] == []


def test_who_signs_out_of_a_local_account_comes_back_to_the_application(visitor: Visitor, demo: Demo) -> None:
    visitor.sign_in(demo.orders, "An account here", "alice")
    visitor.follow("Sign out everywhere")
    visitor.arrive(demo.orders)
    assert is_forgotten(visitor, demo.orders)
    visitor.follow("Sign in")
    assert visitor.heading == "Sign in to Orders"


def test_who_signs_out_at_the_partner_is_signed_out_here_too(visitor: Visitor, demo: Demo) -> None:
    visitor.sign_in(demo.orders, "The partner", "bob")
    visitor.go(f"{demo.base_url}/partner/v2/wsfederation?wa=wsignout1.0")
    visitor.page.get_by_text("You can close this window").wait_for()
    visitor.page.wait_for_load_state("networkidle")
    assert is_forgotten(visitor, demo.orders)
    visitor.follow("Sign in")
    assert visitor.heading == "Sign in to Orders"


def test_session_of_another_browser_goes_on(visitor: Visitor, demo: Demo, visitors: object) -> None:
    assert callable(visitors)
    other = visitors()
    other.sign_in(demo.orders, "An account here", "alice")
    visitor.sign_in(demo.orders, "An account here", "alice")
    visitor.follow("Sign out everywhere")
    visitor.arrive(demo.orders)
    other.go(f"{demo.reports}sign-in")
    other.arrive(demo.reports)
    assert other.heading == "Reports: welcome, alice"
