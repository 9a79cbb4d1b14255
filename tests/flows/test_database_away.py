"""F03: the database goes away for a while. What is warm goes on, what must write is refused, nothing is half done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from sts.core.errors import StoreUnavailable
from tests.flows.doors import DOORS, ONE_OF_EACH, Caller, Door, realm_of
from tests.flows.operators import NAMESPACE, first, generate, promote
from tests.flows.self_issued import OLD_KEY, present, self_issued, signed
from tests.flows.tokens import PARTIES, content_of, signer_of
from tests.flows.world import World, members

DOCUMENTS = (
    "FederationMetadata/2007-06/FederationMetadata.xml",
    ".well-known/openid-configuration",
    ".well-known/jwks.json",
)
MINIMAL = signed({"Issuer": "old"}, OLD_KEY)


@pytest.fixture
def warm(world: World) -> World:
    """A service that everybody has used once."""
    for party in PARTIES:
        world.token(party)
        assert DOORS[0](world, Caller(realm_of(party))).status_code == 200  # what is right is remembered by network
    for document in DOCUMENTS:
        world.get(document)
    assert present(world, MINIMAL).status_code == 200
    assert present(world, self_issued(world)).status_code == 200
    return world


@contextmanager
def database_away(world: World) -> Iterator[None]:
    """Close what is open and put the database where it is not found."""
    world.service.installation.database.close()
    path, aside = world.home / "sts.db", world.home / "aside"
    aside.mkdir()
    for file in world.home.glob("sts.db*"):
        shutil.move(file, aside)
    path.mkdir()  # opening it is an error, and no empty database can be made in its place
    try:
        yield
    finally:
        path.rmdir()
        for file in aside.iterdir():
            shutil.move(file, world.home)
        aside.rmdir()


@pytest.mark.parametrize("party", PARTIES)
def test_tokens_go_on_from_memory_at_every_door(warm: World, party: str) -> None:
    with database_away(warm):
        for door in (door for door in DOORS if party in door.parties):
            answer = door(warm, Caller(realm_of(party)))
            assert answer.status_code == 200, answer.text
            inner = door(warm, Caller(realm_of(party) + "orders?id=1"))
            assert inner.status_code == 200, inner.text
            token = door.read(inner).token
    assert content_of(warm, party, token).audience == realm_of(party) + "orders?id=1"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_go_on_from_memory(warm: World, document: str) -> None:
    before = warm.get(document).data
    with database_away(warm):
        assert warm.get(document).data == before


def test_a_promotion_that_was_scheduled_happens_all_the_same(warm: World) -> None:
    old, new = first(warm, NAMESPACE), generate(warm, NAMESPACE)
    promote(warm, NAMESPACE, new, warm.now + timedelta(seconds=30))
    warm.token("saml20")
    warm.move(seconds=30)
    token = warm.token("saml20")  # opens the new key
    assert signer_of(warm, "saml20", token).id == new.id != old.id
    warm.move(seconds=10)
    with database_away(warm):
        assert warm.oauth("saml20").status_code == 200


def test_an_assertion_whose_use_cannot_be_recorded_is_refused_and_stays_unused(warm: World) -> None:
    assertion = self_issued(warm, 601)
    with database_away(warm):
        for _ in range(2):
            answer = present(warm, assertion)
            assert (answer.status_code, "ACS60021" in answer.text) == (503, True)
            assert int(answer.headers["Retry-After"]) > 0
            assert warm.records()[-1]["error"] == "ACS60021"
    assert [present(warm, assertion).status_code for _ in range(2)] == [200, 401]


def test_what_needs_no_record_is_not_refused(warm: World) -> None:
    with database_away(warm):
        assert present(warm, MINIMAL).status_code == 200


def test_an_assertion_that_was_used_is_refused_before_during_and_after(warm: World) -> None:
    used = self_issued(warm)
    with database_away(warm):
        assert present(warm, used).status_code == 503
    assert present(warm, used).status_code == 401


UNSETTLED = [
    pytest.param(Caller(realm_of("swt"), secret="wrong"), id="wrong password"),
    pytest.param(Caller(realm_of("swt"), name="nobody"), id="unknown name"),
    pytest.param(Caller("https://unknown.example/"), id="unknown realm"),
    pytest.param(Caller("https://nobody.example/"), id="relying party not yet in memory"),
]


@pytest.mark.parametrize("door", ONE_OF_EACH, ids=lambda door: door.name)
@pytest.mark.parametrize("caller", UNSETTLED)
def test_what_memory_cannot_settle_is_refused_as_unavailable(warm: World, door: Door, caller: Caller) -> None:
    with database_away(warm):
        answer = door(warm, caller)
        assert (answer.status_code, "ACS60021" in answer.text) == (503, True), answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert str(warm.home) not in answer.text
    assert door(warm, Caller(realm_of("swt"))).status_code == 200


def test_a_password_that_was_not_used_for_five_minutes_is_not_remembered(warm: World) -> None:
    with database_away(warm):
        for _ in range(3):
            warm.move(seconds=299)
            assert warm.oauth("jwt").status_code == 200
        warm.move(seconds=300)
        assert warm.oauth("jwt").status_code == 503
    assert warm.oauth("jwt").status_code == 200


def test_guesses_without_a_database_are_never_answered(warm: World) -> None:
    with database_away(warm):
        answers = {ONE_OF_EACH[0](warm, Caller(realm_of("swt"), secret="wrong")).status_code for _ in range(15)}
    assert answers == {503}


def test_s01_a_hundred_guesses_without_a_database_are_counted(warm: World) -> None:
    """What nobody could look at is a guess too, or the right one would show itself by being remembered."""
    with database_away(warm):
        assert warm.oauth("jwt").status_code == 200
        for number in range(100):
            assert warm.oauth("jwt", client_secret=f"guess {number}").status_code == 503
        assert warm.oauth("jwt").status_code == 503
    assert warm.oauth("jwt").status_code == 200


def test_the_process_lives_and_is_not_ready(warm: World) -> None:
    def status(path: str) -> int:
        return warm.client.get(path, base_url="http://127.0.0.1:8000").status_code

    with database_away(warm):
        assert (status("/health/live"), status("/health/ready"), status("/metrics")) == (200, 503, 200)
    assert (status("/health/live"), status("/health/ready")) == (200, 200)


def test_polling_fails_and_forgets_nothing(warm: World) -> None:
    known = warm.namespace
    with database_away(warm):
        with pytest.raises(StoreUnavailable):
            warm.service.directory.poll()
        assert warm.namespace is known
        assert warm.oauth("saml11").status_code == 200
    warm.service.directory.poll()
    assert warm.namespace is known


def test_an_operator_is_refused_and_nothing_is_half_done(warm: World) -> None:
    before = warm.namespace
    with database_away(warm):
        with pytest.raises(StoreUnavailable):
            generate(warm, NAMESPACE)
        with pytest.raises(StoreUnavailable):
            warm.apply("namespace: contoso\nsession: 1h\n")
    warm.service.directory.drop_all()
    assert warm.namespace == before


def test_documents_of_a_cold_process_are_refused_as_unavailable(world: World) -> None:
    with database_away(world):
        for document in DOCUMENTS:
            answer = world.get(document)
            assert (answer.status_code, members(answer)["detail"][:9]) == (503, "ACS60021:")
    assert world.get(DOCUMENTS[0]).status_code == 200


def test_no_empty_database_is_made_where_one_was(warm: World) -> None:
    with database_away(warm):
        warm.oauth("jwt", client_secret="wrong")
        assert (warm.home / "sts.db").is_dir()
