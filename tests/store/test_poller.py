"""The thread that follows the changes of other processes never ends by itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Semaphore

import pytest

from sts.core.errors import StoreUnavailable
from sts.core.model import Namespace
from sts.store.database import Database
from sts.store.directory import Poller
from tests.contract.backends import SqlBackend

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
LIMIT = 20.0  # seconds for one poll


class Polls:
    """The polls of a database, which can be waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done = Semaphore(0)

    def poll(self) -> None:
        """Poll, and tell who waits for it."""
        try:
            self._database.poll()
        finally:
            self._done.release()

    def bring(self, condition: Callable[[], bool]) -> None:
        """Wait, poll by poll, for what polls bring."""
        while not condition():
            assert self._done.acquire(timeout=LIMIT)


def test_poller_brings_changes_and_outlives_an_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "home"
    home.mkdir()
    sql = SqlBackend(f"sqlite:///{home}/sts.db")
    contoso = sql.save_namespace(CONTOSO)
    other = sql.other_process()
    polls = Polls(sql.database)
    poller = Poller(polls, interval=0.01)
    poller.start()
    try:
        assert sql.directory.namespace("contoso").hosts == ()
        sql.database.close()
        home.rename(tmp_path / "away")
        polls.bring(lambda: "the database is away" in caplog.text)
        (tmp_path / "away").rename(home)
        other.save_namespace(replace(contoso, hosts=("new.example",)))
        polls.bring(lambda: sql.directory.namespace("contoso").hosts == ("new.example",))
    finally:
        poller.stop()
    assert not poller.is_alive()
    assert caplog.text.count("the database is away") == 1


def test_poller_outlives_a_database_that_is_being_restored(tmp_path: Path) -> None:
    file = tmp_path / "sts.db"
    sql = SqlBackend(f"sqlite:///{file}")
    contoso = sql.save_namespace(CONTOSO)
    other = sql.other_process()
    assert sql.directory.namespace("contoso").hosts == ()
    sql.database.close()
    other.database.close()
    whole = file.read_bytes()
    file.write_bytes(b"half of a backup" * 1000)
    with pytest.raises(StoreUnavailable):
        sql.database.poll()
    polls = Polls(sql.database)
    poller = Poller(polls, interval=0.01)
    poller.start()
    try:
        failed = iter(range(3))
        polls.bring(lambda: next(failed, None) is None)
        assert poller.is_alive()
        sql.database.close()
        file.write_bytes(whole)
        other.save_namespace(replace(contoso, hosts=("new.example",)))
        polls.bring(lambda: sql.directory.namespace("contoso").hosts == ("new.example",))
    finally:
        poller.stop()


def test_poller_outlives_what_nobody_expected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def drop(self, changes: object) -> None:
            raise ValueError("a change of a kind unheard of")

        def drop_all(self) -> None:
            raise ValueError("a change of a kind unheard of")

    sql = SqlBackend(f"sqlite:///{tmp_path}/sts.db")
    contoso = sql.save_namespace(CONTOSO)
    sql.directory.namespace("contoso")
    sql.database.feed.subscribe(Broken())
    sql.other_process().save_namespace(replace(contoso, hosts=("new.example",)))
    polls = Polls(sql.database)
    poller = Poller(polls, interval=0.01)
    poller.start()
    try:
        further = iter(range(3))
        polls.bring(lambda: "changes cannot be read" in caplog.text and next(further, None) is None)
        assert poller.is_alive()
        assert caplog.text.count("changes cannot be read") == 1
        assert sql.directory.namespace("contoso").hosts == ("new.example",)
    finally:
        poller.stop()
