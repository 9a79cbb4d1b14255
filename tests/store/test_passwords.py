"""Digests of passwords: what is right, what is counted, what is remembered."""

import hashlib
from datetime import timedelta

import pytest

from sts.core.errors import AuthenticationFailed, TooManyRequests
from sts.core.exchange import DigestAttempt, DigestProof
from sts.store.failures import FailureCounters
from sts.store.passwords import LimitedPasswords
from tests.contract.backends import SqlBackend
from tests.core.builders import NOW, namespace

PASSWORD = b"correct horse"
CREATED = "2026-06-01T12:00:00Z"


def attempt(password: bytes = PASSWORD, nonce: bytes = b"n" * 16, source: str = "192.0.2.1") -> DigestAttempt:
    digest = hashlib.sha1(nonce + CREATED.encode() + password).digest()
    return DigestAttempt(namespace(), DigestProof("worker", nonce, CREATED, NOW, digest), source)


def test_digest_is_that_of_nonce_created_and_password(sql: SqlBackend) -> None:
    passwords = LimitedPasswords(FailureCounters(sql.database))
    for _ in range(12):  # more than may be wrong
        passwords.check_digest(PASSWORD, attempt(), NOW)
    with pytest.raises(AuthenticationFailed):
        passwords.check_digest(PASSWORD, attempt(nonce=b"n" * 15 + b"m", password=PASSWORD + b"!"), NOW)


@pytest.mark.parametrize("kept", [b"another", b"", None])
@pytest.mark.parametrize("made_with", [PASSWORD, b""])
def test_digest_of_another_or_no_password_is_refused(sql: SqlBackend, kept: bytes | None, made_with: bytes) -> None:
    passwords = LimitedPasswords(FailureCounters(sql.database))
    with pytest.raises(AuthenticationFailed):
        passwords.check_digest(kept, attempt(made_with), NOW)


def test_wrong_digests_are_counted_with_wrong_passwords(sql: SqlBackend) -> None:
    passwords = LimitedPasswords(FailureCounters(sql.database))
    for _ in range(10):
        with pytest.raises(AuthenticationFailed):
            passwords.check_digest(PASSWORD, attempt(b"guess"), NOW)
    for right in (attempt(), attempt(nonce=b"m" * 16)):
        with pytest.raises(TooManyRequests):
            LimitedPasswords(FailureCounters(sql.database)).check_digest(PASSWORD, right, NOW)


def test_strangers_who_guess_do_not_lock_out_whoever_was_right_before(sql: SqlBackend) -> None:
    passwords = LimitedPasswords(FailureCounters(sql.database))
    passwords.check_digest(PASSWORD, attempt(), NOW)
    for _ in range(10):
        with pytest.raises(AuthenticationFailed):
            passwords.check_digest(PASSWORD, attempt(b"guess"), NOW)
    passwords.check_digest(PASSWORD, attempt(nonce=b"m" * 16), NOW + timedelta(minutes=1))


def test_right_digest_is_remembered_only_where_it_came_from(sql: SqlBackend) -> None:
    passwords = LimitedPasswords(FailureCounters(sql.database))
    passwords.check_digest(PASSWORD, attempt(), NOW)
    for _ in range(10):
        with pytest.raises(AuthenticationFailed):
            passwords.check_digest(PASSWORD, attempt(b"guess", source="192.0.2.2"), NOW)
    with pytest.raises(TooManyRequests):
        passwords.check_digest(PASSWORD, attempt(source="192.0.2.2"), NOW)
