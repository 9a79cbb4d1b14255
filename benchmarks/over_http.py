"""Tokens over HTTP: the service as `sts serve` runs it, against the raw rate measured around each run."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks import processes
from benchmarks.load import Answers, Load, send
from benchmarks.raw import Operation, Rate, RawRate
from benchmarks.server import HOST, Server

CONNECTIONS_PER_WORKER = 8


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of request, and the private-key operation it costs (None: a MAC, which is no limit)."""

    name: str
    request: bytes
    operation: Operation | None
    fresh: Callable[[], tuple[bytes, ...]] | None = None  # makes the requests of one load where each is good once


@dataclass(frozen=True, slots=True)
class Run:
    """One load on one target, and the raw rate before and after."""

    answers: Answers
    cpu_seconds: float
    raw: tuple[Rate, Rate] | None

    @property
    def per_cpu_second(self) -> float:
        """Tokens per second of the server's processor time."""
        return self.answers.count / self.cpu_seconds

    @property
    def wall_ratio(self) -> float | None:
        """Requests per second over the raw rate of as many processes as there are workers."""
        return self.answers.per_second / _mean(self.raw, lambda rate: rate.per_second) if self.raw else None

    @property
    def cpu_ratio(self) -> float | None:
        """Tokens per CPU-second over the raw rate of one core."""
        return self.per_cpu_second / _mean(self.raw, lambda rate: rate.per_cpu_second) if self.raw else None


@dataclass(frozen=True, slots=True)
class Measure:
    """Spans in seconds, and how often."""

    seconds: float = 3.0
    raw_seconds: float = 1.0
    rounds: int = 5


def measure(server: Server, targets: list[Target], raw: RawRate, span: Measure) -> dict[str, list[Run]]:
    """Go round all targets again and again, so that what disturbs the machine disturbs all of them alike."""
    runs: dict[str, list[Run]] = {target.name: [] for target in targets}
    for target in targets:
        send(_load(server, target, raw.processes * CONNECTIONS_PER_WORKER, 1.0))  # warm
    for _ in range(span.rounds):
        for target in targets:
            runs[target.name].append(_run(server, target, raw, span))
    return runs


def unloaded(server: Server, target: Target, seconds: float) -> Answers:
    """One connection alone: what one caller waits."""
    return send(_load(server, target, 1, seconds))


def middle(runs: list[Run], figure: Callable[[Run], float | None]) -> float | None:
    """The median of a figure, None if it has none."""
    found = [value for run in runs if (value := figure(run)) is not None]
    return median(found) if found else None


def _run(server: Server, target: Target, raw: RawRate, span: Measure) -> Run:
    load = _load(server, target, raw.processes * CONNECTIONS_PER_WORKER, span.seconds)
    before = raw.measure(target.operation, span.raw_seconds) if target.operation else None
    used = processes.cpu_seconds(server.pid)
    answers = send(load)
    used = processes.cpu_seconds(server.pid) - used
    if answers.failures:
        raise RuntimeError(f"{target.name}: {len(answers.failures)} failures, the first: {answers.failures[0]}")
    if not target.operation or not before:
        return Run(answers, used, None)
    return Run(answers, used, (before, raw.measure(target.operation, span.raw_seconds)))


def _load(server: Server, target: Target, connections: int, seconds: float) -> Load:
    requests = (target.request,) if target.fresh is None else target.fresh()
    return Load(HOST, server.port, requests, connections, seconds)


def _mean(rates: tuple[Rate, Rate], figure: Callable[[Rate], float]) -> float:
    return (figure(rates[0]) + figure(rates[1])) / 2
