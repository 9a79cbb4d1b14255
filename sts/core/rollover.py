"""When credentials are made, promoted and destroyed: decides from data, policy and `now`, and does nothing.

The plan of a ring follows from its present primary alone: L is that credential's lifetime, `end` its last second. The
next one is made at `end - lead`, takes over at `end - (lead - turn)`, and what it replaced is destroyed once nothing
it signed can still be valid. Two-year certificates with the default policy: 90 and 45 days before the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sts.core.credentials import (
    DECRYPTION_GRACE,
    LONGEST_TOKEN,
    SECOND,
    SPREAD,
    Ring,
    has_expired,
    primary,
)
from sts.core.model import Credential, KeyType, Kind, Namespace, Origin, RingPolicy, Use

ANNOUNCED: Final = timedelta(minutes=1)  # a promotion is written down this long before its instant
_DAY: Final = timedelta(days=1)


class RingName(StrEnum):
    """The rings of a namespace that roll over by a policy."""

    SIGNING = "signing"
    DECRYPTION = "decryption"
    TENANT_CA = "tenant-ca"
    SIGNING_KEYS = "signing-keys"

    @property
    def use(self) -> Use:
        """What the credentials of the ring are for."""
        return _USES[self]

    @property
    def kind(self) -> Kind:
        """What they are made of."""
        return Kind.SYMMETRIC if self is RingName.SIGNING_KEYS else Kind.CERTIFICATE


_USES: Final = {
    RingName.SIGNING: Use.SIGNING,
    RingName.DECRYPTION: Use.DECRYPTION,
    RingName.TENANT_CA: Use.TENANT_CA,
    RingName.SIGNING_KEYS: Use.SIGNING,
}

DEFAULT_POLICIES: Final = {
    RingName.SIGNING: RingPolicy(automatic=True, lifetime=730 * _DAY, key_type=KeyType.RSA2048),
    RingName.DECRYPTION: RingPolicy(automatic=True, lifetime=730 * _DAY, key_type=KeyType.RSA2048),
    RingName.TENANT_CA: RingPolicy(automatic=True, lifetime=730 * _DAY, key_type=KeyType.RSA3072),
    RingName.SIGNING_KEYS: RingPolicy(automatic=False, lifetime=3650 * _DAY),
}


class StepKind(StrEnum):
    """What can happen to a ring."""

    PUBLISH = "publish"  # make the next one and publish it
    PROMOTE = "promote"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and from when."""

    kind: StepKind
    at: datetime
    credential: Credential | None  # what is promoted or destroyed; of PUBLISH the predecessor, None for the first
    urgent: bool = False  # it comes so late that a person should know


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of a policy, scaled to the lifetime of the present primary."""

    lead: timedelta
    turn: timedelta
    in_public: timedelta  # the least time in public before an automatic promotion
    critical: timedelta  # before the end without a successor: an alarm


def spans(lifetime: timedelta, policy: RingPolicy, max_age: timedelta) -> Spans:
    """Scale a policy to a lifetime; `max_age` is how long readers may keep the metadata."""
    lead = min(policy.lead, lifetime / 2)
    kept = min(max_age, lifetime / 400)
    return Spans(
        lead=_whole(lead),
        turn=_whole(min(policy.turn, lead / 2)),
        in_public=_whole(min(max(2 * kept, _DAY), lifetime / 100)),
        critical=_whole(min(2 * _DAY, lifetime / 50)),
    )


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=span // SECOND)


def policy_of(namespace: Namespace, name: RingName) -> RingPolicy:
    """The policy of a ring: the namespace's own, or the default; imported ones are manual unless it says otherwise."""
    chosen = namespace.rollover.get(name)
    return DEFAULT_POLICIES[name] if chosen is None else chosen


def is_automatic(members: Ring, policy: RingPolicy, now: datetime) -> bool:
    """Whether the ring makes and promotes by itself: the policy says so and the present primary was made here."""
    present = primary(members, now)
    return policy.automatic and (present is None or present.origin is Origin.GENERATED)


def plan(members: Ring, policy: RingPolicy, max_age: timedelta, now: datetime) -> tuple[Step, ...]:
    """The next steps of an automatic ring that nobody holds, in order of their instants; those in the past are due.

    `members` is the whole ring with its tombstones. At most one PUBLISH or PROMOTE is ever ahead; a ring whose
    primary was revoked or deleted waits for a person.
    """
    steps = [*_succession(members, policy, max_age, now), *_destructions(members, now)]
    return tuple(sorted(steps, key=lambda step: step.at))


