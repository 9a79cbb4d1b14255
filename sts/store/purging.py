"""Forgetting what expired, a chunk in each transaction, so that nobody who signs in waits for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from sts.store import cancellations, installation
from sts.store.database import Database
from sts.store.replay import KEPT_AFTER_EXPIRY
from sts.store.tables import browser_session, cancelled_token, known_source, replay

CHUNK: Final = 500  # rows of a transaction
LOOK: Final = 20_000  # rows that are looked for at a time; each look begins with the first row of the table


def purge(database: Database, now: datetime) -> int:
    """Forget uses an hour and cancelled tokens a day after their end, the others at it; answers how many rows went.

    Raises StoreUnavailable; what went by then is gone.
    """
    expired = (
        (replay, now - KEPT_AFTER_EXPIRY),
        (cancelled_token, now - cancellations.KEPT_AFTER_EXPIRY),
        (browser_session, now),
        (known_source, now),
    )
    return sum(_purge(database, table, until) for table, until in expired)


def _purge(database: Database, table: sa.Table, until: datetime) -> int:
    total = 0
    while gone := _purge_some(database, table, until):
        total += gone
    return total


def _purge_some(database: Database, table: sa.Table, until: datetime) -> int:
    rows = _expired(database, table, until)
    return sum(_forget(database, table, rows[at : at + CHUNK], until) for at in range(0, len(rows), CHUNK))


def _expired(database: Database, table: sa.Table, until: datetime) -> Sequence[sa.RowMapping]:
    """The keys and ends of some; nobody who records waits for looking."""
    wanted = sa.select(*table.primary_key, table.c.expires_at).where(table.c.expires_at <= until).limit(LOOK)
    with database.reading() as connection:
        return connection.execute(wanted).mappings().all()


def _forget(database: Database, table: sa.Table, rows: Sequence[sa.RowMapping], until: datetime) -> int:
    """Forget these rows, but for one that ends later by now."""
    keys = {column: sa.bindparam(f"wanted_{column.name}", type_=column.type) for column in table.primary_key}
    this = sa.delete(table).where(table.c.expires_at <= until, *(column == key for column, key in keys.items()))
    wanted = [{key.key: row[column] for column, key in keys.items()} for row in rows]
    with database.recording() as connection:
        if table is replay:
            installation.raise_replay_horizon(connection, max(row["expires_at"] for row in rows))
        return connection.execute(this, wanted).rowcount
