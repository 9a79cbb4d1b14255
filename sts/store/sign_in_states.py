"""Sign-ins that wait for their identity provider: under seal with the browser, on record once they are over."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sts.core.errors import InvalidState
from sts.core.model import Namespace
from sts.core.sign_in_steps import PendingSignIn
from sts.core.uris import AuthenticationMethod
from sts.crypto.state_sealing import open_state, seal_state
from sts.store import replay
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.prepared import Driven

LIFETIME: Final = timedelta(minutes=10)
_AHEAD: Final = timedelta(minutes=3)  # how far the clock of another machine may be ahead
_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STARTED_AT: Final = PendingSignIn._fields.index("started_at")
_FRESH: Final = PendingSignIn._fields.index("fresh")
_PURPOSE: Final = b"sign-in states"


class SqlSignInStates:
    """Seals sign-ins under a key of the installation; of what is used up only the nonce is stored."""

    def __init__(self, database: Database, key_ring: SealedKeyRing) -> None:
        self._database = database
        self._key_ring = key_ring

    def new_nonce(self) -> str:
        """Answer 128 random bits in hex."""
        return secrets.token_hex(16)

    def seal(self, pending: PendingSignIn) -> str:
        """Answer the sign-in as text that only `open` can read; raises KeyUnreadable, StoreUnavailable."""
        fresh = None if pending.fresh is None else pending.fresh // _SECOND
        members = {**pending._asdict(), "started_at": (pending.started_at - _EPOCH) // _SECOND, "fresh": fresh}
        text = json.dumps([*members.values()], separators=(",", ":"), ensure_ascii=False)
        return seal_state(self._key(), text.encode())

    def open(self, text: str, now: datetime) -> PendingSignIn:
        """Answer what was sealed at most ten minutes ago; raises InvalidState."""
        pending = _pending(json.loads(open_state(self._key(), text).decode()))
        if not pending.started_at - _AHEAD <= now <= pending.started_at + LIFETIME:
            raise InvalidState(detail=f"the sign-in was begun at {pending.started_at:%FT%TZ}")
        return pending

    def require_unused(self, namespace: Namespace, pending: PendingSignIn) -> None:
        """Return if the sign-in is not over; raises InvalidState, StoreUnavailable."""
        with self._database.looking() as connection:
            if replay.knows_sign_in(connection, namespace, pending.nonce):
                raise over(pending)

    def use(self, namespace: Namespace, pending: PendingSignIn) -> None:
        """Record the use; raises InvalidState on the second, StoreUnavailable when it cannot be recorded."""
        with self._database.recording_at_once() as connection:
            record_use(connection, namespace, pending)

    def _key(self) -> bytes:
        return self._key_ring.derived_key(_PURPOSE)


def _pending(values: list[Any]) -> PendingSignIn:
    """What was sealed; raises InvalidState for what another version of this software has sealed."""
    try:
        sealed = PendingSignIn._make(values)
        return sealed._replace(
            started_at=_EPOCH + values[_STARTED_AT] * _SECOND,
            fresh=None if sealed.fresh is None else values[_FRESH] * _SECOND,
            method=AuthenticationMethod(sealed.method),
        )
    except (TypeError, ValueError) as error:
        raise InvalidState(detail="the sign-in was begun by another version of this service") from error


def record_use(connection: Driven, namespace: Namespace, pending: PendingSignIn) -> None:
    """Record that a sign-in is over; raises InvalidState if it was before."""
    if not replay.record_sign_in(connection, namespace, pending.nonce, pending.started_at + LIFETIME):
        raise over(pending)


def over(pending: PendingSignIn) -> InvalidState:
    """What is raised for a sign-in that is over."""
    return InvalidState(detail=f"the sign-in {pending.nonce} is over already")
