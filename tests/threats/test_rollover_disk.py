"""Fault F02: the disk is full while credentials roll over."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sts.core.errors import StoreUnavailable
from sts.operations import audit, rollover, watch
from tests.faults import Launcher, Limits
from tests.flows.world import START, World
from tests.threats.rolling_homes import AGES, make_home
from tests.threats.rolling_world import END, MINUTE, PUBLISHED, SECOND, TURNED, credentials, look, roll, signers


@contextmanager
def full_disk(world: World, left: int) -> Iterator[None]:
    """No file of the database grows by more than so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = [path.stat().st_size for path in world.home.glob("sts.db*")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes) + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("step", ["publish", "promote", "destroy"])
@pytest.mark.parametrize("left", [0, 4_000, 12_000, 24_000])
def test_f02_on_a_full_disk_the_old_primary_serves_and_a_later_run_completes(
    rolling: World, step: str, left: int
) -> None:
    instants = {"publish": PUBLISHED, "promote": TURNED - MINUTE, "destroy": END + SECOND}
    for earlier in [at for at in instants.values() if at < instants[step]]:
        roll(rolling, earlier)
    watch.look(rolling.service.installation, instants[step] - MINUTE)
    rolling.clock.now = instants[step]
    signing = signers(rolling)
    with full_disk(rolling, left):
        with pytest.raises(StoreUnavailable) as refused:
            roll_until_full(rolling)
        assert "does not answer" in refused.value.message
        assert signers(rolling) == signing
    audit.verify(rolling.service.installation)
    look(rolling, rolling.now)
    kept = [c for c in credentials(rolling) if c.deleted_at is None]
    assert len(kept) == {"publish": 7, "promote": 7, "destroy": 5}[step]
    assert all(rolling.secret(c) for c in kept)
    rolling.move(minutes=1)
    assert len(signers(rolling)) == 1


def roll_until_full(world: World) -> None:
    """Small steps may still fit."""
    for _ in range(20):
        rollover.run(world.service.installation, world.now)
        with world.service.installation.database.changing("tests", START) as change:
            change.audit("", "fill", "x" * 2_000, {})


@pytest.mark.parametrize("step", AGES)
def test_f02_the_command_ends_with_a_sentence_on_a_full_disk(step: str, launcher: Launcher, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", step)
    undisturbed = home.copied(tmp_path / "undisturbed")
    assert launcher.run(undisturbed.path, "rollover", "run").status == 0
    size = (home.path / "sts.db").stat().st_size
    statuses = []
    for limit in (1_000, 8_000, 33_000, 50_000, 80_000, size, size + 100_000):
        (ended,) = launcher.run_all(home.path, [("rollover", "run")], limits=Limits(file_size=limit))
        assert "Traceback" not in ended.stderr
        failed = "a step failed: The database does not answer" in ended.stderr
        assert (ended.status, ended.stderr.startswith("Error: ") or failed) in ((0, False), (1, True)), ended
        statuses.append(ended.status)
        home.require_whole()
    assert statuses[0] == 1
    assert launcher.run(home.path, "rollover", "run").status == 0
    assert home.rows() == undisturbed.rows()
