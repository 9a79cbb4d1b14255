"""A load generator: one process, many kept-alive connections, the same request on each as soon as the last is answered.

It speaks just enough HTTP/1.1 (Content-Length, no chunks) to cost a small part of what an answer costs.
"""

import multiprocessing
import re
import selectors
import socket
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
GOOD = b"HTTP/1.1 200 "


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, over how many connections, for how many seconds."""

    host: str
    port: int
    request: bytes = field(repr=False)
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back."""

    count: int
    seconds: float
    p50: float  # seconds
    p99: float  # seconds
    failures: tuple[str, ...]  # status lines other than 200, and broken connections

    @property
    def per_second(self) -> float:
        """Good answers, by the clock on the wall."""
        return self.count / self.seconds


def form_post(host: str, path: str, headers: dict[str, str], body: str) -> bytes:
    """The bytes of a request that posts a form."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/x-www-form-urlencoded"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode("ascii")


def send(load: Load) -> Answers:
    """Put the load on the server from a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, load).result()


def run(load: Load) -> Answers:
    """Put the load on the server from this process."""
    with selectors.DefaultSelector() as selector:
        traffic = _Traffic(load, selector)
        begun = time.perf_counter()
        traffic.flow(begun + load.seconds)
        return traffic.answers(time.perf_counter() - begun)


@dataclass(slots=True)
class _Exchange:
    """One request under way on one connection."""

    sent_at: float
    received: bytes = b""


class _Traffic:
    def __init__(self, load: Load, selector: selectors.BaseSelector) -> None:
        self.load = load
        self.selector = selector
        self.latencies: list[float] = []
        self.failures: list[str] = []

    def flow(self, until: float) -> None:
        """Open the connections, keep them busy, close them."""
        for _ in range(self.load.connections):
            self._open()
        while time.perf_counter() < until:
            for key, _ in self.selector.select(timeout=0.1):
                assert isinstance(key.fileobj, socket.socket)
                self._receive(key.fileobj, key.data)
        for key in list(self.selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            self._close(key.fileobj)

    def answers(self, seconds: float) -> Answers:
        """Everything that was counted."""
        steps = statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        return Answers(len(self.latencies), seconds, steps[49], steps[98], tuple(self.failures))

    def _open(self) -> None:
        connection = socket.create_connection((self.load.host, self.load.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(connection, selectors.EVENT_READ, self._send(connection))

    def _send(self, connection: socket.socket) -> _Exchange:
        exchange = _Exchange(time.perf_counter())
        connection.sendall(self.load.request)
        return exchange

    def _close(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        connection.close()

    def _receive(self, connection: socket.socket, exchange: _Exchange) -> None:
        try:
            received = connection.recv(65536)
        except OSError:
            received = b""
        if not received:
            self.failures.append("the server closed the connection")
            self._close(connection)
            self._open()
            return
        exchange.received += received
        head, blank, body = exchange.received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head + b"\r\n")
        if not blank or (length and len(body) < int(length[1])):
            return
        if length and head.startswith(GOOD):
            self.latencies.append(time.perf_counter() - exchange.sent_at)
        else:
            self.failures.append(head.partition(b"\r\n")[0].decode("latin-1") + ("" if length else " without length"))
        self.selector.modify(connection, selectors.EVENT_READ, self._send(connection))
