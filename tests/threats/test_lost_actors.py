"""Who acts for somebody is named in what is issued for a token that names him, at every door, or nothing is issued."""

import base64
import json
from dataclasses import replace

import pytest
from lxml import etree

from sts.core.claims import ACTOR
from sts.core.exchange import Actor
from sts.core.model import TokenFormat
from sts.store import tables
from tests.flows.conftest import people_pattern, still_people
from tests.flows.identity_provider import Encryption, IdentityProvider
from tests.flows.operators import DECRYPTION, first
from tests.flows.people import Person
from tests.flows.signing_in import ADFS, SEALING, signed_in
from tests.flows.tokens import content_of
from tests.flows.world import World, members
from tests.threats.assertion_doors import ACS, OAUTH2, TRUST, WRAP, AssertionDoor
from tests.threats.endpoints import rows_of

__all__ = ["people_pattern", "still_people"]

CHAIN = (Actor("front", "https://adfs.example/"), Actor("back", "https://adfs.example/"))
ACTED = ADFS.sending(actors=CHAIN)
INCOMING = pytest.mark.parametrize("incoming", [TokenFormat.SAML11, TokenFormat.SAML20])


def realm(party: str) -> str:
    """The realm of one of the world's relying parties."""
    return f"https://{party}.example/"


@pytest.mark.parametrize("door", [OAUTH2, ACS], ids=["oauth2", "acs"])
def test_json_web_token_for_an_assertion_names_who_acts(still_people: World, door: AssertionDoor) -> None:
    answer = door.present(still_people, ACTED.token(still_people), realm("jwt"))
    assert answer.status_code == 200, answer.text
    token = members(answer)["access_token"].encode()
    assert content_of(still_people, "jwt", token).audience == realm("jwt")
    said = json.loads(base64.urlsafe_b64decode(token.split(b".")[1] + b"=="))
    assert said["act"]["sub"] == "front"
    assert said["act"]["act"]["sub"] == "back"
    record = still_people.records()[-1]
    assert (record["principal"], record["actors"]) == ("alice", ["front", "back"])


@INCOMING
@pytest.mark.parametrize("outgoing", ["saml11", "saml20"])
def test_assertion_for_an_assertion_names_who_acts(still_people: World, incoming: TokenFormat, outgoing: str) -> None:
    grant = "saml2" if incoming is TokenFormat.SAML20 else "saml1_1"
    token = replace(ACTED, token_format=incoming).token(still_people)
    form = {
        "grant_type": f"urn:ietf:params:oauth:grant-type:{grant}-bearer",
        "assertion": base64.urlsafe_b64encode(token).decode().rstrip("="),
        "resource": realm(outgoing),
    }
    answer = still_people.post("oauth2/token", form)
    assert answer.status_code == 200, answer.text
    issued = base64.urlsafe_b64decode(members(answer)["access_token"] + "==")
    (nested,) = content_of(still_people, outgoing, issued).claims[ACTOR]
    assert "front" in nested
    assert etree.fromstring(nested) is not None
    assert still_people.records()[-1]["actors"] == ["front", "back"]


@pytest.mark.parametrize("door", [OAUTH2, ACS, WRAP, TRUST], ids=["oauth2", "acs", "wrap", "wstrust"])
def test_simple_web_token_cannot_say_it_and_is_refused(still_people: World, door: AssertionDoor) -> None:
    answer = door.present(still_people, ACTED.token(still_people), realm("swt"))
    assert answer.status_code == 400
    record = still_people.records()[-1]
    assert (record["error"], "token_id" in record) == ("ACS50000", False)
    assert "who acts for its subject" in record["message"]
    assert door.present(still_people, ADFS.token(still_people), realm("swt")).status_code == 200


def test_record_says_nothing_of_actors_where_there_are_none(still_people: World) -> None:
    assert OAUTH2.present(still_people, ADFS.token(still_people), realm("jwt")).status_code == 200
    assert "actors" not in still_people.records()[-1]


def sealing(world: World) -> IdentityProvider:
    """The identity provider that encrypts."""
    return replace(SEALING, encryption=Encryption.to(first(world, DECRYPTION)))


@INCOMING
@pytest.mark.parametrize("party", ["jwt", "saml20", "swt", "sealed"])
def test_nobody_signs_in_by_browser_for_somebody_else(still_people: World, party: str, incoming: TokenFormat) -> None:
    """No session could say so, and single sign-on would give tokens about alice alone."""
    provider = sealing(still_people) if party == "sealed" else ADFS
    before = rows_of(still_people, tables.browser_session)
    person = Person(still_people)
    chain = tuple(actor._replace(identity_provider=provider.issuer) for actor in CHAIN)
    acted = replace(provider.sending(actors=chain), token_format=incoming)
    page = signed_in(person, party, acted)
    assert (page.status, page.fields) == (401, {})
    record = still_people.records()[-1]
    assert (record["error"], "token_id" in record) == ("ACS50012", False)
    assert record["detail"].startswith("'front', 'back' would sign in for 'alice' (actor)")
    assert rows_of(still_people, tables.browser_session) == before
    assert signed_in(person, party, provider).status == 200
