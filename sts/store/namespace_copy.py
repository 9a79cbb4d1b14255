"""Copies what rollover depends on from one database to another: a namespace with its credentials, and the root CAs."""

import sqlalchemy as sa

from sts.core.clock import ClockMarks
from sts.core.model import INSTALLATION_SCOPE, NAMESPACE_SCOPE, Namespace
from sts.store import installation, tables


def copy_namespace(source: sa.Connection, target: sa.Connection, namespace: Namespace) -> None:
    """Copy the rows of one namespace and of the installation into an empty database of the same version.

    Ids stay, and secrets stay sealed: they open as before, under the same master key. Partners and their dedicated
    credentials stay out, and so does what earlier looks at the clock left behind.
    """
    credential = tables.credential.c
    _copy(source, target, tables.installation, sa.true())
    installation.save_clock_marks(target, ClockMarks())
    _copy(source, target, tables.namespace, tables.namespace.c.id == namespace.id)
    shared = sa.and_(credential.namespace_id == namespace.id, credential.scope == NAMESPACE_SCOPE)
    _copy(source, target, tables.credential, sa.or_(shared, credential.scope == INSTALLATION_SCOPE))
    for table in (tables.host, tables.ring_hold):
        _copy(source, target, table, table.c.namespace_id == namespace.id)


def _copy(source: sa.Connection, target: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> None:
    """In the order of the primary key: a credential succeeds an older one only."""
    selected = sa.select(table).where(condition).order_by(*table.primary_key.columns)
    rows = [dict(row) for row in source.execute(selected).mappings()]
    if rows:
        target.execute(sa.insert(table), rows)
