"""Who is signed in at a namespace, and where that got them tokens (core.sign_in_steps.Sessions)."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hmac import compare_digest
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sts.core.errors import NamespaceNotFound
from sts.core.exchange import Principal
from sts.core.model import Claim, Namespace, ProviderKind
from sts.core.sign_in_sessions import thumbprint
from sts.core.sign_in_steps import RETIRED, Session
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
_GIVEN: Final = (
    *("id", "namespace_id", "token_hash", "browser", "provider", "vouched"),
    *("name", "principal", "relying_parties", "expires_at"),
)
_CHANCE: Final = 21  # bits of an id that do not say when
_HEAD: Final = re.compile(r"[0-7]?[0-9a-f]{1,15}")  # of a token: an id of 63 bits
_START: Final = Prepared(
    lambda connection: (
        upsert.insert(connection, _TABLE)
        .values({name: sa.bindparam(name) for name in _GIVEN})
        .on_conflict_do_nothing()  # of the id
    )
)
_KNOWN: Final = Prepared(
    lambda connection: (
        sa.select(_TABLE.c.relying_parties).where(_TABLE.c.id == sa.bindparam("wanted")).with_for_update()
    )
)
_KNOWN_JOINED: Final = Prepared(
    lambda connection: sa.select(_JOINED.c.realm, _JOINED.c.reply).where(
        _JOINED.c.browser_session_id == sa.bindparam("wanted")
    )
)
_END: Final = Prepared(lambda connection: sa.delete(_TABLE).where(_TABLE.c.id == sa.bindparam("ended")))


class SqlSessions:
    """Keeps sessions as rows; the browser holds a token: the id of the row, and what is random. The row has its hash.

    Ids follow the time, so that a new row stands beside the one before. By chance it would stand anywhere, and have
    SQLite write three pages more.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        """Answer the session of a token, None if it is over or another namespace's; raises StoreUnavailable."""
        known = id_of(token)
        mine = (_TABLE.c.id == known, _TABLE.c.namespace_id == namespace.id, _TABLE.c.expires_at > now)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_TABLE).where(*mine)).first()
            if row is None or not compare_digest(row.token_hash, hash_of(token)):
                return None
            joined = sa.select(_JOINED.c.realm, _JOINED.c.reply).where(_JOINED.c.browser_session_id == row.id)
            parties = _parties(row.relying_parties, connection.execute(joined).all())
        principal = _principal(json.loads(row.principal))
        return Session(row.id, row.provider, principal, parties, row.vouched, row.browser)

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        """Begin a session until its `ends`, and answer its token; raises StoreUnavailable.

        It takes the place of the stored one whose id it bears, if that is there, and takes over its relying parties.
        Raises NamespaceNotFound for a namespace that is gone.
        """
        with self._database.recording_at_once() as connection:
            token = start(connection, namespace, session, now)
        faultpoint("session.begun")
        return token

    def join(self, session: Session, realm: str, reply: str) -> bool:
        """Remember that a relying party got a token; answers whether the session is there. Raises StoreUnavailable."""
        if (realm, reply) in session.relying_parties or len(session.relying_parties) >= MOST_RELYING_PARTIES:
            return True
        with self._database.recording() as connection:
            mine = sa.select(_TABLE.c.id).where(_TABLE.c.id == session.id)
            if connection.scalar(mine.with_for_update()) is None:  # signed out meanwhile
                return False
            new = upsert.insert(connection, _JOINED).values(**_joined(session.id, realm, reply))
            connection.execute(new.on_conflict_do_nothing())
        return True

    def end(self, namespace: Namespace, session: Session, now: datetime) -> tuple[tuple[str, str], ...]:
        """End the session and all others that began in its browser at the namespace; answers their relying parties.

        Those are looked for among all sessions: an index would be written by every sign-in, and few people sign out.
        Whoever has no session has nobody look. Raises StoreUnavailable.
        """
        others = self._others(namespace, session, now) if session.browser else []
        with self._database.recording_at_once() as connection:
            told = {each: _end(connection, each) for each in sorted((session.id, *others))}  # nobody waits for a waiter
        parties = dict.fromkeys((*told[session.id], *(party for each in others for party in told[each])))
        return tuple(parties)[:MOST_RELYING_PARTIES]

    def _others(self, namespace: Namespace, session: Session, now: datetime) -> Sequence[int]:
        """The ids of what else began in the session's browser; by their index it would take five times as long."""
        same = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.browser == session.browser)
        with self._database.reading() as connection:
            found = connection.execute(sa.select(_TABLE.c.id, _TABLE.c.expires_at).where(*same)).all()
        return [row.id for row in found if row.expires_at > now and row.id != session.id]