def _succession(members: Ring, policy: RingPolicy, max_age: timedelta, now: datetime) -> Iterable[Step]:
    present = primary(members, now)
    if present is None:
        if not any(_is_live(c, now) for c in members):
            yield Step(StepKind.PUBLISH, now, None)
        return
    if present.revoked_at is not None or present.deleted_at is not None:
        return
    span = spans(present.not_after - present.not_before, policy, max_age)
    successor = next_in_line(members, present, now)
    if successor is None:
        at = present.not_after - span.lead
        yield Step(StepKind.PUBLISH, at, present, urgent=now >= present.not_after - span.critical)
    elif successor.primary_from is None:
        yield Step(StepKind.PROMOTE, promotion_instant(present, successor, span), successor)


def next_in_line(members: Ring, present: Credential, now: datetime) -> Credential | None:
    """The live successor of the present primary: scheduled or named as such first, then whatever ends last."""
    able = now + SPREAD  # the earliest instant at which it could take over
    waiting = [c for c in members if _is_live(c, able) and _waits(c, now) and c.not_after > present.not_after]
    if not waiting:
        return None
    return max(waiting, key=lambda c: (c.primary_from is not None, c.predecessor_id == present.id, c.not_after, c.id))


def _is_live(credential: Credential, now: datetime) -> bool:
    return credential.deleted_at is None and credential.revoked_at is None and not has_expired(credential, now)


def _waits(credential: Credential, now: datetime) -> bool:
    return credential.primary_from is None or credential.primary_from > now


def promotion_instant(present: Credential, successor: Credential, span: Spans) -> datetime:
    """When a published successor takes over: on time `end - (lead - turn)`, late ones before the end, never unread."""
    published = successor.published_at or successor.not_before
    on_time = max(published + span.turn, present.not_after - (span.lead - span.turn))
    latest = present.not_after - span.critical
    return max(published + span.in_public, min(on_time, latest), successor.not_before)


@dataclass(frozen=True, slots=True)
class Handover:
    """When the present primary of a ring gives its place away as planned, and to whom."""

    at: datetime
    successor: Credential | None  # None: it is yet to be made


def handover(members: Ring, policy: RingPolicy, max_age: timedelta, now: datetime) -> Handover | None:
    """The handover that the plan of an automatic ring leads to; None without one, and for one that is scheduled."""
    present = primary(members, now)
    step = next(iter(_succession(members, policy, max_age, now)), None)
    if present is None or step is None:
        return None
    if step.kind is StepKind.PROMOTE:
        return Handover(takes_over_at(step, now), step.credential)
    begin = max(step.at, now.replace(microsecond=0))
    made = replace(present, published_at=begin, not_before=begin)
    span = spans(present.not_after - present.not_before, policy, max_age)
    return Handover(max(promotion_instant(present, made, span), begin + SPREAD), None)


def _destructions(members: Ring, now: datetime) -> Iterable[Step]:
    present = primary(members, now)
    for credential in members:
        if credential.deleted_at is None and credential is not present and credential.origin is Origin.GENERATED:
            yield Step(StepKind.DESTROY, destruction_instant(credential), credential)


def destruction_instant(credential: Credential) -> datetime:
    """From when nothing can need the private key any more."""
    end = credential.not_after
    if credential.demoted_at is not None:
        end = max(end, credential.demoted_at + LONGEST_TOKEN)
    if credential.use is Use.DECRYPTION:
        end = max(end, credential.not_after + DECRYPTION_GRACE)
    return end + SECOND


def due_from(step: Step) -> datetime:
    """From when a step is to be carried out; a promotion a minute ahead, so that every node flips at its instant."""
    return step.at - (ANNOUNCED if step.kind is StepKind.PROMOTE else timedelta(0))


def is_due(step: Step, now: datetime) -> bool:
    """Whether a step is to be carried out."""
    return due_from(step) <= now


def takes_over_at(step: Step, now: datetime) -> datetime:
    """The `primary_from` of a promotion that is carried out now: its instant, never before every node has read it."""
    return max(step.at, now.replace(microsecond=0) + SPREAD)
