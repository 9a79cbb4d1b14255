"""What a WS-Trust door hands to the core, and what it gets back (WS-Trust 1.3, 1.4)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from sts.core.exchange import Actor, IssuedToken, Proof, PublicKey, TokenProof
from sts.core.model import Namespace, TokenFormat
from sts.core.parts import Parts
from sts.core.ports import Cancellations


class TrustAction(StrEnum):
    """What is to be done with a token (WS-Trust 1.3, 3.1)."""

    ISSUE = "Issue"
    VALIDATE = "Validate"
    RENEW = "Renew"
    CANCEL = "Cancel"


class KeyKind(StrEnum):
    """How the bearer of a token proves that it is his (WS-Trust 1.3, 9.2)."""

    BEARER = "bearer"
    SYMMETRIC = "symmetric"
    PUBLIC = "public"


class Renewing(StrEnum):
    """Whether a token may be renewed (WS-Trust 1.3, 5.2)."""

    ALLOWED = "allowed"
    AFTER_EXPIRY = "after expiry"
    REFUSED = "refused"


class StatusCode(StrEnum):
    """What became of a token that was to be validated (WS-Trust 1.3, 7)."""

    VALID = "valid"
    INVALID = "invalid"


class KeyRequest(NamedTuple):
    """What a proof-of-possession token is asked for with; nothing of it for a bearer token."""

    kind: KeyKind
    bits: int | None = None
    entropy: bytes | None = None  # the caller's part of a symmetric key
    public_key: bytes | None = None  # DER SubjectPublicKeyInfo of UseKey; None: the key the caller authenticated with
    certificate: bytes | None = None  # DER, where UseKey named one
    signed: bool = False  # UseKey says that this key signed the message; otherwise it is merely named

    def __repr__(self) -> str:
        """What is no secret."""
        return f"KeyRequest(kind={self.kind!s}, bits={self.bits})"


class RequestedClaims(NamedTuple):
    """The claim types that are asked for: only these come out; both empty: all that the rules make."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


class RequestedLifetime(NamedTuple):
    """From when to when a token is wanted; None: as the service likes."""

    created: datetime | None = None
    expires: datetime | None = None


class TrustRequest(NamedTuple):
    """One RequestSecurityToken, read."""

    action: TrustAction
    realm: str | None = None  # AppliesTo
    token_type: str | None = None  # the URI as it was asked; None: the relying party's
    format: TokenFormat | None = None  # what that URI means; None with a token type: a status alone (Validate)
    key: KeyRequest | None = None  # None: the relying party decides
    lifetime: RequestedLifetime = RequestedLifetime()
    claims: RequestedClaims = RequestedClaims()
    on_behalf_of: TokenProof | None = None
    act_as: TokenProof | None = None
    target: TokenProof | None = None  # of Validate, Renew and Cancel
    context: str | None = None
    renewing: Renewing | None = None


class Derivation(NamedTuple):
    """How a signing key comes from the key that is proved (WS-SecureConversation, 7: P_SHA1)."""

    label: bytes
    nonce: bytes
    offset: int
    length: int


class Possession(NamedTuple):
    """A signature over the message that proves possession of a key; the digests of its references are verified."""

    octets: bytes  # canonical SignedInfo
    value: bytes
    method: str  # URI of the signature method
    derivation: Derivation | None = None  # None: the key itself signed


class SecretKey(NamedTuple):
    """A secret key whose possession is proved."""

    key: bytes

    def __repr__(self) -> str:
        """What is no secret."""
        return f"SecretKey(bits={8 * len(self.key)})"


ProvedKey = SecretKey | PublicKey


class VerifyPossession(Protocol):
    """Verifies a signature that proves possession of a key."""

    def __call__(self, possession: Possession, key: ProvedKey) -> None:
        """Return if the key made it, by a method that its kind allows; raises InvalidSignature."""


class MessageIdentity(NamedTuple):
    """What makes a message one that is answered once."""

    remember_until: datetime  # a second after the end of the five minutes in which the message is fresh
    id: str | None = None  # MessageID
    nonce: str | None = None  # of a UsernameToken, base64


class Caller(NamedTuple):
    """Who sends a message, and how he proves it."""

    namespace: str
    proof: Proof
    source: str  # address of the caller, for limits
    trace_id: str
    message: MessageIdentity
    possession: Possession | None = None  # None: the message is not signed
    key: KeyKind = KeyKind.BEARER  # with a TokenProof: what kind of token this door takes


class ProofKey(NamedTuple):
    """The secret key of a symmetric proof-of-possession token."""

    key: bytes
    bits: int
    server_entropy: bytes | None = None  # the caller computes the key with it; None: the key itself goes to the caller

    def __repr__(self) -> str:
        """What is no secret."""
        return f"ProofKey(bits={self.bits}, computed={self.server_entropy is not None})"


class Status(NamedTuple):
    """Whether a token is valid, and why not in words that tell no secret."""

    code: StatusCode
    reason: str
    detail: str | None = None  # the true one, for the log


class TrustAnswer(NamedTuple):
    """What became of one RequestSecurityToken."""

    request: TrustRequest
    issued: IssuedToken | None = None  # None: a status alone, or the token is cancelled
    proof: ProofKey | None = None
    status: Status | None = None
    token_type: str | None = None  # the URI that was asked, else the one of what was issued
    key: KeyKind | None = None  # of the token that was issued
    actors: tuple[Actor, ...] = ()  # who acts for whom the issued token is about, the nearest first
    caller: str = ""  # the name of who asked
    renewable: bool = True  # False: whoever would renew the issued token cannot come together with whom acts in it
    target_id: str | None = None  # of the token that was validated, renewed or cancelled, where it is one of ours


@dataclass(frozen=True, slots=True)
class TrustDesk:
    """What answering works with; built once, in `sts.assemble`."""

    parts: Parts
    cancellations: Cancellations
    verify_possession: VerifyPossession
    public_key: Callable[[bytes], PublicKey]  # of a certificate (DER); raises InvalidCertificate


class Call(NamedTuple):
    """One message while it is answered: at whose door, with what, and when."""

    namespace: Namespace
    desk: TrustDesk
    now: datetime

    @property
    def parts(self) -> Parts:
        """The parts of the desk."""
        return self.desk.parts
