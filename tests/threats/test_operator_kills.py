"""Fault F01 where an operator steps in: the command is killed at every point, and has happened as a whole or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sts.operations.watch import MARK
from tests.faults import Launcher, fault_points
from tests.threats.rolling_homes import Home, make_home

SELECTED = ("--namespace", "contoso", "--use", "signing", "--index")
MAKE_PRIMARY = ("certificate", "make-primary", *SELECTED, "2")
REVOKE = ("certificate", "revoke", *SELECTED, "1")
RESUME = ("rollover", "resume", "--namespace", "contoso", "--ring", "signing")
ACCEPT = ("rollover", "accept-restore")
RUN = ("rollover", "run")


@dataclass(frozen=True)
class Verb:
    """A command, and what is done before it."""

    command: tuple[str, ...]
    before: tuple[str, ...] | None = None


VERBS: Mapping[str, Verb] = {
    "make-primary": Verb(MAKE_PRIMARY),
    "revoke": Verb(REVOKE),
    "resume": Verb(RESUME, MAKE_PRIMARY),
}
POINTS = [(verb, point) for verb in VERBS for point in fault_points(f"{verb}.")]
ACCEPT_POINTS = fault_points("accept-restore.")


@pytest.fixture(scope="module")
def pattern_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home to be copied in which every ring has a successor whose day has come."""
    return make_home(tmp_path_factory.mktemp("operators") / "home", "promote")


@pytest.fixture
def home(pattern_home: Home, tmp_path: Path) -> Home:
    return pattern_home.copied(tmp_path / "home")


def prepare(home: Home, launcher: Launcher, verb: Verb) -> None:
    """Do what comes before the command."""
    if verb.before is not None:
        ended = launcher.run(home.path, *verb.before)
        assert ended.status == 0, ended


@pytest.mark.parametrize(("verb", "point"), POINTS)
def test_f01_a_command_that_is_killed_has_happened_as_a_whole_or_not_at_all(
    home: Home, launcher: Launcher, tmp_path: Path, verb: str, point: str
) -> None:
    chosen = VERBS[verb]
    prepare(home, launcher, chosen)
    untouched, undisturbed = home.rows(), home.copied(tmp_path / "undisturbed")
    assert launcher.run(undisturbed.path, *chosen.command).status == 0
    undisturbed.require_whole()
    assert undisturbed.rows() != untouched
    assert launcher.run(home.path, *chosen.command, point=point).was_killed
    home.require_whole()
    if not point.endswith(".committed"):
        assert home.rows() == untouched
        assert launcher.run(home.path, *chosen.command).status == 0
        home.require_whole()
    assert home.rows() == undisturbed.rows()


def test_every_command_has_points_before_and_after_it_is_committed() -> None:
    for verb in (*VERBS, "accept-restore"):
        points = fault_points(f"{verb}.")
        assert f"{verb}.committed" in points
        assert len(points) >= 3


@pytest.mark.parametrize("point", ACCEPT_POINTS)
def test_f13_an_accepted_restore_that_is_killed_is_in_doubt_until_its_mark_is_written(
    home: Home, launcher: Launcher, point: str
) -> None:
    mark = home.path / "keys" / MARK
    mark.write_text(f"{2**40} {'0' * 64}\n")
    held = launcher.run(home.path, *RUN)
    assert (held.status, "restored from a copy" in held.stderr) == (1, True)
    assert launcher.run(home.path, *ACCEPT, point=point).was_killed
    home.require_whole()
    is_marked = point == "accept-restore.marked"
    assert launcher.run(home.path, *RUN).status == (0 if is_marked else 1)
    assert launcher.run(home.path, *ACCEPT).status == 0
    ended = launcher.run(home.path, *RUN)
    assert (ended.status, "restored" in ended.stderr) == (0, False)
    home.require_whole()
    assert launcher.run(home.path, "rollover", "status").status == 0


@pytest.mark.parametrize("commands", [(MAKE_PRIMARY, REVOKE), (MAKE_PRIMARY, RESUME, RUN), (REVOKE, RUN)])
def test_f01_operators_and_the_rollover_that_are_all_killed_after_a_while_leave_one_primary(
    home: Home, launcher: Launcher, commands: tuple[tuple[str, ...], ...]
) -> None:
    for point in ("make-primary.saved", "revoke.audited", "resume.audited", "rollover.promote.saved"):
        launcher.run_all(home.path, commands * 3, point=point)
        home.require_whole()
