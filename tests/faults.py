"""Processes that are killed at a named point (sts/store/faultpoints.py)."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from sts.store.faultpoints import VARIABLE, faultpoint

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


def run_program(home: Path, *arguments: str, point: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `sts` as a real process, to its end or to its death at a point."""
    command = [sys.executable, "-c", "from sts.cli.main import main; main()", *arguments]
    environ = environment(home, point)
    return subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def was_killed(process: subprocess.CompletedProcess[str]) -> bool:
    """Whether it died at its point, rather than passing none."""
    return process.returncode == -signal.SIGKILL
