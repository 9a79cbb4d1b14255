"""Transactions of the driver's own, without what SQLAlchemy does for others."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from threading import Lock
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Dialect, Engine, PoolProxiedConnection

from sts.store.prepared import DriverConnection
from sts.store.unavailability import refusal_of, unavailability_refused, unavailable

_BEGIN: Final = "BEGIN IMMEDIATE"
_COMMIT: Final = "COMMIT"  # which the driver keeps compiled as well, other than its own


@contextmanager
def by_the_driver(engine: Engine) -> Iterator[DriverConnection]:
    """A transaction on a connection of the pool."""
    driver: Any = engine.dialect.dbapi
    try:
        with unavailability_refused(), closing(engine.raw_connection()) as connection:
            try:
                if engine.dialect.name == "sqlite":
                    connection.cursor().execute(_BEGIN)
                yield DriverConnection(engine.dialect, connection)
                connection.commit()
            except BaseException:
                with suppress(driver.Error):
                    connection.rollback()
                raise
    except driver.Error as error:
        raise unavailable(error) from error


class _Idle:
    """What one process keeps."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.lock = Lock()
        self.kept: PoolProxiedConnection | None = None


class KeptConnection:
    """An engine of SQLite's, one connection of which stays out of the pool between its transactions.

    Taking one out and putting it back costs as much as a transaction. Whoever finds it taken has another one. After a
    fork the child has connections of its own: two processes that use one of SQLite's do not see each other's locks.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle = _Idle()
        self._left: list[object] = []  # of processes before a fork

    def transaction(self) -> AbstractContextManager[DriverConnection]:
        """A transaction beside which nobody else writes."""
        return _Transaction(self)

    @property
    def dialect(self) -> Dialect:
        """The kind of database."""
        return self._engine.dialect

    def take(self) -> PoolProxiedConnection:
        """The kept connection, or another if somebody has it."""
        idle = self._own()
        with idle.lock:
            kept, idle.kept = idle.kept, None
        return self._engine.raw_connection() if kept is None else kept

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """Keep a connection that is in no transaction, unless one is kept."""
        idle = self._own()
        with idle.lock:
            kept = idle.kept
            if kept is None:
                idle.kept = connection
        if kept is not None:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        idle = self._own()
        with idle.lock:
            kept, idle.kept = idle.kept, None
        if kept is not None:
            kept.close()
        self._engine.dispose()

    def _own(self) -> _Idle:
        """What this process keeps.

        What it has from before a fork, the pool too, is held as it is for good: closing it would do to the file what
        the other process, which still has it open, does not expect. The lock may be one that nobody is left to release.
        """
        idle = self._idle
        if idle.process != os.getpid():
            self._left += (idle, self._engine.pool)
            self._engine.dispose(close=False)
            self._idle = idle = _Idle()
        return idle


class _Transaction(AbstractContextManager[DriverConnection]):
    """One transaction: committed, or rolled back for an error."""

    def __init__(self, owner: KeptConnection) -> None:
        self._owner = owner
        self._connection: PoolProxiedConnection | None = None

    def __enter__(self) -> DriverConnection:
        try:
            self._connection = connection = self._owner.take()
            driver: Any = connection.driver_connection
            driver.execute(_BEGIN)
        except Exception as error:
            self._abandon()
            raise self._refusal(error) from error
        return DriverConnection(self._owner.dialect, driver)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        if error is None and connection is not None:
            driver: Any = connection.driver_connection
            try:
                driver.execute(_COMMIT)
            except Exception as failure:
                self._abandon()
                raise self._refusal(failure) from failure
            self._owner.give_back(connection)
            return
        self._abandon()
        if isinstance(error, Exception):
            refusal = self._refusal(error)
            if refusal is not error:
                raise refusal from error

    def _abandon(self) -> None:
        """Roll back, and give the connection to the pool, which sees whether it is any good."""
        if self._connection is not None:
            self._connection.close()

    def _refusal(self, error: Exception) -> Exception:
        driver: Any = self._owner.dialect.dbapi
        return unavailable(error) if isinstance(error, driver.Error) else refusal_of(error)
