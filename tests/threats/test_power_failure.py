"""The machine goes down: the database comes back as its disk last saw it, without the uses recorded since (ADR 16)."""

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sts.assemble import assemble
from sts.operations import power_failure, watch
from sts.operations.power_failure import record_through
from sts.settings import Settings
from sts.store import installation as table
from sts.store import serving, tables
from sts.store.database import Database
from tests.connections import looking
from tests.flows.people import Person
from tests.flows.self_issued import present, self_issued
from tests.flows.signing_in import ADFS, REPLY, configured, signed_in
from tests.flows.world import START, World, open_world, open_world_at
from tests.store.earlier_schemas import earlier_schema
from tests.threats.rolling_world import HOUR, MINUTE, SECOND, copied, look

BOOT, NEXT_BOOT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NORMAL, FULL = 1, 2  # PRAGMA synchronous
REFUSED = 5 * MINUTE + 30 * SECOND  # what is dated so far after the last look at the clock, or before


def dated_lost(connection: sa.Connection) -> datetime | None:
    """Up to when uses of tokens that say when they were issued may be lost."""
    return table.known_uses(*connection.execute(sa.select(*table.use_marks())).one()).dated_lost


def boot_file(folder: Path, boot_id: str) -> Path:
    """What the system says its run is called."""
    file = folder / "boot_id"
    file.write_text(f"{boot_id}\n")
    return file


@dataclass
class Machine:
    """A machine that may lose its power, and the service on it."""

    folder: Path
    world: World

    def save_what_the_disk_saw(self) -> None:
        """What is recorded from here on without waiting for the disk does not get there."""
        for name in ("sts.db", "sts.db-wal"):
            shutil.copy(self.world.home / name, self.folder / name)

    def go_down(self) -> None:
        """Lose what the disk has not seen."""
        self.world.service.installation.database.close()
        for path in self.world.home.glob("sts.db*"):
            path.unlink()
        for path in self.folder.glob("sts.db*"):
            shutil.copy(path, self.world.home / path.name)

    def start(self, boot_id: str) -> World:
        """Start the service in this run of the machine."""
        self.world.close()
        boots = boot_file(self.folder, boot_id)
        self.world = open_world_at(self.world.now, self.world.home, boot_id_file=boots)
        return self.world


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service that people sign in to, to be copied."""
    home = tmp_path_factory.mktemp("people")
    configured(home, boot_id_file=boot_file(home, BOOT)).close()
    return home


@pytest.fixture
def machine(people: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose service has looked at its clock, and taken one token."""
    folder = tmp_path / "disk"
    folder.mkdir()
    home = Path(shutil.copytree(people, tmp_path / "home"))
    found = Machine(folder, open_world(home, boot_id_file=boot_file(folder, BOOT)))
    look(found.world, START)
    assert signed_in(Person(found.world), "jwt").action == REPLY.format("jwt")
    yield found
    found.world.close()


def brings(world: World, wresult: str | bytes) -> int:
    """The status of somebody else's sign-in with an answer."""
    person = Person(world)
    return person.bring(ADFS.asked_by(person.sign_in("jwt")), wresult).status


@contextmanager
def syncing() -> Iterator[list[int]]:
    """How well the connections are synchronised that are taken meanwhile, by any part of the service."""
    seen: list[int] = []

    def look_at(connection: Any) -> None:
        with closing(connection.cursor()) as cursor:
            seen.append(cursor.execute("PRAGMA synchronous").fetchone()[0])

    with looking(look_at):
        yield seen


def test_answer_whose_use_the_machine_lost_is_refused_and_later_ones_are_taken(machine: Machine) -> None:
    world = machine.world
    machine.save_what_the_disk_saw()
    issued_at = world.now + 3 * MINUTE  # by a clock that is ahead
    stolen = ADFS.sending(expires_at=START + 12 * HOUR, issued_at=issued_at).answer(world)
    assert [brings(world, stolen) for _ in range(2)] == [200, 400]
    world.move(seconds=20)
    machine.go_down()
    world = machine.start(NEXT_BOOT)
    start = world.now
    assert [brings(world, stolen), brings(world, ADFS.answer(world))] == [400, 400]
    assert "may have been lost when the machine went down" in world.records()[-1]["detail"]
    for wait in (REFUSED, HOUR, 11 * HOUR):
        world.clock.now = start + wait
        look(world, world.now)
        assert (brings(world, stolen), brings(world, ADFS.answer(world))) == (400, 200)


