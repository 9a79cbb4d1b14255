"""What an operator should know of rings and partners' certificates before anything expires or is stuck."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sts.core import rollover
from sts.core.credentials import Ring, describe, has_expired, instant, primary, ring
from sts.core.model import Credential, Kind, Namespace, PartnerCertificate, RelyingParty, Use
from sts.core.rollover import RingName, StepKind
from sts.operations import master_key, watch
from sts.operations.installation import Installation
from sts.operations.publish import MAX_AGE
from sts.operations.rollover import RingState, states
from sts.store import identity_providers, relying_parties, service_identities
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
        rings = states(connection, installation.base_url, namespace)
        warnings = (*_installation_warnings(installation), *warnings_of(connection, rings, now))
    return RolloverStatus(tuple(_row(state, now) for state in rings), warnings, fault)


def _installation_warnings(installation: Installation) -> Iterator[Warning_]:
    """What needs a person whatever the namespace."""
    unmarked = watch.unmarked(installation)
    if unmarked is not None:
        yield Warning_("", "database", unmarked)
    yield from (Warning_("", "master key", text) for text in master_key.state(installation).needs)


def warnings_of(connection: Connection, rings: Iterable[RingState], now: datetime) -> tuple[Warning_, ...]:
    """What needs a person in these rings, and in the partners of their namespaces."""
    rings = tuple(rings)
    chosen = {state.namespace.id: state.namespace for state in rings}
    warnings = [warning for state in rings for warning in _ring_warnings(state, now)]
    for each in chosen.values():
        warnings += _partner_warnings(connection, each, now)
    return tuple(warnings)


def _row(state: RingState, now: datetime) -> RingRow:
    present = primary(state.members, now)
    step = next(iter(state.steps(now)), None)
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
    return "automatic" if rollover.is_automatic(state.members, state.policy, now) else "manual"


def _ring_warnings(state: RingState, now: datetime) -> Iterator[Warning_]:
    def warn(text: str, by: datetime | None = None) -> Warning_:
        return Warning_(state.namespace.name, state.name.value, text, by)

    alive = [c for c in state.members if c.deleted_at is None]
    present = primary(state.members, now)
    if state.hold is not None:
        yield warn(f"held since {instant(state.hold.since)} by {state.hold.actor}: `sts rollover resume` lets it go on")
    if present is None:
        if alive and state.name is not RingName.TENANT_CA:
            yield warn("no credential was ever primary")
        return
    if has_expired(present, now) or present.revoked_at is not None or present.deleted_at is not None:
        yield warn(f"the primary {describe(present)} cannot be used any more; make another primary")
        return
    yield from (warn(f"{step.kind} is due since {instant(step.at)} and was not done") for step in _stuck(state, now))
    if _mode(state, now) != "automatic":
        yield from _expiry(state, present, now, warn_as=state.name.value)


def _stuck(state: RingState, now: datetime) -> Iterator[rollover.Step]:
    return (step for step in state.steps(now) if step.at + LATE < now)


def _expiry(state: RingState, present: Credential, now: datetime, warn_as: str) -> Iterator[Warning_]:
    """A ring that nobody rolls automatically: the same instants, as warnings."""
    span = rollover.spans(present.not_after - present.not_before, state.policy, MAX_AGE)
    successor = rollover.next_in_line(state.members, present, now)
    name, noun = state.namespace.name, "key" if present.kind is Kind.SYMMETRIC else "certificate"
    ends = f"the primary {describe(present)} ends on {instant(present.not_after)}"
    if successor is None and now >= present.not_after - span.lead:
        yield Warning_(name, warn_as, f"{ends} and has no successor: `sts {noun} generate`", present.not_after)
    turn_is_here = now >= present.not_after - (span.lead - span.turn)
    if successor is not None and successor.primary_from is None and turn_is_here:
        yield Warning_(name, warn_as, f"{ends}: `sts {noun} make-primary` its successor", present.not_after)


def _partner_warnings(connection: Connection, namespace: Namespace, now: datetime) -> Iterator[Warning_]:
    for party in relying_parties.list_all(connection, namespace):
        yield from _party_warnings(namespace, party, now)
    for provider in identity_providers.list_all(connection, namespace):
        if provider.enabled and provider.certificates:
            latest = max(provider.certificates, key=lambda c: c.not_after)
            yield from _certificate(namespace, f"identity provider {provider.name}", latest, now)
    for identity in service_identities.list_all(connection, namespace):
        if identity.enabled and identity.certificate is not None:
            yield from _certificate(namespace, f"service identity {identity.name}", identity.certificate, now)
    for authority in namespace.trusted_cas:
        yield from _certificate(namespace, f"trusted CA {authority.name}", authority.certificate, now)


def _party_warnings(namespace: Namespace, party: RelyingParty, now: datetime) -> Iterator[Warning_]:
    if not party.enabled:
        return
    if party.encryption_required and party.encryption_certificate is not None:
        subject = f"relying party {party.name} (encryption)"
        yield from _certificate(namespace, subject, party.encryption_certificate, now)
    members = ring(party.credentials, Use.SIGNING, party.kind)
    if members and not party.managed:
        yield from _dedicated(namespace, party, members, now)


def _dedicated(namespace: Namespace, party: RelyingParty, members: Ring, now: datetime) -> Iterator[Warning_]:
    name = RingName.SIGNING_KEYS if party.kind is Kind.SYMMETRIC else RingName.SIGNING
    state = RingState(namespace, name, members, rollover.policy_of(namespace, name))
    present = primary(members, now) or max(members, key=lambda c: c.not_after)
    subject = f"relying party {party.name}"
    if has_expired(present, now):
        what = "the namespace's key signs instead" if party.kind is Kind.SYMMETRIC else "issuing fails"
        yield Warning_(namespace.name, subject, f"its own {describe(present)} has expired: {what}")
    else:
        yield from _expiry(state, present, now, warn_as=subject)


def _certificate(
    namespace: Namespace, subject: str, certificate: PartnerCertificate, now: datetime
) -> Iterator[Warning_]:
    """A partner's certificate, from the instant at which one of ours would get its successor."""
    span = rollover.spans(
        certificate.not_after - certificate.not_before, rollover.DEFAULT_POLICIES[RingName.SIGNING], MAX_AGE
    )
    if now >= certificate.not_after - span.lead:
        verb = "ended" if certificate.not_after < now else "ends"
        text = f"{certificate.subject} {verb} on {instant(certificate.not_after)}; ask for the next one"
        yield Warning_(namespace.name, subject, text, certificate.not_after)
