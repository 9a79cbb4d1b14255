"""`sts token inspect`: tokens of a service that runs by the real clock, as the command does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.flows.world import CONTOSO, World, open_world

MEMBERS = [
    *("format", "encrypted", "id", "issuer", "audience", "not_before", "expires_at", "claims", "algorithm"),
    *("key_hint", "signed_by", "vouched_by", "verified", "reasons"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = open_world(tmp_path_factory.mktemp("world"))
    made.clock.now = datetime.now(UTC)
    made.apply(CONTOSO)
    yield made
    made.close()


@pytest.fixture
def there(world: World) -> Console:
    return Console(world.home)


@pytest.mark.parametrize("party", ["swt", "jwt", "hs256", "saml11", "saml20"])
def test_a_good_token_is_told_from_a_file_and_from_standard_input(world: World, there: Console, party: str) -> None:
    file = world.home / "token"
    file.write_bytes(world.token(party))
    found = there.json("token", "inspect", file)
    assert list(found) == MEMBERS
    assert (found["verified"], found["reasons"], found["signed_by"]["namespace"]) == (True, [], "contoso")
    assert there.json("token", "inspect", stdin=world.oauth(party).data)["audience"] == found["audience"]
    told = there.ok("token", "inspect", file, "--namespace", "contoso")
    assert f"audience:    https://{party}.example/" in told
    assert told.splitlines()[-1] == "verifies:    yes"


def test_an_altered_token_ends_with_1_and_still_says_what_it_says(world: World, there: Console) -> None:
    token = world.token("saml20").replace(b">worker<", b">admins<")
    result = there.run("token", "inspect", "--json", stdin=token)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["verified"], found["signed_by"]) == (False, None)
    assert "admins" in [claim["value"] for claim in found["claims"]]
    result = there.run("token", "inspect", stdin=token)
    assert "verifies:    no; no credential of namespace contoso made its signature" in result.stdout


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        *((pasted, "this is no SWT, JWT or SAML assertion") for pasted in (b"", b"hello", b"\xff\xfe\x00")),
        (b"{}", "the answer has no access_token"),
        (b"a.b.c", "JWT token is invalid."),
    ],
)
def test_what_is_no_token_is_refused(there: Console, pasted: bytes, reason: str) -> None:
    assert reason in there.refused("token", "inspect", stdin=pasted)


def test_what_is_not_there_is_refused(there: Console, tmp_path: Path) -> None:
    assert "cannot be read" in there.refused("token", "inspect", tmp_path / "nothing")
    assert "there is no namespace" in there.refused("token", "inspect", "--namespace", "x", stdin=b"e30.e30.e30")
