"""The database: SQLite or PostgreSQL, its transactions and its migrations."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select

from sts.core.errors import StoreUnavailable
from sts.store.changes import Change, ChangeFeed
from sts.store.driver import KeptConnection, by_the_driver
from sts.store.forks import close_before_fork, leave_to_parent, tell_of_forks
from sts.store.prepared import Driven, DriverConnection, run_driver_sql
from sts.store.unavailability import unavailability_refused

_BUSY_TIMEOUT: Final = 10_000  # milliseconds
_WRITERS: Final = 0x737473  # the advisory lock that lets one configuration transaction in at a time
_BEGIN: Final = "sts_begin"
_SYNCED: Final = "PRAGMA synchronous = FULL"  # a commit outlives the machine
_DEFERRED: Final = "PRAGMA synchronous = NORMAL"  # it outlives the process, and the machine once a synced one follows
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 8000",  # pages, 32 MB: what changes again and again is copied back less often
    f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}",
)


class Database:
    """One database and the three ways to use it: reading, recording, changing.

    Every way raises StoreUnavailable when the database does not answer, is full, or stays locked.
    """

    def __init__(self, url: str) -> None:
        self.feed = ChangeFeed()
        self._turn = Lock()
        self._url = _with_driver(make_url(url))
        self._engine = _engine(self._url)
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._readers = self._engine.execution_options(**{} if is_sqlite else {"isolation_level": "REPEATABLE READ"})
        self._writers = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        is_file = is_sqlite and self._url.database not in (None, "", ":memory:")
        self._looking = KeptConnection(self._engine) if is_file else None
        self._deferring: KeptConnection | None = None
        self._left: list[object] = []  # in use when this process was forked off another, which has them open
        tell_of_forks(self)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def migrate(self) -> None:
        """Bring the schema to this version; any number of processes may try at once."""
        if self.dialect == "sqlite":
            _create_private_file(self._url.database)
        config = Config()
        config.set_main_option("script_location", "sts.store:migrations")
        with unavailability_refused(), self._exclusively() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @property
    def can_defer(self) -> bool:
        """Whether commits can be told to wait for the disk or not: those of a file of SQLite."""
        return self.dialect == "sqlite" and os.path.isfile(self._url.database or "")

    def defer(self) -> None:
        """Have `recording_deferred` wait for the disk no more, in a database that can.

        Only for who notices from now on that the machine has been down (ADR 16).
        """
        if self.can_defer and self._deferring is None:
            self._deferring = KeptConnection(_engine(self._url, _DEFERRED))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one consistent state."""
        with unavailability_refused(), self._readers.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def looking(self) -> Iterator[Driven]:
        """Open a connection for prepared statements that read, of which each may see another state."""
        if self._looking is None:
            with self.reading() as connection:
                yield connection
        else:
            with self._looking.look() as looking:
                yield looking

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """Open a transaction for what issuing may write: replay records and failure counters."""
        with unavailability_refused(), self._writers.begin() as connection:
            yield connection

    def recording_at_once(self) -> AbstractContextManager[DriverConnection]:
        """Open such a transaction for prepared statements alone: it costs a part of the other one."""
        return by_the_driver(self._engine)

    def recording_deferred(self) -> AbstractContextManager[DriverConnection]:
        """Open such a transaction that may be lost when the machine goes down, with all such that came after it.

        What another transaction records later is never there without it.
        """
        return by_the_driver(self._engine) if self._deferring is None else self._deferring.transaction()

    @contextmanager
    def changing(self, actor: str, now: datetime) -> Iterator[Change]:
        """Open the transaction of one change of configuration or credentials; others wait for it.

        It is committed with its audit records and change records, or not at all; this process's snapshots are told at
        once, the other processes' when they poll.
        """
        with self._in_turn(), unavailability_refused(), self._exclusively() as connection:
            change = Change(connection, actor, now)
            yield change
            change.flush()
        self.feed.tell(change.touched)

    def poll(self) -> None:
        """Have this process's snapshots drop what other processes changed; raises StoreUnavailable."""
        with self.reading() as connection:
            self.feed.read(connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()
        for kept in (self._looking, self._deferring):
            if kept is not None:
                kept.close()

    def before_fork(self) -> None:
        """Close the idle connections where they must not be open across a fork."""
        close_before_fork(self._engine)

    def after_fork(self) -> None:
        """Have connections of its own in the child, where nobody may be left to end a change that is being made."""
        self._left.append(leave_to_parent(self._engine))
        self._turn = Lock()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """One change at a time in a process: those that wait hold no connection, which the one that works may need."""
        if not self._turn.acquire(timeout=_BUSY_TIMEOUT / 1000):
            raise StoreUnavailable("The database is too busy; try again later.", detail="other changes take their time")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _exclusively(self) -> Iterator[Connection]:
        with self._writers.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
            yield connection


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _engine(url: URL, syncing: str = _SYNCED) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_TIMEOUT / 1000})
        event.listen(engine, "connect", partial(_prepare_sqlite, (*_PRAGMAS, syncing)))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=10,
        connect_args={"connect_timeout": 5, "tcp_user_timeout": 10_000},
    )


def _prepare_sqlite(pragmas: tuple[str, ...], connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # the driver would begin late and never IMMEDIATE
    with closing(connection.cursor()) as cursor:
        for pragma in pragmas:
            cursor.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    run_driver_sql(connection, connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _create_private_file(path: str | None) -> None:
    if path and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
