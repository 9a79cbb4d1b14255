"""An identity provider that was saved under a name of ours, or almost under another one's, does not speak for them."""

from dataclasses import replace

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.exchange import Actor
from sts.core.model import Claim, IdentityProvider, TokenFormat
from sts.core.uris import JWT_TOKEN
from sts.store import identity_providers
from tests.core.test_acceptance import MODULES
from tests.crypto.identities import signer
from tests.flows.tokens import content_of
from tests.flows.world import SECRET, World, members
from tests.protocols.wstrust.messages import TrustMessage, binary_token, request, username_token
from tests.threats.assertion_doors import issued_in
from tests.threats.endpoints import seen_refused
from tests.threats.identity_providers import ADFS, NAMESPACE
from tests.threats.test_forged_actors import acting, by_oauth, described
from tests.threats.trust_door import deliver, fault, furnished, good

ROGUE, REALM = "urn:rogue", "https://rogues.example/"
CONFIGURATION = f"""
namespace: contoso
identity_providers:
  - {{name: rogue, issuer: "{ROGUE}", certificates: [attacker-rsa2048.cer]}}
relying_parties:
  - {{name: rogues, realm: "{REALM}", token_format: jwt, rule_groups: [rogues], identity_providers: [rogue]}}
rule_groups:
  - {{name: rogues, rules: [{{input: {{issuer: rogue}}}}, {{input: {{issuer: LOCAL AUTHORITY}}}}]}}
"""


def rogue_as(world: World, issuer: str) -> None:
    """The rogue's record with an issuer that no configuration file may give it any more."""
    furnished(world).apply(CONFIGURATION)
    with world.service.installation.database.changing("tests", world.now) as change:
        known = identity_providers.list_all(change.connection, world.namespace)
        (held,) = [each for each in known if each.name == "rogue"]
        saved: IdentityProvider = identity_providers.save(change, world.namespace, replace(held, issuer=issuer))
        change.audit("contoso", "identity-provider.change", "identity-provider:rogue", {"issuer": issuer})
    assert saved.issuer == issuer
    world.move(seconds=10)


def said_by_rogue(world: World, issuer: str, name: str, *actors: Actor) -> bytes:
    """What the rogue's own key signs."""
    claims = (Claim(NAME_IDENTIFIER, name, issuer),)
    told = described(world, *actors)._replace(issuer=issuer, claims=claims)
    written: bytes = MODULES[TokenFormat.SAML20].write(told, signer("rsa2048", "attacker"))
    return written


def come_back(world: World, issuer: str, name: str) -> TrustMessage:
    """The butler's message with the token of ours that was issued for what the rogue said."""
    answer = by_oauth(world, said_by_rogue(world, issuer, name), REALM)
    assert answer.status_code == 200, answer.text
    token = binary_token(members(answer)["access_token"].encode(), JWT_TOKEN)
    body = request(REALM, f"<t:OnBehalfOf>{token}</t:OnBehalfOf>")
    return good(world, body, token=username_token("butler", SECRET))


@pytest.mark.parametrize(("issuer", "name"), [(NAMESPACE, "worker"), ("local", "ann")])
def test_whom_a_rogue_names_comes_not_back_as_somebody_of_ours(world: World, issuer: str, name: str) -> None:
    rogue_as(world, issuer)
    found = fault(world, come_back(world, issuer, name))
    assert found.subcode == "FailedAuthentication"
    assert f"'{issuer}' may be 2 who vouch" in found.detail


@pytest.mark.parametrize("issuer", [ROGUE, NAMESPACE.rstrip("/"), "LOCAL AUTHORITY"])
def test_whom_it_names_under_a_name_of_its_own_comes_back_as_that(world: World, issuer: str) -> None:
    rogue_as(world, issuer)
    claims = content_of(world, "jwt", issued_in(deliver(world, come_back(world, issuer, "worker")))).claims
    assert claims[IDENTITY_PROVIDER] == [issuer]


def test_whose_issuer_is_almost_another_ones_names_no_actors_of_that_one(world: World) -> None:
    near = ADFS.rstrip("/")
    rogue_as(world, near)
    for voucher in (ADFS, ADFS.upper(), near.upper()):
        presented = said_by_rogue(world, near, "alice", Actor("front", voucher))
        assert "(actor)" in seen_refused(world, lambda presented=presented: by_oauth(world, presented, REALM)).reason
    for voucher in (near, "rogue"):
        answer = by_oauth(world, said_by_rogue(world, near, "alice", Actor("front", voucher)), REALM)
        assert acting(by_oauth, answer) == [("front", voucher)]
