"""Where an operator's hand and the rollover meet: hold and resume, rollback, revocation (rollover.md, "The plan")."""

from datetime import datetime

import pytest

from sts.core.credentials import Status, metadata_credential, published_signing
from sts.core.errors import Conflict, IssuingFailed, NamespaceNotFound
from sts.core.rollover import RingName
from sts.operations import audit, credential_states, ring_status, rollover
from sts.operations.credential_states import Breakage
from sts.operations.rings import Outcome, Selection
from sts.operations.rings import RingName as RingOf
from tests.operations.credentials import generated
from tests.operations.rolling import (
    END,
    MINUTE,
    PUBLISHED,
    SECOND,
    SIGNING,
    TURNED,
    contoso,
    members,
    ring_state,
    roll,
    roll_through,
    warnings,
)
from tests.operations.workbench import DAY, NOW, Workbench

RING = RingOf("contoso")


def choose(bench: Workbench, position: int) -> Selection:
    """A certificate of the signing ring by its age, tombstones counted."""
    return Selection(RING, thumbprint=members(bench.installation)[position].thumbprint)


def make_primary(bench: Workbench, position: int, now: datetime) -> Outcome:
    return credential_states.make_primary(bench.installation, choose(bench, position), now)


def revoke(bench: Workbench, position: int, now: datetime, breakage: Breakage = Breakage.REFUSED) -> Outcome:
    return credential_states.revoke(bench.installation, choose(bench, position), now, breakage)


def signs(bench: Workbench, now: datetime) -> int:
    """Which signs, by its age."""
    chosen = metadata_credential(contoso(bench.installation), now)
    return [c.id for c in members(bench.installation)].index(chosen.id)


def signing_steps(bench: Workbench, now: datetime) -> list[str]:
    return [line for line in roll(bench.installation, now) if line.startswith("signing ")]


def test_who_makes_a_credential_primary_by_hand_holds_the_ring_until_resume(quick: Workbench) -> None:
    generated(quick)
    outcome = make_primary(quick, 1, NOW + MINUTE)
    assert any("sts rollover resume --namespace contoso --ring signing" in text for text in outcome.warnings)
    assert ring_state(quick.installation).hold == rollover.Hold(NOW + MINUTE, "tests")
    end = members(quick.installation)[1].not_after
    assert roll(quick.installation, end - 90 * DAY) == []
    assert roll(quick.installation, PUBLISHED) == ["decryption publish", "tenant-ca publish"]
    assert rollover.resume(quick.installation, "contoso", SIGNING, PUBLISHED) is True
    assert roll(quick.installation, PUBLISHED) == ["signing publish"]
    assert rollover.resume(quick.installation, "contoso", SIGNING, PUBLISHED) is False


def test_a_held_ring_is_a_warning_and_the_others_are_not(quick: Workbench) -> None:
    generated(quick)
    make_primary(quick, 1, NOW + MINUTE)
    found = ring_status.status(quick.installation, "contoso", NOW + DAY)
    assert [(row.ring, row.mode) for row in found.rings] == [
        *(("signing", "held"), ("decryption", "automatic"), ("tenant-ca", "automatic"), ("signing-keys", "manual"))
    ]
    assert [w.subject for w in found.warnings] == ["signing"]
    assert found.warnings[0].text.startswith("held since 2026-11-21T22:01:00Z by tests")
    assert found.needs_person
    rollover.resume(quick.installation, "contoso", SIGNING, NOW + DAY)
    assert not ring_status.status(quick.installation, "contoso", NOW + DAY).needs_person


def test_a_hold_keeps_the_credential_that_the_plan_would_have_promoted_waiting(quick: Workbench) -> None:
    generated(quick, now=NOW + DAY)
    roll(quick.installation, END - 365 * DAY)
    make_primary(quick, 0, END - 365 * DAY)
    for now in (PUBLISHED, TURNED - MINUTE, TURNED + DAY):
        assert set(signing_steps(quick, now)) <= {"signing destroy"}
    assert signs(quick, TURNED + DAY) == 0


def test_a_second_decision_does_not_move_the_hold_and_each_resume_is_audited(quick: Workbench) -> None:
    generated(quick)
    make_primary(quick, 1, NOW + MINUTE)
    make_primary(quick, 0, NOW + DAY)
    assert ring_state(quick.installation).hold == rollover.Hold(NOW + MINUTE, "tests")
    rollover.resume(quick.installation, "contoso", SIGNING, NOW + DAY)
    rollover.resume(quick.installation, "contoso", SIGNING, NOW + DAY)
    actions = [record.action for record in audit.list_newest(quick.installation, "contoso", 3)]
    assert actions == ["certificate.make-primary", "certificate.make-primary", "rollover.resume"]


