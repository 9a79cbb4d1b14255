"""How a CA of others comes to be trusted, and which are (rollover.md, "Trusting someone else's CA")."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sts.core import trusted_cas
from sts.core.errors import Conflict, InvalidCertificate, StaleVersion
from sts.core.model import PartnerCertificate, TrustedCA, Use
from sts.core.trusted_cas import CODE_LIFETIME, MOST, TrustStatus, authorities
from tests.core.builders import DAY, NOW, SECOND, credential, namespace

CERTIFICATE = PartnerCertificate(b"factory", "CN=factory", "ab" * 20, NOW - 365 * DAY, NOW + 365 * DAY)
CODE = "0123456789ABCDEF" * 3


def ca(**changes: Any) -> TrustedCA:
    """An unverified CA, as it was added."""
    return replace(TrustedCA(3, "factory", CERTIFICATE, revision=1), **changes)


def dated(**changes: Any) -> PartnerCertificate:
    return replace(CERTIFICATE, **changes)


# (the CA, its status, whether its clients are known)
STATUSES = {
    "added": (ca(), "Unverified", False),
    "waiting for its proof": (trusted_cas.with_code(ca(), CODE, NOW), "Unverified", False),
    "verified": (ca(verified_at=NOW), "Verified", True),
    "verified, asked for another code": (
        trusted_cas.with_code(ca(verified_at=NOW - DAY), CODE, NOW),
        "Verified",
        True,
    ),
    "verified, in its last second": (ca(verified_at=NOW, certificate=dated(not_after=NOW)), "Verified", True),
    "verified and expired": (ca(verified_at=NOW, certificate=dated(not_after=NOW - SECOND)), "Expired", False),
    "never verified and expired": (ca(certificate=dated(not_after=NOW - SECOND)), "Expired", False),
    "verified, not yet valid": (ca(verified_at=NOW, certificate=dated(not_before=NOW + SECOND)), "Verified", False),
    "replaced": (trusted_cas.with_certificate(ca(verified_at=NOW), dated(der=b"next")), "Unverified", False),
}


@pytest.mark.parametrize(("one", "status", "is_known"), STATUSES.values(), ids=STATUSES.keys())
@pytest.mark.parametrize("now", [NOW, NOW + timedelta(microseconds=999_999)], ids=["whole", "fraction"])
def test_only_a_verified_ca_within_its_dates_is_trusted(one, status, is_known, now):
    assert trusted_cas.status(one, now) == status
    assert authorities(namespace(trusted_cas=(one,)), now) == ((one.certificate.der,) if is_known else ())


def tenant_ca(id: int, **changes: Any):
    return credential(id, use=Use.TENANT_CA, certificate=b"tenant-ca-%d" % id, **changes)


def test_the_namespaces_own_cas_are_trusted_the_old_and_the_next_but_no_dead_one():
    old = tenant_ca(1, primary_from=NOW - 300 * DAY)
    next_one = tenant_ca(2)
    own = (
        *(old, next_one),
        tenant_ca(3, revoked_at=NOW - DAY),
        tenant_ca(4, deleted_at=NOW - DAY),
        tenant_ca(5, not_after=NOW - SECOND),
        credential(6, certificate=b"a signing certificate"),
    )
    trusted = authorities(namespace(*own, trusted_cas=(ca(verified_at=NOW),)), NOW)
    assert set(trusted) == {b"tenant-ca-1", b"tenant-ca-2", b"factory"}
    assert authorities(namespace(), NOW) == ()


def test_a_proof_verifies_and_uses_the_code_up():
    waiting = trusted_cas.with_code(ca(), CODE, NOW)
    verified = trusted_cas.with_proof(waiting, CODE, NOW + DAY - SECOND)
    assert verified.verified_at == NOW + DAY - SECOND
    assert (verified.code_hash, verified.code_expires_at) == (None, None)
    with pytest.raises(Conflict, match="was used"):
        trusted_cas.with_proof(verified, CODE, NOW)


def test_the_code_itself_is_not_kept():
    assert CODE not in repr(trusted_cas.with_code(ca(), CODE, NOW))


# (the CA, the code in the proof, the instant, what the operator is told)
REFUSED = {
    "no code": (ca(), CODE, NOW, Conflict, "was never asked for"),
    "a used code": (ca(verified_at=NOW), CODE, NOW, Conflict, "was used"),
    "an expired code": (trusted_cas.with_code(ca(), CODE, NOW), CODE, NOW + DAY, Conflict, "expired on 2026-06-02"),
    "another code": (trusted_cas.with_code(ca(), CODE, NOW), CODE[::-1], NOW, InvalidCertificate, "given out last"),
    "lower case": (trusted_cas.with_code(ca(), CODE, NOW), CODE.lower(), NOW, InvalidCertificate, "given out last"),
    "blanks": (trusted_cas.with_code(ca(), CODE, NOW), f"{CODE} ", NOW, InvalidCertificate, "given out last"),
    "nothing": (trusted_cas.with_code(ca(), CODE, NOW), "", NOW, InvalidCertificate, "given out last"),
    "a surrogate": (trusted_cas.with_code(ca(), CODE, NOW), "\ud800", NOW, InvalidCertificate, "given out last"),
    "the code before": (
        trusted_cas.with_code(trusted_cas.with_code(ca(), CODE, NOW), CODE[::-1], NOW),
        *(CODE, NOW, InvalidCertificate, "given out last"),
    ),
    "the code of the certificate before": (
        trusted_cas.with_certificate(trusted_cas.with_code(ca(), CODE, NOW), dated(der=b"next")),
        *(CODE, NOW, Conflict, "was never asked for"),
    ),
    "an expired CA": (
        trusted_cas.with_code(ca(certificate=dated(not_after=NOW)), CODE, NOW),
        *(CODE, NOW + SECOND, Conflict, "replace it"),
    ),
}


@pytest.mark.parametrize(("one", "code", "now", "error", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_proves_nothing_is_refused_with_the_reason(one, code, now, error, told):
    with pytest.raises(error, match=told):
        trusted_cas.with_proof(one, code, now)


def test_a_code_lives_a_day_in_whole_seconds():
    waiting = trusted_cas.with_code(ca(), CODE, NOW + timedelta(microseconds=5))
    assert waiting.code_expires_at == NOW + CODE_LIFETIME == NOW + DAY


def test_an_expired_ca_gets_no_code():
    with pytest.raises(Conflict, match="replace it"):
        trusted_cas.with_code(ca(certificate=dated(not_after=NOW - SECOND)), CODE, NOW)


@pytest.mark.parametrize("version", ["3.0", "3.2", "2.1", "3", "", "3.1 ", "*"])
def test_a_version_that_is_not_the_present_one_is_stale(version):
    with pytest.raises(StaleVersion, match=r"its version is 3\.1"):
        trusted_cas.require_version(ca(), version)


def test_the_present_version_or_none_is_taken():
    present = ca()
    for version in (present.version, "3.1", None):
        trusted_cas.require_version(present, version)
    assert present.version == "3.1"


def test_one_certificate_is_trusted_under_one_name():
    with pytest.raises(Conflict, match="'factory' has this very certificate"):
        trusted_cas.require_unknown([ca()], CERTIFICATE)
    trusted_cas.require_unknown([ca()], dated(der=b"next"))


def test_a_namespace_trusts_a_bounded_number():
    trusted_cas.require_room([ca()] * (MOST - 1))
    with pytest.raises(Conflict, match="at most 100"):
        trusted_cas.require_room([ca()] * MOST)


def test_the_statuses_are_the_words_people_know():
    assert list(TrustStatus) == ["Unverified", "Verified", "Expired"]
