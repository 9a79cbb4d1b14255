"""What is taken away while another process, or a sign-in under way, still knows it: no session by it goes on."""

from collections.abc import Iterator

import pytest

from sts.operations import namespaces
from sts.store import tables
from tests.flows.conftest import people, people_pattern
from tests.flows.identity_provider import IdentityProvider
from tests.flows.people import Person
from tests.flows.signing_in import ADFS, ADFS_CONFIGURATION, OTHER, REPLY, signed_in
from tests.flows.world import SECRET, World, lend, open_world
from tests.threats.endpoints import rows_of

__all__ = ["people", "people_pattern"]

STOLEN, KEPT = ADFS, OTHER
BOTH = ADFS_CONFIGURATION.replace("[adfs.cer]", "[adfs.cer, other.cer]")
ONE = ADFS_CONFIGURATION.replace("[adfs.cer]", "[other.cer]")


def poll(world: World) -> None:
    """What the process's one background thread does every second."""
    world.service.installation.database.poll()


def provider(world: World, configuration: str) -> None:
    """Configure the identity provider anew."""
    world.apply(f"namespace: contoso\nidentity_providers: [{{{configuration}}}]")


@pytest.fixture
def other(people: World) -> Iterator[World]:
    """A second process, which has taken sign-ins of every kind and so remembers whom it trusts."""
    for second in lend(open_world(people.home)):
        signed_in(Person(second), "jwt")
        warm = Person(second)
        warm.type(warm.sign_in("form"))
        yield second


def goes_on(person: Person, party: str) -> bool:
    """Whether the session is good for a token."""
    return person.sign_in(party).action == REPLY.format(party)


def test_session_by_a_certificate_that_was_taken_away_by_then_is_not_used(people: World, other: World) -> None:
    provider(people, ONE)
    thief = Person(other)
    assert signed_in(thief, "jwt", STOLEN).action == REPLY.format("jwt"), "this process has not polled"
    assert goes_on(thief, "swt"), "nor has it here"
    poll(other)
    for party in ("jwt", "saml20"):
        assert thief.sign_in(party).location.startswith("https://adfs.example/")
    other.move(hours=1)
    assert not goes_on(thief, "jwt")
    assert signed_in(Person(other), "jwt", STOLEN).status == 400


def test_session_by_another_certificate_of_the_same_identity_provider_goes_on(people: World, other: World) -> None:
    provider(people, BOTH)
    poll(other)
    honest, thief = Person(other), Person(other)
    kept = IdentityProvider("other").sending(issuer="https://adfs.example/")
    state = ADFS.asked_by(honest.sign_in("jwt"))
    provider(people, ONE)
    assert honest.bring(state, kept.answer(other)).action == REPLY.format("jwt")
    assert signed_in(thief, "jwt", STOLEN).action == REPLY.format("jwt")
    poll(other)
    assert goes_on(honest, "swt")
    assert not goes_on(thief, "swt")


def test_session_by_a_password_that_was_changed_by_then_is_not_used(people: World, other: World) -> None:
    """The change is in the same second, or seconds before: the clock of who types it says nothing."""
    for seconds in (0, 5):
        known = SECRET if seconds == 0 else "password 0"
        poll(other)
        form = (thief := Person(other)).sign_in("form")
        people.clock.now = other.now
        people.move(seconds=1)
        people.apply(
            "namespace: contoso\nservice_identities: [{name: ann, password: 'env:NEW', interactive: true}]",
            {"NEW": f"password {seconds}"},
        )
        other.move(seconds=1 + seconds)
        assert thief.type(form, password=known).action == REPLY.format("form"), "this process has not polled"
        poll(other)
        assert thief.sign_in("form").heading == "Sign in to form"
        fresh = Person(other)
        assert fresh.type(fresh.sign_in("form"), password=known).status == 401
        assert fresh.type(fresh.sign_in("form"), password=f"password {seconds}").status == 200
        assert goes_on(fresh, "form")


@pytest.mark.parametrize("party", ["jwt", "told", "form"])
def test_sign_in_at_a_namespace_that_was_deleted_meanwhile_finds_it_gone(
    people: World, other: World, party: str
) -> None:
    """Nor is anything told to a relying party, which is gone as well."""
    person = Person(other)
    asked = person.sign_in(party)
    namespaces.delete(people.service.installation, "contoso", people.now)
    page = person.type(asked) if party == "form" else person.bring(ADFS.asked_by(asked), ADFS.answer(other))
    assert (page.status, page.heading, page.fields) == (404, "There is nothing at this address", {})
    record = other.records()[-1]
    assert (record["error"], record["detail"]) == ("ACS50001", "it was deleted meanwhile")
    assert "token_id" not in record
    assert rows_of(people, tables.browser_session) == []