def test_a_manual_ring_needs_no_hold(quick: Workbench) -> None:
    quick.apply("namespace: contoso\nrollover:\n  signing: {automatic: false}\n")
    generated(quick)
    make_primary(quick, 1, NOW + MINUTE)
    assert ring_state(quick.installation).hold is None


def test_what_is_to_be_resumed_must_be_there(quick: Workbench) -> None:
    with pytest.raises(NamespaceNotFound):
        rollover.resume(quick.installation, "fabrikam", SIGNING, NOW)


def test_the_old_one_is_made_primary_again_while_it_is_valid(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE)
    rolled_back = TURNED + DAY
    assert signs(quick, rolled_back) == 1
    outcome = make_primary(quick, 0, rolled_back)
    assert (outcome.row.status, outcome.row.primary_from) == (Status.ACTIVE, rolled_back)
    assert signs(quick, rolled_back) == 0
    published = published_signing(contoso(quick.installation), rolled_back)
    assert [c.id for c in published] == [c.id for c in members(quick.installation)]
    assert [signing_steps(quick, now) for now in (rolled_back + DAY, END)] == [[], []]
    with pytest.raises(Conflict, match="expired"):
        make_primary(quick, 0, END + SECOND)


def test_after_a_rollback_and_a_resume_the_same_successor_takes_over_and_no_third_is_made(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE)
    make_primary(quick, 0, TURNED + DAY)
    told = [w.text for w in warnings(quick.installation, TURNED + DAY) if w.subject == "signing"]
    assert len(told) == 2
    thumbprint = members(quick.installation)[1].thumbprint
    assert f"make-primary --namespace contoso --use signing --thumbprint {thumbprint}`, its successor" in told[1]
    rollover.resume(quick.installation, "contoso", SIGNING, TURNED + 2 * DAY)
    assert signing_steps(quick, TURNED + 2 * DAY) == ["signing promote"]
    assert [signs(quick, TURNED + 2 * DAY + wait) for wait in (5 * SECOND, 6 * SECOND)] == [0, 1]
    old, new = members(quick.installation)
    assert (old.demoted_at, new.demoted_at) == (TURNED + 2 * DAY + 6 * SECOND, None)


