"""A database that does not answer, as everybody above hears of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sts.core.errors import StoreUnavailable


@contextmanager
def unavailability_refused() -> Iterator[None]:
    """Raise StoreUnavailable for what shows that the database does not answer, is full, or stays locked."""
    try:
        yield
    except Exception as error:
        refusal = refusal_of(error)
        if refusal is error:
            raise
        raise refusal from error


def refusal_of(error: Exception) -> Exception:
    """StoreUnavailable for an error of SQLAlchemy's that shows it; any other error itself."""
    if isinstance(error, IntegrityError | DataError):
        return error
    if isinstance(error, DatabaseError | InterfaceError):  # no answer, no right, no table, a file that is no database
        return unavailable(error.orig)
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("The database is too busy; try again later.", detail=str(error))
    return error


def unavailable(error: BaseException | None) -> StoreUnavailable:
    """StoreUnavailable with what the driver says."""
    return StoreUnavailable("The database does not answer; try again later.", detail=str(error))
