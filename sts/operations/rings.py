"""One ring of credentials: opened by the names that operators use, shown in order, one of it chosen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sts.core import credentials as rules
from sts.core import rollover
from sts.core.credentials import Status
from sts.core.errors import Conflict, NotFound, OperatorError
from sts.core.model import NAMESPACE_SCOPE, Credential, Kind, Namespace, RelyingParty, Use, relying_party_scope
from sts.core.ring_defaults import RingDefaults
from sts.operations.credentials import Ring
from sts.operations.installation import Installation
from sts.operations.rollover import RingState, state_of
from sts.store import credentials as table
from sts.store import namespaces, relying_parties, ring_holds
from sts.store.connection import Connection

NOUNS: Final = {Kind.CERTIFICATE: "certificate", Kind.SYMMETRIC: "key"}
_THUMBPRINT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RingName:
    """A ring as operators name it."""

    namespace: str
    use: Use = Use.SIGNING
    kind: Kind = Kind.CERTIFICATE
    relying_party: str | None = None  # None: the namespace's own

    @property
    def listing(self) -> str:
        """The command that lists the ring."""
        return f"sts {self.noun} list {self.arguments}"

    @property
    def noun(self) -> str:
        """The noun of the commands that change it."""
        return "ca-certificate" if self.use is Use.TENANT_CA else NOUNS[self.kind]

    @property
    def arguments(self) -> str:
        """The arguments of a command that name the ring."""
        if self.use is Use.TENANT_CA:
            return f"--namespace {self.namespace}"
        dedicated = f" --relying-party {self.relying_party}" if self.relying_party else ""
        return f"--namespace {self.namespace}{dedicated} --use {self.use}"


@dataclass(frozen=True, slots=True)
class Selection:
    """One credential of a ring as operators name it: by index or thumbprint, or (neither) the active one."""

    ring: RingName
    index: int | None = None  # from 1, in the order shown
    thumbprint: str | None = None  # SHA-1 or SHA-256 of a certificate, fingerprint of a key; hexadecimal


@dataclass(frozen=True, slots=True)
class OpenRing:
    """A ring as it stands in the database, with its tombstones."""

    name: RingName
    ring: Ring
    members: tuple[Credential, ...]
    relying_party: RelyingParty | None = None
    state: RingState | None = None  # as rollover sees it; None: it is dedicated, and never rolls over by itself

    @property
    def namespace(self) -> Namespace:
        """The namespace that the ring belongs to."""
        return self.ring.namespace


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """What people see of a credential (design, section 8)."""

    index: int
    thumbprint: str
    thumbprint_sha256: str
    subject: str | None
    use: Use
    relying_party: str | None
    status: Status
    reason: str
    not_before: datetime
    not_after: datetime
    primary_from: datetime | None
    published_at: datetime | None
    next_step: str | None
    next_step_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a credential, and what whoever asked for it should know."""

    row: CredentialRow
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Which credentials to list; None: all."""

    namespace: str
    kind: Kind
    use: Use | None = None
    relying_party: str | None = None


def open_ring(connection: Connection, installation: Installation, name: RingName) -> OpenRing:
    """Find a ring; raises NamespaceNotFound, NotFound for the relying party."""
    namespace = namespaces.find(connection, installation.base_url, name.namespace)
    if name.relying_party is None:
        return _shared(connection, installation.defaults, name, namespace)
    return _dedicated(name, namespace, relying_parties.find(connection, namespace, name.relying_party))


def _shared(connection: Connection, defaults: RingDefaults, name: RingName, namespace: Namespace) -> OpenRing:
    holds = ring_holds.find_all(connection)
    found = (each for each in rollover.RingName if (each.use, each.kind) == (name.use, name.kind))
    state = next((state_of(namespace, each, holds, defaults) for each in found), None)
    ring = Ring(namespace, name.use, name.kind)
    return OpenRing(name, ring, _members(name, namespace.credentials), state=state)


def _dedicated(name: RingName, namespace: Namespace, party: RelyingParty) -> OpenRing:
    ring = Ring(namespace, name.use, name.kind, relying_party_scope(party.id))
    return OpenRing(name, ring, _members(name, party.credentials), party)


def _members(name: RingName, held: Sequence[Credential]) -> tuple[Credential, ...]:
    return tuple(c for c in held if c.use is name.use and c.kind is name.kind)


def in_order(members: Sequence[Credential], now: datetime) -> tuple[Credential, ...]:
    """The undeleted credentials of a ring as they are shown: the active one first, then newest first."""
    living = [c for c in members if c.deleted_at is None]

    def place(credential: Credential) -> tuple[bool, datetime, int]:
        active = rules.status(members, credential, now)[0] is Status.ACTIVE
        return active, credential.not_before, credential.id

    return tuple(sorted(living, key=place, reverse=True))


def select(connection: Connection, opened: OpenRing, selection: Selection, now: datetime) -> Credential:
    """The credential that is meant; raises NotFound, or Conflict for one that belongs to another ring."""
    shown = in_order(opened.members, now)
    noun = NOUNS[opened.name.kind]
    if selection.thumbprint is not None:
        wanted = parse_thumbprint(selection.thumbprint)
        for credential in shown:
            if wanted in (credential.thumbprint, credential.thumbprint_sha256):
                return credential
        raise _not_in_ring(connection, opened, wanted)
    if selection.index is not None:
        if 1 <= selection.index <= len(shown):
            return shown[selection.index - 1]
        raise NotFound(f"there is no {noun} {selection.index}, the ring has {len(shown)}; see `{opened.name.listing}`")
    for credential in shown[:1]:
        if rules.status(opened.members, credential, now)[0] is Status.ACTIVE:
            return credential
    raise NotFound(
        f"no {noun} of this ring is active; choose one with --index or --thumbprint from `{opened.name.listing}`"
    )


def parse_thumbprint(text: str) -> str:
    """A thumbprint in lower case without the separators that people paste; raises OperatorError."""
    digits = text.lower().replace(":", "").replace(" ", "")
    if _THUMBPRINT.fullmatch(digits) is None:
        raise OperatorError(f"'{text}' is not a thumbprint: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits")
    return digits


def _not_in_ring(connection: Connection, opened: OpenRing, wanted: str) -> OperatorError:
    noun, owner = NOUNS[opened.name.kind], opened.name.relying_party or f"namespace {opened.namespace.name}"
    for other in table.list_all(connection, opened.namespace):
        if wanted not in (other.thumbprint, other.thumbprint_sha256):
            continue
        if other.deleted_at is not None:
            return NotFound(f"{rules.describe(other)} was deleted on {rules.instant(other.deleted_at)}")
        if other.use is not opened.name.use:
            return Conflict(f"{rules.describe(other)} is for {other.use}: it cannot serve for {opened.name.use}")
        if other.kind is opened.name.kind:
            return Conflict(f"{rules.describe(other)} belongs to another ring than that of {owner}")
    return NotFound(f"{owner} has no {opened.name.use} {noun} with the thumbprint {wanted}")


def row_of(opened: OpenRing, credential: Credential, now: datetime) -> CredentialRow:
    """The row of one credential."""
    return next(row for row in rows_of(opened, now) if row.thumbprint_sha256 == credential.thumbprint_sha256)


def rows_of(opened: OpenRing, now: datetime) -> tuple[CredentialRow, ...]:
    """The rows of a ring, in order."""
    shown = in_order(opened.members, now)
    return tuple(_row(opened, index, credential, now) for index, credential in enumerate(shown, 1))


def _row(opened: OpenRing, index: int, credential: Credential, now: datetime) -> CredentialRow:
    status, reason = rules.status(opened.members, credential, now)
    step, step_at = _next_step(opened, credential, now)
    return CredentialRow(
        index=index,
        thumbprint=credential.thumbprint,
        thumbprint_sha256=credential.thumbprint_sha256,
        subject=credential.subject,
        use=credential.use,
        relying_party=None if opened.relying_party is None else opened.relying_party.name,
        status=status,
        reason=reason,
        not_before=credential.not_before,
        not_after=credential.not_after,
        primary_from=credential.primary_from,
        published_at=credential.published_at,
        next_step=step,
        next_step_at=step_at,
    )


def _next_step(opened: OpenRing, credential: Credential, now: datetime) -> tuple[str | None, datetime | None]:
    """What happens to a credential next if nobody does anything: promoted, retired, expired or destroyed."""
    status = rules.status(opened.members, credential, now)[0]
    if status is Status.EXPIRED:
        return _destruction(opened, credential, now)
    if status is Status.REVOKED:
        return None, None
    steps = [(credential.not_after, "expired")]
    if credential.primary_from is not None and credential.primary_from > now:
        steps.append((credential.primary_from, "promoted"))
    elif status is Status.ACTIVE:
        steps += [(at, "retired") for c in opened.members if (at := _scheduled(c, now)) is not None]
    planned = None if opened.state is None else opened.state.handover(now)
    if planned is not None and status is Status.ACTIVE:
        steps.append((planned.at, "retired"))
    elif planned is not None and credential == planned.successor:
        steps.append((planned.at, "promoted"))
    at, step = min(steps)
    return step, at


def _destruction(opened: OpenRing, credential: Credential, now: datetime) -> tuple[str | None, datetime | None]:
    """When the key of what has expired goes: of a decryption certificate 30 days later."""
    steps = rollover.destructions(opened.members, now)
    at = next((step.at for step in steps if step.credential == credential and step.at > now), None)
    return (None, None) if at is None else ("destroyed", at)


def _scheduled(credential: Credential, now: datetime) -> datetime | None:
    at = credential.primary_from
    return at if at is not None and at > now and credential.deleted_at is None else None


def look_up(installation: Installation, selection: Selection, now: datetime) -> CredentialRow:
    """The row of the credential that is meant; raises NotFound, Conflict."""
    with installation.database.reading() as connection:
        opened = open_ring(connection, installation, selection.ring)
        return row_of(opened, select(connection, opened, selection, now), now)


def list_credentials(installation: Installation, wanted: Listing, now: datetime) -> tuple[CredentialRow, ...]:
    """Every credential that is wanted, ring by ring: the namespace's first, then those of relying parties by name."""
    uses = (Use.SIGNING, Use.DECRYPTION) if wanted.use is None else (wanted.use,)
    with installation.database.reading() as connection:
        namespace = namespaces.find(connection, installation.base_url, wanted.namespace)
        parties = _parties(connection, namespace, wanted.relying_party)
        names = [RingName(namespace.name, use, wanted.kind) for use in uses]
        shared = names if wanted.relying_party is None else []
        own = [_shared(connection, installation.defaults, name, namespace) for name in shared]
    dedicated = [_dedicated(replace(name, relying_party=p.name), namespace, p) for p in parties for name in names]
    return tuple(row for opened in (*own, *dedicated) for row in rows_of(opened, now))


def _parties(connection: Connection, namespace: Namespace, name: str | None) -> tuple[RelyingParty, ...]:
    if name is not None:
        return (relying_parties.find(connection, namespace, name),)
    scopes = {c.scope for c in table.list_all(connection, namespace) if c.deleted_at is None}
    if scopes <= {NAMESPACE_SCOPE}:
        return ()
    return tuple(p for p in relying_parties.list_all(connection, namespace) if relying_party_scope(p.id) in scopes)
