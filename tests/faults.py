"""Processes that are killed at a named point (sts/store/faultpoints.py)."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sts.store.faultpoints import faultpoint

VARIABLE = "STS_FAULT_AT"  # where the launcher looks for the point to arm
ROOT = Path(__file__).resolve().parent.parent


def fault_points(prefix: str = "") -> list[str]:
    """The name of every point in the sources that begins with a prefix, so that no test forgets a new one."""
    return sorted({name for path in (ROOT / "sts").rglob("*.py") for name in _points(path) if name.startswith(prefix)})


def _points(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == faultpoint.__name__:
            (argument,) = node.args
            assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}: the name of a point is a literal"
            yield str(argument.value)


def environment(home: Path, point: str | None = None, **more: str) -> Mapping[str, str]:
    """The settings of a home and nothing of the tester's own; with a point at which to die."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STS_")}
    fault = {} if point is None else {VARIABLE: point}
    return {**kept, "STS_HOME": str(home), "PYTHONPATH": str(ROOT), **fault, **more}


@dataclass(frozen=True)
class Limits:
    """What cuts a process short besides its point."""

    seconds: float | None = None  # after which it is killed, wherever it is
    file_size: int | None = None  # bytes, beyond which no file of its grows, as on a full disk


UNLIMITED = Limits()


@dataclass(frozen=True)
class Ended:
    """How a process ended and what it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def was_killed(self) -> bool:
        """Whether it died at its point, rather than passing none."""
        return self.status == -signal.SIGKILL


class Launcher:
    """Runs `sts` in processes of their own, forked from one that has the program in memory: hundreds take seconds."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def run(self, home: Path, *arguments: str, point: str | None = None, **environ: str) -> Ended:
        """Run one command to its end, or to its death at a point."""
        (ended,) = self.run_together(1, home, *arguments, point=point, **environ)
        return ended

    def run_together(
        self, times: int, home: Path, *arguments: str, point: str | None = None, **environ: str
    ) -> Sequence[Ended]:
        """Run the same command in several processes at once, to the end of the last."""
        return self.run_all(home, [arguments] * times, point=point, **environ)

    def run_all(
        self,
        home: Path,
        commands: Sequence[Sequence[str]],
        *,
        point: str | None = None,
        limits: Limits = UNLIMITED,
        **environ: str,
    ) -> Sequence[Ended]:
        """Run commands in processes of their own at once, to the end of the last."""
        order = {"commands": commands, "environ": environment(home, point, **environ), **asdict(limits)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**order, "folder": str(self._folder)}) + "\n")
        self._process.stdin.flush()
        statuses = json.loads(self._process.stdout.readline())
        return [Ended(status, self._printed(number, 1), self._printed(number, 2)) for number, status in statuses]

    def _printed(self, number: int, descriptor: int) -> str:
        return (self._folder / f"{number}.{descriptor}").read_text()


@contextmanager
def launching() -> Iterator[Launcher]:
    """Lend a launcher."""
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.launcher"],
            cwd=ROOT,
            env=environment(Path(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Launcher(process, Path(folder))
        process.communicate()
