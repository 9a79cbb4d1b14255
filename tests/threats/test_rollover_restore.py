"""Fault F13: yesterday's copy takes the place of the database."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sts.operations import watch
from tests.faults import Launcher
from tests.flows.operators import NAMESPACE, promote
from tests.flows.people import Person
from tests.flows.self_issued import present, self_issued
from tests.flows.signing_in import ADFS, CONFIGURATION, PROVIDERS, REPLY
from tests.flows.world import SECRET, START, World, lend, open_world
from tests.operations.rolling import members
from tests.protocols.wstrust.messages import TrustMessage, request, username_token
from tests.threats.rolling_homes import RINGS, make_home
from tests.threats.rolling_world import (
    DAY,
    END,
    HOUR,
    MINUTE,
    PUBLISHED,
    SECOND,
    TURNED,
    alarm,
    copied,
    credentials,
    look,
    roll,
    signers,
)


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@contextmanager
def restored(world: World, backup: Path) -> Iterator[World]:
    """The service stops, yesterday's copy takes the place of its database, and it starts again."""
    now = world.now
    world.close()
    for path in world.home.glob("sts.db*"):
        path.unlink()
    copy_database(backup, world.home / "sts.db")
    for again in lend(open_world(world.home)):
        again.clock.now = now
        yield again


