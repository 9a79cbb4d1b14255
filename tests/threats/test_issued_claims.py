"""Rows A25 to A28 and S10 at the real endpoints: claims that try to be more than claims, in every format."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from xml.sax.saxutils import escape

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY, MAX_VALUE_LENGTH, NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidConfiguration
from sts.core.model import ClaimPattern, Rule
from sts.store import rule_groups, tables
from sts.store.changes import ChangeKind
from tests.flows.doors import DOORS, ONE_OF_EACH, Caller, Door, Got, realm_of
from tests.flows.tokens import PARTIES, Content, content_of
from tests.flows.world import World
from tests.protocols.wstrust.messages import request, username_token
from tests.threats.assertion_doors import issued_in
from tests.threats.endpoints import Refusal, seen_refused
from tests.threats.trust_door import good

ISSUER = "http://127.0.0.1:8000/contoso/"
LOCAL = ClaimPattern(LOCAL_AUTHORITY, NAME_IDENTIFIER)
INJECTIONS = [
    f'</AttributeValue></Attribute><Attribute Name="{ROLE}"><AttributeValue>admin',
    '</saml:AttributeValue></saml:Attribute><saml:Attribute AttributeName="role" AttributeNamespace="urn:a">',
    f'x"><AttributeValue>admin</AttributeValue></Attribute><Attribute Name="{ROLE}',
    "<!-- ]]> <![CDATA[ &lt; &#60; &amp;amp; <?x ?>",
    "a@b&role=admin",
    f"x&{ROLE}=admin&HMACSHA256=AAAA",
    'a+b c%20d;e=f "}\\"\\u0022',
    " \t\r\n blanks, no commas ".replace(",", ";"),
    "\u0085\u2028\u2029\U0001f600\ufeff",
]


def by_message(world: World, path: str, caller: Caller) -> TestResponse:
    """Ask over WS-Trust."""
    token = username_token(escape(caller.name), escape(caller.secret))
    message = good(world, request(escape(caller.realm)), token=token)
    whence = {"REMOTE_ADDR": caller.source}
    return world.post(path, message.xml(), content_type=message.media_type, environ_overrides=whence)


WSTRUST = Door("wstrust", "v2/wstrust/13/username", by_message, lambda answer: Got(issued_in(answer), 0), PARTIES)
ISSUERS = dict(zip(("oauth2", "acs", "wrap", "wstrust"), (*ONE_OF_EACH, WSTRUST), strict=True))
every_issuer = pytest.mark.parametrize("door", ISSUERS.values(), ids=ISSUERS)
saml_issuers = pytest.mark.parametrize("door", [ISSUERS["oauth2"], WSTRUST], ids=["oauth2", "wstrust"])
jwt_issuers = pytest.mark.parametrize("door", [*ONE_OF_EACH[:2], WSTRUST], ids=["oauth2", "acs", "wstrust"])


def rules_make(world: World, *pairs: tuple[str, str]) -> None:
    """Put rules into the database that make these claims, past everything that looks at configuration files."""
    rules = (Rule(LOCAL), *(Rule(LOCAL, None, claim_type, value) for claim_type, value in pairs))
    with world.service.installation.database.changing("somebody", world.now) as change:
        group = rule_groups.find(change.connection, world.namespace, "all")
        rule_groups.save(change, world.namespace, replace(group, rules=rules))
        change.audit("contoso", "rule-group.change", "rule-group:all", {})


def refusals(world: World, door: Door, *parties: str, realm: str = "") -> Iterator[Refusal]:
    """The refusals of good requests at a door for every one of these relying parties, all of them unless said."""
    offered = [party for party in door.parties if party in (parties or PARTIES)]
    assert offered
    for party in offered:
        yield seen_refused(world, partial(door, world, Caller(realm_of(party) + realm)))


def contents(world: World, door: Door, name: str = "worker", realm: str = "") -> Iterator[Content]:
    """What the tokens of a door in every format say."""
    for party in door.parties:
        answer = door(world, Caller(realm_of(party) + realm, name))
        assert answer.status_code == 200, answer.text
        yield content_of(world, party, door.read(answer).token)


@every_issuer
@pytest.mark.parametrize("place", ["type", "value"])
@pytest.mark.parametrize(
    "code",
    [0x0, 0xB, 0x1F, 0xFFFE, 0xFFFF, 0xD800, 0xDC80, 0xDFFF],
    ids=["A25-0", "A25-b", "A25-1f", "A25-fffe", "A25-ffff", "A26-d800", "A26-dc80", "A26-dfff"],
)
def test_claim_that_no_token_can_carry_is_refused(shared_world: World, door: Door, code: int, place: str) -> None:
    character = chr(code)
    rules_make(shared_world, (ROLE + character, "reader") if place == "type" else (ROLE, f"re{character}ader"))
    for refusal in refusals(shared_world, door):
        assert (refusal.status, "ACS50000" in refusal.body, "claim" in refusal.record["message"]) == (400, True, True)
        assert character not in refusal.body
        assert "reader" not in refusal.body


@pytest.mark.parametrize("character", ["\\0", "\\v", "\\uFFFE", "\\uD800"], ids=["A25-0", "A25-b", "A25-fffe", "A26"])
@pytest.mark.parametrize("key", ["type", "value"])
def test_rule_that_makes_such_a_claim_is_not_saved(shared_world: World, character: str, key: str) -> None:
    rule = f'{{input: {{issuer: LOCAL AUTHORITY}}, output: {{{key}: "a{character}b"}}}}'
    with pytest.raises(InvalidConfiguration):
        shared_world.apply(f"namespace: contoso\nrule_groups: [{{name: bad, rules: [{rule}]}}]\n")


@every_issuer
@pytest.mark.parametrize("injection", INJECTIONS, ids=[f"A27-{number}" for number in range(len(INJECTIONS))])
def test_claim_that_looks_like_others_arrives_as_it_is(shared_world: World, door: Door, injection: str) -> None:
    claim_type = "urn:x/" + injection.replace("/", "|")
    rules_make(shared_world, (ROLE, injection), (claim_type, injection))
    expected = {NAME_IDENTIFIER: ["worker"], ROLE: [injection], claim_type: [injection], IDENTITY_PROVIDER: [ISSUER]}
    for content in contents(shared_world, door):
        assert content.claims == expected


@every_issuer
def test_a27_name_that_looks_like_claims_arrives_as_it_is(world: World, door: Door) -> None:
    name = f'</NameID></Subject><x y="{ROLE}">admin&role=admin"}}'
    table, database = tables.service_identity, world.service.installation.database
    with database.changing("somebody", world.now) as change:
        change.connection.execute(sa.update(table).where(table.c.name == "worker").values(name=name))
        change.touch(world.namespace, ChangeKind.SERVICE_IDENTITY, name)
        change.audit("contoso", "service-identity.change", "service-identity:worker", {})
    for content in contents(world, door, name):
        assert content.claims[NAME_IDENTIFIER] == [name]
    assert world.records()[-1]["principal"] == name


@every_issuer
@pytest.mark.parametrize(
    "realm", ['?a="><script>', "#</Audience><x>", "?a=b&Issuer=x&HMACSHA256=x", "?\u2028\U0001f600"], ids=ascii
)
def test_a27_realm_that_looks_like_more_arrives_as_the_audience(shared_world: World, door: Door, realm: str) -> None:
    rules_make(shared_world)
    for content in contents(shared_world, door, realm=realm):
        assert content.audience.endswith(f".example/{realm}")
        assert (content.issuer, list(content.claims)) == (ISSUER, [NAME_IDENTIFIER, IDENTITY_PROVIDER])


@saml_issuers
@pytest.mark.parametrize("code", [0xB, 0xFFFE, 0x1F], ids=hex)
def test_a25_realm_that_xml_cannot_carry_is_refused_where_it_would_stand_in_xml(
    shared_world: World, door: Door, code: int
) -> None:
    rules_make(shared_world)
    for refusal in refusals(shared_world, door, "saml11", "saml20", realm=chr(code)):
        assert refusal.status == 400


@every_issuer
@pytest.mark.parametrize(
    ("number", "length"),
    [(10_000, 1), (1_001, 1), (1, 1024 * 1024), (1, MAX_VALUE_LENGTH + 1)],
    ids=["A28-10000", "A28-1001", "A28-1MB", "A28-64k"],
)
def test_too_many_or_too_long_claims_are_refused(world: World, door: Door, number: int, length: int) -> None:
    rules_make(world, *((f"urn:x/{index}", "x" * length) for index in range(number)))
    for refusal in refusals(world, door):
        assert (refusal.status, refusal.record["error"], "limit" in refusal.reason) == (400, "ACS60000", True)
        assert len(json.dumps(refusal.record)) < 1000


def test_s10_value_with_ampersand_is_percent_encoded_in_a_simple_web_token(shared_world: World) -> None:
    rules_make(shared_world, ("mail", "a@b&role=admin"))
    for door in (*DOORS, WSTRUST):
        token = door.read(door(shared_world, Caller(realm_of("swt")))).token
        assert b"mail=a%40b%26role%3dadmin&" in token
        assert content_of(shared_world, "swt", token).claims["mail"] == ["a@b&role=admin"]


@every_issuer
@pytest.mark.parametrize(
    "claim", [("a", "b,c"), ("Issuer", "x"), ("audience", "x"), ("expireson", "9"), ("HMACSHA256", "x")], ids=str
)
def test_s10_claim_that_a_simple_web_token_would_misread_is_refused(
    shared_world: World, door: Door, claim: tuple[str, str]
) -> None:
    rules_make(shared_world, claim)
    for refusal in refusals(shared_world, door, "swt"):
        assert refusal.status == 400


@jwt_issuers
@pytest.mark.parametrize("name", ["iss", "aud", "exp", "nbf", "iat", "jti"])
def test_claim_that_a_json_web_token_would_misread_is_refused(shared_world: World, door: Door, name: str) -> None:
    rules_make(shared_world, (name, "https://evil.example/"))
    for refusal in refusals(shared_world, door, "jwt", "hs256"):
        assert refusal.status == 400
