"""The thread of each process that reads partners' metadata again; of all that try, one reads each document."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from sts.core.errors import StsError
from sts.operations import metadata_status
from sts.operations.installation import Installation
from sts.operations.metadata_refresh import Refreshed, Refresher
from sts.operations.metadata_status import MetadataRow
from sts.store.metadata_refreshes import Refresh
from sts.web.looking_thread import LookingThread

INTERVAL: Final = timedelta(minutes=1)

_LOG: Final = logging.getLogger(__name__)


class MetadataMetrics:
    """What the partners' documents tell Prometheus; of several processes the one that looked last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refreshes = Counter(
            "sts_metadata_refreshes", "Documents of partners read again.", ("result",), registry=registry
        )
        self.waiting = _gauge("sts_metadata_waiting", "Partners whose documents say what waits for a person.", registry)
        self.failing = _gauge("sts_metadata_failing", "Partners whose documents cannot be read.", registry)


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, registry=registry, multiprocess_mode="mostrecent")


class MetadataThread(LookingThread):
    """Looks every minute for documents that are due; what needs a person is told once."""

    def __init__(
        self, installation: Installation, clock: Callable[[], datetime], metrics: MetadataMetrics | None = None
    ) -> None:
        super().__init__("sts-metadata", first=INTERVAL)
        self._installation = installation
        self._refresher = Refresher(installation, clock)
        self._metrics = metrics or MetadataMetrics(CollectorRegistry())
        self._told: frozenset[str] = frozenset()

    def look(self) -> timedelta:
        """Read what is due, and tell what it changed and what needs a person."""
        try:
            for refreshed in self._refresher.run():
                self._note(refreshed)
            self._tell(metadata_status.list_all(self._installation))
        except StsError as error:
            _LOG.warning("metadata of partners: %s%s", error.codes, f" ({error.detail})" if error.detail else "")
        except Exception:  # one document must not end the reading of all others for good
            _LOG.exception("metadata of partners")
        return INTERVAL

    def _note(self, refreshed: Refreshed) -> None:
        outcome = refreshed.outcome
        changes = {} if outcome is None else outcome.changes
        failed = refreshed.failure is not None
        self._metrics.refreshes.labels("failed" if failed else "changed" if changes else "unchanged").inc()
        if changes:
            details = ", ".join(f"{key} {value}" for key, value in changes.items())
            _LOG.warning("metadata of %s: changed: %s", _partner(refreshed.refresh), details)
        for certificate in () if outcome is None else outcome.trusted:
            _LOG.warning("metadata of %s: trusted from now on: %s", _partner(refreshed.refresh), certificate)

    def _tell(self, rows: tuple[MetadataRow, ...]) -> None:
        """Log each matter once, and count them all."""
        texts = frozenset(
            f"{_partner(row)}: {text}"
            for row in rows
            for text in (*row.waiting, *((row.failure,) if row.failure else ()))
        )
        for text in sorted(texts - self._told):
            _LOG.warning("metadata of %s", text)
        self._told = texts
        self._metrics.waiting.set(sum(bool(row.waiting) for row in rows))
        self._metrics.failing.set(sum(row.failure is not None for row in rows))


def _partner(named: Refresh | MetadataRow) -> str:
    return f"{named.namespace} {named.role} {named.name}"
