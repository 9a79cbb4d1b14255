"""What the thread that rolls credentials over costs a process of an installation with many namespaces."""

import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta

from benchmarks.inprocess import open_service
from benchmarks.service import NAMESPACE, installed
from sts.assemble import Service
from sts.core.model import Credential, Namespace
from sts.store import credentials, namespaces
from sts.store.changes import Change
from sts.web.rollover_thread import SHORTEST, RolloverThread

NAMESPACES = 10_000
HOUR = timedelta(hours=1)


class MovedClock:
    """A clock that moves on by what the thread waits."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def add_namespaces(service: Service, count: int) -> None:
    """Fill the installation with namespaces that hold as many credentials as any; nothing ever opens their keys."""
    with service.installation.database.changing("benchmark", service.clock()) as change:
        pattern = namespaces.find(change.connection, service.settings.base_url, NAMESPACE)
        for number in range(count):
            made = namespaces.save(change, replace(pattern, id=0, name=f"other-{number}", hosts=(), credentials=()))
            _fill(change, made, pattern.credentials)
        change.audit(NAMESPACE, "benchmark.fill", NAMESPACE, {"namespaces": count})


def _fill(change: Change, namespace: Namespace, held: tuple[Credential, ...]) -> None:
    for credential in held:
        credentials.insert(change, namespace, replace(credential, id=0, predecessor_id=None), lambda _: b"unopened")


def main() -> None:
    """Print what the first looks cost, what a look costs when nothing is due, and what all looks of an hour cost."""
    with installed() as installation:
        service = open_service(installation)
        begun = time.perf_counter()
        add_namespaces(service, NAMESPACES)
        print(f"made {NAMESPACES:,} namespaces in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        clock = MovedClock(service.clock())
        thread = RolloverThread(service.installation, clock)
        first = [_look(thread, clock)]
        while first[-1][0] == SHORTEST:
            first.append(_look(thread, clock))
        spent = [seconds for _, seconds in first]
        print(f"{NAMESPACES:,} namespaces; seconds of processor time")
        print(f"the first {len(spent)} looks, a second apart: {sum(spent):.1f}, the dearest {max(spent):.2f}")
        end, hour = clock.now + HOUR, []
        while clock.now < end:
            hour.append(_look(thread, clock)[1])
        print(f"the {len(hour)} looks of the next hour: {sum(hour):.1f}, the median {sorted(hour)[len(hour) // 2]:.3f}")


def _look(thread: RolloverThread, clock: MovedClock) -> tuple[timedelta, float]:
    """How long the thread waits after a look, and the processor time that the look took."""
    begun = time.thread_time()
    wait = thread.look()
    spent = time.thread_time() - begun
    clock.now += wait
    return wait, spent


if __name__ == "__main__":
    main()
