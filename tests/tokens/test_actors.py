"""Who acts for the subject of a token: the chain that assertions and JSON web tokens carry."""

from html import unescape
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sts.core.claims import ACTOR, IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.errors import FormatNotOffered, InvalidJwtToken, InvalidSamlToken, UnwritableClaim
from sts.core.exchange import Actor
from sts.crypto.xml import escape_text
from sts.crypto.xmldsig import sign_element
from sts.tokens import jwt, saml11, saml20, swt
from tests.crypto.identities import NOW, signer
from tests.crypto.test_xml import LEGAL
from tests.interop.schemas import schema
from tests.tokens import compact
from tests.tokens.assertions import DESCRIPTOR, TRUSTED, claims, described, unsigned, written

FRONT, MIDDLE, BACK = (Actor(name, "https://sts.example/contoso/") for name in ("front-end", "middle-tier", "back-end"))
CHAINS = pytest.mark.parametrize("actors", [(FRONT,), (FRONT, MIDDLE), (FRONT, MIDDLE, BACK), (FRONT,) * 8])
VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
SCHEMAS = {
    saml11: ("cs-sstc-schema-assertion-1.1.xsd", "xenc-schema.xsd", "xenc11-schema.xsd"),
    saml20: ("saml-schema-assertion-2.0.xsd", "xenc11-schema.xsd"),
}
# What Windows Identity Foundation puts around the attributes of an actor, whose element has no namespace.
NESTED = {
    saml20: (
        '<Actor><Attribute xmlns="urn:oasis:names:tc:SAML:2.0:assertion" '
        f'Name="{NAME_IDENTIFIER}"><AttributeValue>front-end</AttributeValue></Attribute>'
        '<Attribute xmlns="urn:oasis:names:tc:SAML:2.0:assertion" '
        f'Name="{IDENTITY_PROVIDER}"><AttributeValue>https://sts.example/contoso/</AttributeValue></Attribute></Actor>'
    ),
    saml11: (
        '<Actor><saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" AttributeName="nameidentifier"'
        ' AttributeNamespace="http://schemas.xmlsoap.org/ws/2005/05/identity/claims">'
        "<saml:AttributeValue>front-end</saml:AttributeValue></saml:Attribute>"
        '<saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" AttributeName="identityprovider"'
        ' AttributeNamespace="http://schemas.microsoft.com/accesscontrolservice/2010/07/claims">'
        "<saml:AttributeValue>https://sts.example/contoso/</saml:AttributeValue></saml:Attribute></Actor>"
    ),
}


@VERSIONS
def test_an_actor_is_the_escaped_text_of_the_last_attribute(module: ModuleType) -> None:
    element = etree.fromstring(written(module, DESCRIPTOR._replace(actors=(FRONT,))))
    attribute = list(element.iter("{*}Attribute"))[-1]
    name = attribute.get("Name") or f"{attribute.get('AttributeNamespace')}/{attribute.get('AttributeName')}"
    assert (name, attribute[0].text) == (ACTOR, NESTED[module])


@VERSIONS
@CHAINS
def test_a_chain_is_read_as_it_was_written(module: ModuleType, actors: tuple[Actor, ...]) -> None:
    token = written(module, DESCRIPTOR._replace(actors=actors))
    assert module.read(token, TRUSTED, NOW).actors == actors
    assert etree.tostring(etree.fromstring(token), method="c14n", exclusive=True) == token
    schema(*SCHEMAS[module]).assertValid(etree.fromstring(token))


@VERSIONS
@given(st.lists(st.builds(Actor, LEGAL.filter(bool), LEGAL), min_size=1, max_size=3))
def test_any_name_reads_back_identical(module: ModuleType, actors: list[Actor]) -> None:
    token = written(module, DESCRIPTOR._replace(actors=tuple(actors)))
    assert module.read(token, TRUSTED, NOW).actors == tuple(actors)


@VERSIONS
def test_a_token_without_actors_says_nothing_of_them(module: ModuleType) -> None:
    assert b"actor" not in written(module)
    assert module.read(written(module), TRUSTED, NOW).actors == ()


@VERSIONS
def test_a_chain_stands_where_there_are_no_other_attributes(module: ModuleType) -> None:
    token = written(module, described((NAME_IDENTIFIER, "alice"))._replace(actors=(FRONT,)))
    assert module.read(token, TRUSTED, NOW).actors == (FRONT,)


@VERSIONS
def test_a_chain_that_is_too_long_is_refused(module: ModuleType) -> None:
    with pytest.raises(UnwritableClaim, match="8 actors"):
        written(module, DESCRIPTOR._replace(actors=(FRONT,) * 9))


ACTING = pytest.mark.parametrize("claim_type", [ACTOR, f"{ACTOR} ", ACTOR.upper(), "actort", "\tActort"], ids=ascii)


@VERSIONS
@ACTING
def test_no_claim_makes_an_actor(module: ModuleType, claim_type: str) -> None:
    with pytest.raises(UnwritableClaim, match=r"(?i)actor"):
        written(module, described((NAME_IDENTIFIER, "alice"), (claim_type, "<Actor/>")))


@pytest.mark.parametrize("module", [jwt, swt], ids=["jwt", "swt"])
@ACTING
def test_no_claim_makes_an_actor_without_xml(module: ModuleType, claim_type: str) -> None:
    with pytest.raises(UnwritableClaim, match=r"(?i)actor"):
        module.write(compact.descriptor(compact.claim(claim_type, "x")), compact.symmetric_signer())