@pytest.fixture
def yesterday(quick_pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service that rolled over since a copy of its database was made, which was restored."""
    world = copied(quick_pattern, tmp_path / "home")
    roll(world, PUBLISHED)
    copy_database(world.home / "sts.db", tmp_path / "backup.db")
    roll(world, TURNED - MINUTE)
    look(world, TURNED)
    with restored(world, tmp_path / "backup.db") as again:
        yield again


def test_f13_a_restored_database_serves_and_does_nothing_by_itself_until_it_is_accepted(yesterday: World) -> None:
    old, new = members(yesterday.service.installation)
    assert (old.demoted_at, new.primary_from) == (None, None)
    assert signers(yesterday) == {old.id}
    before = credentials(yesterday)
    for wait in (MINUTE, 2 * MINUTE, 20 * DAY, 20 * DAY + MINUTE):
        assert look(yesterday, TURNED + wait) == []
        assert "was restored from a copy" in alarm(yesterday)
    assert credentials(yesterday) == before
    assert watch.accept_restore(yesterday.service.installation, yesterday.now)
    assert roll(yesterday, TURNED + 21 * DAY) == [f"{ring} promote" for ring in RINGS]
    yesterday.move(minutes=1)
    assert signers(yesterday) == {new.id}
    assert roll(yesterday, END + SECOND) == ["signing destroy", "tenant-ca destroy"]


def test_f13_what_operators_do_meanwhile_does_not_end_the_alarm(yesterday: World) -> None:
    _, new = members(yesterday.service.installation)
    for _ in range(3):
        promote(yesterday, NAMESPACE, new)
    yesterday.move(minutes=1)
    look(yesterday, yesterday.now)
    assert "was restored from a copy" in alarm(yesterday)
    assert signers(yesterday) == {new.id}


def test_f13_the_command_tells_of_it_with_its_exit_status(launcher: Launcher, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", "publish")
    backup = tmp_path / "backup.db"
    copy_database(home.path / "sts.db", backup)
    assert launcher.run(home.path, "rollover", "run").status == 0
    assert launcher.run(home.path, "rollover", "run").status == 0  # leaves the mark
    copy_database(backup, home.path / "sts.db")
    for command in ("status", "run"):
        ended = launcher.run(home.path, "rollover", command)
        assert (ended.status, "was restored from a copy" in ended.stderr) == (1, True)
    assert launcher.run(home.path, "rollover", "accept-restore").status == 0
    assert launcher.run(home.path, "rollover", "status").status == 1  # publishing is due since days
    assert launcher.run(home.path, "rollover", "run").stdout.count(": publish ") == len(RINGS)
    assert launcher.run(home.path, "rollover", "status").status == 0


def used(world: World) -> Mapping[str, bytes]:
    """Assertions that were used in the time that the copy does not know, by how long they are good."""
    made = {"ten minutes": self_issued(world, 600), "a day": self_issued(world, 86_400)}
    assert {present(world, assertion).status_code for assertion in made.values()} == {200}
    return made


@pytest.fixture
def replayable(quick_pattern: Path, tmp_path: Path) -> Iterator[tuple[World, Mapping[str, bytes]]]:
    """A restored service, and assertions that it does not know were used."""
    world = copied(quick_pattern, tmp_path / "home")
    look(world, START)
    copy_database(world.home / "sts.db", tmp_path / "backup.db")
    world.apply("namespace: fabrikam\n")
    look(world, START + SECOND)
    assertions = used(world)
    with restored(world, tmp_path / "backup.db") as again:
        look(again, again.now)
        yield again, assertions


@pytest.mark.parametrize("accepted", [False, True], ids=["not accepted", "accepted"])
def test_f13_no_assertion_from_before_a_restore_is_taken_again(
    replayable: tuple[World, Mapping[str, bytes]], accepted: bool
) -> None:
    world, assertions = replayable
    if accepted:
        assert watch.accept_restore(world.service.installation, world.now)
    start = world.now
    for wait in (timedelta(0), 5 * MINUTE, 12 * HOUR, DAY, DAY + 2 * MINUTE, DAY + 4 * MINUTE):
        world.clock.now = start + wait
        look(world, world.now)
        assert {present(world, assertion).status_code for assertion in assertions.values()} == {401}
    assert present(world, self_issued(world, 600)).status_code == 200


def test_f13_assertions_are_taken_again_after_a_day_and_once(
    replayable: tuple[World, Mapping[str, bytes]],
) -> None:
    world, _ = replayable
    start = world.now
    fresh = self_issued(world, 600)
    assert present(world, fresh).status_code == 401, "it cannot be told from one that was used before"
    assert world.oauth("swt").status_code == 200
    world.clock.now = start + HOUR
    look(world, world.now)
    longer = self_issued(world, 23 * 3600 + 1000)
    assert [present(world, longer).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize("accepted", [False, True], ids=["not accepted", "accepted"])
def test_f13_people_sign_in_again_five_minutes_after_a_restore_but_not_by_what_was_issued_before(
    quick_pattern: Path, tmp_path: Path, accepted: bool
) -> None:
    world = copied(quick_pattern, tmp_path / "home")
    for provider in PROVIDERS:
        provider.write_certificate(world.home)
    world.apply(CONFIGURATION)
    look(world, START)
    person, ann = Person(world), Person(world)
    ann.type(ann.sign_in("form"))
    assert ann.sign_in("form").action == REPLY.format("form")
    copy_database(world.home / "sts.db", tmp_path / "backup.db")
    ann.sign_out()
    world.apply("namespace: fabrikam\n")
    look(world, START + SECOND)
    stolen = ADFS.sending(expires_at=START + 12 * HOUR, issued_at=START + SECOND + 3 * MINUTE).answer(world)
    assert person.bring(ADFS.asked_by(person.sign_in("jwt")), stolen).status == 200
    with restored(world, tmp_path / "backup.db") as again:
        look(again, again.now)
        if accepted:
            assert watch.accept_restore(again.service.installation, again.now)
        start = again.now
        ann.world = again
        ann.client.application = again.client.application
        assert ann.sign_in("form").heading == "Sign in to form", "the copy did not know that she signed out"

        def brings(wresult: str) -> int:
            thief = Person(again)
            return thief.bring(ADFS.asked_by(thief.sign_in("jwt")), wresult).status

        assert brings(stolen) == brings(ADFS.answer(again)) == 400, "an honest clock may be ahead of ours"
        assert "were lost to a restore" in again.records()[-1]["detail"]
        for wait in (5 * MINUTE + SECOND, HOUR, 11 * HOUR):
            again.clock.now = start + wait
            look(again, again.now)
            assert (brings(stolen), brings(ADFS.answer(again))) == (400, 200)


@pytest.mark.parametrize("ahead", [0 * MINUTE, 3 * MINUTE, 5 * MINUTE], ids=str)
def test_f13_message_that_was_answered_before_a_restore_is_not_answered_again(
    quick_pattern: Path, tmp_path: Path, ahead: timedelta
) -> None:
    world = copied(quick_pattern, tmp_path / "home")
    look(world, START)
    copy_database(world.home / "sts.db", tmp_path / "backup.db")
    world.apply("namespace: fabrikam\n")
    look(world, START + SECOND)

    def answers(asked: World, sent: TrustMessage) -> bool:
        return asked.post(sent.path, sent.xml(), content_type=sent.media_type).status_code == 200

    message = TrustMessage(world.now + ahead, username_token("worker", SECRET), request("https://jwt.example/"))
    assert [answers(world, message) for _ in range(2)] == [True, False]
    with restored(world, tmp_path / "backup.db") as again:
        for wait in (timedelta(0), ahead, ahead + 5 * MINUTE):
            look(again, START + SECOND + wait)
            assert not answers(again, message)
            assert "were lost to a restore" in again.records()[-1]["detail"]
        again.move(seconds=1)
        fresh = replace(message, now=again.now, message_id="urn:uuid:fresh")
        assert answers(again, fresh)
