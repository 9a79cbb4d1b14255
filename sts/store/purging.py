"""Forgetting what expired, a chunk in each transaction, so that nobody who signs in waits for it."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from sts.store import cancellations, installation
from sts.store.database import Database
from sts.store.replay import KEPT_AFTER_EXPIRY
from sts.store.tables import browser_session, cancelled_token, known_source, replay

CHUNK: Final = 500  # rows; those that expired in the same second as the last of them go with it


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
    while gone := _purge_chunk(database, table, until):
        total += gone
    return total


def _purge_chunk(database: Database, table: sa.Table, until: datetime) -> int:
    expired = table.c.expires_at <= until
    oldest = sa.select(table.c.expires_at).where(expired).order_by(table.c.expires_at).limit(CHUNK).subquery()
    with database.reading() as connection:  # nobody who records waits for looking
        last: datetime | None = connection.scalar(sa.select(sa.func.max(oldest.c.expires_at)))
    if last is None:
        return 0
    with database.recording() as connection:
        if table is replay:
            installation.raise_replay_horizon(connection, last)
        return connection.execute(sa.delete(table).where(table.c.expires_at <= last)).rowcount
