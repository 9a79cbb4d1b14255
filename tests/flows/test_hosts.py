"""A namespace at the root of a host name of its own."""

import pytest
from werkzeug.test import TestResponse

from sts.core.errors import Conflict, InvalidConfiguration
from tests.flows.tokens import PARTIES, content_of
from tests.flows.world import SECRET, World, decode, members

HOSTED = """
namespace: contoso
hosts: [contoso.sts.example, old.contoso.example]
"""
ISSUER = "http://127.0.0.1:8000/contoso/"
METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
DOCUMENTS = (METADATA, ".well-known/openid-configuration", ".well-known/jwks.json", "v2/wstrust/mex")


@pytest.fixture(scope="module")
def hosted(module_world: World) -> World:
    """A namespace with host names."""
    module_world.apply(HOSTED)
    return module_world


def ask(world: World, host: str, path: str = "/oauth2/token", party: str = "jwt") -> TestResponse:
    """Ask for a token at a host."""
    form = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": SECRET}
    realm = f"https://{party}.example/"
    return world.client.post(path, data={**form, "scope": realm}, base_url=f"http://{host}")


@pytest.mark.parametrize("party", PARTIES)
def test_tokens_of_a_host_are_those_of_its_namespace(hosted: World, party: str) -> None:
    given = members(ask(hosted, "contoso.sts.example", party=party))
    token = decode(given["access_token"]) if given["token_type"] == "N_A" else given["access_token"].encode()
    assert content_of(hosted, party, token).issuer == ISSUER


@pytest.mark.parametrize("host", ["contoso.sts.example", "old.contoso.example", "CONTOSO.sts.example:8000"])
@pytest.mark.parametrize("path", ["/oauth2/token", "/v2/OAuth2-13", "/v2/oauth2-13/"])
def test_every_host_has_the_doors_at_its_root(hosted: World, host: str, path: str) -> None:
    assert ask(hosted, host, path).status_code == 200


@pytest.mark.parametrize("path", ["/WRAPv0.9", "/WRAPv0.9/"])
def test_an_application_of_old_changes_its_host_name_alone(hosted: World, path: str) -> None:
    form = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": "https://swt.example/"}
    answer = hosted.client.post(path, data=form, base_url="http://contoso.sts.example")
    assert answer.status_code == 200


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_at_a_host_are_the_same_bytes(hosted: World, document: str) -> None:
    there = hosted.client.get(f"/{document}", base_url="http://contoso.sts.example")
    here = hosted.get(document)
    assert (there.status_code, there.data, there.headers["ETag"]) == (200, here.data, here.headers["ETag"])


@pytest.mark.parametrize("path", ["/contoso/oauth2/token", "/fabrikam/oauth2/token", "/"])
def test_below_a_host_there_are_no_namespaces(hosted: World, path: str) -> None:
    assert ask(hosted, "contoso.sts.example", path).status_code in (404, 405)


@pytest.mark.parametrize("host", ["fabrikam.sts.example", "sts.example", "contoso.sts.example.evil.example", ""])
@pytest.mark.parametrize("path", ["/oauth2/token", "/contoso/oauth2/token", "/contoso/WRAPv0.9"])
def test_a_strangers_host_name_is_refused(hosted: World, host: str, path: str) -> None:
    answer = hosted.client.post(path, data={}, headers={"Host": host}, base_url="http://127.0.0.1:8000")
    assert (answer.status_code, hosted.records()[-1]["error"]) == (400, "ACS90013")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_may_use_any_name(hosted: World, path: str) -> None:
    assert hosted.client.get(path, base_url="http://10.0.0.7").status_code == 200


def test_a_host_that_goes_is_a_stranger_at_once(world: World) -> None:
    world.apply(HOSTED)
    assert ask(world, "old.contoso.example").status_code == 200
    world.apply("namespace: contoso\nhosts: [contoso.sts.example]\n", prunes=True)
    assert ask(world, "old.contoso.example").status_code == 400
    assert ask(world, "contoso.sts.example").status_code == 200


def test_a_host_has_one_owner(world: World) -> None:
    world.apply(HOSTED)
    with pytest.raises((Conflict, InvalidConfiguration), match=r"contoso\.sts\.example"):
        world.apply(HOSTED.replace("namespace: contoso", "namespace: fabrikam"))


def test_another_namespaces_host_gives_its_tokens_alone(world: World) -> None:
    world.apply(HOSTED)
    world.apply("namespace: fabrikam\nhosts: [fabrikam.sts.example]\n")
    assert ask(world, "contoso.sts.example").status_code == 200
    assert ask(world, "fabrikam.sts.example").status_code == 401
    assert ask(world, "fabrikam.sts.example", "/contoso/oauth2/token").status_code in (404, 405)
