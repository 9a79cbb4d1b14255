"""A record is written whole, or it is said that it is not."""

import fcntl
import json
import os
import resource
import signal
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sts.settings import LogFormat
from sts.web.request_log import RequestLog

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files of this process end after so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A file to which records are added."""
    opened = os.open(tmp_path / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    yield opened
    os.close(opened)


def written(folder: Path) -> list[str]:
    """The lines of the log, the last of which may have no end."""
    return (folder / "log").read_text().split("\n")


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize("room", [0, 1, 60])
def test_record_that_is_cut_short_is_an_error_and_the_next_one_begins_on_a_line_of_its_own(
    tmp_path: Path, descriptor: int, log_format: LogFormat, room: int
) -> None:
    log = RequestLog(log_format, descriptor)
    log.write(AT, {"number": 1})
    size = os.fstat(descriptor).st_size
    with room_for(size + room):
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                log.write(AT, {"number": 2, "detail": "x" * 100})
    assert os.fstat(descriptor).st_size == size + room
    log.write(AT, {"number": 3})
    log.write(AT, {"number": 4})
    whole, *torn, third, fourth, end = written(tmp_path)
    assert [len(line) for line in torn] == [room]
    assert [whole.replace("1}", "3}").replace("=1", "=3"), end] == [third, ""]
    assert fourth == third.replace("3}", "4}").replace("=3", "=4")


def test_record_that_is_cut_short_again_and_again_does_not_hide_the_one_that_follows(
    tmp_path: Path, descriptor: int
) -> None:
    log = RequestLog(LogFormat.JSON, descriptor)
    for room in (10, 20, 21, 22, 40):
        with room_for(room), pytest.raises(OSError, match="File too large"):
            log.write(AT, {"detail": "x" * 100})
    log.write(AT, {"number": 1})
    *torn, last, end = written(tmp_path)
    assert (json.loads(last)["number"], end, sum(map(len, torn)) + len(torn)) == (1, "", 41)


def test_record_that_finds_no_room_after_another_processs_was_cut_short_does_not_go_on_in_its_line(
    tmp_path: Path, descriptor: int
) -> None:
    one, other = (RequestLog(LogFormat.JSON, descriptor) for _ in range(2))
    with room_for(60):
        for log in (one, other):
            with pytest.raises(OSError, match="File too large"):
                log.write(AT, {"detail": "x" * 100})
    other.write(AT, {"number": 1})
    one.write(AT, {"number": 2})
    torn, first, blank, second, end = written(tmp_path)
    assert (len(torn), blank, end) == (60, "", "")
    assert [json.loads(line)["number"] for line in (first, second)] == [1, 2]


def test_pipe_that_takes_no_more_is_an_error() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    log = RequestLog(LogFormat.JSON, writer)
    with pytest.raises(BlockingIOError):
        log.write(AT, {"detail": "x" * 100_000})
    taken = os.read(reader, 100_000)
    assert 0 < len(taken) < 100_000
    log.write(AT, {"number": 1})
    assert os.read(reader, 100).startswith(b'\n{"at":')
    os.close(reader)
    os.close(writer)


def test_record_that_a_signal_cuts_short_goes_on() -> None:
    """The rest of it is written once the reader takes more."""
    reader, writer = os.pipe()
    capacity = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    interrupted, taken = [], bytearray()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: interrupted.append(number))

    def interrupt_and_read(whom: int) -> None:
        while struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0] < capacity:
            continue
        signal.pthread_kill(whom, signal.SIGUSR1)
        while got := os.read(reader, capacity):
            taken.extend(got)

    partner = threading.Thread(target=interrupt_and_read, args=(threading.get_ident(),))
    partner.start()
    log = RequestLog(LogFormat.JSON, writer)
    log.write(AT, {"detail": "x" * 3 * capacity})
    log.write(AT, {"number": 1})
    os.close(writer)
    partner.join()
    os.close(reader)
    signal.signal(signal.SIGUSR1, before)
    assert interrupted == [signal.SIGUSR1]
    first, second = map(json.loads, taken.splitlines())
    assert (first["detail"], second["number"]) == ("x" * 3 * capacity, 1)
