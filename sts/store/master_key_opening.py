"""The master keys at the start: what the database was sealed under must be at hand, or nothing starts."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Final

from sts.core.errors import MasterKeyError
from sts.crypto.sealing import (
    MasterKey,
    check_key_id,
    check_value,
    require_check_value,
    seal_fingerprint_key,
)
from sts.store import installation as table
from sts.store import sealed_rows
from sts.store.changes import Change
from sts.store.connection import Connection
from sts.store.database import Database
from sts.store.master_key_files import MasterKeyFiles

_LOG: Final = logging.getLogger(__name__)


def open_master_keys(database: Database, path: Path, now: datetime) -> MasterKeyFiles:
    """Answer the master key files of a database, the key being made while nothing depends on one.

    Raises MasterKeyError, with the remedy, when a key that the database needs is missing, wrong or exposed.
    """
    files = MasterKeyFiles(path)
    with database.changing("sts", now) as change:
        files.clear_drafts()
        master = _sealing_key(files, change)
        if table.fingerprint_key(change.connection) is None:
            table.save_fingerprint_key(change, seal_fingerprint_key(master, master.fingerprint_key))
        _require_target(files, change.connection)
        is_settled = table.rotation(change.connection) is None
    if is_settled:
        _name_rightly(files, master)
    return files


def _sealing_key(files: MasterKeyFiles, change: Change) -> MasterKey:
    """The master key that the database is sealed under, or was until the rotation that is under way."""
    known = table.master_key_check(change.connection)
    if known is not None and files.holds(check_key_id(known)):
        master = files.find(check_key_id(known))
        require_check_value(master, known)
        return master
    if not files.path.exists():
        master = _first_key(files, change)
    elif known is None:
        master = files.present()
    else:
        raise _wrong(files, check_key_id(known))
    table.save_master_key_check(change, check_value(master))
    return master


def _first_key(files: MasterKeyFiles, change: Change) -> MasterKey:
    if sealed_rows.count(change.connection):
        raise MasterKeyError(
            f"the master key {files.path} is missing, and the database holds secrets that only it opens; "
            "restore it from where you keep it apart from the database, or name it in STS_MASTER_KEY_FILE"
        )
    master = MasterKey.create(files.path)
    table.end_rotation(change)
    table.save_fingerprint_key(change, seal_fingerprint_key(master, master.fingerprint_key))
    return master


def _wrong(files: MasterKeyFiles, needed: bytes) -> MasterKeyError:
    return MasterKeyError(
        f"{files.path} (id {files.present().id.hex()}) is not the master key that the database was sealed under;"
        f" restore that one (id {needed.hex()}). A copy of the database from before a rotation needs the master key of"
        f" that time: put it beside the present one as {files.previous_path.name}"
    )


def _require_target(files: MasterKeyFiles, connection: Connection) -> None:
    rotation = table.rotation(connection)
    if rotation is None or rotation.target is None:
        return
    needed = check_key_id(rotation.target)
    if not files.holds(needed):
        raise MasterKeyError(
            f"a rotation of the master key is under way, and the new master key (id {needed.hex()}) is not here: copy"
            f" it as {files.next_path} from the machine where the rotation was begun, or from your backup"
        )
    require_check_value(files.find(needed), rotation.target)


def _name_rightly(files: MasterKeyFiles, master: MasterKey) -> None:
    """Give the files the names that the database's state asks for; where that cannot be, the service still runs."""
    try:
        files.settle(master.id)
        kept = files.previous()
        if kept is not None and kept.id == master.id and files.present().id != master.id:
            _LOG.warning(
                "the database is sealed under %s, the master key before the present one: it is a copy from before a"
                " rotation; `sts master-key rotate` brings it to the present master key",
                files.previous_path,
            )
    except MasterKeyError as error:
        _LOG.warning("%s", error.message)
