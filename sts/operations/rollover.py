"""Carries out what `sts.core.rollover` plans: one step, one transaction, however many processes try."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sts.core import rollover
from sts.core.credentials import describe, instant, is_automatic, primary, promote
from sts.core.errors import StoreUnavailable, StsError
from sts.core.model import Credential, KeyType, Kind, Namespace, RingPolicy, Use
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import Handover, RingName, Step, StepKind
from sts.operations import watch
from sts.operations.authorities import TenantCAOrder, make_tenant_ca
from sts.operations.configuration.addresses import host_of
from sts.operations.credentials import CertificateRequest, Material, Ring, default_subject, make_certificate, make_key
from sts.operations.credentials import store as store_credential
from sts.operations.installation import Installation
from sts.operations.roots import longest_tenant_life, look_after_roots
from sts.store import credentials as table
from sts.store import namespaces, ring_holds
from sts.store.changes import Change
from sts.store.connection import Connection
from sts.store.faultpoints import faultpoint
from sts.store.ring_holds import Hold

Clock = Callable[[], datetime]
Progress = Callable[[str], None]

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RingState:
    """A ring as it stands in the database, with those of the same use and kind that relying parties have."""

    namespace: Namespace
    name: RingName
    members: tuple[Credential, ...]
    policy: RingPolicy
    hold: Hold | None = None
    defaults: RingDefaults = field(default_factory=RingDefaults)
    dedicated: tuple[tuple[Credential, ...], ...] = ()  # rings that people look after: only keys are destroyed

    def is_automatic(self, now: datetime) -> bool:
        """Whether the ring makes and promotes by itself now."""
        return self.hold is None and is_automatic(self.members, self.policy, now)

    def planned(self, now: datetime) -> tuple[Step, ...]:
        """What the plan says, whoever is to do it."""
        return self._with_dedicated(rollover.plan(self.members, self.policy, self.defaults.max_age, now), now)

    def steps(self, now: datetime) -> tuple[Step, ...]:
        """What happens by itself: what the plan says; in a manual or held ring keys are destroyed, nothing more."""
        if self.is_automatic(now):
            return self.planned(now)
        return self._with_dedicated(rollover.destructions(self.members, now), now)

    def handover(self, now: datetime) -> Handover | None:
        """When the present primary gives its place away by itself; never in a manual or held ring."""
        if not self.is_automatic(now):
            return None
        return rollover.handover(self.members, self.policy, self.defaults.max_age, now)

    def turn(self, now: datetime) -> datetime | None:
        """When the present primary should give its place away, whoever sees to it."""
        present = primary(self.members, now)
        if present is None:
            return None
        span = rollover.spans_of(present, self.policy, self.defaults.max_age)
        return present.not_after - (span.lead - span.turn)

    def successor_lifetime(self, now: datetime) -> timedelta:
        """How long what is made next lives."""
        return rollover.successor_lifetime(primary(self.members, now), self.policy, self.defaults.max_age)

    def _with_dedicated(self, steps: tuple[Step, ...], now: datetime) -> tuple[Step, ...]:
        dedicated = (step for members in self.dedicated for step in rollover.destructions(members, now))
        return tuple(sorted((*steps, *dedicated), key=lambda step: step.at))


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was carried out."""

    at: datetime
    namespace: str  # empty for the installation
    ring: RingName | Use  # Use: the installation's root CA
    kind: StepKind
    credential: Credential
    urgent: bool = False

    def __str__(self) -> str:
        return f"{self.namespace or 'installation'} {self.ring}: {self.kind} {describe(self.credential)}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A ring of which a step failed; whoever looks next tries again."""

    namespace: str  # empty for the installation
    ring: RingName | Use  # Use: the installation's root CA
    text: str

    def __str__(self) -> str:
        return f"{self.namespace or 'installation'} {self.ring}: {self.text}"


