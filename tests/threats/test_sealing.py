"""Faults F06 to F08 where they meet the seal: the master key's file and sealed rows."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sts.core.errors import KeyUnreadable, MasterKeyError
from sts.crypto.sealing import MasterKey, SealContext, check_value, require_check_value, seal, unseal

MASTER = MasterKey.from_bytes(b"\x01" * 32)
CONTEXT = SealContext("contoso", 7, "signing")


def test_f06_missing_master_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match=r"master key .* is missing"):
        MasterKey.load(tmp_path / "master.key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 31, 33, 64], ids=lambda size: f"F06-{size}-bytes")
def test_master_key_of_the_wrong_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    with pytest.raises(MasterKeyError, match=r"master key .* does not have 32 bytes"):
        MasterKey.load(path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o602], ids=lambda mode: f"F06-{mode:o}")
def test_master_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    MasterKey.create(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyError, match=r"master key .* can be read or written by others"):
        MasterKey.load(path)


def test_f06_master_key_of_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    MasterKey.create(path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(MasterKeyError, match=r"master key .* belongs to user"):
        MasterKey.load(path)


def test_f06_folder_in_place_of_the_master_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match=r"master key .* cannot be read"):
        MasterKey.load(tmp_path)


def test_f06_wrong_master_key_is_told_by_the_check_value() -> None:
    with pytest.raises(MasterKeyError, match="not the master key that the database was sealed under"):
        require_check_value(MasterKey.from_bytes(b"\x02" * 32), check_value(MASTER))


@pytest.mark.parametrize(
    "elsewhere",
    [{"namespace": "fabrikam"}, {"credential_id": 8}, {"use": "decryption"}],
    ids=["F07-namespace", "F07-credential", "F07-use"],
)
def test_sealed_row_copied_elsewhere_does_not_open(elsewhere: dict[str, Any]) -> None:
    with pytest.raises(KeyUnreadable):
        unseal(MASTER, seal(MASTER, b"secret", CONTEXT), replace(CONTEXT, **elsewhere))


def test_f08_any_bit_flip_makes_that_secret_unreadable_and_no_other() -> None:
    sealed, neighbour = seal(MASTER, b"secret", CONTEXT), seal(MASTER, b"other", CONTEXT)
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(KeyUnreadable):
            unseal(MASTER, bytes(flipped), CONTEXT)
    assert unseal(MASTER, neighbour, CONTEXT) == b"other"


def test_f08_any_truncation_makes_the_secret_unreadable() -> None:
    sealed = seal(MASTER, b"secret", CONTEXT)
    for size in range(len(sealed)):
        with pytest.raises(KeyUnreadable):
            unseal(MASTER, sealed[:size], CONTEXT)
    with pytest.raises(KeyUnreadable):
        unseal(MASTER, sealed + b"\x00", CONTEXT)
