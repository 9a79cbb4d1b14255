"""The thread of a process that forgets what expired."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sts.core.exchange import TokenUse
from sts.store import cancellations, replay, tables
from sts.web.purge_thread import INTERVAL, PurgeThread
from tests.contract.backends import SqlBackend
from tests.contract.test_sessions import CONTOSO, SIGNED_IN
from tests.core.builders import NOW
from tests.store.test_purging import count

SECOND = timedelta(seconds=1)
END = NOW + cancellations.KEPT_AFTER_EXPIRY + SECOND  # a token is cancelled until the second after its end
LOG = "sts.web.purge_thread"


class Process:
    """One process of the service, in whose database a use, a cancelled token and a session end at NOW."""

    def __init__(self, home: Path) -> None:
        self.now = NOW
        self.sql = SqlBackend(f"sqlite:///{home}/sts.db")
        self.thread = self.another_thread()
        contoso = self.sql.save_namespace(CONTOSO)
        self.sql.replays.use(contoso, TokenUse("i", "1", NOW, NOW - SECOND), NOW - SECOND)
        self.sql.cancellations.cancel(contoso, "2", NOW, NOW - SECOND)
        self.sql.sessions.start(contoso, SIGNED_IN, NOW - CONTOSO.session)

    def another_thread(self) -> PurgeThread:
        return PurgeThread(self.sql.database, self.clock)

    def clock(self) -> datetime:
        return self.now

    def left(self) -> tuple[int, int, int]:
        """How many uses, cancelled tokens and sessions are remembered."""
        counted = (tables.replay, tables.cancelled_token, tables.browser_session)
        uses, cancelled, sessions = (count(self.sql, table) for table in counted)
        return uses, cancelled, sessions


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def process(home: Path) -> Iterator[Process]:
    made = Process(home)
    yield made
    made.sql.database.close()


def test_what_expired_is_forgotten_when_the_clock_says_so(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    found = []
    for at in (NOW - SECOND, NOW, NOW + replay.KEPT_AFTER_EXPIRY, END):
        process.now = at
        assert process.thread.look() == INTERVAL
        found.append(process.left())
    assert found == [(1, 1, 1), (1, 1, 0), (0, 1, 0), (0, 0, 0)]
    assert caplog.records == []


def test_threads_of_several_processes_do_each_other_no_harm(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.now = END
    threads = [process.another_thread() for _ in range(3)]
    assert [thread.look() for thread in threads] == [INTERVAL] * 3
    assert process.left() == (0, 0, 0)
    assert caplog.records == []


def test_what_is_left_for_want_of_a_database_is_forgotten_the_next_time(
    process: Process, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process.now = END
    process.sql.database.close()
    away = home.rename(home.with_name("away"))
    with caplog.at_level(logging.WARNING, LOG):
        assert process.thread.look() == INTERVAL
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage().startswith("what expired is not forgotten yet: ")
    away.rename(home)
    assert process.thread.look() == INTERVAL
    assert process.left() == (0, 0, 0)


def test_whatever_goes_wrong_the_thread_looks_again(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    broken = [OSError(28, "No space left on device")]

    def clock() -> datetime:
        if broken:
            raise broken.pop()
        return process.now

    thread = PurgeThread(process.sql.database, clock)
    with caplog.at_level(logging.WARNING, LOG):
        assert thread.attempt() == INTERVAL
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "what expired is not forgotten")
    assert record.exc_info is not None
    assert thread.attempt() == INTERVAL
    assert process.left() == (1, 1, 0)


def test_the_thread_ends_when_it_is_told_to(process: Process) -> None:
    process.thread.start()
    process.thread.stop()
    assert not process.thread.is_alive()
