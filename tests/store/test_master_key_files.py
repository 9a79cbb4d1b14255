"""The files of the master key, and the names they get."""

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sts.core.errors import MasterKeyError
from sts.crypto.sealing import MasterKey
from sts.store.master_key_files import MasterKeyFiles

Files = tuple[str | None, str | None, str | None]  # the letters of master.key, .next and .previous
NAMES = ("master.key", "master.key.next", "master.key.previous")


def key(letter: str) -> MasterKey:
    return MasterKey.from_bytes(letter.encode() * 32)


def write(path: Path, letter: str) -> None:
    path.touch(0o600)
    path.write_bytes(letter.encode() * 32)


def arrange(folder: Path, letters: Files) -> MasterKeyFiles:
    for name, letter in zip(NAMES, letters, strict=True):
        if letter is not None:
            write(folder / name, letter)
    return MasterKeyFiles(folder / NAMES[0])


def arranged(folder: Path) -> Files:
    present, coming, previous = ((folder / name) for name in NAMES)
    assert {path.name for path in folder.iterdir()} <= set(NAMES)
    return _letter(present), _letter(coming), _letter(previous)


def _letter(path: Path) -> str | None:
    return path.read_bytes()[:1].decode() if path.exists() else None


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a full disk, writing fails beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_key_is_found_by_its_id_whatever_its_file_is_called(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", "b", "c"))
    for letter in "abc":
        assert files.find(key(letter).id).id == key(letter).id
    with pytest.raises(MasterKeyError, match=f"master key with the id {key('d').id.hex()} is needed, and neither"):
        files.find(key("d").id)


def test_key_that_comes_later_is_found_without_a_restart(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", None, None))
    assert not files.holds(key("b").id)
    write(tmp_path / "master.key.next", "b")
    assert files.find(key("b").id).id == key("b").id


@pytest.mark.parametrize(
    ("before", "after", "was_done"),
    [
        (("a", "b", None), ("b", None, "a"), True),
        (("a", "b", "a"), ("b", None, "a"), True),  # killed after the old key got its second name
        (("b", None, "a"), ("b", None, "a"), False),
        ((None, "b", None), ("b", None, None), True),
        ((None, "b", "a"), ("b", None, "a"), True),
        (("a", "c", None), ("a", "c", None), False),  # prepared, and not what the database is sealed under
        (("a", None, None), ("a", None, None), False),
    ],
)
def test_key_of_the_database_gets_its_name_and_the_one_before_is_kept(
    tmp_path: Path, before: Files, after: Files, was_done: bool
) -> None:
    files = arrange(tmp_path, before)
    assert files.settle(key("b").id) is was_done
    assert arranged(tmp_path) == after
    assert files.settle(key("b").id) is False
    assert arranged(tmp_path) == after


def test_older_key_is_never_overwritten(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", "b", "z"))
    with pytest.raises(MasterKeyError, match=r"master\.key\.previous is an older master key already; move it"):
        files.settle(key("b").id)
    assert arranged(tmp_path) == ("a", "b", "z")


def test_link_is_not_cut_by_a_rename(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "keys"
    folder.mkdir()
    write(elsewhere / "secret", "a")
    (folder / "master.key").symlink_to(elsewhere / "secret")
    write(folder / "master.key.next", "b")
    with pytest.raises(MasterKeyError, match="is a symbolic link to"):
        MasterKeyFiles(folder / "master.key").settle(key("b").id)
    assert (folder / "master.key").is_symlink()
    assert _letter(folder / "master.key.next") == "b"


def test_link_does_not_become_the_master_key(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", None, None))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere / "secret", "b")
    files.next_path.symlink_to(elsewhere / "secret")
    with pytest.raises(MasterKeyError, match=r"next is a symbolic link to .*; put the file itself in its place"):
        files.settle(key("b").id)
    assert _letter(files.path) == "a"
    files.next_path.unlink()
    write(files.next_path, "b")
    assert files.settle(key("b").id) is True


def test_sixteen_processes_at_once_give_the_names_once(tmp_path: Path) -> None:
    arrange(tmp_path, ("a", "b", None))
    with ThreadPoolExecutor(16) as threads:
        each = [MasterKeyFiles(tmp_path / "master.key") for _ in range(16)]
        done = list(threads.map(lambda files: files.settle(key("b").id), each))
    assert sum(done) == 1
    assert arranged(tmp_path) == ("b", None, "a")


def test_no_reader_misses_a_key_while_files_are_renamed(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(50)]
    for folder in folders:
        folder.mkdir()
        arrange(folder, ("a", "b", None))

    def read_until_renamed(folder: Path) -> None:
        while (folder / "master.key.next").exists():
            for letter in "ab":
                assert MasterKeyFiles(folder / "master.key").find(key(letter).id).id == key(letter).id

    with ThreadPoolExecutor(2) as threads:
        for folder in folders:
            reading = threads.submit(read_until_renamed, folder)
            MasterKeyFiles(folder / "master.key").settle(key("b").id)
            reading.result()
            assert arranged(folder) == ("b", None, "a")


def test_new_key_is_private_and_whole(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", None, None))
    made = files.create_next()
    status = (tmp_path / "master.key.next").stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o600, 32)
    assert files.find(made.id).id == made.id
    with pytest.raises(MasterKeyError, match="is never overwritten"):
        files.create_next()


@pytest.mark.parametrize("size", [0, 1, 31])
def test_full_disk_leaves_no_half_of_a_key(tmp_path: Path, size: int) -> None:
    files = arrange(tmp_path, ("a", None, None))
    with no_file_longer_than(size), pytest.raises(MasterKeyError, match="master key cannot be written to"):
        files.create_next()
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    assert files.create_next()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_f06_any_of_the_keys_open_to_others_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    files = arrange(tmp_path, ("a", "b", "c"))
    (tmp_path / name).chmod(mode)
    with pytest.raises(MasterKeyError, match="can be read or written by others; chmod it to 0600"):
        files.find(key("a").id)


@pytest.mark.parametrize("name", NAMES)
def test_f06_any_of_the_keys_cut_is_refused(tmp_path: Path, name: str) -> None:
    files = arrange(tmp_path, ("a", "b", "c"))
    os.truncate(tmp_path / name, 31)
    with pytest.raises(MasterKeyError, match=r"does not have 32 bytes"):
        files.find(key("a").id)


def test_discarded_key_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    files = arrange(tmp_path, ("a", None, "z"))
    assert files.find(key("z").id)
    files.discard_previous()
    assert arranged(tmp_path) == ("a", None, None)
    with pytest.raises(MasterKeyError):
        files.find(key("z").id)
    assert files.find(key("a").id)
