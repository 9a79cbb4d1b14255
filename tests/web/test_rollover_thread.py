"""The thread of a process that rolls credentials over, under a clock that moves on by what the thread waits."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sts.core.credentials import instant
from sts.core.rollover import RingName
from sts.operations import watch
from sts.operations.rollover import states
from sts.settings import LogFormat
from sts.web.request_log import RequestLog, record_events
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
        self.metrics = RolloverMetrics(self.registry)
        self.thread = RolloverThread(bench.installation, lambda: self.now, self.metrics)

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
        (signing,) = (s for s in states(connection, process.bench.installation) if s.name is RingName.SIGNING)
    for present, successor in zip(signing.members, signing.members[1:], strict=False):
        assert successor.published_at == present.not_after - LEAD
        if successor.primary_from is not None:
            assert successor.primary_from == present.demoted_at == present.not_after - LEAD + TURN
    assert len(signing.members) == 9
    assert process.figure("steps_total", ring="signing", step="publish") == 8
    assert process.figure("steps_total", ring="signing", step="promote") == 8
    assert process.figure("failures_total") == 0


def test_what_needs_a_person_is_logged_once_at_each_instant_of_the_plan_and_counted(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.bench.apply("{namespace: contoso, rollover: {signing: {automatic: false, key_type: p256}}}")
    with caplog.at_level(logging.INFO, "sts.web.rollover_thread"):
        for _ in process.run(NOW + 2 * MINUTE):
            assert process.figure("warnings") == 0
        for _ in process.run(NOW + LIFE - SECOND):
            assert process.figure("soonest_end_seconds") == (NOW + LIFE).timestamp()
    assert process.figure("warnings") == 1
    first, again = (each.getMessage() for each in caplog.records if each.levelno == logging.WARNING)
    assert first.endswith("and has no successor: `sts certificate generate --namespace contoso --use signing`")
    assert again == f"{first}; another should be in its place since {instant(NOW + LIFE - MINUTE)}"


def test_a_clock_in_doubt_is_told_until_a_second_look_agrees(process: Process) -> None:
    for _ in process.run(NOW + MINUTE):
        assert process.figure("doubtful") == 0
    process.now += timedelta(days=1)
    assert [process.thread.look(), process.figure("doubtful"), process.figure("warnings")] == [INTERVAL, 1, 1]
    list(process.run(process.now + MINUTE))
    assert process.figure("doubtful") == 0


class Log:
    """A log of what the service says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
        self.events = record_events(RequestLog(LogFormat.JSON, self.descriptor))

    def close(self) -> None:
        logging.getLogger("sts").removeHandler(self.events)
        os.close(self.descriptor)

    def records(self, event: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        assert all(datetime.fromisoformat(each["at"]) and each["level"] for each in found)
        return [each for each in found if each["event"] == event]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log(tmp_path / "log")
    yield opened
    opened.close()


def test_every_step_and_every_warning_is_a_record_of_the_log(process: Process, log: Log) -> None:
    list(process.run(NOW + 3 * MINUTE + 50 * SECOND))
    published, promoted = log.records("rollover.step")
    assert (published["namespace"], published["ring"], published["step"]) == ("contoso", "signing", "publish")
    assert (promoted["step"], promoted["thumbprint"]) == ("promote", published["thumbprint"])
    assert promoted["primary_from"] == "2026-11-21T22:03:45Z"
    assert str(published["subject"]).startswith("CN=contoso")
    assert str(published["message"]).startswith("rollover: contoso signing: publish ")
    assert {published["level"]} == {"info"}
    process.bench.apply("{namespace: contoso, rollover: {signing: {automatic: false, key_type: p256, lifetime: 4m}}}")
    list(process.run(process.now + 3 * MINUTE))
    warning, again = log.records("rollover.warning")
    assert str(again["message"]).startswith(str(warning["message"])), "once more when the turn has come"
    assert (warning["level"], warning["namespace"], warning["ring"]) == ("warning", "contoso", "signing")
    assert "has no successor" in str(warning["message"])


def test_whatever_goes_wrong_the_thread_looks_again_and_says_so_once(process: Process, log: Log) -> None:
    broken: list[BaseException] = [OSError(28, "No space left on device"), OSError(28, "No space left on device")]

    def clock() -> datetime:
        if broken:
            raise broken.pop()
        return process.now

    registry = CollectorRegistry()
    thread = RolloverThread(process.bench.installation, clock, RolloverMetrics(registry))
    assert [thread.attempt(), thread.attempt()] == [INTERVAL, INTERVAL]
    (record,) = log.records("rollover.failure")
    assert "No space left on device" in str(record["message"])
    assert "Traceback" in str(record["detail"])
    assert registry.get_sample_value("sts_rollover_failures_total") == 2
    thread.attempt()
    assert len(log.records("rollover.failure")) == 1


def test_a_mark_that_cannot_be_written_is_told_once_and_stops_nothing(process: Process, log: Log) -> None:
    mark = process.bench.installation.home / "absent" / watch.MARK
    installation = replace(process.bench.installation, mark=mark)
    process.thread = RolloverThread(installation, lambda: process.now, process.metrics)
    list(process.run(NOW + 4 * MINUTE))
    (warning,) = log.records("rollover.warning")
    assert "STS_MARK_FILE" in str(warning["message"])
    assert process.figure("steps_total", ring="signing", step="promote") == 1
    assert process.figure("warnings") == 1
    assert process.figure("doubtful") == 0
