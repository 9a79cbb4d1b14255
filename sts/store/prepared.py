"""Statements of the path that every sign-in takes: compiled once, and run by the driver itself."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


class Driven(Protocol):
    """A connection as far as prepared statements need it: SQLAlchemy's, or one without what that does for others."""

    @property
    def dialect(self) -> sa.Dialect:
        """The kind of database."""

    @property
    def connection(self) -> Any:
        """The driver's connection."""


class DriverConnection(NamedTuple):
    """A driver's connection, in a transaction that somebody else ends."""

    dialect: sa.Dialect
    connection: Any


class _Text(NamedTuple):
    """A statement in the words of one kind of database."""

    sql: str
    arranged: Callable[[Mapping[str, Any]], Any]  # the values as the driver takes them
    fixed: Mapping[str, Any]  # the values that the expression itself holds


class Prepared:
    """An expression whose compiling, looking up and converting would cost several times as much as running it."""

    def __init__(self, express: Callable[[Driven], sa.ClauseElement]) -> None:
        self._express: Final = express
        self._texts: dict[str, _Text] = {}

    def count(self, connection: Driven, **values: int | str) -> int:
        """Run it with these values, which are what the columns hold, and answer how many rows it made."""
        return int(self._run(connection, values).rowcount)

    def rows(self, connection: Driven, **values: int | str) -> list[tuple[Any, ...]]:
        """Run it with these values, and answer the rows as the columns hold them."""
        return list(self._run(connection, values).fetchall())

    def _run(self, connection: Driven, values: Mapping[str, int | str]) -> Any:
        text = self._texts.get(connection.dialect.name) or self._compile(connection)
        given = {**text.fixed, **values} if text.fixed else values
        return run_driver_sql(connection, text.sql, text.arranged(given))

    def _compile(self, connection: Driven) -> _Text:
        compiled = self._express(connection).compile(dialect=connection.dialect)
        order: list[str] | None = getattr(compiled, "positiontup", None)
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        text = _Text(str(compiled), _by_name if order is None else _in_order(order), fixed)
        self._texts[connection.dialect.name] = text
        return text


def _by_name(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def run_driver_sql(connection: Driven, sql: str, parameters: Any = ()) -> Any:
    """Have the driver run a statement, and answer its cursor; errors are those that SQLAlchemy raises."""
    driver: Any = connection.dialect.dbapi
    try:
        cursor = connection.connection.cursor()
        cursor.execute(sql, parameters)
    except driver.Error as error:
        raise DBAPIError.instance(
            sql, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
    return cursor
