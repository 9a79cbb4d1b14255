"""Threat rows N at the doors where assertions are exchanged: whatever is wrong with one, the answer is the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.crypto.identities import certificate
from tests.flows.world import World
from tests.threats.assertion_doors import ACS, OAUTH2, TRUST, WRAP, AssertionDoor, every_door
from tests.threats.encryption import CBC, GCM, Sealing, sealed
from tests.threats.identity_providers import HONEST, Said, assertion, stage, trust, unsigned
from tests.threats.test_xml_encryption import AFTER_A_KEY, BEFORE_A_KEY

ISSUERS = {GCM: "urn:gcm", CBC: "urn:cbc"}


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


def encrypted(world: World, door: AssertionDoor, sealing: Sealing, issuer: str = "") -> bytes:
    """An honest assertion, encrypted as the recipe says."""
    at = stage(world, recipient=door.recipient)
    return sealed(assertion(at, Said(issuer=issuer or ISSUERS[sealing.algorithm])), sealing)


def credential_of(world: World, owner: str) -> int:
    """The number of the credential that has the owner's key."""
    return next(c.id for c in world.namespace.credentials if c.certificate == certificate("rsa2048", owner))


@every_door
@pytest.mark.parametrize("algorithm", [GCM, CBC])
@pytest.mark.parametrize("owner", ["sts", "old"])
def test_encrypted_assertion_opens_with_primary_and_other_certificate(
    trusting: World, door: AssertionDoor, algorithm: str, owner: str
) -> None:
    made = encrypted(trusting, door, Sealing(algorithm, owner=owner))  # type: ignore[arg-type]
    assert door.present(trusting, made).status_code == 200
    record = trusting.records()[-1]
    assert record["principal"] == "alice@corp.example"
    assert record["decrypted_by"] == credential_of(trusting, owner)


@pytest.mark.parametrize(
    ("sealing", "opener"),
    [
        (Sealing(owner="old", change_content=lambda data: data[:-1]), "old"),
        (Sealing(CBC, change_content=lambda data: bytes(16) + data[16:]), "sts"),
        (Sealing(owner="stranger"), None),
        (Sealing(method="urn:none"), ""),
    ],
    ids=["content of GCM", "content of CBC", "nobody's", "refused before a key is used"],
)
def test_record_of_a_refusal_names_the_credential_that_fitted_and_the_answer_does_not(
    trusting: World, sealing: Sealing, opener: str | None
) -> None:
    found = OAUTH2.refusal(trusting, encrypted(trusting, OAUTH2, sealing))
    wanted = credential_of(trusting, opener) if opener else {None: 0, "": None}[opener]
    assert found.record.get("decrypted_by") == wanted
    assert found.answer == OAUTH2.refusal(trusting, b"nonsense").answer


def _id(row: str) -> str:
    return row.replace(" ", "-", 1)


SEALINGS = {_id(row): sealing for row, (sealing, _, _) in BEFORE_A_KEY.items() if row not in ("N05", "not encrypted")}
SEALINGS |= {_id(row): sealing for row, sealing in AFTER_A_KEY.items()}
CONTENT: dict[str, Callable[[World], bytes]] = {
    "N02": lambda world: b"what is no XML",
    "N03": lambda world: unsigned(stage(world), Said(issuer="urn:cbc")).encode(),
    "N12": lambda world: unsigned(stage(world), Said(issuer="urn:gcm")).encode(),
    "of nobody": lambda world: assertion(stage(world), Said(issuer="urn:nobody")),
    "for another audience": lambda world: assertion(stage(world, audience="https://other.example/")),
    "expired": lambda world: assertion(stage(world), replace(HONEST, begins="", ends="2020-01-01T00:00:00Z")),
    "twice": lambda world: sealed(assertion(stage(world)), Sealing()),
}


@every_door
@pytest.mark.parametrize("row", SEALINGS)
def test_encryption_that_does_not_hold_is_refused(trusting: World, door: AssertionDoor, row: str) -> None:
    found = door.refusal(trusting, encrypted(trusting, door, SEALINGS[row]))
    if row not in ("N16", "X05"):  # which are not XML, and show so before anything is known of them
        assert found.record["message"] == "The encrypted token is not valid."
    if door.unread not in found.body:
        assert found.answer == door.refusal(trusting, b"nonsense").answer


