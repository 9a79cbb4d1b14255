"""Rows X, D, A and N in answers that nobody asked for, where an identity provider's record allows such."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.flows.people import Page, Person
from tests.flows.world import World, lend, open_world
from tests.protocols.wresults import adfs as response
from tests.threats.encryption import GCM, Sealing, sealed
from tests.threats.endpoints import Refusal
from tests.threats.hostile_assertions import HOSTILE, Row
from tests.threats.identity_providers import OTHER, Said, assertion
from tests.threats.response_door import PARTIES, brought_unasked, open_door, refused_unasked, staged, stranger
from tests.threats.test_encrypted_assertions import SEALINGS
from tests.threats.test_responses import WELCOME_HERE

BEGIN_AGAIN = "Please sign in again"
OURS = Said(issuer="urn:gcm")


@pytest.fixture(scope="module")
def door(shared_world: World) -> World:
    """A service at which one identity provider may sign people in unasked."""
    return open_door(shared_world, "adfs")


@pytest.fixture(scope="module")
def sealed_door(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same for one that encrypts what it sends."""
    home = shutil.copytree(pattern, tmp_path_factory.mktemp("sealed"), dirs_exist_ok=True)
    yield from lend(open_door(open_world(home), "gcm"))


@pytest.fixture(scope="module")
def one_answer(door: World) -> Refusal:
    """The one answer to whatever is wrong with what an identity provider sent."""
    return refused_unasked(door, b"nonsense")


@pytest.mark.parametrize("party", PARTIES)
def test_honest_answer_that_nobody_asked_for_signs_in(door: World, party: str) -> None:
    assert brought_unasked(door, assertion(staged(door)), party).action == f"https://{party}.example/signin"


@pytest.mark.parametrize("row", HOSTILE, ids=[row.id for row in HOSTILE])
def test_hostile_assertion_that_nobody_asked_for_is_refused(door: World, one_answer: Refusal, row: Row) -> None:
    """What names no identity provider that may do this has no sign-in to belong to; of the rest nothing is told."""
    made = row.make(staged(door))
    if row.id == WELCOME_HERE:
        assert brought_unasked(door, made).status == 200
        return
    found = refused_unasked(door, made)
    assert found.status == 400
    is_text = found.record["message"] not in ("the form is not UTF-8", "the form holds a NUL character")
    assert not is_text or found.answer == one_answer.answer or BEGIN_AGAIN in found.body


@pytest.mark.parametrize("row", SEALINGS)
def test_encryption_that_does_not_hold_is_refused_unasked(sealed_door: World, row: str) -> None:
    nonsense = refused_unasked(sealed_door, b"nonsense").answer
    sealing = SEALINGS[row]
    assert refused_unasked(sealed_door, sealed(assertion(staged(sealed_door), OURS), sealing)).answer == nonsense


def test_a01_other_identity_provider_may_not(door: World) -> None:
    for said in (Said(issuer=OTHER), OURS, Said(issuer="urn:disabled"), Said(issuer="urn:nobody")):
        assert BEGIN_AGAIN in refused_unasked(door, assertion(staged(door), said)).body


def test_a12_answer_is_good_once_however_it_travels(sealed_door: World) -> None:
    made = assertion(staged(sealed_door), OURS)
    assert brought_unasked(sealed_door, sealed(made, Sealing(GCM))).status == 200
    assert "used before" in refused_unasked(sealed_door, sealed(made, Sealing(GCM))).reason
    assert "used before" in refused_unasked(sealed_door, sealed(made, Sealing(GCM, content_key=bytes(32)))).reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param("identity_providers: [{name: adfs, issuer: 'https://idp.example/', enabled: false, "
                     "certificates: [idp-rsa2048.cer], unsolicited: true}]", "without state", id="A05"),
        pytest.param("relying_parties: [{name: jwt, realm: 'https://jwt.example/', token_format: jwt, enabled: false, "
                     "reply: ['https://jwt.example/signin'], identity_providers: [adfs], rule_groups: [people]}]",
                     "is disabled", id="A06"),
        pytest.param("relying_parties: [{name: jwt, realm: 'https://jwt.example/', token_format: jwt, "
                     "reply: ['https://jwt.example/signin'], identity_providers: [other], rule_groups: [people]}]",
                     "adfs", id="A07"),
    ],
)  # fmt: skip
def test_what_is_closed_is_closed_to_answers_that_nobody_asked_for(world: World, change: str, reason: str) -> None:
    open_door(world, "adfs")
    assert brought_unasked(world, assertion(staged(world))).status == 200
    world.apply(f"namespace: contoso\n{change}")
    assert reason in refused_unasked(world, assertion(staged(world))).reason


def test_n04_failures_to_decrypt_have_a_budget_unasked_too(sealed_door: World) -> None:
    bad = sealed(assertion(staged(sealed_door), OURS), Sealing(owner="stranger"))
    person = Person(sealed_door, source="203.0.113.9")
    fields = {"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", "wresult": response(bad.decode())}
    assert [person.post(person.at(), fields).status for _ in range(22)] == [400] * 20 + [429] * 2


@pytest.mark.parametrize("mark", ["wresult", "wresul%74"], ids=["before the framework", "in the framework"])
@pytest.mark.parametrize(
    ("query", "realms"),
    [
        pytest.param((), ("jwt", "saml20"), id="W08-two"),
        pytest.param((), ("jwt", "jwt"), id="W08-twice"),
        pytest.param(("jwt",), ("swt",), id="W08-in address and body"),
        pytest.param(("jwt",), ("jwt",), id="W08-the same in address and body"),
        pytest.param(("jwt", "swt"), (), id="W08-two in the address"),
    ],
)
def test_answer_for_more_than_one_realm_is_refused(
    door: World, mark: str, query: tuple[str, ...], realms: tuple[str, ...]
) -> None:
    made = response(assertion(staged(door)).decode())

    def brings(in_address: tuple[str, ...], in_body: tuple[str, ...]) -> Page:
        named = [
            urlencode([("wtrealm", f"https://{name}.example/") for name in each]) for each in (in_address, in_body)
        ]
        person = Person(door, source=stranger())
        body = f"{urlencode({'wa': 'wsignin1.0', 'wresult': made}).replace('wresult=', f'{mark}=')}&{named[1]}"
        return person._open("POST", f"{person.at()}?{named[0]}", body.encode())

    page = brings(query, realms)
    assert (page.status, page.action, door.records()[-1]["error"]) == (400, "", "ACS20001")
    assert "'wtrealm' is there more than once" in door.records()[-1]["detail"]
    assert brings(("jwt",), ()).action == "https://jwt.example/signin"
