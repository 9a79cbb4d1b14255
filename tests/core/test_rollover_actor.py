"""The plan of a ring (rollover.md), carried out: every policy and every interruption."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sts.core.credentials import (
    SPREAD,
    Ring,
    metadata_credential,
    next_change,
    primary,
    promote,
)
from sts.core.model import Credential, Namespace, RingPolicy
from sts.core.rollover import (
    Step,
    StepKind,
    is_due,
    plan,
    spans,
    takes_over_at,
)
from tests.core.builders import NOW, SECOND, credential, namespace
from tests.core.promises import assert_promises, policies

MAX_AGE = timedelta(hours=1)


class Actor:
    """Carries out the plan of one ring in memory, whenever it is awake."""

    def __init__(self, policy: RingPolicy, born: datetime) -> None:
        self.policy = policy
        self.members: Ring = (self._made(1, born, primary_from=born),)

    @property
    def namespace(self) -> Namespace:
        return namespace(*self.members, rollover={"signing": self.policy})

    def awake(self, now: datetime) -> None:
        for _ in range(20):
            due = [step for step in plan(self.members, self.policy, MAX_AGE, now) if is_due(step, now)]
            if not due:
                return
            self._carry_out(due[0], now)
        raise AssertionError("the ring does not come to rest")

    def _carry_out(self, step: Step, now: datetime) -> None:
        if step.kind is StepKind.PUBLISH:
            assert step.credential is not None
            self.members += (self._made(len(self.members) + 1, now, predecessor_id=step.credential.id),)
        elif step.kind is StepKind.PROMOTE:
            assert step.credential is not None
            self._promote(step, step.credential, now)
        else:
            assert step.credential is not None
            assert now > step.credential.not_after, "destroyed only after the end"
            self._replace(replace(step.credential, deleted_at=now))

    def _promote(self, step: Step, chosen: Credential, now: datetime) -> None:
        present = primary(self.members, now)
        assert present is not None
        assert chosen.published_at is not None
        at = takes_over_at(step, now)
        life = present.not_after - present.not_before
        assert at >= chosen.published_at + spans(life, self.policy, MAX_AGE).in_public
        self._replace(*promote(self.members, chosen, now, at).changed)

    def _replace(self, *changed: Credential) -> None:
        by_id = {c.id: c for c in changed}
        self.members = tuple(by_id.get(c.id, c) for c in self.members)

    def _made(self, id: int, now: datetime, **changes: Any) -> Credential:
        dates = {"not_before": now, "not_after": now + self.policy.lifetime, "created_at": now, "published_at": now}
        return credential(id, **{**dates, **changes})


def changes_between(actor: Actor, start: datetime, end: datetime) -> list[datetime]:
    """The instants at which something changes while nobody acts."""
    found: list[datetime] = []
    at = next_change(actor.namespace, start)
    while at is not None and at < end and len(found) < 20:
        found += [at - SECOND, at]
        at = next_change(actor.namespace, at)
    return found


@settings(max_examples=200, deadline=None)
@given(policies(), st.lists(st.floats(min_value=0, max_value=1.5), max_size=30))
def test_however_long_the_actor_sleeps_the_promises_hold(policy: RingPolicy, sleeps: list[float]) -> None:
    actor, now = Actor(policy, NOW), NOW
    for share in sleeps:
        later = (now + share * policy.lifetime).replace(microsecond=0)
        for at in changes_between(actor, now, later):
            assert_promises(actor.namespace, at)
        now = later
        actor.awake(now)
        assert_promises(actor.namespace, now)


@settings(max_examples=100, deadline=None)
@given(policies(), st.lists(st.floats(min_value=0.01, max_value=1), min_size=20, max_size=120))
def test_an_actor_that_wakes_often_enough_never_lets_signing_fail(policy: RingPolicy, sleeps: list[float]) -> None:
    span = spans(policy.lifetime, policy, MAX_AGE)
    longest = min(span.lead - span.turn, span.lead - span.in_public) / 2 - SPREAD
    assume(longest >= 2 * SECOND)
    actor, now = Actor(policy, NOW), NOW
    for share in sleeps:
        later = (now + max(SECOND, share * longest)).replace(microsecond=0)
        for at in (*changes_between(actor, now, later), later):
            signer = metadata_credential(actor.namespace, at)
            assert signer.not_before <= at <= signer.not_after
        now = later
        actor.awake(now)
