"""`sts serve`, as a program of its own."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sts.cli.serve import Endpoint, default_endpoint
from tests.cli.console import Console
from tests.crypto.authorities import Issuer, Leaf, certificate, elliptic_key

START_LIMIT = 60.0  # seconds, on a machine that does other things
STOP_LIMIT = 10.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int, path: str, context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_live(server: subprocess.Popen[bytes], port: int, context: ssl.SSLContext | None = None) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        assert server.poll() is None
        try:
            if get(port, "/health/live", context) == (200, b"ok\n"):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it did not come to life")


@contextmanager
def serving(console: Console, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that is gone afterwards, whatever happens."""
    with log.open("wb") as file:
        server = console.start("serve", *arguments, stdout=file, stderr=file, start_new_session=True)
        try:
            yield server
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def stopped(server: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal to the whole group, as a terminal does for Ctrl-C, and answer the exit status."""
    os.killpg(server.pid, number) if number is signal.SIGINT else server.send_signal(number)
    return server.wait(STOP_LIMIT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_lives_before_any_namespace_exists_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    port, log = free_port(), tmp_path / "log"
    with serving(Console(tmp_path / "home"), log, "--port", str(port), "--workers", "2") as server:
        wait_until_live(server, port)
        assert get(port, "/health/ready")[0] == 200
        assert get(port, "/contoso/.well-known/jwks.json")[0] == 404
        assert stopped(server, number) == 0
    text = log.read_text()
    assert text.startswith("warning: http://127.0.0.1:8000 is plain http")
    assert text.count("warning") == 1
    assert "Traceback" not in text
    assert "Error" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="the policy is Linux's")
def test_its_workers_are_scheduled_as_batch_work(console: Console, tmp_path: Path) -> None:
    """All threads of theirs, those of the server's runtime too (ADR 22)."""
    port = free_port()
    with serving(console, tmp_path / "log", "--port", str(port), "--workers", "2") as server:
        wait_until_live(server, port)
        workers = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        threads = [int(task.name) for worker in workers for task in Path(f"/proc/{worker}/task").iterdir()]
        assert len(workers) >= 2
        assert len(threads) > len(workers)
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}


def test_it_ends_in_time_although_somebody_keeps_a_connection_open(console: Console, tmp_path: Path) -> None:
    port = free_port()
    with serving(console, tmp_path / "log", "--port", str(port), "--workers", "1") as server:
        wait_until_live(server, port)
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        idle.request("GET", "/health/live")
        idle.getresponse().read()
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.send(b"POST /contoso/oauth2/token HTTP/1.1\r\n")
            assert stopped(server, signal.SIGTERM) == 0
        idle.close()


def test_a_namespace_that_comes_while_it_runs_is_served(tmp_path: Path) -> None:
    console, port = Console(tmp_path / "home"), free_port()
    with serving(console, tmp_path / "log", "--port", str(port), "--workers", "1") as server:
        wait_until_live(server, port)
        console.ok("namespace", "create", "fabrikam")
        limit = time.monotonic() + 5
        while get(port, "/fabrikam/.well-known/jwks.json")[0] != 200:
            assert time.monotonic() < limit
            time.sleep(0.1)
        assert stopped(server, signal.SIGTERM) == 0


def test_it_speaks_tls_with_a_certificate_and_key(console: Console, tmp_path: Path) -> None:
    key = elliptic_key("tls")
    der = certificate(Leaf(key.public_key()), Issuer("CN=leaf", key))
    (tmp_path / "tls.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    (tmp_path / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files = ("--tls-certificate", str(tmp_path / "tls.pem"), "--tls-key", str(tmp_path / "tls.key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = free_port()
    with serving(console, tmp_path / "log", "--port", str(port), "--workers", "1", *files) as server:
        wait_until_live(server, port, context)
        assert stopped(server, signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--tls-certificate", "/no/such.pem", "--tls-key", "/no/such.key"), "No such file"),
        (("--tls-certificate", __file__, "--tls-key", __file__), "TLS certificate or its key cannot be used"),
        (("--host", "no.such.host.invalid"), "is not free to listen at"),
        (("--host", "192.0.2.1"), "is not free to listen at"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(
    console: Console, arguments: tuple[str, ...], error: str
) -> None:
    assert error in console.refused("serve", "--port", free_port(), *arguments)


def test_a_port_that_another_server_has_is_refused(console: Console) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "Address already in use" in console.refused("serve", "--port", port)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://127.0.0.1:8000", Endpoint("127.0.0.1", 8000)),
        ("http://localhost:9000", Endpoint("localhost", 9000)),
        ("http://[::1]:9000", Endpoint("::1", 9000)),
        ("http://127.0.0.1", Endpoint("127.0.0.1", 80)),
        ("https://localhost", Endpoint("localhost", 443)),
        ("https://sts.example", Endpoint("127.0.0.1", 8000)),
        ("https://sts.example:8443", Endpoint("127.0.0.1", 8000)),
    ],
)
def test_it_listens_at_its_base_url_where_that_is_this_machine(base_url: str, expected: Endpoint) -> None:
    assert default_endpoint(base_url) == expected
