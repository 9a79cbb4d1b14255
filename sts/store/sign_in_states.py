"""Sign-ins that wait for their identity provider: under seal with the browser, on record once they are over."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import InvalidState
from sts.core.model import Namespace
from sts.core.sign_in_steps import PendingSignIn
from sts.crypto.state_sealing import open_state, seal_state
from sts.store import upsert
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.tables import sign_in_use as _TABLE

LIFETIME: Final = timedelta(minutes=10)
KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)
PURGED_EVERY: Final = timedelta(hours=1)
_AHEAD: Final = timedelta(minutes=3)  # how far the clock of another machine may be ahead
_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PURPOSE: Final = b"sign-in states"


class SqlSignInStates:
    """Seals sign-ins under a key of the installation; of what is used up only the nonce is stored."""

    def __init__(self, database: Database, key_ring: SealedKeyRing) -> None:
        self._database = database
        self._key_ring = key_ring
        self._insert: sa.Executable | None = None
        self._purged_at: datetime | None = None

    def new_nonce(self) -> str:
        """Answer 128 random bits in hex."""
        return secrets.token_hex(16)

    def seal(self, pending: PendingSignIn) -> str:
        """Answer the sign-in as text that only `open` can read; raises KeyUnreadable, StoreUnavailable."""
        fresh = None if pending.fresh is None else pending.fresh // _SECOND
        members = {**pending._asdict(), "started_at": (pending.started_at - _EPOCH) // _SECOND, "fresh": fresh}
        return seal_state(self._key(), json.dumps([*members.values()], separators=(",", ":")).encode())

    def open(self, text: str, now: datetime) -> PendingSignIn:
        """Answer what was sealed at most ten minutes ago; raises InvalidState."""
        members: dict[str, Any] = dict(
            zip(PendingSignIn._fields, json.loads(open_state(self._key(), text)), strict=True)
        )
        fresh, started_at = members["fresh"], _EPOCH + members["started_at"] * _SECOND
        if not started_at - _AHEAD <= now <= started_at + LIFETIME:
            raise InvalidState(detail=f"the sign-in was begun at {started_at:%FT%TZ}")
        return PendingSignIn(
            **{**members, "started_at": started_at, "fresh": None if fresh is None else fresh * _SECOND}
        )

    def use(self, namespace: Namespace, pending: PendingSignIn, now: datetime) -> None:
        """Record the use; raises InvalidState on the second, StoreUnavailable when it cannot be recorded."""
        expires_at = pending.started_at + LIFETIME
        with self._database.recording() as connection:
            if self._insert is None:
                self._insert = _unless_known(connection)
            first = connection.execute(self._insert, {"nonce": pending.nonce, "expires_at": expires_at}).first()
        if first is None:
            raise InvalidState(detail=f"the sign-in {pending.nonce} is over already")
        if self._purged_at is None or abs(now - self._purged_at) >= PURGED_EVERY:
            self._purged_at = now
            self.purge(now)

    def purge(self, now: datetime) -> int:
        """Forget what ended an hour ago or earlier; answers how many records went."""
        with self._database.recording() as connection:
            return connection.execute(sa.delete(_TABLE).where(_TABLE.c.expires_at <= now - KEPT_AFTER_EXPIRY)).rowcount

    def _key(self) -> bytes:
        return self._key_ring.derived_key(_PURPOSE)


def _unless_known(connection: sa.Connection) -> sa.Executable:
    """The statement that answers a row only the first time; made once, since making it costs more than running it."""
    return upsert.insert(connection, _TABLE).on_conflict_do_nothing().returning(_TABLE.c.nonce)
