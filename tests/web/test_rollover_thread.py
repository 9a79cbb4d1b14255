"""The thread of a process that rolls credentials over, under a clock that moves on by what the thread waits."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sts.core.rollover import RingName
from sts.operations.rollover import states
from sts.web.rollover_thread import INTERVAL, SHORTEST, RolloverMetrics, RolloverThread
from tests.operations.workbench import NOW, Workbench, workbench

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LIFE, LEAD, TURN = 4 * MINUTE, 30 * SECOND, 15 * SECOND
CONTOSO = """
namespace: contoso
rollover:
  signing: {lifetime: 4m, lead: 30s, turn: 15s, key_type: p256}
  decryption: {automatic: false}
  tenant-ca: {automatic: false, key_type: p256}
"""


class Process:
    """One process of the service."""

    def __init__(self, bench: Workbench) -> None:
        self.now = NOW
        self.bench = bench
        self.registry = CollectorRegistry()
        self.thread = RolloverThread(bench.installation, lambda: self.now, RolloverMetrics(self.registry))

    def run(self, until: datetime) -> Iterator[timedelta]:
        """Look whenever the thread wants to; yields how long it waits each time."""
        while self.now < until:
            wait = self.thread.look()
            yield wait
            self.now += wait

    def figure(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"sts_rollover_{name}", labels)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    bench = workbench(tmp_path)
    bench.apply(CONTOSO)
    return Process(bench)


def test_certificates_of_four_minutes_follow_each_other_to_the_second(process: Process) -> None:
    waits = list(process.run(NOW + 30 * MINUTE))
    assert {SHORTEST, INTERVAL} <= set(waits)
    assert min(waits) == SHORTEST
    assert max(waits) == INTERVAL
    assert len(waits) < 150
    with process.bench.installation.database.reading() as connection:
        (signing,) = (s for s in states(connection, "https://sts.example") if s.name is RingName.SIGNING)
    for present, successor in zip(signing.members, signing.members[1:], strict=False):
        assert successor.published_at == present.not_after - LEAD
        if successor.primary_from is not None:
            assert successor.primary_from == present.demoted_at == present.not_after - LEAD + TURN
    assert len(signing.members) == 9
    assert process.figure("steps_total", ring="signing", step="publish") == 8
    assert process.figure("steps_total", ring="signing", step="promote") == 8
    assert process.figure("failures_total") == 0


def test_what_needs_a_person_is_logged_once_and_counted(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.bench.apply("{namespace: contoso, rollover: {signing: {automatic: false, key_type: p256}}}")
    with caplog.at_level(logging.INFO, "sts.web.rollover_thread"):
        for _ in process.run(NOW + 2 * MINUTE):
            assert process.figure("warnings") == 0
        for _ in process.run(NOW + LIFE - SECOND):
            assert process.figure("soonest_end_seconds") == (NOW + LIFE).timestamp()
    assert process.figure("warnings") == 1
    (record,) = caplog.records
    assert "and has no successor: `sts certificate generate`" in record.getMessage()


def test_a_clock_in_doubt_is_told_until_a_second_look_agrees(process: Process) -> None:
    for _ in process.run(NOW + MINUTE):
        assert process.figure("doubtful") == 0
    process.now += timedelta(days=1)
    assert [process.thread.look(), process.figure("doubtful"), process.figure("warnings")] == [INTERVAL, 1, 1]
    list(process.run(process.now + MINUTE))
    assert process.figure("doubtful") == 0