def test_a_successor_that_was_gone_back_from_early_waits_for_its_usual_day(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    make_primary(quick, 1, PUBLISHED + DAY)
    make_primary(quick, 0, PUBLISHED + 2 * DAY)
    rollover.resume(quick.installation, "contoso", SIGNING, PUBLISHED + 3 * DAY)
    assert [signing_steps(quick, now) for now in (PUBLISHED + 3 * DAY, TURNED - MINUTE)] == [[], ["signing promote"]]
    assert [signs(quick, now) for now in (TURNED - SECOND, TURNED)] == [0, 1]


def test_after_a_rollback_the_revoked_one_is_succeeded_by_the_one_it_came_from(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE)
    make_primary(quick, 0, TURNED + DAY)
    outcome = revoke(quick, 0, TURNED + 2 * DAY)
    assert "takes its place now" in outcome.warnings[0]
    assert signs(quick, TURNED + 2 * DAY) == 1


def test_a_retired_certificate_never_takes_the_place_of_a_younger_one_by_itself(quick: Workbench) -> None:
    generated(quick, now=NOW + DAY, life=365 * DAY)
    make_primary(quick, 1, NOW + 3 * DAY)
    rollover.resume(quick.installation, "contoso", SIGNING, NOW + 3 * DAY)
    end = members(quick.installation)[1].not_after
    assert signing_steps(quick, end - 90 * DAY) == ["signing publish"], "the first one lives longer, but was replaced"
    assert signing_steps(quick, end - 45 * DAY - MINUTE) == ["signing promote"]
    assert signs(quick, end - 45 * DAY) == 2
    with pytest.raises(Conflict, match="has no published successor"):
        revoke(quick, 2, end)


def test_a_revoked_primary_is_succeeded_in_the_same_second_by_what_is_published(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    now = PUBLISHED + 10 * DAY
    outcome = revoke(quick, 0, now)
    assert outcome.row.status is Status.REVOKED
    assert "takes its place now; partners that have not re-read the metadata will refuse" in outcome.warnings[0]
    assert signs(quick, now) == 1
    assert [c.id for c in published_signing(contoso(quick.installation), now)] == [members(quick.installation)[1].id]
    revoked, successor = members(quick.installation)
    assert (revoked.revoked_at, revoked.demoted_at, successor.primary_from) == (now, now, now)
    records = audit.list_newest(quick.installation, "contoso", 2)
    assert [(r.action, r.subject) for r in records] == [
        ("certificate.revoke", f"credential:{revoked.id}"),
        ("certificate.make-primary", f"credential:{successor.id}"),
    ]


def test_the_ring_goes_on_by_itself_after_a_revocation(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    revoke(quick, 0, PUBLISHED + 10 * DAY)
    end = members(quick.installation)[1].not_after
    assert ring_state(quick.installation).hold is None
    assert signing_steps(quick, END) == []
    assert signing_steps(quick, END + SECOND) == ["signing destroy"]
    assert signing_steps(quick, end - 90 * DAY) == ["signing publish"]
    assert signing_steps(quick, end - 45 * DAY - MINUTE) == ["signing promote"]


def test_a_revoked_successor_is_replaced(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    outcome = revoke(quick, 1, PUBLISHED + DAY)
    assert outcome.warnings == ()
    assert signing_steps(quick, PUBLISHED + DAY) == ["signing publish"]
    assert signing_steps(quick, TURNED - MINUTE) == []
    assert signing_steps(quick, TURNED + DAY - MINUTE) == ["signing promote"]
    assert signs(quick, TURNED + DAY) == 2


def test_revoking_the_only_certificate_names_who_would_break_and_must_be_forced(quick: Workbench) -> None:
    before = audit.verify(quick.installation)
    with pytest.raises(Conflict) as refused:
        revoke(quick, 0, NOW + DAY)
    assert "no token can be issued for bills, orders; " in refused.value.message  # no disabled one, none by a key
    assert "--force" in refused.value.message
    assert audit.verify(quick.installation) == before
    assert signs(quick, NOW + DAY) == 0
    outcome = revoke(quick, 0, NOW + DAY, Breakage.ACCEPTED)
    assert "nothing takes its place by itself" in outcome.warnings[0]
    with pytest.raises(IssuingFailed):
        signs(quick, NOW + DAY)


def test_after_a_forced_revocation_the_ring_waits_for_a_person(quick: Workbench) -> None:
    revoke(quick, 0, NOW + DAY, Breakage.ACCEPTED)
    for now in (NOW + DAY, PUBLISHED, TURNED):
        assert signing_steps(quick, now) == []
        told = [w.text for w in warnings(quick.installation, now) if w.subject == "signing"]
        assert len(told) == 1
        assert "cannot be used any more; make another primary" in told[0]
    generated(quick, now=TURNED, life=730 * DAY)
    make_primary(quick, 1, TURNED + MINUTE)
    rollover.resume(quick.installation, "contoso", SIGNING, TURNED + MINUTE)
    assert signs(quick, TURNED + MINUTE) == 1
    assert signing_steps(quick, TURNED + 640 * DAY) == ["signing destroy", "signing publish"]


@pytest.mark.parametrize("name", [RingName.SIGNING, RingName.DECRYPTION, RingName.TENANT_CA])
def test_a_successor_is_deleted_by_hand_and_made_again(quick: Workbench, name: RingName) -> None:
    roll(quick.installation, PUBLISHED)
    lost = members(quick.installation, name)[1]
    this = Selection(RingOf("contoso", name.use), thumbprint=lost.thumbprint)
    credential_states.delete(quick.installation, this, PUBLISHED + DAY)
    assert roll(quick.installation, PUBLISHED + DAY) == [f"{name} publish"]
    assert members(quick.installation, name)[2].predecessor_id == lost.id


def test_a_policy_that_was_cut_short_makes_one_successor_that_outlives_the_present_one(quick: Workbench) -> None:
    quick.apply("namespace: contoso\nrollover: {signing: {lifetime: 12h, key_type: p256}}\n")
    assert signing_steps(quick, PUBLISHED) == []
    assert signing_steps(quick, END - 3 * DAY) == ["signing publish"]
    assert signing_steps(quick, END - 3 * DAY + MINUTE) == []
    assert members(quick.installation)[-1].not_after == END + DAY / 2
    assert signing_steps(quick, END - 2 * DAY) == ["signing promote"]
    assert signs(quick, END - 2 * DAY + MINUTE) == 1


def test_who_stays_because_one_schedule_is_gone_stays_until_the_next(quick: Workbench) -> None:
    generated(quick, life=800 * DAY)
    generated(quick, life=900 * DAY)
    first, second = NOW + 10 * DAY, NOW + 20 * DAY
    credential_states.make_primary(quick.installation, choose(quick, 1), NOW + MINUTE, first)
    credential_states.make_primary(quick.installation, choose(quick, 2), NOW + MINUTE, second)
    assert [c.demoted_at for c in members(quick.installation)] == [first, second, None]
    revoke(quick, 1, NOW + DAY)
    assert [c.demoted_at for c in members(quick.installation)] == [second, None, None]
