"""The plan of a ring (rollover.md), in tables."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sts.core.credentials import (
    LONGEST_TOKEN,
    SPREAD,
    Ring,
    is_automatic,
)
from sts.core.model import Credential, Kind, Origin, RingPolicy, Use
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import (
    ANNOUNCED,
    DEFAULT_POLICIES,
    RingName,
    Spans,
    Step,
    StepKind,
    destructions,
    is_due,
    next_in_line,
    plan,
    spans,
    stand_ins,
    takes_over_at,
)
from tests.core.builders import DAY, NOW, SECOND, credential, dedicated, key, namespace

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MAX_AGE = HOUR
POLICY = DEFAULT_POLICIES[RingName.SIGNING]
END = NOW + 365 * DAY  # of the present primary below
PRESENT = credential(1, primary_from=NOW - 365 * DAY)  # two years: from a year ago to a year ahead


def successor(published: timedelta, id: int = 2, **changes: Any) -> Credential:
    """A two-year certificate that was published at a span from the end of the present primary."""
    at = END + published
    dates = {"not_before": at, "not_after": at + 730 * DAY, "created_at": at, "published_at": at}
    return credential(id, **{**dates, "predecessor_id": 1, **changes})


def steps(*members: Credential, now: datetime = NOW, policy: RingPolicy = POLICY) -> list[tuple[str, timedelta, int]]:
    """What the plan says: the step, its instant from the end of the present primary, and whom it is about."""
    found = plan(members, policy, MAX_AGE, now)
    return [(s.kind.value, s.at - END, 0 if s.credential is None else s.credential.id) for s in found]


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        pytest.param(730 * DAY, Spans(90 * DAY, 45 * DAY, DAY, 2 * DAY), id="two years: the seed's numbers"),
        pytest.param(3650 * DAY, Spans(90 * DAY, 45 * DAY, DAY, 2 * DAY), id="ten years"),
        pytest.param(180 * DAY, Spans(90 * DAY, 45 * DAY, DAY, 2 * DAY), id="half a year"),
        pytest.param(100 * DAY, Spans(50 * DAY, 25 * DAY, DAY, 2 * DAY), id="a hundred days"),
        pytest.param(30 * DAY, Spans(15 * DAY, 7.5 * DAY, 7.2 * HOUR, 14.4 * HOUR), id="a month"),
        pytest.param(DAY, Spans(12 * HOUR, 6 * HOUR, 864 * SECOND, 1728 * SECOND), id="a day"),
        pytest.param(4 * MINUTE, Spans(2 * MINUTE, MINUTE, 2 * SECOND, 4 * SECOND), id="four minutes, whole seconds"),
    ],
)
def test_spans_scale_with_the_life_of_the_present_primary(life: timedelta, expected: Spans) -> None:
    assert spans(life, POLICY, MAX_AGE) == expected


@pytest.mark.parametrize(
    ("lead", "turn", "expected"),
    [
        pytest.param(30 * DAY, 10 * DAY, (30 * DAY, 10 * DAY), id="as it says"),
        pytest.param(30 * DAY, 29 * DAY, (30 * DAY, 15 * DAY), id="the turn is at most half the lead"),
        pytest.param(700 * DAY, 45 * DAY, (365 * DAY, 45 * DAY), id="the lead is at most half the life"),
    ],
)
def test_a_policy_says_the_spans_within_the_life(
    lead: timedelta, turn: timedelta, expected: tuple[timedelta, timedelta]
) -> None:
    found = spans(730 * DAY, replace(POLICY, lead=lead, turn=turn), MAX_AGE)
    assert (found.lead, found.turn) == expected


@pytest.mark.parametrize(
    ("max_age", "in_public"),
    [(HOUR, DAY), (12 * HOUR, DAY), (DAY, 2 * DAY), (30 * DAY, 2 * 730 * DAY / 400)],
)
def test_the_time_in_public_is_twice_what_readers_may_keep(max_age: timedelta, in_public: timedelta) -> None:
    assert spans(730 * DAY, POLICY, max_age).in_public == in_public


@pytest.mark.parametrize(
    ("members", "now", "expected"),
    [
        pytest.param((), NOW, [("publish", NOW - END, 0)], id="an empty ring gets its first at once"),
        pytest.param((PRESENT,), NOW, [("publish", -90 * DAY, 1)], id="the next one is made 90 days before the end"),
        pytest.param(
            (PRESENT, successor(-90 * DAY)), END - 90 * DAY, [("promote", -45 * DAY, 2)], id="on time: 45 days before"
        ),
        pytest.param(
            (PRESENT, successor(-650 * DAY)), END - 90 * DAY, [("promote", -45 * DAY, 2)], id="made years ahead: waits"
        ),
        pytest.param(
            (PRESENT, successor(-60 * DAY)), END - 60 * DAY, [("promote", -15 * DAY, 2)], id="late: its full turn"
        ),
        pytest.param(
            (PRESENT, successor(-30 * DAY)), END - 30 * DAY, [("promote", -2 * DAY, 2)], id="later: before the end"
        ),
        pytest.param((PRESENT, successor(-DAY)), END - DAY, [("promote", 0 * DAY, 2)], id="a day before: at the end"),
        pytest.param(
            (PRESENT, successor(-HOUR)), END - HOUR, [("promote", 23 * HOUR, 2)], id="never before a day in public"
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, not_before=END - 10 * DAY)),
            END - 60 * DAY,
            [("promote", -10 * DAY, 2)],
            id="not before it is valid",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, primary_from=END - 3 * DAY)), END - 50 * DAY, [], id="scheduled already"
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, revoked_at=END - 80 * DAY)),
            END - 80 * DAY,
            [("publish", -90 * DAY, 1), ("destroy", 640 * DAY + SECOND, 2)],
            id="a revoked successor is replaced",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, deleted_at=END - 80 * DAY)),
            END - 80 * DAY,
            [("publish", -90 * DAY, 1)],
            id="a deleted successor is replaced",
        ),
        pytest.param(
            (PRESENT, credential(2, not_after=END - DAY)),
            NOW,
            [("publish", -90 * DAY, 1), ("destroy", -DAY + SECOND, 2)],
            id="what ends first is no successor",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY), successor(-89 * DAY, 3, predecessor_id=None)),
            END - 80 * DAY,
            [("promote", -45 * DAY, 2)],
            id="the named successor before one that somebody made",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, not_before=END + DAY + SECOND)),
            END - 80 * DAY,
            [("publish", -90 * DAY, 1)],
            id="what begins after the end is no successor yet",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, not_before=END)), END - 80 * DAY, [("promote", 0 * DAY, 2)], id="at the end"
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, primary_from=END + SECOND)),
            END - 80 * DAY,
            [("publish", -90 * DAY, 1)],
            id="nor what is scheduled for after the end",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, primary_from=END + DAY), successor(-80 * DAY, 3, predecessor_id=2)),
            END - 70 * DAY,
            [("promote", -35 * DAY, 3)],
            id="so a better one takes over before it",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, not_before=END + 10 * HOUR)),
            END - 10 * HOUR,
            [("promote", 10 * HOUR, 2)],
            id="late, but sooner than one that would have to be made public now",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, not_before=END + 10 * HOUR), successor(-20 * HOUR, 3)),
            END - 12 * HOUR,
            [("promote", 4 * HOUR, 3)],
            id="of late ones the soonest",
        ),
        pytest.param(
            (PRESENT, successor(-HOUR, not_after=END + 20 * HOUR)),
            END - HOUR,
            [("publish", -90 * DAY, 1), ("destroy", 20 * HOUR + SECOND, 2)],
            id="one that ends before it could take over is no successor",
        ),
        pytest.param(
            (PRESENT, successor(-90 * DAY, primary_from=END - 45 * DAY, demoted_at=PRESENT.primary_from)),
            END - 50 * DAY,
            [],
            id="scheduled once more",
        ),
        pytest.param(
            (replace(PRESENT, primary_from=END - 40 * DAY), successor(-90 * DAY, primary_from=END - 45 * DAY)),
            END - 30 * DAY,
            [("promote", -45 * DAY, 2)],
            id="after a rollback: the one that it came from",
        ),
        pytest.param(
            (
                replace(PRESENT, not_after=END + DAY, primary_from=END - 700 * DAY, demoted_at=END - 100 * DAY),
                successor(-90 * DAY, primary_from=END - 80 * DAY, not_after=END),
            ),
            END - 50 * DAY,
            [("publish", -45 * DAY, 2)],
            id="never one that was retired for a younger one, though it ends later",
        ),
        pytest.param((credential(1),), NOW, [], id="a ring that never had a primary waits for a person"),
        pytest.param(
            (replace(PRESENT, revoked_at=NOW, deleted_at=NOW),), NOW, [], id="and one whose only primary is deleted"
        ),
        pytest.param(
            (credential(1, deleted_at=NOW),), NOW, [("publish", NOW - END, 0)], id="but not one that never had any"
        ),
        pytest.param((replace(PRESENT, revoked_at=NOW),), NOW, [], id="a revoked primary waits for a person"),
        pytest.param(
            (replace(PRESENT, revoked_at=NOW), credential(2)),
            NOW,
            [("destroy", SECOND, 2)],
            id="nothing takes the place of a revoked primary by itself",
        ),
        pytest.param((PRESENT,), END + DAY, [("publish", -90 * DAY, 1)], id="expired unnoticed: due since long"),
    ],
)
def test_what_happens_next(members: Ring, now: datetime, expected: list[tuple[str, timedelta, int]]) -> None:
    found = steps(*members, now=now)
    assert [step for step in found if step[0] != "destroy" or step in expected] == expected


def test_a_deleted_primary_waits_for_a_person() -> None:
    gone = replace(PRESENT, primary_from=NOW - DAY, deleted_at=NOW)
    before = credential(2, primary_from=NOW - 300 * DAY, demoted_at=NOW - DAY)
    assert [kind for kind, *_ in steps(gone, before)] == ["destroy"]


@pytest.mark.parametrize(
    ("now", "urgent"),
    [(END - 90 * DAY, False), (END - 2 * DAY - SECOND, False), (END - 2 * DAY, True), (END + DAY, True)],
)
def test_making_a_successor_is_urgent_from_the_critical_instant(now: datetime, urgent: bool) -> None:
    (step,) = plan((PRESENT,), POLICY, MAX_AGE, now)
    assert step.urgent is urgent


@pytest.mark.parametrize(
    ("retired", "instant"),
    [
        pytest.param(credential(2, demoted_at=NOW), END, id="at its end"),
        pytest.param(credential(2, demoted_at=END - HOUR), END + 23 * HOUR, id="a day after it signed last"),
        pytest.param(credential(2, demoted_at=END + DAY), END + DAY + LONGEST_TOKEN, id="demoted after its end"),
        pytest.param(credential(2), END, id="never primary"),
        pytest.param(credential(2, revoked_at=NOW), END, id="revoked"),
        pytest.param(credential(2, use=Use.DECRYPTION, demoted_at=NOW), END + 30 * DAY, id="decryption: 30 days later"),
        pytest.param(key(2, demoted_at=NOW), END, id="a symmetric key"),
    ],
)
def test_a_private_key_is_destroyed_once_nothing_can_need_it(retired: Credential, instant: datetime) -> None:
    present = replace(PRESENT, use=retired.use, kind=retired.kind)
    destroyed = [step for step in plan((present, retired), POLICY, MAX_AGE, NOW) if step.kind is StepKind.DESTROY]
    assert [(step.credential, step.at) for step in destroyed] == [(retired, instant + SECOND)]


def of_party(made: Credential) -> Credential:
    return dedicated(replace(made, use=Use.SIGNING))


@pytest.mark.parametrize(
    ("members", "destroyed"),
    [
        pytest.param((credential(1), credential(2, not_after=END + DAY)), [1], id="the last one holds the place"),
        pytest.param((credential(1), credential(2, not_after=END + DAY, deleted_at=END)), [], id="of those alive"),
        pytest.param((key(1), key(2, not_after=END + DAY, revoked_at=NOW)), [2], id="one that was revoked does not"),
        pytest.param(
            (PRESENT, credential(2, demoted_at=NOW, not_after=END - DAY)), [2], id="what was retired, as in every ring"
        ),
    ],
)
def test_a_dedicated_ring_never_runs_empty_by_itself(members: Ring, destroyed: list[int]) -> None:
    found = destructions(tuple(map(of_party, members)), NOW)
    assert [step.credential.id for step in found if step.credential is not None] == destroyed


@pytest.mark.parametrize(
    ("second", "chosen"),
    [
        pytest.param({}, [2], id="valid and published"),
        pytest.param({"not_before": NOW + SECOND}, [], id="not yet valid"),
        pytest.param({"published_at": None}, [], id="not published"),
        pytest.param({"revoked_at": NOW}, [], id="revoked"),
        pytest.param({"not_after": END}, [2], id="it does not end later, but it can sign"),
        pytest.param({"primary_from": NOW - DAY, "published_at": NOW - DAY}, [2], id="gone back from"),
        pytest.param({"primary_from": NOW - 700 * DAY, "published_at": NOW - 700 * DAY}, [], id="retired"),
    ],
)
def test_the_place_of_a_revoked_primary_is_taken_by_what_can_sign_now(
    second: dict[str, Any], chosen: list[int]
) -> None:
    begun = credential(2, **{"not_after": END + DAY, "predecessor_id": None, **second})
    later = credential(3, not_before=NOW + DAY, not_after=END + 900 * DAY, predecessor_id=1)
    assert [c.id for c in stand_ins((PRESENT, begun, later), PRESENT, NOW)] == chosen


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param((PRESENT,), id="the primary, expired or not"),
        pytest.param((PRESENT, credential(2, origin=Origin.IMPORTED, demoted_at=NOW)), id="an imported one"),
        pytest.param((PRESENT, credential(2, deleted_at=NOW)), id="one that is destroyed already"),
    ],
)
def test_what_is_never_destroyed_by_itself(kept: Ring) -> None:
    assert [kind for kind, *_ in steps(*kept, now=END + 900 * DAY) if kind == "destroy"] == []


@pytest.mark.parametrize(
    ("kind", "early", "due"),
    [
        (StepKind.PUBLISH, timedelta(0), True),
        (StepKind.PUBLISH, SECOND, False),
        (StepKind.PROMOTE, ANNOUNCED, True),
        (StepKind.PROMOTE, ANNOUNCED + SECOND, False),
        (StepKind.DESTROY, timedelta(0), True),
        (StepKind.DESTROY, SECOND, False),
    ],
)
def test_a_step_is_due_from_its_instant_and_a_promotion_a_minute_ahead(
    kind: StepKind, early: timedelta, due: bool
) -> None:
    assert is_due(Step(kind, NOW, PRESENT), NOW - early) is due


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOW - ANNOUNCED, NOW), (NOW - SPREAD, NOW), (NOW, NOW + SPREAD), (NOW + DAY, NOW + DAY + SPREAD)],
)
def test_a_promotion_takes_effect_at_its_instant_or_when_every_node_has_read_it(
    now: datetime, expected: datetime
) -> None:
    assert takes_over_at(Step(StepKind.PROMOTE, NOW, PRESENT), now) == expected


@pytest.mark.parametrize(
    ("members", "policy", "automatic"),
    [
        ((PRESENT,), POLICY, True),
        ((), POLICY, True),
        ((PRESENT,), replace(POLICY, automatic=False), False),
        ((replace(PRESENT, origin=Origin.IMPORTED),), POLICY, False),
        ((PRESENT, credential(2, origin=Origin.IMPORTED)), POLICY, True),
        ((replace(PRESENT, origin=Origin.IMPORTED),), replace(POLICY, automatic=True), True),
    ],
)
def test_a_ring_is_automatic_where_the_policy_says_so_or_by_default_where_the_primary_was_made_here(
    members: Ring, policy: RingPolicy, automatic: bool
) -> None:
    assert is_automatic(members, policy, NOW) is automatic


def test_a_namespace_has_the_default_policy_until_it_says_otherwise() -> None:
    own = RingPolicy(automatic=False, lifetime=DAY)
    spoken = namespace(rollover={"signing": own})
    assert RingDefaults().policy_of(spoken, RingName.SIGNING) is own
    assert RingDefaults().policy_of(spoken, RingName.DECRYPTION) == DEFAULT_POLICIES[RingName.DECRYPTION]
    assert {name for name in RingName if is_automatic((), RingDefaults().policy_of(namespace(), name), NOW)} == {
        *(RingName.SIGNING, RingName.DECRYPTION, RingName.TENANT_CA)
    }


def test_a_scheduled_credential_is_next_in_line_whoever_was_made_for_it() -> None:
    scheduled = successor(-80 * DAY, 3, predecessor_id=None, primary_from=END - DAY)
    span = spans(730 * DAY, POLICY, MAX_AGE)
    assert next_in_line((PRESENT, successor(-90 * DAY), scheduled), PRESENT, span, END - 70 * DAY) == scheduled


def test_the_kinds_of_rings_are_those_of_the_configuration_file() -> None:
    assert [(name.value, name.use, name.kind) for name in RingName] == [
        ("signing", Use.SIGNING, Kind.CERTIFICATE),
        ("decryption", Use.DECRYPTION, Kind.CERTIFICATE),
        ("tenant-ca", Use.TENANT_CA, Kind.CERTIFICATE),
        ("signing-keys", Use.SIGNING, Kind.SYMMETRIC),
    ]
