"""Proof keys that an identity provider wrapped for us: every key tried, one answer, a budget."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1

from sts.core.decryption import with_proof_key
from sts.core.errors import NO_CREDENTIAL, InvalidEncryptedToken, InvalidSignature, StsError, TooManyRequests
from sts.core.exchange import SymmetricWrapped
from sts.core.model import KeyTransport
from tests.core.builders import NOW
from tests.core.test_acceptance import Door
from tests.crypto.identities import rsa_key

PROOF_KEY = bytes(range(32))


@pytest.fixture
def door() -> Door:
    return Door()


def wrapped(owner: str = "sts", key: bytes = PROOF_KEY) -> SymmetricWrapped:
    """A key as an identity provider wraps it for one of ours."""
    scheme = OAEP(MGF1(SHA1()), SHA1(), None)
    return SymmetricWrapped(rsa_key(owner).public_key().encrypt(key, scheme), KeyTransport.RSA_OAEP_MGF1P_SHA1)


def proved(key: bytes) -> None:
    """What a signature under the key is found to be."""


def used(door: Door, proof_key: SymmetricWrapped, use: Callable[[bytes], None] = proved) -> int:
    return with_proof_key(door.presented(b""), proof_key, use, door.parts, NOW)


def disproved(key: bytes) -> None:
    """What a signature under another key is found to be."""
    raise InvalidSignature("The signature is not valid.", detail=f"under {len(key)} bytes")


@pytest.mark.parametrize("owner", ["sts", "old"])
@pytest.mark.parametrize("size", [16, 24, 32, 64])
def test_a_proof_key_opens_with_any_key_of_the_namespace(door: Door, owner: str, size: int) -> None:
    seen: list[bytes] = []
    assert used(door, wrapped(owner, bytes(size)), seen.append) == {"sts": 10, "old": 11}[owner]
    assert seen == [bytes(size)]
    assert door.failures.seen == []


@pytest.mark.parametrize(
    ("proof_key", "use", "reason", "opener"),
    [
        (wrapped("stranger"), proved, "proof key", NO_CREDENTIAL),
        (wrapped("stranger"), disproved, "proof key", NO_CREDENTIAL),
        (wrapped()._replace(transport=KeyTransport.RSA_OAEP_11_SHA256), disproved, "proof key", NO_CREDENTIAL),
        (wrapped()._replace(wrapped=b""), disproved, "proof key", NO_CREDENTIAL),
        (wrapped(key=b""), disproved, "proof key", 10),
        (wrapped(key=bytes(15)), proved, "proof key", 10),
        (wrapped(key=bytes(65)), proved, "proof key", 10),
        (wrapped(), disproved, "ACS50006", 10),
    ],
)
def test_every_refusal_of_a_proof_key_is_the_same_and_counted(
    door: Door, proof_key: SymmetricWrapped, use: Callable[[bytes], None], reason: str, opener: int
) -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        used(door, proof_key, use)
    assert refused.value.codes == "ACS50008: The encrypted token is not valid."
    assert (refused.value.detail or "").startswith(reason)
    assert refused.value.decrypted_by == opener
    assert door.failures.seen == [("", "203.0.113.9")]


def test_whether_a_key_fits_is_not_seen_in_what_is_done_with_it(door: Door) -> None:
    seen: list[int] = []

    def use(key: bytes) -> None:
        seen.append(len(key))
        disproved(key)

    for proof_key in (wrapped(), wrapped("stranger"), wrapped("stranger")):
        with pytest.raises(InvalidEncryptedToken):
            used(door, proof_key, use)
    assert seen == [32, 32, 32]


def test_n04_a_source_that_failed_twenty_times_is_not_listened_to(door: Door) -> None:
    for _ in range(20):
        with pytest.raises(InvalidEncryptedToken):
            used(door, wrapped("stranger"))
    with pytest.raises(TooManyRequests):
        used(door, wrapped())


def test_without_a_key_that_can_be_read_the_operator_is_needed(door: Door) -> None:
    door.key_ring.secrets.clear()
    with pytest.raises(StsError) as refused:
        used(door, wrapped())
    assert refused.value.needs_operator
