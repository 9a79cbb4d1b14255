"""Rows N in the answer of an identity provider: whatever is wrong with what is encrypted, one answer and no token."""

from collections.abc import Callable

import pytest

from sts.core.model import ContentEncryption
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.encryption import CBC, GCM, Sealing, sealed
from tests.threats.endpoints import Refusal
from tests.threats.identity_providers import Said, assertion, unsigned
from tests.threats.response_door import begun, brought, open_door, refused, refused_token, staged
from tests.threats.test_encrypted_assertions import SEALINGS

PROVIDERS = {GCM: "gcm", CBC: "cbc"}
ALGORITHMS = pytest.mark.parametrize("algorithm", [GCM, CBC], ids=str)
NOT_VALID = "The encrypted token is not valid."


@pytest.fixture(scope="module")
def door(shared_world: World) -> World:
    """A service at which people sign in by identity providers that it trusts."""
    return open_door(shared_world)


@pytest.fixture(scope="module")
def one_answer(door: World) -> Refusal:
    """The one answer to whatever is wrong with what an identity provider sent."""
    return refused(door, b"nonsense", "gcm")


def said(world: World, algorithm: ContentEncryption) -> bytes:
    """An honest assertion of the identity provider that is held to this algorithm."""
    return assertion(staged(world), Said(issuer=f"urn:{PROVIDERS[algorithm]}"))


@ALGORITHMS
@pytest.mark.parametrize("owner", ["sts", "old"])
def test_encrypted_answer_opens_with_primary_and_other_certificate(
    door: World, algorithm: ContentEncryption, owner: str
) -> None:
    made = sealed(said(door, algorithm), Sealing(algorithm, owner=owner))
    assert brought(door, made, PROVIDERS[algorithm]).status == 200
    assert door.records()[-1]["principal"] == "alice@corp.example"


@pytest.mark.parametrize("row", SEALINGS)
def test_encryption_that_does_not_hold_is_refused(door: World, one_answer: Refusal, row: str) -> None:
    sealing = SEALINGS[row]
    found = refused_token(door, sealed(said(door, sealing.algorithm), sealing), PROVIDERS[sealing.algorithm])
    assert found.answer == one_answer.answer
    assert found.reason.startswith((NOT_VALID, "There was an error processing a WS-Federation sign-in response. ("))


@pytest.mark.parametrize("bits", range(1, 256), ids=lambda bits: f"N01-{bits:02x}")
def test_any_last_byte_of_cbc_has_one_answer(door: World, one_answer: Refusal, bits: int) -> None:
    token = said(door, CBC)
    whole = b"\n" * (-len(token) % 16 + 15) + token
    changed = Sealing(CBC, change_content=lambda data: data[:-1] + bytes([data[-1] ^ bits]))
    found = refused_token(door, sealed(whole, changed), "cbc")
    assert found.answer == one_answer.answer
    assert found.reason.startswith(f"{NOT_VALID} (content: ")


CONTENT: dict[str, Callable[[World, str], bytes]] = {
    "N02": lambda world, name: b"what is no XML",
    "N02-empty": lambda world, name: b"",
    "N03": lambda world, name: unsigned(staged(world), Said(issuer=f"urn:{name}")).encode(),
    "N12": lambda world, name: unsigned(staged(world), Said(issuer=f"urn:{name}")).encode(),
    "N17-encrypted twice": lambda world, name: sealed(assertion(staged(world), Said(issuer=f"urn:{name}")), Sealing()),
    "A01": lambda world, name: assertion(staged(world)),
    "A03": lambda world, name: assertion(staged(world, audience="https://other.example/"), Said(issuer=f"urn:{name}")),
    "A16": lambda world, name: assertion(
        staged(world), Said(issuer=f"urn:{name}", begins="", ends="2020-01-01T00:00:00Z")
    ),
    "X05": lambda world, name: b"<!DOCTYPE x>" + assertion(staged(world), Said(issuer=f"urn:{name}")),
    "D26": lambda world, name: response(assertion(staged(world), Said(issuer=f"urn:{name}")).decode()).encode(),
}


@ALGORITHMS
@pytest.mark.parametrize("row", CONTENT)
def test_content_that_does_not_hold_is_refused_alike(
    door: World, one_answer: Refusal, row: str, algorithm: ContentEncryption
) -> None:
    name = PROVIDERS[algorithm]
    found = refused_token(door, sealed(CONTENT[row](door, name), Sealing(algorithm)), name)
    assert found.answer == one_answer.answer
    assert found.record["message"] == NOT_VALID


@pytest.mark.parametrize(
    ("provider", "algorithm", "reason"),
    [
        pytest.param("gcm", CBC, "cbc, not aes256-gcm", id="N05"),
        pytest.param("cbc", GCM, "gcm, not aes256-cbc", id="N05-the other way"),
        pytest.param("adfs", GCM, "has no decryption pinned", id="N05-none"),
    ],
)
def test_algorithm_is_the_one_that_the_identity_provider_is_held_to(
    door: World, one_answer: Refusal, provider: str, algorithm: ContentEncryption, reason: str
) -> None:
    made = sealed(said(door, algorithm), Sealing(algorithm))
    found = refused_token(door, made, provider)
    assert found.answer == one_answer.answer
    assert reason in found.reason


def test_n18_encrypted_to_another_key_than_ours_does_not_open(door: World, one_answer: Refusal) -> None:
    found = refused_token(door, sealed(said(door, GCM), Sealing(owner="idp")), "gcm")
    assert found.answer == one_answer.answer
    assert "key: none of our" in found.reason


def test_bare_encrypted_data_is_read_too_and_refused_alike(door: World, one_answer: Refusal) -> None:
    """As WIF encrypts; the element around it says nothing that is believed."""

    def bare(sealing: Sealing) -> bytes:
        text = sealed(said(door, GCM), sealing).decode()
        return text[text.index("<xenc:EncryptedData") : text.index("</EncryptedAssertion>")].encode()

    assert brought(door, bare(Sealing()), "gcm").status == 200
    tampered = bare(Sealing(change_content=lambda data: data[:-1] + bytes([data[-1] ^ 1])))
    assert refused_token(door, tampered, "gcm").answer == one_answer.answer


def test_refused_decryption_uses_the_state_up(door: World) -> None:
    """One sign-in, one decryption (threats.md, 7.3)."""
    person, state = begun(door, "gcm")
    assert person.bring(state, response(sealed(said(door, GCM), Sealing(owner="stranger")).decode())).status == 400
    again = person.bring(state, response(sealed(said(door, GCM), Sealing()).decode()))
    assert (again.status, again.heading) == (400, "Please sign in again")