def test_a_service_that_was_only_killed_goes_on_at_once_and_has_lost_nothing(machine: Machine) -> None:
    answer = ADFS.answer(machine.world)
    assert brings(machine.world, answer) == 200
    world = machine.start(BOOT)
    assert (brings(world, answer), brings(world, ADFS.answer(world))) == (400, 200)
    with world.service.installation.database.reading() as connection:
        assert dated_lost(connection) is None


def test_tokens_that_do_not_say_when_they_were_issued_are_not_lost_and_go_on(
    quick_pattern: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    machine = Machine(tmp_path / "disk", copied(quick_pattern, tmp_path / "home"))
    world = machine.start(BOOT)
    used = self_issued(world, 86_400)
    with syncing() as seen:
        assert present(world, used).status_code == 200
    assert NORMAL not in seen
    world = machine.start(NEXT_BOOT)
    assert [present(world, each).status_code for each in (used, self_issued(world))] == [401, 200]
    world.close()


def test_only_signing_in_by_an_identity_provider_does_not_wait_for_the_disk(machine: Machine) -> None:
    world = machine.world
    person, ann = Person(world), Person(world)
    state, answer = ADFS.asked_by(person.sign_in("jwt")), ADFS.answer(world)
    with syncing() as deferred:
        assert person.bring(state, answer).status == 200
    with syncing() as synced:
        person.sign_out()
        assert ann.type(ann.sign_in("form")).status == 200
        assert brings(world, b"<a/>") == 400
        world.apply("namespace: fabrikam\n")
    assert (deferred.count(NORMAL), set(synced)) == (1, {FULL})


def test_signing_out_keeps_what_was_recorded_before_it(machine: Machine) -> None:
    world = machine.world
    person = Person(world)
    state, answer = ADFS.asked_by(person.sign_in("jwt")), ADFS.answer(world)
    assert person.bring(state, answer).status == 200
    cookies = person.cookies()
    person.sign_out()
    machine.save_what_the_disk_saw()
    machine.go_down()
    world = machine.start(NEXT_BOOT)
    person = Person(world)
    for name, value in cookies.items():
        person.client.set_cookie(name, value, domain="127.0.0.1")
    assert person.sign_in("jwt").location.startswith("https://adfs.example/"), "nobody is signed in"
    assert brings(world, answer) == 400
    assert "was used before" in world.records()[-1]["message"]


@pytest.mark.parametrize("boot_id", ["", "00000000-0000-0000-0000-000000000000", "a boot", "\x00", "11111111"])
def test_machine_that_does_not_name_its_run_waits_for_the_disk(machine: Machine, boot_id: str) -> None:
    world = machine.start(boot_id)
    person = Person(world)
    world.move(minutes=6)
    state, answer = ADFS.asked_by(person.sign_in("jwt")), ADFS.answer(world)
    with syncing() as seen:
        assert person.bring(state, answer).status == 200
    assert set(seen) == {FULL}
    with world.service.installation.database.reading() as connection:
        lost = dated_lost(connection)
    world = machine.start(boot_id)
    with world.service.installation.database.reading() as connection:
        assert (lost, dated_lost(connection)) == (START + REFUSED, START + REFUSED)


def test_clock_that_is_behind_after_a_power_failure_is_not_believed(machine: Machine) -> None:
    world = machine.world
    look(world, START + SECOND)
    machine.save_what_the_disk_saw()
    stolen = ADFS.sending(expires_at=START + 12 * HOUR).answer(world)
    assert brings(world, stolen) == 200
    machine.go_down()
    world.clock.now = START - timedelta(days=400)
    machine.start(NEXT_BOOT)
    machine.world.clock.now = START + 4 * MINUTE
    assert brings(machine.world, stolen) == 400


@pytest.mark.parametrize(
    ("left", "loses"),
    [
        ({}, False),
        ({"ours": BOOT}, True),
        ({"": BOOT}, True),
        ({"": "unknown"}, True),
        ({"ours": NEXT_BOOT, "": NEXT_BOOT}, False),
        ({"ours": NEXT_BOOT, "others": BOOT}, True),
    ],
)
def test_uses_are_lost_unless_all_who_recorded_before_ended_in_order(
    machine: Machine, left: dict[str, str], loses: bool
) -> None:
    installation = machine.world.service.installation
    with installation.database.recording() as connection:
        connection.execute(sa.delete(tables.serving))
        for instance, boot_id in left.items():
            serving.begin(connection, instance, boot_id)
    record_through(installation, boot_file(machine.folder, NEXT_BOOT), START, "new")
    with installation.database.reading() as connection:
        recording = {row.instance: row.boot_id for row in connection.execute(sa.select(tables.serving))}
        lost = dated_lost(connection)
    assert recording == {name: boot_id for name, boot_id in left.items() if boot_id == NEXT_BOOT} | {"new": NEXT_BOOT}
    assert lost == (START + REFUSED if loses else None)


@pytest.mark.parametrize(
    ("boot_id", "uses", "left"),
    [(None, 0, []), (None, 1, [("", "unknown")]), (BOOT, 0, [("", BOOT)]), (BOOT, 1, [("", BOOT)])],
)
def test_who_recorded_under_an_earlier_version_did_not_end_in_order(
    tmp_path: Path, boot_id: str | None, uses: int, left: list[tuple[str, str]]
) -> None:
    url = f"sqlite:///{tmp_path / 'sts.db'}"
    with earlier_schema(url, "0008") as connection:
        if boot_id is not None:
            connection.execute(sa.insert(tables.installation).values(name="boot", value=boot_id.encode()))
        for number in range(uses):
            row = {"namespace_id": 1, "issuer": "", "token_id": str(number), "expires_at": START}
            connection.execute(sa.insert(tables.replay).values(**row))
    database = Database(url)
    database.migrate()
    with database.reading() as connection:
        assert [tuple(row) for row in connection.execute(sa.select(tables.serving))] == left
    database.close()


def test_an_end_in_order_is_on_the_disk_with_all_that_was_recorded_and_loses_nothing(machine: Machine) -> None:
    database = machine.world.service.installation.database
    with database.recording() as connection:
        connection.execute(sa.delete(tables.serving))
        serving.begin(connection, "ours", BOOT)
    used, unused = ADFS.answer(machine.world), ADFS.answer(machine.world)
    assert brings(machine.world, used) == 200
    with syncing() as seen:
        power_failure.end(database, "ours")
    assert seen == [FULL]
    machine.save_what_the_disk_saw()
    machine.go_down()
    world = machine.start(NEXT_BOOT)
    assert (brings(world, used), brings(world, unused)) == (400, 200)


def start_service(home: str, boot_id_file: str) -> list[str]:
    """Start a service in this process, and answer what it warned of."""
    warned: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.append(record.getMessage())

    logging.getLogger(power_failure.__name__).addHandler(Listener(logging.WARNING))
    settings = replace(Settings.from_environ({"STS_HOME": home}), boot_id_file=Path(boot_id_file))
    assemble(settings).installation.database.close()
    return warned


def test_of_processes_that_start_at_once_one_notices_and_warns(machine: Machine) -> None:
    order = (str(machine.world.home), str(boot_file(machine.folder, NEXT_BOOT)))
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        started = [processes.submit(start_service, *order) for _ in range(4)]
        warned = [warning for process in started for warning in process.result()]
    assert len(warned) == 1
    assert "the machine went down" in warned[0]


def test_accepting_a_clock_that_is_right_again_ends_the_refusals_of_one_that_was_ahead(machine: Machine) -> None:
    world = machine.world
    with world.service.installation.database.recording() as connection:
        table.lose_dated_uses(connection, START + timedelta(days=300))
        table.save_clock_marks(connection, replace(table.clock_marks(connection), agreed=START + timedelta(days=300)))
    assert brings(world, ADFS.answer(world)) == 400
    assert watch.accept_restore(world.service.installation, START)
    world.move(minutes=6)
    assert brings(world, ADFS.answer(world)) == 200
