"""Local accounts: a form for the service identities that may use it, and nothing learnt by guessing."""

from html import escape

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.store.failures import FailureCounters
from tests.flows.people import LOCAL, Page, Person
from tests.flows.signing_in import ADFS, REPLY
from tests.flows.tokens import content_of
from tests.flows.world import SECRET, World
from tests.threats.endpoints import anonymous

WRONG = "The name or the password is not right."


def test_right_password_brings_a_token(still_people: World) -> None:
    person = Person(still_people)
    page = person.sign_in("form", wctx="c")
    assert (page.status, page.heading, page.policy["form-action"]) == (200, "Sign in to form", "'self'")
    assert 'autocomplete="current-password"' in page.answer.text
    done = person.type(page)
    assert (done.action, done.fields["wctx"]) == (REPLY.format("form"), "c")
    content = content_of(still_people, "form", done.token)
    assert (content.claims[NAME_IDENTIFIER], content.claims[IDENTITY_PROVIDER]) == (["ann"], ["local"])
    record = still_people.records()[-1]
    assert (record["provider"], record["principal"], record["relying_party"]) == ("local", "ann", "form")


def test_account_is_good_for_every_relying_party(still_people: World) -> None:
    person = Person(still_people)
    person.type(person.sign_in("form"))
    assert person.sign_in("choice").action == REPLY.format("choice")


@pytest.mark.parametrize("change", ["enabled: false", "interactive: false"])
def test_session_of_an_account_ends_with_the_account(people: World, change: str) -> None:
    person = Person(people)
    person.type(person.sign_in("form"))
    people.apply(f"namespace: contoso\nservice_identities: [{{name: ann, password: 'env:WORKER_PASSWORD', {change}}}]")
    page = person.sign_in("form")
    assert page.heading == "Sign in to form"
    assert person.type(page).status == 401


def test_session_of_an_account_ends_when_its_password_changes(people: World) -> None:
    person = Person(people)
    person.type(person.sign_in("form"))
    people.move(minutes=1)
    text = "namespace: contoso\nservice_identities: [{name: ann, password: 'env:NEW', interactive: true}]"
    people.apply(text, {"NEW": SECRET})
    assert person.sign_in("form").action == REPLY.format("form")
    people.apply(text, {"NEW": "another password"})
    page = person.sign_in("form")
    assert page.heading == "Sign in to form"
    assert person.type(page, password="another password").action == REPLY.format("form")
    assert person.sign_in("form").action == REPLY.format("form")


def test_form_asks_again_after_a_wrong_password(still_people: World) -> None:
    person = Person(still_people)
    again = person.type(person.sign_in("form"), password="wrong password")
    assert (again.status, again.heading) == (401, "Sign in to form")
    assert WRONG in again.text
    assert "wrong password" not in again.answer.text
    assert person.type(again).action == REPLY.format("form")


@pytest.mark.parametrize("name", ["ann", '"><script>alert(1)</script>'])
def test_form_that_asks_again_keeps_the_name_and_never_the_password(still_people: World, name: str) -> None:
    person = Person(still_people)
    first = person.sign_in("form")
    assert (first.typed, first.focus) == ("", "username")
    again = person.type(first, name, "wrong password")
    assert (again.typed, again.focus) == (name, "password")
    assert "<script>alert" not in again.answer.text


def seen(page: Page) -> tuple[int, str]:
    """A page without what differs each time: that it asks for the password when a name was typed tells nothing."""
    text = anonymous(page.answer.text).replace(page.fields["state"], "STATE")
    return page.status, text.replace(f' value="{escape(page.typed)}"', "").replace(" autofocus", "")


def test_nobody_learns_which_names_there_are(people: World) -> None:
    answers = set()
    for number, (name, password) in enumerate(
        [
            ("ann", "wrong"),
            ("nobody", SECRET),
            ("ben", SECRET),  # disabled
            ("worker", SECRET),  # not interactive
            ("", SECRET),
            ("ann", ""),
            ("ann\u2028", SECRET),
            ("ann", "x" * 5000),
        ]
    ):
        person = Person(people, source=f"192.0.2.{number + 20}")
        answers.add(seen(person.type(person.sign_in("form"), name, password)))
    ((status, _),) = answers
    assert status == 401
    details = [record["detail"] for record in people.records() if record.get("error")]
    assert "service identity 'ben' is disabled" in details
    assert "service identity 'worker' is not interactive" in details
    assert SECRET not in people.log.read_text()