ATTRIBUTE = f'<Attribute xmlns="urn:oasis:names:tc:SAML:2.0:assertion" Name="{NAME_IDENTIFIER}"><AttributeValue>'
NOT_UNDERSTOOD = {
    "no XML": "front-end",
    "another root": "<Other></Other>",
    "nobody": "<Actor></Actor>",
    "another version's attribute": NESTED[saml11],
    "a DTD": f"<!DOCTYPE Actor>{NESTED[saml20]}",
    "a comment": NESTED[saml20].replace("front-end", "front<!---->-end"),
    "an empty name": NESTED[saml20].replace("front-end", ""),
    "a chain of nine": "itself",
}


@pytest.mark.parametrize("value", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_a_chain_that_is_not_understood_is_refused_and_never_shortened(value: str) -> None:
    text = unsigned(written(saml20, DESCRIPTOR._replace(actors=(FRONT,) * 8 if value == "itself" else (FRONT,))))
    element = etree.fromstring(text)
    held = list(element.iter("{*}AttributeValue"))[-1]
    if value == "itself":
        behind = ATTRIBUTE.replace(NAME_IDENTIFIER, ACTOR) + escape_text(held.text or "")
        value = f"{NESTED[saml20].removesuffix('</Actor>')}{behind}</AttributeValue></Attribute></Actor>"
    held.text = value
    token = sign_element(element, element.get("ID", ""), signer("rsa2048"), 1)
    with pytest.raises(InvalidSamlToken) as refused:
        saml20.read(token, TRUSTED, NOW)
    assert (refused.value.detail or "").startswith("actor:")
    assert saml20.view(token).issuer == TRUSTED.issuer, "it can still be looked at"


def test_two_actors_at_once_are_refused() -> None:
    text = unsigned(written(saml20, DESCRIPTOR._replace(actors=(FRONT,))))
    start = text.index(f'<Attribute Name="{ACTOR}">')
    attribute = text[start : text.index("</Attribute>", start) + len("</Attribute>")]
    assert unescape(attribute).count("<Actor>") == 1
    element = etree.fromstring(text.replace(attribute, attribute * 2))
    with pytest.raises(InvalidSamlToken):
        saml20.read(sign_element(element, element.get("ID", ""), signer("rsa2048"), 1), TRUSTED, NOW)


@CHAINS
def test_json_web_tokens_nest_actors(actors: tuple[Actor, ...]) -> None:
    token = jwt.write(compact.descriptor(actors=actors), compact.symmetric_signer())
    assert jwt.read(token, compact.trusting(compact.symmetric()), NOW).actors == actors
    acting = compact.members(token)["act"]
    for actor in actors:
        assert (acting["sub"], acting["iss"]) == tuple(actor)
        acting = acting.get("act")
    assert acting is None


@given(st.lists(st.builds(Actor, compact.TEXT.filter(bool), compact.TEXT), min_size=1, max_size=3))
def test_any_name_reads_back_identical_from_json(actors: list[Actor]) -> None:
    token = jwt.write(compact.descriptor(actors=tuple(actors)), compact.symmetric_signer())
    assert jwt.read(token, compact.trusting(compact.symmetric()), NOW).actors == tuple(actors)


@pytest.mark.parametrize("actors", [(FRONT,) * 9, (Actor("front\x00end", ""),), (Actor("\ud800", ""),)])
def test_a_chain_that_no_json_web_token_carries_is_refused(actors: tuple[Actor, ...]) -> None:
    with pytest.raises(UnwritableClaim):
        jwt.write(compact.descriptor(actors=actors), compact.symmetric_signer())


@pytest.mark.parametrize("name", ["act", "cnf"])
def test_no_claim_makes_a_bond(name: str) -> None:
    with pytest.raises(UnwritableClaim, match="registered"):
        jwt.write(compact.descriptor(compact.claim(name, "x")), compact.symmetric_signer())


@pytest.mark.parametrize(
    "act", ["front-end", [], None, {}, {"sub": ""}, {"sub": 1}, {"sub": "a", "iss": 1}, {"sub": "a", "act": "b"}]
)
def test_a_chain_in_json_that_is_not_understood_is_refused(act: object) -> None:
    token = compact.jws({"typ": "JWT", "alg": "HS256"}, {**TOKEN, "act": act})
    with pytest.raises(InvalidJwtToken) as refused:
        jwt.read(token, compact.trusting(compact.symmetric()), NOW)
    assert (refused.value.detail or "").startswith("act:")


TOKEN = compact.members(jwt.write(compact.descriptor(), compact.symmetric_signer()))


def test_an_actor_without_an_issuer_is_the_tokens_own() -> None:
    token = compact.jws({"typ": "JWT", "alg": "HS256"}, {**TOKEN, "act": {"sub": "front-end"}})
    read = jwt.read(token, compact.trusting(compact.symmetric()), NOW)
    assert read.actors == (Actor("front-end", compact.ISSUER),)


def test_simple_web_tokens_name_no_actor() -> None:
    with pytest.raises(FormatNotOffered, match="simple web token"):
        swt.write(compact.descriptor(actors=(FRONT,)), compact.symmetric_signer())


def test_claims_of_other_types_stay_beside_a_chain() -> None:
    said = claims((NAME_IDENTIFIER, "alice"), (IDENTITY_PROVIDER, "adfs"))
    read = saml20.read(written(saml20, DESCRIPTOR._replace(claims=said, actors=(FRONT,))), TRUSTED, NOW)
    assert [claim for claim in read.claims if claim.type != ACTOR] == list(said)
