"""Sign-in requests that applications send by forms of their own, with which browsers withhold cookies for links."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, REPLY, signed_in
from tests.flows.world import World

FORM = {"wa": "wsignin1.0", "wtrealm": "https://form.example/"}


def posted(person: Person, **more: str | bytes) -> Page:
    """A form of another site, with which this browser withholds its cookies; it takes those that it is sent."""
    withholding = Person(person.world)
    page = withholding.post(person.at(), {**FORM, **more})
    for name, value in withholding.cookies().items():
        person.client.set_cookie(name, value, domain="127.0.0.1")
    return page


def test_form_of_another_site_finds_the_session(people: World) -> None:
    person = Person(people)
    assert person.type(person.sign_in("form")).action == REPLY.format("form")
    page = posted(person, wctx="a&b \u00e9=+%20")
    assert (page.status, page.answer.headers["Cache-Control"]) == (303, "no-store")
    assert page.answer.headers["Referrer-Policy"] == "no-referrer"
    delivered = person.get(page.location)
    assert (delivered.action, delivered.fields["wctx"]) == (REPLY.format("form"), "a&b \u00e9=+%20")


def test_form_of_another_site_takes_no_mark_from_the_browser(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    before = person.cookies()
    assert posted(person).status == 303
    assert person.cookies() == before
    assert person.bring(state, ADFS.answer(people)).action == REPLY.format("jwt")


def test_fields_of_the_address_and_of_the_form_go_on_together(people: World) -> None:
    person = Person(people)
    page = person.post(person.at(wtrealm=FORM["wtrealm"], whr="local"), {"wa": "wsignin1.0", "wfresh": "0"})
    assert page.status == 303
    assert dict(parse_qsl(urlsplit(page.location).query)) == {**FORM, "whr": "local", "wfresh": "0"}
    assert person.get(page.location).heading == person.sign_in("form").heading


def test_nothing_but_a_sign_in_request_gets_into_the_address(people: World) -> None:
    asked = {"wreply": REPLY.format("form"), "wctx": "x", "wfresh": "5", "whr": "local", "redirect": "false"}
    asked |= {"wauth": "urn:a", "wct": "2026-06-01T12:00:00Z", "protocol": "wsfederation"}
    page = posted(Person(people), password="s3cret", SAMLResponse="token", wreq="x", **asked)
    assert page.status == 303
    assert dict(parse_qsl(urlsplit(page.location).query)) == {**FORM, **asked}


def test_e_mail_address_of_another_sites_form_comes_into_no_address(people: World) -> None:
    page = posted(Person(people), email="alice@adfs.example")
    assert (page.status, page.location) == (200, "")


def test_link_is_answered_whatever_the_browser_withholds(still_people: World) -> None:
    assert Person(still_people).sign_in("form").status == 200


def test_form_of_a_browser_that_brings_a_session_is_answered(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    page = person.post(person.at(), {**FORM, "wtrealm": "https://swt.example/"})
    assert (page.status, page.action) == (200, REPLY.format("swt"))


def test_form_that_makes_too_long_an_address_is_answered(people: World) -> None:
    person = Person(people)
    context = {"wctx": "x" * 4096}
    page = person.post(person.at(), {**FORM, **context})
    assert page.status == 200
    delivered = person.type(page)
    assert (delivered.action, delivered.fields["wctx"]) == (REPLY.format("form"), context["wctx"])


def test_e_mail_address_of_our_own_form_comes_into_no_address(still_people: World) -> None:
    person = Person(still_people)
    page = person.sign_in("choice")
    answer = person.post(page.action, {**page.fields, "email": "alice@adfs.example"})
    assert (answer.status, answer.location) == (200, "")


@pytest.mark.parametrize("changed", [{"wtrealm": ""}, {"wfresh": "soon"}, {"wctx": "\x01"}])
def test_form_that_cannot_be_read_is_refused_at_once(still_people: World, changed: dict[str, str]) -> None:
    person = Person(still_people)
    assert person.post(person.at(), {**FORM, **changed}).status == 400


def test_answer_of_an_identity_provider_is_never_made_a_link(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    page = posted(person, wctx=state, wresult=ADFS.answer(still_people))
    assert (page.status, page.location) == (400, "")
