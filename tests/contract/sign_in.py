"""SignInStates and Sessions in plain dictionaries, for tests that need no database."""

from datetime import datetime, timedelta
from itertools import count

from sts.core.errors import InvalidState
from sts.core.model import Namespace
from sts.core.sign_in_steps import PendingSignIn, Session

LIFETIME = timedelta(minutes=10)
_numbers = count(1)


class MemorySignInStates:
    """Sign-ins behind names that nobody guesses."""

    def __init__(self) -> None:
        self.sealed: dict[str, PendingSignIn] = {}
        self.used: dict[str, object] = {}

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

    def use(self, namespace: Namespace, pending: PendingSignIn, now: datetime) -> None:
        mine = object()
        if self.used.setdefault(pending.nonce, mine) is not mine:
            raise InvalidState(detail="it is over already")


class MemorySessions:
    """Sessions by their token."""

    def __init__(self) -> None:
        self.sessions: dict[str, tuple[int, datetime, Session]] = {}

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        namespace_id, expires_at, session = self.sessions.get(token, (0, now, None))
        return session if namespace_id == namespace.id and now < expires_at else None

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        self.end(session)
        token = f"token{next(_numbers)}"
        self.sessions[token] = (namespace.id, now + namespace.session, session._replace(id=next(_numbers)))
        return token

    def join(self, session: Session, realm: str, reply: str) -> None:
        for token, (namespace_id, expires_at, known) in self.sessions.items():
            if known.id == session.id and reply not in [address for _, address in known.relying_parties]:
                parties = tuple(sorted((*known.relying_parties, (realm, reply)), key=lambda party: party[1]))
                self.sessions[token] = (namespace_id, expires_at, known._replace(relying_parties=parties))

    def end(self, session: Session) -> None:
        self.sessions = {token: kept for token, kept in self.sessions.items() if kept[2].id != session.id}
