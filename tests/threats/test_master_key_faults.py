"""Faults F06 to F08 during a rotation of the master key, and full disks."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.errors import KeyUnreadable, MasterKeyError, StoreUnavailable
from sts.operations import master_key
from sts.operations.master_key_rotation import Phase, resume, rotate
from tests.operations.vault import (
    IDENTITY,
    Stopped,
    Vault,
    local,
    local_pattern,
    names_in,
    require_rotated,
    spoil,
    stop_while,
)
from tests.operations.workbench import NOW
from tests.store.test_master_key_files import no_file_longer_than

__all__ = ["local", "local_pattern"]

ENOUGH = 10**9  # bytes that any file may have


MISSING_TARGET: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: path.unlink(), r"the new master key \(id [0-9a-f]{16}\) is not here: copy it as"),
    ("another", lambda path: path.write_bytes(b"z" * 32), r"the new master key \(id [0-9a-f]{16}\) is not here"),
    ("cut", lambda path: path.write_bytes(b"z" * 31), "does not have 32 bytes"),
    ("0644", lambda path: path.chmod(0o644), "chmod it to 0600"),
]
MISSING_SOURCE: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: path.unlink(), "is missing, and the database holds secrets that only it opens; restore"),
    ("another", lambda path: path.write_bytes(b"z" * 32), "is not the master key that the database was sealed under"),
    ("cut", lambda path: path.write_bytes(b"z" * 31), "does not have 32 bytes"),
    ("0640", lambda path: path.chmod(0o640), "chmod it to 0600"),
]


class FullDisk:
    """A clock that stands still, and with each look at which the disk has less or more room."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = iter(sizes)
        self._limit = ExitStack()

    def __call__(self) -> datetime:
        self._limit.close()
        self._limit.enter_context(no_file_longer_than(next(self._sizes)))
        return NOW

    def end(self) -> None:
        """Make room for good."""
        self._limit.close()


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [("master.key.next", *row[1:]) for row in MISSING_TARGET] + [("master.key", *row[1:]) for row in MISSING_SOURCE],
    ids=[f"F06-next-{row[0]}" for row in MISSING_TARGET] + [f"F06-present-{row[0]}" for row in MISSING_SOURCE],
)
def test_start_during_a_rotation_wants_both_keys_whole_and_private(
    local: Vault, name: str, damage: Callable[[Path], object], sentence: str
) -> None:
    with pytest.raises(Stopped):
        rotate(local.rotator(stop_while(Phase.VERIFYING)))
    path = local.folder / name
    whole = path.read_bytes()
    damage(path)
    with pytest.raises(MasterKeyError, match=sentence):
        local.opened()
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(whole)
    assert local.found() == local.secrets
    local.rotate()


def test_key_that_cannot_be_written_ends_the_rotation_before_it_began(local: Vault) -> None:
    disk = FullDisk(ENOUGH, 31, ENOUGH)  # the second transaction is the one that makes the key
    with pytest.raises(MasterKeyError, match="master key cannot be written to"):
        rotate(replace(local.rotator(), clock=disk))
    disk.end()
    assert names_in(local.folder) == {"master.key"}
    assert local.state().rotation is None
    assert local.audited() == ["master-key.rotate", "master-key.abandon"]
    assert local.found() == local.secrets


def test_disk_that_stays_full_leaves_a_rotation_that_goes_on_when_there_is_room(local: Vault) -> None:
    old = (local.folder / "master.key").read_bytes()
    disk = FullDisk(ENOUGH, 31, 31)
    with pytest.raises(StoreUnavailable):
        rotate(replace(local.rotator(), clock=disk))
    disk.end()
    assert names_in(local.folder) == {"master.key"}
    assert local.state().needs == (master_key.LEFT_UNFINISHED,)
    assert resume(local.rotator()) is True
    require_rotated(local, old)


def test_drafts_of_killed_processes_are_gone_after_the_next_start(local: Vault) -> None:
    draft = local.folder / ".master.key.next.abcdefgh.draft"
    draft.write_bytes(b"k" * 32)
    local.opened()
    assert names_in(local.folder) == {"master.key"}


def flipped(position: int) -> Callable[[bytes, bytes], bytes]:
    """One bit of the secret is another."""

    def flip(sealed: bytes, other: bytes) -> bytes:
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        return bytes(damaged)

    return flip


SPOILT = [
    pytest.param(lambda sealed, other: other, id="F07-copied"),
    pytest.param(lambda sealed, other: sealed[:-1], id="F08-cut"),
    *(pytest.param(flipped(position), id=f"F08-byte-{position}") for position in (0, 5, 40, 100, -1)),
]


@pytest.mark.parametrize("damage", SPOILT)
def test_spoilt_secret_is_never_sealed_anew_and_the_others_are(
    local: Vault, damage: Callable[[bytes, bytes], bytes]
) -> None:
    """Whatever is wrong with it, it stays as it is, and so does the key that might open it."""
    sealed = sealed_keys(local)
    spoilt = damage(sealed["worker"], sealed["reader"])
    spoil(local, sealed=spoilt)
    for _ in range(2):
        with pytest.raises(KeyUnreadable, match=r"1 of the stored secrets do not open .* service identity worker of"):
            local.rotate()
        assert sealed_keys(local)["worker"] == spoilt
    assert names_in(local.folder) == {"master.key", "master.key.next"}
    rotation = local.state().rotation
    assert rotation
    assert rotation.sealed == len(local.secrets) - 1
    spoil(local, sealed=sealed["worker"])
    local.rotate()
    assert local.found() == local.secrets


def sealed_keys(vault: Vault) -> dict[str, bytes]:
    """The sealed keys of the service identities, as they lie in the database."""
    with vault.installation.database.reading() as connection:
        rows = connection.execute(sa.select(IDENTITY.c.name, IDENTITY.c.symmetric_key)).all()
    return {row.name: row.symmetric_key for row in rows}
