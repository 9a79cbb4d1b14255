"""What goes from step to step while somebody signs in by browser, and what that needs from the layers above."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from sts.core.errors import StsError
from sts.core.exchange import IssuedToken, Principal, TokenProof, TokenUse
from sts.core.model import IdentityProvider, Namespace, RelyingParty
from sts.core.parts import Parts
from sts.core.uris import AuthenticationMethod

RETIRED: Final = "retired"  # vouched for by a certificate that was taken away only after it had expired


class Wish(Protocol):
    """What a relying party asks for: a protocol's sign-in request."""

    @property
    def realm(self) -> str:
        """Whose tokens are meant."""

    @property
    def reply(self) -> str | None:
        """Where the answer should go; None: the default."""

    @property
    def context(self) -> str | None:
        """What the answer carries back unchanged."""

    @property
    def home_realm(self) -> str | None:
        """Where the person belongs: an identity provider's name or issuer, a domain, an e-mail address."""

    @property
    def fresh(self) -> timedelta | None:
        """How old the sign-in may be; zero: begin anew."""

    @property
    def authentication(self) -> str | None:
        """How the person is to sign in, a URI; None: it does not matter."""

    @property
    def choose(self) -> bool:
        """Whether to let the person choose even where there is nothing to choose from."""

    @property
    def delivery(self) -> str:
        """How the token is to be handed over."""


class Browser(NamedTuple):
    """What a browser brings besides its request."""

    mark: str  # SHA-256 of its cookie, in hex; "": it brought none
    session: str  # the token of its session; "": none
    source: str
    device: str = ""  # what it was given when somebody signed in by password in it

    def __repr__(self) -> str:
        """What is no secret."""
        return f"Browser(source={self.source!r})"


class Visit(NamedTuple):
    """Whose door is knocked at, by whom and when."""

    namespace: Namespace
    browser: Browser
    now: datetime


class PendingSignIn(NamedTuple):
    """A sign-in that waits for its identity provider, carried by the browser under seal."""

    namespace: str
    realm: str
    reply: str
    context: str | None
    provider: str
    nonce: str
    browser: str  # the mark of the browser that began it
    started_at: datetime  # whole seconds
    fresh: timedelta | None = None
    delivery: str = ""  # how the token is handed over, in the protocol's words
    method: AuthenticationMethod = AuthenticationMethod.UNSPECIFIED  # how the person is to sign in, if we know that way


class Session(NamedTuple):
    """Somebody who is signed in at a namespace, and where that got them tokens."""

    id: int
    provider: str
    principal: Principal
    relying_parties: tuple[tuple[str, str], ...] = ()  # realm as asked for, and reply address
    vouched: str = ""  # by which certificate of the identity provider, or by which secrets of the account, it began
    browser: str = ""  # the mark of the browser in which it began, "" if that withheld it

    def ends(self, namespace: Namespace, now: datetime) -> datetime:
        """When a session that begins now is over: by the namespace, earlier if the identity provider says so."""
        ours, theirs = now + namespace.session, self.principal.session_ends
        return ours if theirs is None else min(ours, theirs)


class Witnessed(NamedTuple):
    """Who signed in, and what vouches for that; no session lasts longer than that does."""

    principal: Principal
    vouched: str


class Returned(NamedTuple):
    """What an identity provider sent back by the browser."""

    state: str
    proof: Callable[[], TokenProof]  # cuts the token out; raises BadRequest, PayloadTooLarge


class Unsolicited(NamedTuple):
    """What an identity provider sent for a relying party without having been asked."""

    realm: str
    proof: Callable[[], TokenProof]  # cuts the token out; raises BadRequest, PayloadTooLarge


class Typed(NamedTuple):
    """What a person typed into the form of a local identity provider."""

    state: str
    name: str
    password: bytes

    def __repr__(self) -> str:
        """What is no secret."""
        return f"Typed(name={self.name!r})"


