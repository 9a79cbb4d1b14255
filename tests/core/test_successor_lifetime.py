"""What is made next can take the place of the present primary, however short the policy's life has become."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.credentials import SECOND
from sts.core.model import RingPolicy
from sts.core.rollover import StepKind, next_in_line, plan, spans_of, stand_ins, successor_lifetime
from tests.core.builders import NOW, credential

DAY = timedelta(days=1)
LIVES = st.integers(min_value=60, max_value=10 * 365 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
AGES = st.integers(min_value=0, max_value=7 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("former", "policy", "expected"),
    [
        (730 * DAY, 730 * DAY, 730 * DAY),
        (730 * DAY, 91 * DAY, 91 * DAY),
        (730 * DAY, 90 * DAY, 180 * DAY),
        (730 * DAY, DAY / 2, 90.5 * DAY),
        (DAY, DAY / 4, 0.75 * DAY),
    ],
)
def test_a_life_that_was_cut_short_is_lengthened_once(
    former: timedelta, policy: timedelta, expected: timedelta
) -> None:
    present = credential(not_before=NOW, not_after=NOW + former, primary_from=NOW)
    assert successor_lifetime(present, RingPolicy(automatic=True, lifetime=policy), DAY) == expected
    assert successor_lifetime(None, RingPolicy(automatic=True, lifetime=policy), DAY) == policy


@given(former=LIVES, lifetime=LIVES, max_age=AGES, late=st.floats(min_value=0, max_value=1))
def test_whatever_the_policy_became_what_is_made_is_the_successor_and_nothing_more_is_made(
    former: timedelta, lifetime: timedelta, max_age: timedelta, late: float
) -> None:
    policy = RingPolicy(automatic=True, lifetime=lifetime)
    present = credential(id=1, not_before=NOW, not_after=NOW + former, primary_from=NOW, published_at=NOW)
    lead = spans_of(present, policy, max_age).lead
    now = present.not_after - timedelta(seconds=(lead * (1 - late)) // SECOND)
    end = now + timedelta(seconds=successor_lifetime(present, policy, max_age) // SECOND)
    made = credential(id=2, not_before=now, not_after=end, published_at=now, predecessor_id=1)
    assert next_in_line((present, made), present, spans_of(present, policy, max_age), now) == made
    assert StepKind.PUBLISH not in {step.kind for step in plan((present, made), policy, max_age, now)}


def test_what_was_never_primary_stands_in_for_a_revoked_primary_although_it_ends_sooner() -> None:
    present = credential(id=1, not_before=NOW - DAY, not_after=NOW + 700 * DAY, primary_from=NOW - DAY)
    sooner = credential(id=2, not_before=NOW - DAY, not_after=NOW + 300 * DAY, published_at=NOW - DAY)
    later = credential(id=3, not_before=NOW - DAY, not_after=NOW + 800 * DAY, published_at=NOW - DAY)
    retired = credential(
        id=4,
        not_before=NOW - 9 * DAY,
        not_after=NOW + 300 * DAY,
        primary_from=NOW - 9 * DAY,
        published_at=NOW - 9 * DAY,
    )
    assert stand_ins((present, sooner, later, retired), present, NOW) == (later, sooner)
