"""The CA of each namespace and the installation's root above them: which issues, which is trusted, which is due."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sts.core.credentials import Ring, Status, describe, has_expired, instant, is_valid, primary, status
from sts.core.errors import NoIssuingAuthority
from sts.core.exchange import Proof
from sts.core.model import Credential, Kind, Namespace, ServiceIdentity, Use
from sts.core.rollover import Step, StepKind, destruction_instant

ROOT_LIFETIME: Final = timedelta(days=3650)
DEVICE_LIFETIME: Final = timedelta(hours=24)
BACKDATED: Final = timedelta(minutes=5)  # for devices whose clocks are behind


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """What a protocol makes of a message that asks for a certificate."""

    namespace: str
    proof: Proof
    certification_request: bytes = field(repr=False)  # PKCS#10, DER
    source: str  # address of the caller, for limits
    trace_id: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whom a certificate is issued to, and for how long at most."""

    name: str  # the subject's common name
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that a CA of ours has issued."""

    der: bytes = field(repr=False)
    serial: int
    not_before: datetime
    not_after: datetime


def device(identity: ServiceIdentity, now: datetime) -> Subscriber:
    """A service identity that enrols now: 24 hours, begun a few minutes ago, but not before its present secrets.

    So its beginning tells what it was issued for, and what was issued for earlier secrets can be refused.
    """
    now = now.replace(microsecond=0)
    begin = now - BACKDATED if identity.secrets_since is None else max(now - BACKDATED, identity.secrets_since)
    return Subscriber(identity.name, begin, now + DEVICE_LIFETIME)


def authorities(namespace: Namespace) -> Ring:
    """The ring of the namespace's tenant CA certificates, tombstones included."""
    return _members(namespace.credentials, Use.TENANT_CA)


def needs_first(namespace: Namespace) -> bool:
    """Whether the namespace never had a tenant CA, so that making one replaces nothing that anybody took away."""
    return not authorities(namespace)


def issuing_authority(namespace: Namespace, now: datetime) -> Credential:
    """The tenant CA certificate that issues now: the active one; raises NoIssuingAuthority."""
    members = authorities(namespace)
    for credential in members:
        if credential.deleted_at is None and status(members, credential, now)[0] is Status.ACTIVE:
            return credential
    holder = primary(members, now)
    remedy = f"see `sts rollover status --namespace {namespace.name}`"
    if holder is None:
        raise NoIssuingAuthority(f"namespace {namespace.name} has no tenant CA certificate that may issue; {remedy}")
    raise NoIssuingAuthority(f"the tenant CA certificate {describe(holder)} {_why_not(holder, now)}; {remedy}")


def _why_not(credential: Credential, now: datetime) -> str:
    for word, at in (("deleted", credential.deleted_at), ("revoked", credential.revoked_at)):
        if at is not None:
            return f"was {word} on {instant(at)}"
    if has_expired(credential, now):
        return f"expired on {instant(credential.not_after)}"
    return f"is not valid before {instant(credential.not_before)}"


def tenant_ca_certificates(namespace: Namespace, now: datetime) -> Ring:
    """The tenant CA certificates to trust: every published, unrevoked, unexpired one, the active one first.

    The next one is among them from its first day, and the retired one until its last.
    """
    members = authorities(namespace)
    return _in_order(members, [c for c in members if _is_published(c, now)], now)


def root_certificates(roots: Sequence[Credential], now: datetime) -> Ring:
    """The installation's root CA certificates to trust, the active one first."""
    members = _members(roots, Use.ROOT_CA)
    return _in_order(members, [c for c in members if _is_published(c, now)], now)


def _members(credentials: Iterable[Credential], use: Use) -> Ring:
    return tuple(c for c in credentials if c.use is use and c.kind is Kind.CERTIFICATE)


def _is_published(credential: Credential, now: datetime) -> bool:
    return _is_living(credential, now) and credential.published_at is not None and credential.published_at <= now


def _is_living(credential: Credential, now: datetime) -> bool:
    return credential.deleted_at is None and credential.revoked_at is None and not has_expired(credential, now)


