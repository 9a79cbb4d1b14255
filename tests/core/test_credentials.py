"""Design, section 2, as tables: which credential signs, decrypts, is published."""

import os
import time
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from sts.core.credentials import (
    Status,
    decryption_credentials,
    lapse,
    metadata_credential,
    next_change,
    published_decryption,
    published_signing,
    selected,
    signing_credential,
    status,
)
from sts.core.errors import NoSigningCertificate, NoSigningKey
from sts.core.model import Kind, Origin, RingPolicy, TokenFormat, Use
from tests.core.builders import (
    DAY,
    DELETED,
    EXPIRED,
    FUTURE,
    FUTURE_ONLY,
    NOW,
    PAST,
    PRIMARY,
    REVOKED,
    SECOND,
    credential,
    dedicated,
    key,
    namespace,
    relying_party,
)

# (what the ring holds, which of them signs; None: issuing fails)
RINGS = {
    "one primary": ([credential(1, **PRIMARY)], 1),
    "the primary beside others": ([credential(1), credential(2, **PRIMARY), credential(3)], 2),
    "the later of two that were primary": ([credential(1, **PRIMARY), credential(2, primary_from=PAST + DAY)], 2),
    "same instant: the higher id": ([credential(1, **PRIMARY), credential(2, **PRIMARY)], 2),
    "same instant: the higher id, in any order": ([credential(2, **PRIMARY), credential(1, **PRIMARY)], 2),
    "primary from this very second": ([credential(1, **PRIMARY), credential(2, primary_from=NOW)], 2),
    "scheduled for the next second": ([credential(1, **PRIMARY), credential(2, primary_from=NOW + SECOND)], 1),
    "primary expired": ([credential(1, **PRIMARY, **EXPIRED), credential(2)], None),
    "primary expired, an older primary still valid": (
        [credential(1, **PRIMARY), credential(2, primary_from=PAST + DAY, **EXPIRED)],
        None,
    ),
    "primary not yet valid": ([credential(1, **PRIMARY, **FUTURE_ONLY), credential(2)], None),
    "primary revoked": ([credential(1, **PRIMARY, **REVOKED), credential(2)], None),
    "primary deleted, an older primary left": (
        [credential(1, **PRIMARY), credential(2, primary_from=PAST + DAY, **REVOKED, **DELETED)],
        None,
    ),
    "primary deleted, only never-primary ones left": (
        [credential(1, **PRIMARY, **REVOKED, **DELETED), credential(2)],
        2,
    ),
    "older primary deleted": ([credential(1, **PRIMARY, **DELETED), credential(2, primary_from=PAST + DAY)], 2),
    "none primary: the earliest not_before": (
        [
            credential(1, not_before=PAST + DAY),
            credential(2, not_before=PAST),
            credential(3, not_before=PAST + 2 * DAY),
        ],
        2,
    ),
    "none primary, the earliest expired": ([credential(1, not_before=PAST - DAY, **EXPIRED), credential(2)], 2),
    "none primary, the earliest revoked": ([credential(1, not_before=PAST - DAY, **REVOKED), credential(2)], 2),
    "none primary, the earliest deleted": ([credential(1, not_before=PAST - DAY, **DELETED), credential(2)], 2),
    "only scheduled: nothing was ever primary": ([credential(1, primary_from=FUTURE)], 1),
    "future-only": ([credential(1, **FUTURE_ONLY), credential(2, not_before=FUTURE)], None),
    "all expired": ([credential(1, **EXPIRED), credential(2, **EXPIRED)], None),
    "only revoked": ([credential(1, **REVOKED)], None),
    "only deleted": ([credential(1, **DELETED)], None),
    "empty": ([], None),
    "another use does not sign": ([credential(1, use=Use.DECRYPTION, **PRIMARY)], None),
    "another kind does not sign": ([key(1, **PRIMARY)], None),
}


@pytest.mark.parametrize(("held", "expected"), RINGS.values(), ids=RINGS.keys())
@pytest.mark.parametrize("scope", ["namespace", "dedicated"])
def test_the_ring_decides_which_certificate_signs(held, expected, scope):
    party = relying_party(*held) if scope == "dedicated" else relying_party()
    owner = namespace(*held) if scope == "namespace" else namespace()
    if expected is None:
        with pytest.raises(NoSigningCertificate):
            signing_credential(owner, party, NOW)
    else:
        assert signing_credential(owner, party, NOW).id == expected


