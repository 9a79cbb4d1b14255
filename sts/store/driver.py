"""Transactions of the driver's own, without what SQLAlchemy does for others."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from threading import Lock
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Dialect, Engine, PoolProxiedConnection

from sts.store.forks import close_before_fork, leave_to_parent, tell_of_forks
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
        self.lock = Lock()
        self.kept: PoolProxiedConnection | None = None


class KeptConnection:
    """An engine of SQLite's, one connection of which stays out of the pool between its transactions.

    Taking one out and putting it back costs as much as a transaction. Whoever finds it taken has another one. It is
    closed before a fork, after which the child has connections of its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle = _Idle()
        self._left: list[object] = []  # in use when this process was forked off another, which has them open
        tell_of_forks(self)

    def transaction(self) -> AbstractContextManager[DriverConnection]:
        """A transaction beside which nobody else writes."""
        return _Transaction(self)

    def look(self) -> AbstractContextManager[DriverConnection]:
        """Statements that only read, each by itself: it sees what is committed when it begins."""
        return _Look(self)

    @property
    def dialect(self) -> Dialect:
        """The kind of database."""
        return self._engine.dialect

    def take(self) -> PoolProxiedConnection:
        """The kept connection, or another if somebody has it."""
        idle = self._idle
        with idle.lock:
            kept, idle.kept = idle.kept, None
        return self._engine.raw_connection() if kept is None else kept

    def give_back(self, connection: PoolProxiedConnection) -> None:
        """Keep a connection that is in no transaction, unless one is kept."""
        idle = self._idle
        with idle.lock:
            kept = idle.kept
            if kept is None:
                idle.kept = connection
        if kept is not None:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._keep_none()
        self._engine.dispose()

    def before_fork(self) -> None:
        """Close the idle connections."""
        self._keep_none()
        close_before_fork(self._engine)

    def after_fork(self) -> None:
        """Begin anew, in the child, where nobody may be left to release the lock."""
        self._left += (self._idle, leave_to_parent(self._engine))
        self._idle = _Idle()

    def _keep_none(self) -> None:
        idle = self._idle
        with idle.lock:
            kept, idle.kept = idle.kept, None
        if kept is not None:
            kept.close()


class _Look(AbstractContextManager[DriverConnection]):
    """A connection, in no transaction of several statements."""

    _first: str | None = None
    _last: str | None = None

    def __init__(self, owner: KeptConnection) -> None:
        self._owner = owner
        self._connection: PoolProxiedConnection | None = None

    def __enter__(self) -> DriverConnection:
        try:
            self._connection = connection = self._owner.take()
            driver: Any = connection.driver_connection
            if self._first is not None:
                driver.execute(self._first)
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
                if self._last is not None:
                    driver.execute(self._last)
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


class _Transaction(_Look):
    """One transaction: committed, or rolled back for an error."""

    _first = _BEGIN
    _last = _COMMIT
