"""Whether the clock and the database can be believed, before anything that cannot be taken back is done.

The clock: `core.clock`. The database: a mark of its newest audit record is kept beside the master key, so that one
that was restored from an older copy is noticed (rollover.md, promises 6 and 7). It does not know which assertions were
used after the copy was made: from then on, all that may have been are refused.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sts.core.clock import BEHIND, ClockMarks, read_clock
from sts.core.credentials import instant
from sts.core.errors import OperatorError
from sts.core.presented import SKEW
from sts.core.self_issued import SELF_ISSUED_LIFETIME
from sts.operations.installation import Installation
from sts.store import audit
from sts.store import installation as table
from sts.store.changes import Change
from sts.store.connection import Connection

MARK: Final = "newest-change"  # in the folder of the master key
RESTORED: Final = (
    "the database is older than the mark beside the master key: it was restored from a copy; look at what it lost, "
    "then run `sts rollover accept-restore`"
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    now: datetime  # what to take for now: never before what was agreed on
    fault: str | None = None  # why nothing may be done
    again_at: datetime | None = None  # when another look may find that there is no fault


def look(installation: Installation, now: datetime) -> Look:
    """Look at the clock and the database, and leave marks for the next look; raises StoreUnavailable."""
    with installation.database.recording() as connection:
        reading = read_clock(_clock_marks(connection), now)
        table.save_clock_marks(connection, reading.marks)
        head = audit.head(connection)
        known = _known_mark(installation)
        if known is not None and not audit.holds(connection, *known):
            _distrust_uses(connection, known, now)
            return Look(reading.now, RESTORED)
    _save_mark(installation, head.sequence, head.hash)
    return Look(reading.now, reading.fault, reading.again_at)


def _distrust_uses(connection: Connection, missing: tuple[int, str], now: datetime) -> None:
    """Refuse from now on what may have been used while the uses were recorded in a database that is lost (F13).

    Once for each restore: what is used later is on record.
    """
    name = "{} {}".format(*missing)
    if table.noticed_restore(connection) != name:
        table.save_noticed_restore(connection, name)
        table.raise_replay_horizon(connection, _last_expiry(now))


def _last_expiry(now: datetime) -> datetime:
    """Up to when, at most, an assertion can be good that was used by now."""
    return now + SELF_ISSUED_LIFETIME + SKEW


def doubt(installation: Installation, now: datetime) -> str | None:
    """Why nothing would be done now, None if nothing is in doubt; leaves no mark.

    A clock that nobody has looked at for long is not in doubt yet: the next two looks will tell.
    """
    with installation.database.reading() as connection:
        known = _known_mark(installation)
        if known is not None and not audit.holds(connection, *known):
            return RESTORED
        marks = _clock_marks(connection)
    reading = read_clock(marks, now)
    return None if reading.marks.doubted not in (None, marks.doubted) else reading.fault


def _clock_marks(connection: Connection) -> ClockMarks:
    """What earlier looks left behind; before the first one, the newest audit record tells that it was later once."""
    marks = table.clock_marks(connection)
    if marks.agreed is not None:
        return marks
    return ClockMarks(max((record.at for record in audit.list_newest(connection, None, 1)), default=None))


def accept_restore(installation: Installation, now: datetime) -> bool:
    """Take the database as it is from now on, and a clock that is behind too; answers whether either was in doubt."""
    with installation.database.changing(installation.actor, now) as change:
        known = _known_mark(installation)
        is_older = known is not None and not audit.holds(change.connection, *known)
        if known is not None and is_older:
            change.audit("", "rollover.accept-restore", "database", {})
            _distrust_uses(change.connection, known, now)
        is_behind = _accept_clock(change, now)
        if is_older or is_behind:
            table.lower_replay_horizon(change.connection, _last_expiry(now))
    with installation.database.reading() as connection:
        head = audit.head(connection)
    _save_mark(installation, head.sequence, head.hash)
    return is_older or is_behind


def _accept_clock(change: Change, now: datetime) -> bool:
    """Believe a clock that is behind what was agreed on: it was wrong then. One that is ahead needs a second look."""
    marks = _clock_marks(change.connection)
    if marks.agreed is None or now >= marks.agreed - BEHIND:
        return False
    table.save_clock_marks(change.connection, ClockMarks(agreed=now.replace(microsecond=0)))
    change.audit("", "rollover.accept-clock", "clock", {"agreed": instant(marks.agreed)})
    return True


def _path(installation: Installation) -> Path:
    return installation.mark or installation.key_ring.master_keys.path.with_name(MARK)


def _known_mark(installation: Installation) -> tuple[int, str] | None:
    try:
        sequence, _, digest = _path(installation).read_text("ascii").strip().partition(" ")
        return int(sequence), digest
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OperatorError(f"{_path(installation)} cannot be read; it holds a number and a hash") from error


def _save_mark(installation: Installation, sequence: int, digest: str) -> None:
    """Replace the mark as a whole; it is no secret, but nobody else writes it."""
    path = _path(installation)
    if _known_mark(installation) == (sequence, digest):
        return
    fresh = path.with_name(f".{MARK}.{os.getpid()}")
    fresh.write_text(f"{sequence} {digest}\n", "ascii")
    fresh.chmod(0o600)
    fresh.replace(path)