@pytest.mark.parametrize(("held", "expected"), RINGS.values(), ids=RINGS.keys())
def test_metadata_is_signed_by_what_the_namespace_ring_selects(held, expected):
    if expected is None:
        with pytest.raises(NoSigningCertificate):
            metadata_credential(namespace(*held), NOW)
    else:
        assert metadata_credential(namespace(*held), NOW).id == expected


SHARED = credential(100, **PRIMARY)
SHARED_KEY = key(101, **PRIMARY)
SYMMETRIC = {"token_format": TokenFormat.SWT}

# (dedicated ones, relying party, which signs)
SCOPES = {
    "no dedicated one": ([], {}, 100),
    "dedicated before the namespace's": ([credential(1)], {}, 1),
    "a managed one uses the namespace's": ([credential(1, **PRIMARY)], {"managed": True}, 100),
    "a managed one with symmetric tokens too": ([key(1, **PRIMARY)], {"managed": True, **SYMMETRIC}, 101),
    "dedicated certificate expired: no fall-back": ([credential(1, **PRIMARY, **EXPIRED)], {}, None),
    "dedicated certificates all expired, none primary: no fall-back": ([credential(1, **EXPIRED)], {}, None),
    "dedicated key": ([key(1, **PRIMARY)], SYMMETRIC, 1),
    "dedicated key expired and not replaced": ([key(1, **PRIMARY, **EXPIRED)], SYMMETRIC, 101),
    "never-primary dedicated key expired and not replaced": ([key(1, **EXPIRED)], SYMMETRIC, 101),
    "all dedicated keys expired": ([key(1, **PRIMARY, **EXPIRED), key(2, **EXPIRED)], SYMMETRIC, 101),
    "expired primary, another key valid but not promoted": ([key(1, **PRIMARY, **EXPIRED), key(2)], SYMMETRIC, None),
    "expired, replaced by one still to come": ([key(1, **PRIMARY, **EXPIRED), key(2, **FUTURE_ONLY)], SYMMETRIC, None),
    "expired, the replacement revoked": ([key(1, **PRIMARY, **EXPIRED), key(2, **REVOKED)], SYMMETRIC, 101),
    "only revoked keys: no fall-back": ([key(1, **PRIMARY, **REVOKED)], SYMMETRIC, None),
    "revoked, then its end passed: no fall-back": ([key(1, **PRIMARY, **REVOKED, **EXPIRED)], SYMMETRIC, None),
    "only a key still to come: no fall-back": ([key(1, **FUTURE_ONLY)], SYMMETRIC, None),
    "only deleted dedicated keys: as if none": ([key(1, **PRIMARY, **DELETED)], SYMMETRIC, 101),
    "dedicated certificates do not sign symmetric tokens": ([credential(1, **PRIMARY)], SYMMETRIC, 101),
    "dedicated keys do not sign SAML": ([key(1, **PRIMARY)], {}, 100),
    "JWT by certificate": ([], {"token_format": TokenFormat.JWT}, 100),
    "JWT by key": ([], {"token_format": TokenFormat.JWT, "signing": Kind.SYMMETRIC}, 101),
    "JWT by dedicated key": (
        [key(1), credential(2)],
        {"token_format": TokenFormat.JWT, "signing": Kind.SYMMETRIC},
        1,
    ),
    "JWT by certificate ignores dedicated keys": ([key(1)], {"token_format": TokenFormat.JWT}, 100),
    "JWT by key, only dedicated certificates": (
        [credential(1)],
        {"token_format": TokenFormat.JWT, "signing": Kind.SYMMETRIC},
        101,
    ),
    "SAML 1.1 by certificate": ([], {"token_format": TokenFormat.SAML11}, 100),
}


@pytest.mark.parametrize(("held", "settings", "expected"), SCOPES.values(), ids=SCOPES.keys())
def test_the_scope_decides_which_ring_signs(held, settings, expected):
    party = relying_party(*held, **settings)
    owner = namespace(SHARED, SHARED_KEY)
    if expected is None:
        with pytest.raises((NoSigningCertificate, NoSigningKey)):
            signing_credential(owner, party, NOW)
    else:
        assert signing_credential(owner, party, NOW).id == expected