def _in_order(members: Ring, chosen: Iterable[Credential], now: datetime) -> Ring:
    def place(credential: Credential) -> tuple[bool, datetime, int]:
        return status(members, credential, now)[0] is Status.ACTIVE, credential.not_before, credential.id

    return tuple(sorted(chosen, key=place, reverse=True))


def issuing_root(roots: Sequence[Credential], now: datetime) -> Credential | None:
    """The root that is primary now; None while the first is not made, or the last may not issue."""
    holder = primary(_members(roots, Use.ROOT_CA), now)
    return holder if holder is not None and holder.deleted_at is None and is_valid(holder, now) else None


def root_for(roots: Sequence[Credential], tenant_lifetime: timedelta, now: datetime) -> Credential | None:
    """The root that issues a tenant CA of this life: the present one or the first after it in line that outlives it.

    Where none does, the one that ends last; None where no root may issue.
    """
    now = now.replace(microsecond=0)
    line = _line(roots, now)
    lasting = (c for c in line if c.not_after >= now + tenant_lifetime)
    return next(lasting, max(line, key=lambda c: (c.not_after, c.id), default=None))


def _line(roots: Sequence[Credential], now: datetime) -> Ring:
    """The roots that may issue now, from the present one on in the order in which they succeed each other."""
    present = issuing_root(roots, now)
    first = 0 if present is None else present.id
    able = (c for c in _members(roots, Use.ROOT_CA) if _is_published(c, now) and is_valid(c, now) and c.id >= first)
    return tuple(sorted(able, key=lambda c: c.id))


def root_steps(roots: Sequence[Credential], tenant_lifetime: timedelta, now: datetime) -> tuple[Step, ...]:
    """What is to be done to the roots now, where the longest life of a tenant CA is this.

    One is made when none is left that lives for two tenant lives more. One that comes next in line takes over when
    the present one would not outlive a tenant CA, whatever day was foreseen. What has ended loses its key.
    """
    now = now.replace(microsecond=0)
    present, steps = issuing_root(roots, now), []
    chosen = root_for(roots, tenant_lifetime, now)
    living = [c for c in _members(roots, Use.ROOT_CA) if _is_living(c, now)]  # one that begins later too
    since = max((c.not_after - 2 * tenant_lifetime for c in living), default=now)
    if not living or since < now:
        steps.append(Step(StepKind.PUBLISH, since, present))
    elif chosen is not None and chosen != present:
        steps.append(Step(StepKind.PROMOTE, now if present is None else present.not_after - tenant_lifetime, chosen))
    ended = (c for c in _members(roots, Use.ROOT_CA) if c.deleted_at is None and destruction_instant(c) <= now)
    held = primary(_members(roots, Use.ROOT_CA), now)
    return (*steps, *(Step(StepKind.DESTROY, destruction_instant(c), c) for c in ended if c is not held))


def root_lifetime(tenant_lifetime: timedelta) -> timedelta:
    """How long a new root lives: ten years, or three tenant lives where those are longer."""
    return max(ROOT_LIFETIME, 3 * tenant_lifetime)


def last_root(roots: Sequence[Credential], now: datetime) -> Credential | None:
    """The last that issues or is to issue: whom a new root takes over from; None where no root may issue."""
    line = [c for c in _line(roots, now) if c.primary_from is not None]
    return max(line, key=lambda c: (c.primary_from, c.id), default=None)


def root_takes_over(roots: Sequence[Credential], tenant_lifetime: timedelta, now: datetime) -> datetime:
    """From when a root that is made now issues: when the last in line, if there is one, no more outlives a tenant CA.

    Until then it is published, so that whoever trusts the roots has it before anything depends on it.
    """
    now = now.replace(microsecond=0)
    last = last_root(roots, now)
    return now if last is None else max(now, last.not_after - tenant_lifetime)


def promote_root(roots: Sequence[Credential], chosen: Credential, now: datetime) -> Ring:
    """What changes when a root issues from now on: those that it leaps over never do, those after it keep their day."""
    now = now.replace(microsecond=0)
    present = issuing_root(roots, now)
    leapt = [c for c in _line(roots, now) if c.id < chosen.id and c != present]
    demoted = () if present is None else (replace(present, demoted_at=now),)
    cleared = (replace(c, primary_from=None, demoted_at=None) for c in leapt)
    return (replace(chosen, primary_from=now), *demoted, *cleared)
