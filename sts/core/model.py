"""The nouns of the service: frozen values, aware UTC instants in whole seconds, `timedelta` for spans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from sts.core.uris import JWT_TOKEN, SAML11_TOKEN, SAML20_TOKEN, SWT_TOKEN


class TokenFormat(StrEnum):
    """The four token formats."""

    SWT = "swt"
    JWT = "jwt"
    SAML11 = "saml11"
    SAML20 = "saml20"

    @property
    def uri(self) -> str:
        """The token type as WS-Federation, WS-Trust and ACS's OAuth dialect name it."""
        return _TOKEN_TYPES[self]

    @property
    def is_saml(self) -> bool:
        """Only SAML can be encrypted."""
        return self in (TokenFormat.SAML11, TokenFormat.SAML20)


_TOKEN_TYPES = {
    TokenFormat.SWT: SWT_TOKEN,
    TokenFormat.JWT: JWT_TOKEN,
    TokenFormat.SAML11: SAML11_TOKEN,
    TokenFormat.SAML20: SAML20_TOKEN,
}


class Kind(StrEnum):
    """What a credential is made of."""

    CERTIFICATE = "certificate"
    SYMMETRIC = "symmetric"


class Use(StrEnum):
    """What a credential is for."""

    SIGNING = "signing"
    DECRYPTION = "decryption"
    TENANT_CA = "tenant-ca"
    ROOT_CA = "root-ca"


class Origin(StrEnum):
    """Where a credential came from."""

    GENERATED = "generated"
    IMPORTED = "imported"


class KeyType(StrEnum):
    """Key pairs that this service generates."""

    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    P256 = "p256"
    P384 = "p384"


class SignatureAlgorithm(StrEnum):
    """Signature algorithms by their JWA names (RFC 7518, 3.1)."""

    RS256 = "RS256"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    HS256 = "HS256"


class ContentEncryption(StrEnum):
    """Content encryption algorithms towards relying parties."""

    AES256_CBC = "aes256-cbc"
    AES256_GCM = "aes256-gcm"


class KeyTransport(StrEnum):
    """How a content key is wrapped for an RSA key: the three forms of OAEP that partners send (XML Encryption 1.1)."""

    RSA_OAEP_MGF1P_SHA1 = "rsa-oaep-mgf1p"
    RSA_OAEP_MGF1P_SHA256 = "rsa-oaep-mgf1p, digest SHA-256"
    RSA_OAEP_11_SHA256 = "rsa-oaep of xmlenc11, digest SHA-256, mgf1sha256"


class ProviderKind(StrEnum):
    """How an identity provider is spoken to."""

    WS_FEDERATION = "ws-federation"
    LOCAL = "local"


class PartnerRole(StrEnum):
    """What a partner with a metadata document is to us."""

    IDENTITY_PROVIDER = "identity provider"
    RELYING_PARTY = "relying party"


NAMESPACE_SCOPE = "namespace"
INSTALLATION_SCOPE = "installation"
DEDICATED = "rp:"  # how the scopes of relying parties begin


