"""The thread of each process that rolls credentials over; of all that try, one carries out each step."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from sts.core.credentials import instant
from sts.core.errors import StsError
from sts.core.rollover import RingName
from sts.operations import rollover_look
from sts.operations.agenda import Agenda
from sts.operations.installation import Installation
from sts.operations.ring_status import Warning_
from sts.operations.rollover import Done
from sts.operations.rollover_look import Looked
from sts.web.looking_thread import LookingThread
from sts.web.metrics import latest
from sts.web.request_log import FIELDS

INTERVAL: Final = timedelta(seconds=20)
SHORTEST: Final = timedelta(seconds=1)

_LOG: Final = logging.getLogger(__name__)


class RolloverMetrics:
    """What the rollover tells Prometheus; of several processes the one that looked last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.steps = Counter("sts_rollover_steps", "Steps carried out.", ("ring", "step"), registry=registry)
        self.failures = Counter("sts_rollover_failures", "Looks that failed, and steps.", registry=registry)
        self.doubtful = latest("sts_rollover_doubtful", "1 while clock or database are in doubt.", registry)
        self.warnings = latest("sts_rollover_warnings", "What needs a person.", registry)
        self.soonest_end = latest(
            "sts_rollover_soonest_end_seconds", "When the first primary ends, Unix time.", registry
        )


class RolloverThread(LookingThread):
    """Looks every 20 seconds, or when the next step is due; an error is told and tried again."""

    def __init__(
        self, installation: Installation, clock: Callable[[], datetime], metrics: RolloverMetrics | None = None
    ) -> None:
        super().__init__("sts-rollover", first=SHORTEST)
        self._installation = replace(installation, actor="rollover")
        self._agenda = Agenda(installation.database)
        self._clock = clock
        self._metrics = metrics or RolloverMetrics(CollectorRegistry())
        self._told: frozenset[Warning_] = frozenset()
        self._failure: str | None = None

    def attempt(self) -> timedelta:
        """Look, whatever comes of it: a process that stopped looking would let its certificates expire."""
        try:
            wait = self.look()
        except StsError as error:
            self._failed(f"{error.codes} ({error.detail})" if error.detail else error.codes, None)
            return INTERVAL
        except Exception as error:
            self._failed(f"{type(error).__name__}: {error}", error)
            return INTERVAL
        self._failure = None
        return wait

    def _failed(self, reason: str, cause: Exception | None) -> None:
        """Count a look that failed, and log it unless the one before failed for the same reason."""
        self._metrics.failures.inc()
        if reason != self._failure:
            fields = {"event": "rollover.failure"}
            _LOG.warning("rollover: a look failed: %s", reason, exc_info=cause, extra={FIELDS: fields})
        self._failure = reason

    def look(self) -> timedelta:
        """Carry out what is due, tell what is wrong, and answer how long to wait."""
        looked = rollover_look.look(self._installation, self._agenda, self._clock)
        for done in looked.done:
            self._metrics.steps.labels(done.ring.value, done.kind.value).inc()
            level = logging.WARNING if done.urgent else logging.INFO
            _LOG.log(level, "rollover: %s", done, extra={FIELDS: _step_fields(done)})
        self._metrics.failures.inc(len(looked.failed))
        self._metrics.doubtful.set(0 if looked.fault is None else 1)
        self._tell(Warning_("", "rollover", text) for text in (looked.fault, looked.warning) if text is not None)
        return self._wait(looked)

    def _tell(self, found: Iterable[Warning_]) -> None:
        """Log each warning once, and count them all."""
        entries = self._agenda.entries
        warnings = frozenset(found).union(*(entry.warnings for entry in entries if entry.warnings))
        for warning in sorted(warnings - self._told, key=str):
            _LOG.warning("%s", warning, extra={FIELDS: _warning_fields(warning)})
        self._told = warnings
        self._metrics.warnings.set(len(warnings))
        ends = [entry.soonest_end.timestamp() for entry in entries if entry.soonest_end is not None]
        self._metrics.soonest_end.set(min(ends, default=0))

    def _wait(self, looked: Looked) -> timedelta:
        now = self._clock()
        at = self._agenda.next_turn(now)
        if at is None or looked.fault is not None:
            return INTERVAL
        return max(SHORTEST, min(INTERVAL, at - now))


def _step_fields(done: Done) -> Mapping[str, object]:
    credential = done.credential
    return {
        "event": "rollover.step",
        "namespace": done.namespace,
        "ring": done.ring.value,
        "step": done.kind.value,
        "subject": credential.subject,
        "thumbprint": credential.thumbprint,
        "primary_from": None if credential.primary_from is None else instant(credential.primary_from),
    }


def _warning_fields(warning: Warning_) -> Mapping[str, object]:
    is_ring = warning.subject in tuple(RingName)
    return {
        "event": "rollover.warning",
        "namespace": warning.namespace or None,
        "ring": warning.subject if is_ring else None,
        "subject": None if is_ring else warning.subject,
        "by": None if warning.by is None else instant(warning.by),
    }
