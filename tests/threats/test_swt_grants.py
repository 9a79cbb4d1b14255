"""Rows S11 to S18 and S21 at the grants of simple web tokens, of both OAuth endpoints."""

import json
from urllib.parse import quote_plus

import pytest
from werkzeug.test import TestResponse

from tests.flows.world import World, members
from tests.threats.endpoints import Refusal, seen_refused, send
from tests.threats.identity_providers import ADFS, trust
from tests.threats.test_wrap_assertions import AUDIENCE, BAD, KEYS, Mangle, text
from tests.tokens.compact import swt

GRANT = "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"
paths = pytest.mark.parametrize("path", ["oauth2/token", "v2/OAuth2-13"])


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


def present(world: World, path: str, token: bytes) -> TestResponse:
    form = {"grant_type": GRANT, "assertion": token, "scope": "https://swt.example/"}
    return send(world, f"/contoso/{path}", form)


def refusal(world: World, path: str, token: bytes) -> Refusal:
    """Present it and see it refused with the one public answer."""
    found = seen_refused(world, lambda: present(world, path, token))
    expected = (400, "invalid_grant") if path == "oauth2/token" else (401, "invalid_client")
    assert (found.status, json.loads(found.body)["error"]) == expected
    assert "ACS50012: Authentication failed." in found.body
    return found


@paths
def test_token_of_a_service_identity_is_accepted_once(trusting: World, path: str) -> None:
    token = swt(text(trusting), KEYS["worker"])
    answer = present(trusting, path, token)
    assert answer.status_code == 200, answer.text
    assert "nameidentifier=worker" in members(answer)["access_token"]
    assert refusal(trusting, path, token).record["error"] == "ACS50013"


@paths
def test_minimal_form_is_accepted_only_where_the_identity_allows_it(trusting: World, path: str) -> None:
    minimal = swt(b"Issuer=old", KEYS["old"])
    assert [present(trusting, path, minimal).status_code for _ in range(2)] == [200, 200]
    assert refusal(trusting, path, swt(b"Issuer=worker", KEYS["worker"])).record["error"] == "ACS50009"


@paths
@pytest.mark.parametrize(("mangle", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_mangled_token_is_refused(trusting: World, path: str, mangle: Mangle, reason: str) -> None:
    found = refusal(trusting, path, mangle(text(trusting)))
    assert found.record["detail"].partition(":")[0] == reason


@paths
@pytest.mark.parametrize("instant", ["0", "-1", "1" + "0" * 30, "1e9", "%205"])
def test_s14_expiry_that_is_no_plain_number_of_seconds_is_refused(trusting: World, path: str, instant: str) -> None:
    token = swt(f"Audience={quote_plus(AUDIENCE)}&ExpiresOn={instant}&Issuer=worker".encode(), KEYS["worker"])
    assert refusal(trusting, path, token).record["detail"] == "time: ExpiresOn is not a number of seconds"


@paths
@pytest.mark.parametrize("audience", ["https://orders.example/", "http://127.0.0.1:8000/contoso/v2/wsfederation"])
def test_token_for_another_audience_is_refused(trusting: World, path: str, audience: str) -> None:
    token = swt(text(trusting, audience=audience), KEYS["worker"])
    assert refusal(trusting, path, token).record["error"] == "ACS50010"


@paths
@pytest.mark.parametrize("name", ["nobody", "gone", "robot", ADFS], ids=["unknown", "disabled", "no key", "provider"])
def test_s18_token_of_one_that_has_no_key_looks_like_a_wrong_signature(trusting: World, path: str, name: str) -> None:
    token = swt(text(trusting, name), KEYS["worker"])
    assert refusal(trusting, path, token).record["error"] == "ACS50006"
