"""Whether the clock and the database can be believed, before anything that cannot be taken back is done.

The clock: `core.clock`. The database: a mark of its newest audit record is kept beside the master key, so that one
that was restored from an older copy is noticed (rollover.md, promises 6 and 7). It does not know which assertions were
used after the copy was made: from then on, all that may have been are refused. Where the mark cannot be written
(a folder of keys that is read-only), rollover goes on, and a warning says that a restore cannot be noticed.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sts.core.clock import BEHIND, ClockMarks, read_clock
from sts.core.credentials import instant
from sts.core.errors import OperatorError
from sts.core.presented import LONGEST_AHEAD, SKEW
from sts.core.self_issued import SELF_ISSUED_LIFETIME
from sts.crypto.sealing import sync_folder
from sts.operations.installation import Installation
from sts.store import audit, sessions
from sts.store import installation as table
from sts.store.changes import Change
from sts.store.connection import Connection
from sts.store.faultpoints import faultpoint

MARK: Final = "newest-change"  # in the folder of the master key
RESTORED: Final = (
    "the database is older than the mark beside the master key: it was restored from a copy; look at what it lost, "
    "then run `sts rollover accept-restore`"
)
_MARKED: Final = re.compile(r"([0-9]{1,18}) ([0-9a-f]{64})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    now: datetime  # what to take for now: never before what was agreed on
    fault: str | None = None  # why nothing may be done
    again_at: datetime | None = None  # when another look may find that there is no fault
    warning: str | None = None  # what to mend although the look went on


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the mark tells: the newest change that is known, none, or nothing that can be read."""

    change: tuple[int, str] | None = None  # its number and hash
    damage: str | None = None

    def doubt(self, connection: Connection) -> str | None:
        """Why the database cannot be believed, None if it can."""
        if self.damage is not None:
            return self.damage
        return None if self.change is None or audit.holds(connection, *self.change) else RESTORED


def look(installation: Installation, now: datetime) -> Look:
    """Look at the clock and the database, and leave marks for the next look; raises StoreUnavailable."""
    with installation.database.recording() as connection:
        reading = read_clock(clock_marks(connection), now)
        table.save_clock_marks(connection, reading.marks)
        head = audit.head(connection)
        mark = _read_mark(installation)
        doubt_ = mark.doubt(connection)
        if doubt_ == RESTORED and mark.change is not None:
            _distrust_uses(connection, mark.change, now)
    if doubt_ is not None:
        return Look(reading.now, doubt_)
    try:
        _save_mark(installation, head)
    except OperatorError as error:
        return Look(reading.now, reading.fault, reading.again_at, error.message)
    return Look(reading.now, reading.fault, reading.again_at)


def _distrust_uses(connection: Connection, missing: tuple[int, str], now: datetime) -> None:
    """Refuse from now on what may have been used while the uses were recorded in a database that is lost (F13).

    Nobody is signed in any more: who signed out since the copy was made would be signed in again. Once for each
    restore: what is used later is on record.
    """
    name = "{} {}".format(*missing)
    if table.noticed_restore(connection) != name:
        table.save_noticed_restore(connection, name)
        table.lose_uses(connection, _lost_by(now))
        sessions.end_all(connection)


def _lost_by(now: datetime) -> table.LostUses:
    """What can have been used by now: what was issued by then, by clocks that may be ahead of ours.

    Most tokens say when they were issued, under a signature that whoever would use one again cannot make; of the others
    only their expiry is known.
    """
    return table.LostUses(issued_by=now + LONGEST_AHEAD, expiring_by=now + SELF_ISSUED_LIFETIME + SKEW)


def doubt(installation: Installation, now: datetime) -> str | None:
    """Why nothing would be done now, None if nothing is in doubt; leaves no mark.

    A clock that nobody has looked at for long is not in doubt yet: the next two looks will tell.
    """
    with installation.database.reading() as connection:
        found = _read_mark(installation).doubt(connection)
        if found is not None:
            return found
        marks = clock_marks(connection)
    reading = read_clock(marks, now)
    return None if reading.marks.doubted not in (None, marks.doubted) else reading.fault


