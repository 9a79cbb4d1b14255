"""Everything that is measured, as one table: `make bench`."""

import argparse
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks import inprocess, over_http, processes, scale, sign_in
from benchmarks.load import form_post
from benchmarks.over_http import Measure, Run, Target, middle
from benchmarks.raw import Operation, RawRate
from benchmarks.server import HOST, Server, bare, serving, sts
from benchmarks.service import OPERATIONS, Installation, installed, target
from benchmarks.sign_in import Provider
from sts.assemble import Service

HTTP_GOALS = {"jwt-rs256": 0.60, "saml20": 0.55}
IN_PROCESS_GOALS = {"jwt-rs256": 0.85, "saml20": 0.85}
SIGN_IN_GOAL = 0.35  # of the verification, the signature and the decryption together
IN_PROCESS_TURNS = 12
SIGN_IN_TURNS = 6
SIGN_INS_PER_SECOND = 800  # of each worker, to have enough of them ready


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and for how long."""

    formats: list[str]
    ways: list[str]
    workers: list[int]
    span: Measure
    with_scale: bool


class Workers(NamedTuple):
    """So many processes of the service, and what to measure of them."""

    number: int
    options: Options


def main() -> None:
    """Measure and print."""
    options = _options()
    python = f"Python {platform.python_version()} ({platform.python_build()[1]})"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {python}")
    print("ratios are to the raw private-key operation\n")
    with installed() as installation:
        service = inprocess.open_service(installation)
        signer = sign_in.configure(installation)
        senders = {way: sign_in.provider(service, signer, way) for way in options.ways}
        _print_in_process(service, senders, options)
        for workers in options.workers:
            _print_over_http(installation, senders, Workers(workers, options))
    if options.with_scale:
        scale.main()


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    everything = ",".join([*OPERATIONS, *sign_in.WAYS])
    parser.add_argument("--formats", default=everything, help="some of them, separated by commas")
    parser.add_argument("--workers", default="1,2", help="numbers of workers, separated by commas")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5, help="of all formats in turn")
    parser.add_argument("--no-scale", action="store_true", help="leave out the many relying parties and namespaces")
    given = parser.parse_args()
    return Options(
        formats=[name for name in given.formats.split(",") if name not in sign_in.WAYS],
        ways=[name for name in given.formats.split(",") if name in sign_in.WAYS],
        workers=[int(number) for number in given.workers.split(",")],
        span=Measure(seconds=given.seconds, rounds=given.rounds),
        with_scale=not given.no_scale,
    )


def _print_in_process(service: Service, senders: Mapping[str, Provider], options: Options) -> None:
    print("in process             tokens/CPU-s   CPU ratio")
    for name in options.formats:
        rate, ratio = inprocess.measure(service, name, IN_PROCESS_TURNS)
        print(
            f"  {name:20} {rate.per_cpu_second:12.0f} {_ratio(ratio)} {_goal(IN_PROCESS_GOALS.get(name))}", flush=True
        )
    for name, sender in senders.items():
        rate, ratio = sign_in.measure(sender, name, SIGN_IN_TURNS)
        print(f"  {name:20} {rate.per_cpu_second:12.0f} {_ratio(ratio)} {_goal(SIGN_IN_GOAL)}", flush=True)
    print()


def _print_over_http(installation: Installation, senders: Mapping[str, Provider], crew: Workers) -> None:
    workers, options = crew
    heading = f"over HTTP, {workers} worker{'s' * (workers > 1)}"
    print(f"{heading:21}  tokens/s tokens/CPU-s  wall ratio   CPU ratio   p50 ms   p99 ms")
    environ = installation.environ
    with RawRate(workers) as raw:
        with serving(sts(workers, installation.port), installation.port, environ) as server:
            count = int(SIGN_INS_PER_SECOND * workers * options.span.seconds)
            targets = [target(installation, name) for name in options.formats]
            targets += [sign_in.target(installation, sender, name, count) for name, sender in senders.items()]
            for name, runs in over_http.measure(server, targets, raw, options.span).items():
                _print_runs(name, runs, SIGN_IN_GOAL if name in senders else HTTP_GOALS.get(name))
            if options.formats:
                _print_server(server, targets[0], options)
        with serving(bare(workers, installation.port), installation.port, environ) as server:
            peer = Target("bare Flask view", form_post(HOST, "/sign", {}, "a=b"), Operation.RSA2048)
            _print_runs(peer.name, over_http.measure(server, [peer], raw, options.span)[peer.name], None)
    print()


def _print_server(server: Server, first: Target, options: Options) -> None:
    alone = over_http.unloaded(server, first, options.span.seconds)
    print(f"  one caller alone, {first.name}: p50 {alone.p50 * 1000:.1f} ms, p99 {alone.p99 * 1000:.1f} ms")
    sizes = ", ".join(f"{processes.memory(one.pid) / 2**20:.0f}" for one in processes.tree(server.pid))
    print(f"  cold start {server.cold_start:.2f} s; MiB (PSS) of the first process and its workers: {sizes}")


def _print_runs(name: str, runs: list[Run], goal: float | None) -> None:
    rate = middle(runs, lambda run: run.answers.per_second) or 0.0
    cpu_rate = middle(runs, lambda run: run.per_cpu_second) or 0.0
    wall, cpu = middle(runs, lambda run: run.wall_ratio), middle(runs, lambda run: run.cpu_ratio)
    p50, p99 = ((middle(runs, of) or 0.0) * 1000 for of in (lambda run: run.answers.p50, lambda run: run.answers.p99))
    figures = f"{rate:8.0f} {cpu_rate:12.0f} {_ratio(wall)} {_ratio(cpu)} {p50:8.1f} {p99:8.1f}"
    print(f"  {name:20} {figures} {_goal(goal)}".rstrip(), flush=True)


def _ratio(figure: float | None) -> str:
    return f"{'-':>11}" if figure is None else f"{figure:11.2f}"


def _goal(goal: float | None) -> str:
    return "" if goal is None else f"  (goal: CPU ratio {goal:.2f})"


if __name__ == "__main__":
    main()
