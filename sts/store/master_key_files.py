"""The files of the master key: the present one, and beside it the next one and the previous one while there are such.

`master.key` is the key; `master.key.next` waits for a rotation or is being rotated to; `master.key.previous` is what a
rotation replaced. Which of them seals, the database says: every sealed secret carries the id of its master key, so a
key is found by its id whatever its file is called just then.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from sts.core.errors import KeyUnreadable, MasterKeyError
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey, SealContext
from sts.store.faultpoints import faultpoint

NEXT: Final = ".next"
PREVIOUS: Final = ".previous"


class MasterKeyFiles:
    """The master keys of one installation; a key that is not known yet is looked for in the files again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.next_path = path.with_name(path.name + NEXT)
        self.previous_path = path.with_name(path.name + PREVIOUS)
        self._lock = Lock()
        self._known: dict[bytes, MasterKey] = {}

    def find(self, key_id: bytes) -> MasterKey:
        """The master key of an id, read from the files when it is new; raises MasterKeyError when it is in none."""
        found = self._known.get(key_id) or self._read().get(key_id)
        if found is None:
            raise MasterKeyError(
                f"the master key with the id {key_id.hex()} is needed, and neither {self.path.name} nor"
                f" {self.next_path.name} nor {self.previous_path.name} in {self.path.parent} is that one"
            )
        return found

    def unseal(self, sealed: bytes, context: SealContext) -> bytes:
        """Open a secret under the master key that it names; raises KeyUnreadable."""
        try:
            master = self.find(sealing.key_id(sealed, context))
        except MasterKeyError as error:
            raise KeyUnreadable(
                "a stored key cannot be opened",
                detail=f"{context.associated_data.decode()} cannot be opened: {error.message}",
            ) from error
        return sealing.unseal(master, sealed, context)

    def holds(self, key_id: bytes) -> bool:
        """Whether one of the files is the key of this id; raises MasterKeyError when one cannot be used."""
        return key_id in self._read()

    def present(self) -> MasterKey:
        """The key of `master.key` itself; raises MasterKeyError when it is missing or cannot be used."""
        return MasterKey.load(self.path)

    def next(self) -> MasterKey | None:
        """The key that waits in `master.key.next`, None without one; raises MasterKeyError when it cannot be used."""
        return _load_if_there(self.next_path)

    def previous(self) -> MasterKey | None:
        """The key in `master.key.previous`, None without one; raises MasterKeyError when it cannot be used."""
        return _load_if_there(self.previous_path)

    def create_next(self) -> MasterKey:
        """Make `master.key.next`; raises MasterKeyError when there is one or it cannot be written."""
        made = MasterKey.create(self.next_path)
        faultpoint("master-key.next-made")
        return made

    def settle(self, key_id: bytes) -> bool:
        """Give the key that seals the database the name `master.key`, and keep the one before it; say if it was so.

        Done again after a crash, by every process that finds it undone. Raises MasterKeyError when it cannot be done.
        """
        if not self._is_coming(key_id):
            return False
        try:
            require_no_link(self.path)
            self._require_real_next()
            self._keep_previous()
            faultpoint("master-key.previous-kept")
            self.next_path.replace(self.path)
            faultpoint("master-key.renamed")
            sealing.sync_folder(self.path.parent)
        except (OSError, MasterKeyError) as error:
            if not self._is_coming(key_id):  # another process did it at the same time
                return False
            raise MasterKeyError(
                f"the files of the master key cannot be renamed: {error}. Keep {self.path} as {self.previous_path.name}"
                f" and give {self.next_path.name} the name {self.path.name} yourself"
            ) from error
        return True

    def discard_previous(self) -> None:
        """Remove `master.key.previous`; raises MasterKeyError."""
        try:
            self.previous_path.unlink(missing_ok=True)
            sealing.sync_folder(self.path.parent)
        except OSError as error:
            raise MasterKeyError(f"the master key {self.previous_path} cannot be removed: {error.strerror}") from error
        self._read()

    def clear_drafts(self) -> None:
        """Remove half-written keys that killed processes left; only while nobody can be writing one."""
        sealing.clear_drafts(self.path)

    def _is_coming(self, key_id: bytes) -> bool:
        coming = self.next()
        return coming is not None and coming.id == key_id

    def _require_real_next(self) -> None:
        """Return if the next key is a file of its own: a link would become the master key and lead elsewhere."""
        if self.next_path.is_symlink():
            raise MasterKeyError(
                f"{self.next_path} is a symbolic link to {self.next_path.resolve()}; put the file itself in its place"
            )

    def _keep_previous(self) -> None:
        """A second name for the present key, so that at no instant either key is without one."""
        if not self.path.exists():
            return
        with suppress(FileExistsError):
            os.link(self.path, self.previous_path)
        kept = self.previous()
        if kept is None or kept.id != self.present().id:
            raise MasterKeyError(f"{self.previous_path} is an older master key already; move it to where you keep such")

    def _read(self) -> dict[bytes, MasterKey]:
        """What the files hold now, read in an order in which no key is missed that `settle` renames meanwhile."""
        with self._lock:
            found = [_load_if_there(path) for path in (self.next_path, self.path, self.previous_path)]
            self._known = {key.id: key for key in found if key is not None}
            return self._known


def require_no_link(path: Path) -> None:
    """Return if the file of this name is the key itself, which can be renamed; raises MasterKeyError."""
    if path.is_symlink():
        raise MasterKeyError(
            f"the master key {path} is a symbolic link to {path.resolve()}, which a rotation would cut; name that file"
            " itself in STS_MASTER_KEY_FILE"
        )


def _load_if_there(path: Path) -> MasterKey | None:
    try:
        return MasterKey.load(path)
    except MasterKeyError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
