"""What a person should know of one ring, whoever looks after it: what is missing, what ends, what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sts.core import rollover
from sts.core.credentials import (
    SECOND,
    Ring,
    describe,
    has_expired,
    instant,
    is_valid,
    lapse,
    last_primary,
    primary,
    returns,
    selected,
)
from sts.core.model import Credential, RingPolicy
from sts.core.rollover import Handover, RingName, Spans

_NOUNS: Final = {RingName.SIGNING_KEYS: "key", RingName.TENANT_CA: "ca-certificate"}


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs a person, now or by an instant."""

    text: str
    by: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchedRing:
    """A ring of a namespace or of a relying party, and how a command names it."""

    name: RingName
    members: Ring
    policy: RingPolicy
    max_age: timedelta  # of the metadata
    namespace: str
    relying_party: str | None = None
    handover: Handover | None = None  # what the plan of an automatic ring leads to
    is_automatic: bool = False

    def command(self, verb: str, chosen: Credential | None = None) -> str:
        """A command to paste: the verb for this ring, or for one credential of it."""
        party = "" if self.relying_party is None else f" --relying-party {self.relying_party}"
        use = "" if self.name is RingName.TENANT_CA else f" --use {self.name.use}"
        which = "" if chosen is None else f" --thumbprint {chosen.thumbprint}"
        return f"`sts {_NOUNS.get(self.name, 'certificate')} {verb} --namespace {self.namespace}{party}{use}{which}`"

    def spans_of(self, credential: Credential) -> Spans:
        """The spans of the ring's policy for one of its credentials."""
        return rollover.spans_of(credential, self.policy, self.max_age)


def concerns(ring: WatchedRing, now: datetime) -> Iterator[Concern]:
    """What needs a person, from the instants of the plan on, in an automatic ring only what it cannot mend itself."""
    present = primary(ring.members, now)
    if present is None:
        yield from _without_primary(ring, now)
    elif present.deleted_at is not None or not is_valid(present, now):
        yield _unusable(ring, present, now)
    if selected(ring.members, now) is None:
        return
    if not ring.is_automatic:
        yield from _ending(ring, now)
    elif present is not None:
        yield from _succeeded_late(ring, present, now)


def _without_primary(ring: WatchedRing, now: datetime) -> Iterator[Concern]:
    gone, chosen = last_primary(ring.members, now), selected(ring.members, now)
    if gone is not None:
        serves = "nothing" if chosen is None else f"{describe(chosen)}, which never was primary,"
        yield Concern(f"its primary {describe(gone)} was deleted; {serves} serves instead: {_remedy(ring, now)}")
    elif any(c.deleted_at is None for c in ring.members):
        reason = "" if chosen is not None else ", and none is valid"
        yield Concern(f"no credential was ever primary{reason}: {_remedy(ring, now)}")
    elif ring.name in (RingName.SIGNING, RingName.DECRYPTION):
        made = "`sts rollover run` makes the first" if ring.is_automatic else _remedy(ring, now)
        yield Concern(f"it holds nothing: {made}")


def _unusable(ring: WatchedRing, present: Credential, now: datetime) -> Concern:
    """A primary that signs no more; where it has only expired, an automatic ring replaces it."""
    if ring.is_automatic and ring.handover is not None and has_expired(present, now):
        at = instant(ring.handover.at)
        return Concern(f"the primary {describe(present)} has expired; its successor takes over by itself on {at}")
    return Concern(
        f"the primary {describe(present)} cannot be used any more; make another primary: {_remedy(ring, now)}"
    )


def _remedy(ring: WatchedRing, now: datetime) -> str:
    """How somebody gives the ring a primary that can be used."""
    usable = [c for c in ring.members if c.deleted_at is None and is_valid(c, now)]
    if not usable:
        return f"{ring.command('generate')}, then {ring.command('make-primary')}"
    return ring.command("make-primary", max(usable, key=lambda c: (c.not_after, c.id)))


def _ending(ring: WatchedRing, now: datetime) -> Iterator[Concern]:
    """A ring that people look after: warned from the instants on at which an automatic one would act."""
    gap = lapse(ring.members, now)
    last = selected(ring.members, gap - SECOND)
    if last is None:  # it ends within this second
        return
    span, end = ring.spans_of(last), gap - SECOND
    waiting = rollover.next_in_line(ring.members, last, span, now)
    is_ready = waiting is not None and waiting.not_before <= end
    again = returns(ring.members, gap)
    if again is None and waiting is not None and is_ready:
        if now >= end - (span.lead - span.turn):
            yield Concern(f"{_ends(ring, last, gap)}: {ring.command('make-primary', waiting)}, its successor", end)
    elif now >= end - span.lead:
        yield Concern(f"{_ends(ring, last, gap)} and {_missing(ring, gap, again)}{_late(last, span, now)}", end)


def _ends(ring: WatchedRing, last: Credential, gap: datetime) -> str:
    role = "the primary" if last == primary(ring.members, gap) else "its last"
    return f"{role} {describe(last)} ends on {instant(gap - SECOND)}"


def _missing(ring: WatchedRing, gap: datetime, again: datetime | None) -> str:
    following = None if again is None else selected(ring.members, again)
    if again is None or following is None:
        return f"has no successor: {ring.command('generate')}"
    return (
        f"{describe(following)} takes over only on {instant(again)}: in between there is none; make it, or another, "
        f"primary before: {ring.command('make-primary')}"
    )


def _late(last: Credential, span: Spans, now: datetime) -> str:
    """Said once more, in other words, when a successor should have taken over: the log tells each text once."""
    turn = last.not_after - (span.lead - span.turn)
    return "" if now < turn else f"; another should be in its place since {instant(turn)}"


def _succeeded_late(ring: WatchedRing, present: Credential, now: datetime) -> Iterator[Concern]:
    """An automatic ring of which the successor comes after the end, for whatever reason."""
    span, planned = ring.spans_of(present), ring.handover
    if planned is None or planned.at <= present.not_after or now < present.not_after - span.lead:
        return
    remedy = "" if planned.successor is None else f"; {ring.command('make-primary', planned.successor)} if need be"
    yield Concern(
        f"the primary {describe(present)} ends on {instant(present.not_after)} and its successor takes over by itself "
        f"only on {instant(planned.at)}: in between there is none{remedy}{_late(present, span, now)}",
        present.not_after,
    )
