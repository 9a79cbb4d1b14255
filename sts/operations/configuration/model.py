"""What a configuration file says, once it is known to be free of faults, and what it is read against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sts.core.errors import PartnerUnreachable
from sts.core.model import (
    Credential,
    IdentityProvider,
    Kind,
    Namespace,
    RelyingParty,
    RingPolicy,
    RuleGroup,
    ServiceIdentity,
    Use,
)
from sts.core.ring_defaults import RingDefaults
from sts.operations.credentials import Material


def _unreachable(url: str) -> bytes:
    raise PartnerUnreachable(f"{url} cannot be fetched from here")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file is read with: where it lies, where this service is, and the time."""

    folder: Path  # relative paths start here
    base_url: str
    now: datetime
    environment: Mapping[str, str] = field(repr=False)
    fingerprint: Callable[[bytes], str] = field(repr=False)  # names a symmetric key: crypto.sealing
    prunes: bool = False  # whether what the file leaves out will be deleted
    roots: Sequence[bytes] = field(default=(), repr=False)  # certificates are accepted up to these, DER
    exchange: Path | None = None  # where partners' documents are looked for that are not beside the file
    fetch: Callable[[str], bytes] = field(default=_unreachable, repr=False)
    defaults: RingDefaults = field(default_factory=RingDefaults)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of the namespace that a file speaks of."""

    namespace: Namespace | None = None
    relying_parties: Mapping[str, RelyingParty] = field(default_factory=dict)
    identity_providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    service_identities: Mapping[str, ServiceIdentity] = field(default_factory=dict)
    rule_groups: Mapping[str, RuleGroup] = field(default_factory=dict)
    key_fingerprints: Mapping[str, str] = field(default_factory=dict)  # of service identities' keys, by name
    hosts: Mapping[str, str] = field(default_factory=dict)  # host to the other namespace that owns it
    certificates: frozenset[bytes] = field(default=frozenset(), repr=False)  # DER, of partners

    def credentials(self, relying_party: str | None) -> tuple[Credential, ...]:
        """The credentials of a relying party, or (None) the namespace's own; tombstones included."""
        owner = self.namespace if relying_party is None else self.relying_parties.get(relying_party)
        return owner.credentials if owner is not None else ()

    def holds(self, relying_party: str | None, credential: "CredentialImport") -> bool:
        """Whether a credential of a file was created before, even if it was deleted since."""
        held = self.credentials(relying_party)
        return any(c.use is credential.use and c.thumbprint_sha256 == credential.thumbprint_sha256 for c in held)


KnownOf = Callable[[str], Known]


@dataclass(frozen=True, slots=True)
class CredentialImport:
    """A credential that a file brings with its secret."""

    use: Use
    kind: Kind
    thumbprint_sha256: str  # as on Credential
    material: Material
    is_primary: bool


@dataclass(frozen=True, slots=True)
class RelyingPartyEntry:
    """A relying party and the dedicated credentials the file brings for it."""

    party: RelyingParty
    credentials: tuple[CredentialImport, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceIdentityEntry:
    """A service identity and the secrets the file brings for it; None leaves what is stored alone."""

    identity: ServiceIdentity
    password: bytes | None = field(default=None, repr=False)
    symmetric_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One namespace as a file describes it; None where a section is absent."""

    namespace: str
    hosts: tuple[str, ...] | None = None
    session: timedelta | None = None
    rollover: Mapping[str, RingPolicy] | None = None
    credentials: tuple[CredentialImport, ...] = ()
    relying_parties: tuple[RelyingPartyEntry, ...] | None = None
    identity_providers: tuple[IdentityProvider, ...] | None = None
    service_identities: tuple[ServiceIdentityEntry, ...] | None = None
    rule_groups: tuple[RuleGroup, ...] | None = None
    warnings: tuple[str, ...] = ()
