"""Who becomes primary and when, and what may be deleted."""

import pytest

from sts.core.credentials import (
    primary,
    promote,
    refuse_deleting,
)
from sts.core.errors import Conflict
from tests.core.builders import DAY, DELETED, EXPIRED, FUTURE_ONLY, NOW, PAST, PRIMARY, REVOKED, SECOND, credential


def test_promoting_takes_effect_now_and_demotes_the_other():
    held = [credential(1, **PRIMARY), credential(2)]
    made = promote(held, held[1], NOW)
    after = {c.id: c for c in made.changed}
    assert made.primary_from == NOW
    assert after[2].primary_from == NOW
    assert after[1].demoted_at == NOW
    assert primary(after.values(), NOW) == after[2]


def test_promoting_waits_until_every_node_has_the_credential():
    held = [credential(1, **PRIMARY), credential(2, published_at=NOW)]
    assert promote(held, held[1], NOW).primary_from == NOW + 6 * SECOND


def test_promoting_at_an_instant_clears_later_schedules_and_keeps_earlier_ones():
    held = [
        credential(1, **PRIMARY),
        credential(2, primary_from=NOW + DAY),
        credential(3, primary_from=NOW + 3 * DAY),
        credential(4),
    ]
    made = promote(held, held[3], NOW, at=NOW + 2 * DAY)
    after = {**{c.id: c for c in held}, **{c.id: c for c in made.changed}}
    assert {n: after[n].primary_from for n in after} == {
        1: PAST,
        2: NOW + DAY,
        3: None,
        4: NOW + 2 * DAY,
    }


def test_what_a_schedule_displaces_is_what_is_primary_by_then():
    held = [credential(1, **PRIMARY, demoted_at=NOW + DAY), credential(2, primary_from=NOW + DAY), credential(3)]
    after = {c.id: c for c in promote(held, held[2], NOW, at=NOW + 2 * DAY).changed}
    assert {n: after[n].demoted_at for n in after} == {2: NOW + 2 * DAY, 3: None}


def test_making_the_present_primary_primary_again_cancels_a_schedule():
    held = [credential(1, **PRIMARY, demoted_at=NOW + DAY), credential(2, primary_from=NOW + DAY)]
    after = {c.id: c for c in promote(held, held[0], NOW).changed}
    assert (after[1].primary_from, after[1].demoted_at, after[2].primary_from) == (PAST, None, None)


@pytest.mark.parametrize("at", [None, NOW, NOW + DAY])
def test_the_present_primary_keeps_its_place_until_the_instant_at_which_it_is_made_primary_again(at):
    held = [credential(1, primary_from=PAST - DAY, demoted_at=PAST), credential(2, **PRIMARY)]
    made = promote(held, held[1], NOW, at=at)
    assert made.primary_from == PAST
    after = {**{c.id: c for c in held}, **{c.id: c for c in made.changed}}
    assert {primary(after.values(), now).id for now in (NOW, NOW + DAY, NOW + 2 * DAY)} == {2}


def test_the_present_primary_cannot_return_after_another_in_one_go():
    held = [credential(1, **PRIMARY, demoted_at=NOW + DAY), credential(2, primary_from=NOW + DAY)]
    with pytest.raises(Conflict, match="is the primary until"):
        promote(held, held[0], NOW, at=NOW + 2 * DAY)


@pytest.mark.parametrize("other_id", [1, 9])
def test_promoting_twice_in_one_second_leaves_the_last_one_primary(other_id):
    held = [credential(other_id), credential(5)]
    first = promote(held, held[0], NOW)
    held = [first.changed[0], held[1]]
    second = promote(held, held[1], NOW)
    after = [c for c in (*second.changed, *held) if c.id in (other_id, 5)][:2]
    assert primary(after, NOW + 2 * SECOND).id == 5


NOT_PROMOTABLE = {
    "expired": EXPIRED,
    "revoked": REVOKED,
    "not yet valid": FUTURE_ONLY,
    "deleted": DELETED,
}


@pytest.mark.parametrize("state", NOT_PROMOTABLE.values(), ids=NOT_PROMOTABLE.keys())
def test_what_could_not_sign_cannot_be_promoted(state):
    held = [credential(1, **PRIMARY), credential(2, **state)]
    with pytest.raises(Conflict, match="credential-2"):
        promote(held, held[1], NOW)


def test_a_certificate_that_is_valid_at_the_scheduled_instant_can_be_scheduled():
    held = [credential(1, **PRIMARY), credential(2, not_before=NOW + DAY)]
    assert promote(held, held[1], NOW, at=NOW + DAY).primary_from == NOW + DAY


def test_a_schedule_after_the_end_of_the_present_primary_warns():
    held = [credential(1, **PRIMARY, not_after=NOW + DAY), credential(2)]
    assert "in between, issuing fails" in promote(held, held[1], NOW, at=NOW + 2 * DAY).warnings[0]


def test_promoting_what_was_public_for_seconds_warns():
    held = [credential(1, **PRIMARY), credential(2, published_at=NOW - 12 * SECOND)]
    assert promote(held, held[1], NOW).warnings == (
        "public for 12 s; partners that have not re-read the metadata will refuse",
    )


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        ([credential(1, **PRIMARY), credential(2)], True),
        ([credential(1, **PRIMARY, **EXPIRED), credential(2)], True),
        ([credential(1), credential(2, not_before=PAST)], True),
        ([credential(1, **PRIMARY, **REVOKED), credential(2)], False),
        ([credential(1), credential(2, **PRIMARY)], False),
    ],
    ids=["primary", "expired primary", "G17 the only one that signs", "revoked primary", "another is primary"],
)
def test_the_primary_cannot_be_deleted_unless_it_is_revoked(held, refused):
    if refused:
        with pytest.raises(Conflict, match="make another primary or revoke it first"):
            refuse_deleting(held, held[0], NOW)
    else:
        refuse_deleting(held, held[0], NOW)
