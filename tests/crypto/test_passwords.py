"""Argon2id for passwords at rest."""

from typing import Any

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from sts.core.errors import AuthenticationFailed, OperatorError
from sts.crypto import passwords
from sts.crypto.passwords import hash_password, verify_password


def test_right_password_is_accepted_and_its_neighbour_in_another_encoding_is_not() -> None:
    kept = hash_password("pässword".encode())
    assert accepts(kept, "pässword".encode())
    assert not accepts(kept, "pässword".encode("latin-1"))


def accepts(kept: str, attempt: bytes) -> bool:
    """Whether this is the password."""
    try:
        verify_password(kept, attempt)
    except AuthenticationFailed:
        return False
    return True


@pytest.mark.parametrize("attempt", [b"", b"secre", b"secret ", b"Secret", b"secret\x00"])
def test_wrong_password_is_refused(attempt: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        verify_password(hash_password(b"secret"), attempt)


def test_hash_says_argon2id_with_the_chosen_parameters_and_a_fresh_salt() -> None:
    first, second = hash_password(b"secret"), hash_password(b"secret")
    parameters = extract_parameters(first)
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert first != second


def test_foreign_argon2_reads_the_hash() -> None:
    assert PasswordHasher().verify(hash_password(b"secret"), b"secret")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that Argon2 was asked to compute against, as they come."""
    asked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, password_hash: str, password: bytes) -> Any:
        asked.append(password_hash)
        return verify(self, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return asked


def test_absent_hash_costs_one_argon2_of_the_same_parameters_and_fails(hashed: list[str]) -> None:
    with pytest.raises(AuthenticationFailed):
        verify_password(None, b"anything")
    assert [extract_parameters(each) for each in hashed] == [extract_parameters(hash_password(b"secret"))]


def test_absent_hash_answers_like_a_wrong_password() -> None:
    with pytest.raises(AuthenticationFailed) as absent:
        verify_password(None, b"anything")
    with pytest.raises(AuthenticationFailed) as wrong:
        verify_password(hash_password(b"secret"), b"anything")
    assert absent.value.codes == wrong.value.codes


def test_absent_hash_fails_even_for_the_password_behind_the_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_NOBODY", hash_password(b"known"))
    with pytest.raises(AuthenticationFailed):
        verify_password(None, b"known")


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$abc"])
def test_damaged_hash_is_refused(stored: str) -> None:
    with pytest.raises(AuthenticationFailed):
        verify_password(stored, b"secret")


def test_password_over_the_limit_is_refused_without_hashing(hashed: list[str]) -> None:
    stored = hash_password(b"x" * 1024)
    verify_password(stored, b"x" * 1024)
    hashed.clear()
    with pytest.raises(AuthenticationFailed):
        verify_password(stored, b"x" * 1025)
    assert hashed == []


@pytest.mark.parametrize("password", [b"", b"x" * 1025])
def test_password_that_cannot_be_set_is_refused(password: bytes) -> None:
    with pytest.raises(OperatorError):
        hash_password(password)
