"""The thread of each process that rolls credentials over; of all that try, one carries out each step."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from sts.core.errors import StsError
from sts.operations import rollover_look
from sts.operations.agenda import Agenda
from sts.operations.installation import Installation
from sts.operations.rollover_look import Looked

INTERVAL: Final = timedelta(seconds=20)
SHORTEST: Final = timedelta(seconds=1)

_LOG: Final = logging.getLogger(__name__)


class RolloverMetrics:
    """What the rollover tells Prometheus; of several processes the one that looked last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.steps = Counter("sts_rollover_steps", "Steps carried out.", ("ring", "step"), registry=registry)
        self.failures = Counter("sts_rollover_failures", "Looks that failed, and steps.", registry=registry)
        self.doubtful = _gauge("sts_rollover_doubtful", "1 while clock or database are in doubt.", registry)
        self.warnings = _gauge("sts_rollover_warnings", "Rings and partners that need a person.", registry)
        self.soonest_end = _gauge(
            "sts_rollover_soonest_end_seconds", "When the first primary ends, Unix time.", registry
        )


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """A gauge of which, of several processes, the one that looked last is right."""
    return Gauge(name, text, registry=registry, multiprocess_mode="mostrecent")


class RolloverThread(Thread):
    """Looks every 20 seconds, or when the next step is due; an error is told and tried again."""

    def __init__(
        self, installation: Installation, clock: Callable[[], datetime], metrics: RolloverMetrics | None = None
    ) -> None:
        super().__init__(name="sts-rollover", daemon=True)
        self._installation = replace(installation, actor="rollover")
        self._agenda = Agenda(installation.database)
        self._clock = clock
        self._metrics = metrics or RolloverMetrics(CollectorRegistry())
        self._stopped = Event()
        self._told: frozenset[str] = frozenset()

    def run(self) -> None:
        """Look until stopped."""
        wait = SHORTEST
        while not self._stopped.wait(wait.total_seconds()):
            try:
                wait = self.look()
            except StsError as error:
                self._metrics.failures.inc()
                _LOG.warning("rollover: %s%s", error.codes, f" ({error.detail})" if error.detail else "")
                wait = INTERVAL

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self.join()

    def look(self) -> timedelta:
        """Carry out what is due, tell what is wrong, and answer how long to wait."""
        looked = rollover_look.look(self._installation, self._agenda, self._clock)
        for done in looked.done:
            self._metrics.steps.labels(done.ring.value, done.kind.value).inc()
            _LOG.log(logging.WARNING if done.urgent else logging.INFO, "rollover: %s", done)
        self._metrics.failures.inc(looked.failures)
        self._metrics.doubtful.set(0 if looked.fault is None else 1)
        self._tell(looked.fault)
        return self._wait(looked)

    def _tell(self, fault: str | None) -> None:
        """Log each warning once, and count them all."""
        entries = self._agenda.entries
        texts = frozenset().union(*(entry.warnings for entry in entries if entry.warnings))
        texts |= {fault} if fault is not None else frozenset()
        for text in sorted(texts - self._told):
            _LOG.warning("rollover: %s", text)
        self._told = texts
        self._metrics.warnings.set(len(texts))
        ends = [entry.soonest_end.timestamp() for entry in entries if entry.soonest_end is not None]
        self._metrics.soonest_end.set(min(ends, default=0))

    def _wait(self, looked: Looked) -> timedelta:
        now = self._clock()
        at = self._agenda.next_turn(now)
        if at is None or looked.fault is not None:
            return INTERVAL
        return max(SHORTEST, min(INTERVAL, at - now))
