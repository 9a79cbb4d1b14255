"""What goes from step to step while a token is exchanged: requests, proofs, principals, descriptors, tokens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sts.core.model import Claim, KeyTransport, Kind, Namespace, TokenFormat, Use
from sts.core.uris import AuthenticationMethod


class SymmetricHolder(NamedTuple):
    """Whoever presents the token must hold this secret key, which only the relying party can read in it."""

    key: bytes
    certificate: bytes  # DER, of the relying party's encryption key

    def __repr__(self) -> str:
        """What is no secret."""
        return f"SymmetricHolder(bits={8 * len(self.key)})"


class PublicHolder(NamedTuple):
    """Whoever presents the token must hold the private key of this public one."""

    public_key: bytes  # DER SubjectPublicKeyInfo
    certificate: bytes | None = None  # DER, where the key came in one


HolderOfKey = SymmetricHolder | PublicHolder


class Actor(NamedTuple):
    """Who asks for a token on behalf of its subject, or asked for the token that this one was made from."""

    name: str
    identity_provider: str  # as of a principal


class TokenDescriptor(NamedTuple):
    """What a token says, before any format gives it a shape."""

    id: str  # 32 hex digits; SAML prefixes an underscore
    issuer: str
    audience: str
    issued_at: datetime  # may carry microseconds: SAML writes milliseconds
    not_before: datetime
    expires_at: datetime
    claims: tuple[Claim, ...]  # rule outputs in order, identityprovider last
    authenticated_at: datetime
    authentication_method: AuthenticationMethod = AuthenticationMethod.UNSPECIFIED
    jwt_type: str = "JWT"
    confirmation: HolderOfKey | None = None  # None: whoever bears the token may use it
    actors: tuple[Actor, ...] = ()  # who acts for the subject, the nearest first


class CertifiedClient(NamedTuple):
    """What a client's certificate says, once it is known who issued it."""

    name: str
    not_before: datetime
    authority: bytes  # the certificate (DER) of the CA that issued it


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key that may verify a token; the key decides the algorithm, never the token."""

    id: str  # what a JWT `kid` is compared with; may be empty
    kind: Kind
    material: bytes = field(repr=False)  # DER certificate, or the 32 bytes of a symmetric key
    use: Use = Use.SIGNING


class HolderPolicy(StrEnum):
    """What a door takes of assertions whose presenter must prove to hold a key."""

    REFUSED = "refused"  # bearer only: nothing at this door proves a key
    ACCEPTED = "accepted"
    REQUIRED = "required"  # no bearer


class SymmetricWrapped(NamedTuple):
    """A secret key that the issuer of an assertion wrapped for us."""

    wrapped: bytes
    transport: KeyTransport


class PublicKey(NamedTuple):
    """A public key that the issuer of an assertion named."""

    spki: bytes  # DER SubjectPublicKeyInfo; of RSA of 2048 bits or more, or on P-256, P-384 or P-521


ConfirmationKey = SymmetricWrapped | PublicKey


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a reader holds a token against."""

    issuer: str
    audience: str | None  # None: the audience is reported, not compared (inspection)
    keys: tuple[VerificationKey, ...] = field(repr=False)
    skew: timedelta = timedelta(minutes=3)
    max_lifetime: timedelta | None = timedelta(hours=24)  # of what is left of the token's life at reading
    require_expiry: bool = True
    recipients: frozenset[str] = frozenset()  # our addresses; a SAML assertion that names any other is refused
    allow_sha1: bool = False  # in XML signatures; an explicit setting of one partner
    require_confirmation: bool = False  # a SAML assertion must say that its bearer may use it; many say nothing
    holder_of_key: HolderPolicy = HolderPolicy.REFUSED


class VerifiedToken(NamedTuple):
    """What a token said, once its signature, issuer, audience and times held."""

    id: str  # unique per issuer: the replay key
    issuer: str
    audience: str | None
    not_before: datetime | None
    expires_at: datetime | None
    claims: tuple[Claim, ...]  # their issuer is the token's issuer
    key: VerificationKey
    authenticated_at: datetime | None = None
    authentication_method: str | None = None  # the URI in the token's own words
    issued_at: datetime | None = None  # never in the future; None where the format or the token does not say
    holder: ConfirmationKey | None = None  # the key that its presenter must prove to hold; None: bearer
    actors: tuple[Actor, ...] = ()  # who acts for its subject, the nearest first
    session_ends: datetime | None = None  # from when on who signed in by it must not be signed in any more


class TokenUse(NamedTuple):
    """The use of a token that is good for one use: what must be on record before anything is given for it."""

    issuer: str
    token_id: str
    expires_at: datetime  # from when on nobody takes the token any more
    issued_at: datetime | None  # None: the token does not say
    decrypted_by: int | None = None  # the credential that opened it, where it came encrypted


