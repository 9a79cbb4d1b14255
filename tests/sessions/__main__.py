"""Thousands of messages to a real server, and the memory of its processes before and after: `make sessions`."""

import argparse
import sys
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks import processes
from benchmarks.server import HOST, Server, free_port, serving, sts
from tests.flows.world import CONTOSO, open_world
from tests.sessions.messages import Scene, Sent
from tests.sessions.run import Tally, run, run_each
from tests.threats.trust_door import furnished

WORKERS = 2
CONNECTIONS = 8
STEPS = 10


class Line:
    """Kept-alive connections, used in turn, so that every worker has its share."""

    def __init__(self, port: int) -> None:
        self._connections = [HTTPConnection(HOST, port, timeout=30) for _ in range(CONNECTIONS)]
        self._next = 0

    def send(self, message: Sent) -> tuple[int, bytes]:
        """Send a message, and answer the status and the body."""
        self._next = (self._next + 1) % CONNECTIONS
        connection = self._connections[self._next]
        headers = {"Content-Type": message.media_type}
        connection.request(message.method, f"/contoso/{message.path}", message.body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def main() -> int:
    """Run and print; answers the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"{given.requests} messages, seed {given.seed}, {WORKERS} workers", flush=True)
    with TemporaryDirectory(prefix="sts-sessions-") as folder:
        tally = _run(Path(folder), given.requests, Random(given.seed))
    for status, count in sorted(tally.statuses.items()):
        print(f"answered {status}: {count}")
    print(f"answered wrongly: {len(tally.wrong)}", *tally.wrong[:10], sep="\n  ")
    return 1 if tally.wrong else 0


def _run(home: Path, count: int, random: Random) -> Tally:
    port = free_port()
    _prepare(home)
    environ = {"STS_HOME": str(home), "STS_BASE_URL": f"http://{HOST}:{port}"}
    tally, first = Tally(), Scene(f"http://{HOST}:{port}/contoso/", datetime.now(UTC), random)

    def scene() -> Scene:
        return Scene(first.root, datetime.now(UTC), random, first.tokens)

    with serving(sts(WORKERS, port), port, environ) as server:
        line = Line(port)
        for _ in range(2 * CONNECTIONS):
            run_each(scene, line.send, tally)  # warm, in every worker
        _print_memory("warm", server)
        for step in range(STEPS):
            run(scene, line.send, count // STEPS, tally)
            _print_memory(f"after {(step + 1) * (count // STEPS)}", server)
    return tally


def _prepare(home: Path) -> None:
    """A home with callers of every kind, its clock the machine's."""
    world = open_world(home)
    world.clock.now = datetime.now(UTC)
    world.apply(CONTOSO)
    furnished(world).close()


def _print_memory(when: str, server: Server) -> None:
    sizes = [processes.memory(one.pid) / 2**20 for one in processes.tree(server.pid)]
    told = ", ".join(f"{size:.1f}" for size in sizes)
    print(f"{when:>12}: MiB (PSS) of the first process and its workers: {told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
