"""Short runs of the fuzzer at whole services, and that it would notice what it is there for."""

from dataclasses import replace
from random import Random

import pytest

from tests import partner_documents as documents
from tests.flows.identity_provider import IdentityProvider
from tests.flows.people import Page, Person
from tests.fuzz import doors, world
from tests.fuzz.documents import EVIL, require_nobody_new
from tests.fuzz.documents import KINDS as DOCUMENTS
from tests.fuzz.doors import KINDS
from tests.fuzz.running import Forged, fuzz
from tests.operations.partners import partnership
from tests.partner_documents import Shape
from tests.protocols.wresults import adfs as response

ALL = KINDS | DOCUMENTS


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_forged_and_nothing_fails(name: str) -> None:
    tally = fuzz((name, ALL[name]), seed=1, executions=120)
    assert tally.executions == tally.read + sum(tally.refusals.values()) == 120
    assert tally.read > 0
    assert len(tally.refusals) > 5


def test_an_identity_that_nobody_stated_is_noticed() -> None:
    person = Person(world.service(), source=world.visitor())
    state = person.sign_in("jwt").asked["wctx"]
    token = IdentityProvider(claims=world.ADMIN).token(person.world)
    page = person.bring(state, response(token.decode()))
    assert page.status == 200
    with pytest.raises(Forged):
        world.require_stated(page)


def test_an_answer_that_leads_elsewhere_is_noticed() -> None:
    person = Person(world.service(), source=world.visitor())
    page = person.sign_in("jwt")
    doors.require_known(person, page)
    page.answer.headers["Location"] = page.location.replace("adfs.example", "adfs.example.evil.example")
    with pytest.raises(doors.Failed):
        doors.require_known(person, Page(page.answer))


def test_a_certificate_that_nobody_vouched_for_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with partnership(tmp_path_factory.mktemp("partners")) as partners:
        partners.bring(documents.adfs())
        require_nobody_new(partners)
        both = replace(EVIL, signing=(*Shape().signing, *EVIL.signing))
        partners.accept(documents.adfs(both))
        with pytest.raises(Forged):
            require_nobody_new(partners)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_makes_the_same_requests(seed: int) -> None:
    first, second = (doors.parameters(Random(seed)) for _ in range(2))
    assert first == second
