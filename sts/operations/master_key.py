"""The master key as operators see it: its state, the next one made ready, the previous one discarded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sts.core.errors import Conflict, NotFound
from sts.crypto import sealing
from sts.operations.installation import Installation
from sts.operations.master_key_rotation import SUBJECT, sealing_key_id, turn_if_free
from sts.store import installation as table
from sts.store import sealed_rows
from sts.store.connection import Connection
from sts.store.faultpoints import faultpoint
from sts.store.master_key_files import require_no_link

LEFT_UNFINISHED: Final = (
    "a rotation of the master key was left unfinished, and no process is at it: run `sts master-key rotate`, or start"
    " the service, which finishes it"
)
FROM_A_COPY: Final = (
    "the database is sealed under the previous master key, as a copy from before a rotation is: run"
    " `sts master-key rotate` to bring it to the present one"
)
NOT_NAMED: Final = (
    "the files of the master key do not have their names yet: the next command gives them, or says why not"
)


@dataclass(frozen=True, slots=True)
class RotationState:
    """A rotation that is under way."""

    began_at: datetime
    to: str | None  # the new master key's id, None until there is one
    sealed: int  # secrets that are under it
    secrets: int
    is_running: bool  # a process of this machine is at it


@dataclass(frozen=True, slots=True)
class MasterKeyState:
    """Which master keys there are, by their ids in hexadecimal, and what needs a person."""

    file: str
    present: str
    next: str | None
    previous: str | None
    database: str  # the one that the database is sealed under
    secrets: int
    rotation: RotationState | None
    needs: tuple[str, ...]


def state(installation: Installation) -> MasterKeyState:
    """Answer the state of the master key; raises MasterKeyError."""
    files = installation.key_ring.master_keys
    present, coming, previous = files.present(), files.next(), files.previous()
    with installation.database.reading() as connection:
        rotation, secrets = _rotation(installation, connection), sealed_rows.count(connection)
    database = sealing_key_id(installation)
    needs = []
    if rotation is not None and not rotation.is_running:
        needs.append(LEFT_UNFINISHED)
    elif rotation is None and present.id != database:
        needs.append(NOT_NAMED if coming is not None and coming.id == database else FROM_A_COPY)
    return MasterKeyState(
        file=str(files.path),
        present=present.id.hex(),
        next=coming.id.hex() if coming else None,
        previous=previous.id.hex() if previous else None,
        database=database.hex(),
        secrets=secrets,
        rotation=rotation,
        needs=tuple(needs),
    )


def _rotation(installation: Installation, connection: Connection) -> RotationState | None:
    found = table.rotation(connection)
    if found is None:
        return None
    target = None if found.target is None else sealing.check_key_id(found.target)
    with turn_if_free(installation.key_ring.master_keys.path.parent) as is_free:
        return RotationState(
            began_at=found.began_at,
            to=None if target is None else target.hex(),
            sealed=0 if target is None else sealed_rows.count(connection, under=target),
            secrets=sealed_rows.count(connection),
            is_running=not is_free,
        )


def prepare(installation: Installation, now: datetime) -> MasterKeyState:
    """Make the next master key, for `rotate` to go to once it is wherever the database is used.

    One that is there already stays. Raises Conflict during a rotation or while the previous key is still there, and
    MasterKeyError when it cannot be written.
    """
    files = installation.key_ring.master_keys
    with installation.database.changing(installation.actor, now) as change:
        if table.rotation(change.connection) is not None:
            raise Conflict("a rotation of the master key is under way; finish it first: sts master-key rotate")
        if files.previous() is not None:
            raise Conflict(
                f"{files.previous_path} is still there; move it to where you keep such keys, or, when no copy of the"
                " database needs it any more: sts master-key discard-previous"
            )
        if files.next() is None:
            require_no_link(files.path)
            made = files.create_next()
            change.audit("", "master-key.prepare", SUBJECT, {"key": made.id.hex()})
    return state(installation)


def discard_previous(installation: Installation, now: datetime) -> str:
    """Remove the previous master key and answer its id; copies of the database from its time open no more.

    Raises NotFound when there is none, Conflict while anything is sealed under it.
    """
    files = installation.key_ring.master_keys
    with turn_if_free(files.path.parent) as is_free, installation.database.changing(installation.actor, now) as change:
        previous = files.previous()
        if previous is None:
            raise NotFound(f"there is no {files.previous_path}")
        if not is_free or table.rotation(change.connection) is not None:
            raise Conflict("a rotation of the master key is under way, which needs both master keys")
        if previous.id != files.present().id and (
            previous.id == sealing_key_id(installation) or sealed_rows.count(change.connection, under=previous.id)
        ):
            raise Conflict(f"the database holds secrets that only {files.previous_path} opens; {FROM_A_COPY}")
        change.audit("", "master-key.discard", SUBJECT, {"key": previous.id.hex()})
    faultpoint("discard-master-key.recorded")
    files.discard_previous()
    return previous.id.hex()
