"""Who is signed in at a namespace, and where that got them tokens (core.sign_in_steps.Sessions)."""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, Final

import sqlalchemy as sa

from sts.core.exchange import Principal
from sts.core.model import Claim, Namespace, ProviderKind
from sts.core.sign_in_steps import Session
from sts.core.uris import AuthenticationMethod
from sts.store import upsert
from sts.store.bounded import bounded
from sts.store.changes import Change
from sts.store.columns import seconds
from sts.store.database import Database
from sts.store.faultpoints import faultpoint
from sts.store.prepared import Driven, Prepared
from sts.store.tables import browser_session as _TABLE
from sts.store.tables import browser_session_relying_party as _JOINED
from sts.store.tables import identity_provider

MOST_RELYING_PARTIES: Final = 200  # of one session; a page cannot sign out of more

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))  # which json.dumps makes anew each time
_GIVEN: Final = ("id", "namespace_id", "token_hash", "provider", "name", "principal", "relying_parties", "expires_at")
_START: Final = Prepared(lambda connection: sa.insert(_TABLE).values({name: sa.bindparam(name) for name in _GIVEN}))
_END: Final = Prepared(lambda connection: sa.delete(_TABLE).where(_TABLE.c.id == sa.bindparam("ended")))


class SqlSessions:
    """Keeps sessions as rows; the browser holds a random token of which only the hash is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        """Answer the session of a token, None if it is over or another namespace's; raises StoreUnavailable."""
        hashed = hash_of(token)
        mine = (_TABLE.c.id == id_of(hashed), _TABLE.c.namespace_id == namespace.id, _TABLE.c.expires_at > now)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_TABLE).where(*mine)).first()
            if row is None or not compare_digest(row.token_hash, hashed):
                return None
            joined = sa.select(_JOINED.c.reply, _JOINED.c.realm).where(_JOINED.c.browser_session_id == row.id)
            by_reply = {reply: realm for realm, reply in json.loads(row.relying_parties)}
            by_reply |= {row.reply: row.realm for row in connection.execute(joined)}
        parties = tuple((by_reply[reply], reply) for reply in sorted(by_reply))
        return Session(row.id, row.provider, _principal(json.loads(row.principal)), parties)

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        """Begin a session until its `ends`, and answer its token; raises StoreUnavailable.

        It takes the place of the stored one whose id it bears, if any.
        """
        with self._database.recording_at_once() as connection:
            token = start(connection, namespace, session, now)
        faultpoint("session.begun")
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
        with self._database.recording_at_once() as connection:
            _END.count(connection, ended=session.id)


def start(connection: Driven, namespace: Namespace, session: Session, now: datetime) -> str:
    """Begin a session, and answer its token."""
    token = secrets.token_urlsafe(32)
    hashed = hash_of(token)
    _START.count(
        connection,
        id=id_of(hashed),
        namespace_id=namespace.id,
        token_hash=hashed,
        provider=session.provider,
        name=bounded(session.principal.name),
        principal=_json(_members(session.principal)),
        relying_parties=_json(session.relying_parties[-MOST_RELYING_PARTIES:]),
        expires_at=seconds(session.ends(namespace, now)),
    )
    if session.id:
        _END.count(connection, ended=session.id)
    return token


def end_all(connection: sa.Connection) -> None:
    """End every session of every namespace."""
    connection.execute(sa.delete(_TABLE))


def end_of_provider(change: Change, namespace: Namespace, provider: str) -> None:
    """End every session of those who signed in at an identity provider."""
    change.connection.execute(
        sa.delete(_TABLE).where(_TABLE.c.namespace_id == namespace.id, _TABLE.c.provider == provider)
    )


def end_of_account(change: Change, namespace: Namespace, name: str) -> None:
    """End every session of a local account."""
    local = sa.select(identity_provider.c.name).where(
        identity_provider.c.namespace_id == namespace.id, identity_provider.c.kind == ProviderKind.LOCAL
    )
    mine = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.name == bounded(name), _TABLE.c.provider.in_(local))
    change.connection.execute(sa.delete(_TABLE).where(*mine))


def _joined(session_id: int, realm: str, reply: str) -> dict[str, object]:
    return {"browser_session_id": session_id, "reply": reply, "realm": realm}


def hash_of(token: str) -> str:
    """Answer what is stored of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(token_hash: str) -> int:
    """Answer the id of a session: the first 63 bits of its token's hash, which no other session's begins with."""
    return int(token_hash[:16], 16) >> 1


def _json(value: object) -> str:
    return _COMPACT.encode(value)


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
