"""Sign-ins with the longest parameters: what is begun can be ended (W09)."""

import pytest

from sts.protocols.wsfed import MAX_STATE
from tests.flows.conftest import people, people_pattern
from tests.flows.people import Person
from tests.flows.signing_in import ADFS
from tests.flows.world import World

__all__ = ["people", "people_pattern"]

DEAREST = [
    '"',
    "\\",
    "\u00e9",
    "\u20ac",
    "\U0001f600",
]  # what takes the most room in a state, by one writing or another

PLAIN = "Az09_-"  # what a state of another sts is made of


@pytest.mark.parametrize("character", DEAREST)
@pytest.mark.parametrize("is_plain", [False, True], ids=["any context", "a context of base64url"])
def test_w09_sign_in_that_was_begun_with_the_longest_of_everything_can_be_ended(
    people: World, character: str, is_plain: bool
) -> None:
    reply = f"https://jwt.example/{'r' * 2028}"
    party = f'name: jwt, realm: "https://jwt.example/", token_format: jwt, reply: ["{reply}"]'
    people.apply(
        f"namespace: contoso\nrelying_parties: [{{{party}, rule_groups: [people], identity_providers: [adfs]}}]"
    )
    realm = "https://jwt.example/"
    realm += character * ((2048 - len(realm)) // len(character.encode()))
    context = (PLAIN * 8192)[:8192] if is_plain else character * (2048 // len(character.encode()))
    asked = {"wa": "wsignin1.0", "wtrealm": realm, "wctx": context, "wreply": reply, "wfresh": "999999999"}
    person = Person(people)
    state = ADFS.asked_by(person.get(person.at(**asked)))
    assert len(state) <= MAX_STATE
    page = person.bring(state, ADFS.answer(people))
    assert (page.action, page.fields["wctx"]) == (reply, context)


@pytest.mark.parametrize("field", ["wtrealm", "wctx", "whr", "wauth", "wreply"])
def test_w09_sign_in_that_could_not_be_ended_is_not_begun(people: World, field: str) -> None:
    text = "https://jwt.example/" + "\U0001f600" * 1000
    person = Person(people)
    page = person.get(person.at(**{"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", field: text}))
    assert (page.status, "Location" in page.answer.headers) == (400, False)
    assert "2048" in page.answer.text
