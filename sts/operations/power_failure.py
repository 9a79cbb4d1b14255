"""Whether the machine went down since uses were recorded last: it may have lost the last of them (ADR 16)."""

import logging
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from sts.core.credentials import instant
from sts.core.presented import SKEW
from sts.operations import watch
from sts.operations.installation import Installation
from sts.store import installation as table
from sts.store import replay
from sts.store.connection import Connection

_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NO_BOOT: Final = "00000000-0000-0000-0000-000000000000"
_UNKNOWN: Final = "unknown"
_LOG: Final = logging.getLogger(__name__)


def record_through(installation: Installation, boot_id_file: Path, now: datetime) -> None:
    """Let uses be recorded without waiting for the disk, where it is noticed that the machine went down.

    If it did, tokens that were issued before now may have been used: they are refused from the first recording on. Any
    number of processes may start at once. Raises StoreUnavailable.
    """
    if not installation.database.can_defer:
        return
    boot_id = _read(boot_id_file)
    with installation.database.recording() as connection:
        issued_by = _noticed(connection, boot_id or _UNKNOWN, now)
    if issued_by is not None:
        _LOG.warning(
            "the machine went down since tokens were taken last, and may have lost which: those that were issued by %s "
            "are refused",
            instant(issued_by),
        )
    if boot_id is not None:
        installation.database.defer()


def _noticed(connection: Connection, boot_id: str, now: datetime) -> datetime | None:
    """Note that uses are recorded under this boot; answers up to when issued tokens are refused, if any are for it.

    A clock that is behind after a power failure is not believed. A database of an earlier version that holds uses may
    have been recorded anyhow.
    """
    known = table.boot(connection)
    if known == boot_id:
        return None
    table.save_boot(connection, boot_id)
    if known is None and not replay.holds_uses(connection):
        return None
    agreed = watch.clock_marks(connection).agreed
    issued_by = (now if agreed is None else max(now, agreed)).replace(microsecond=0) + SKEW
    table.lose_dated_uses(connection, issued_by)
    return issued_by


def _read(path: Path) -> str | None:
    """What the system calls its present run, None where it does not say."""
    try:
        found = path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return None if _BOOT_ID.fullmatch(found) is None or found == _NO_BOOT else found
