"""Two processes on one database: what one changes, the other sees once it has polled."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from sts.core.claims import ROLE
from sts.operations import namespaces
from tests.flows.doors import ONE_OF_EACH, Caller, realm_of
from tests.flows.operators import NAMESPACE, dedicated, delete, generate, promote, revoke, ring_of
from tests.flows.self_issued import present, self_issued
from tests.flows.tokens import PARTIES, Unverified, content_of, read_saml, signer_of
from tests.flows.world import CONTOSO, World, lend, open_world

METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
EVERY_PARTY = pytest.mark.parametrize("party", PARTIES)


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """A second process, warm: it has issued a token for every relying party and published its metadata."""
    for second in lend(open_world(world.home)):
        for party in PARTIES:
            second.token(party)
        second.get(METADATA)
        yield second


def at(now: datetime, *worlds: World) -> None:
    """Set every clock."""
    for each in worlds:
        each.clock.now = now


def poll(world: World) -> None:
    """What the process's one background thread does every second."""
    world.service.directory.poll()


@EVERY_PARTY
def test_a_changed_rule_is_seen_after_the_poll(world: World, other: World, party: str) -> None:
    world.apply(CONTOSO.replace("value: sender", "value: reader"))
    assert content_of(world, party, world.token(party)).claims[ROLE] == ["reader"]
    assert content_of(other, party, other.token(party)).claims[ROLE] == ["sender"]
    poll(other)
    assert content_of(other, party, other.token(party)).claims[ROLE] == ["reader"]


def test_a_disabled_identity_ends_what_the_other_process_remembers(world: World, other: World) -> None:
    disabled = CONTOSO.replace('symmetric_key: "env:WORKER_KEY"', 'symmetric_key: "env:WORKER_KEY", enabled: false')
    world.apply(disabled)
    assert world.oauth("jwt").status_code == 401
    assert other.oauth("jwt").status_code == 200
    poll(other)
    assert [door(other, Caller(realm_of("swt"))).status_code for door in ONE_OF_EACH] == [401, 401, 401]
    assert other.records()[-1]["detail"] == "service identity 'worker' is disabled"


def test_a_changed_password_ends_what_the_other_process_remembers(world: World, other: World) -> None:
    world.apply(CONTOSO, {"WORKER_PASSWORD": "a new password altogether"})
    assert world.oauth("jwt").status_code == 401
    poll(other)
    assert other.oauth("jwt").status_code == 401
    assert other.oauth("jwt", client_secret="a new password altogether").status_code == 200


def test_a_deleted_relying_party_is_unknown_after_the_poll(world: World, other: World) -> None:
    without = "\n".join(line for line in CONTOSO.splitlines() if "name: jwt," not in line)
    world.apply(without, prunes=True)
    assert other.oauth("jwt").status_code == 200
    poll(other)
    assert other.oauth("jwt").status_code == 400


def test_a_nested_realm_is_seen_after_the_poll(world: World, other: World) -> None:
    nested = 'namespace: contoso\nrelying_parties:\n  - {name: inner, realm: "https://jwt.example/inner", '
    world.apply(nested + "token_format: jwt, rule_groups: [all]}\n")
    poll(other)
    assert other.oauth("jwt", resource="https://jwt.example/inner/1").status_code == 200
    assert other.records()[-1]["relying_party"] == "inner"


def test_a_host_is_seen_after_the_poll(world: World, other: World) -> None:
    def status() -> int:
        return other.client.get("/.well-known/jwks.json", base_url="http://contoso.example").status_code

    assert status() == 400
    world.apply("namespace: contoso\nhosts: [contoso.example]\n")
    assert status() == 400
    poll(other)
    assert status() == 200


@EVERY_PARTY
def test_all_processes_turn_to_a_new_primary_in_the_same_second(world: World, other: World, party: str) -> None:
    old, new = signer_of(world, party, world.token(party)), generate(world, ring_of(party))
    promoted = promote(world, ring_of(party), new).row.primary_from
    assert promoted is not None
    poll(other)
    for now, expected in ((world.now, old), (promoted, new)):
        at(now, world, other)
        for each in (world, other):
            assert signer_of(each, party, each.token(party)).id == expected.id
        assert world.get(METADATA).data == other.get(METADATA).data


@EVERY_PARTY
def test_a_revoked_credential_stops_signing_after_the_poll(world: World, other: World, party: str) -> None:
    revoke(world, ring_of(party), signer_of(world, party, world.token(party)))
    poll(other)
    assert other.oauth(party).status_code == 400


@EVERY_PARTY
def test_a_destroyed_key_is_gone_after_the_poll(world: World, other: World, party: str) -> None:
    own = generate(world, dedicated(party))
    poll(other)
    assert signer_of(other, party, other.token(party)).id == own.id
    revoke(world, dedicated(party), own)
    delete(world, dedicated(party), own)
    poll(other)
    assert signer_of(other, party, other.token(party)).scope == "namespace"


def test_a_new_certificate_is_in_the_others_metadata_after_the_poll(world: World, other: World) -> None:
    generate(world, NAMESPACE)
    assert world.get(METADATA).data != other.get(METADATA).data
    poll(other)
    assert world.get(METADATA).data == other.get(METADATA).data


def test_an_assertion_is_used_once_over_all_processes(world: World, other: World) -> None:
    assertion = self_issued(world)
    assert present(world, assertion).status_code == 200
    refused = present(other, assertion)
    assert (refused.status_code, "ACS50013" in other.log.read_text()) == (401, True)


def test_guesses_are_counted_over_all_processes(world: World, other: World) -> None:
    guess = Caller(realm_of("swt"), name="nobody", secret="wrong")
    for number in range(10):
        assert ONE_OF_EACH[0]((world, other)[number % 2], guess).status_code == 401
    assert ONE_OF_EACH[0](other, guess).status_code == 429
    assert ONE_OF_EACH[0](world, guess).status_code == 429


def test_polling_twice_changes_nothing(world: World, other: World) -> None:
    generate(world, NAMESPACE)
    poll(other)
    known = other.namespace
    poll(other)
    assert other.namespace is known


def test_a_deleted_namespace_is_gone_and_another_of_its_name_has_other_keys(world: World, other: World) -> None:
    published, token = other.get(METADATA).data, other.token("saml20")
    namespaces.delete(world.service.installation, "contoso", world.now)
    for each in (world, other):
        poll(each)
        assert [door(each, Caller(realm_of("swt"))).status_code for door in ONE_OF_EACH] == [404, 404, 404]
        assert each.get(METADATA).status_code == 404
    world.apply(CONTOSO)
    poll(other)
    for each in (world, other):
        assert each.get(METADATA).status_code == 200
        assert each.get(METADATA).data != published
        for party in PARTIES:
            assert content_of(each, party, each.token(party)).claims[ROLE] == ["sender"]
    for certificate in (c.certificate for c in world.namespace.credentials if c.certificate is not None):
        with pytest.raises(Unverified):
            read_saml(token, certificate, world.now)


def test_sixteen_clients_at_once_use_an_assertion_once(world: World, other: World) -> None:
    for number in range(3):
        assertion = self_issued(world, 500 + number)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda each, token=assertion: present(each, token), [world, other] * 8))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15


def test_a_cold_process_serves_many_at_once(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(world.oauth, PARTIES * 8))
        documents = list(pool.map(world.get, [METADATA] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert len({document.data for document in documents}) == 1