def clock_marks(connection: Connection) -> ClockMarks:
    """What earlier looks left behind; before the first one, the newest audit record tells that it was later once."""
    marks = table.clock_marks(connection)
    if marks.agreed is not None:
        return marks
    return ClockMarks(max((record.at for record in audit.list_newest(connection, None, 1)), default=None))


def accept_restore(installation: Installation, now: datetime) -> bool:
    """Take the database as it is from now on, and a clock that is behind too; answers whether either was in doubt.

    Raises OperatorError when the mark cannot be written anew: then the database stays in doubt.
    """
    with installation.database.changing(installation.actor, now) as change:
        mark = _read_mark(installation)
        doubt_ = mark.doubt(change.connection)
        if doubt_ is not None:
            change.audit("", "rollover.accept-restore", "database", {})
        if doubt_ == RESTORED and mark.change is not None:
            _distrust_uses(change.connection, mark.change, now)
        is_behind = _accept_clock(change, now)
        if doubt_ == RESTORED or is_behind:
            limits = _lost_by(now)
            table.lower_replay_horizon(change.connection, limits.expiring_by)
            table.lower_lost_uses(change.connection, limits)
        faultpoint("accept-restore.recorded")
    faultpoint("accept-restore.committed")
    if doubt_ is not None:
        with installation.database.reading() as connection:
            head = audit.head(connection)
        _save_mark(installation, head)
        faultpoint("accept-restore.marked")
    return doubt_ is not None or is_behind


def _accept_clock(change: Change, now: datetime) -> bool:
    """Believe a clock that is behind what was agreed on: it was wrong then. One that is ahead needs a second look."""
    marks = clock_marks(change.connection)
    if marks.agreed is None or now >= marks.agreed - BEHIND:
        return False
    table.save_clock_marks(change.connection, ClockMarks(agreed=now.replace(microsecond=0)))
    change.audit("", "rollover.accept-clock", "clock", {"agreed": instant(marks.agreed)})
    return True


def _path(installation: Installation) -> Path:
    return installation.mark or installation.key_ring.master_keys.path.with_name(MARK)


def _read_mark(installation: Installation) -> _Mark:
    path = _path(installation)
    try:
        found = _MARKED.fullmatch(path.read_text("ascii"))
    except FileNotFoundError:
        return _Mark()
    except (OSError, ValueError) as error:
        return _Mark(damage=_damage(path, f"cannot be read ({error})"))
    return _Mark(damage=_damage(path, "is damaged")) if found is None else _Mark((int(found[1]), found[2]))


def _damage(path: Path, what: str) -> str:
    return (
        f"{path}, the mark of the newest change, {what}: it cannot be told whether the database was restored from a "
        "copy; look at what it holds, then run `sts rollover accept-restore`, which writes the mark anew"
    )


def unmarked(installation: Installation) -> str | None:
    """Why the next look cannot leave its mark, as far as can be told without writing; None if it can."""
    path = _path(installation)
    return None if os.access(path.parent, os.W_OK | os.X_OK) else _unwritable(path, "its folder cannot be written to")


def _unwritable(path: Path, reason: str) -> str:
    return (
        f"{path}, the mark of the newest change, cannot be written ({reason}): rollover goes on, but a database that "
        "is restored from an older copy is not noticed; let the service write there, or name a file elsewhere, which "
        "is not restored together with the database, in STS_MARK_FILE"
    )


def _save_mark(installation: Installation, head: audit.Head) -> None:
    """Replace the mark as a whole, so that a power cut leaves one or the other; raises OperatorError.

    It is no secret, but nobody else writes it.
    """
    path = _path(installation)
    if _read_mark(installation).change == (head.sequence, head.hash):
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(fresh, f"{head.sequence} {head.hash}\n".encode("ascii"))
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise OperatorError(_unwritable(path, error.strerror or str(error))) from error


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
