"""What the tokens of each format say and how long they are good for."""

import base64
import json
from datetime import timedelta
from urllib.parse import quote_plus

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidConfiguration
from tests.flows.doors import DOORS, Caller, realm_of
from tests.flows.tokens import FORMATS, PARTIES, content_of, signer_of, verified_assertion
from tests.flows.world import World, decode, members

ISSUER = "http://127.0.0.1:8000/contoso/"
EVERY_PARTY = pytest.mark.parametrize("party", PARTIES)
SHAPES = """
namespace: contoso
relying_parties:
  - {{name: shaped, realm: "https://shaped.example/", token_format: {format}, rule_groups: [shaped]}}
rule_groups:
  - name: shaped
    rules:
{rules}
"""
LIVES = """
namespace: contoso
relying_parties:
  - {{name: brief, realm: "https://brief.example/", token_format: {format}, token_lifetime: {seconds},
     rule_groups: [all]}}
"""
RULE = "      - {{input: {{issuer: LOCAL AUTHORITY, value: worker}}, output: {{type: {type}, value: {value}}}}}"
TEXTS = ("", " ", "a&b=c;d", "</AttributeValue>", "]]>\"'", "ä€😀", "a\tb\nc\rd", "%00%2c", "{}[]", "\\u0000")


def shape(world: World, token_format: str, *claims: tuple[str, str]) -> None:
    """Give the namespace a relying party whose tokens hold these claims."""
    rules = "\n".join(RULE.format(type=_quoted(kind), value=_quoted(value)) for kind, value in claims)
    world.apply(SHAPES.format(format=token_format, rules=rules))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@EVERY_PARTY
def test_token_holds_the_output_claims_and_who_authenticated(still_world: World, party: str) -> None:
    content = content_of(still_world, party, still_world.token(party))
    assert content.issuer == ISSUER
    assert content.audience == realm_of(party)
    assert content.claims == {NAME_IDENTIFIER: ["worker"], ROLE: ["sender"], IDENTITY_PROVIDER: [ISSUER]}


def test_swt_has_the_order_and_the_encoding_of_acs(still_world: World) -> None:
    fields = [field.partition("=")[0] for field in still_world.token("swt").decode().split("&")]
    encoded = [quote_plus(name).replace("%3A", "%3a").replace("%2F", "%2f") for name in (NAME_IDENTIFIER, ROLE)]
    assert fields[:2] == encoded
    assert fields[2].endswith("claims%2fidentityprovider")
    assert fields[3:] == ["Audience", "ExpiresOn", "Issuer", "HMACSHA256"]


@pytest.mark.parametrize("party", ["jwt", "hs256"])
def test_jwt_says_what_signed_it_and_when(still_world: World, party: str) -> None:
    token = still_world.token(party)
    header, payload = (json.loads(decode(part.decode())) for part in token.split(b".")[:2])
    signer = signer_of(still_world, party, token)
    key_id = base64.urlsafe_b64encode(bytes.fromhex(signer.thumbprint)).rstrip(b"=").decode()
    algorithm = {"jwt": {"alg": "RS256", "x5t": key_id}, "hs256": {"alg": "HS256"}}[party]
    assert header == {"typ": "JWT", "kid": key_id, **algorithm}
    now = int(still_world.now.timestamp())
    assert (payload["nbf"], payload["iat"], payload["exp"]) == (now, now, now + 600)
    assert set(payload) == {"aud", "iss", "nbf", "exp", "iat", "jti", "nameid", "role", "identityprovider"}


@pytest.mark.parametrize(
    ("party", "subject", "statement"),
    [
        ("saml11", "NameIdentifier", "AuthenticationStatement"),
        ("saml20", "NameID", "AuthnStatement"),
    ],
)
def test_saml_names_the_subject_once_and_says_how_it_authenticated(
    still_world: World, party: str, subject: str, statement: str
) -> None:
    token = still_world.token(party)
    certificate = signer_of(still_world, party, token).certificate
    assert certificate is not None
    assertion = verified_assertion(token, certificate, still_world.now)
    names = [element.tag.rpartition("}")[2] for element in assertion.iter() if isinstance(element.tag, str)]
    assert statement in names
    assert NAME_IDENTIFIER not in {element.get("Name") for element in assertion.iter()}
    assert "nameidentifier" not in {element.get("AttributeName") for element in assertion.iter()}
    texts = {element.text for element in assertion.iter() if str(element.tag).endswith("}" + subject)}
    assert texts == {"worker"}
    assert assertion.get("IssueInstant") == "2026-06-01T12:00:00.000Z"


