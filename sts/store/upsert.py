"""INSERT ... ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy keeps apart."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sts.store.prepared import Driven


def insert(connection: Driven, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Answer the INSERT of the connection's dialect, which has `on_conflict_do_...`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