def test_guessing_is_bounded_for_a_name_and_a_source(people: World) -> None:
    person = Person(people)
    page = person.sign_in("form")
    for _ in range(10):
        page = person.type(page, password="guess")
        assert page.status == 401
    page = person.type(page)
    assert (page.status, "Retry-After" in page.answer.headers) == (429, True)
    assert "Too many failed attempts" in page.text
    elsewhere = Person(people, source="192.0.2.99")
    assert elsewhere.type(elsewhere.sign_in("form")).status == 200
    people.move(minutes=15)
    assert person.type(person.sign_in("form")).status == 200


def test_guessing_is_bounded_while_the_owner_is_remembered(people: World) -> None:
    owner = Person(people)
    assert owner.type(owner.sign_in("form")).status == 200
    stranger = Person(people, source="203.0.113.3")
    page = stranger.sign_in("form")
    for _ in range(10):
        page = stranger.type(page, password="guess")
        assert page.status == 401
    wrong = stranger.type(page, password="guess")
    right = stranger.type(wrong)
    assert (wrong.status, seen(right)) == (429, seen(wrong))
    again = Person(people)  # another browser, where the owner is
    assert again.type(again.sign_in("form")).status == 200


def guessing(world: World, name: str) -> None:
    """Have strangers everywhere fail to guess a name's password, until all of them together are refused."""
    counters = FailureCounters(world.service.installation.database)
    for number in range(100):
        counters.record(world.namespace, name, f"198.51.100.{number}", world.now)
    stranger = Person(world, source="203.0.113.1")
    assert stranger.type(stranger.sign_in("form"), name).status == 429


def test_strangers_who_guess_do_not_lock_the_owner_out_of_a_known_browser(people: World) -> None:
    owner = Person(people)
    owner.type(owner.sign_in("form"))
    owner.sign_out()
    people.move(minutes=10)  # what was right is remembered for five minutes only
    guessing(people, "ann")
    page = owner.type(owner.sign_in("form"), password="slip")
    assert page.status == 401
    assert owner.type(page).status == 200


def test_browser_is_known_by_the_name_that_signed_in_there(people: World) -> None:
    thief = Person(people, source="203.0.113.2")
    people.apply(
        "namespace: contoso\nservice_identities: [{name: eve, password: 'env:WORKER_PASSWORD', interactive: true}]"
    )
    thief.type(thief.sign_in("form"), "eve")
    thief.sign_out()
    guessing(people, "ann")
    assert thief.type(thief.sign_in("form"), "ann").status == 429


def test_form_of_another_browser_is_refused(still_people: World) -> None:
    page = Person(still_people).sign_in("form")
    victim = Person(still_people)
    victim.sign_in("form")
    refused = victim.type(page)
    assert (refused.status, refused.heading) == (400, "Please sign in again")
    assert "another browser" in still_people.records()[-1]["detail"]


def test_form_is_used_once(still_people: World) -> None:
    person = Person(still_people)
    page = person.sign_in("form")
    assert person.type(page).status == 200
    assert person.type(page).status == 400


def test_state_of_an_identity_provider_is_no_form(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    page = person.post(person.at(LOCAL), {"state": state, "username": "ann", "password": SECRET})
    assert (page.status, page.heading) == (400, "Please sign in again")


def test_identity_provider_cannot_answer_for_a_local_one(still_people: World) -> None:
    person = Person(still_people)
    state = person.sign_in("form").fields["state"]
    page = person.bring(state, ADFS.answer(still_people))
    assert page.status == 400
    assert "sends no tokens" in still_people.records()[-1]["detail"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"username": "ann", "password": SECRET}, 400), ({"state": "x" * 100, "username": "ann"}, 400)],
)
def test_form_without_our_state_is_refused(still_people: World, fields: dict[str, str], status: int) -> None:
    person = Person(still_people)
    person.sign_in("form")
    assert person.post(person.at(LOCAL), fields).status == status


def test_password_is_never_in_an_address(still_people: World) -> None:
    person = Person(still_people)
    page = person.get(person.at(LOCAL, username="ann", password=SECRET))
    assert (page.status, page.heading, page.answer.headers["Allow"]) == (405, "Please sign in again", "POST")