BOUNDARIES = {
    "a second before not_before": ({"not_before": NOW + SECOND}, False),
    "at not_before": ({"not_before": NOW}, True),
    "at not_after": ({"not_after": NOW}, True),
    "a second after not_after": ({"not_after": NOW - SECOND}, False),
}


@pytest.mark.parametrize(("dates", "signs"), BOUNDARIES.values(), ids=BOUNDARIES.keys())
@pytest.mark.parametrize("fraction", [timedelta(0), timedelta(microseconds=999_999)])
def test_validity_is_judged_to_the_whole_second(dates, signs, fraction):
    owner = namespace(credential(1, **PRIMARY, **dates))
    if signs:
        assert signing_credential(owner, relying_party(), NOW + fraction).id == 1
    else:
        with pytest.raises(NoSigningCertificate):
            signing_credential(owner, relying_party(), NOW + fraction)


@pytest.mark.parametrize("hours", [-12, -1, 1, 14])
def test_instants_are_compared_in_utc_whatever_zone_they_are_written_in(hours):
    elsewhere = timezone(timedelta(hours=hours))
    owner = namespace(credential(1, not_before=NOW, not_after=NOW, **PRIMARY))
    assert signing_credential(owner, relying_party(), NOW.astimezone(elsewhere)).id == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_the_zone_of_the_machine_changes_nothing(zone, monkeypatch):
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        with pytest.raises(NoSigningCertificate, match="2026-06-01T12:00:01Z"):
            signing_credential(namespace(credential(1, **FUTURE_ONLY)), relying_party(), NOW)
    finally:
        monkeypatch.undo()
        time.tzset()


REFUSALS = {
    "expired": (
        [credential(1, **PRIMARY, not_after=NOW - DAY)],
        ["CN=credential-1", "expired on 2026-05-31T12:00:00Z", "sts certificate make-primary --namespace contoso"],
    ),
    "revoked": ([credential(1, **PRIMARY, revoked_at=NOW - DAY)], ["was revoked on 2026-05-31T12:00:00Z"]),
    "not yet valid": (
        [credential(1, **PRIMARY, not_before=NOW + DAY)],
        ["is not valid before 2026-06-02T12:00:00Z", "or wait until 2026-06-02T12:00:00Z"],
    ),
    "deleted": (
        [credential(1, **PRIMARY), credential(2, primary_from=NOW - DAY, deleted_at=NOW - DAY)],
        ["CN=credential-2", "was deleted on 2026-05-31T12:00:00Z"],
    ),
    "expired, the next scheduled": (
        [credential(1, **PRIMARY, **EXPIRED), credential(2, primary_from=NOW + 2 * DAY)],
        ["expired on", "or wait until 2026-06-03T12:00:00Z"],
    ),
    "expired, no instant ahead": (
        [credential(1, **PRIMARY, **EXPIRED)],
        [
            "expired on",
            "make one with `sts certificate generate --namespace contoso --use signing` and promote another",
        ],
    ),
    "future-only": (
        [credential(1, not_before=NOW + 2 * DAY), credential(2, not_before=NOW + DAY)],
        ["none is valid", "CN=credential-1", "or wait until 2026-06-02T12:00:00Z"],
    ),
    "empty": ([], ["there is none", "sts certificate generate --namespace contoso --use signing"]),
}


