"""Faults F01, F11 and G14: rollovers in processes that are killed at every named point, and in many at once."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from sts.assemble import utc_now
from sts.core.model import KeyType
from sts.operations import new_credentials
from sts.operations.new_credentials import CertificateOrder
from sts.operations.rings import RingName as RingOf
from sts.web.rollover_thread import RolloverThread
from tests.faults import Launcher, fault_points
from tests.operations.rolling import members
from tests.threats.rolling_homes import AGES, RINGS, Home, is_in_office, make_home

RUN = ("rollover", "run")
STEPS = tuple(AGES)
PASSES = {"rollover.promote.saved": 6}  # of the others: once for each ring
POINTS = [
    (step, f"{point}:{number}")
    for step in STEPS
    for point in fault_points(f"rollover.{step}.")
    for number in range(1, PASSES.get(point, len(RINGS)) + 1)
]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Home]:
    """For each step, a home to be copied at which it is due."""
    return {step: make_home(tmp_path_factory.mktemp(step), step) for step in STEPS}


@pytest.fixture(scope="module")
def undisturbed(
    homes: Mapping[str, Home], launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Mapping[str, object]]:
    """What a rollover leaves that nobody disturbed, for each step."""
    rows = {}
    for step, home in homes.items():
        copy = home.copied(tmp_path_factory.mktemp("undisturbed") / step)
        ended = launcher.run(copy.path, *RUN)
        assert (ended.status, ended.stdout.count(f": {step} ")) == (0, len(RINGS)), ended
        copy.require_whole()
        rows[step] = copy.rows()
    return rows


def run_again(home: Home, launcher: Launcher) -> None:
    """The command, run again."""
    ended = launcher.run(home.path, *RUN)
    assert ended.status == 0, ended


def start_service(home: Home, launcher: Launcher) -> None:
    """What each worker of the service does when it starts."""
    installation = home.opened()
    RolloverThread(installation, utc_now).look()
    installation.database.close()


def test_the_points_are_all_there_and_each_is_passed_as_often_as_the_tests_say(
    homes: Mapping[str, Home], launcher: Launcher, tmp_path: Path
) -> None:
    assert {step for step, _ in POINTS} == {point.split(".")[1] for point in fault_points("rollover.")} == set(STEPS)
    for step in STEPS:
        for point in fault_points(f"rollover.{step}."):
            home = homes[step].copied(tmp_path / point)
            beyond = PASSES.get(point, len(RINGS)) + 1
            assert launcher.run(home.path, *RUN, point=f"{point}:{beyond}").status == 0


@pytest.mark.parametrize("go_on", [run_again, start_service])
@pytest.mark.parametrize(("step", "point"), POINTS)
def test_f01_a_rollover_killed_anywhere_comes_to_the_same_end(
    homes: Mapping[str, Home],
    undisturbed: Mapping[str, Mapping[str, object]],
    launcher: Launcher,
    tmp_path: Path,
    step: str,
    point: str,
    go_on: Callable[[Home, Launcher], None],
) -> None:
    home = homes[step].copied(tmp_path / "home")
    assert launcher.run(home.path, *RUN, point=point).was_killed
    home.require_whole()
    go_on(home, launcher)
    home.require_whole()
    assert home.rows() == undisturbed[step]


@pytest.mark.parametrize("step", STEPS)
def test_f01_one_rollover_killed_at_every_point_in_turn_comes_to_the_same_end(
    homes: Mapping[str, Home],
    undisturbed: Mapping[str, Mapping[str, object]],
    launcher: Launcher,
    tmp_path: Path,
    step: str,
) -> None:
    home = homes[step].copied(tmp_path / "home")
    for point in sorted(fault_points(f"rollover.{step}."), key=lambda name: name.endswith(".committed")) * len(RINGS):
        assert launcher.run(home.path, *RUN, point=point).was_killed
    home.require_whole()
    run_again(home, launcher)
    assert home.rows() == undisturbed[step]


@pytest.mark.parametrize("step", STEPS)
def test_f11_of_sixteen_processes_one_carries_out_each_step(
    homes: Mapping[str, Home],
    undisturbed: Mapping[str, Mapping[str, object]],
    launcher: Launcher,
    tmp_path: Path,
    step: str,
) -> None:
    home = homes[step].copied(tmp_path / "home")
    ended = launcher.run_together(16, home.path, *RUN)
    assert [each for each in ended if each.status != 0] == []
    assert sum(each.stdout.count(f": {step} ") for each in ended) == len(RINGS)
    home.require_whole()
    assert home.rows() == undisturbed[step]


@pytest.mark.parametrize(
    ("step", "point"),
    [
        ("publish", "rollover.publish.stored"),
        ("promote", "rollover.promote.saved"),
        ("destroy", "rollover.destroy.begun"),
    ],
)
def test_f11_sixteen_processes_of_which_all_die_come_to_the_same_end(
    homes: Mapping[str, Home],
    undisturbed: Mapping[str, Mapping[str, object]],
    launcher: Launcher,
    tmp_path: Path,
    step: str,
    point: str,
) -> None:
    home = homes[step].copied(tmp_path / "home")
    assert all(each.was_killed for each in launcher.run_together(16, home.path, *RUN, point=point))
    home.require_whole()
    run_again(home, launcher)
    assert home.rows() == undisturbed[step]


def with_candidates(home: Home, number: int) -> list[str]:
    """Publish so many certificates that could be primary, and answer their thumbprints."""
    installation = home.opened()
    order = CertificateOrder(RingOf("contoso"), key_type=KeyType.P256)
    published = utc_now() - timedelta(days=2)
    made = [new_credentials.generate_certificate(installation, order, published).row for _ in range(number)]
    installation.database.close()
    return [row.thumbprint for row in made]


def require_one_primary(home: Home, chosen: list[str]) -> None:
    """From now on one of these is primary, and every one that was before was demoted by the next."""
    home.require_whole()
    installation = home.opened()
    ring = members(installation)
    installation.database.close()
    now = utc_now() + timedelta(minutes=1)
    (holder,) = [c for c in ring if is_in_office(c, now)]
    assert holder.thumbprint in chosen
    turns = sorted((c.primary_from, c.demoted_at) for c in ring if c.primary_from is not None)
    assert [until for _, until in turns[:-1]] == [since for since, _ in turns[1:]]


def test_g14_of_twenty_that_are_made_primary_at_once_one_is_in_the_end(
    homes: Mapping[str, Home], launcher: Launcher, tmp_path: Path
) -> None:
    home = homes["publish"].copied(tmp_path / "home")
    candidates = with_candidates(home, 20)
    command = ("certificate", "make-primary", "--namespace", "contoso", "--use", "signing", "--thumbprint")
    ended = launcher.run_all(home.path, [(*command, each) for each in candidates])
    assert {each.status for each in ended} == {0}
    require_one_primary(home, candidates)


def test_g14_and_while_the_ring_rolls_over_by_itself(
    homes: Mapping[str, Home], launcher: Launcher, tmp_path: Path
) -> None:
    home = homes["promote"].copied(tmp_path / "home")
    candidates = with_candidates(home, 8)
    command = ("certificate", "make-primary", "--namespace", "contoso", "--use", "signing", "--thumbprint")
    ended = launcher.run_all(home.path, [each for one in candidates for each in ((*command, one), RUN)])
    assert {each.status for each in ended} == {0}
    require_one_primary(home, candidates)
