"""What may be used once, in every process (core.ports.ReplayCache)."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from sts.core.errors import ReplayedToken
from sts.core.model import Namespace
from sts.store import installation, upsert
from sts.store.bounded import bounded
from sts.store.database import Database
from sts.store.tables import replay as _TABLE

KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)


class SqlReplayCache:
    """Remembers uses as rows: the database lets exactly one process insert each.

    Records are purged a while after they expired. What expires before the latest record that was ever purged is
    refused from then on, so that a clock set back opens no replay window.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, namespace: Namespace, issuer: str, token_id: str, expires_at: datetime, now: datetime) -> None:
        """Record the use; raises ReplayedToken on the second, StoreUnavailable when it cannot be recorded."""
        row = {
            "namespace_id": namespace.id,
            "issuer": bounded(issuer),
            "token_id": bounded(token_id),
            "expires_at": expires_at,
        }
        with self._database.recording() as connection:
            inserted = connection.execute(upsert.insert(connection, _TABLE).values(**row).on_conflict_do_nothing())
            horizon = installation.replay_horizon(connection)
        if inserted.rowcount != 1:
            raise ReplayedToken("The token was used before.", detail=f"token {row['token_id']} of {row['issuer']}")
        if horizon is not None and expires_at <= horizon:
            detail = (
                f"token {row['token_id']} expires at {expires_at:%FT%TZ}; uses are on record since {horizon:%FT%TZ}"
            )
            raise ReplayedToken("The token may have been used before.", detail=detail)

    def purge(self, now: datetime) -> int:
        """Forget what expired an hour ago or earlier; answers how many records went."""
        old = _TABLE.c.expires_at <= now - KEPT_AFTER_EXPIRY
        with self._database.recording() as connection:
            newest: datetime | None = connection.scalar(sa.select(sa.func.max(_TABLE.c.expires_at)).where(old))
            if newest is None:
                return 0
            installation.raise_replay_horizon(connection, newest)
            return connection.execute(sa.delete(_TABLE).where(old)).rowcount
