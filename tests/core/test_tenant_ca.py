"""Tenant CAs and roots, as tables: which issues, which is trusted, when a root is due."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sts.core.errors import NoIssuingAuthority
from sts.core.model import INSTALLATION_SCOPE, Credential, ServiceIdentity, Use
from sts.core.tenant_ca import (
    device,
    issuing_authority,
    issuing_root,
    needs_first,
    promote_root,
    root_certificates,
    root_for,
    root_lifetime,
    root_steps,
    root_takes_over,
    tenant_ca_certificates,
)
from tests.core.builders import DAY, NOW, SECOND, credential, namespace

YEAR = 365 * DAY
LIFE = 2 * YEAR


def tenant_ca(id: int = 1, **changes: Any) -> Credential:
    return credential(id, **{"use": Use.TENANT_CA, **changes})


def root(id: int = 1, begin: datetime = NOW, **changes: Any) -> Credential:
    usual = {"not_before": begin, "not_after": begin + 10 * YEAR, "published_at": begin, "primary_from": begin}
    return credential(id, **{"use": Use.ROOT_CA, "scope": INSTALLATION_SCOPE, **usual, **changes})


def to_do(roots: list[Credential], life: timedelta, now: datetime) -> list[tuple[str, int | None]]:
    """What is to be done to the roots, and to which."""
    return [(str(s.kind), None if s.credential is None else s.credential.id) for s in root_steps(roots, life, now)]


PRIMARY = {"primary_from": NOW - 100 * DAY}
# (what the ring holds, which is trusted in which order, which issues; None: none)
RINGS: dict[str, tuple[list[Credential], list[int], int | None]] = {
    "one": ([tenant_ca(1, **PRIMARY)], [1], 1),
    "the next beside it": ([tenant_ca(1, **PRIMARY), tenant_ca(2, not_before=NOW)], [1, 2], 1),
    "the next that is not valid yet": ([tenant_ca(1, **PRIMARY), tenant_ca(2, not_before=NOW + DAY)], [1, 2], 1),
    "the next that is not public yet": ([tenant_ca(1, **PRIMARY), tenant_ca(2, published_at=NOW + DAY)], [1], 1),
    "the second of its promotion": ([tenant_ca(1, **PRIMARY), tenant_ca(2, primary_from=NOW)], [2, 1], 2),
    "a second before it": ([tenant_ca(1, **PRIMARY), tenant_ca(2, primary_from=NOW + SECOND)], [1, 2], 1),
    "the retired one in its last second": (
        [tenant_ca(1, **PRIMARY, not_after=NOW), tenant_ca(2, primary_from=NOW - DAY)],
        [2, 1],
        2,
    ),
    "the retired one after it": (
        [tenant_ca(1, **PRIMARY, not_after=NOW - SECOND), tenant_ca(2, primary_from=NOW - DAY)],
        [2],
        2,
    ),
    "the retired one, revoked": (
        [tenant_ca(1, **PRIMARY, revoked_at=NOW), tenant_ca(2, primary_from=NOW - DAY)],
        [2],
        2,
    ),
    "the retired one, destroyed": (
        [tenant_ca(1, **PRIMARY, deleted_at=NOW), tenant_ca(2, primary_from=NOW - DAY)],
        [2],
        2,
    ),
    "an expired one is not replaced by the next": (
        [tenant_ca(1, **PRIMARY, not_after=NOW - DAY), tenant_ca(2)],
        [2],
        None,
    ),
    "nor a revoked one": ([tenant_ca(1, **PRIMARY, revoked_at=NOW), tenant_ca(2)], [2], None),
    "no other use counts": ([tenant_ca(1, **PRIMARY), credential(2), credential(3, use=Use.DECRYPTION)], [1], 1),
    "none": ([credential(2)], [], None),
}


@pytest.mark.parametrize(("held", "trusted", "issuing"), RINGS.values(), ids=RINGS.keys())
def test_ring_of_tenant_cas(held: list[Credential], trusted: list[int], issuing: int | None) -> None:
    contoso = namespace(*held)
    assert [c.id for c in tenant_ca_certificates(contoso, NOW)] == trusted
    if issuing is not None:
        assert issuing_authority(contoso, NOW).id == issuing
        return
    with pytest.raises(NoIssuingAuthority, match="see `sts rollover status --namespace contoso`"):
        issuing_authority(contoso, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"not_after": NOW - DAY}, "expired on 2026-05-31T12:00:00Z"),
        ({"revoked_at": NOW}, "was revoked on 2026-06-01T12:00:00Z"),
        ({"not_before": NOW + DAY}, "is not valid before 2026-06-02T12:00:00Z"),
    ],
)
def test_a_tenant_ca_that_may_not_issue_says_why(changes: dict[str, datetime], words: str) -> None:
    with pytest.raises(NoIssuingAuthority, match=f"CN=credential-1 .*{words}"):
        issuing_authority(namespace(tenant_ca(1, **{**PRIMARY, **changes})), NOW)


def test_only_a_namespace_that_never_had_a_tenant_ca_needs_its_first() -> None:
    assert needs_first(namespace(credential(1)))
    assert not needs_first(namespace(tenant_ca(1)))
    assert not needs_first(namespace(tenant_ca(1, revoked_at=NOW)))
    assert not needs_first(namespace(tenant_ca(1, deleted_at=NOW)))


def test_a_device_gets_a_day_that_began_five_minutes_ago() -> None:
    day = device(ServiceIdentity(1, "worker"), NOW + timedelta(microseconds=999_999))
    assert (day.name, day.not_before, day.not_after) == ("worker", NOW - timedelta(minutes=5), NOW + DAY)


@pytest.mark.parametrize(("minutes", "begun"), [(0, 0), (3, 3), (5, 5), (6, 5), (10_000, 5)])
def test_its_day_begins_no_earlier_than_its_present_secrets(minutes: int, begun: int) -> None:
    identity = ServiceIdentity(1, "worker", secrets_since=NOW - timedelta(minutes=minutes))
    assert device(identity, NOW).not_before == NOW - timedelta(minutes=begun)


# (years after the root was made, whether another is due)
@pytest.mark.parametrize(("years", "due"), [(0, False), (5, False), (6, False), (6.01, True), (9, True)])
def test_a_root_is_due_when_two_tenant_lives_are_not_left(years: float, due: bool) -> None:
    assert to_do([root()], LIFE, NOW + years * YEAR) == ([("publish", 1)] if due else [])


NEXT = root(2, NOW + 6 * YEAR, primary_from=NOW + 8 * YEAR, predecessor_id=1)


@pytest.mark.parametrize(
    ("roots", "years", "expected"),
    [
        ([], 7, [("publish", None)]),
        ([root(revoked_at=NOW)], 7, [("publish", None)]),
        ([root(deleted_at=NOW)], 7, [("publish", None)]),
        ([root()], 11, [("publish", None)]),
        ([root()], -7, []),
        ([root(demoted_at=NOW + 8 * YEAR), NEXT], 7, []),
        ([root(), replace(NEXT, revoked_at=NOW + 7 * YEAR)], 7, [("publish", 1)]),
        ([root(revoked_at=NOW), NEXT], 7, [("promote", 2)]),
        ([root(demoted_at=NOW + 8 * YEAR), NEXT], 11, [("destroy", 1)]),
        ([root(demoted_at=NOW + 8 * YEAR, deleted_at=NOW + 11 * YEAR), NEXT], 11, []),
    ],
    ids=[
        *("none", "revoked", "deleted", "ended", "before its beginning", "succeeded", "its successor revoked"),
        *("revoked before its successor's day", "the old one has ended", "and was destroyed"),
    ],
)
def test_what_is_to_be_done_to_roots(roots: list[Credential], years: int, expected: list[object]) -> None:
    assert to_do(roots, LIFE, NOW + years * YEAR) == expected


def test_a_tenant_ca_is_issued_by_the_first_root_in_line_that_outlives_it() -> None:
    roots = [root(), NEXT, root(3, NOW + 6 * YEAR, not_after=NOW + 60 * YEAR, primary_from=NOW + 14 * YEAR)]
    for life, issuer in ((2, 1), (3, 1), (3.01, 2), (9, 2), (20, 3), (90, 3)):
        chosen = root_for(roots, life * YEAR, NOW + 7 * YEAR)
        assert chosen is not None
        assert chosen.id == issuer
    assert root_for([root(revoked_at=NOW)], LIFE, NOW) is None


def test_a_root_that_is_needed_before_its_day_takes_over_at_once_and_the_later_ones_keep_theirs() -> None:
    later = root(3, NOW + 6 * YEAR, not_after=NOW + 60 * YEAR, primary_from=NOW + 14 * YEAR)
    roots, now = [root(demoted_at=NOW + 8 * YEAR), replace(NEXT, demoted_at=NOW + 14 * YEAR), later], NOW + 7 * YEAR
    assert to_do(roots, 4 * YEAR, now) == [("promote", 2)]
    changed = {c.id: c for c in promote_root(roots, roots[1], now)}
    assert (changed[1].demoted_at, changed[2].primary_from, changed[2].demoted_at) == (now, now, NOW + 14 * YEAR)
    assert set(changed) == {1, 2}


def test_a_root_that_leaps_over_another_leaves_it_no_day() -> None:
    later = root(3, NOW + 6 * YEAR, not_after=NOW + 60 * YEAR, primary_from=NOW + 14 * YEAR)
    roots, now = [root(demoted_at=NOW + 8 * YEAR), replace(NEXT, demoted_at=NOW + 14 * YEAR), later], NOW + 7 * YEAR
    assert to_do(roots, 20 * YEAR, now) == [("promote", 3)]
    changed = {c.id: c for c in promote_root(roots, later, now)}
    assert (changed[1].demoted_at, changed[2].primary_from, changed[2].demoted_at) == (now, None, None)
    left = [changed.get(c.id, c) for c in roots]
    for years in (7, 14, 15):
        issuing = issuing_root(left, NOW + years * YEAR)
        assert issuing is not None
        assert issuing.id == 3


@pytest.mark.parametrize(
    ("roots", "years", "expected"),
    [([], 0, 0), ([root()], 7, 8), ([root()], 9, 9), ([root()], 11, 11), ([root(revoked_at=NOW)], 7, 7)],
    ids=["the first", "in time", "too late to wait", "after its end", "after a revocation"],
)
def test_a_root_takes_over_when_the_present_one_outlives_no_tenant_ca(
    roots: list[Credential], years: int, expected: int
) -> None:
    assert root_takes_over(roots, LIFE, NOW + years * YEAR) == NOW + expected * YEAR


def test_a_root_outlives_three_of_its_tenant_cas() -> None:
    assert root_lifetime(LIFE) == 3650 * DAY
    assert root_lifetime(5 * YEAR) == 15 * YEAR
    assert root_lifetime(timedelta(minutes=4)) == 3650 * DAY


def test_both_roots_are_trusted_until_the_old_one_ends() -> None:
    roots = [root(1), root(2, NOW + 7 * YEAR, primary_from=NOW + 8 * YEAR)]
    for years, trusted, issuing in ((1, [1], 1), (7, [1, 2], 1), (8, [2, 1], 2), (10.1, [2], 2)):
        now = NOW + years * YEAR
        known = [c for c in roots if c.not_before <= now]
        assert [c.id for c in root_certificates(known, now)] == trusted
        holder = issuing_root(known, now)
        assert holder is not None
        assert holder.id == issuing


@pytest.mark.parametrize("lives", [[2], [2, 5], [2, 6, 10], [10, 1, 20, 2]], ids=str)
def test_over_a_century_every_tenant_ca_lives_as_long_as_its_policy_says(lives: list[int]) -> None:
    roots: dict[int, Credential] = {}
    for step in range(4 * 100):
        now, life = NOW + step * YEAR / 4, lives[step % len(lives)] * YEAR
        known = list(roots.values())
        if any(kind == "publish" for kind, _ in to_do(known, life, now)):
            since = root_takes_over(known, life, now)
            number = len(roots) + 1
            roots[number] = root(number, now, not_after=now + root_lifetime(life), primary_from=since)
        known = list(roots.values())
        for each in root_steps(known, life, now):
            assert str(each.kind) != "publish"
            assert each.credential is not None
            if str(each.kind) == "promote":
                roots |= {c.id: c for c in promote_root(known, each.credential, now)}
        known = list(roots.values())
        holder, chosen = issuing_root(known, now), root_for(known, life, now)
        assert chosen is holder
        assert holder is not None
        assert now + life <= holder.not_after
        assert root_certificates(known, now)[0] == holder
    if lives == [2]:
        assert len(roots) == 16  # one in six years and a quarter
