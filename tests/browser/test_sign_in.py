"""Signing in by a real browser, from the start page of the demo to the application's page with the token."""

from urllib.parse import parse_qs

from playwright.sync_api import Request

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

PROVIDER = "http://schemas.microsoft.com/accesscontrolservice/2010/07/claims/identityprovider"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"


def test_newcomer_is_led_from_the_start_page_to_the_token(visitor: Visitor, demo: Demo) -> None:
    visitor.go(f"{demo.base_url}/")
    assert visitor.heading == "sts is running"
    visitor.follow("Orders")
    assert visitor.page.get_by_text("Nobody is signed in here").is_visible()
    visitor.follow("Sign in")
    assert visitor.heading == "Sign in to Orders"
    visitor.picture("choice")
    visitor.follow("An account here")
    visitor.picture("password")
    visitor.type("alice")
    visitor.arrive(demo.orders)
    assert visitor.heading == "Orders: welcome, alice"
    assert visitor.claims == [("nameidentifier (NameID)", "alice"), (PROVIDER, "local")]
    assert visitor.checks[1:3] == [f"issued by {demo.base_url}/demo/", f"meant for {demo.orders}"]
    assert visitor.token.startswith("<Assertion")


def test_partner_signs_people_in_by_a_token_that_only_we_can_read(visitor: Visitor, demo: Demo) -> None:
    sent: list[Request] = []
    visitor.page.on("request", lambda request: sent.append(request))
    visitor.sign_in(demo.orders, "The partner", "bob")
    assert visitor.claims == [
        ("nameidentifier (NameID)", "bob"),
        (ROLE, "guest"),
        (PROVIDER, f"{demo.base_url}/partner/"),
    ]
    visitor.picture("token")
    (answer,) = [one for one in sent if one.method == "POST" and one.url == f"{demo.base_url}/demo/v2/wsfederation"]
    (response,) = parse_qs(answer.post_data or "")["wresult"]
    assert "EncryptedAssertion" in response
    assert "bob" not in response


def test_second_application_asks_for_no_password(visitor: Visitor, demo: Demo) -> None:
    visitor.sign_in(demo.orders, "An account here", "alice")
    visitor.follow("Go to Reports")
    assert visitor.page.get_by_text("Nobody is signed in here").is_visible()
    visitor.follow("Sign in")
    visitor.arrive(demo.reports)
    assert visitor.heading == "Reports: welcome, alice"
    assert ("aud", demo.reports) in visitor.claims


def test_e_mail_address_leads_to_the_identity_provider_of_its_domain(visitor: Visitor, demo: Demo) -> None:
    visitor.go(demo.orders)
    visitor.follow("Sign in")
    box = visitor.page.get_by_label("Or give your e-mail address")
    box.fill("bob@nowhere.example")
    visitor.press("Continue")
    assert visitor.page.get_by_role("alert").inner_text().startswith("Nobody here looks after addresses like bob@")
    assert box.input_value() == "bob@nowhere.example"
    box.fill("bob@partner.example")
    visitor.press("Continue")
    visitor.page.get_by_text("An account of the partner").wait_for()
    visitor.type("bob")
    visitor.arrive(demo.orders)
    assert visitor.heading == "Orders: welcome, bob"


def test_last_choice_is_offered_first(visitor: Visitor, demo: Demo) -> None:
    visitor.go(f"{demo.orders}sign-in")
    visitor.follow("The partner")
    visitor.page.get_by_label("Password").wait_for()
    visitor.go(f"{demo.orders}sign-in")
    assert visitor.page.get_by_role("heading", level=2).all_inner_texts() == [
        "Where you signed in last time",
        "Somewhere else",
    ]
    assert visitor.page.get_by_role("link").first.inner_text() == "The partner"


def test_wrong_password_is_told_without_saying_what_was_wrong(visitor: Visitor, demo: Demo) -> None:
    visitor.statuses.add(401)
    visitor.go(f"{demo.orders}sign-in")
    visitor.follow("An account here")
    visitor.type("alice", "not the password")
    assert visitor.page.get_by_role("alert").inner_text() == "The name or the password is not right."
    assert visitor.page.get_by_label("Name").input_value() == "alice"
    assert visitor.page.evaluate("document.activeElement.id") == "password"
    visitor.type("alice")
    visitor.arrive(demo.orders)
