"""Tokens of ours that were cancelled before their end, or are not renewed (core.ports.Cancellations)."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from sts.core.model import Namespace
from sts.store import upsert
from sts.store.bounded import bounded
from sts.store.database import Database
from sts.store.tables import cancelled_token as _TABLE

_RENEWAL: Final = "renewal of "  # before the ID of a token that is good for all but that; no ID begins so

KEPT_AFTER_EXPIRY: Final = timedelta(days=1)  # so that a clock set back a little makes none of them good again


class SqlCancellations:
    """Remembers cancelled tokens as rows until a day after their end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        """Remember it until the token's end; a second time changes nothing. Raises StoreUnavailable."""
        row = {
            "namespace_id": namespace.id,
            "token_id": bounded(token_id),
            "expires_at": expires_at.replace(microsecond=0) + timedelta(seconds=1),
        }
        with self._database.recording() as connection:
            connection.execute(upsert.insert(connection, _TABLE).values(**row).on_conflict_do_nothing())

    def is_cancelled(self, namespace: Namespace, token_id: str) -> bool:
        """Answer whether the token was cancelled; raises StoreUnavailable."""
        known = sa.and_(_TABLE.c.namespace_id == namespace.id, _TABLE.c.token_id == bounded(token_id))
        with self._database.reading() as connection:
            return connection.scalar(sa.select(_TABLE.c.token_id).where(known)) is not None

    def forbid_renewal(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        """Remember until the token's end that it is not renewed; raises StoreUnavailable."""
        self.cancel(namespace, _RENEWAL + token_id, expires_at, now)

    def is_renewable(self, namespace: Namespace, token_id: str) -> bool:
        """Answer whether renewing the token was not forbidden; raises StoreUnavailable."""
        return not self.is_cancelled(namespace, _RENEWAL + token_id)