@dataclass(frozen=True, slots=True)
class Run:
    """What one look at rings led to; with a fault nothing was done."""

    done: tuple[Done, ...] = ()
    failed: tuple[Failure, ...] = ()
    is_cut: bool = False  # the database went away: what came after the last failure was not looked at
    fault: str | None = None
    again_at: datetime | None = None  # when another run may find that there is no fault
    warning: str | None = None  # what to mend although the look went on

    def followed_by(self, other: "Run") -> "Run":
        """This one and then another that began without a fault."""
        return replace(self, done=self.done + other.done, failed=self.failed + other.failed, is_cut=other.is_cut)


def states(connection: Connection, installation: Installation, namespace: str | None = None) -> tuple[RingState, ...]:
    """Every ring of one namespace, or of all; raises NamespaceNotFound."""
    if namespace is None:
        everybody = namespaces.list_all(connection, installation.base_url)
        return _states(connection, installation.defaults, everybody, table.list_dedicated(connection))
    found = namespaces.find(connection, installation.base_url, namespace)
    return _states(connection, installation.defaults, (found,), table.list_dedicated(connection, (found.id,)))


def states_by_id(connection: Connection, installation: Installation, ids: Collection[int]) -> tuple[RingState, ...]:
    """Every ring of the namespaces of these ids that there are."""
    found = namespaces.list_by_id(connection, installation.base_url, ids)
    return _states(connection, installation.defaults, found, table.list_dedicated(connection, ids))


def _states(
    connection: Connection,
    defaults: RingDefaults,
    chosen: Iterable[Namespace],
    dedicated: Mapping[int, Iterable[tuple[Credential, ...]]],
) -> tuple[RingState, ...]:
    holds = ring_holds.find_all(connection)
    return tuple(
        replace(state_of(each, name, holds, defaults), dedicated=_of_ring(name, dedicated.get(each.id, ())))
        for each in chosen
        for name in RingName
    )


def _of_ring(name: RingName, scopes: Iterable[tuple[Credential, ...]]) -> tuple[tuple[Credential, ...], ...]:
    found = (tuple(c for c in members if c.use is name.use and c.kind is name.kind) for members in scopes)
    return tuple(members for members in found if members)


def state_of(
    namespace: Namespace, name: RingName, holds: Mapping[tuple[int, str], Hold], defaults: RingDefaults
) -> RingState:
    """A ring of a namespace; `holds` are those of `ring_holds.find_all`."""
    members = tuple(c for c in namespace.credentials if c.use is name.use and c.kind is name.kind)
    hold = holds.get((namespace.id, name.value))
    return RingState(namespace, name, members, defaults.policy_of(namespace, name), hold, defaults)


def run(
    installation: Installation, now: datetime, namespace: str | None = None, progress: Progress = lambda text: None
) -> Run:
    """Carry out every step that is due; any number of processes may run at once. A ring that fails stops no other.

    Nothing is done while the clock or the database is in doubt (`watch.look`). Raises NamespaceNotFound,
    StoreUnavailable.
    """
    seen = watch.look(installation, now)
    if seen.fault is not None:
        return Run(fault=seen.fault, again_at=seen.again_at, warning=seen.warning)
    with installation.database.reading() as connection:
        rings = states(connection, installation, namespace)
    outcome = carry_out_all(installation, rings, lambda: seen.now, progress)
    if namespace is None and not outcome.is_cut:
        outcome = outcome.followed_by(carry_out_roots(installation, lambda: seen.now))
    return replace(outcome, warning=seen.warning)


def carry_out_all(
    installation: Installation, rings: Iterable[RingState], clock: Clock, progress: Progress = lambda text: None
) -> Run:
    """Carry out every step of these rings that is due; what fails in one stops no other, unless the database is away.

    `clock` may refuse to tell the time (`AgreedClock`).
    """
    done: list[Done] = []
    failed: list[Failure] = []
    for state in rings:
        try:
            done.extend(_carry_out(installation, state, clock, progress))  # one by one: the next may fail
        except StsError as error:
            failed.append(_failure(state, f"{error.message} ({error.detail})" if error.detail else error.message))
            if isinstance(error, StoreUnavailable):
                return Run(tuple(done), tuple(failed), is_cut=True)
        except Exception as error:  # whatever it was: the other rings must roll over
            _LOG.exception("%s %s: a step failed", state.namespace.name, state.name)
            failed.append(_failure(state, f"{type(error).__name__}: {error}"))
    return Run(tuple(done), tuple(failed))


