"""The thread of a process that finishes a change of the master key: what it tells when it cannot."""

import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sts.operations import ring_status
from sts.operations.master_key import LEFT_UNFINISHED
from sts.store import installation as table
from sts.web.rotation_thread import RotationMetrics, RotationThread
from tests.operations.workbench import NOW, Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = workbench(tmp_path)
    made.apply("{namespace: contoso, rollover: {signing: {key_type: p256}, tenant-ca: {key_type: p256}}}")
    return made


def leave_unfinished(bench: Workbench) -> None:
    """A rotation begins, and a secret does not open."""
    with bench.installation.database.changing("tests", NOW) as change:
        table.begin_rotation(change)
        change.connection.exec_driver_sql("UPDATE credential SET sealed = zeroblob(200) WHERE id = 1")


def needs_person(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("sts_master_key_needs_person")


def test_a_rotation_that_is_stuck_is_a_metric_a_record_and_a_warning_of_the_status(
    bench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    thread = RotationThread(bench.installation, lambda: NOW, RotationMetrics(registry))
    thread.look()
    assert needs_person(registry) == 0
    leave_unfinished(bench)
    with caplog.at_level(logging.INFO, "sts.web.rotation_thread"):
        for _ in range(3):
            thread.look()
            assert needs_person(registry) == 1
    (record,) = caplog.records
    assert "do not open under either" in record.getMessage()
    found = ring_status.status(bench.installation, None, NOW)
    assert [str(warning) for warning in found.warnings] == [f"master key: {LEFT_UNFINISHED}"]
    assert found.needs_person
    with bench.installation.database.recording() as connection:
        connection.exec_driver_sql("DELETE FROM credential WHERE id = 1")
    thread.look()
    assert needs_person(registry) == 0
    assert not ring_status.status(bench.installation, None, NOW).fault


def test_whatever_goes_wrong_the_thread_looks_again(bench: Workbench) -> None:
    registry, files = CollectorRegistry(), bench.installation.key_ring.master_keys
    thread = RotationThread(bench.installation, lambda: NOW, RotationMetrics(registry))
    leave_unfinished(bench)
    away = bench.installation.home.with_name("away")
    files.path = away / "master.key"  # the lock is on its folder
    thread.look()
    assert needs_person(registry) == 1
    assert not away.exists()
