"""The real rollover under a moving clock, on a copy: what would happen to a namespace, and when."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sts.core.credentials import next_change, published_decryption, published_signing
from sts.core.errors import OperatorError
from sts.core.model import Credential, Namespace
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import RingName, due_from
from sts.operations import ring_status, rollover, watch
from sts.operations.installation import Installation
from sts.operations.ring_status import Warning_
from sts.operations.rollover import Failure, RingState
from sts.store import namespaces
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.namespace_copy import copy_namespace

LOOKING: Final = timedelta(minutes=1)  # a look at the clock comes this long before the one that acts
MOST_RUNS: Final = 20  # at one instant: making, promoting and destroying take a run each

Progress = Callable[[datetime], None]


class EventKind(StrEnum):
    """What happens to a credential."""

    PUBLISHED = "published"
    PROMOTED = "promoted"
    RETIRED = "retired"
    EXPIRED = "expired"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to one credential, and when; its fields are those of `sts rollover simulate --json`."""

    at: datetime
    ring: RingName
    event: EventKind
    thumbprint: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Published:
    """What federation metadata holds from an instant on, by thumbprint and in order."""

    at: datetime
    signing: tuple[str, ...]
    decryption: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What will need a person, and from when."""

    at: datetime
    warning: Warning_


@dataclass(frozen=True, slots=True)
class Failed:
    """A ring of which a step fails in the simulation, and since when; it is tried again at each later instant."""

    at: datetime
    failure: Failure


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when the clock moves."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happens to a namespace while nobody does anything."""

    namespace: str
    span: Span
    events: tuple[Event, ...]
    metadata: tuple[Published, ...]  # the first as it is at the start
    foreseen: tuple[Foreseen, ...]
    rings: Mapping[RingName, tuple[Credential, ...]]  # as they are in the end, tombstones too
    failed: tuple[Failed, ...] = ()


def simulate(
    installation: Installation, namespace: str, span: Span, progress: Progress = lambda now: None
) -> Simulation:
    """Let the clock move over a copy of a namespace; the installation itself stays as it is.

    `progress` is told each instant at which the clock stands. Raises NamespaceNotFound, and OperatorError for a span
    that ends before it starts.
    """
    if span.end < span.start:
        raise OperatorError("the simulation would end before it starts")
    with rehearsal(installation, namespace) as copy:
        before = _rings(copy)
        metadata: list[Published] = []
        foreseen: dict[Warning_, datetime] = {}
        failures: dict[Failure, datetime] = {}
        for now, failed in instants(copy, span):
            progress(now)
            published = _published(_rings(copy)[0].namespace, copy.defaults, now)
            if not metadata or replace(published, at=metadata[-1].at) != metadata[-1]:
                metadata.append(published)
            for warning in _warnings(copy, now):
                foreseen.setdefault(warning, now)
            for failure in failed:
                failures.setdefault(failure, now)
        after = _rings(copy)
    return Simulation(
        namespace=namespace,
        span=span,
        events=_events(before, after, span),
        metadata=tuple(metadata),
        foreseen=tuple(Foreseen(at, warning) for warning, at in foreseen.items()),
        failed=tuple(Failed(at, failure) for failure, at in failures.items()),
        rings={ring.name: ring.members for ring in after},
    )


@contextmanager
def rehearsal(installation: Installation, namespace: str) -> Iterator[Installation]:
    """Open a copy of one namespace in a temporary folder, which goes in the end; raises NamespaceNotFound.

    The copy is SQLite whatever the source is. Its secrets open under the same master key, which stays where it is.
    """
    with TemporaryDirectory(prefix="sts-rehearsal-") as folder:
        home = Path(folder)
        database = Database(f"sqlite:///{home / 'sts.db'}")
        database.migrate()
        try:
            with installation.database.reading() as source, database.recording() as target:
                copy_namespace(source, target, namespaces.find(source, installation.base_url, namespace))
            key_ring = SealedKeyRing(database, installation.key_ring.master_keys)
            yield replace(
                installation,
                home=home,
                database=database,
                key_ring=key_ring,
                actor="rehearsal",
                mark=home / watch.MARK,
            )
        finally:
            database.close()


def instants(copy: Installation, span: Span) -> Iterator[tuple[datetime, tuple[Failure, ...]]]:
    """Move the clock from one instant at which something changes to the next, and have done what is due at each.

    Yields the instant when everything is done, and what of it failed. Raises OperatorError.
    """
    before, now = span.start, span.start
    while now <= span.end:
        yield now, _act(copy, before, now)
        following = _following(copy, now)
        if following is None:
            return
        before, now = now, following


def _act(copy: Installation, before: datetime, now: datetime) -> tuple[Failure, ...]:
    """As a process does that looks once a minute: two looks agree on the time, then everything due is done."""
    watch.look(copy, max(before, now - LOOKING))
    for _ in range(MOST_RUNS):
        outcome = rollover.run(copy, now)
        if outcome.fault is not None:
            raise OperatorError(outcome.fault)
        if not outcome.done:
            return outcome.failed
    raise OperatorError("the rings do not come to rest: their policies contradict each other")


def _following(copy: Installation, now: datetime) -> datetime | None:
    """The next instant at which a step is due, in a manual ring too, or what is published changes by itself."""
    rings = _rings(copy)
    ahead = {due_from(step) for ring in rings for step in ring.planned(now)}
    change = next_change(rings[0].namespace, now)
    return min((at for at in (*ahead, change) if at is not None and at > now), default=None)


def _warnings(copy: Installation, now: datetime) -> tuple[Warning_, ...]:
    with copy.database.reading() as connection:
        return ring_status.warnings_of(connection, rollover.states(connection, copy), now)


def _rings(copy: Installation) -> tuple[RingState, ...]:
    with copy.database.reading() as connection:
        return rollover.states(connection, copy)


def _published(namespace: Namespace, defaults: RingDefaults, now: datetime) -> Published:
    offered = published_decryption(namespace, now, defaults.policies[RingName.DECRYPTION])
    return Published(
        at=now,
        signing=tuple(c.thumbprint for c in published_signing(namespace, now)),
        decryption=tuple(c.thumbprint for c in offered),
    )


def _events(before: tuple[RingState, ...], after: tuple[RingState, ...], span: Span) -> tuple[Event, ...]:
    """What the rings in the end tell of their past; what had happened when the clock started to move is left out."""
    known = {
        (c.id, kind, at) for ring in before for c in ring.members for kind, at in milestones(c) if at <= span.start
    }
    found = [
        Event(at, ring.name, kind, c.thumbprint, c.not_before, c.not_after)
        for ring in after
        for c in ring.members
        for kind, at in milestones(c)
        if span.start <= at <= span.end and (c.id, kind, at) not in known
    ]
    rings, kinds = list(RingName), list(EventKind)
    return tuple(sorted(found, key=lambda event: (event.at, rings.index(event.ring), kinds.index(event.event))))


def milestones(credential: Credential) -> Iterator[tuple[EventKind, datetime]]:
    """The instants in the life of a credential, those ahead too; one that was revoked does not expire any more."""
    if credential.published_at is not None:
        yield EventKind.PUBLISHED, credential.published_at
    if credential.primary_from is not None:
        yield EventKind.PROMOTED, credential.primary_from
    if credential.demoted_at is not None:
        yield EventKind.RETIRED, credential.demoted_at
    gone = credential.revoked_at or credential.deleted_at
    if gone is None or gone > credential.not_after:
        yield EventKind.EXPIRED, credential.not_after
    if credential.deleted_at is not None:
        yield EventKind.DESTROYED, credential.deleted_at