@every_door
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 64, 127, 128, 254, 255])
def test_n01_any_last_byte_of_cbc_has_one_answer(trusting: World, door: AssertionDoor, bits: int) -> None:
    made = encrypted(trusting, door, Sealing(CBC))
    content = Sealing(CBC, change_content=lambda data: data[:-1] + bytes([data[-1] ^ bits]))
    at = stage(trusting, recipient=door.recipient)
    padded = b"\n" * (-len(assertion(at, Said(issuer="urn:cbc"))) % 16 + 15)
    found = door.refusal(trusting, sealed(padded + assertion(at, Said(issuer="urn:cbc")), content))
    assert found.answer == door.refusal(trusting, made.replace(b"aes256-cbc", b"aes128-cbc")).answer
    assert found.reason.startswith("The encrypted token is not valid. (content: ")


@every_door
@pytest.mark.parametrize("algorithm", [GCM, CBC])
@pytest.mark.parametrize("row", CONTENT)
def test_content_that_does_not_hold_is_refused_alike(
    trusting: World, door: AssertionDoor, algorithm: str, row: str
) -> None:
    made = sealed(CONTENT[row](trusting), Sealing(algorithm))  # type: ignore[arg-type]
    found = door.refusal(trusting, made)
    assert found.record["message"] == "The encrypted token is not valid."
    assert found.answer == door.refusal(trusting, b"nonsense").answer


@every_door
@pytest.mark.parametrize(
    ("issuer", "algorithm", "reason"),
    [
        ("urn:gcm", CBC, "held to aes256-gcm, not aes256-cbc"),
        ("urn:cbc", GCM, "held to aes256-cbc, not aes256-gcm"),
        ("https://idp.example/", GCM, "held to None, not aes256-gcm"),
    ],
    ids=["N05", "N05-the other way", "N05-none"],
)
def test_algorithm_is_the_one_that_its_identity_provider_is_held_to(
    trusting: World, door: AssertionDoor, issuer: str, algorithm: str, reason: str
) -> None:
    made = encrypted(trusting, door, Sealing(algorithm), issuer)  # type: ignore[arg-type]
    assert reason in door.refusal(trusting, made).reason


@every_door
def test_n18_encrypted_to_our_signing_certificate_does_not_open(trusting: World, door: AssertionDoor) -> None:
    assert "key: none of our" in door.refusal(trusting, encrypted(trusting, door, Sealing(owner="idp"))).reason


def test_n05_without_an_algorithm_that_anybody_is_held_to_nothing_is_decrypted(world: World) -> None:
    found = OAUTH2.refusal(world, encrypted(world, OAUTH2, Sealing()))
    assert "no identity provider sends encrypted tokens" in found.reason


@pytest.mark.parametrize("where", [(OAUTH2, ACS, WRAP), (TRUST,)], ids=["token endpoints", "wstrust"])
def test_n04_source_that_failed_twenty_times_in_a_minute_waits(world: World, where: tuple[AssertionDoor, ...]) -> None:
    trust(world)
    bad = encrypted(world, OAUTH2, Sealing(owner="stranger"))
    for number in range(20):
        door = where[number % len(where)]
        assert door.present(world, bad, source="203.0.113.7").status_code == door.status
    for door in (OAUTH2, ACS, WRAP, TRUST):
        answer = door.present(world, encrypted(world, door, Sealing()), source="203.0.113.7")
        assert answer.status_code == (400 if door is TRUST else 429)  # every fault of a sender is 400
        assert ("ACS90055" in answer.text, int(answer.headers["Retry-After"]) <= 60) == (True, True)
        assert door.present(world, encrypted(world, door, Sealing()), source="203.0.113.8").status_code == 200
    for door in where:
        plain = assertion(stage(world, recipient=door.recipient))
        assert door.present(world, plain, source="203.0.113.7").status_code == 200
    world.move(minutes=1)
    for door in where:
        assert door.present(world, encrypted(world, door, Sealing()), source="203.0.113.7").status_code == 200