def relying_party_scope(relying_party_id: int) -> str:
    """The scope of the credentials dedicated to one relying party."""
    return f"{DEDICATED}{relying_party_id}"


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate or symmetric key that the service holds; the secret itself stays behind the KeyRing port."""

    id: int
    scope: str
    use: Use
    kind: Kind
    not_before: datetime
    not_after: datetime
    thumbprint: str  # SHA-1 of the certificate, or the first 40 digits of the key's fingerprint; lower-case hex
    thumbprint_sha256: str  # SHA-256 of the certificate, or the key's keyed fingerprint; lower-case hex
    subject: str | None = None
    certificate: bytes | None = None  # DER
    key_type: str = ""
    created_at: datetime | None = None
    published_at: datetime | None = None
    primary_from: datetime | None = None
    demoted_at: datetime | None = None
    revoked_at: datetime | None = None
    deleted_at: datetime | None = None
    predecessor_id: int | None = None
    origin: Origin = Origin.GENERATED


class Claim(NamedTuple):
    """One statement about somebody, and who made it."""

    type: str
    value: str
    issuer: str


class ClaimPattern(NamedTuple):
    """The input side of a rule; an absent type or value matches any."""

    issuer: str
    type: str | None = None
    value: str | None = None

    def matches(self, claim: Claim) -> bool:
        """Whether the claim fits, compared by code point, case-sensitively."""
        return (
            claim.issuer == self.issuer
            and (self.type is None or claim.type == self.type)
            and (self.value is None or claim.value == self.value)
        )


class Rule(NamedTuple):
    """One or two inputs to one output; an absent output type or value passes the first input's through."""

    input: ClaimPattern
    condition: ClaimPattern | None = None
    output_type: str | None = None
    output_value: str | None = None


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules under a name, for any number of relying parties."""

    id: int
    name: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class PartnerCertificate:
    """A public certificate of someone else, pinned when it was saved."""

    der: bytes
    subject: str
    thumbprint: str
    not_before: datetime
    not_after: datetime

    def is_valid(self, now: datetime) -> bool:
        """Whether it may be used now: `not_before <= now <= not_after` in whole seconds."""
        return self.not_before <= now.replace(microsecond=0) <= self.not_after


@dataclass(frozen=True, slots=True)
class MetadataSource:
    """The document in which a partner describes itself, and what it says that waits for a person."""

    location: str  # an https URL, or a file
    entity_id: str  # the partner's, in the document
    overrides: tuple[str, ...] = ()  # keys that a person set, sorted: no document changes them
    pending: tuple[PartnerCertificate, ...] = ()  # new in the document, and not trusted
    pending_reply: tuple[str, ...] = ()  # a relying party's new reply addresses, not used
    vanished: tuple[str, ...] = ()  # thumbprints or addresses that it does not name any more, and that stay
    signers: tuple[PartnerCertificate, ...] = ()  # a relying party's own, which may sign its document
    dropped: tuple[str, ...] = ()  # thumbprints and reply addresses that were trusted once, the latest last
    signed: bool = False  # whether a trusted certificate signed it, the last time that it was believed
    withheld: tuple[str, ...] = ()  # what else in it is not used, as "the KEY VALUE"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """An application that receives tokens, with everything that issuing for it needs."""

    id: int
    name: str
    realm: str
    token_format: TokenFormat
    signing: Kind = Kind.CERTIFICATE
    token_lifetime: timedelta = timedelta(seconds=600)
    reply: tuple[str, ...] = ()
    error_url: str | None = None
    encryption_required: bool = False
    encryption_certificate: PartnerCertificate | None = None
    encryption_algorithm: ContentEncryption = ContentEncryption.AES256_CBC
    proof_of_possession: bool = False
    managed: bool = False
    enabled: bool = True
    jwt_type: str = "JWT"
    identity_providers: tuple[str, ...] = ()
    rule_groups: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    credentials: tuple[Credential, ...] = ()  # the dedicated ones, tombstones included
    nested_realms: frozenset[str] | None = frozenset()  # realms registered below this one; None: too many to hold
    metadata: MetadataSource | None = None  # None: described by hand

    @property
    def kind(self) -> Kind:
        """The kind of credential that signs for it (design, section 2, "Kind by format")."""
        if self.token_format is TokenFormat.SWT:
            return Kind.SYMMETRIC
        return self.signing if self.token_format is TokenFormat.JWT else Kind.CERTIFICATE


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """Where people sign in."""

    id: int
    name: str
    kind: ProviderKind = ProviderKind.WS_FEDERATION
    issuer: str | None = None
    sign_in_url: str | None = None
    sign_out_url: str | None = None
    certificates: tuple[PartnerCertificate, ...] = ()
    email_domains: tuple[str, ...] = ()
    display_name: str | None = None
    image: str | None = None
    enabled: bool = True
    unsolicited: bool = False
    allow_sha1: bool = False
    decryption: ContentEncryption | None = None
    metadata: MetadataSource | None = None  # None: described by hand


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """A non-human (or local) account that authenticates directly."""

    id: int
    name: str
    password_hash: str | None = field(default=None, repr=False)
    has_symmetric_key: bool = False
    certificate: PartnerCertificate | None = None
    enabled: bool = True
    swt_without_expiry: bool = False
    interactive: bool = False
    may_act: bool = False  # it may obtain tokens for somebody else whose token it presents
    recoverable_password: bool = False  # its password is to be kept under seal besides its hash, for digests of it
    has_recoverable_password: bool = False  # it is kept so: since the setting was made, the password was given
    secrets_since: datetime | None = None  # the last change of what it authenticates with; None: before that was kept


@dataclass(frozen=True, slots=True)
class TrustedCA:
    """Somebody else's CA, whose clients a namespace knows once its owner has proved to hold its key."""

    id: int
    name: str
    certificate: PartnerCertificate
    code_hash: str | None = None  # SHA-256 of the verification code that is waiting for its proof, in hex
    code_expires_at: datetime | None = None
    verified_at: datetime | None = None
    revision: int = 0  # counts the writes; 0 until it is stored
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def version(self) -> str:
        """What a caller must have seen to change it; no two states ever share one, not even under one name."""
        return f"{self.id}.{self.revision}"


@dataclass(frozen=True, slots=True)
class RingPolicy:
    """How one ring of a namespace rolls over."""

    automatic: bool | None  # None: not said, so by itself where the present primary was made here
    lifetime: timedelta
    lead: timedelta = timedelta(days=90)
    turn: timedelta = timedelta(days=45)
    key_type: KeyType | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A tenant: its issuer and the credentials that all its relying parties share."""

    id: int
    name: str
    issuer: str
    hosts: tuple[str, ...] = ()
    session: timedelta = timedelta(hours=8)
    rollover: Mapping[str, RingPolicy] = field(default_factory=dict)
    held: frozenset[str] = frozenset()  # rings that do not roll over until an operator lets them go on
    credentials: tuple[Credential, ...] = ()  # scope "namespace", tombstones included
    trusted_cas: tuple[TrustedCA, ...] = ()
    version: int = 0  # the sequence of the newest change that touched it


# In a namespace's place, where none is meant: the root CA belongs to the installation.
INSTALLATION: Final = Namespace(id=0, name="", issuer="")
