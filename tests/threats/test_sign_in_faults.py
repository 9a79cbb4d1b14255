"""Rows F03 and A14 while somebody signs in: processes that die, a database that goes away, many who come at once."""

import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest

from sts.store import tables
from tests.faults import fault_points
from tests.flows.bringer import Errand, bringing
from tests.flows.conftest import people, people_pattern
from tests.flows.identity_provider import Encryption, IdentityProvider
from tests.flows.operators import DECRYPTION, first
from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, REPLY, signed_in
from tests.flows.test_database_away import database_away
from tests.flows.world import SECRET, World
from tests.threats.endpoints import rows_of

__all__ = ["people", "people_pattern"]

POINTS = fault_points("sign-in.")
COMMITTED = "sign-in.committed"


def provider_of(world: World, party: str) -> IdentityProvider:
    """Who signs people in to a relying party."""
    if party != "sealed":
        return ADFS
    return IdentityProvider("sealing", encryption=Encryption.to(first(world, DECRYPTION)))


def tokens(world: World) -> int:
    """How many tokens the log knows of."""
    return sum("token_id" in record for record in world.records())


@pytest.mark.parametrize("party", ["jwt", "sealed"])
@pytest.mark.parametrize("point", POINTS)
def test_process_that_dies_on_the_way_to_its_answer_lets_nobody_in_twice(people: World, point: str, party: str) -> None:
    """What was not recorded yet can be brought again, once; what was, is over, and its token was never handed out."""
    person, provider = Person(people), provider_of(people, party)
    state, wresult = provider.asked_by(person.sign_in(party)), provider.answer(people)
    with bringing(people, [Errand.answer(person, state, wresult)], point) as doomed:
        doomed.go()
        assert doomed.ended() == -signal.SIGKILL
    assert tokens(people) == 0
    again = [person.bring(state, wresult).status for _ in range(3)]
    assert again == ([400] * 3 if point == COMMITTED else [200, 400, 400])
    assert tokens(people) == (0 if point == COMMITTED else 1)
    assert len(rows_of(people, tables.browser_session)) == 1
    fresh = Person(people)
    assert signed_in(fresh, party, provider).action == REPLY.format(party)


@pytest.mark.parametrize("party", ["jwt", "sealed"])
@pytest.mark.parametrize("browsers", [1, 16])
def test_a14_of_sixteen_at_once_in_two_processes_one_is_let_in(people: World, browsers: int, party: str) -> None:
    """The same answer, sixteen times by one browser or once by each of sixteen; eight times in each process."""
    provider = provider_of(people, party)
    persons = [Person(people, source=f"192.0.2.{number}") for number in range(browsers)]
    states = [provider.asked_by(person.sign_in(party)) for person in persons]
    wresult = provider.answer(people)
    errands = [Errand.answer(*one, wresult) for one in zip(persons, states, strict=True)] * (16 // browsers)
    with ExitStack() as stack:
        processes = [stack.enter_context(bringing(people, errands[half : half + 8])) for half in (0, 8)]
        for process in processes:
            process.go()
        answers = [answer for process in processes for answer in process.answers()]
    assert sorted(answers) == [(200, True)] + [(400, False)] * 15
    assert tokens(people) == 1
    assert len(rows_of(people, tables.browser_session)) == 1


def test_process_that_dies_after_a_password_was_right_lets_nobody_in_twice(people: World) -> None:
    person = Person(people)
    form = person.sign_in("form")
    with bringing(people, [Errand.password(person, form)], "session.begun") as doomed:
        doomed.go()
        assert doomed.ended() == -signal.SIGKILL
    assert [person.type(form).status for _ in range(2)] == [400] * 2
    assert tokens(people) == 0
    assert person.type(person.sign_in("form")).action == REPLY.format("form")


def test_a14_of_sixteen_at_once_in_two_processes_one_form_is_taken(people: World) -> None:
    person = Person(people)
    errands = [Errand.password(person, person.sign_in("form"))] * 8
    with ExitStack() as stack:
        processes = [stack.enter_context(bringing(people, errands)) for _ in range(2)]
        for process in processes:
            process.go()
        answers = [answer for process in processes for answer in process.answers()]
    assert sorted(answers) == [(200, True)] + [(400, False)] * 15
    assert tokens(people) == len(rows_of(people, tables.browser_session)) == 1


Step = Callable[[World, Person], Callable[[], Page]]  # prepared while all is well, taken when it is not


def _answer(party: str) -> Step:
    def prepare(world: World, person: Person) -> Callable[[], Page]:
        provider = provider_of(world, party)
        state, wresult = provider.asked_by(person.sign_in(party)), provider.answer(world)
        return lambda: person.bring(state, wresult)

    return prepare


def _form(world: World, person: Person) -> Callable[[], Page]:
    form = person.sign_in("form")
    return lambda: person.type(form)


def _wrong_password(world: World, person: Person) -> Callable[[], Page]:
    form = person.sign_in("form")
    return lambda: person.type(form, password=f"not {SECRET}")


def _single_sign_on(world: World, person: Person) -> Callable[[], Page]:
    signed_in(person, "jwt")
    return lambda: person.sign_in("swt")


def _sign_out(world: World, person: Person) -> Callable[[], Page]:
    signed_in(person, "jwt")
    return person.sign_out


NEEDING = {  # each with the status of the first and of the second time when the database is back
    "answer": (_answer("jwt"), 200, 400),
    "encrypted answer": (_answer("sealed"), 200, 400),
    "password": (_form, 200, 400),
    "wrong password": (_wrong_password, 401, 400),
    "single sign-on": (_single_sign_on, 200, 200),
    "sign-out": (_sign_out, 200, 200),
}


@contextmanager
def table_away(world: World, name: str) -> Iterator[None]:
    """Take one table away, so that what stands before it in a transaction has been done already."""

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(world.home / "sts.db")) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(name, "away")
    try:
        yield
    finally:
        rename("away", name)


