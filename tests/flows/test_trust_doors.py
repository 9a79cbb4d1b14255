"""The doors of WS-Trust in the world: over TLS, behind a proxy, at a host name of one's own, and without a log."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from sts.core.model import Namespace
from sts.settings import Settings
from sts.web.trust_endpoints import roots
from tests.flows.certified import HEADER, PROXY, behind_a_proxy, byte_sequence
from tests.flows.world import CONTOSO, SECRET, World, lend, make_world
from tests.protocols.wstrust.messages import SOAP11, TRUST_13, TRUST_2005, TrustMessage, request, username_token
from tests.threats.trust_door import SAML20, deliver, furnished, good, granted, mechanic

HOST = "contoso.sts.example"


def sent(world: World, message: TrustMessage, base_url: str, **headers: str) -> TestResponse:
    """The answer to a message that comes to some host."""
    path = message.path if HOST in base_url else f"contoso/{message.path}"
    headers = {"Content-Type": message.media_type, **headers}
    return world.client.post(f"/{path}", data=message.xml(), base_url=base_url, headers=headers)


@pytest.fixture
def forwarded(world: World) -> Iterator[World]:
    """A service behind a proxy that forwards the certificates of clients."""
    furnished(world)
    now = world.now
    other = behind_a_proxy(world.home)
    other.clock.now = now
    yield from lend(other)


@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])
@pytest.mark.parametrize("source", [PROXY, "192.0.2.7"], ids=["the proxy", "a stranger"])
def test_the_certificate_of_the_connection_is_believed_from_the_proxy_alone(
    forwarded: World, source: str, trust: str
) -> None:
    message = good(forwarded, request(SAML20, namespace=trust), endpoint="certificate", trust=trust, token="")
    answer = forwarded.post(
        message.path,
        message.xml(),
        headers={"Content-Type": message.media_type, HEADER: byte_sequence(mechanic())},
        environ_overrides={"REMOTE_ADDR": source},
    )
    assert answer.status_code == (200 if source == PROXY else 400), answer.text
    if source == PROXY:
        assert forwarded.records()[-1]["principal"] == "mechanic"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service that is reached over https only, behind a proxy."""
    proxies = Settings.from_environ({"STS_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies
    configuration = CONTOSO.replace("namespace: contoso", f"namespace: contoso\nhosts: [{HOST}]")
    home = tmp_path_factory.mktemp("secure")
    yield from lend(make_world(home, configuration, base_url="https://sts.example", trusted_proxies=proxies))


def to(world: World, root: str) -> TrustMessage:
    """A good message to the user name endpoint below a root."""
    message = TrustMessage(world.now, username_token("worker", SECRET), request(SAML20))
    return replace(message, to=root + message.path)


def test_plain_http_is_refused_with_a_fault_where_https_is_promised(secure: World) -> None:
    for soap, status in ((None, 400), (SOAP11, 500)):
        message = to(secure, "https://sts.example/contoso/")
        answer = sent(secure, message if soap is None else replace(message, soap=soap), "http://sts.example")
        assert answer.status_code == status
        assert "https only" in answer.text
        assert "InvalidSecurity" in answer.text
        assert "rotate it" in secure.records()[-1]["detail"]


def test_the_description_is_refused_with_a_fault_over_plain_http(secure: World) -> None:
    answer = secure.client.post("/contoso/v2/wstrust/mex", base_url="http://sts.example", content_type="text/xml")
    assert (answer.status_code, "https only" in answer.text, "InvalidSecurity" in answer.text) == (500, True, True)
    assert etree.fromstring(answer.data).tag == f"{{{SOAP11}}}Envelope"


def test_https_is_served_by_each_of_the_names_of_the_namespace(secure: World) -> None:
    for base, root in (
        ("https://sts.example", "https://sts.example/contoso/"),
        (f"https://{HOST}", f"https://{HOST}/"),
    ):
        answer = sent(secure, to(secure, root), base)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Strict-Transport-Security"]


def test_a_message_to_plain_http_is_not_for_a_service_that_promised_https(secure: World) -> None:
    answer = sent(secure, to(secure, "http://sts.example/contoso/"), "https://sts.example")
    assert "DestinationUnreachable" in answer.text


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("https://sts.example/contoso/", [f"https://{HOST}/"]),
        ("http://127.0.0.1:8000/contoso/", [f"http://{HOST}/", f"http://{HOST}:8000/"]),
    ],
)
def test_a_host_name_is_a_root_with_and_without_the_issuers_port(issuer: str, expected: list[str]) -> None:
    assert roots(Namespace(1, "contoso", issuer, (HOST,))) == (issuer, *expected)


@pytest.mark.parametrize("soap", [None, SOAP11])
def test_no_token_is_handed_out_without_its_record(world: World, soap: str | None) -> None:
    furnished(world)
    granted(world, good(world))
    reader, writer = os.pipe()
    os.close(reader)
    log = world.client.application._edge._books.log
    log._descriptor = writer
    message = good(world) if soap is None else good(world, soap=soap)
    answer = deliver(world, message)
    os.close(writer)
    assert answer.status_code == 500
    assert answer.headers["Retry-After"]
    assert "ACS60021" in answer.text
    assert "Assertion" not in answer.text
    assert etree.QName(etree.fromstring(answer.data)).namespace == message.soap


@pytest.mark.parametrize("path", ["V2/WSTrust/13/UserName", "v2/wstrust/13/username/", "v2/wstrust/13/username"])
def test_an_address_depends_on_neither_case_nor_a_trailing_slash(still_world: World, path: str) -> None:
    message = good(still_world, to=f"http://127.0.0.1:8000/contoso/{path}")
    answer = still_world.post(path, message.xml(), content_type=message.media_type)
    assert answer.status_code == 200, answer.text


def test_the_counters_know_the_doors(still_world: World) -> None:
    deliver(still_world, good(still_world))
    metrics = still_world.client.get("/metrics", base_url="http://127.0.0.1:8000").text
    assert 'sts_requests_total{door="wstrust-13",status="200"}' in metrics