@pytest.mark.parametrize(("held", "said"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_names_the_credential_the_reason_the_remedy_and_the_next_instant(held, said):
    with pytest.raises(NoSigningCertificate) as refused:
        signing_credential(namespace(*held), relying_party(), NOW)
    for words in said:
        assert words in refused.value.message
    assert ("or wait until" in refused.value.message) == any("or wait until" in words for words in said)


def test_a_refusal_about_a_dedicated_key_names_the_relying_party():
    party = relying_party(key(1, **PRIMARY, **REVOKED), **SYMMETRIC)
    with pytest.raises(NoSigningKey, match="sts key make-primary --namespace contoso --relying-party orders") as told:
        signing_credential(namespace(SHARED_KEY), party, NOW)
    assert told.value.message.startswith("the primary symmetric signing key (")


def test_a_dedicated_key_that_expires_later_gives_way_to_the_namespaces_at_that_second():
    party = relying_party(key(1, **PRIMARY, revoked_at=None, not_after=NOW), **SYMMETRIC)
    owner = namespace(SHARED_KEY)
    assert [signing_credential(owner, party, NOW + n * SECOND).id for n in (0, 1)] == [1, 101]


PUBLISHED = {
    "primary first, then newest first": (
        [
            credential(1, not_before=PAST),
            credential(2, not_before=PAST - DAY, primary_from=PAST),
            credential(3, not_before=NOW + DAY),
        ],
        [2, 3, 1],
    ),
    "what signs without a primary comes first": ([credential(1, not_before=PAST), credential(2)], [2, 1]),
    "revoked ones are left out": ([credential(1, **PRIMARY), credential(2, **REVOKED)], [1]),
    "deleted ones are left out": ([credential(1, **PRIMARY), credential(2, **DELETED)], [1]),
    "unpublished ones are left out": ([credential(1, **PRIMARY), credential(2, published_at=None)], [1]),
    "expired ones are left out": ([credential(1, **PRIMARY), credential(2, **EXPIRED)], [1]),
    "expired, demoted less than a day ago": (
        [credential(1, **PRIMARY, not_after=NOW - SECOND, demoted_at=NOW - DAY), credential(2, primary_from=NOW - DAY)],
        [2, 1],
    ),
    "expired, demoted more than a day ago": (
        [credential(1, **PRIMARY, not_after=NOW - SECOND, demoted_at=NOW - DAY - SECOND), credential(2, **PRIMARY)],
        [2],
    ),
    "symmetric keys never": ([credential(1, **PRIMARY), key(2)], [1]),
    "tenant CAs never": ([credential(1, **PRIMARY), credential(2, use=Use.TENANT_CA)], [1]),
}


@pytest.mark.parametrize(("held", "expected"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_metadata_publishes_every_unrevoked_signing_certificate(held, expected):
    assert [c.id for c in published_signing(namespace(*held), NOW)] == expected


DECRYPTING = {"use": Use.DECRYPTION}
DECRYPTION = {
    "primary first, then newest first": (
        [credential(1, not_before=PAST), credential(2, **PRIMARY), credential(3, not_before=NOW - DAY)],
        [2, 3, 1],
    ),
    "an expired primary is still first": ([credential(1, **PRIMARY, not_after=PAST), credential(2)], [1, 2]),
    "expired others for 30 days": ([credential(1, **PRIMARY), credential(2, not_after=NOW - 30 * DAY)], [1, 2]),
    "and no longer": ([credential(1, **PRIMARY), credential(2, not_after=NOW - 30 * DAY - SECOND)], [1]),
    "never revoked ones": ([credential(1, **PRIMARY, **REVOKED), credential(2, **REVOKED), credential(3)], [3]),
    "never deleted ones": ([credential(1, **PRIMARY, **DELETED), credential(2)], [2]),
    "no primary: newest first": ([credential(1, not_before=PAST), credential(2)], [1, 2]),
}


@pytest.mark.parametrize(("held", "expected"), DECRYPTION.values(), ids=DECRYPTION.keys())
def test_decryption_tries_the_primary_first_even_when_it_has_expired(held, expected):
    owner = namespace(*(replace(c, **DECRYPTING) for c in held))
    assert [c.id for c in decryption_credentials(owner, NOW)] == expected


def test_partners_encrypt_to_the_newest_published_decryption_certificate():
    old = credential(1, **DECRYPTING, **PRIMARY)
    new = credential(2, **DECRYPTING, published_at=NOW - DAY)
    later = credential(3, **DECRYPTING, published_at=NOW + DAY)
    assert [c.id for c in published_decryption(namespace(old, new, later), NOW)] == [2, 1]


MANUAL = RingPolicy(automatic=False, lifetime=730 * DAY)
LEFT_TO_PEOPLE = {
    "manual": ({}, {"rollover": {"decryption": MANUAL}}, [1, 2]),
    "held": ({}, {"held": frozenset({"decryption"})}, [1, 2]),
    "another ring is held": ({}, {"held": frozenset({"signing"})}, [2, 1]),
    "the primary was imported": ({"origin": Origin.IMPORTED}, {}, [1, 2]),
    "imported, and automatic all the same": (
        {"origin": Origin.IMPORTED},
        {"rollover": {"decryption": replace(MANUAL, automatic=True)}},
        [2, 1],
    ),
}


@pytest.mark.parametrize(("changes", "kept", "expected"), LEFT_TO_PEOPLE.values(), ids=LEFT_TO_PEOPLE.keys())
def test_partners_encrypt_to_the_primary_of_a_ring_that_does_not_roll_by_itself(changes, kept, expected):
    old = credential(1, **DECRYPTING, **PRIMARY, **changes)
    new = credential(2, **DECRYPTING, published_at=NOW - DAY)
    assert [c.id for c in published_decryption(namespace(old, new, **kept), NOW)] == expected


AHEAD = NOW + 365 * DAY  # when the builder's credentials end


def test_partners_encrypt_to_the_primary_where_the_installation_leaves_rings_to_people():
    old = credential(1, **DECRYPTING, **PRIMARY)
    new = credential(2, **DECRYPTING, published_at=NOW - DAY)
    own = {"rollover": {"decryption": replace(MANUAL, automatic=True)}}
    assert [c.id for c in published_decryption(namespace(old, new), NOW, MANUAL)] == [1, 2]
    assert [c.id for c in published_decryption(namespace(old, new, **own), NOW, MANUAL)] == [2, 1]


LAPSES = {
    "nothing at all": ([], NOW),
    "the primary's end": ([credential(1, **PRIMARY)], AHEAD + SECOND),
    "a revoked primary": ([credential(1, **PRIMARY, **REVOKED)], NOW),
    "a schedule in time": (
        [credential(1, **PRIMARY), credential(2, not_after=AHEAD + DAY, primary_from=AHEAD)],
        AHEAD + DAY + SECOND,
    ),
    "a schedule too late": (
        [credential(1, **PRIMARY), credential(2, not_after=AHEAD + 9 * DAY, primary_from=AHEAD + DAY)],
        AHEAD + SECOND,
    ),
    "never primary: one after the other": ([credential(1), credential(2, not_after=AHEAD + DAY)], AHEAD + DAY + SECOND),
    "never primary, and a gap": (
        [credential(1), credential(2, not_before=AHEAD + DAY, not_after=AHEAD + 2 * DAY)],
        AHEAD + SECOND,
    ),
}


@pytest.mark.parametrize(("held", "expected"), LAPSES.values(), ids=LAPSES.keys())
def test_a_lapse_is_the_first_instant_without_a_credential_in_use(held, expected):
    assert lapse(tuple(held), NOW) == expected
    assert selected(tuple(held), expected) is None


STATUSES = {
    "primary": (credential(1, **PRIMARY), Status.ACTIVE, ""),
    "next": (credential(2), Status.INACTIVE, "next"),
    "scheduled": (credential(2, primary_from=FUTURE), Status.INACTIVE, "next"),
    "retired": (credential(2, primary_from=PAST - DAY), Status.INACTIVE, "retired"),
    "expired": (credential(2, **EXPIRED), Status.EXPIRED, ""),
    "revoked": (credential(2, **REVOKED), Status.REVOKED, ""),
    "revoked and expired": (credential(2, **REVOKED, **EXPIRED), Status.REVOKED, ""),
}


@pytest.mark.parametrize(("one", "expected", "reason"), STATUSES.values(), ids=STATUSES.keys())
def test_people_see_four_statuses(one, expected, reason):
    held = [credential(1, **PRIMARY)] + ([one] if one.id != 1 else [])
    assert status(held, one, NOW) == (expected, reason)


def test_the_next_change_is_the_first_instant_at_which_a_published_answer_may_differ():
    owner = namespace(credential(1, **PRIMARY, not_after=NOW + 2 * DAY), credential(2, primary_from=NOW + DAY))
    assert next_change(owner, NOW) == NOW + DAY
    assert next_change(owner, NOW + DAY) == NOW + 2 * DAY + SECOND


def test_dedicated_certificates_are_not_published():
    party = relying_party(credential(1, **PRIMARY))
    assert party.credentials == (dedicated(credential(1, **PRIMARY)),)
    assert published_signing(namespace(SHARED), NOW) == (SHARED,)
