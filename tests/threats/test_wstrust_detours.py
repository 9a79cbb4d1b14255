"""What the rules of one relying party made becomes nobody's word at another by a detour over OnBehalfOf or ActAs."""

from base64 import b64decode

import pytest
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.model import TokenFormat
from sts.core.uris import JWT_TOKEN
from tests.flows.tokens import content_of
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import TRUST_13, WSSE, binary_token, request, username_token
from tests.threats.assertion_doors import issued_in
from tests.threats.identity_providers import ADFS, HONEST, NAMESPACE, Said, assertion, stage, values
from tests.threats.test_wstrust import delegated
from tests.threats.trust_door import Fault, deliver, fault, furnished, good

PROVIDERS = "identity_providers: [adfs]"
CONFIGURATION = f"""
namespace: contoso
relying_parties:
  - {{name: open, realm: "https://open.example/", token_format: saml20, rule_groups: [passing], {PROVIDERS}}}
  - {{name: sandbox, realm: "https://sandbox.example/", token_format: saml20, rule_groups: [passing, bosses],
     {PROVIDERS}}}
  - {{name: openjwt, realm: "https://openjwt.example/", token_format: jwt, rule_groups: [passing], {PROVIDERS}}}
  - {{name: roles, realm: "https://roles.example/", token_format: saml20, rule_groups: [roles], {PROVIDERS}}}
  - {{name: masks, realm: "https://masks.example/", token_format: saml20, rule_groups: [masks], {PROVIDERS}}}
  - {{name: short, realm: "https://short.example/", token_format: jwt, rule_groups: [names, short], {PROVIDERS}}}
rule_groups:
  - {{name: passing, rules: [{{input: {{issuer: LOCAL AUTHORITY}}}}, {{input: {{issuer: adfs}}}}]}}
  - name: bosses
    rules:
      - input: {{issuer: adfs}}
        output: {{type: "{ROLE}", value: administrator}}
      - input: {{issuer: LOCAL AUTHORITY, type: "{NAME_IDENTIFIER}"}}
        output: {{type: "{ROLE}", value: administrator}}
  - name: masks
    rules:
      - input: {{issuer: adfs, type: "{NAME_IDENTIFIER}"}}
        output: {{value: boss}}
      - input: {{issuer: LOCAL AUTHORITY}}
        output: {{type: "{NAME_IDENTIFIER}", value: boss}}
  - {{name: roles, rules: [{{input: {{issuer: adfs, type: "{ROLE}"}}}}]}}
  - name: names
    rules: [{{input: {{issuer: adfs, type: "{NAME_IDENTIFIER}"}}}}]
  - name: short
    rules:
      - input: {{issuer: adfs}}
        output: {{type: role, value: administrator}}
"""
ALICE = "alice@corp.example"
CLERK = Said(attributes=values({ROLE: "clerk"}))
EITHER = pytest.mark.parametrize("way", ["OnBehalfOf", "ActAs"])


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    return furnished_with_detours(shared_world)


def furnished_with_detours(world: World) -> World:
    """A service with relying parties whose rules make much of little."""
    furnished(world).apply(CONFIGURATION)
    return world


def person_at(service: World, party: str, said: Said = HONEST) -> str:
    """Alice's token for a relying party, as an element."""
    person = assertion(stage(service, recipient=f"{NAMESPACE}v2/wstrust/13/issuedtoken-bearer"), said).decode()
    message = good(service, request(f"https://{party}.example/"), endpoint="issuedtoken-bearer", token=person)
    return element(issued_in(deliver(service, message)))


def worker_at(service: World, party: str) -> str:
    """The token of a service identity for a relying party, as an element."""
    return element(issued_in(deliver(service, good(service, request(f"https://{party}.example/")))))


def element(token: bytes) -> str:
    return token.decode() if token.startswith(b"<") else binary_token(token, JWT_TOKEN)


def on_behalf(service: World, token: str, way: str = "OnBehalfOf") -> dict[str, list[str]]:
    """What the butler's token for the relying party behind says of whom he presents."""
    message = good(service, delegated(way, token), token=username_token("butler", SECRET))
    claims = content_of(service, "saml20", issued_in(deliver(service, message))).claims
    return {kind: found for kind, found in claims.items() if kind in (NAME_IDENTIFIER, ROLE, IDENTITY_PROVIDER)}


