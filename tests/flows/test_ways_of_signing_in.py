"""A relying party asks how people sign in (`wauth`), and the identity provider says how they did."""

import pytest

from sts.core.uris import AuthenticationMethod, authentication_method
from sts.crypto.state_sealing import seal_state
from sts.store import tables
from tests.flows.people import Person
from tests.flows.signing_in import ADFS, REPLY
from tests.flows.world import World
from tests.threats.endpoints import rows_of

PASSWORD, PROTECTED, X509, UNSPECIFIED = AuthenticationMethod
OLD_X509 = "urn:oasis:names:tc:SAML:1.0:am:X509-PKI"
SECOND_FACTOR = "http://schemas.microsoft.com/claims/multipleauthn"


@pytest.mark.parametrize(("asked", "said"), [(X509, PASSWORD), (OLD_X509, PROTECTED), (PASSWORD, X509)])
def test_another_way_of_signing_in_than_was_asked_for_is_refused(people: World, asked: str, said: str) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("told", wauth=asked))
    page = person.bring(state, ADFS.sending(authentication_method=said).answer(people))
    assert page.action == "https://told.example/error"
    assert "wresult" not in page.fields
    assert "was asked for, and the sign-in was by" in str(people.records()[-1])
    assert rows_of(people, tables.browser_session) == []
    again = ADFS.sending(authentication_method=authentication_method(asked)).answer(people)
    assert "Please sign in again" in person.bring(state, again).text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        *((X509, X509), (OLD_X509, X509), (X509, UNSPECIFIED), (UNSPECIFIED, X509)),
        *((PROTECTED, PASSWORD), (PASSWORD, PROTECTED), (SECOND_FACTOR, PASSWORD)),
    ],
)
def test_the_way_that_was_asked_for_silence_and_what_is_not_known_are_accepted(
    people: World, asked: str, said: str
) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt", wauth=asked))
    assert person.bring(state, ADFS.sending(authentication_method=said).answer(people)).action == REPLY.format("jwt")


def test_nobody_is_asked_for_a_password_who_is_to_sign_in_otherwise(people: World) -> None:
    person = Person(people)
    page = person.sign_in("form", wauth=X509)
    assert (page.status, page.heading == "Sign in to form") == (401, False)
    assert person.sign_in("form", wauth=PASSWORD).heading == "Sign in to form"


@pytest.mark.parametrize("sealed", [b'["contoso"]', b'["contoso","","",null,"adfs","0","0",0,null,"","urn:a"]', b"1"])
def test_a_state_that_another_version_sealed_asks_to_sign_in_again(people: World, sealed: bytes) -> None:
    person = Person(people)
    ADFS.asked_by(person.sign_in("jwt"))
    state = seal_state(people.service.installation.key_ring.derived_key(b"sign-in states"), sealed)
    page = person.bring(state, ADFS.answer(people))
    assert (page.status, "Please sign in again" in page.text) == (400, True)