@EVERY_PARTY
def test_no_two_tokens_have_the_same_id(still_world: World, party: str) -> None:
    known = len(still_world.records())
    for _ in range(20):
        still_world.token(party)
    ids = {record["token_id"] for record in still_world.records()[known:]}
    assert len(ids) == 20


@EVERY_PARTY
def test_token_is_named_in_the_log_by_its_own_id(still_world: World, party: str) -> None:
    token = still_world.token(party)
    record = still_world.records()[-1]
    assert record["credential_id"] == signer_of(still_world, party, token).id
    payload = decode(token.split(b".")[1].decode()) if party in ("jwt", "hs256") else token
    assert party == "swt" or record["token_id"].encode() in payload  # a simple web token has no id


@pytest.mark.parametrize("token_format", FORMATS)
def test_lifetime_is_the_relying_partys_to_the_second(world: World, token_format: str) -> None:
    world.clock.now += timedelta(microseconds=999_999)
    for seconds in (1, 599, 86_400):
        world.apply(LIVES.format(format=token_format, seconds=seconds))
        for door in (door for door in DOORS if token_format in door.parties):
            assert door.read(door(world, Caller(realm_of("brief")))).expires_in == seconds
        content = content_of(world, "brief", world.token("brief"))
        assert content.expires_at == world.now.replace(microsecond=0) + timedelta(seconds=seconds)


@pytest.mark.parametrize("token_format", FORMATS)
def test_values_of_one_claim_type_stay_together(world: World, token_format: str) -> None:
    shape(
        world, token_format, (ROLE, "reader"), (ROLE, "writer"), ("http://claims.example/other", "x"), (ROLE, "reader")
    )
    claims = content_of(world, "shaped", world.token("shaped")).claims
    assert claims[ROLE] == ["reader", "writer"]


@pytest.mark.parametrize("token_format", FORMATS)
def test_any_text_arrives_as_it_was_written(world: World, token_format: str) -> None:
    expected = {f"http://claims.example/{number}": [text] for number, text in enumerate(TEXTS)}
    shape(world, token_format, *((kind, text) for kind, (text,) in expected.items()))
    claims = dict(content_of(world, "shaped", world.token("shaped")).claims)
    del claims[IDENTITY_PROVIDER]
    claims.pop(NAME_IDENTIFIER, None)  # SAML has a place for it, here an empty one
    assert claims == expected


@pytest.mark.parametrize("token_format", FORMATS)
@pytest.mark.parametrize("escape", [r"\0", r"\x01", r"\x0b", r"\uFFFE", r"\uFFFF"])
def test_text_that_no_format_can_carry_is_refused_cleanly(world: World, token_format: str, escape: str) -> None:
    rule = RULE.format(type='"http://claims.example/text"', value=f'"a{escape}b"')
    try:
        world.apply(SHAPES.format(format=token_format, rules=rule))
    except InvalidConfiguration:
        return
    answer = world.oauth("shaped")
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_target")
    assert "http://claims.example/text" in answer.text


def test_a_comma_cannot_be_said_in_a_simple_web_token(world: World) -> None:
    shape(world, "swt", ("urn:text", "one,two"))
    answer = world.oauth("shaped")
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_target")
    assert "urn:text" in members(answer)["error_description"]


def test_a_claim_type_without_a_slash_cannot_be_said_in_saml11(world: World) -> None:
    shape(world, "saml11", ("urn:text", "one"))
    answer = world.oauth("shaped")
    assert (answer.status_code, "urn:text" in answer.text) == (400, True)


@pytest.mark.parametrize("token_format", FORMATS)
def test_no_claim_takes_the_place_of_a_tokens_own_fields(world: World, token_format: str) -> None:
    names = ("Audience", "issuer", "HMACSHA256", "aud", "exp", "http://x/ID", "http://x/Issuer")
    for name in names:
        shape(world, token_format, (name, "forged"))
        answer = world.oauth("shaped")
        if answer.status_code != 200:
            assert answer.status_code == 400
            continue
        content = content_of(world, "shaped", world.token("shaped"))
        assert (content.issuer, content.audience) == (ISSUER, realm_of("shaped"))
        assert content.expires_at == world.now + timedelta(seconds=600)


def test_access_token_of_rfc_9068_names_its_subject_and_client(world: World) -> None:
    world.apply(
        """
namespace: contoso
relying_parties:
  - {name: api, realm: "https://api.example/", token_format: jwt, jwt_type: at+jwt, rule_groups: [all]}
"""
    )
    token = world.token("api")
    header, payload = (json.loads(decode(part.decode())) for part in token.split(b".")[:2])
    assert header["typ"] == "at+jwt"
    assert (payload["sub"], payload["client_id"]) == ("worker", "worker")
