"""Statements of the path that every sign-in takes: compiled once for each kind of database."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa


class _Text(NamedTuple):
    """A statement in the words of one kind of database."""

    sql: str
    names: tuple[str, ...] | None  # of the values in their order; None: they go by name
    fixed: Mapping[str, Any]  # the values that the expression itself holds


class Prepared:
    """An expression whose compiling, looking up and converting would cost more than running it."""

    def __init__(self, express: Callable[[sa.Connection], sa.ClauseElement]) -> None:
        self._express: Final = express
        self._texts: dict[str, _Text] = {}

    def run(self, connection: sa.Connection, **values: int | str) -> sa.CursorResult[Any]:
        """Run it with these values, which are what the columns hold: instants as seconds."""
        text = self._texts.get(connection.dialect.name) or self._compile(connection)
        if text.names is None:
            return connection.exec_driver_sql(text.sql, {**text.fixed, **values})
        given = {**text.fixed, **values} if text.fixed else values
        return connection.exec_driver_sql(text.sql, tuple([given[name] for name in text.names]))

    def _compile(self, connection: sa.Connection) -> _Text:
        compiled = self._express(connection).compile(dialect=connection.dialect)
        order: list[str] | None = getattr(compiled, "positiontup", None)
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        text = _Text(str(compiled), None if order is None else tuple(order), fixed)
        self._texts[connection.dialect.name] = text
        return text