class Claimed(NamedTuple):
    """Where a token says that it comes from and for whom it is: no more than chooses whose keys may verify it."""

    format: TokenFormat
    issuer: str | None  # None: it is encrypted, or does not say
    audiences: tuple[str, ...]
    read: Callable[[Trusted, datetime], VerifiedToken]  # verifies that token, as its format's reader does; once
    encrypted: bool = False

    def __repr__(self) -> str:
        """Without the token."""
        return f"Claimed({self.format!r}, {self.issuer!r}, {self.audiences!r}, encrypted={self.encrypted})"


@dataclass(frozen=True, slots=True)
class TokenView:
    """What a token says about itself, read without trusting any of it (`sts token inspect`)."""

    format: TokenFormat
    id: str | None
    issuer: str | None
    audience: str | None
    not_before: datetime | None
    expires_at: datetime | None
    claims: tuple[Claim, ...]
    key_hint: str | None  # JOSE `kid`, or the SHA-1 thumbprint of the certificate in a signature's KeyInfo
    algorithm: str | None = None  # of the signature, in the token's own words
    encrypted: bool = False


class PasswordProof(NamedTuple):
    """Name and password of a service identity."""

    name: str
    password: bytes

    def __repr__(self) -> str:
        """What is no secret."""
        return f"PasswordProof(name={self.name!r})"


class DigestProof(NamedTuple):
    """Name of a service identity, and a digest that shows that its password is known (UsernameToken Profile 1.1, 3.1).

    The digest is the SHA-1 hash of nonce, Created and password.
    """

    name: str
    nonce: bytes
    created: str  # in the words of the message, which the digest covers
    created_at: datetime  # what they mean
    digest: bytes

    def __repr__(self) -> str:
        """What is no secret."""
        return f"DigestProof(name={self.name!r}, created={self.created!r})"


@dataclass(frozen=True, slots=True)
class TokenProof:
    """A token somebody presents, cut out of the message by a protocol and not yet read."""

    format: TokenFormat | None  # None: SAML, encrypted or of a version that only reading shows
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateProof:
    """A certificate whose private key the caller proved to hold, as TLS does."""

    certificate: bytes = field(repr=False)  # DER
    name: str | None = None  # the service identity that the caller says it is; None: the one that the certificate names


class PasswordAttempt(NamedTuple):
    """A password that is tried for a name, and from where."""

    namespace: Namespace
    name: str
    password: bytes
    source: str

    def __repr__(self) -> str:
        """What is no secret."""
        return f"PasswordAttempt(name={self.name!r}, source={self.source!r})"


class DigestAttempt(NamedTuple):
    """A digest of a password that is tried for a name, and from where."""

    namespace: Namespace
    proof: DigestProof
    source: str


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """A token that a client made to authenticate itself (RFC 7521, 4.2); its own keys alone may verify it."""

    format: TokenFormat
    token: bytes = field(repr=False)
    name: str | None = None  # the service identity that the caller says it is; None: the one that the token names


Proof = PasswordProof | DigestProof | TokenProof | CertificateProof | ClientAssertion


class Principal(NamedTuple):
    """Who asks, after authentication."""

    name: str
    identity_provider: str  # value of the identityprovider claim
    claims: tuple[Claim, ...]
    authenticated_at: datetime
    method: AuthenticationMethod
    decrypted_by: int | None = None  # the credential that opened what says so, where that was encrypted
    session_ends: datetime | None = None  # when the identity provider wants a session by it to be over
    dated: bool = True  # whether `authenticated_at` was said; else it is when we heard of it


class TokenRequest(NamedTuple):
    """What every protocol makes of its message."""

    namespace: str
    realm: str
    proof: Proof
    formats: frozenset[TokenFormat]  # what this door can deliver
    source: str  # address of the caller, for limits
    trace_id: str
    client: Proof | None = None  # who presents the proof, where that is said too and must hold


class IssuedToken(NamedTuple):
    """A token and what the protocol's answer says about it."""

    token: bytes
    format: TokenFormat
    id: str
    audience: str
    issued_at: datetime
    expires_at: datetime
    relying_party: str
    principal: str
    credential_id: int
    encrypted: bool = False
    decrypted_by: int | None = None  # the credential that opened the token for which this one is given
    actors: tuple[Actor, ...] = ()  # who acts for the principal, the nearest first

    def __repr__(self) -> str:
        """Everything but the token."""
        return f"IssuedToken(format={self.format}, id={self.id!r}, relying_party={self.relying_party!r})"
