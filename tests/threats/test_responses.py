"""Rows X, D and A in the answer of an identity provider, at the address where browsers bring it (`v2/wsfederation`)."""

from collections.abc import Callable
from html import escape

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes

from sts.store import tables
from tests.crypto.identities import certificate
from tests.flows.tokens import content_of
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.endpoints import Refusal
from tests.threats.hostile_assertions import HOSTILE, Row
from tests.threats.identity_providers import ROLE, Said, Stage, assertion, values
from tests.threats.response_door import PARTIES, brought, open_door, refused, refused_token, staged
from tests.threats.signatures import Recipe
from tests.threats.test_wresult import REFUSED
from tests.threats.test_xml_signature import KEY_VALUE, MADE, key_info, rsa, x509_data

ALICE = "alice@corp.example"
HERE = {  # what shows here for another reason than where the assertion comes alone
    "X01-UTF-16": "the form is not UTF-8",
    "X01-without mark": "the form holds a NUL character",
    "X15-NUL": "the form holds a NUL character",
    "X15-byte order mark": "assertion count: 0 elements",
    "X17": "assertion count: 2 elements",
    "X17-text": "shape: text beside the token",
    "D11-after the root": "assertion count: 2 elements",
    "A02": "issuer: not the trusted one",
    "other-invalid UTF-8": "the form is not UTF-8",
}
NO_RESPONSE = {"the form is not UTF-8", "the form holds a NUL character"}
WELCOME_HERE = "A31-none"  # our own state binds the answer to the browser (threats.md, section 1)


@pytest.fixture(scope="module")
def door(shared_world: World) -> World:
    """A service at which people sign in by identity providers that it trusts."""
    return open_door(shared_world)


@pytest.fixture(scope="module")
def one_answer(door: World) -> Refusal:
    """The one answer to whatever is wrong with what an identity provider sent."""
    found = refused(door, b"nonsense")
    assert found.status == 400
    assert "ACS20001: There was an error processing a WS-Federation sign-in response." in found.body
    return found


@pytest.mark.parametrize("party", PARTIES)
def test_honest_answer_signs_in(door: World, party: str) -> None:
    page = brought(door, assertion(staged(door)), party=party)
    assert page.action == f"https://{party}.example/signin"
    assert content_of(door, party, page.token).claims[ROLE] == ["reader"]
    assert door.records()[-1]["principal"] == ALICE


SENT = [row for row in HOSTILE if row.id != WELCOME_HERE]


@pytest.mark.parametrize("row", SENT, ids=[row.id for row in SENT])
def test_hostile_assertion_is_refused(door: World, one_answer: Refusal, row: Row) -> None:
    found = refused_token(door, row.make(staged(door)))
    reason = HERE.get(row.id, "assertion count: none" if row.reason == "root" else row.reason)
    assert reason in found.reason
    if reason in NO_RESPONSE:
        assert found.status == 400
    else:
        assert found.answer == one_answer.answer


@pytest.mark.parametrize("row", REFUSED)
def test_hostile_response_is_refused(door: World, one_answer: Refusal, row: str) -> None:
    document, reason = REFUSED[row]
    found = refused(door, document.encode())
    if row == "X15-NUL":
        assert (found.status, found.reason) == (400, "the form holds a NUL character ()")
    elif found.status == 413:
        assert "too large" in found.reason
    else:
        assert row == "X15" or reason in found.reason  # nothing at all is no document to say more about
        assert found.answer == one_answer.answer


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(response("x").encode("utf-16"), id="X01-UTF-16"),
        pytest.param(response("x").encode("utf-16-le"), id="X01-without mark"),
        pytest.param(b"<a>" * 100_000 + b"</a>" * 100_000, id="X11"),
        pytest.param(response("x" * 1024**2).encode(), id="X13"),
    ],
)
def test_response_that_is_no_text_or_too_much_is_refused(door: World, document: bytes) -> None:
    assert refused(door, document).status in (400, 413)


def test_assertion_that_nobody_is_said_to_bear_is_taken_since_our_state_binds_it(door: World) -> None:
    (row,) = (row for row in HOSTILE if row.id == WELCOME_HERE)
    assert brought(door, row.make(staged(door))).status == 200


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(key_info(x509_data("rsa2048", "attacker")), id="D32"),
        pytest.param(key_info(x509_data("rsa2048", "idp"), KEY_VALUE), id="D35"),
        pytest.param(key_info(x509_data("rsa2048", "attacker"), x509_data("rsa2048", "idp")), id="D35-certificates"),
    ],
)
def test_what_key_info_says_makes_nobody_another(door: World, text: str) -> None:
    assert brought(door, assertion(staged(door), recipe=Recipe(key_info=text))).status == 200
    assert door.records()[-1]["principal"] == ALICE


