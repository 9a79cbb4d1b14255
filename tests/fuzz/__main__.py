"""Fuzzes the readers and the doors until the time is over: `make fuzz`."""

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz import documents, doors, readers
from tests.fuzz.running import Execute, Tally, fuzz, summary

BATCHES = {readers: 2_000, doors: 200, documents: 200}  # executions; what goes through a door takes longer
KINDS: dict[str, tuple[Execute, int]] = {
    name: (execute, batch) for module, batch in BATCHES.items() for name, execute in module.KINDS.items()
}


MEMORY = Path("/dev/shm")  # a file system in memory: thousands of commits would wait for a disk


def use(folder: str) -> None:
    """Have a process make its folders there."""
    tempfile.tempdir = folder


def run(name: str, seed: int) -> Tally:
    """One batch of a kind."""
    execute, batch = KINDS[name]
    return fuzz((name, execute), seed, batch)


def main() -> None:
    """Run batches in all processes, and say what became of how many; ends with an error at the first forgery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first of the seeds; each is a batch")
    parser.add_argument("--only", choices=sorted(KINDS), action="append", help="a kind; all of them unless it is given")
    given = parser.parse_args()
    tallies = {name: Tally() for name in given.only or KINDS}
    print(f"seeds from {given.seed} on, for {given.seconds:.0f} s", flush=True)
    end, seed = time.monotonic() + given.seconds, given.seed
    with (
        tempfile.TemporaryDirectory(prefix="sts-fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as folder,
        ProcessPoolExecutor(given.workers, initializer=use, initargs=(folder,)) as pool,
    ):
        while time.monotonic() < end:
            seeds = range(seed, seed + given.workers)
            for name, batch in [(name, pool.submit(run, name, each)) for name in tallies for each in seeds]:
                tallies[name].add(batch.result())
            seed = seeds.stop
    print("\n".join(summary(tallies)))


if __name__ == "__main__":
    main()
