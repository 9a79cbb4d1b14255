"""`sts serve` ends in order, or does not, and the machine starts again: what may have been lost is refused (ADR 16)."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.test_serve import START_LIMIT, free_port, get, stopped, wait_until_live
from tests.flows.world import make_world, open_world
from tests.threats.test_power_failure import BOOT, NEXT_BOOT, boot_file

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Serving:
    """An `sts serve` that runs."""

    parent: subprocess.Popen[bytes]
    port: int

    @property
    def workers(self) -> list[int]:
        """Its workers' process ids."""
        return [
            int(pid) for pid in Path(f"/proc/{self.parent.pid}/task/{self.parent.pid}/children").read_text().split()
        ]

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it in order."""
        assert stopped(self.parent, number) == 0


@dataclass
class Machine:
    """A machine, in one run after the other."""

    home: Path
    boots: Path
    processes: ExitStack = field(default_factory=ExitStack)

    def serve(self, **environ: str) -> Serving:
        """Start `sts serve`, as far as it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STS_")}
        given = {"STS_HOME": str(self.home), "PYTHONPATH": str(ROOT), "BOOT_ID_FILE": str(self.boots)}
        serving = self.processes.enter_context(started(free_port(), self.home / "log", {**kept, **given, **environ}))
        wait_until_live(serving.parent, serving.port)
        return serving

    def left(self) -> list[str]:
        """During which runs somebody recorded who did not say that he ended."""
        with closing(sqlite3.connect(self.home / "sts.db")) as database:
            return [boot for (boot,) in database.execute("SELECT boot_id FROM serving")]

    def loses(self) -> bool:
        """Start the machine again, and answer whether the service refuses what may have been used before."""
        boot_file(self.boots.parent, NEXT_BOOT)
        self.serve()
        return "the machine went down" in (self.home / "log").read_text()


@contextmanager
def started(port: int, log: Path, environ: dict[str, str]) -> Iterator[Serving]:
    """A service that is gone afterwards with all that it started."""
    command = [sys.executable, "-m", "tests.threats.booted", "serve", "--port", str(port), "--workers", "2"]
    with log.open("ab") as file:
        parent = subprocess.Popen(command, env=environ, stdout=file, stderr=file, start_new_session=True)
    try:
        yield Serving(parent, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose service has ended in order, to be copied."""
    home = tmp_path_factory.mktemp("used")
    make_world(home, "namespace: contoso\n", boot_id_file=boot_file(home, BOOT)).close()
    with closing(sqlite3.connect(home / "sts.db")) as database, database:
        database.execute("DELETE FROM serving")
    return home


@pytest.fixture
def machine(used: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine in its first run."""
    with ExitStack() as processes:
        yield Machine(Path(shutil.copytree(used, tmp_path / "home")), boot_file(tmp_path, BOOT), processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_planned_reboot_loses_nothing(machine: Machine, number: signal.Signals) -> None:
    serving = machine.serve()
    assert machine.left() == [BOOT]
    serving.end(number)
    assert machine.left() == []
    assert not machine.loses()


def test_kill_of_everything_is_no_end_in_order(machine: Machine) -> None:
    serving = machine.serve()
    os.killpg(serving.parent.pid, signal.SIGKILL)
    serving.parent.wait()
    assert machine.loses()


def test_workers_that_outlive_their_parent_are_not_forgotten_when_the_next_one_ends(machine: Machine) -> None:
    serving = machine.serve()
    workers = serving.workers
    serving.parent.kill()
    serving.parent.wait()
    assert [os.kill(worker, 0) for worker in workers] == [None, None]
    machine.serve().end()
    assert machine.left() == [BOOT]
    assert machine.loses()


def test_killed_worker_has_lost_nothing_once_all_have_ended(machine: Machine) -> None:
    serving = machine.serve()
    before = serving.workers
    os.kill(before[0], signal.SIGKILL)
    limit = time.monotonic() + START_LIMIT
    while len(set(serving.workers) - set(before)) == 0:
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert machine.left() == [BOOT]
    stopped(serving.parent, signal.SIGTERM)
    assert machine.left() == []


def test_worker_that_had_to_be_killed_at_the_end_has_ended(machine: Machine) -> None:
    serving = machine.serve()
    os.kill(serving.workers[0], signal.SIGSTOP)
    serving.end()
    assert machine.left() == []


def test_service_that_leaves_a_process_has_not_ended(machine: Machine) -> None:
    serving = machine.serve(LEFT_BEHIND="1")
    serving.end()
    assert machine.left() == [BOOT]


def test_each_of_two_services_ends_for_itself_alone(machine: Machine) -> None:
    first, second = machine.serve(), machine.serve()
    assert machine.left() == [BOOT, BOOT]
    first.end()
    assert machine.left() == [BOOT]
    third = machine.serve()
    second.end()
    assert get(third.port, "/health/ready")[0] == 200
    assert machine.left() == [BOOT]
    third.parent.kill()
    third.parent.wait()
    assert machine.loses()


def test_other_servers_never_say_that_they_ended(machine: Machine) -> None:
    serving = machine.serve()
    open_world(machine.home, boot_id_file=machine.boots).close()
    serving.end()
    assert machine.left() == [BOOT]
    assert machine.loses()


def test_end_that_cannot_be_noted_is_told_and_is_none(machine: Machine) -> None:
    serving = machine.serve()
    with closing(sqlite3.connect(machine.home / "sts.db")) as database, database:
        database.execute("CREATE TRIGGER fails BEFORE DELETE ON serving BEGIN DELETE FROM missing; END")
    serving.end()
    assert machine.left() == [BOOT]
    assert "it cannot be noted that the service ended in order" in (machine.home / "log").read_text()
