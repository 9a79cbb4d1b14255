"""SignInStates, Sessions and SignInRecords in plain dictionaries, for tests that need no database."""

from datetime import datetime, timedelta
from itertools import count

from sts.core.errors import InvalidState, NamespaceNotFound
from sts.core.model import Namespace
from sts.core.ports import ReplayCache
from sts.core.sign_in_steps import Completed, PendingSignIn, Session

LIFETIME = timedelta(minutes=10)
_numbers = count(1)


class MemorySignInStates:
    """Sign-ins behind names that nobody guesses."""

    def __init__(self) -> None:
        self.sealed: dict[str, PendingSignIn] = {}
        self.used: dict[tuple[int, str], object] = {}

    def new_nonce(self) -> str:
        return f"nonce {next(_numbers)}"

    def seal(self, pending: PendingSignIn) -> str:
        text = f"state{next(_numbers)}"
        self.sealed[text] = pending
        return text

    def open(self, text: str, now: datetime) -> PendingSignIn:
        pending = self.sealed.get(text)
        if pending is None or not pending.started_at - timedelta(minutes=3) <= now <= pending.started_at + LIFETIME:
            raise InvalidState(detail="unknown or too old")
        return pending

    def require_unused(self, namespace: Namespace, pending: PendingSignIn) -> None:
        if (namespace.id, pending.nonce) in self.used:
            raise InvalidState(detail="it is over already")

    def use(self, namespace: Namespace, pending: PendingSignIn) -> None:
        mine = object()
        if self.used.setdefault((namespace.id, pending.nonce), mine) is not mine:
            raise InvalidState(detail="it is over already")


class MemorySessions:
    """Sessions by their token."""

    def __init__(self) -> None:
        self.sessions: dict[str, tuple[int, datetime, Session]] = {}
        self.deleted: set[int] = set()  # namespaces

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        namespace_id, expires_at, session = self.sessions.get(token, (0, now, None))
        return session if namespace_id == namespace.id and now < expires_at else None

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        if namespace.id in self.deleted:
            raise NamespaceNotFound(f"there is no namespace '{namespace.name}'")
        before = next((known.relying_parties for *_, known in self.sessions.values() if known.id == session.id), ())
        self._remove([session.id])
        token = f"token{next(_numbers)}"
        parties = tuple(dict.fromkeys((*before, *session.relying_parties)))
        begun = session._replace(id=next(_numbers), relying_parties=parties)
        self.sessions[token] = (namespace.id, session.ends(namespace, now), begun)
        return token

    def join(self, session: Session, realm: str, reply: str) -> bool:
        for token, (namespace_id, expires_at, known) in self.sessions.items():
            if known.id != session.id:
                continue
            if reply not in [address for _, address in known.relying_parties]:
                parties = tuple(sorted((*known.relying_parties, (realm, reply)), key=lambda party: party[1]))
                self.sessions[token] = (namespace_id, expires_at, known._replace(relying_parties=parties))
            return True
        return False

    def end(self, namespace: Namespace, session: Session, now: datetime) -> tuple[tuple[str, str], ...]:
        ended = [
            known
            for namespace_id, expires_at, known in self.sessions.values()
            if known.id == session.id
            or (
                session.browser
                and (namespace_id, known.browser) == (namespace.id, session.browser)
                and now < expires_at
            )
        ]
        self._remove([known.id for known in ended])
        return tuple(dict.fromkeys(party for known in ended for party in known.relying_parties))

    def _remove(self, ids: list[int]) -> None:
        self.sessions = {token: kept for token, kept in self.sessions.items() if kept[2].id not in ids}


class MemorySignInRecords:
    """One after the other, which is as good as at once where nothing fails in between."""

    def __init__(self, states: MemorySignInStates, replays: ReplayCache, sessions: MemorySessions) -> None:
        self.states = states
        self.replays = replays
        self.sessions = sessions

    def complete(self, namespace: Namespace, completed: Completed, now: datetime) -> str:
        if completed.pending.nonce:
            self.states.use(namespace, completed.pending)
        self.replays.use(namespace, completed.use, now)
        return self.sessions.start(namespace, completed.session, now)
