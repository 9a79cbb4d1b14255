"""One look at the rings whose turn it is: what is due is done, and what needs a person is noted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sts.core.clock import AHEAD, AgreedClock
from sts.core.credentials import next_change, primary
from sts.core.rollover import due_from, is_due
from sts.core.tenant_ca import issuing_root
from sts.operations import watch
from sts.operations.agenda import SOON, Agenda, Entry
from sts.operations.installation import Installation
from sts.operations.ring_status import Warning_, root_warnings, warnings_of
from sts.operations.rollover import (
    Clock,
    Done,
    Failure,
    RingState,
    Run,
    carry_out_all,
    carry_out_roots,
    states_by_id,
)
from sts.store import credentials

LATEST: Final = timedelta(hours=1)  # partners' certificates come near their ends without anything changing


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look led to; with a fault nothing was done."""

    done: tuple[Done, ...] = ()
    failed: tuple[Failure, ...] = ()  # the agenda tells them among its warnings
    fault: str | None = None
    warning: str | None = None  # what to mend although the look went on


def look(installation: Installation, agenda: Agenda, clock: Clock) -> Looked:
    """Carry out what is due in the namespaces whose turn it is; what fails in one ring stops no other.

    Nothing is done while the clock or the database is in doubt (`watch.look`), or when a look takes so long, or the
    clock jumps so far meanwhile, that they must be looked at again. Raises StoreUnavailable.
    """
    seen = watch.look(installation, clock())
    if seen.fault is not None:
        return Looked(fault=seen.fault, warning=seen.warning)
    chosen = agenda.turn(seen.now)
    with installation.database.reading() as connection:
        rings = states_by_id(connection, installation, chosen)
        warnings = _by_name(warnings_of(connection, rings, seen.now))
    done: list[Done] = []
    failed: list[Failure] = []
    for group in _by_namespace(rings):
        if clock() > seen.now + AHEAD:
            break
        outcome = carry_out_all(installation, group, AgreedClock(clock, seen.now))
        done += outcome.done
        failed += outcome.failed
        namespace = group[0].namespace
        told = warnings[namespace.name].union(_warning(each) for each in outcome.failed)
        agenda.note(namespace.id, _entry(group, outcome, told, seen.now))
        if outcome.is_cut:
            break
    else:
        if agenda.is_roots_turn(seen.now):
            outcome = _look_at_roots(installation, agenda, AgreedClock(clock, seen.now), seen.now)
            done += outcome.done
            failed += outcome.failed
    for gone in set(chosen) - {state.namespace.id for state in rings}:
        agenda.note(gone, None)
    return Looked(tuple(done), tuple(failed), warning=seen.warning)


def _look_at_roots(installation: Installation, agenda: Agenda, clock: Clock, now: datetime) -> Run:
    outcome = carry_out_roots(installation, clock)
    if not outcome.is_cut:
        with installation.database.reading() as connection:
            warnings = (*root_warnings(connection, installation, now), *map(_warning, outcome.failed))
            root = issuing_root(credentials.list_roots(connection), now)
        again = SOON if outcome.failed else LATEST
        agenda.note_root(Entry(now + again, frozenset(warnings), None if root is None else root.not_after))
    return outcome


def _by_name(warnings: Iterable[Warning_]) -> Mapping[str, frozenset[Warning_]]:
    """By namespace."""
    found: dict[str, frozenset[Warning_]] = defaultdict(frozenset)
    for each in warnings:
        found[each.namespace] |= {each}
    return found


def _warning(failure: Failure) -> Warning_:
    return Warning_(failure.namespace, failure.ring.value, failure.text)


def _by_namespace(rings: Iterable[RingState]) -> Iterator[tuple[RingState, ...]]:
    return (tuple(group) for _, group in groupby(rings, key=lambda state: state.namespace.id))


def _entry(rings: Sequence[RingState], outcome: Run, warnings: frozenset[Warning_], now: datetime) -> Entry:
    """When the plan, what is published or what is to be warned of changes next by itself."""
    planned = (at for state in rings for step in state.planned(now) for at in (due_from(step), step.at))
    turns = (state.turn(now) for state in rings)
    instants = [at for at in (*planned, *turns) if at is not None and at > now]
    if outcome.failed or any(is_due(step, now) for state in rings for step in state.steps(now)):
        instants.append(now + SOON)  # it failed, or another process may have failed
    change = next_change(rings[0].namespace, now)
    instants += [now + LATEST] if change is None else [now + LATEST, change]
    primaries = [primary(state.members, now) for state in rings]
    soonest_end = min((each.not_after for each in primaries if each is not None), default=None)
    return Entry(min(instants), warnings, soonest_end)
