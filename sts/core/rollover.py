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
    last_primary,
    primary,
)
from sts.core.model import DEDICATED, Credential, KeyType, Kind, Origin, RingPolicy, Use

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
    RingName.SIGNING: RingPolicy(automatic=None, lifetime=730 * _DAY, key_type=KeyType.RSA2048),
    RingName.DECRYPTION: RingPolicy(automatic=None, lifetime=730 * _DAY, key_type=KeyType.RSA2048),
    RingName.TENANT_CA: RingPolicy(automatic=None, lifetime=730 * _DAY, key_type=KeyType.RSA3072),
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
    """Scale a policy to a lifetime; `max_age` is how long readers may keep the metadata.

    The lead of a policy for shorter lives is lengthened where the successor would be unread at the end.
    """
    kept = min(max_age, lifetime / 400)
    in_public = min(max(2 * kept, _DAY), lifetime / 100)
    critical = min(2 * _DAY, lifetime / 50)
    lead = max(min(policy.lead, lifetime / 2), in_public + critical)
    return Spans(
        lead=_whole(lead),
        turn=_whole(min(policy.turn, lead / 2)),
        in_public=_whole(in_public),
        critical=_whole(critical),
    )


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=span // SECOND)


def plan(members: Ring, policy: RingPolicy, max_age: timedelta, now: datetime) -> tuple[Step, ...]:
    """The next steps of an automatic ring that nobody holds, in order of their instants; those in the past are due.

    `members` is the whole ring with its tombstones. At most one PUBLISH or PROMOTE is ever ahead; a ring whose
    primary was revoked or deleted waits for a person.
    """
    steps = [*_succession(members, policy, max_age, now), *destructions(members, now)]
    return tuple(sorted(steps, key=lambda step: step.at))


def _succession(members: Ring, policy: RingPolicy, max_age: timedelta, now: datetime) -> Iterable[Step]:
    present = primary(members, now)
    if present is None:
        if last_primary(members, now) is None and not any(_is_live(c, now) for c in members):
            yield Step(StepKind.PUBLISH, now, None)
        return
    if present.revoked_at is not None or present.deleted_at is not None:
        return
    span = spans_of(present, policy, max_age)
    successor = next_in_line(members, present, span, now)
    if successor is None:
        at = present.not_after - span.lead
        yield Step(StepKind.PUBLISH, at, present, urgent=now >= present.not_after - span.critical)
    elif not _is_scheduled(successor, now):
        yield Step(StepKind.PROMOTE, promotion_instant(present, successor, span), successor)


def spans_of(present: Credential, policy: RingPolicy, max_age: timedelta) -> Spans:
    """The spans of a policy for this primary."""
    return spans(present.not_after - present.not_before, policy, max_age)


def successor_lifetime(present: Credential | None, policy: RingPolicy, max_age: timedelta) -> timedelta:
    """How long what is made next lives: as the policy says, or by so much longer that it can succeed the present one.

    A life that was cut short since would be over before the present primary gives its place away.
    """
    if present is None:
        return policy.lifetime
    span = spans_of(present, policy, max_age)
    needed = max(span.lead, span.in_public)
    return policy.lifetime if policy.lifetime > needed else needed + policy.lifetime


def next_in_line(members: Ring, present: Credential, span: Spans, now: datetime) -> Credential | None:
    """The successor of the present primary; None where one has to be made.

    Of those that can take over before its end: scheduled or named as such first, then whatever ends last. Of others,
    that come late, the soonest; one that begins so late that another would be public before it does not count.
    """
    latest = max(present.not_after, now + max(span.in_public, SPREAD))
    able = [c for c in members if comes_after(c, present, now) and _begins(c, now) <= latest]
    able = [c for c in able if _is_live(c, succeeds_at(c, present, span, now))]
    in_time = [c for c in able if succeeds_at(c, present, span, now) <= present.not_after]
    if in_time:
        return max(in_time, key=lambda c: _rank(c, present, now))
    return min(able, key=lambda c: (succeeds_at(c, present, span, now), c.id), default=None)


