"""What may be used once, in every process (core.ports.ReplayCache)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import Namespace
from sts.store import installation, upsert
from sts.store.bounded import bounded
from sts.store.database import Database
from sts.store.tables import replay as _TABLE

KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)
PURGED_EVERY: Final = timedelta(hours=1)


class SqlReplayCache:
    """Remembers uses as rows: the database lets exactly one process insert each.

    Records are purged a while after they expired. What expires before the latest record that was ever purged is
    refused from then on, so that a clock set back opens no replay window.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert: sa.Executable | None = None
        self._purged_at: datetime | None = None

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        """Record the use; raises ReplayedToken on the second, StoreUnavailable when it cannot be recorded."""
        self.use_all(namespace, (used,), now)

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        """Record several uses in one transaction, all of them or none; raises as `use` does."""
        rows = sorted((_row(namespace, use) for use in uses), key=_place)  # nobody waits for who waits for him
        if not rows:
            return
        with self._database.recording() as connection:
            if self._insert is None:
                self._insert = _unless_known(connection)
            for row in rows:
                if connection.execute(self._insert, row).first() is None:
                    raise ReplayedToken("The token was used before.", detail=_described(row))
            horizon = installation.replay_horizon(connection)
        if self._purged_at is None or abs(now - self._purged_at) >= PURGED_EVERY:
            self._purged_at = now
            self.purge(now)
        for row in rows:
            if horizon is not None and row["expires_at"] <= horizon:
                detail = f"{_described(row)} expires at {row['expires_at']:%FT%TZ}"
                detail += f", and uses are on record only after {horizon:%FT%TZ}"
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


def _row(namespace: Namespace, use: TokenUse) -> dict[str, Any]:
    return {
        "namespace_id": namespace.id,
        "issuer": bounded(use.issuer),
        "token_id": bounded(use.token_id),
        "expires_at": use.expires_at.replace(microsecond=0),
    }


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row["issuer"], row["token_id"]


def _described(row: dict[str, Any]) -> str:
    return f"token {row['token_id']} of {row['issuer']}"


def _unless_known(connection: sa.Connection) -> sa.Executable:
    """The statement that answers a row only the first time; made once, since making it costs more than running it."""
    return upsert.insert(connection, _TABLE).on_conflict_do_nothing().returning(_TABLE.c.token_id)