def _failure(state: RingState, reason: str) -> Failure:
    return Failure(state.namespace.name, state.name, f"a step failed: {reason}")


def carry_out_roots(installation: Installation, clock: Clock) -> Run:
    """Do what is due for the installation's root CA, which has no policy but the longest life of a tenant CA."""
    try:
        now = clock()
        with installation.database.reading() as connection:
            lifetime = longest_tenant_life(connection, installation.defaults)
        steps = () if lifetime is None else look_after_roots(replace(installation, actor="rollover"), lifetime, now)
    except StsError as error:
        reason = f"a step failed: {error.message} ({error.detail})" if error.detail else error.message
        return Run(failed=(Failure("", Use.ROOT_CA, reason),), is_cut=isinstance(error, StoreUnavailable))
    except Exception as error:  # whatever it was: it must not stop what comes after
        _LOG.exception("root CA: a step failed")
        return Run(failed=(Failure("", Use.ROOT_CA, f"a step failed: {type(error).__name__}: {error}"),))
    made = ((step.kind, step.credential) for step in steps)
    return Run(tuple(Done(now, "", Use.ROOT_CA, kind, root) for kind, root in made if root is not None))


def _carry_out(installation: Installation, state: RingState, clock: Clock, progress: Progress) -> Iterator[Done]:
    now = clock()
    for step in state.steps(now):
        if rollover.is_due(step, now):
            progress(f"{state.namespace.name} {state.name}: {step.kind}")
            done = _CARRY_OUT[step.kind](installation, state, step, clock)
            if done is not None:
                yield done


def resume(installation: Installation, namespace: str, name: RingName, now: datetime) -> bool:
    """Let a held ring go on by itself; answers whether it was held. Raises NamespaceNotFound."""
    with installation.database.changing(installation.actor, now) as change:
        found = namespaces.find(change.connection, installation.base_url, namespace)
        was_held = ring_holds.release(change, found, name.value)
        faultpoint("resume.released")
        if was_held:
            change.audit(namespace, "rollover.resume", f"ring:{name}", {})
            faultpoint("resume.audited")
    faultpoint("resume.committed")
    return was_held


def _publish(installation: Installation, state: RingState, step: Step, clock: Clock) -> Done | None:
    """Make the next credential, test it and publish it; the key is made before the transaction begins.

    Making it takes time, which must not count as time in public.
    """
    made = _make(installation, state, clock())
    now = clock()
    with installation.database.changing("rollover", now) as change:
        fresh = _still_due(change, installation, state, step, now)
        if fresh is None:
            return None
        faultpoint("rollover.publish.begun")
        material = replace(made, predecessor_id=_last_in_line(fresh, step))
        ring = Ring(fresh.namespace, state.name.use, state.name.kind)
        stored = store_credential(change, installation.key_ring, ring, material)
        faultpoint("rollover.publish.stored")
        installation.key_ring.test(change.connection, fresh.namespace, stored)
        if step.credential is None:
            stored = table.save(change, fresh.namespace, replace(stored, primary_from=now.replace(microsecond=0)))
        _audit(change, fresh, stored, step)
        faultpoint("rollover.publish.audited")
    faultpoint("rollover.publish.committed")
    return Done(now, state.namespace.name, state.name, step.kind, stored, step.urgent)


