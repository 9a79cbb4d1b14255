"""Sessions end when the identity provider that somebody signed in at says so (SAML 2.0 Core, 2.7.2)."""

from datetime import datetime, timedelta

import pytest

from sts.crypto.xml import instant
from sts.crypto.xmldsig import sign_canonical
from sts.store import tables
from tests.flows.identity_provider import signer
from tests.flows.people import Person
from tests.flows.signing_in import ADFS, REPLY
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.endpoints import rows_of


def ending(token: bytes, end: datetime) -> bytes:
    """A token of the identity provider that also says when a session by it must be over."""
    before, _, rest = token.decode().partition("<ds:Signature")
    after = rest.partition("</ds:Signature>")[2]
    said = after.replace('"><AuthnContext>', f'" SessionNotOnOrAfter="{instant(end)}"><AuthnContext>')
    assert said != after
    return sign_canonical(before, said, before.partition(' ID="')[2].partition('"')[0], signer("adfs"))


@pytest.mark.parametrize("ago", [timedelta(), timedelta(days=2)])
def test_session_ends_when_its_identity_provider_says_so(people: World, ago: timedelta) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    token = ADFS.sending(authenticated_at=people.now - ago).token(people)
    sent = response(ending(token, people.now + timedelta(minutes=20)).decode())
    assert person.bring(state, sent).action == REPLY.format("jwt")
    people.move(minutes=19, seconds=59)
    assert person.sign_in("swt").action == REPLY.format("swt")
    people.move(seconds=1)
    assert person.sign_in("swt").location.startswith("https://adfs.example/")


def test_sign_in_by_a_session_that_is_over_already_is_refused(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    sent = response(ending(ADFS.token(people), people.now - timedelta(minutes=3)).decode())
    assert person.bring(state, sent).status == 400
    assert "time: the session is over" in str(people.records()[-1])
    assert rows_of(people, tables.browser_session) == []