def require_unavailable(world: World, page: Page) -> None:
    """The answer says to try again, hands out nothing, and is on record with its reason."""
    assert (page.status, page.heading) == (503, "Try again in a moment")
    assert int(page.answer.headers["Retry-After"]) > 0
    assert not page.fields
    assert str(world.home) not in page.answer.text
    record = world.records()[-1]
    assert (record["status"], record["error"]) == (503, "ACS60021")
    assert record["detail"]


@pytest.mark.parametrize("name", NEEDING)
def test_f03_step_that_needs_the_database_waits_for_it(people: World, name: str) -> None:
    prepare, *expected = NEEDING[name]
    step = prepare(people, Person(people))
    issued, sessions = tokens(people), len(rows_of(people, tables.browser_session))
    with database_away(people):
        for _ in range(3):
            require_unavailable(people, step())
    assert (tokens(people), len(rows_of(people, tables.browser_session))) == (issued, sessions)
    assert [step().status for _ in range(2)] == expected


def test_f03_step_that_needs_no_database_goes_on_from_memory(people: World) -> None:
    for party in ("jwt", "choice", "form"):
        Person(people).sign_in(party)
    Person(people).get(Person(people).at("v2/metadata/IdentityProviders.js", realm="https://choice.example/"))
    with database_away(people):
        statuses = [Person(people).sign_in(party).status for party in ("jwt", "choice", "form")]
        feed = Person(people).get(
            Person(people).at(
                "v2/metadata/IdentityProviders.js", realm="https://choice.example/", protocol="wsfederation"
            )
        )
    assert statuses == [302, 200, 200]
    assert feed.status == 200


@pytest.mark.parametrize("table", ["replay", "browser_session"])
@pytest.mark.parametrize("party", ["jwt", "sealed"])
def test_f03_record_that_cannot_be_finished_is_not_begun(people: World, table: str, party: str) -> None:
    """The token stays unused, so that whoever begins again gets in by it."""
    person, provider = Person(people), provider_of(people, party)
    state, wresult = provider.asked_by(person.sign_in(party)), provider.answer(people)
    with table_away(people, table):
        require_unavailable(people, person.bring(state, wresult))
    assert tokens(people) == len(rows_of(people, tables.browser_session)) == 0
    again = Person(people)
    state = provider.asked_by(again.sign_in(party))
    assert [again.bring(state, wresult).status for _ in range(2)] == [200, 400]
    assert tokens(people) == len(rows_of(people, tables.browser_session)) == 1


@pytest.mark.parametrize("party", ["jwt", "sealed"])
def test_f03_answer_that_could_not_be_recorded_is_good_once_the_database_is_back(people: World, party: str) -> None:
    """Nor is anything else tried before it is refused: whoever waits for a locked database waits once."""
    person, provider = Person(people), provider_of(people, party)
    state, wresult = provider.asked_by(person.sign_in(party)), provider.answer(people)
    with table_away(people, "browser_session"):
        for _ in range(2):
            require_unavailable(people, person.bring(state, wresult))
    assert [person.bring(state, wresult).status for _ in range(2)] == [200, 400]


def test_n04_budget_holds_against_many_at_once(people: World) -> None:
    """Those that are under way when the limit is reached are not called back: sixteen here."""
    provider = provider_of(people, "sealed")
    persons = [Person(people, source="192.0.2.99") for _ in range(64)]
    states = [provider.asked_by(person.sign_in("sealed")) for person in persons]
    head, separator, tail = provider.answer(people).rpartition("</xenc:CipherValue>")
    wresult = f"{head[:-12]}AAAAAAAAAAA={separator}{tail}"
    with ThreadPoolExecutor(16) as pool:
        statuses = Counter(pool.map(lambda person, state: person.bring(state, wresult).status, persons, states))
    assert set(statuses) == {400, 429}
    assert 20 <= statuses[400] < 20 + 16
    late = Person(people, source="192.0.2.99")
    assert late.bring(provider.asked_by(late.sign_in("sealed")), provider.answer(people)).status == 429