def _promote(installation: Installation, state: RingState, step: Step, clock: Clock) -> Done | None:
    """Write down from when the next credential is primary, a little ahead, so that every node flips together.

    Its key must open and sign: otherwise the present primary goes on, and a person must know.
    """
    now = clock()
    with installation.database.changing("rollover", now) as change:
        fresh = _still_due(change, installation, state, step, now)
        if fresh is None or step.credential is None:
            return None
        faultpoint("rollover.promote.begun")
        chosen = next(c for c in fresh.members if c.id == step.credential.id)
        installation.key_ring.test(change.connection, fresh.namespace, chosen)
        promotion = promote(fresh.members, chosen, now, rollover.takes_over_at(step, now))
        for credential in promotion.changed:
            table.save(change, fresh.namespace, credential)
            faultpoint("rollover.promote.saved")
        promoted = next(c for c in promotion.changed if c.id == chosen.id)
        _audit(change, fresh, promoted, step)
        faultpoint("rollover.promote.audited")
    faultpoint("rollover.promote.committed")
    return Done(now, state.namespace.name, state.name, step.kind, promoted, step.urgent)


def _destroy(installation: Installation, state: RingState, step: Step, clock: Clock) -> Done | None:
    """Destroy the private key of a credential that nothing needs any more; its tombstone stays."""
    now = clock()
    with installation.database.changing("rollover", now) as change:
        fresh = _still_due(change, installation, state, step, now)
        if fresh is None or step.credential is None:
            return None
        faultpoint("rollover.destroy.begun")
        destroyed = table.delete(change, fresh.namespace, step.credential)
        _audit(change, fresh, destroyed, step)
        faultpoint("rollover.destroy.audited")
    faultpoint("rollover.destroy.committed")
    return Done(now, state.namespace.name, state.name, step.kind, destroyed, step.urgent)


_CARRY_OUT: Final[Mapping[StepKind, Callable[[Installation, RingState, Step, Clock], Done | None]]] = {
    StepKind.PUBLISH: _publish,
    StepKind.PROMOTE: _promote,
    StepKind.DESTROY: _destroy,
}


def _still_due(
    change: Change, installation: Installation, state: RingState, step: Step, now: datetime
) -> RingState | None:
    """The ring as it stands inside the transaction, if the same step is still to be done: another may have done it."""
    rings = states(change.connection, installation, state.namespace.name)
    fresh = next(each for each in rings if each.name is state.name)
    wanted = (step.kind, None if step.credential is None else step.credential.id)
    due = (s for s in fresh.steps(now) if rollover.is_due(s, now))
    return fresh if any((s.kind, None if s.credential is None else s.credential.id) == wanted for s in due) else None


def _last_in_line(state: RingState, step: Step) -> int | None:
    """Whom the new one succeeds: the present primary, or the last of its successors that came to nothing."""
    if step.credential is None:
        return None
    last = step.credential
    by_predecessor = {c.predecessor_id: c for c in state.members if c.predecessor_id is not None}
    while last.id in by_predecessor:
        last = by_predecessor[last.id]
    return last.id


def _make(installation: Installation, state: RingState, now: datetime) -> Material:
    """The next credential of a ring, before the transaction begins; a tenant CA's root is looked after first."""
    begin, lifetime = now.replace(microsecond=0), state.successor_lifetime(now)
    if state.name.kind is Kind.SYMMETRIC:
        return make_key(begin, lifetime)
    if state.name is RingName.TENANT_CA:
        return make_tenant_ca(installation, TenantCAOrder(state.namespace, lifetime), now)
    subject = default_subject(state.namespace.name, host_of(installation.base_url), state.name.use)
    key_type = state.policy.key_type or KeyType.RSA2048
    return make_certificate(CertificateRequest(subject, begin, lifetime, key_type), state.name.use)


def _audit(change: Change, state: RingState, credential: Credential, step: Step) -> None:
    details: dict[str, object] = {"ring": state.name, "thumbprint": credential.thumbprint, "due": instant(step.at)}
    if step.urgent:
        details["urgent"] = True
    if credential.primary_from is not None and step.kind is StepKind.PROMOTE:
        details["primary_from"] = instant(credential.primary_from)
    change.audit(state.namespace.name, f"rollover.{step.kind}", f"credential:{credential.id}", details)
