"""Who is signed in at a namespace, and where that got them tokens (core.sign_in_steps.Sessions)."""

import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from sts.core.exchange import Principal
from sts.core.model import Claim, Namespace
from sts.core.sign_in_steps import Session
from sts.core.uris import AuthenticationMethod
from sts.store import upsert
from sts.store.database import Database
from sts.store.tables import browser_session as _TABLE
from sts.store.tables import browser_session_relying_party as _JOINED

PURGED_EVERY: Final = timedelta(hours=1)
MOST_RELYING_PARTIES: Final = 200  # of one session; a page cannot sign out of more

_START: Final = sa.insert(_TABLE).returning(_TABLE.c.id)
_JOIN: Final = sa.insert(_JOINED)
_END: Final = sa.delete(_TABLE).where(_TABLE.c.id == sa.bindparam("ended"))


class SqlSessions:
    """Keeps sessions as rows; the browser holds a random token of which only the hash is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._purged_at: datetime | None = None

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        """Answer the session of a token, None if it is over or another namespace's; raises StoreUnavailable."""
        mine = (_TABLE.c.token_hash == hash_of(token), _TABLE.c.namespace_id == namespace.id, _TABLE.c.expires_at > now)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_TABLE).where(*mine)).first()
            if row is None:
                return None
            joined = sa.select(_JOINED.c.realm, _JOINED.c.reply).where(_JOINED.c.browser_session_id == row.id)
            parties = tuple((realm, reply) for realm, reply in connection.execute(joined.order_by(_JOINED.c.reply)))
        return Session(row.id, row.provider, _principal(json.loads(row.principal)), parties)

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        """Begin a session for as long as the namespace says, and answer its token; raises StoreUnavailable.

        It takes the place of the stored one whose id it bears, if any.
        """
        token = secrets.token_urlsafe(32)
        values = {
            "namespace_id": namespace.id,
            "token_hash": hash_of(token),
            "provider": session.provider,
            "principal": json.dumps(_members(session.principal), separators=(",", ":")),
            "expires_at": now + namespace.session,
        }
        with self._database.recording() as connection:
            begun = connection.execute(_START, values).scalar_one()
            joined = [_joined(begun, *party) for party in session.relying_parties[-MOST_RELYING_PARTIES:]]
            if joined:
                connection.execute(_JOIN, joined)
            if session.id:
                connection.execute(_END, {"ended": session.id})
        if self._purged_at is None or abs(now - self._purged_at) >= PURGED_EVERY:
            self._purged_at = now
            self.purge(now)
        return token

    def join(self, session: Session, realm: str, reply: str) -> None:
        """Remember that a relying party got a token; raises StoreUnavailable."""
        if (realm, reply) in session.relying_parties or len(session.relying_parties) >= MOST_RELYING_PARTIES:
            return
        with self._database.recording() as connection:
            mine = sa.select(_TABLE.c.id).where(_TABLE.c.id == session.id)
            if connection.scalar(mine.with_for_update()) is None:  # signed out meanwhile
                return
            new = upsert.insert(connection, _JOINED).values(**_joined(session.id, realm, reply))
            connection.execute(new.on_conflict_do_nothing())

    def end(self, session: Session) -> None:
        """End the session; raises StoreUnavailable."""
        with self._database.recording() as connection:
            connection.execute(_END, {"ended": session.id})

    def purge(self, now: datetime) -> int:
        """Forget the sessions that are over; answers how many went."""
        with self._database.recording() as connection:
            return connection.execute(sa.delete(_TABLE).where(_TABLE.c.expires_at <= now)).rowcount


def _joined(session_id: int, realm: str, reply: str) -> dict[str, object]:
    return {"browser_session_id": session_id, "reply": reply, "realm": realm}


def hash_of(token: str) -> str:
    """Answer what is stored of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _members(principal: Principal) -> list[object]:
    return [
        principal.name,
        principal.identity_provider,
        principal.claims,
        principal.authenticated_at.timestamp(),
        principal.method,
    ]


def _principal(members: list[Any]) -> Principal:
    name, identity_provider, claims, at, method = members
    made = tuple(Claim(*claim) for claim in claims)
    return Principal(name, identity_provider, made, datetime.fromtimestamp(at, UTC), AuthenticationMethod(method))
