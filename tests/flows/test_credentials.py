"""Which credential signs, seen in tokens of every format under a moved clock (design, section 2)."""

from datetime import datetime, timedelta

import pytest

from sts.core.errors import Conflict, InvalidConfiguration
from sts.core.model import Credential
from sts.operations.rings import RingName
from tests.flows.doors import ONE_OF_EACH, Caller, Door, realm_of
from tests.flows.operators import dedicated, delete, first, generate, promote, revoke, ring_of
from tests.flows.tokens import CERTIFICATE_PARTIES, KEY_PARTIES, PARTIES, signer_of
from tests.flows.world import World, members

SECOND = timedelta(seconds=1)
EVERY_PARTY = pytest.mark.parametrize("party", PARTIES)
SIGNED_BY_CERTIFICATE = pytest.mark.parametrize("party", CERTIFICATE_PARTIES)
SIGNED_BY_KEY = pytest.mark.parametrize("party", KEY_PARTIES)


def signer(world: World, party: str) -> Credential:
    """What signs for a relying party now, by the token it gets."""
    return signer_of(world, party, world.token(party))


def refusal(world: World, party: str) -> str:
    """Why a relying party gets no token now."""
    answer = world.oauth(party)
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_target"), answer.text
    description: str = members(answer)["error_description"]
    assert description.startswith("ACS50003: " if party in KEY_PARTIES else "ACS50004: ")
    return description


def begins(at: datetime) -> str:
    """An instant as refusals write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@EVERY_PARTY
def test_a_new_credential_does_not_sign_until_it_is_made_primary(world: World, party: str) -> None:
    old = signer(world, party)
    new = generate(world, ring_of(party))
    world.move(days=30)
    assert signer(world, party).id == old.id
    promote(world, ring_of(party), new)
    assert signer(world, party).id == new.id


@EVERY_PARTY
def test_a_scheduled_credential_takes_over_in_its_very_second(world: World, party: str) -> None:
    old, new = signer(world, party), generate(world, ring_of(party))
    at = world.now + timedelta(days=3)
    promote(world, ring_of(party), new, at)
    world.clock.now = at - timedelta(microseconds=1)
    assert signer(world, party).id == old.id
    world.clock.now = at
    assert signer(world, party).id == new.id


@EVERY_PARTY
def test_what_was_just_published_signs_six_seconds_later(world: World, party: str) -> None:
    old, new = signer(world, party), generate(world, ring_of(party))
    promote(world, ring_of(party), new)
    world.move(seconds=5.999999)
    assert signer(world, party).id == old.id
    world.move(microseconds=1)
    assert signer(world, party).id == new.id


@EVERY_PARTY
def test_an_expired_primary_fails_after_its_last_second_and_nothing_steps_in(world: World, party: str) -> None:
    primary, other = signer(world, party), generate(world, ring_of(party), days=9000)
    world.clock.now = primary.not_after + timedelta(microseconds=999_999)
    assert signer(world, party).id == primary.id
    world.clock.now = primary.not_after + SECOND
    told = refusal(world, party)
    assert primary.thumbprint[:16] in told
    assert f"expired on {begins(primary.not_after)}" in told
    assert "make-primary --namespace contoso --use signing" in told
    promote(world, ring_of(party), other)
    assert signer(world, party).id == other.id


@EVERY_PARTY
def test_a_revoked_primary_fails_at_once_and_nothing_steps_in(world: World, party: str) -> None:
    primary, other = signer(world, party), generate(world, ring_of(party))
    revoke(world, ring_of(party), primary)
    told = refusal(world, party)
    assert f"was revoked on {begins(world.now)}" in told
    world.move(seconds=6)
    promote(world, ring_of(party), other)
    assert signer(world, party).id == other.id


@EVERY_PARTY
def test_a_deleted_primary_does_not_bring_its_predecessor_back(world: World, party: str) -> None:
    ring = ring_of(party)
    second = generate(world, ring)
    world.move(seconds=6)
    promote(world, ring, second)
    assert signer(world, party).id == second.id
    revoke(world, ring, second)
    delete(world, ring, second)
    assert "deleted" in refusal(world, party) or "revoked" in refusal(world, party)


@EVERY_PARTY
def test_the_primary_cannot_be_deleted(world: World, party: str) -> None:
    with pytest.raises(Conflict):
        delete(world, ring_of(party), signer(world, party))
    assert world.oauth(party).status_code == 200


DELIVERED = [pytest.param(d, party, id=f"{d.name}-{party}") for d in ONE_OF_EACH for party in d.parties]


@pytest.mark.parametrize(("door", "party"), DELIVERED)
def test_the_reason_is_told_at_every_door_and_logged_once(world: World, door: Door, party: str) -> None:
    revoke(world, ring_of(party), first(world, ring_of(party)))
    answer = door(world, Caller(realm_of(party)))
    assert answer.status_code == 400
    assert "promote another with" in answer.text
    code = "ACS50003" if party in KEY_PARTIES else "ACS50004"
    outer = "ACS50000: There was an error issuing a token. " if door is not ONE_OF_EACH[0] else ""
    assert f"{outer}{code}: the primary" in answer.text
    (record,) = world.records()
    assert (record["error"], record["trace_id"] in answer.text) == (code, True)


@EVERY_PARTY
def test_a_credential_of_its_own_signs_for_that_relying_party_alone(world: World, party: str) -> None:
    shared = signer(world, party)
    own = generate(world, dedicated(party))
    assert signer(world, party).id == own.id
    for other in PARTIES:
        assert other == party or ring_of(other) != ring_of(party) or signer(world, other).id == shared.id


@EVERY_PARTY
def test_of_several_that_were_never_primary_the_earliest_valid_one_signs(world: World, party: str) -> None:
    ring = dedicated(party)
    third = generate(world, ring, begin=world.now + timedelta(days=2))
    second = generate(world, ring, begin=world.now + timedelta(days=1), days=4)
    assert begins(second.not_before) in refusal(world, party)
    world.clock.now = second.not_before - SECOND
    refusal(world, party)
    world.clock.now = second.not_before
    assert signer(world, party).id == second.id
    world.clock.now = third.not_before
    assert signer(world, party).id == second.id
    world.clock.now = second.not_after + SECOND
    assert signer(world, party).id == third.id


@SIGNED_BY_KEY
def test_an_expired_key_of_its_own_falls_back_to_the_namespaces(world: World, party: str) -> None:
    shared, own = signer(world, party), generate(world, dedicated(party), days=1)
    world.clock.now = own.not_after
    assert signer(world, party).id == own.id
    world.clock.now = own.not_after + SECOND
    assert signer(world, party).id == shared.id


@SIGNED_BY_KEY
def test_even_an_expired_primary_key_of_its_own_falls_back(world: World, party: str) -> None:
    shared, own = signer(world, party), generate(world, dedicated(party), days=1)
    world.move(seconds=6)
    promote(world, dedicated(party), own)
    world.clock.now = own.not_after + SECOND
    assert signer(world, party).id == shared.id


@SIGNED_BY_KEY
def test_a_key_still_to_come_is_a_replacement_and_there_is_no_fall_back(world: World, party: str) -> None:
    own = generate(world, dedicated(party), days=1)
    coming = generate(world, dedicated(party), begin=own.not_after + timedelta(days=1))
    world.clock.now = own.not_after + SECOND
    assert begins(coming.not_before) in refusal(world, party)
    world.clock.now = coming.not_before
    assert signer(world, party).id == coming.id


@SIGNED_BY_CERTIFICATE
def test_an_expired_certificate_of_its_own_does_not_fall_back(world: World, party: str) -> None:
    own = generate(world, dedicated(party), days=1)
    world.clock.now = own.not_after + SECOND
    assert f"--relying-party {party}" in refusal(world, party)


@EVERY_PARTY
def test_a_revoked_credential_of_its_own_does_not_fall_back(world: World, party: str) -> None:
    own = generate(world, dedicated(party))
    revoke(world, dedicated(party), own)
    assert f"--relying-party {party}" in refusal(world, party)


@EVERY_PARTY
def test_when_its_own_credential_is_deleted_the_namespaces_signs_again(world: World, party: str) -> None:
    shared, own = signer(world, party), generate(world, dedicated(party))
    revoke(world, dedicated(party), own)
    delete(world, dedicated(party), own)
    assert signer(world, party).id == shared.id


@pytest.mark.parametrize(("party", "other"), [("hs256", "jwt"), ("jwt", "hs256")])
def test_a_credential_of_the_other_kind_does_not_sign(world: World, party: str, other: str) -> None:
    shared = signer(world, party)
    outcome = generate(world, RingName("contoso", kind=ring_of(other).kind, relying_party=party))
    assert outcome.kind is not shared.kind
    assert signer(world, party).id == shared.id


MANAGED = """
namespace: contoso
relying_parties:
  - {{name: managed, realm: "https://managed.example/", token_format: {format}, managed: true, rule_groups: [all]}}
