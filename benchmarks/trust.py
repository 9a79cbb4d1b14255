"""WS-Trust: passwords and assertions that are exchanged for tokens, through the WSGI callable and over HTTP.

Each message is for once: it is made, and what it carries signed, before the clock runs.
"""

import argparse
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final

from benchmarks import over_http
from benchmarks.over_http import Measure, Run, Target, middle
from benchmarks.raw import Operation, Rate, RawRate, operation, repeat, total
from benchmarks.server import HOST, Server, serving, sts
from benchmarks.service import CLIENT, SECRET, Installation, installed, run
from benchmarks.trust_messages import Correspondent, symmetric
from sts.assemble import Service, assemble
from sts.core.model import KeyType
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import SoftwareSigner
from sts.settings import LogFormat, Settings
from sts.store.passwords import REMEMBERED_FOR
from sts.web.app import Application
from sts.web.request_log import RequestLog

NAMESPACE: Final = "trust"
GOAL: Final = 0.35  # CPU ratio of bearer tokens
TURNS: Final = 6
IN_PROCESS: Final = 250  # messages between two looks at the raw rate
UNREMEMBERED: Final = 24  # the same, where each costs an Argon2
PER_SECOND: Final = 1500  # of each worker, to have enough messages ready
PASSWORD_TO_SAML: Final = "password to SAML 2.0"
ASSERTION_TO_JWT: Final = "SAML 2.0 to JWT"
PASSWORD_TO_KEY: Final = "password to sealed key"

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Way:
    """What is asked for, and at which endpoint."""

    endpoint: str
    message: Callable[[Correspondent, datetime], bytes]


