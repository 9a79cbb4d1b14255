"""The thread of each process that finishes a rotation of the master key which a killed command left."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry

from sts.core.errors import StsError
from sts.operations.installation import Installation
from sts.operations.master_key import state
from sts.operations.master_key_rotation import Rotator, resume
from sts.web.looking_thread import LookingThread
from sts.web.metrics import latest
from sts.web.request_log import FIELDS

INTERVAL: Final = timedelta(minutes=1)

_LOG: Final = logging.getLogger(__name__)


class RotationMetrics:
    """What is told of the master key to Prometheus; of several processes the one that looked last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "1 while a change of the master key is stuck or the database is under another one."
        self.needs_person = latest("sts_master_key_needs_person", text, registry)


class RotationThread(LookingThread):
    """Looks at once and then every minute; of all processes of a machine that try, one is at it."""

    def __init__(
        self, installation: Installation, clock: Callable[[], datetime], metrics: RotationMetrics | None = None
    ) -> None:
        super().__init__("sts-rotation")
        self._rotator = Rotator(installation, clock)
        self._metrics = metrics or RotationMetrics(CollectorRegistry())
        self._told: str | None = None

    def look(self) -> timedelta:
        """Finish what was left; what stands in the way is told once, and counted as long as it does."""
        try:
            if resume(self._rotator):
                _LOG.warning("finished the rotation of the master key", extra={FIELDS: {"event": "master-key.rotated"}})
            needs = " ".join(state(self._rotator.installation).needs)
            self._tell(needs or None, None)
        except StsError as error:
            self._tell(error.message, None)
        except Exception as error:  # whatever it was: a thread that ended would leave the rotation for good
            self._tell(f"{type(error).__name__}: {error}", error)
        return INTERVAL

    def _tell(self, fault: str | None, cause: Exception | None) -> None:
        if fault is not None and fault != self._told:
            fields = {"event": "master-key.stuck"}
            _LOG.warning("the rotation of the master key: %s", fault, exc_info=cause, extra={FIELDS: fields})
        self._told = fault
        self._metrics.needs_person.set(0 if fault is None else 1)
