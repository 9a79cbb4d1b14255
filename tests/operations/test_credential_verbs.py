"""What operators do to credentials, on a real database under a clock that the test moves."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from sts.core.credentials import Status
from sts.core.errors import Conflict, IssuingFailed, KeyUnreadable, NotFound, OperatorError
from sts.core.model import KeyType, Kind, Use
from sts.core.rollover import RingName as CoreRing
from sts.crypto import certificates
from sts.operations import audit, credential_files, credential_states, namespaces, new_credentials, rollover
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateOrder, KeyOrder
from sts.operations.rings import CredentialRow, Outcome, RingName, Selection
from tests.operations.credentials import CONTOSO, KEYS, ORDERS, SECOND, SIGNING, chosen, generated, rows, signer
from tests.operations.workbench import DAY, NOW, Workbench

MINUTE = timedelta(minutes=1)


def test_rows_are_shown_ring_by_ring_the_active_one_first_and_then_the_newest(bench: Workbench) -> None:
    first = generated(bench, now=NOW + DAY)
    second = generated(bench, now=NOW + 2 * DAY)
    dedicated = generated(bench, ORDERS, now=NOW + 3 * DAY)
    shown = rows(bench, NOW + 3 * DAY)
    assert [(r.index, r.use, r.relying_party, r.status, r.reason) for r in shown] == [
        (1, Use.SIGNING, None, Status.ACTIVE, ""),
        (2, Use.SIGNING, None, Status.INACTIVE, "next"),
        (3, Use.SIGNING, None, Status.INACTIVE, "next"),
        (1, Use.DECRYPTION, None, Status.ACTIVE, ""),
        (1, Use.SIGNING, "orders", Status.ACTIVE, ""),
    ]
    assert [r.thumbprint for r in shown[1:3]] == [second.row.thumbprint, first.row.thumbprint]
    assert rows(bench, NOW + 3 * DAY, relying_party="orders") == (dedicated.row,)
    assert [r.use for r in rows(bench, use=Use.DECRYPTION)] == [Use.DECRYPTION]
    assert [r.subject for r in rows(bench, kind=Kind.SYMMETRIC)] == [None]


def test_a_row_says_what_happens_next(bench: Workbench) -> None:
    new = generated(bench, now=NOW + DAY)
    at = NOW + 30 * DAY
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY, at)
    assert (outcome.row.next_step, outcome.row.next_step_at) == ("promoted", at)
    steps = [
        [(r.status, r.reason, r.next_step, r.next_step_at) for r in rows(bench, when)[:2]] for when in (at - SECOND, at)
    ]
    old_end, new_end = NOW + 730 * DAY, NOW + 366 * DAY
    assert steps == [
        [(Status.ACTIVE, "", "retired", at), (Status.INACTIVE, "next", "promoted", at)],
        [(Status.ACTIVE, "", "expired", new_end), (Status.INACTIVE, "retired", "expired", old_end)],
    ]
    assert [(r.status, r.next_step) for r in rows(bench, NOW + 800 * DAY)[:2]] == [(Status.EXPIRED, None)] * 2


def steps(bench: Workbench, now: datetime, **wanted: object) -> list[tuple[str, str | None, timedelta]]:
    """Of each row the status or reason, what happens next, and when from the start."""
    shown = rows(bench, now, **{"use": Use.SIGNING, **wanted})
    return [(r.reason or r.status, r.next_step, (r.next_step_at or NOW) - NOW) for r in shown]


@pytest.mark.parametrize(
    "wanted", [{}, {"use": Use.DECRYPTION}, {"use": Use.TENANT_CA}], ids=["signing", "decryption", "tenant CA"]
)
def test_the_active_row_says_when_it_retires_as_planned_and_the_next_one_when_it_takes_over(
    bench: Workbench, wanted: dict[str, object]
) -> None:
    end = 730 * DAY
    turn = end - 45 * DAY
    assert steps(bench, NOW, **wanted) == [("Active", "retired", turn)], "the next one is yet to be made"
    for wait in (0 * DAY, end - 90 * DAY):
        rollover.run(bench.installation, NOW + wait)
        rollover.run(bench.installation, NOW + wait + MINUTE)
    assert steps(bench, NOW + end - 60 * DAY, **wanted) == [
        ("Active", "retired", turn + MINUTE),
        ("next", "promoted", turn + MINUTE),
    ]
    for wait in (turn - MINUTE, turn):
        rollover.run(bench.installation, NOW + wait)
    assert steps(bench, NOW + turn + MINUTE, **wanted) == [
        ("Active", "retired", end - 90 * DAY + MINUTE + turn),
        ("retired", "expired", end),
    ]


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(80 * DAY, ("retired", 35 * DAY), id="the next one gets its full turn"),
        pytest.param(30 * DAY, ("retired", 2 * DAY), id="or what is left of it"),
        pytest.param(2 * DAY, ("retired", DAY), id="at least a day in public"),
        pytest.param(DAY / 2, ("expired", 0 * DAY), id="even if the active one ends first"),
    ],
)
def test_a_row_tells_a_plan_that_is_late_as_it_is(
    bench: Workbench, left: timedelta, expected: tuple[str, timedelta]
) -> None:
    end = NOW + 730 * DAY
    (row,) = rows(bench, end - left, use=Use.SIGNING)
    assert row.next_step_at is not None
    assert (row.next_step, end - row.next_step_at) == expected


def test_rows_of_manual_held_and_dedicated_rings_promise_nothing(bench: Workbench) -> None:
    bench.apply(f"{CONTOSO}\nrollover: {{decryption: {{automatic: false}}}}\n")
    generated(bench, ORDERS, life=730 * DAY)
    assert steps(bench, NOW, use=Use.DECRYPTION) == [("Active", "expired", 730 * DAY)]
    assert steps(bench, NOW, relying_party="orders") == [("Active", "expired", 730 * DAY)]
    assert steps(bench, NOW, kind=Kind.SYMMETRIC) == [("Active", "expired", 3650 * DAY)]
    credential_states.make_primary(bench.installation, Selection(SIGNING, 1), NOW + MINUTE)
    assert steps(bench, NOW + MINUTE)[:1] == [("Active", "expired", 730 * DAY)]
    rollover.resume(bench.installation, "contoso", CoreRing.SIGNING, NOW + MINUTE)
    assert steps(bench, NOW + MINUTE)[:1] == [("Active", "retired", 685 * DAY)]


@pytest.mark.parametrize(
    ("waited", "expected"),
    [
        (timedelta(0), timedelta(seconds=6)),
        (timedelta(seconds=5), timedelta(seconds=6)),
        (timedelta(seconds=6), timedelta(seconds=6)),
        (timedelta(seconds=7), timedelta(seconds=7)),
        (DAY, DAY),
    ],
    ids=str,
)
def test_make_primary_waits_until_every_node_has_the_certificate(
    bench: Workbench, waited: timedelta, expected: timedelta
) -> None:
    old, new = signer(bench, NOW), generated(bench)
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + waited)
    assert outcome.row.primary_from == NOW + expected
    assert signer(bench, NOW + expected - SECOND).thumbprint == old.thumbprint
    assert signer(bench, NOW + expected).thumbprint == new.row.thumbprint
    assert any("public for" in text for text in outcome.warnings) == (waited < DAY)  # partners had no day to read it
    assert any("is held now" in text for text in outcome.warnings)


@pytest.mark.parametrize(
    ("at", "begins"),
    [
        (NOW + 10 * DAY, NOW + 10 * DAY),
        (NOW + 2 * DAY, NOW + 2 * DAY),
        (NOW - DAY, NOW + 2 * DAY),  # the past means now
        (NOW + 364 * DAY, NOW + 364 * DAY),
    ],
)
def test_a_schedule_turns_at_its_second_on_every_node(bench: Workbench, at: datetime, begins: datetime) -> None:
    old, new = signer(bench, NOW), generated(bench)
    outcome = credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY, at)
    assert outcome.row.primary_from == begins
    if begins > NOW + 2 * DAY:
        assert signer(bench, begins - SECOND).thumbprint == old.thumbprint
    assert signer(bench, begins).thumbprint == new.row.thumbprint
    assert signer(bench, begins + SECOND).thumbprint == new.row.thumbprint


@pytest.mark.parametrize(
    ("at", "fits"),
    [
        (NOW + 10 * DAY - SECOND, False),  # not yet valid
        (NOW + 10 * DAY, True),
        (NOW + 20 * DAY, True),
        (NOW + 20 * DAY + SECOND, False),  # expired
    ],
)
def test_a_certificate_becomes_primary_only_within_its_validity(bench: Workbench, at: datetime, fits: bool) -> None:
    order = CertificateOrder(SIGNING, "CN=new", 10 * DAY, KeyType.P256, NOW + 10 * DAY)
    new = new_credentials.generate_certificate(bench.installation, order, NOW)
    if fits:
        assert credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW, at).row.primary_from == at
        return
    with pytest.raises(Conflict, match=r"cannot become primary on .*: it (is not valid before|ends on)"):
        credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW, at)
    assert rows(bench)[0].next_step_at == NOW + 685 * DAY, "as planned, and not at the refused instant"


def test_a_second_schedule_replaces_the_first(bench: Workbench) -> None:
    first, second = generated(bench), generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, first), NOW + DAY, NOW + 10 * DAY)
    credential_states.make_primary(bench.installation, chosen(SIGNING, second), NOW + DAY, NOW + 5 * DAY)
    for at in (NOW + 5 * DAY, NOW + 10 * DAY, NOW + 20 * DAY):
        assert signer(bench, at).thumbprint == second.row.thumbprint


@pytest.mark.parametrize("verb", [credential_states.revoke, credential_states.delete])
def test_what_is_revoked_or_deleted_before_its_day_does_not_take_the_place(
    bench: Workbench, verb: Callable[..., Outcome]
) -> None:
    old, new, at = signer(bench, NOW), generated(bench), NOW + 10 * DAY
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY, at)
    verb(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY)
    for now in (at - SECOND, at, at + DAY):
        assert signer(bench, now).thumbprint == old.thumbprint
    known = bench.known().namespace
    assert known is not None
    assert [c.demoted_at for c in known.credentials if c.thumbprint == old.thumbprint] == [None]


def test_a_revoked_primary_keeps_its_place_and_the_operator_is_told(bench: Workbench) -> None:
    later = CertificateOrder(SIGNING, "CN=new", 365 * DAY, KeyType.P256, NOW + 30 * DAY)
    new_credentials.generate_certificate(bench.installation, later, NOW)
    with pytest.raises(Conflict, match=r"no token can be issued for orders; make another primary first, .* --force"):
        credential_states.revoke(bench.installation, Selection(SIGNING, 1), NOW + DAY)
    outcome = credential_states.revoke(bench.installation, Selection(SIGNING, 1), NOW + DAY, Breakage.ACCEPTED)
    assert outcome.row.status is Status.REVOKED
    remedy, broken = outcome.warnings
    assert "sts certificate make-primary --namespace contoso --use signing" in remedy
    assert broken == "without it no token can be issued for orders"
    with pytest.raises(IssuingFailed, match="was revoked on 2026-11-22T22:00:00Z"):
        signer(bench, NOW + DAY)
    with pytest.raises(Conflict, match="already"):
        credential_states.revoke(bench.installation, Selection(SIGNING, thumbprint=outcome.row.thumbprint), NOW + DAY)


def test_the_primary_is_deleted_only_after_another_is_primary_or_it_is_revoked(bench: Workbench) -> None:
    new, old = generated(bench), rows(bench)[0]
    this = Selection(SIGNING, thumbprint=old.thumbprint)
    with pytest.raises(Conflict, match="make another primary or revoke it first"):
        credential_states.delete(bench.installation, this, NOW + DAY)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY)
    deleted = credential_states.delete(bench.installation, this, NOW + 2 * DAY)
    assert (deleted.row.thumbprint, deleted.row.reason) == (old.thumbprint, "retired")
    with pytest.raises(NotFound, match=r"was deleted on 2026-11-23T22:00:00Z"):
        credential_states.make_primary(bench.installation, this, NOW + 3 * DAY)
    known = bench.known().namespace
    assert known is not None
    tombstone = next(c for c in known.credentials if c.thumbprint == old.thumbprint)
    with pytest.raises(KeyUnreadable):
        bench.installation.key_ring.secret(known, tombstone)


@pytest.mark.parametrize("ring", [SIGNING, KEYS, RingName("contoso", Use.DECRYPTION)], ids=str)
def test_what_was_primary_within_a_day_is_deleted_only_where_breakage_is_accepted(
    bench: Workbench, ring: RingName
) -> None:
    if ring.kind is Kind.SYMMETRIC:
        new = new_credentials.generate_key(bench.installation, KeyOrder(ring), NOW)
    else:
        new = new_credentials.generate_certificate(bench.installation, CertificateOrder(ring), NOW)
    old = next(row for row in list_ring(bench, ring) if row.thumbprint != new.row.thumbprint)
    this = Selection(ring, thumbprint=old.thumbprint)
    credential_states.make_primary(bench.installation, chosen(ring, new), NOW + DAY)
    for now in (NOW + DAY, NOW + DAY + SECOND, NOW + 2 * DAY - SECOND):
        with pytest.raises(Conflict, match=r"until 2026-11-23T22:00:00Z and would be refused; .* with --force"):
            credential_states.delete(bench.installation, this, now)
    credential_states.delete(bench.installation, this, NOW + DAY + SECOND, Breakage.ACCEPTED)
    assert [row.thumbprint for row in list_ring(bench, ring)] == [new.row.thumbprint]


def list_ring(bench: Workbench, ring: RingName) -> list[CredentialRow]:
    return [row for row in rows(bench, NOW + DAY, use=ring.use, kind=ring.kind) if row.relying_party is None]


def test_a_deleted_primary_is_not_succeeded_by_the_one_before_it(bench: Workbench) -> None:
    new = generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW + DAY)
    credential_states.revoke(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY, Breakage.ACCEPTED)
    credential_states.delete(bench.installation, chosen(SIGNING, new), NOW + 2 * DAY)
    with pytest.raises(IssuingFailed, match="was deleted on"):
        signer(bench, NOW + 3 * DAY)


@pytest.mark.parametrize(
    ("ring", "selection", "error"),
    [
        (SIGNING, {"index": 2}, "there is no certificate 2, the ring has 1; see `sts certificate list"),
        (KEYS, {"index": 9}, "there is no key 9, the ring has 1; see `sts key list"),
        (SIGNING, {"thumbprint": "00" * 20}, "namespace contoso has no signing certificate with the thumbprint 0000"),
        (ORDERS, {"thumbprint": "00" * 32}, "orders has no signing certificate with the thumbprint 0000"),
        (SIGNING, {"thumbprint": "00"}, "is not a thumbprint: 40"),
        (ORDERS, {}, "no certificate of this ring is active"),
        (RingName("nobody"), {"index": 1}, "there is no namespace 'nobody'"),
        (RingName("contoso", relying_party="nobody"), {"index": 1}, "has no relying party 'nobody'"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(
    bench: Workbench, ring: RingName, selection: dict[str, object], error: str
) -> None:
    with pytest.raises(Exception, match=error):
        credential_files.download_certificate(bench.installation, Selection(ring, **selection), NOW)


@pytest.mark.parametrize(
    "write", [str, str.upper, lambda text: ":".join(text[i : i + 2] for i in range(0, len(text), 2))]
)
@pytest.mark.parametrize("digest", ["thumbprint", "thumbprint_sha256"])
def test_a_thumbprint_is_taken_in_every_usual_writing(
    bench: Workbench, write: Callable[[str], str], digest: str
) -> None:
    row = rows(bench)[0]
    selection = Selection(SIGNING, thumbprint=write(getattr(row, digest)))
    assert credential_files.download_certificate(bench.installation, selection, NOW).row == row


def test_download_gives_the_active_certificate_and_nothing_private(bench: Workbench) -> None:
    generated(bench)
    copy = credential_files.download_certificate(bench.installation, Selection(SIGNING), NOW)
    assert copy.row == rows(bench)[0]
    assert certificates.load(copy.der) == certificates.load(copy.pem)
    assert b"PRIVATE" not in copy.pem


def test_every_verb_leaves_one_record_of_who_did_what(bench: Workbench) -> None:
    before = audit.verify(bench.installation).sequence
    new = generated(bench)
    credential_states.make_primary(bench.installation, chosen(SIGNING, new), NOW)
    credential_files.export_key(bench.installation, Selection(KEYS), NOW)
    credential_states.revoke(bench.installation, chosen(SIGNING, new), NOW)
    credential_states.delete(bench.installation, chosen(SIGNING, new), NOW)
    records = audit.list_newest(bench.installation, "contoso", 100)[-5:]
    assert [record.action for record in records] == [
        *("certificate.generate", "certificate.make-primary", "symmetric.export"),
        *("certificate.revoke", "certificate.delete"),
    ]
    assert {record.actor for record in records} == {"tests"}
    assert audit.verify(bench.installation).sequence == before + 5


def test_a_refused_verb_leaves_nothing_behind(bench: Workbench) -> None:
    before = audit.verify(bench.installation)
    with pytest.raises(Conflict):
        credential_states.delete(bench.installation, Selection(SIGNING, 1), NOW)
    assert audit.verify(bench.installation) == before


def test_a_namespace_comes_and_goes_with_its_credentials(bench: Workbench) -> None:
    made = namespaces.create(bench.installation, "fabrikam", NOW)
    assert [(c.use, c.kind) for c in made.credentials] == [
        *((Use.SIGNING, Kind.CERTIFICATE), (Use.DECRYPTION, Kind.CERTIFICATE), (Use.SIGNING, Kind.SYMMETRIC)),
        (Use.TENANT_CA, Kind.CERTIFICATE),
    ]
    assert [each.name for each in namespaces.list_all(bench.installation)] == ["contoso", "fabrikam"]
    with pytest.raises(Conflict, match="there is a namespace 'fabrikam' already"):
        namespaces.create(bench.installation, "fabrikam", NOW)
    namespaces.delete(bench.installation, "fabrikam", NOW)
    with pytest.raises(Exception, match="there is no namespace 'fabrikam'"):
        namespaces.delete(bench.installation, "fabrikam", NOW)
    assert audit.list_newest(bench.installation, "fabrikam", 1)[0].action == "namespace.delete"


@pytest.mark.parametrize("name", ["", "a b", "api", "console", "..", "a/b", "x" * 65, "ä"])
def test_a_name_that_cannot_be_an_address_is_refused(bench: Workbench, name: str) -> None:
    with pytest.raises(OperatorError):
        namespaces.create(bench.installation, name, NOW)
    assert [each.name for each in namespaces.list_all(bench.installation)] == ["contoso"]
