"""What only a real server with two workers shows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPResponse
from socket import SHUT_WR, create_connection
from urllib.parse import urlencode, urlsplit

import pytest

from tests.flows.server import Reply, Server, prepare, running
from tests.flows.world import CONTOSO, SECRET

CLIENTS = 4
FORM = {
    "grant_type": "client_credentials",
    "client_id": "worker",
    "client_secret": SECRET,
    "resource": "https://jwt.example/orders/2026",
}
BODY = urlencode(FORM).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the usual namespace."""
    now = datetime.now(UTC)
    prepared = prepare(tmp_path_factory.mktemp("server"), now)
    prepared.apply(CONTOSO, now)
    with running(prepared) as live:
        yield live


def at_once(server: Server, path: str, count: int) -> list[Reply]:
    """Get an address again and again from several clients, so that both workers answer."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(server.send, [path] * count))


def raw(server: Server, message: bytes) -> int:
    """Send bytes; the status of what comes back."""
    parts = urlsplit(server.base_url)
    with create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(message)
        with HTTPResponse(connection) as response:
            response.begin()
            return response.status


def broken_off(server: Server, message: bytes) -> bytes:
    """Send bytes and go away; whatever comes back all the same."""
    parts = urlsplit(server.base_url)
    with create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(message)
        connection.shutdown(SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def post(server: Server, *headers: str, body: bytes = BODY) -> bytes:
    """A token request with these headers."""
    lines = ["POST /contoso/oauth2/token HTTP/1.1", f"Host: {urlsplit(server.base_url).netloc}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def chunked(body: bytes, size: int = 50_000) -> bytes:
    """A body in chunks (RFC 9112, 7.1)."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_the_counters_are_those_of_all_workers_whoever_answers(server: Server) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(server.oauth, ["swt"] * 100))
    assert {answer.status for answer in answers} == {HTTPStatus.OK}
    for reply in at_once(server, "metrics", 40):
        assert 'sts_tokens_issued_total{format="swt"} 100.0' in reply.body.decode().splitlines()


@pytest.mark.parametrize("document", ["FederationMetadata/2007-06/FederationMetadata.xml", ".well-known/jwks.json"])
def test_all_workers_publish_the_same_bytes(server: Server, document: str) -> None:
    replies = at_once(server, f"contoso/{document}", 40)
    assert len({(reply.status, reply.body, reply.headers["ETag"]) for reply in replies}) == 1


def test_a_message_in_chunks_is_read(server: Server) -> None:
    assert raw(server, post(server, "Transfer-Encoding: chunked", body=chunked(BODY, 10))) == HTTPStatus.OK


@pytest.mark.parametrize("missing", [1, len("orders/2026"), len(BODY)])
def test_a_message_that_breaks_off_is_not_taken_for_a_shorter_one(server: Server, missing: int) -> None:
    cut = BODY[: len(BODY) - missing]
    assert b"access_token" not in broken_off(server, post(server, f"Content-Length: {len(BODY)}", body=cut))


def test_an_endless_message_is_refused_with_and_without_its_length(server: Server) -> None:
    body = b"client_secret=" + b"x" * 300_001
    assert raw(server, post(server, f"Content-Length: {len(body)}", body=body)) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    in_chunks = post(server, "Transfer-Encoding: chunked", body=chunked(body))
    assert raw(server, in_chunks) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_change_beside_the_server_reaches_every_worker(server: Server) -> None:
    def is_known(number: int) -> bool:
        return server.oauth("late").status == HTTPStatus.OK

    assert not is_known(0)
    late = 'namespace: contoso\nrelying_parties: [{name: late, realm: "https://late.example/", '
    server.apply(late + "token_format: jwt, rule_groups: [all]}]\n", datetime.now(UTC))
    with ThreadPoolExecutor(CLIENTS) as pool:
        assert all(pool.map(is_known, range(40)))  # what is not registered is never kept