@pytest.mark.parametrize("row", ["D36", "D37"])
def test_sha1_is_taken_only_from_whom_it_is_allowed(door: World, one_answer: Refusal, row: str) -> None:
    recipe = MADE[row][0]
    assert refused_token(door, assertion(staged(door), recipe=recipe)).answer == one_answer.answer
    old = Said(issuer="urn:old")
    assert brought(door, assertion(staged(door), old, recipe), "old").status == 200


def test_d49_rsa_signature_is_not_held_against_a_curve(door: World, one_answer: Refusal) -> None:
    found = refused_token(door, assertion(staged(door), Said(issuer="urn:curve")), "curve")
    assert "by none of 1" in found.reason
    assert found.answer == one_answer.answer


UNFIT = [
    pytest.param("rsa1024", Recipe(sign=rsa("rsa1024", "idp", hashes.SHA256())), id="D39"),
    pytest.param("ed25519", Recipe(), id="D50"),
    pytest.param("secp256k1", Recipe(), id="D50-another curve"),
]


@pytest.mark.parametrize(("kind", "recipe"), UNFIT)
def test_certificate_that_got_into_the_database_vouches_for_nothing(world: World, kind: str, recipe: Recipe) -> None:
    """Importing refuses it (rows C02); this is the second line."""
    open_door(world)
    with world.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.partner_certificate).values(der=certificate(kind)))
    world.service.directory.drop_all()
    assert "by none of 0" in refused_token(world, assertion(staged(world), recipe=recipe)).reason


@pytest.mark.parametrize(
    "character", ["&#0;", "&#xB;", "&#xFFFE;", "&#xD800;", "\x0b", "\ufffe"], ids=lambda c: f"A25-{c.encode().hex()}"
)
@pytest.mark.parametrize("place", ["name", "claim"])
def test_character_that_no_token_may_carry_is_refused(
    door: World, one_answer: Refusal, character: str, place: str
) -> None:
    """As a reference or as it is; `&#xD800;` is row A26."""
    honest = assertion(staged(door)).decode()
    word = ALICE if place == "name" else "reader"
    found = refused_token(door, honest.replace(word, word + character).encode())
    assert "syntax" in found.reason
    assert found.answer == one_answer.answer


def test_a26_lone_surrogate_that_is_encoded_as_such_is_refused(door: World) -> None:
    honest = assertion(staged(door)).replace(b"reader", b"\xed\xa0\x80")
    assert "not UTF-8" in refused_token(door, honest).reason


MARKUP = (
    '</AttributeValue></Attribute><Attribute Name="role"><AttributeValue>admin',
    '"><script>alert(1)</script>',
    "a@b&role=admin",
    'x"}{"role":"admin',
    "]]>&#10;\u2028<!--",
    " \t\r\n leading and trailing\r\n ",
)


@pytest.mark.parametrize("value", MARKUP, ids=[f"A27-{number}" for number in range(len(MARKUP))])
@pytest.mark.parametrize("party", PARTIES)
def test_markup_in_a_claim_stays_one_value(door: World, party: str, value: str) -> None:
    said = Said(attributes=values({ROLE: escape(value).replace("\r", "&#13;")}))
    page = brought(door, assertion(staged(door), said), party=party)
    assert content_of(door, party, page.token).claims[ROLE] == [value]


def _many(count: int) -> Callable[[Stage], bytes]:
    claims = values({f"urn:{number}": "x" for number in range(count)})
    return lambda at: assertion(at, Said(attributes=claims))


@pytest.mark.parametrize(
    ("make", "statuses"),
    [
        pytest.param(_many(81), {400}, id="A28-81"),
        pytest.param(_many(1000), {400}, id="A28-1000"),
        pytest.param(_many(10_000), {400, 413}, id="A28-10 000"),
        pytest.param(lambda at: assertion(at, Said(attributes=values({ROLE: "x" * 1024**2}))), {413}, id="A28-1 MB"),
    ],
)
def test_too_many_claims_are_refused(door: World, make: Callable[[Stage], bytes], statuses: set[int]) -> None:
    assert refused_token(door, make(staged(door))).status in statuses


RESERVED = ("Issuer", "Audience", "ExpiresOn", "HMACSHA256", "iss", "aud", "exp", "nbf", "sub", "jti")


@pytest.mark.parametrize("reserved", RESERVED, ids=[f"A34-{name}" for name in RESERVED])
def test_claim_of_a_reserved_type_is_dropped(door: World, reserved: str) -> None:
    said = Said(attributes=values({reserved: "forged", ROLE: "reader"}))
    for party in PARTIES:
        page = brought(door, assertion(staged(door), said), party=party)
        assert b"forged" not in page.token
        assert content_of(door, party, page.token).claims[ROLE] == ["reader"]
