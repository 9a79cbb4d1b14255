"""A load generator: one process, many kept-alive connections, the next request on each as soon as the last is answered.

It speaks just enough HTTP/1.1 (Content-Length, no chunks) to cost a small part of what an answer costs.
"""

import multiprocessing
import re
import select
import socket
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
GOOD = b"HTTP/1.1 200 "


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, over how many connections, for how many seconds at most.

    One request is sent again and again; several are sent once each.
    """

    host: str
    port: int
    requests: tuple[bytes, ...] = field(repr=False)
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
    traffic = _Traffic(load)
    begun = time.perf_counter()
    traffic.flow(begun + load.seconds)
    return traffic.answers(time.perf_counter() - begun)


@dataclass(slots=True)
class _Exchange:
    """A connection and the request under way on it."""

    socket: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


class _Traffic:
    def __init__(self, load: Load) -> None:
        self.load = load
        self.requests = repeat(load.requests[0]) if len(load.requests) == 1 else iter(load.requests)
        self.under_way = 0
        self.ready = select.epoll()
        self.exchanges: dict[int, _Exchange] = {}
        self.latencies: list[float] = []
        self.failures: list[str] = []

    def flow(self, until: float) -> None:
        """Open the connections, keep them busy, close them."""
        for _ in range(self.load.connections):
            self._open()
        while time.perf_counter() < until and self.under_way:
            for descriptor, _ in self.ready.poll(0.1):
                self._receive(self.exchanges[descriptor])
        for exchange in list(self.exchanges.values()):
            self._close(exchange)
        self.ready.close()

    def answers(self, seconds: float) -> Answers:
        """Everything that was counted."""
        steps = statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        return Answers(len(self.latencies), seconds, steps[49], steps[98], tuple(self.failures))

    def _open(self) -> None:
        connection = socket.create_connection((self.load.host, self.load.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchange = self.exchanges[connection.fileno()] = _Exchange(connection)
        self.ready.register(connection.fileno(), select.EPOLLIN)
        self._send(exchange)

    def _close(self, exchange: _Exchange) -> None:
        descriptor = exchange.socket.fileno()
        self.ready.unregister(descriptor)
        del self.exchanges[descriptor]
        exchange.socket.close()

    def _send(self, exchange: _Exchange) -> None:
        request = next(self.requests, None)
        if request is None:
            return
        self.under_way += 1
        exchange.received = b""
        exchange.sent_at = time.perf_counter()
        exchange.socket.sendall(request)

    def _receive(self, exchange: _Exchange) -> None:
        try:
            received = exchange.socket.recv(65536)
        except OSError:
            received = b""
        if not received:
            self.failures.append("the server closed the connection")
            self.under_way -= 1
            self._close(exchange)
            self._open()
            return
        exchange.received += received
        end_of_head = exchange.received.find(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(exchange.received)
        if end_of_head < 0 or (length and len(exchange.received) < end_of_head + 4 + int(length[1])):
            return
        if length and exchange.received.startswith(GOOD):
            self.latencies.append(time.perf_counter() - exchange.sent_at)
        else:
            status = exchange.received.partition(b"\r\n")[0].decode("latin-1")
            self.failures.append(status if length else f"{status}, without Content-Length")
        self.under_way -= 1
        self._send(exchange)
