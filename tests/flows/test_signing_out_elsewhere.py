"""Where signing out leads when no session says whose address that is, as applications of WIF do it."""

import pytest

from tests.flows.people import Person
from tests.flows.world import World

ELSEWHERE = """
namespace: contoso
relying_parties: [{name: elsewhere, realm: "urn:elsewhere", token_format: jwt, reply: ["https://elsewhere.example/"]}]
"""


def led(person: Person, wa: str, **more: str) -> set[str]:
    """Where it leads."""
    page = person.get(person.at(wa=wa, **more))
    return {address for address in (page.location, *page.links.values()) if address}


@pytest.mark.parametrize("wa", ["wsignout1.0", "wsignoutcleanup1.0"])
@pytest.mark.parametrize(
    ("reply", "leads"),
    [
        ("https://jwt.example/signin", True),
        ("https://jwt.example/other?x=1", True),
        ("https://jwt.example/signin/", False),
        ("https://jwt.example/", False),
        ("https://jwt.example.evil.com/signin", False),
        ("https://nobody.example/signin", False),
    ],
)
def test_it_leads_to_a_registered_address_in_the_realm_of_its_relying_party(
    still_people: World, wa: str, reply: str, leads: bool
) -> None:
    assert led(Person(still_people), wa, wreply=reply) == ({reply} if leads else set())


@pytest.mark.parametrize("wa", ["wsignout1.0", "wsignoutcleanup1.0"])
def test_address_outside_of_the_realm_needs_that(people: World, wa: str) -> None:
    people.apply(ELSEWHERE)
    person, reply = Person(people), "https://elsewhere.example/"
    assert led(person, wa, wreply=reply) == set()
    assert led(person, wa, wreply=reply, wtrealm="urn:elsewhere") == {reply}
