"""Runs executions and counts what became of them."""

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Execute = Callable[[Random], str]  # answers why it was refused, and "" for what was taken as it was said


class Forged(AssertionError):
    """Something that no identity provider said was taken for true."""


@dataclass(slots=True)
class Tally:
    """What became of the executions."""

    executions: int = 0
    read: int = 0  # as exactly what the identity provider said
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count these too."""
        self.executions += other.executions
        self.read += other.read
        self.refusals.update(other.refusals)


def home() -> Path:
    """A folder until the end of this process."""
    made = Path(tempfile.mkdtemp(prefix="sts-fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def fuzz(kind: tuple[str, Execute], seed: int, executions: int) -> Tally:
    """Run so many; raises Forged, or whatever came out that is no refusal, with seed and number."""
    name, execute = kind
    tally = Tally()
    for number in range(executions):
        try:
            reason = execute(Random(f"{name} {seed} {number}"))
        except Exception as error:
            error.add_note(f"execution {number} of '{name}' with seed {seed}")
            raise
        tally.executions += 1
        if reason:
            tally.refusals[reason] += 1
        else:
            tally.read += 1
    return tally


def summary(tallies: Mapping[str, Tally]) -> Sequence[str]:
    """Lines for people."""
    lines = []
    for name, tally in tallies.items():
        lines.append(f"{name}: {tally.executions:,} executions, {tally.read:,} taken as said, nothing forged")
        lines += [f"  {count:10,} refused: {reason}" for reason, count in tally.refusals.most_common(12)]
    total = sum(tally.executions for tally in tallies.values())
    return [*lines, f"all: {total:,} executions, nobody's identity forged, no internal error"]
