"""Where people belong: the page that asks, what makes asking unnecessary, and the feed for pages of others."""

import json

import pytest

from tests.flows.identity_provider import IdentityProvider
from tests.flows.people import Person
from tests.flows.signing_in import ADFS, OTHER, REPLY
from tests.flows.test_single_sign_on import query_of
from tests.flows.world import World, members

FEED = "v2/metadata/IdentityProviders.js"


def test_page_offers_every_identity_provider_of_the_relying_party(still_people: World) -> None:
    page = Person(still_people).sign_in("choice", wctx="c&d", wfresh="5")
    assert (page.status, page.heading) == (200, "Sign in to choice")
    assert list(page.links) == ["Contoso <AD FS>", "other", "local"]
    for name, link in zip(("adfs", "other", "local"), page.links.values(), strict=True):
        assert query_of(link) == {
            "wa": "wsignin1.0",
            "wtrealm": "https://choice.example/",
            "wctx": "c&d",
            "wfresh": "5",
            "whr": name,
        }
    assert page.policy["img-src"] == "https://pictures.example"
    assert 'src="https://pictures.example/adfs.png" alt=""' in page.answer.text
    assert page.policy["form-action"] == "'self'"


def test_choice_leads_on_and_is_offered_first_the_next_time(still_people: World) -> None:
    person = Person(still_people)
    assert "last time" not in person.sign_in("choice").text
    chosen = person.get(person.sign_in("choice").links["other"])
    assert person.bring(OTHER.asked_by(chosen), OTHER.answer(still_people)).action == REPLY.format("choice")
    person.sign_out()
    page = person.sign_in("choice")
    assert list(page.links) == ["other", "Contoso <AD FS>", "local"]
    assert "Where you signed in last time other" in page.text


@pytest.mark.parametrize(
    ("home_realm", "provider"),
    [
        ("https://other.example/", OTHER),
        ("other", OTHER),
        ("adfs.example", ADFS),
        ("alice@adfs.example", ADFS),
        ("Alice@ADFS.example", ADFS),
    ],
)
def test_home_realm_skips_the_page(still_people: World, home_realm: str, provider: IdentityProvider) -> None:
    person = Person(still_people)
    state = provider.asked_by(person.sign_in("choice", whr=home_realm))
    assert person.bring(state, provider.answer(still_people)).action == REPLY.format("choice")


@pytest.mark.parametrize("home_realm", ["sealing", "https://nobody.example/", "nobody.example", "LOCAL AUTHORITY"])
def test_home_realm_that_the_relying_party_does_not_know_leads_to_the_page(
    still_people: World, home_realm: str
) -> None:
    assert Person(still_people).sign_in("choice", whr=home_realm).heading == "Sign in to choice"
    ADFS.asked_by(Person(still_people).sign_in("jwt", whr=home_realm))


def test_page_is_shown_for_one_identity_provider_where_that_is_asked_for(still_people: World) -> None:
    page = Person(still_people).sign_in("jwt", redirect="false")
    assert list(page.links) == ["Contoso <AD FS>"]


def test_email_address_leads_to_the_identity_provider_of_its_domain(still_people: World) -> None:
    person = Person(still_people)
    page = person.sign_in("choice", wctx="c")
    assert (page.action, page.fields["wctx"]) == ("http://127.0.0.1:8000/contoso/v2/wsfederation", "c")
    onward = person.post(page.action, {**page.fields, "email": "alice@adfs.example"})
    assert onward.links["Continue"].startswith("https://adfs.example/ls?")
    assert "alice@adfs.example" not in still_people.log.read_text()


@pytest.mark.parametrize("email", ["bob@nobody.example", "bob", '"><script>alert(1)</script>@x', "@"])
def test_email_address_of_nobody_leads_back_to_the_page(still_people: World, email: str) -> None:
    person = Person(still_people)
    page = person.sign_in("choice")
    again = person.post(page.action, {**page.fields, "email": email})
    assert "Nobody here looks after addresses like" in again.text
    assert "<script" not in again.answer.text
    assert list(again.links) == list(page.links)


def test_no_email_address_is_asked_for_where_no_domain_is_known(people: World) -> None:
    people.apply(
        "namespace: contoso\nrelying_parties: [{name: choice, realm: 'https://choice.example/', "
        "token_format: jwt, identity_providers: [other, local], reply: ['https://choice.example/signin']}]"
    )
    page = Person(people).sign_in("choice")
    assert (page.action, page.policy["form-action"]) == ("", "'none'")


def test_disabled_identity_provider_is_not_offered(people: World) -> None:
    people.apply("namespace: contoso\nidentity_providers: [{name: local, kind: local, enabled: false}]")
    assert "local" not in Person(people).sign_in("choice").links
    page = Person(people).sign_in("form")
    assert (page.status, page.heading) == (400, "You could not be signed in")
    assert "no identity provider that is enabled" in page.text


def test_feed_lists_them_all_with_addresses_that_work(still_people: World) -> None:
    person = Person(still_people)
    query = {"realm": "https://choice.example/", "context": "c", "version": "1.0", "protocol": "wsfederation"}
    answer = person.get(person.at(FEED, **query)).answer
    assert answer.status_code == 200
    entries = json.loads(answer.text)
    assert [entry["Name"] for entry in entries] == ["Contoso <AD FS>", "other", "local"]
    assert [entry["EmailAddressSuffixes"] for entry in entries] == [["adfs.example"], [], []]
    state = ADFS.asked_by(person.get(entries[0]["LoginUrl"]))
    assert person.bring(state, ADFS.answer(still_people)).fields["wctx"] == "c"
    assert person.get(entries[2]["LoginUrl"]).heading == "Sign in to choice"


@pytest.mark.parametrize("path", [FEED, FEED.lower(), FEED.upper()])
def test_feed_calls_a_function_where_one_is_named(still_people: World, path: str) -> None:
    person = Person(still_people)
    answer = person.get(person.at(path, realm="https://jwt.example/", callback="show.all")).answer
    assert answer.text.startswith("/**/show.all([")
    assert answer.mimetype == "application/javascript"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"realm": "https://nobody.example/"}, "ACS50001"),
        ({}, "ACS90011"),
        ({"realm": "https://jwt.example/", "callback": "alert(1)//"}, "ACS90013"),
    ],
)
def test_feed_refuses_in_json(still_people: World, query: dict[str, str], code: str) -> None:
    person = Person(still_people)
    answer = person.get(person.at(FEED, **query)).answer
    assert answer.status_code == 400
    assert members(answer)["errors"][0]["errorCode"] == code
    assert still_people.records()[-1]["error"] == code
