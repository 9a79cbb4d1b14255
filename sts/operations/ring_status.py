"""What an operator should know of rings and partners' certificates before anything expires or is stuck."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sts.core import rollover
from sts.core.credentials import (
    describe,
    instant,
    is_dedicated,
    primary,
    ring,
    signing_credential,
    signing_members,
)
from sts.core.errors import IssuingFailed
from sts.core.model import Kind, Namespace, PartnerCertificate, RelyingParty, Use
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import RingName, StepKind
from sts.core.tenant_ca import root_steps
from sts.operations import master_key, watch
from sts.operations.installation import Installation
from sts.operations.ring_concerns import WatchedRing, concerns
from sts.operations.rollover import RingState, states
from sts.operations.roots import longest_tenant_life
from sts.store import credentials, identity_providers, relying_parties, service_identities
from sts.store.connection import Connection

LATE: Final = timedelta(minutes=10)  # a step that is due for longer is stuck


@dataclass(frozen=True, slots=True)
class RingRow:
    """One ring as people see it."""

    namespace: str
    ring: RingName
    mode: str  # automatic, manual or held
    held_since: datetime | None
    primary: str | None  # thumbprint
    not_after: datetime | None  # of the primary
    next_step: str | None
    next_step_at: datetime | None


@dataclass(frozen=True, slots=True)
class Warning_:
    """Something that needs a person, now or by an instant."""

    namespace: str  # empty for the installation
    subject: str  # ring, relying party or partner
    text: str
    by: datetime | None = None

    def __str__(self) -> str:
        return f"{self.namespace} {self.subject}".strip() + f": {self.text}"


@dataclass(frozen=True, slots=True)
class RolloverStatus:
    """Every ring, and what is wrong."""

    rings: tuple[RingRow, ...]
    warnings: tuple[Warning_, ...]
    fault: str | None = None  # why nothing is done at all

    @property
    def needs_person(self) -> bool:
        """Whether somebody should act."""
        return bool(self.warnings) or self.fault is not None


def status(installation: Installation, namespace: str | None, now: datetime) -> RolloverStatus:
    """Look at all rings and partners of one namespace, or of all; changes nothing. Raises NamespaceNotFound."""
    fault = watch.doubt(installation, now)
    with installation.database.reading() as connection:
        rings = states(connection, installation, namespace)
        everywhere = (*_installation_warnings(installation), *root_warnings(connection, installation, now))
        warnings = (*everywhere, *warnings_of(connection, rings, now))
    return RolloverStatus(tuple(_row(state, now) for state in rings), warnings, fault)


def _installation_warnings(installation: Installation) -> Iterator[Warning_]:
    """What needs a person whatever the namespace."""
    unmarked = watch.unmarked(installation)
    if unmarked is not None:
        yield Warning_("", "database", unmarked)
    yield from (Warning_("", "master key", text) for text in master_key.state(installation).needs)


def root_warnings(connection: Connection, installation: Installation, now: datetime) -> Iterator[Warning_]:
    """What was to be done to the installation's root CA and was not."""
    roots = credentials.list_roots(connection)
    lifetime = longest_tenant_life(connection, installation.defaults)
    for step in () if lifetime is None or not roots else root_steps(roots, lifetime, now):
        if step.at + LATE < now:
            ends = max(root.not_after for root in roots)
            text = f"{step.kind} is due since {instant(step.at)} and was not done; see `sts ca-certificate list --root`"
            yield Warning_("", Use.ROOT_CA.value, text, ends)


def warnings_of(connection: Connection, rings: Iterable[RingState], now: datetime) -> tuple[Warning_, ...]:
    """What needs a person in these rings, and in the partners of their namespaces."""
    rings = tuple(rings)
    chosen = {state.namespace.id: (state.namespace, state.defaults) for state in rings}
    warnings = [warning for state in rings for warning in _ring_warnings(state, now)]
    for namespace, defaults in chosen.values():
        warnings += _partner_warnings(connection, namespace, defaults, now)
    return tuple(warnings)


def _row(state: RingState, now: datetime) -> RingRow:
    present = primary(state.members, now)
    own = (step for step in state.steps(now) if step.credential is None or step.credential in state.members)
    step = next(own, None)
    scheduled = [c for c in state.members if c.primary_from is not None and c.primary_from > now]
    flip = min((c.primary_from for c in scheduled if c.primary_from is not None), default=None)
    is_flip_first = flip is not None and (step is None or flip <= step.at)
    return RingRow(
        namespace=state.namespace.name,
        ring=state.name,
        mode=_mode(state, now),
        held_since=None if state.hold is None else state.hold.since,
        primary=None if present is None else present.thumbprint,
        not_after=None if present is None else present.not_after,
        next_step=StepKind.PROMOTE.value if is_flip_first else None if step is None else step.kind.value,
        next_step_at=flip if is_flip_first else None if step is None else step.at,
    )


