"""Rotations of the master key in processes that are killed at every named point, and in many processes at once."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sts.assemble import open_installation
from sts.crypto.sealing import MasterKey
from sts.operations import audit, master_key, namespaces
from sts.operations.installation import Installation
from sts.settings import Settings
from sts.store import sealed_rows
from sts.web.rotation_thread import RotationThread
from tests.faults import Ended, Launcher, fault_points
from tests.operations.vault import add_identity, fingerprints_of, names_in, secrets_of
from tests.operations.workbench import NOW

ROTATE = ("master-key", "rotate")
IN_ORDER = [
    *("begun", "begun-committed", "next-made", "target-stored", "target-committed"),
    *("page-sealed", "page-committed", "verified", "completed", "completed-committed", "previous-kept", "renamed"),
]
FIRST = "master-key.begun"  # whoever dies here has not begun
POINTS = [*fault_points("master-key."), "master-key.page-sealed:2", "master-key.page-committed:2"]
IDENTITIES = 150  # so that there is a second page


@dataclass(frozen=True)
class Home:
    """A folder with a service, and what its secrets were at first."""

    path: Path
    old: bytes
    secrets: Mapping[str, bytes]
    fingerprints: Mapping[str, str]

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    def opened(self) -> Installation:
        """Open it, as any command or the service does."""
        return open_installation(Settings.from_environ({"STS_HOME": str(self.path)}), "tests", NOW)

    def require_whole(self) -> None:
        """Every secret opens, and is named as before."""
        opened = self.opened()
        assert secrets_of(opened) == self.secrets
        assert fingerprints_of(opened) == self.fingerprints
        audit.verify(opened)
        opened.database.close()

    def require_rotated(self) -> None:
        """What a rotation leaves that nobody disturbed."""
        self.require_whole()
        opened = self.opened()
        present = MasterKey.load(self.keys / "master.key")
        assert names_in(self.keys) - {"newest-change"} == {"master.key", "master.key.previous"}
        assert (self.keys / "master.key.previous").read_bytes() == self.old != (self.keys / "master.key").read_bytes()
        with opened.database.reading() as connection:
            assert sealed_rows.count(connection, except_under=present.id) == 0
        state = master_key.state(opened)
        assert (state.database, state.rotation, state.needs) == (present.id.hex(), None, ())
        assert self.audited() == ["master-key.rotate", "master-key.rotated"]
        opened.database.close()

    def audited(self) -> list[str]:
        records = audit.list_newest(self.opened(), "", 1000)
        return [record.action for record in records if record.subject == "master-key"]


def home_at(path: Path) -> Home:
    installation = open_installation(Settings.from_environ({"STS_HOME": str(path)}), "tests", NOW)
    secrets, fingerprints = secrets_of(installation), fingerprints_of(installation)
    installation.database.close()
    return Home(path, (path / "keys" / "master.key").read_bytes(), secrets, fingerprints)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to be copied, with more secrets than fit in one transaction."""
    path = tmp_path_factory.mktemp("filled")
    installation = open_installation(Settings.from_environ({"STS_HOME": str(path)}), "tests", NOW)
    namespaces.create(installation, "contoso", NOW)
    for number in range(IDENTITIES):
        add_identity(installation, f"worker{number}", b"%032d" % number)
    installation.database.close()
    return path


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Home:
    return home_at(Path(shutil.copytree(filled, tmp_path / "home")))


def run_again(home: Home, launcher: Launcher) -> None:
    """The command, run again."""
    ended = launcher.run(home.path, *ROTATE)
    is_done = "master.key.previous is still there" in ended.stderr
    assert (ended.status, is_done) in ((0, False), (1, True)), ended


def start_service(home: Home, launcher: Launcher) -> None:
    """What each worker of the service does when it starts."""
    opened = home.opened()
    RotationThread(opened, lambda: NOW).look()
    opened.database.close()


RESUMED: list[Any] = [
    pytest.param(point, resume, id=f"{point}-{resume.__name__}")
    for point in POINTS
    for resume in (run_again, start_service)
]


@pytest.mark.parametrize(("point", "go_on"), RESUMED)
def test_rotation_killed_anywhere_comes_to_the_same_end(
    home: Home, launcher: Launcher, point: str, go_on: Callable[[Home, Launcher], None]
) -> None:
    assert launcher.run(home.path, *ROTATE, point=point).was_killed
    home.require_whole()
    go_on(home, launcher)
    if (point, go_on) == (FIRST, start_service):
        assert home.audited() == []
        assert names_in(home.keys) == {"master.key"}
        run_again(home, launcher)
    home.require_rotated()


def test_one_rotation_killed_at_every_point_in_turn_comes_to_the_same_end(home: Home, launcher: Launcher) -> None:
    assert sorted(f"master-key.{name}" for name in IN_ORDER) == fault_points("master-key.")
    killed = []
    for name in IN_ORDER:
        if launcher.run(home.path, *ROTATE, point=f"master-key.{name}").was_killed:
            killed.append(name)
        home.require_whole()  # opening it gives the files their names, so that the last two are passed only once
    assert killed == IN_ORDER[: len(killed)]
    assert len(killed) >= len(IN_ORDER) - 2
    run_again(home, launcher)
    home.require_rotated()


@pytest.mark.parametrize("others", ["master-key.page-committed", "master-key.verified", "master-key.renamed"])
def test_sixteen_processes_of_which_all_die_come_to_the_same_end(home: Home, launcher: Launcher, others: str) -> None:
    ended = launcher.run_together(16, home.path, *ROTATE, point=others)
    assert any(each.was_killed for each in ended)
    home.require_whole()
    run_again(home, launcher)
    home.require_rotated()


def test_of_sixteen_rotations_at_once_one_wins(home: Home, launcher: Launcher) -> None:
    ended = launcher.run_together(16, home.path, *ROTATE)
    assert [each for each in ended if not _is_proper(each)] == []
    assert sum(each.stdout.startswith("sealed ") for each in ended) == 1
    home.require_rotated()


def _is_proper(ended: Ended) -> bool:
    """It rotated, waited for the one that did, or came after it and was told to discard the previous key first."""
    if ended.status == 0:
        return ended.stdout.startswith(("sealed ", "another process sealed "))
    return ended.status == 1 and "master.key.previous is still there" in ended.stderr


def test_workers_that_start_at_once_finish_a_rotation_once(home: Home, launcher: Launcher) -> None:
    assert launcher.run(home.path, *ROTATE, point="master-key.target-committed").was_killed
    workers = [RotationThread(home.opened(), lambda: NOW) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.stop()
    home.require_rotated()


def test_killed_discard_leaves_a_key_too_many_and_none_too_few(home: Home, launcher: Launcher) -> None:
    run_again(home, launcher)
    discard = ("master-key", "discard-previous", "--yes")
    assert launcher.run(home.path, *discard, point="discard-master-key.recorded").was_killed
    assert (home.keys / "master.key.previous").read_bytes() == home.old
    assert launcher.run(home.path, *discard).status == 0
    assert names_in(home.keys) == {"master.key"}
    home.require_whole()