def stand_ins(members: Ring, present: Credential, now: datetime) -> Ring:
    """Those that can take the place of a primary that is revoked now, the best first: published, valid, after it.

    What was never primary may end sooner than the present one would have; what ends later comes before it.
    """
    able = [c for c in members if comes_after(c, present, now) or (_is_live(c, now) and c.primary_from is None)]
    able = [c for c in able if c.published_at is not None and c.not_before <= now and _is_live(c, now + SPREAD)]
    return tuple(sorted(able, key=lambda c: (c.not_after > present.not_after, *_rank(c, present, now)), reverse=True))


def comes_after(credential: Credential, present: Credential, now: datetime) -> bool:
    """Whether it may ever succeed the present primary by itself: alive, it ends later, and it was not retired.

    One that was primary already still comes after an older one, which an operator went back to (ADR 12).
    """
    was_primary = credential.primary_from is not None and not _is_scheduled(credential, now)
    return (
        _is_live(credential, now)
        and credential.not_after > present.not_after
        and (not was_primary or _age(credential) > _age(present))
    )


def succeeds_at(credential: Credential, present: Credential, span: Spans, now: datetime) -> datetime:
    """When a successor becomes primary by itself: on its scheduled day, or as planned."""
    if credential.primary_from is not None and credential.primary_from > now:
        return credential.primary_from
    return max(promotion_instant(present, credential, span), now.replace(microsecond=0) + SPREAD)


def _age(credential: Credential) -> tuple[datetime, int]:
    return credential.published_at or credential.not_before, credential.id


def _begins(credential: Credential, now: datetime) -> datetime:
    """The earliest instant at which it can become primary, however long it was public."""
    since = credential.primary_from
    return since if since is not None and since > now else credential.not_before


def _rank(credential: Credential, present: Credential, now: datetime) -> tuple[bool, bool, datetime, int]:
    is_named = credential.predecessor_id == present.id
    return _is_scheduled(credential, now), is_named, credential.not_after, credential.id


def _is_live(credential: Credential, now: datetime) -> bool:
    return credential.deleted_at is None and credential.revoked_at is None and not has_expired(credential, now)


def _is_scheduled(credential: Credential, now: datetime) -> bool:
    return credential.primary_from is not None and credential.primary_from > now


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
    """The handover that the plan of an automatic ring leads to, a scheduled one too; None for a ring that waits."""
    present = primary(members, now)
    if present is None or present.revoked_at is not None or present.deleted_at is not None:
        return None
    span = spans_of(present, policy, max_age)
    successor = next_in_line(members, present, span, now)
    if successor is not None:
        return Handover(succeeds_at(successor, present, span, now), successor)
    begin = max(present.not_after - span.lead, now.replace(microsecond=0))
    made = replace(present, published_at=begin, not_before=begin)
    return Handover(max(promotion_instant(present, made, span), begin + SPREAD), None)


def destructions(members: Ring, now: datetime) -> tuple[Step, ...]:
    """When the private keys of a ring are destroyed, automatic or not; never those of its primary and of imported ones.

    A dedicated ring keeps the last that was not revoked, too: empty, it would give way to the namespace's.
    """
    spared = {c.id for c in (primary(members, now), _last_dedicated(members)) if c is not None}
    alive = (c for c in members if c.deleted_at is None and c.id not in spared and c.origin is Origin.GENERATED)
    return tuple(Step(StepKind.DESTROY, destruction_instant(c), c) for c in alive)


def _last_dedicated(members: Ring) -> Credential | None:
    alive = [c for c in members if c.scope.startswith(DEDICATED) and c.deleted_at is None]
    return max(alive, key=lambda c: (c.revoked_at is None, c.not_after, c.id), default=None)


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
