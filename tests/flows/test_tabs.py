"""Tabs of one browser that sign in and out at the same time: whoever signs out is signed out everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from werkzeug.test import Client

from sts.core.model import Namespace
from sts.core.sign_in_steps import Completed, Session, Sessions, SignInRecords
from sts.settings import LogFormat
from sts.store import tables
from sts.web.app import Application
from sts.web.request_log import RequestLog
from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, REPLY, allow_unsolicited, signed_in, unasked
from tests.flows.world import World
from tests.threats.endpoints import rows_of

CLEANUP = "?wa=wsignoutcleanup1.0"


def told(*parties: str) -> set[str]:
    """The frames by which these relying parties hear of a sign-out."""
    return {REPLY.format(party) + CLEANUP for party in parties}


def another_tab(person: Person) -> Person:
    """The same browser as it is now; what a tab is sent later the other one does not have yet."""
    tab = Person(person.world)
    take_cookies(tab, person)
    return tab


def take_cookies(person: Person, other: Person) -> None:
    """Have a browser keep what another one keeps."""
    for name, value in other.cookies().items():
        person.client.set_cookie(name, value, domain="127.0.0.1")


def brought_unasked(person: Person, party: str) -> Page:
    """An answer that nobody asked for, with which the browser withholds its cookies; it takes those that it is sent."""
    withholding = Person(person.world)
    page = withholding.post(person.at(), unasked(person.world, party))
    take_cookies(person, withholding)
    return page


@dataclass
class Meanwhile:
    """Something that happens once, just before what was found is acted on."""

    events: list[Callable[[], object]] = field(default_factory=list)

    def happens(self) -> None:
        while self.events:
            self.events.pop()()


@dataclass
class InterruptedSessions:
    """The real sessions, before whose `join` something may happen."""

    inner: Sessions
    meanwhile: Meanwhile

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        return self.inner.find(namespace, token, now)

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        return self.inner.start(namespace, session, now)

    def join(self, session: Session, realm: str, reply: str) -> bool:
        self.meanwhile.happens()
        return self.inner.join(session, realm, reply)

    def end(self, namespace: Namespace, session: Session, now: datetime) -> tuple[tuple[str, str], ...]:
        return self.inner.end(namespace, session, now)


@dataclass
class InterruptedRecords:
    """The real records, before which something may happen."""

    inner: SignInRecords
    meanwhile: Meanwhile

    def complete(self, namespace: Namespace, completed: Completed, now: datetime) -> str:
        self.meanwhile.happens()
        return self.inner.complete(namespace, completed, now)


def interrupted(world: World) -> tuple[World, Meanwhile]:
    """The same service with room for something in between."""
    meanwhile, desk = Meanwhile(), world.service.desk
    sessions, records = InterruptedSessions(desk.sessions, meanwhile), InterruptedRecords(desk.records, meanwhile)
    service = replace(world.service, desk=replace(desk, sessions=sessions, records=records))
    application = Application(service, RequestLog(LogFormat.JSON, world.log_descriptor))
    return replace(world, service=service, client=Client(application)), meanwhile


def test_signing_out_ends_every_session_of_the_browser_and_tells_all_their_relying_parties(people: World) -> None:
    first = Person(people)
    states = [ADFS.asked_by(first.sign_in(party)) for party in ("jwt", "swt")]
    second = another_tab(first)
    for tab, state, party in ((first, states[0], "jwt"), (second, states[1], "swt")):
        assert tab.bring(state, ADFS.answer(people)).action == REPLY.format(party)
    lost = another_tab(first)
    assert len(rows_of(people, tables.browser_session)) == 2
    assert set(second.sign_out().frames) == told("jwt", "swt")
    assert rows_of(people, tables.browser_session) == []
    assert lost.sign_in("saml20").location.startswith("https://adfs.example/")


def test_signing_out_leaves_other_browsers_and_namespaces_alone(people: World) -> None:
    person, stranger = Person(people), Person(people)
    signed_in(person, "jwt")
    signed_in(stranger, "swt")
    assert set(person.sign_out().frames) == told("jwt")
    assert stranger.sign_in("saml20").action == REPLY.format("saml20")


def test_reply_after_signing_out_may_be_that_of_a_relying_party_of_another_tab(people: World) -> None:
    first = Person(people)
    form = first.sign_in("form")
    second = another_tab(first)
    assert first.type(first.sign_in("choice", whr="local")).action == REPLY.format("choice")
    assert second.type(form).action == REPLY.format("form")
    page = second.sign_out(wreply="https://choice.example/signin")
    assert set(page.frames) == told("choice", "form")
    assert page.links["Continue"] == "https://choice.example/signin"


def test_relying_party_gets_no_token_by_a_session_that_is_signed_out_meanwhile(people: World) -> None:
    world, meanwhile = interrupted(people)
    person = Person(world)
    signed_in(person, "jwt")
    other, seen = another_tab(person), list[Page]()
    meanwhile.events.append(lambda: seen.append(other.sign_out()))
    page = person.sign_in("swt")
    assert set(seen[0].frames) == told("jwt")
    assert page.location.startswith("https://adfs.example/")
    assert "token_id" not in world.records()[-1]
    assert person.bring(ADFS.asked_by(page), ADFS.answer(world)).action == REPLY.format("swt")


def test_relying_party_that_joins_a_session_while_it_is_replaced_is_told_of_the_sign_out(people: World) -> None:
    world, meanwhile = interrupted(people)
    person = Person(world)
    signed_in(person, "jwt")
    other, seen = another_tab(person), list[Page]()
    state = ADFS.asked_by(person.sign_in("saml20", wfresh="0"))
    meanwhile.events.append(lambda: seen.append(other.sign_in("swt")))
    assert person.bring(state, ADFS.answer(world)).action == REPLY.format("saml20")
    assert seen[0].action == REPLY.format("swt")
    assert set(person.sign_out().frames) == told("jwt", "swt", "saml20")
    assert rows_of(people, tables.browser_session) == []


def test_signing_out_after_an_answer_that_came_without_cookies_ends_what_the_browser_had_begun(people: World) -> None:
    allow_unsolicited(people)
    person, stranger = Person(people), Person(people)
    assert person.type(person.sign_in("form")).action == REPLY.format("form")
    signed_in(stranger, "jwt")
    assert brought_unasked(person, "swt").action == REPLY.format("swt")
    assert person.sign_in("saml20").action == REPLY.format("saml20"), "the session that began is the browser's own"
    assert set(person.sign_out().frames) == told("form", "swt", "saml20")
    assert person.sign_in("jwt").location.startswith("https://adfs.example/")
    assert len(rows_of(people, tables.browser_session)) == 1, "the stranger's"


def test_a_sign_in_that_waits_is_still_the_browsers_own_after_an_answer_that_came_without_cookies(
    people: World,
) -> None:
    allow_unsolicited(people)
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    assert brought_unasked(person, "swt").action == REPLY.format("swt")
    assert person.bring(state, ADFS.answer(people)).action == REPLY.format("jwt")
    assert set(person.sign_out().frames) == told("jwt", "swt")


def test_a_browser_that_has_no_cookies_yet_signs_out_of_what_an_answer_that_nobody_asked_for_began(
    people: World,
) -> None:
    allow_unsolicited(people)
    person, stranger = Person(people), Person(people)
    for each, party in ((person, "swt"), (stranger, "jwt")):
        assert brought_unasked(each, party).action == REPLY.format(party)
    assert set(person.sign_out().frames) == told("swt")
    assert stranger.sign_in("saml20").action == REPLY.format("saml20"), "nobody else is signed out"
    assert set(stranger.sign_out().frames) == told("jwt", "saml20")
    assert rows_of(people, tables.browser_session) == []