"""


@pytest.mark.parametrize("party", ["swt", "jwt", "saml11", "saml20"])
def test_a_managed_relying_party_has_the_namespaces_credentials_alone(world: World, party: str) -> None:
    world.apply(MANAGED.format(format=party))
    assert signer(world, "managed").id == signer(world, party).id
    with pytest.raises(Conflict, match="managed"):
        generate(world, RingName("contoso", kind=ring_of(party).kind, relying_party="managed"))
    generate(world, dedicated(party))
    own = MANAGED.format(format=party).replace("name: managed, ", f"name: {party}, ").replace("managed.", f"{party}.")
    with pytest.raises(InvalidConfiguration, match="managed"):
        world.apply(own)


def test_a_credential_for_decryption_never_signs(world: World) -> None:
    with pytest.raises(Conflict, match="decryption"):
        promote(world, RingName("contoso"), next(c for c in world.namespace.credentials if c.use == "decryption"))


@EVERY_PARTY
def test_what_is_not_valid_cannot_be_made_primary(world: World, party: str) -> None:
    ring = ring_of(party)
    expired = generate(world, ring, days=1)
    coming = generate(world, ring, begin=world.now + timedelta(days=10))
    revoked = generate(world, ring)
    revoke(world, ring, revoked)
    world.move(days=2)
    for chosen in (expired, coming, revoked):
        with pytest.raises(Conflict):
            promote(world, ring, chosen)
    promote(world, ring, coming, coming.not_before)
    world.clock.now = coming.not_before
    assert signer(world, party).id == coming.id