def refused(service: World, token: str, way: str = "OnBehalfOf") -> Fault:
    return fault(service, good(service, delegated(way, token), token=username_token("butler", SECRET)))


def validated(service: World, token: str) -> bytes:
    """The token anew as a JWT."""
    body = (
        f'<t:RequestSecurityToken xmlns:t="{TRUST_13}"><t:RequestType>{TRUST_13}/Validate</t:RequestType>'
        f"<t:TokenType>{TokenFormat.JWT.uri}</t:TokenType>"
        f"<t:ValidateTarget>{token}</t:ValidateTarget></t:RequestSecurityToken>"
    )
    answer = deliver(service, good(service, body, action=f"{TRUST_13}/RST/Validate"))
    (wrapped,) = etree.fromstring(answer.data).iter(f"{{{WSSE}}}BinarySecurityToken")
    return b64decode(wrapped.text or "")


@EITHER
def test_what_rules_made_of_a_person_is_not_said_by_the_identity_provider(service: World, way: str) -> None:
    alice = {NAME_IDENTIFIER: [ALICE], IDENTITY_PROVIDER: [ADFS]}
    assert on_behalf(service, person_at(service, "sandbox"), way) == alice
    assert on_behalf(service, person_at(service, "sandbox", CLERK), way) == alice
    assert on_behalf(service, person_at(service, "short"), way) == alice


@EITHER
def test_what_the_identity_provider_said_goes_on_along_the_chain(service: World, way: str) -> None:
    clerk = {NAME_IDENTIFIER: [ALICE], ROLE: ["clerk"], IDENTITY_PROVIDER: [ADFS]}
    front = person_at(service, "open", CLERK)
    assert on_behalf(service, front, way) == clerk
    message = good(service, delegated(way, front), token=username_token("butler", SECRET))
    middle = element(issued_in(deliver(service, message)))
    assert on_behalf(service, middle, way) == clerk


@EITHER
@pytest.mark.parametrize("party", ["open", "openjwt"])
def test_what_is_said_under_the_short_name_of_a_type_is_not_that_type_behind(
    service: World, party: str, way: str
) -> None:
    short = Said(attributes=values({"role": "administrator"}))
    front = person_at(service, party, short)
    assert on_behalf(service, front, way) == {NAME_IDENTIFIER: [ALICE], IDENTITY_PROVIDER: [ADFS]}
    body = delegated(way, front).replace("https://saml20.example/", "https://roles.example/")
    found = fault(service, good(service, body, token=username_token("butler", SECRET)))
    assert found.subcode == "RequestFailed"
    again = element(validated(service, front))
    assert on_behalf(service, again, way) == {NAME_IDENTIFIER: [ALICE], IDENTITY_PROVIDER: [ADFS]}


@EITHER
def test_what_rules_made_of_a_service_identity_is_not_said_by_the_namespace(service: World, way: str) -> None:
    worker = {NAME_IDENTIFIER: ["worker"], IDENTITY_PROVIDER: [NAMESPACE]}
    assert on_behalf(service, worker_at(service, "sandbox"), way) == worker
    assert on_behalf(service, worker_at(service, "open"), way) == worker


@EITHER
@pytest.mark.parametrize("present", [person_at, worker_at])
def test_nothing_is_issued_for_whom_rules_named_alone(service: World, present: object, way: str) -> None:
    assert callable(present)
    found = refused(service, present(service, "masks"), way)
    assert found.subcode == "RequestFailed"
    assert "relying party 'masks'" in found.detail
    assert "masks" not in found.reason
    assert (found.refusal.record["caller"], "token_id" in found.refusal.record) == ("butler", False)


def test_a_token_for_the_same_relying_party_is_validated_in_another_format_as_it_is(service: World) -> None:
    assert content_of(service, "jwt", validated(service, person_at(service, "masks"))).claims[NAME_IDENTIFIER] == [
        "boss"
    ]


def test_of_a_relying_party_that_is_no_more_nobody_knows_what_it_made(world: World) -> None:
    furnished_with_detours(world)
    front = person_at(world, "open")
    assert on_behalf(world, front)[NAME_IDENTIFIER] == [ALICE]
    world.apply(CONFIGURATION.replace("https://open.example/", "https://moved.example/"))
    world.move(seconds=10)
    found = refused(world, front)
    assert (found.subcode, "no relying party is 'https://open.example/' any more" in found.detail) == (
        "FailedAuthentication",
        True,
    )
