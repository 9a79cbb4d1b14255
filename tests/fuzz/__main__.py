"""Fuzzes the readers until the time is over: `make fuzz`."""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor

from tests.fuzz.readers import FORGES, Tally, fuzz, summary

BATCH = 2_000


def main() -> None:
    """Run batches in all processes, and say what became of how many; ends with an error at the first forgery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first of the seeds; each is a batch")
    given = parser.parse_args()
    tallies = {name: Tally() for name in FORGES}
    print(f"seeds from {given.seed} on, for {given.seconds:.0f} s", flush=True)
    end, seed = time.monotonic() + given.seconds, given.seed
    with ProcessPoolExecutor(given.workers) as pool:
        while time.monotonic() < end:
            seeds = range(seed, seed + given.workers)
            for name, batch in [(name, pool.submit(fuzz, name, each, BATCH)) for name in FORGES for each in seeds]:
                tallies[name].add(batch.result())
            seed = seeds.stop
    print("\n".join(summary(tallies)))


if __name__ == "__main__":
    main()
