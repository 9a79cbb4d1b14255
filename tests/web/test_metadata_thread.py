"""The thread of a process that reads partners' metadata again."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from sts.web.metadata_thread import MetadataMetrics, MetadataThread
from tests import partner_documents as documents
from tests.crypto.identities import certificate
from tests.operations.partners import HOUR, Partnership, partnership
from tests.partner_documents import Shape
from tests.partner_server import plain

BOTH = documents.adfs(Shape(signing=(certificate("rsa2048"), certificate("rsa2048", "next"))))


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        made.publish(documents.adfs())
        made.bring()
        yield made


class Process:
    """One process of the service."""

    def __init__(self, partners: Partnership) -> None:
        self.partners = partners
        self.registry = CollectorRegistry()
        metrics = MetadataMetrics(self.registry)
        self.thread = MetadataThread(partners.bench.installation, lambda: partners.now, metrics)

    def figure(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"sts_metadata_{name}", labels)


def test_what_waits_or_fails_is_logged_once_and_counted(
    partners: Partnership, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(partners)
    with caplog.at_level(logging.WARNING, "sts.web.metadata_thread"):
        process.thread.look()
        assert (process.figure("waiting"), process.figure("failing"), caplog.records) == (0, 0, [])
        partners.publish(BOTH)
        for _ in range(3):
            partners.now += HOUR
            process.thread.look()
        assert (process.figure("waiting"), process.figure("failing")) == (1, 0)
        changed, waits = (record.getMessage() for record in caplog.records)
        assert changed.startswith("metadata of contoso identity provider partner: changed: waiting")
        assert waits.endswith("is new and not trusted")
        caplog.clear()
        partners.server.answer = plain(b"", "HTTP/1.1 500 No")
        partners.now += HOUR
        process.thread.look()
        assert "status 500" in caplog.records[0].getMessage()
    assert (process.figure("waiting"), process.figure("failing")) == (1, 1)
    results = [process.figure("refreshes_total", result=result) for result in ("changed", "unchanged", "failed")]
    assert results == [1, 2, 1]


def test_the_thread_ends_when_it_is_told_to(partners: Partnership) -> None:
    thread = Process(partners).thread
    thread.start()
    thread.stop()
    assert not thread.is_alive()
