"""Row S01 once somebody was right: who guesses elsewhere is counted, learns nothing by it and locks nobody out."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from sts.store import tables
from sts.store.failures import FailureCounters
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import digest_token, username_token
from tests.threats.endpoints import ACS, OAUTH, WRAP, Endpoint, ask, rows_of
from tests.threats.trust_door import deliver_from, furnished, good

OWNER, STRANGER = "192.0.2.1", "203.0.113.1"
OWNERS_NETWORK, STRANGERS_NETWORK = "2001:db8:0:1::{:x}", "2001:db8:0:2::{:x}"
WRONG = "a guess that is wrong"
Send = Callable[[World, str, str], TestResponse]

_nonces: Iterator[int] = count(1)


def by_form(endpoint: Endpoint, world: World, password: str, source: str) -> TestResponse:
    return ask(world, endpoint, endpoint.form(password=password), source=source)


def by_text(world: World, password: str, source: str) -> TestResponse:
    return by_message(world, username_token("worker", password), source)


def by_digest(world: World, password: str, source: str) -> TestResponse:
    nonce = next(_nonces).to_bytes(16, "big")
    return by_message(world, digest_token("digest", password, nonce, world.now), source)


def by_message(world: World, token: str, source: str) -> TestResponse:
    return deliver_from(source, world, good(world, token=token))


DOORS: dict[str, Send] = {
    "wrap": partial(by_form, WRAP),
    "acs": partial(by_form, ACS),
    "oauth2": partial(by_form, OAUTH),
    "wstrust text": by_text,
    "wstrust digest": by_digest,
}
doors = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@pytest.fixture
def guarded(world: World) -> World:
    """A service in which passwords come to every door."""
    return furnished(world)


def outcome(answer: TestResponse) -> str:
    """What the caller learns."""
    if answer.status_code == 200:
        return "granted"
    return "wait" if "ACS90055" in answer.text else "wrong"


def outcomes(world: World, door: Send, password: str, sources: list[str]) -> list[str]:
    """What callers learn who try a password one after the other."""
    return [outcome(door(world, password, source)) for source in sources]


@doors
def test_s01_stranger_is_refused_alike_whatever_he_guesses_while_the_owner_is_remembered(
    guarded: World, door: Send
) -> None:
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    assert outcomes(guarded, door, WRONG, [STRANGER] * 11) == ["wrong"] * 10 + ["wait"]
    right, wrong = (door(guarded, password, STRANGER) for password in (SECRET, WRONG))
    assert (outcome(right), right.status_code) == ("wait", wrong.status_code)
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"


@pytest.mark.parametrize("guesses", [pytest.param(99, id="99"), pytest.param(100, id="100")])
@doors
def test_s01_neighbour_of_the_owner_has_a_hundred_guesses_before_the_right_one_is_refused_with_them(
    guarded: World, door: Send, guesses: int
) -> None:
    """Of one network, behind one address: what is wrong is not looked at any more, and what is right was remembered."""
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    for number in range(guesses):
        assert outcome(door(guarded, f"{WRONG} {number}", OWNER)) == ("wrong" if number < 10 else "wait")
    assert outcome(door(guarded, SECRET, OWNER)) == ("granted" if guesses < 100 else "wait")
    guarded.clock.now += timedelta(hours=1, seconds=1)
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"


@pytest.mark.parametrize("door", [door for name, door in DOORS.items() if name != "wstrust digest"])
def test_s01_one_old_password_again_and_again_is_one_guess(guarded: World, door: Send) -> None:
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    for _ in range(150):
        assert outcome(door(guarded, WRONG, OWNER)) != "granted"
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"


@doors
def test_s01_owner_who_is_remembered_in_a_network_is_not_so_in_another(guarded: World, door: Send) -> None:
    assert outcome(door(guarded, SECRET, OWNERS_NETWORK.format(1))) == "granted"
    strangers = [STRANGERS_NETWORK.format(number) for number in range(1, 13)]
    assert outcomes(guarded, door, WRONG, strangers) == ["wrong"] * 10 + ["wait"] * 2
    assert outcomes(guarded, door, SECRET, strangers[:2]) == ["wait"] * 2
    assert outcome(door(guarded, SECRET, OWNERS_NETWORK.format(2))) == "granted"


@doors
def test_s01_right_guess_of_a_stranger_is_remembered_for_the_stranger_alone(guarded: World, door: Send) -> None:
    assert outcome(door(guarded, SECRET, STRANGER)) == "granted"
    assert outcomes(guarded, door, WRONG, [OWNER] * 10) == ["wrong"] * 10
    assert outcome(door(guarded, SECRET, OWNER)) == "wait"
    assert outcome(door(guarded, SECRET, STRANGER)) == "granted"


def guessed_everywhere(world: World) -> None:
    """Have strangers everywhere fail to guess, until all of them together are refused."""
    counters = FailureCounters(world.service.installation.database)
    for name in ("worker", "digest"):
        for number in range(100):
            counters.record(world.namespace, name, f"198.51.100.{number}", world.now)


@doors
def test_s01_strangers_everywhere_do_not_lock_out_whoever_was_right_at_another_worker(
    guarded: World, neighbour: World, door: Send
) -> None:
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    guessed_everywhere(guarded)
    assert outcomes(neighbour, door, SECRET, [STRANGER, OWNER]) == ["wait", "granted"]
    guarded.move(days=29)
    guessed_everywhere(guarded)
    assert outcomes(guarded, door, SECRET, [STRANGER, OWNER]) == ["wait", "granted"]


@doors
def test_s01_guesses_where_the_owner_was_right_have_the_limit_of_one_source(
    guarded: World, neighbour: World, door: Send
) -> None:
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    guessed_everywhere(guarded)
    assert outcomes(neighbour, door, WRONG, [OWNER] * 11) == ["wrong"] * 10 + ["wait"]
    assert outcome(door(neighbour, SECRET, OWNER)) == "wait"


@doors
def test_s01_wrong_password_makes_no_network_known(guarded: World, door: Send) -> None:
    assert outcome(door(guarded, WRONG, OWNER)) == "wrong"
    assert rows_of(guarded, tables.known_source) == []


@doors
def test_s01_whoever_is_right_is_served_although_that_cannot_be_recorded(
    guarded: World, caplog: pytest.LogCaptureFixture, door: Send
) -> None:
    database = guarded.service.installation.database
    with database.recording() as connection:
        connection.execute(sa.text("ALTER TABLE known_source RENAME TO known_source_away"))
    assert outcome(door(guarded, SECRET, OWNER)) == "granted"
    assert "is not recorded" in caplog.text