WAYS: Final[Mapping[str, Way]] = {
    PASSWORD_TO_SAML: Way("username", lambda sender, now: sender.by_password("https://saml20.example/", now)),
    ASSERTION_TO_JWT: Way("issuedtoken-bearer", lambda sender, now: sender.by_assertion("https://jwt.example/", now)),
    PASSWORD_TO_KEY: Way(
        "username", lambda sender, now: sender.by_password("https://sealed.example/", now, *symmetric())
    ),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2", help="numbers of workers, separated by commas")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5, help="of all ways in turn")
    given = parser.parse_args()
    print("WS-Trust; ratios are to one RSA-2048 signature, the only private-key operation of each\n")
    with installed() as installation:
        sender = configure(installation)
        _print_in_process(installation, sender)
        _print_forgetting()
        for workers in map(int, given.workers.split(",")):
            _print_over_http(installation, sender, workers, Measure(seconds=given.seconds, rounds=given.rounds))


def configure(installation: Installation) -> Correspondent:
    """Add the namespace, and answer who asks there."""
    begin = datetime.now(UTC) - _DAY
    key, certificate = certificates.generate("CN=idp", KeyType.RSA2048, begin, begin + 30 * _DAY, Purpose.SIGNING)
    (installation.home / "idp.cer").write_bytes(certificate)
    sealed = certificates.generate("CN=rp", KeyType.RSA2048, begin, begin + 30 * _DAY, Purpose.ENCRYPTION)[1]
    (installation.home / "sealed.cer").write_bytes(sealed)
    configuration = installation.home / "trust.yaml"
    configuration.write_text(Path(__file__).with_name("trust.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    run(installation, "apply", str(configuration))
    issuer = f"http://{HOST}:{installation.port}/{NAMESPACE}/"
    return Correspondent(issuer, CLIENT, SECRET, SoftwareSigner.from_private_key(key, certificate))


class WsgiCaller:
    """Sends messages through the WSGI application, its log going to a file."""

    def __init__(self, installation: Installation, service: Service) -> None:
        self._descriptor = os.open(installation.home / "trust.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._application = Application(service, RequestLog(LogFormat.JSON, self._descriptor))
        self._host = f"{HOST}:{installation.port}"

    def send(self, endpoint: str, message: bytes) -> None:
        """Send one; raises RuntimeError for what is refused."""
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/{NAMESPACE}/v2/wstrust/13/{endpoint}",
            "QUERY_STRING": "",
            "REMOTE_ADDR": HOST,
            "HTTP_HOST": self._host,
            "CONTENT_TYPE": "application/soap+xml; charset=utf-8",
            "CONTENT_LENGTH": str(len(message)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(message),
        }
        statuses: list[str] = []
        answer = b"".join(self._application(environ, lambda status, *rest: statuses.append(status)))
        if statuses != ["200 OK"]:
            raise RuntimeError(f"{statuses}: {answer!r}")


class Later:
    """A clock that goes on by more than a password is remembered, whenever it is told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def go_on(self) -> datetime:
        """The time after everything is forgotten."""
        self.now += REMEMBERED_FOR + timedelta(seconds=1)
        return self.now


@contextmanager
def _caller(installation: Installation, clock: Callable[[], datetime]) -> Iterator[WsgiCaller]:
    service = assemble(Settings.from_environ(installation.environ), clock)
    try:
        yield WsgiCaller(installation, service)
    finally:
        service.installation.database.close()


def _print_in_process(installation: Installation, sender: Correspondent) -> None:
    print("in process, WSGI         tokens/CPU-s   CPU ratio")
    with _caller(installation, lambda: datetime.now(UTC)) as caller:
        for name, way in WAYS.items():
            caller.send(way.endpoint, way.message(sender, datetime.now(UTC)))
            _print_rate(name, *_measured(partial(_remembering, caller, sender, way)))


def _print_forgetting() -> None:
    """In a home of its own: what is used in a future that never comes is on record there."""
    with installed() as installation:
        sender, clock = configure(installation), Later()
        with _caller(installation, clock) as caller:
            _print_rate("password, Argon2 each", *_measured(partial(_forgetting, caller, sender, clock)))
    print()


def _remembering(caller: WsgiCaller, sender: Correspondent, way: Way) -> Rate:
    """The rate where the password was checked a moment before."""
    return _timed(caller, way, [way.message(sender, datetime.now(UTC)) for _ in range(IN_PROCESS)])


def _forgetting(caller: WsgiCaller, sender: Correspondent, clock: Later) -> Rate:
    """The rate where every password is checked with Argon2."""
    way = WAYS[PASSWORD_TO_SAML]
    rates = [_timed(caller, way, [way.message(sender, clock.go_on())]) for _ in range(UNREMEMBERED)]
    return total(rates)


def _timed(caller: WsgiCaller, way: Way, messages: list[bytes]) -> Rate:
    begun, cpu_begun = perf_counter(), process_time()
    for message in messages:
        caller.send(way.endpoint, message)
    return Rate(len(messages), perf_counter() - begun, process_time() - cpu_begun)


def _measured(turn: Callable[[], Rate]) -> tuple[Rate, float]:
    """The rate of all turns, and the median of its ratio to the raw rate around each."""
    raw = partial(repeat, operation(Operation.RSA2048), 0.25)
    rates, ratios = [], []
    for _ in range(TURNS):
        before, rate, after = raw(), turn(), raw()
        rates.append(rate)
        ratios.append(rate.per_cpu_second * 2 / (before.per_cpu_second + after.per_cpu_second))
    return total(rates), median(ratios)


def _print_rate(name: str, rate: Rate, ratio: float) -> None:
    goal = "" if name not in (PASSWORD_TO_SAML, ASSERTION_TO_JWT) else f"  (goal: {GOAL:.2f})"
    print(f"  {name:23} {rate.per_cpu_second:11.0f} {ratio:11.2f}{goal}", flush=True)


def _print_over_http(installation: Installation, sender: Correspondent, workers: int, span: Measure) -> None:
    heading = f"over HTTP, {workers} worker{'s' * (workers > 1)}"
    print(f"{heading:24} tokens/s tokens/CPU-s  wall ratio   CPU ratio   p50 ms   p99 ms")
    count = int(PER_SECOND * workers * span.seconds)
    with (
        RawRate(workers) as raw,
        serving(sts(workers, installation.port), installation.port, installation.environ) as server,
    ):
        targets = [
            Target(name, b"", Operation.RSA2048, partial(_requests, server, sender, way, count))
            for name, way in WAYS.items()
        ]
        for name, runs in over_http.measure(server, targets, raw, span).items():
            _print_runs(name, runs)
    print()


def _requests(server: Server, sender: Correspondent, way: Way, count: int) -> tuple[bytes, ...]:
    head = (
        f"POST /{NAMESPACE}/v2/wstrust/13/{way.endpoint} HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n"
        "Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: "
    )
    bodies = (way.message(sender, datetime.now(UTC)) for _ in range(count))
    return tuple(f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies)


def _print_runs(name: str, runs: list[Run]) -> None:
    figures = (
        middle(runs, lambda run: run.answers.per_second),
        middle(runs, lambda run: run.per_cpu_second),
        middle(runs, lambda run: run.wall_ratio),
        middle(runs, lambda run: run.cpu_ratio),
        middle(runs, lambda run: run.answers.p50 * 1000),
        middle(runs, lambda run: run.answers.p99 * 1000),
    )
    rate, cpu_rate, wall, cpu, p50, p99 = (figure or 0.0 for figure in figures)
    print(f"  {name:23} {rate:7.0f} {cpu_rate:12.0f} {wall:11.2f} {cpu:11.2f} {p50:8.1f} {p99:8.1f}", flush=True)


if __name__ == "__main__":
    main()
