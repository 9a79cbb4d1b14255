"""Whether the machine went down while uses were recorded: it may have lost the last of them (ADR 16)."""

import logging
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sts.core.credentials import instant
from sts.core.presented import LONGEST_AHEAD
from sts.operations import watch
from sts.operations.installation import Installation
from sts.store import installation as table
from sts.store import serving
from sts.store.connection import Connection
from sts.store.database import Database

SERVED_AS: Final = "STS_SERVED_AS"  # in the environment of processes whose parent says when all of them have ended
LONGEST_UNSEEN: Final = timedelta(seconds=30)  # since the last look at the clock: 20 s between two, and what one takes
NOBODY: Final = ""  # says when the others have
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NO_BOOT: Final = "00000000-0000-0000-0000-000000000000"
_UNKNOWN: Final = "unknown"
_LOG: Final = logging.getLogger(__name__)


def new_instance() -> str:
    """A name for processes that are to record together, different from all others."""
    return secrets.token_hex(16)


def record_through(installation: Installation, boot_id_file: Path, now: datetime, instance: str = NOBODY) -> None:
    """Let uses be recorded without waiting for the disk, where it is noticed that the machine went down.

    If it did while somebody recorded who has not ended in order, tokens that were issued before now may have been used:
    they are refused from the first recording on. Any number of processes may start at once. Raises StoreUnavailable.
    """
    if not installation.database.can_defer:
        return
    boot_id = _read(boot_id_file)
    with installation.database.recording() as connection:
        issued_by = _noticed(connection, boot_id or _UNKNOWN, now)
        serving.begin(connection, NOBODY if boot_id is None else instance, boot_id or _UNKNOWN)
    if issued_by is not None:
        _LOG.warning(
            "the machine went down since tokens were taken last, and may have lost which: those that were issued by %s "
            "are refused",
            instant(issued_by),
        )
    if boot_id is not None:
        installation.database.defer()


def _noticed(connection: Connection, boot_id: str, now: datetime) -> datetime | None:
    """Answer up to when issued tokens are refused from now on, if any are for this run of the machine.

    Whatever was used had been issued by a clock that was no further ahead of ours than is allowed. A clock that is
    behind after a power failure is not believed: the machine was up for a while after it was agreed on last.
    """
    if not serving.end_earlier(connection, boot_id):
        return None
    agreed = watch.clock_marks(connection).agreed
    used_by = now if agreed is None else max(now, agreed + LONGEST_UNSEEN)
    issued_by = used_by.replace(microsecond=0) + LONGEST_AHEAD
    table.lose_dated_uses(connection, issued_by)
    return issued_by


def end(database: Database, instance: str) -> None:
    """Say that all processes of an instance have ended: this commit waits for the disk, and all of theirs with it.

    Only for who knows that none is left. Raises StoreUnavailable: then it has not been said.
    """
    if database.can_defer:
        with database.recording() as connection:
            serving.end(connection, instance)


def _read(path: Path) -> str | None:
    """What the system calls its present run, None where it does not say."""
    try:
        found = path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return None if _BOOT_ID.fullmatch(found) is None or found == _NO_BOOT else found
