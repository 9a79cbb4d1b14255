"""One look at the rings whose turn it is: what is due is done, and what needs a person is noted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sts.core.clock import BEHIND
from sts.core.credentials import next_change, primary
from sts.core.errors import StoreUnavailable, StsError
from sts.core.rollover import due_from, is_due
from sts.operations import watch
from sts.operations.agenda import SOON, Agenda, Entry
from sts.operations.installation import Installation
from sts.operations.ring_status import Warning_, warnings_of
from sts.operations.rollover import Clock, Done, RingState, carry_out, states_by_id

LATEST: Final = timedelta(hours=1)  # partners' certificates come near their ends without anything changing


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look led to; with a fault nothing was done."""

    done: tuple[Done, ...] = ()
    failures: int = 0  # rings of which a step failed; the agenda tells them among its warnings
    fault: str | None = None


def look(installation: Installation, agenda: Agenda, clock: Clock) -> Looked:
    """Carry out what is due in the namespaces whose turn it is; what fails in one ring stops no other.

    Nothing is done while the clock or the database is in doubt (`watch.look`), or when a look takes so long that they
    must be looked at again. Raises StoreUnavailable.
    """
    seen = watch.look(installation, clock())
    if seen.fault is not None:
        return Looked(fault=seen.fault)
    chosen = agenda.turn(seen.now)
    with installation.database.reading() as connection:
        rings = states_by_id(connection, installation.base_url, chosen)
        warnings = _texts(warnings_of(connection, rings, seen.now))
    done: list[Done] = []
    failures = 0
    for state_group in _by_namespace(rings):
        if clock() > seen.now + BEHIND:
            break
        outcome = _carry_out(installation, state_group, lambda: max(seen.now, clock()))
        done += outcome.done
        failures += len(outcome.failed)
        namespace = state_group[0].namespace
        texts = warnings.get(namespace.name, frozenset()) | outcome.failed
        agenda.note(namespace.id, _entry(state_group, texts, seen.now))
    for gone in set(chosen) - {state.namespace.id for state in rings}:
        agenda.note(gone, None)
    return Looked(tuple(done), failures)


def _texts(warnings: Iterable[Warning_]) -> Mapping[str, frozenset[str]]:
    """As the log tells them, by namespace."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in warnings:
        found[each.namespace].add(f"{each.namespace} {each.subject}: {each.text}")
    return {namespace: frozenset(texts) for namespace, texts in found.items()}


def _by_namespace(rings: Iterable[RingState]) -> Iterator[tuple[RingState, ...]]:
    return (tuple(group) for _, group in groupby(rings, key=lambda state: state.namespace.id))


@dataclass(frozen=True, slots=True)
class _Outcome:
    done: tuple[Done, ...]
    failed: frozenset[str]  # a sentence for each ring


def _carry_out(installation: Installation, rings: Iterable[RingState], clock: Clock) -> _Outcome:
    done: list[Done] = []
    failed = set()
    for state in rings:
        try:
            done += carry_out(installation, state, clock)
        except StoreUnavailable:
            raise
        except StsError as error:
            reason = f"{error.message} ({error.detail})" if error.detail else error.message
            failed.add(f"{state.namespace.name} {state.name}: a step failed: {reason}")
    return _Outcome(tuple(done), frozenset(failed))


def _entry(rings: Sequence[RingState], warnings: frozenset[str], now: datetime) -> Entry:
    """When the plan, what is published or what is to be warned of changes next by itself."""
    instants = [at for state in rings for step in state.planned(now) for at in (due_from(step), step.at) if at > now]
    if any(is_due(step, now) for state in rings for step in state.steps(now)):
        instants.append(now + SOON)  # it may have failed
    change = next_change(rings[0].namespace, now)
    instants += [now + LATEST] if change is None else [now + LATEST, change]
    primaries = [primary(state.members, now) for state in rings]
    soonest_end = min((each.not_after for each in primaries if each is not None), default=None)
    return Entry(min(instants), warnings, soonest_end)
