"""Every sealed secret of the database, row by row, whatever it belongs to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from sts.core.model import INSTALLATION
from sts.crypto import sealing
from sts.crypto.sealing import SealContext
from sts.store import tables
from sts.store.changes import Change
from sts.store.database import Database

SHARED_KEY: Final = "service-identity"  # what the symmetric key of a service identity is sealed for
PASSWORD: Final = "service-identity-password"  # what its password is sealed for, where it is kept recoverable

_PAGE: Final = 100
_NAMESPACE: Final = tables.namespace
_CREDENTIAL: Final = tables.credential
_IDENTITY: Final = tables.service_identity


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed secret, where it lies and what it was sealed for."""

    column: sa.Column[Any]
    id: int
    context: SealContext
    owner: str  # as people would look for it
    sealed: bytes = field(repr=False)


SEALED_COLUMNS: Final[Mapping[sa.Column[Any], tuple[sa.ColumnElement[str], sa.ColumnElement[str]]]] = {
    _CREDENTIAL.c.sealed: (
        _CREDENTIAL.c.use,
        _CREDENTIAL.c.use + sa.literal(" credential ") + _CREDENTIAL.c.thumbprint,
    ),
    _IDENTITY.c.symmetric_key: (
        sa.literal(SHARED_KEY),
        sa.literal("symmetric key of service identity ") + _IDENTITY.c.name,
    ),
    _IDENTITY.c.password: (
        sa.literal(PASSWORD),
        sa.literal("password of service identity ") + _IDENTITY.c.name,
    ),
}  # the use it was sealed for, and its name


def pages(database: Database, *, except_under: bytes | None = None) -> Iterator[tuple[SealedRow, ...]]:
    """Answer every sealed secret, a page at a time, no transaction being open between two pages.

    With `except_under`, the id of a master key, those that were not sealed under it. Raises StoreUnavailable.
    """
    for column in SEALED_COLUMNS:
        last = 0
        while True:
            with database.reading() as connection:
                page = _page(connection, column, last, except_under)
            if not page:
                break
            yield page
            last = page[-1].id


def replace(change: Change, row: SealedRow, sealed: bytes) -> None:
    """Store the secret sealed anew, unless the row was changed or deleted since it was read: then it stays so."""
    table = row.column.table
    change.connection.execute(
        sa.update(table).where(table.c.id == row.id, row.column == row.sealed).values({row.column: sealed})
    )


def count(connection: sa.Connection, *, under: bytes | None = None, except_under: bytes | None = None) -> int:
    """Answer how many sealed secrets there are: all, those under the master key of an id, or those under any other."""
    numbers = [
        sa.select(sa.func.count())
        .select_from(column.table)
        .where(_chosen(column, under, except_under))
        .scalar_subquery()
        for column in SEALED_COLUMNS
    ]
    return connection.scalar(sa.select(sum(numbers, start=sa.literal(0)))) or 0


def _page(
    connection: sa.Connection, column: sa.Column[Any], last: int, except_under: bytes | None
) -> tuple[SealedRow, ...]:
    table, (use, owner) = column.table, SEALED_COLUMNS[column]
    namespace = sa.func.coalesce(_NAMESPACE.c.name, INSTALLATION.name)
    rows = (
        sa.select(
            table.c.id, namespace.label("namespace"), use.label("use"), owner.label("owner"), column.label("sealed")
        )
        .select_from(table.outerjoin(_NAMESPACE, table.c.namespace_id == _NAMESPACE.c.id))
        .where(_chosen(column, None, except_under), table.c.id > last)
        .order_by(table.c.id)
        .limit(_PAGE)
    )
    return tuple(
        SealedRow(column, row.id, SealContext(row.namespace, row.id, row.use), _named(row), row.sealed)
        for row in connection.execute(rows)
    )


def _chosen(column: sa.Column[Any], under: bytes | None, except_under: bytes | None) -> sa.ColumnElement[bool]:
    header = sa.func.substr(column, 1, sealing.HEADER_SIZE, type_=sa.LargeBinary)
    if under is not None:
        return header == sealing.header(under)
    if except_under is not None:
        return header != sealing.header(except_under)
    return column.is_not(None)


def _named(row: sa.Row[Any]) -> str:
    return f"{row.owner} of namespace {row.namespace}" if row.namespace else f"{row.owner} of the installation"