class SignInStates(Protocol):
    """Keeps sign-ins in the hands of browsers, and remembers those that are over."""

    def new_nonce(self) -> str:
        """Text that was never used before."""

    def seal(self, pending: PendingSignIn) -> str:
        """Text that only `open` can read."""

    def open(self, text: str, now: datetime) -> PendingSignIn:
        """What was sealed at most ten minutes ago; raises InvalidState."""

    def require_unused(self, namespace: Namespace, pending: PendingSignIn) -> None:
        """Return if the sign-in is not over; raises InvalidState, StoreUnavailable."""

    def use(self, namespace: Namespace, pending: PendingSignIn) -> None:
        """Record that it is over; raises InvalidState the second time, StoreUnavailable when it cannot be recorded."""


class Sessions(Protocol):
    """Who is signed in, for every process."""

    def find(self, namespace: Namespace, token: str, now: datetime) -> Session | None:
        """The session of a token, None if it is over or another namespace's; raises StoreUnavailable."""

    def start(self, namespace: Namespace, session: Session, now: datetime) -> str:
        """Begin a session until its `ends`, and answer its token.

        It takes the place of the stored one whose id it bears, if that is there, and takes over its relying parties.
        Raises NamespaceNotFound for a namespace that is gone.
        """

    def join(self, session: Session, realm: str, reply: str) -> bool:
        """Remember that a relying party got a token; answers whether the session is there still."""

    def end(self, namespace: Namespace, session: Session, now: datetime) -> tuple[tuple[str, str], ...]:
        """End the session and all others that began in its browser at the namespace; answers their relying parties."""


class Completed(NamedTuple):
    """A sign-in that an identity provider's token completed."""

    pending: PendingSignIn  # without a nonce where nobody asked for the token
    use: TokenUse
    session: Session  # that begins; it takes the place of the stored one whose id it bears, if any


class SignInRecords(Protocol):
    """Records what a sign-in uses up and what it begins: all of it at once, or it did not happen."""

    def complete(self, namespace: Namespace, completed: Completed, now: datetime) -> str:
        """Record it, and answer the token of the session.

        Raises InvalidState for a sign-in that is over already, whose token then stays unused; ReplayedToken for a
        token that was used, which ends the sign-in; StoreUnavailable when nothing could be recorded; NamespaceNotFound
        for a namespace that is gone.
        """


class Devices(Protocol):
    """Recognises browsers in which somebody has signed in by password before."""

    def remember(self, namespace: Namespace, name: str) -> str:
        """Text for the browser, by which it is recognised when this name signs in."""

    def recognised(self, namespace: Namespace, name: str, text: str) -> str | None:
        """What tells this browser from others, None unless the name has signed in by it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What signing in works with; built once, in `sts.assemble`."""

    parts: Parts
    states: SignInStates
    sessions: Sessions
    records: SignInRecords
    devices: Devices


class AtProvider(NamedTuple):
    """Go on at an identity provider."""

    provider: IdentityProvider
    pending: PendingSignIn


class Choose(NamedTuple):
    """Let the person choose an identity provider."""

    relying_party: RelyingParty
    providers: tuple[IdentityProvider, ...]
    unknown: str | None = None  # the e-mail address whose domain is nobody's


class AskPassword(NamedTuple):
    """Ask for the name and password of a local account."""

    relying_party: RelyingParty
    provider: IdentityProvider
    pending: PendingSignIn
    refused: StsError | None = None  # the attempt before
    name: str = ""  # what was typed in that


class Deliver(NamedTuple):
    """Hand the token over."""

    issued: IssuedToken
    pending: PendingSignIn
    session_token: str = ""  # of a session that began; "": the browser has it already
    device: str = ""  # by which the browser is recognised when the same name signs in by password again

    def __repr__(self) -> str:
        """What is no secret."""
        return f"Deliver({self.issued!r}, provider={self.pending.provider!r})"


Step = AtProvider | Choose | AskPassword | Deliver


class SignInRefused(Exception):
    """A refusal that the relying party should hear of: its request was in order."""

    def __init__(self, error: StsError, pending: PendingSignIn, relying_party: RelyingParty) -> None:
        super().__init__(error.message)
        self.error = error
        self.pending = pending
        self.relying_party = relying_party
