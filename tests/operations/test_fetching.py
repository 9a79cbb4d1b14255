"""Fetching documents of partners, from real servers."""

import gzip
import socket
import threading
import time
from pathlib import Path

import pytest

from sts.core.errors import PartnerUnreachable
from sts.operations.fetching import LIMIT, MAX_BYTES, Network, Reach, fetch, is_public
from tests.partner_server import HOST, PUBLIC, URL, Names, plain, serving

DOCUMENT = b"<EntityDescriptor/>"


def why_not(url: str, names: Names, limit: float = 10.0) -> str:
    with pytest.raises(PartnerUnreachable) as caught:
        fetch(url, names.reach(limit))
    return caught.value.message


def test_a_document_is_fetched_by_name_from_the_address_that_the_name_was_resolved_to() -> None:
    with serving(plain(DOCUMENT)) as server:
        names = Names(server.port)
        assert fetch(f"{URL}?a=1", names.reach()) == DOCUMENT
    assert (names.asked, names.connected, server.names) == ([HOST], [PUBLIC], [HOST])
    request = server.requests[0].decode()
    assert request.startswith(f"GET /metadata.xml?a=1 HTTP/1.1\r\nHost: {HOST}\r\n")
    assert "Cookie" not in request
    assert "Authorization" not in request


def test_an_answer_in_chunks_is_put_together() -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Enti\r\n7\r\ntyDescr\r\n0\r\n\r\n"
    with serving(lambda connection: connection.sendall(chunks)) as server:
        assert fetch(URL, Names(server.port).reach()) == b"<EntityDescr"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http_proxy"])
def test_proxies_of_the_environment_are_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(plain(DOCUMENT)) as server:
        assert fetch(URL, Names(server.port).reach()) == DOCUMENT


@pytest.mark.parametrize(
    ("host", "authority", "reason"),
    [
        ("other.example", "test root", "Hostname mismatch"),
        (HOST, "another root", "its certificate is not trusted"),
    ],
)
def test_a_server_that_is_not_the_named_one_is_not_believed(host: str, authority: str, reason: str) -> None:
    with serving(plain(DOCUMENT), host, authority) as server:
        assert reason in why_not(URL, Names(server.port))
    assert server.requests == []


def test_one_of_several_addresses_that_is_not_public_is_enough_to_refuse() -> None:
    names = Names(answers=[[PUBLIC, "10.0.0.1"]])
    assert f"{HOST} is 10.0.0.1, which is no public address" in why_not(URL, names)
    assert names.connected == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(status: int) -> None:
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: https://169.254.169.254/"
    with serving(plain(b"", head)) as server:
        message = why_not(URL, Names(server.port))
    assert f"status {status}; redirects are not followed: name the final address" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 404, 500])
def test_only_a_200_has_a_document(status: int) -> None:
    with serving(plain(DOCUMENT, f"HTTP/1.1 {status} No")) as server:
        assert f"it answered with status {status}" in why_not(URL, Names(server.port))


def test_a_coding_that_was_not_asked_for_is_refused_before_it_grows() -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip"
    with serving(plain(gzip.compress(b"\0" * 10_000_000), head)) as server:
        assert "a coding that was not asked for" in why_not(URL, Names(server.port))


def test_a_document_of_two_mebibytes_is_taken_and_one_more_byte_is_not() -> None:
    with serving(plain(b"x" * MAX_BYTES)) as server:
        assert len(fetch(URL, Names(server.port).reach())) == MAX_BYTES
        server.answer = plain(b"x" * (MAX_BYTES + 1))
        assert f"more than {MAX_BYTES} bytes" in why_not(URL, Names(server.port))


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def trickle_head(connection: socket.socket) -> None:
    for _ in range(1000):
        connection.sendall(b"H")
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def endless_head(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@pytest.mark.parametrize("answer", [trickle, trickle_head, lambda connection: time.sleep(2)])
def test_time_is_limited_as_a_whole_however_slowly_the_bytes_come(answer: object) -> None:
    with serving(answer) as server:
        began = time.monotonic()
        assert "no whole answer within 0.5 seconds" in why_not(URL, Names(server.port), 0.5)
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("answer", [endless, endless_head])
def test_size_is_limited_as_a_whole(answer: object) -> None:
    with serving(answer) as server:
        assert f"more than {MAX_BYTES} bytes" in why_not(URL, Names(server.port))


def test_a_server_that_never_shakes_hands_and_a_resolver_that_never_answers_end_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        names = Names(listener.getsockname()[1])
        assert "no whole answer" in why_not(URL, names, 0.3)
    release = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        release.wait(5)
        return [PUBLIC]

    with pytest.raises(PartnerUnreachable, match="no whole answer"):
        fetch(URL, Reach("https://sts.example", (), Network(resolve, names.connect, 0.3)))
    release.set()


def test_nothing_is_left_behind() -> None:
    with serving(plain(DOCUMENT)) as server:
        names = Names(server.port)
        fetch(URL, names.reach())
        before = (threading.active_count(), len(list(Path("/proc/self/fd").iterdir())))
        for _ in range(20):
            fetch(URL, names.reach())
        why_not("https://10.0.0.1/", Names(answers=[["10.0.0.1"]]))
        assert (threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_plain_http_is_for_loopback_while_this_service_is_there_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=answer_plainly, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{port}/metadata.xml"
        assert fetch(url, Reach("http://127.0.0.1:8000", ())) == DOCUMENT
        thread.join()
        with pytest.raises(PartnerUnreachable, match="is not https"):
            fetch(url, Reach("https://sts.example", ()))
    names = Names(answers=[[PUBLIC]])
    with pytest.raises(PartnerUnreachable, match="which is no public address"):
        fetch("http://localhost/", names.reach(base_url="http://127.0.0.1:8000"))


def answer_plainly(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + DOCUMENT)


def test_a_name_that_nobody_knows_is_told() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(PartnerUnreachable, match=r"nowhere\.example/ cannot be fetched: .*not known"):
        fetch("https://nowhere.example/", Reach("https://sts.example", (), Network(resolve)))
    with pytest.raises(PartnerUnreachable, match="has no address"):
        fetch(URL, Names(answers=[[]]).reach())


PUBLIC_ADDRESSES = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "64:ff9b::5db8:d70e", "::ffff:93.184.215.14"]
OTHER_ADDRESSES = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254"),
    *("100.64.0.1", "100.100.100.200", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fe80::1%eth0"),
    *("fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "2001:0:5db8:d70e:0:0:80ff:fffe"),
    *("100::1", "5f00::1", "4000::1", "not an address", ""),
]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_addresses_of_the_public_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", OTHER_ADDRESSES)
def test_other_addresses_are_not_public_in_any_of_their_forms(address: str) -> None:
    assert not is_public(address)


def test_ten_seconds_are_the_limit() -> None:
    assert Network().limit == LIMIT == 10
