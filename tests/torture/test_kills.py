"""Thousands of kills at random, at points and between them (`make torture`; F01 asks for a thousand)."""

import os
import shutil
from pathlib import Path
from random import Random

import pytest

from tests.faults import Launcher, Limits
from tests.threats import test_master_key_kills as rotation
from tests.threats.rolling_homes import AGES, make_home
from tests.threats.test_rollover_kills import POINTS, RUN, run_again

pytestmark = pytest.mark.torture

KILLS = int(os.environ.get("KILLS", "5000"))
PARTS = 50  # so that several processes can share the work
MOST_IN_A_ROW = 6
LONGEST = 0.3  # seconds that a process may live

filled = rotation.filled


def kill(launcher: Launcher, random: Random, home: Path, command: tuple[str, ...], points: list[str]) -> int:
    """Run a command and have it killed at a point or after a while; answers how often it was: once, or it was done."""
    if random.random() < 0.5:
        return launcher.run(home, *command, point=random.choice(points)).was_killed
    (ended,) = launcher.run_all(home, [command], limits=Limits(seconds=random.uniform(0, LONGEST)))
    return ended.was_killed


@pytest.mark.parametrize("part", range(PARTS))
def test_rollovers_killed_at_random_come_to_the_same_end(part: int, launcher: Launcher, tmp_path: Path) -> None:
    random, kills = Random(part), 0
    homes = {step: make_home(tmp_path / step, step) for step in AGES}
    undisturbed = {}
    for step, home in homes.items():
        copy = home.copied(tmp_path / f"undisturbed-{step}")
        run_again(copy, launcher)
        undisturbed[step] = copy.rows()
    while kills < KILLS / PARTS:
        step = random.choice(list(AGES))
        home = homes[step].copied(tmp_path / "home")
        points = [point for each, point in POINTS if each == step]
        for _ in range(random.randint(1, MOST_IN_A_ROW)):
            kills += kill(launcher, random, home.path, RUN, points)
        home.require_whole()
        run_again(home, launcher)
        assert home.rows() == undisturbed[step], f"part {part}, after {kills} kills"
        shutil.rmtree(home.path)


@pytest.mark.parametrize("part", range(PARTS // 5))
def test_rotations_of_the_master_key_killed_at_random_come_to_the_same_end(
    part: int, filled: Path, launcher: Launcher, tmp_path: Path
) -> None:
    random, kills = Random(part), 0
    while kills < KILLS / PARTS:
        home = rotation.home_at(Path(shutil.copytree(filled, tmp_path / "home")))
        for _ in range(random.randint(1, MOST_IN_A_ROW)):
            kills += kill(launcher, random, home.path, rotation.ROTATE, rotation.POINTS)
        home.require_whole()
        rotation.run_again(home, launcher)
        home.require_whole()
        shutil.rmtree(home.path)
