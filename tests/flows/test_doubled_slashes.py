"""Addresses with doubled slashes behind a proxy that ends TLS: nothing is there, and nobody is led to plain http."""

import shutil
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import TestResponse

from tests.flows.people import Person
from tests.flows.signing_in import ADFS
from tests.flows.world import World, lend, open_world

OURS, HOSTED = "sts.example", "login.contoso.example"
SETTINGS = {"base_url": f"https://{OURS}", "trusted_proxies": (ip_network("10.0.0.0/8"),)}
METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
PLACES = (
    *("v2/wsfederation", "v2/wsfederation/local", "v2/metadata/IdentityProviders.js", METADATA),
    *(".well-known/jwks.json", ".well-known/est/simpleenroll", "v2/wstrust/mex"),
    *("oauth2/token", "WRAPv0.9", "v2/wstrust/13/username"),
)


def proxied(home: Path) -> World:
    """A service behind a proxy."""
    world = open_world(home, **SETTINGS)
    world.apply(f"namespace: contoso\nhosts: [{HOSTED}]\n")
    return world


@pytest.fixture(scope="module")
def world(people_pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One such service."""
    home = tmp_path_factory.mktemp("proxied")
    yield from lend(proxied(shutil.copytree(people_pattern, home, dirs_exist_ok=True)))


def ask(world: World, method: str, path: str, host: str = OURS, **more: Any) -> TestResponse:
    """Ask through the proxy, which took it over TLS and goes on without."""
    told = {"X-Forwarded-Proto": "https", "Host": host}
    plain = {"base_url": f"http://{OURS}", "environ_overrides": {"REMOTE_ADDR": "10.0.0.1", "PATH_INFO": path}}
    return world.client.open("/", method=method, headers=told, **plain, **more)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("host", "prefix"),
    [(OURS, "/contoso//"), (OURS, "//contoso/"), (OURS, "/contoso///"), (HOSTED, "//"), (HOSTED, "///")],
)
def test_nothing_is_where_a_slash_is_doubled(world: World, method: str, place: str, host: str, prefix: str) -> None:
    answer = ask(world, method, prefix + place, host, data={"wa": "wsignin1.0"} if method == "POST" else None)
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)
    assert "http://" not in answer.text


@pytest.mark.parametrize("place", [place.replace("/", "//", 1) for place in PLACES if "/" in place])
@pytest.mark.parametrize(("host", "prefix"), [(OURS, "/contoso/"), (HOSTED, "/")])
def test_nothing_is_where_a_slash_further_on_is_doubled(world: World, place: str, host: str, prefix: str) -> None:
    for method in ("GET", "POST"):
        answer = ask(world, method, prefix + place, host)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None)


@pytest.mark.parametrize(
    "path",
    [
        *("//", "///", "//health/live", "//metrics", "//favicon.ico"),
        *("/.well-known//oauth-authorization-server/contoso", "//.well-known/oauth-authorization-server/contoso"),
    ],
)
def test_nothing_of_the_installation_is_where_a_slash_is_doubled(world: World, path: str) -> None:
    answer = ask(world, "GET", path)
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)


@pytest.mark.parametrize("host", ["", "evil.example", f"{OURS}@evil.example", f"{OURS}:1234", "[::1", "evil.example/"])
@pytest.mark.parametrize("path", ["/contoso//v2/wsfederation", "//contoso/v2/wsfederation", "//"])
def test_an_odd_host_name_leads_nowhere(world: World, path: str, host: str) -> None:
    answer = ask(world, "POST", path, host)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.parametrize("path", ["/contoso//v2/wsfederation", "//contoso/v2/wsfederation"])
def test_what_crosses_the_network_in_the_clear_is_told_so_there_too(world: World, path: str) -> None:
    answer = world.client.post(path.lstrip("/"), base_url=f"http://{OURS}", environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 400
    assert "in the clear: rotate it" in world.records()[-1]["detail"]


@pytest.mark.parametrize("mark", ["wresult", "wresul%74"], ids=["before the framework", "in the framework"])
@pytest.mark.parametrize("path", ["//contoso/v2/wsfederation", "/contoso//v2/wsfederation", "//v2/wsfederation"])
def test_no_token_is_issued_where_a_slash_is_doubled(people: World, mark: str, path: str) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    wresult = ADFS.answer(people)
    rest = urlencode({"wa": "wsignin1.0", "wctx": state})
    answer = person.client.post(
        "/",
        data=f"{rest}&{mark}={quote(wresult)}".encode(),
        base_url=person.base_url,
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"PATH_INFO": path},
    )
    record = people.records()[-1]
    assert (answer.status_code, record["path"], record.get("token_id")) == (404, path, None)
    assert record.get("namespace") in (None, "contoso")
    assert person.bring(state, wresult).status == 200


def test_a_redirection_of_the_framework_leads_to_our_own_address(people_pattern: Path, tmp_path: Path) -> None:
    """None is left: this one is made for the test."""
    world = proxied(shutil.copytree(people_pattern, tmp_path, dirs_exist_ok=True))
    pages = world.client.application._edge._pages  # type: ignore[union-attr]  # of the real application
    pages.add_url_rule("/contoso/folder/", "folder", lambda: "")
    for host, path in ((OURS, "/contoso/folder"), (HOSTED, "/folder")):
        answer = ask(world, "GET", path, host)
        assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{OURS}/contoso/folder/")
    world.close()


def test_no_address_of_the_framework_has_a_slash_at_its_end_alone(world: World) -> None:
    """It would redirect who leaves the slash out."""
    pages = world.client.application._edge._pages  # type: ignore[union-attr]  # of the real application
    rules = {rule.rule: rule for rule in pages.url_map.iter_rules()}
    alone = [path for path in rules if path.endswith("/") and path != "/" and path[:-1] not in rules]
    redirecting = [path for path, rule in rules.items() if rule.redirect_to or rule.alias or rule.merge_slashes]
    assert (alone, redirecting) == ([], [])
