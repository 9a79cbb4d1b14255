"""The thread of each process that forgets what expired, so that no request has to."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sts.core.errors import StoreUnavailable
from sts.store.database import Database
from sts.store.purging import purge
from sts.web.looking_thread import LookingThread

INTERVAL: Final = timedelta(minutes=10)

_LOG: Final = logging.getLogger(__name__)


class PurgeThread(LookingThread):
    """Purges every ten minutes; several processes at it do each other no harm."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        super().__init__("sts-purge", first=INTERVAL)
        self._database = database
        self._clock = clock

    def look(self) -> timedelta:
        """Purge now; what is left for want of a database goes the next time."""
        try:
            purge(self._database, self._clock())
        except StoreUnavailable as error:
            _LOG.warning("what expired is not forgotten yet: %s (%s)", error.codes, error.detail)
        except Exception:  # whatever it was: a thread that ended would let the tables grow for good
            _LOG.exception("what expired is not forgotten")
        return INTERVAL
