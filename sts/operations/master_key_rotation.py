"""The rotation of the master key: every sealed secret is sealed anew under another one, beside the running service.

What has been done is in the database and in the names of the files, and every step may be done twice or by two
processes at once. So a rotation that was killed anywhere goes on where it was, by the command or by the service:

1. it is stored that a rotation is under way;
2. the next master key is made, and its check value stored: from then on whatever is new is sealed under it;
3. the secrets are sealed anew, a page in a transaction, each only if nobody changed it meanwhile;
4. all are read back and opened;
5. one transaction moves the check value, after making sure that nothing is left under another key;
6. the files get their names, the key before being kept.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from sts.core.credentials import instant
from sts.core.errors import Conflict, KeyUnreadable, MasterKeyError
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey
from sts.operations.installation import Installation
from sts.store import installation as table
from sts.store import sealed_rows
from sts.store.changes import Change
from sts.store.connection import Connection
from sts.store.faultpoints import faultpoint
from sts.store.master_key_files import require_no_link
from sts.store.sealed_rows import SealedRow

SUBJECT: Final = "master-key"
_ROUNDS: Final = 5
_MOST_NAMED: Final = 5


class Phase(StrEnum):
    """What a rotation is at."""

    WAITING = "waiting"  # another process is at it
    SEALING = "sealing"
    VERIFYING = "verifying"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase has come."""

    phase: Phase
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation led to; keys are named by their ids, in hexadecimal."""

    master_key: str
    replaced: str
    secrets: int
    file: str
    previous_file: str
    by_another: bool  # another process did it while this one waited


@dataclass(frozen=True, slots=True)
class Rotator:
    """Who rotates, by which clock, and how it is told; after each transaction others have their turn."""

    installation: Installation
    clock: Callable[[], datetime]
    tell: Callable[[Progress], None] = lambda progress: None
    pause: Callable[[float], None] = time.sleep  # seconds


def rotate(rotator: Rotator) -> Rotated:
    """Seal every secret under another master key: the one that waits in `master.key.next`, or else a new one.

    Goes on with a rotation that was left; waits for one that another process is at. Raises Conflict when there must be
    none, MasterKeyError when a key cannot be written or renamed, KeyUnreadable when a secret does not open: then both
    keys stay in use until it was deleted or replaced.
    """
    before = sealing_key_id(rotator.installation)
    with _turn(rotator):
        if sealing_key_id(rotator.installation) != before:
            return _report(rotator.installation, before, by_another=True)
        _begin(rotator)
        _finish(rotator)
    return _report(rotator.installation, before, by_another=False)


def resume(rotator: Rotator) -> bool:
    """Finish what a killed process left, and answer whether there was anything; nothing if another is at it.

    Raises what `rotate` does.
    """
    files = rotator.installation.key_ring.master_keys
    with rotator.installation.database.reading() as connection:
        is_under_way = table.rotation(connection) is not None
    if not is_under_way:
        return files.settle(sealing_key_id(rotator.installation))
    with turn_if_free(files.path.parent) as is_mine:
        if is_mine:
            _aim(rotator)
            _finish(rotator)
        return is_mine


def sealing_key_id(installation: Installation) -> bytes:
    """The id of the master key that the database is sealed under, or was until the rotation that is under way."""
    with installation.database.reading() as connection:
        return _sealing_key_id(connection)


@contextmanager
def turn_if_free(folder: Path) -> Iterator[bool]:
    """Let one process of this machine at a time work on the master key; says whether it is this one.

    It spares the others the work; what must not happen twice is decided in the database. The lock ends with the
    process, however that ends.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _is_locked(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _turn(rotator: Rotator) -> Iterator[None]:
    descriptor = os.open(rotator.installation.key_ring.master_keys.path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _is_locked(descriptor):
            rotator.tell(Progress(Phase.WAITING))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _begin(rotator: Rotator) -> None:
    """Store that a rotation is under way, and where to; a new key that cannot be written ends it again."""
    with _changing(rotator) as change:
        if table.rotation(change.connection) is None:
            _require_ready(rotator.installation, change.connection)
            table.begin_rotation(change)
            change.audit("", "master-key.rotate", SUBJECT, {"from": _sealing_key_id(change.connection).hex()})
            faultpoint("master-key.begun")
    faultpoint("master-key.begun-committed")
    _aim(rotator)


def _require_ready(installation: Installation, connection: Connection) -> None:
    """Return if a rotation may begin; raises Conflict and MasterKeyError with the remedy."""
    files, current = installation.key_ring.master_keys, _sealing_key_id(connection)
    files.settle(current)
    if files.present().id != current:
        return
    previous = files.previous()
    if previous is not None and previous.id != current:
        raise Conflict(
            f"{files.previous_path} is still there: the master key before the present one, under which older copies of"
            " the database open. When you need no such copy any more: sts master-key discard-previous. Otherwise move"
            " the file to where you keep such keys"
        )
    if files.next() is not None:
        return
    require_no_link(files.path)
    if installation.database.dialect != "sqlite":
        raise Conflict(
            "other machines may use this database, and each needs the next master key before anything is sealed under"
            f" it: run `sts master-key prepare`, copy {files.next_path} to the same place on each of them, and rotate"
            " then"
        )


def _aim(rotator: Rotator) -> None:
    try:
        with _changing(rotator) as change:
            rotation = table.rotation(change.connection)
            if rotation is None or rotation.target is not None:
                return
            target = _new_key(rotator.installation, change.connection)
            table.save_rotation_target(change, sealing.check_value(target))
            faultpoint("master-key.target-stored")
    except MasterKeyError as error:
        with _changing(rotator) as change:
            table.end_rotation(change)
            change.audit("", "master-key.abandon", SUBJECT, {"because": error.message})
        raise
    faultpoint("master-key.target-committed")


def _new_key(installation: Installation, connection: Connection) -> MasterKey:
    """The key to go to: the present one where the database is a copy from before a rotation, else the next one."""
    files = installation.key_ring.master_keys
    present = files.present()
    if present.id != _sealing_key_id(connection):
        return present
    return files.next() or files.create_next()


def _finish(rotator: Rotator) -> None:
    """Seal, verify and complete; again while something was sealed under the old key meanwhile."""
    for _ in range(_ROUNDS):
        target = _target(rotator.installation)
        if target is None:
            return
        _seal_anew(rotator, target)
        _verify(rotator, target)
        if _complete(rotator, target):
            rotator.installation.key_ring.master_keys.settle(target.id)
            return
    raise Conflict("secrets are still being sealed under the old master key by a process of an older version; end it")


def _target(installation: Installation) -> MasterKey | None:
    with installation.database.reading() as connection:
        rotation = table.rotation(connection)
    if rotation is None or rotation.target is None:
        return None
    target = installation.key_ring.master_keys.find(sealing.check_key_id(rotation.target))
    sealing.require_check_value(target, rotation.target)
    return target


def _seal_anew(rotator: Rotator, target: MasterKey) -> None:
    """Seal under the target what is not yet; raises KeyUnreadable, after all others, for what does not open."""
    database = rotator.installation.database
    with database.reading() as connection:
        total = sealed_rows.count(connection)
        done = total - sealed_rows.count(connection, except_under=target.id)
    spoilt: list[SealedRow] = []
    rotator.tell(Progress(Phase.SEALING, done, total))
    for page in sealed_rows.pages(database, except_under=target.id):
        began = time.perf_counter()
        unreadable = _seal_page(rotator, page, target)
        spoilt += unreadable
        done += len(page) - len(unreadable)
        rotator.tell(Progress(Phase.SEALING, done, total))
        rotator.pause(time.perf_counter() - began)
    _require_none(spoilt)


def _seal_page(rotator: Rotator, page: Sequence[SealedRow], target: MasterKey) -> list[SealedRow]:
    """Seal the secrets of a page anew, each opened again before it is stored, and answer those that do not open."""
    sealed: list[tuple[SealedRow, bytes]] = []
    unreadable: list[SealedRow] = []
    for row in page:
        try:
            secret = rotator.installation.key_ring.master_keys.unseal(row.sealed, row.context)
        except KeyUnreadable:
            unreadable.append(row)
            continue
        again = sealing.seal(target, secret, row.context)
        sealing.unseal(target, again, row.context)
        sealed.append((row, again))
    with _changing(rotator) as change:
        for row, again in sealed:
            sealed_rows.replace(change, row, again)
        faultpoint("master-key.page-sealed")
    faultpoint("master-key.page-committed")
    return unreadable


def _verify(rotator: Rotator, target: MasterKey) -> None:
    """Read back and open everything that is sealed under the target; raises KeyUnreadable."""
    database = rotator.installation.database
    with database.reading() as connection:
        total = sealed_rows.count(connection)
    done, spoilt = 0, []
    for page in sealed_rows.pages(database):
        spoilt += [row for row in page if not _opens(row, target)]
        done += len(page)
        rotator.tell(Progress(Phase.VERIFYING, min(done, total), total))
    faultpoint("master-key.verified")
    _require_none(spoilt)


def _opens(row: SealedRow, target: MasterKey) -> bool:
    """Whether a row opens; one that is under another key is left to `_complete`, which tolerates none."""
    if not row.sealed.startswith(sealing.header(target.id)):
        return True
    try:
        sealing.unseal(target, row.sealed, row.context)
    except KeyUnreadable:
        return False
    return True


def _require_none(spoilt: Sequence[SealedRow]) -> None:
    if not spoilt:
        return
    named = "; ".join(row.owner for row in spoilt[:_MOST_NAMED])
    more = f"; and {len(spoilt) - _MOST_NAMED} more" if len(spoilt) > _MOST_NAMED else ""
    raise KeyUnreadable(
        f"the rotation of the master key waits, and both master keys stay in use: {len(spoilt)} of the stored secrets"
        f" do not open under either: {named}{more}. Restore them from a copy of the database, or delete or replace"
        " them; then run `sts master-key rotate` again"
    )


def _complete(rotator: Rotator, target: MasterKey) -> bool:
    """Make the target the master key of the database, unless anything is left under another; answer whether it is."""
    with _changing(rotator) as change:
        rotation = table.rotation(change.connection)
        if rotation is None:
            return True
        if sealed_rows.count(change.connection, except_under=target.id):
            return False
        details = {
            "from": _sealing_key_id(change.connection).hex(),
            "to": target.id.hex(),
            "secrets": sealed_rows.count(change.connection),
            "began_at": instant(rotation.began_at),
        }
        table.save_fingerprint_key(change, _fingerprint_key_anew(rotator.installation, change.connection, target))
        table.save_master_key_check(change, sealing.check_value(target))
        table.end_rotation(change)
        change.audit("", "master-key.rotated", SUBJECT, details)
        faultpoint("master-key.completed")
    faultpoint("master-key.completed-committed")
    return True


def _fingerprint_key_anew(installation: Installation, connection: Connection, target: MasterKey) -> bytes:
    """The key of fingerprints, sealed under the target; what it names keeps its name."""
    files, context = installation.key_ring.master_keys, sealing.FINGERPRINT_CONTEXT
    sealed = table.fingerprint_key(connection)
    key = files.find(_sealing_key_id(connection)).fingerprint_key if sealed is None else files.unseal(sealed, context)
    again = sealing.seal_fingerprint_key(target, key)
    sealing.unseal(target, again, context)
    return again


def _report(installation: Installation, before: bytes, *, by_another: bool) -> Rotated:
    files = installation.key_ring.master_keys
    with installation.database.reading() as connection:
        current, secrets = _sealing_key_id(connection), sealed_rows.count(connection)
    return Rotated(current.hex(), before.hex(), secrets, str(files.path), str(files.previous_path), by_another)


def _sealing_key_id(connection: Connection) -> bytes:
    check = table.master_key_check(connection)
    if check is None:
        raise MasterKeyError("the database knows no master key yet; open it with any command first")
    return sealing.check_key_id(check)


def _changing(rotator: Rotator) -> AbstractContextManager[Change]:
    return rotator.installation.database.changing(rotator.installation.actor, rotator.clock())
