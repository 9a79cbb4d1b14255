"""What the modules of the nouns do alike to the rows of a namespace."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import sqlalchemy as sa

from sts.core.errors import Conflict, NotFound
from sts.core.model import Namespace


class Named(Protocol):
    """A noun with a name that is unique in its namespace; id 0 until it is stored."""

    @property
    def id(self) -> int:
        """The id of its row."""

    @property
    def name(self) -> str:
        """Its name."""


def new_id(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> int:
    """Insert one row and answer the id that the database gave it."""
    key = connection.execute(sa.insert(table).values(**values)).inserted_primary_key
    return int(key[0]) if key else 0


def store(
    connection: sa.Connection, table: sa.Table, namespace: Namespace, thing: Named, values: Mapping[str, object]
) -> int:
    """Insert the row of a new thing or update that of a stored one, and answer its id.

    Raises Conflict when the name is another's, NotFound when the stored thing is gone.
    """
    refuse_taken(connection, table, namespace, thing, "name", thing.name)
    values = {**values, "name": thing.name}
    if thing.id == 0:
        return new_id(connection, table, {**values, "namespace_id": namespace.id})
    connection.execute(sa.update(table).where(*_this(table, namespace, thing)).values(**values))
    return thing.id


def stored(connection: sa.Connection, table: sa.Table, namespace: Namespace, thing: Named, column: str) -> str:
    """Answer what a column of the thing's row holds before it is changed; raises NotFound."""
    value: str | None = connection.scalar(sa.select(table.c[column]).where(*_this(table, namespace, thing)))
    if value is None:
        raise missing(table, namespace, thing.name)
    return value


def remove(connection: sa.Connection, table: sa.Table, namespace: Namespace, thing: Named) -> None:
    """Delete the thing's row; raises NotFound."""
    if connection.execute(sa.delete(table).where(*_this(table, namespace, thing))).rowcount != 1:
        raise missing(table, namespace, thing.name)


def refuse_taken(
    connection: sa.Connection, table: sa.Table, namespace: Namespace, thing: Named, column: str, value: str
) -> None:
    """Raise Conflict when another row of the namespace has this value in a column whose values are unique."""
    others = (table.c.namespace_id == namespace.id, table.c[column] == value, table.c.id != thing.id)
    other = connection.scalar(sa.select(table.c.name).where(*others))
    if other is not None:
        raise Conflict(f"the {column} '{value}' is that of the {_noun(table)} '{other}' already")


def insert_in_order(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows whose order means something."""
    if rows:
        connection.execute(sa.insert(table), [{**row, "position": position} for position, row in enumerate(rows)])


def missing(table: sa.Table, namespace: Namespace, name: str) -> NotFound:
    """Answer the error that says there is no such thing."""
    return NotFound(f"namespace '{namespace.name}' has no {_noun(table)} '{name}'")


def _this(table: sa.Table, namespace: Namespace, thing: Named) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.namespace_id == namespace.id, table.c.id == thing.id


def _noun(table: sa.Table) -> str:
    return str(table.info.get("noun", table.name.replace("_", " ")))
