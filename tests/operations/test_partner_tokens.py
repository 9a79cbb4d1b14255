"""What operators are told about tokens that came from partners: the verdict of the doors, without using them up."""

import pytest

from sts.core.model import ContentEncryption
from sts.operations.inspection import Inspection, inspect
from sts.tokens import saml20
from tests.crypto.identities import certificate
from tests.flows.world import World, lend, make_world
from tests.threats.assertion_doors import OAUTH2
from tests.threats.identity_providers import NAMESPACE, Said, assertion, restriction, stage, trust
from tests.threats.jwts import made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    yield from lend(trust(make_world(tmp_path_factory.mktemp("partners"))))


def inspected(world: World, token: bytes, namespace: str | None = "contoso") -> Inspection:
    return inspect(world.service.installation, token, namespace, world.now)


def encrypted(token: bytes, owner: str = "sts") -> bytes:
    return saml20.encrypt(token, certificate("rsa2048", owner), ContentEncryption.AES256_GCM)


@pytest.mark.parametrize("recipient", ["v2/wsfederation", "oauth2/token"])
def test_token_of_an_identity_provider_is_told_with_who_vouches_and_is_not_used_up(
    world: World, recipient: str
) -> None:
    token = assertion(stage(world, recipient=NAMESPACE + recipient))
    for _ in range(2):
        found = inspected(world, token)
        assert (found.verified, found.reasons, found.vouched_by) == (True, (), "identity provider adfs")
    used = assertion(stage(world))
    assert OAUTH2.present(world, used).status_code == 200
    assert inspected(world, used).verified


def test_encrypted_token_opens_where_its_namespace_is_named(world: World) -> None:
    token = assertion(stage(world), Said(issuer="urn:gcm"))
    assert inspected(world, encrypted(token)).vouched_by == "identity provider gcm"
    assert inspected(world, encrypted(token), None).verified is None
    stranger = inspected(world, encrypted(token, "stranger"))
    assert (stranger.verified, "none of our" in stranger.reasons[0]) == (False, True)


def test_token_that_a_service_identity_signed_is_told_as_its_own(world: World) -> None:
    token = made(world, iss="robot", owner="robot")
    assert inspected(world, token).vouched_by == "service identity robot"


REFUSED = {
    "another audience": (Said(conditions=restriction("https://other.example/")), "audience"),
    "expired": (Said(begins="", ends="2020-01-01T00:00:00Z"), "time"),
    "disabled": (Said(issuer="urn:disabled"), "is disabled"),
    "another's key": (Said(issuer="https://other.example/"), "signature"),
}


@pytest.mark.parametrize(("said", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_reason_is_the_one_that_the_log_would_have(world: World, said: Said, reason: str) -> None:
    found = inspected(world, assertion(stage(world), said))
    assert (found.verified, found.vouched_by) == (False, None)
    assert reason in found.reasons[0]


def test_token_of_nobody_that_is_known_is_held_against_the_namespaces_credentials(world: World) -> None:
    found = inspected(world, assertion(stage(world), Said(issuer="urn:nobody")))
    assert found.verified is False
    assert "no credential of namespace contoso made its signature" in found.reasons[0]
