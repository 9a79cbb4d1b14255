"""Tenant CAs and roots, as tables: which issues, which is trusted, when a root is due."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sts.core.errors import NoIssuingAuthority
from sts.core.model import INSTALLATION_SCOPE, Credential, Use
from sts.core.tenant_ca import (
    device,
    is_root_due,
    issuing_authority,
    issuing_root,
    needs_first,
    root_certificates,
    root_lifetime,
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
    day = device("worker", NOW + timedelta(microseconds=999_999))
    assert (day.name, day.not_before, day.not_after) == ("worker", NOW - timedelta(minutes=5), NOW + DAY)


# (years after the root was made, whether another is due)
@pytest.mark.parametrize(("years", "due"), [(0, False), (5, False), (6, False), (6.01, True), (9, True), (11, True)])
def test_a_root_is_due_when_two_tenant_lives_are_not_left(years: float, due: bool) -> None:
    assert is_root_due([root()], LIFE, NOW + years * YEAR) is due


@pytest.mark.parametrize(
    ("roots", "due"),
    [
        ([], True),
        ([root(revoked_at=NOW)], True),
        ([root(deleted_at=NOW)], True),
        ([root(), root(2, NOW + 7 * YEAR, primary_from=NOW + 8 * YEAR)], False),
        ([root(), root(2, NOW + 7 * YEAR, revoked_at=NOW + 7 * YEAR)], True),
        ([root(revoked_at=NOW), root(2, NOW + 7 * YEAR, primary_from=NOW + 8 * YEAR)], True),
    ],
    ids=["none", "revoked", "deleted", "succeeded", "its successor revoked", "revoked before its successor's day"],
)
def test_a_root_is_due_where_none_can_serve(roots: list[Credential], due: bool) -> None:
    assert is_root_due(roots, LIFE, NOW + 7 * YEAR) is due


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


def test_over_a_century_every_tenant_ca_lives_as_long_as_its_policy_says() -> None:
    roots: list[Credential] = []
    for step in range(4 * 100):
        now = NOW + step * YEAR / 4
        if is_root_due(roots, LIFE, now):
            since = root_takes_over(roots, LIFE, now)
            roots.append(root(len(roots) + 1, now, not_after=now + root_lifetime(LIFE), primary_from=since))
        holder = issuing_root(roots, now)
        assert holder is not None
        assert now + LIFE <= holder.not_after
        assert len(root_certificates(roots, now)) <= 2
        assert root_certificates(roots, now)[0] == holder
    assert len(roots) == 16  # one in six years and a quarter
