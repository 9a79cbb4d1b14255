"""The thread of each process that finishes a rotation of the master key which a killed command left."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final

from sts.core.errors import StsError
from sts.operations.installation import Installation
from sts.operations.master_key_rotation import Rotator, resume

INTERVAL: Final = timedelta(minutes=1)

_LOG: Final = logging.getLogger(__name__)


class RotationThread(Thread):
    """Looks at once and then every minute; of all processes of a machine that try, one is at it."""

    def __init__(self, installation: Installation, clock: Callable[[], datetime]) -> None:
        super().__init__(name="sts-rotation", daemon=True)
        self._rotator = Rotator(installation, clock)
        self._stopped = Event()
        self._told: str | None = None

    def run(self) -> None:
        """Look until stopped."""
        self.look()
        while not self._stopped.wait(INTERVAL.total_seconds()):
            self.look()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self.join()

    def look(self) -> None:
        """Finish what was left; what stands in the way is told once."""
        try:
            if resume(self._rotator):
                _LOG.warning("finished the rotation of the master key")
            self._told = None
        except StsError as error:
            if error.message != self._told:
                _LOG.warning("the rotation of the master key: %s", error.message)
            self._told = error.message
