"""The promises of rollover, kept by the real code whatever the policies, the pauses and the clock."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sts.core.credentials import primary
from sts.core.model import Credential, RingPolicy
from sts.core.ring_defaults import MAX_AGE
from sts.core.rollover import RingName, spans
from sts.operations import rollover, watch
from sts.operations.installation import Installation
from sts.operations.rollover import RingState
from sts.operations.simulation import rehearsal
from sts.store import namespaces
from tests.core.promises import assert_promises, policies
from tests.operations.workbench import NOW, Workbench, workbench

MINUTE = timedelta(minutes=1)
MANUAL = {RingName.DECRYPTION, RingName.TENANT_CA}  # keys that take time to make
CONTOSO = """
namespace: contoso
rollover:
  signing: {lifetime: 10d, key_type: p256}
  decryption: {automatic: false}
  tenant-ca: {automatic: false, key_type: p256}
  signing-keys: {automatic: true, lifetime: 10d}
"""

WAKING = st.sampled_from(
    ["wakes", "wakes twice", "looks once", "finds the clock an hour behind", "finds it a year ahead"]
)
PAUSES = st.lists(st.tuples(st.floats(min_value=0, max_value=1.2), WAKING), max_size=12)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    made = workbench(tmp_path_factory.mktemp("template"))
    made.apply(CONTOSO)
    return made


def states(copy: Installation) -> Mapping[RingName, RingState]:
    with copy.database.reading() as connection:
        return {state.name: state for state in rollover.states(connection, copy)}


def give(copy: Installation, certificates: RingPolicy, keys: RingPolicy) -> None:
    """Give both automatic rings another policy."""
    with copy.database.changing("tests", NOW) as change:
        known = namespaces.find(change.connection, copy.base_url, "contoso")
        chosen = {**known.rollover, "signing": certificates, "signing-keys": replace(keys, key_type=None)}
        namespaces.save(change, replace(known, rollover=chosen))
        change.audit("contoso", "namespace.change", "namespace:contoso", {})


def promoted(before: RingState, after: RingState) -> list[Credential]:
    """What was made primary in between, the first of an empty ring apart."""
    known = {c.id: c.primary_from for c in before.members}
    return [c for c in after.members if c.primary_from is not None and c.primary_from != known.get(c.id)]


def wake(copy: Installation, now: datetime, how: str) -> None:
    """One awakening of the actor, and whether it may do anything."""
    before = states(copy)
    if how == "finds the clock an hour behind":
        watch.look(copy, now)
        watch.look(copy, now + MINUTE)
        assert rollover.run(copy, now - 60 * MINUTE).fault is not None
        return
    if how == "finds it a year ahead":
        assert rollover.run(copy, now + timedelta(days=365)).fault is not None
    elif how != "looks once":
        watch.look(copy, now - MINUTE)
    for _ in range(2 if how == "wakes twice" else 1):
        rollover.run(copy, now)
    for name, state in states(copy).items():
        present = primary(before[name].members, now)
        for credential in promoted(before[name], state):
            assert name not in MANUAL
            assert present is not None
            assert credential.primary_from is not None
            assert credential.published_at is not None
            span = spans(present.not_after - present.not_before, state.policy, MAX_AGE)
            assert credential.primary_from >= credential.published_at + span.in_public


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(certificates=policies(), keys=policies(), pauses=PAUSES)
def test_no_pause_and_no_clock_makes_the_real_code_break_a_promise(
    bench: Workbench, certificates: RingPolicy, keys: RingPolicy, pauses: list[tuple[float, str]]
) -> None:
    with rehearsal(bench.installation, "contoso") as copy:
        give(copy, certificates, keys)
        watch.look(copy, now := NOW)
        for share, how in pauses:
            now = (now + max(2 * MINUTE, share * certificates.lifetime)).replace(microsecond=0)
            wake(copy, now, how)
            found = states(copy)
            assert_promises(found[RingName.SIGNING].namespace, now)
            for name in (RingName.SIGNING, RingName.SIGNING_KEYS):
                holder = primary(found[name].members, now)
                assert holder is not None
                copy.key_ring.secret(found[name].namespace, holder)