def _mode(state: RingState, now: datetime) -> str:
    if state.hold is not None:
        return "held"
    return "automatic" if state.is_automatic(now) else "manual"


def _ring_warnings(state: RingState, now: datetime) -> Iterator[Warning_]:
    namespace, subject = state.namespace.name, state.name.value
    if state.hold is not None:
        text = f"held since {instant(state.hold.since)} by {state.hold.actor}: `sts rollover resume` lets it go on"
        yield Warning_(namespace, subject, text)
    for step in state.steps(now):
        if step.at + LATE < now:
            yield Warning_(namespace, subject, f"{step.kind} is due since {instant(step.at)} and was not done")
    watched = WatchedRing(
        state.name,
        state.members,
        state.policy,
        state.defaults.max_age,
        namespace,
        handover=state.handover(now),
        is_automatic=state.is_automatic(now),
    )
    yield from (Warning_(namespace, subject, each.text, each.by) for each in concerns(watched, now))


def _partner_warnings(
    connection: Connection, namespace: Namespace, defaults: RingDefaults, now: datetime
) -> Iterator[Warning_]:
    parties = [party for party in relying_parties.list_all(connection, namespace) if party.enabled]
    for party in parties:
        if not party.managed and ring(party.credentials, Use.SIGNING, party.kind):
            yield from _dedicated(namespace, party, defaults, now)
    yield from _without_keys(namespace, parties, now)
    for subject, certificate in _partner_certificates(connection, namespace, parties):
        policy = defaults.policies[RingName.SIGNING]
        lead = rollover.spans(certificate.not_after - certificate.not_before, policy, defaults.max_age).lead
        if now >= certificate.not_after - lead:  # when one of ours would get its successor
            verb = "ended" if certificate.not_after < now else "ends"
            text = f"{certificate.subject} {verb} on {instant(certificate.not_after)}; ask for the next one"
            yield Warning_(namespace.name, subject, text, certificate.not_after)


def _partner_certificates(
    connection: Connection, namespace: Namespace, parties: Iterable[RelyingParty]
) -> Iterator[tuple[str, PartnerCertificate]]:
    """The certificates of partners that something depends on, and whose they are."""
    for party in parties:
        if party.encryption_required and party.encryption_certificate is not None:
            yield f"relying party {party.name} (encryption)", party.encryption_certificate
    for provider in identity_providers.list_all(connection, namespace):
        if provider.enabled and provider.certificates:
            yield f"identity provider {provider.name}", max(provider.certificates, key=lambda c: c.not_after)
    for identity in service_identities.list_all(connection, namespace):
        if identity.enabled and identity.certificate is not None:
            yield f"service identity {identity.name}", identity.certificate
    for authority in namespace.trusted_cas:
        yield f"trusted CA {authority.name}", authority.certificate


def _dedicated(namespace: Namespace, party: RelyingParty, defaults: RingDefaults, now: datetime) -> Iterator[Warning_]:
    """The ring of a relying party that has one of its own: it fails, it has failed, it is going to."""
    subject = f"relying party {party.name}"
    members = tuple(c for c in party.credentials if c.use is Use.SIGNING and c.kind is party.kind)
    if is_dedicated(signing_members(namespace, party, now)):
        refusal = _refusal(namespace, party, now)
        if refusal is not None:
            yield Warning_(namespace.name, subject, f"no token can be issued: {refusal}")
            return
        name = RingName.SIGNING_KEYS if party.kind is Kind.SYMMETRIC else RingName.SIGNING
        policy = defaults.policy_of(namespace, name)
        watched = WatchedRing(name, members, policy, defaults.max_age, namespace.name, party.name)
        told = (each for each in concerns(watched, now) if each.by is not None)  # it need not have a primary
        yield from (Warning_(namespace.name, subject, each.text, each.by) for each in told)
        return
    last = max((c for c in members if c.deleted_at is None), key=lambda c: (c.revoked_at is None, c.not_after))
    yield Warning_(namespace.name, subject, f"its own {describe(last)} has expired: the namespace's key signs instead")


def _refusal(namespace: Namespace, party: RelyingParty, now: datetime) -> str | None:
    try:
        signing_credential(namespace, party, now)
    except IssuingFailed as refused:
        return refused.message
    return None


def _without_keys(namespace: Namespace, parties: Iterable[RelyingParty], now: datetime) -> Iterator[Warning_]:
    """A namespace may hold no symmetric key at all, unless somebody needs it."""
    for party in parties:
        members = signing_members(namespace, party, now)
        if party.kind is Kind.SYMMETRIC and not any(c.deleted_at is None for c in members):
            refusal = _refusal(namespace, party, now)
            yield Warning_(namespace.name, RingName.SIGNING_KEYS.value, f"no token for {party.name}: {refusal}")
            return
