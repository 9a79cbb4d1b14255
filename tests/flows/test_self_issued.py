"""Self-issued simple web tokens at the WRAP endpoint."""

from urllib.parse import parse_qsl

import pytest

from sts.core.claims import NAME_IDENTIFIER
from tests.flows.self_issued import OLD_KEY, WORKER_KEY, present, self_issued, signed
from tests.flows.tokens import content_of
from tests.flows.world import World


def test_an_identity_gets_a_token_for_its_own(world: World) -> None:
    answer = present(world, self_issued(world))
    assert answer.status_code == 200
    assert world.records()[-1]["principal"] == "worker"


@pytest.mark.parametrize(
    "audience",
    ["", "WRAPv0.9", "WRAPv0.9/", "v2/OAuth2-13", "v2/OAuth2-13/", "oauth2/token"],
)
def test_every_address_of_the_namespace_is_a_good_audience(world: World, audience: str) -> None:
    token = self_issued(world, changes={"Audience": "http://127.0.0.1:8000/contoso/" + audience})
    assert present(world, token).status_code == 200


REFUSED = [
    pytest.param({"Audience": "http://127.0.0.1:8000/fabrikam/"}, "ACS50010", id="another namespace"),
    pytest.param({"Audience": "http://127.0.0.1:8000/contoso"}, "ACS50010", id="no slash"),
    pytest.param({"ExpiresOn": "1780315019"}, "ACS50009", id="over by more than the skew"),
    pytest.param({"ExpiresOn": "1780401601"}, "ACS50009", id="more than a day ahead"),
    pytest.param({"Issuer": "nobody"}, "ACS50006", id="unknown"),
    pytest.param({"Issuer": "gone"}, "ACS50006", id="disabled"),
    pytest.param({"Issuer": "old"}, "ACS50006", id="signed with somebody else's key"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED)
def test_a_bad_token_gets_the_one_answer_and_its_reason_in_the_log(
    world: World, changes: dict[str, str], code: str
) -> None:
    answer = present(world, self_issued(world, changes=changes))
    assert (answer.status_code, "ACS50012: Authentication failed." in answer.text) == (401, True)
    assert world.records()[-1]["error"] == code


@pytest.mark.parametrize("seconds", [-179, 1, 86_400])
def test_the_skew_and_the_longest_life_are_allowed(world: World, seconds: int) -> None:
    assert present(world, self_issued(world, seconds)).status_code == 200


def test_a_token_is_good_once(world: World) -> None:
    token = self_issued(world)
    assert [present(world, token).status_code for _ in range(3)] == [200, 401, 401]
    assert world.records()[-1]["error"] == "ACS50013"
    assert present(world, self_issued(world, 601)).status_code == 200


def test_the_minimal_form_is_for_identities_that_may_use_it(world: World) -> None:
    minimal = signed({"Issuer": "old"}, OLD_KEY)
    assert [present(world, minimal).status_code for _ in range(2)] == [200, 200]
    assert present(world, signed({"Issuer": "worker"}, WORKER_KEY)).status_code == 401


def test_the_token_that_comes_back_is_about_the_identity_for_the_realm(world: World) -> None:
    answer = present(world, signed({"Issuer": "old"}, OLD_KEY), "https://swt.example/orders")
    token = dict(parse_qsl(answer.text))["wrap_access_token"].encode()
    content = content_of(world, "swt", token)
    assert (content.audience, content.claims[NAME_IDENTIFIER]) == ("https://swt.example/orders", ["old"])