def start(connection: Driven, namespace: Namespace, session: Session, now: datetime) -> str:
    """Begin a session, and answer its token; raises NamespaceNotFound."""
    before = _end(connection, session.id) if session.id else ()
    parties = [*(party for party in before if party not in session.relying_parties), *session.relying_parties]
    row: dict[str, int | str] = {
        "namespace_id": namespace.id,
        "browser": session.browser,
        "provider": session.provider,
        "vouched": session.vouched,
        "name": bounded(session.principal.name),
        "principal": _json(_members(session.principal)),
        "relying_parties": _parties_json(tuple(parties[-MOST_RELYING_PARTIES:])),
        "expires_at": seconds(session.ends(namespace, now)),
    }
    try:
        while True:
            session_id = _new_id(now)
            token = f"{session_id:x}.{secrets.token_urlsafe(32)}"
            if _START.count(connection, id=session_id, token_hash=hash_of(token), **row):
                return token
    except IntegrityError as error:  # nothing else can be wrong with the row
        raise NamespaceNotFound(
            f"there is no namespace '{namespace.name}'", detail="it was deleted meanwhile"
        ) from error


def _end(connection: Driven, session_id: int) -> tuple[tuple[str, str], ...]:
    """End a session, and answer its relying parties as they are now: none if it is over already."""
    for (stored,) in _KNOWN.rows(connection, wanted=session_id):
        parties = _parties(stored, _KNOWN_JOINED.rows(connection, wanted=session_id))
        _END.count(connection, ended=session_id)
        return parties
    return ()


def _parties(stored: str, joined: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """The relying parties of a session, by address: those when it began, and those that joined it."""
    by_reply = {reply: realm for realm, reply in (*json.loads(stored), *joined)}
    return tuple((by_reply[reply], reply) for reply in sorted(by_reply))


def end_all(connection: sa.Connection) -> None:
    """End every session of every namespace."""
    connection.execute(sa.delete(_TABLE))


def end_of_provider(change: Change, namespace: Namespace, provider: str) -> None:
    """End every session of those who signed in at an identity provider."""
    change.connection.execute(
        sa.delete(_TABLE).where(_TABLE.c.namespace_id == namespace.id, _TABLE.c.provider == provider)
    )


def outlive(change: Change, namespace: Namespace, provider: str, certificates: Iterable[bytes]) -> None:
    """Have the sessions of an identity provider that these certificates (DER) vouched for go on without them."""
    vouched = [thumbprint(certificate) for certificate in certificates]
    mine = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.provider == provider, _TABLE.c.vouched.in_(vouched))
    change.connection.execute(sa.update(_TABLE).where(*mine).values(vouched=RETIRED))


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


def id_of(token: str) -> int:
    """Answer the id of a token's session: what stands before its point; 0, which no session has, where none does."""
    head, point, _ = token.partition(".")
    return int(head, 16) if point and _HEAD.fullmatch(head) else 0


def _new_id(now: datetime) -> int:
    """An id for a session that begins now: its millisecond since 1970, then chance."""
    return int(now.timestamp() * 1000) << _CHANCE | secrets.randbits(_CHANCE)


@lru_cache(maxsize=1024)
def _parties_json(parties: tuple[tuple[str, str], ...]) -> str:
    return _json(parties)


def _json(value: object) -> str:
    return _COMPACT.encode(value)


def _members(principal: Principal) -> list[object]:
    return [
        principal.name,
        principal.identity_provider,
        principal.claims,
        principal.authenticated_at.timestamp(),
        principal.method,
        principal.dated,
    ]


def _principal(members: list[Any]) -> Principal:
    name, identity_provider, claims, at, method, dated = members
    return Principal(
        name=name,
        identity_provider=identity_provider,
        claims=tuple(Claim(*claim) for claim in claims),
        authenticated_at=datetime.fromtimestamp(at, UTC),
        method=AuthenticationMethod(method),
        dated=dated,
    )
