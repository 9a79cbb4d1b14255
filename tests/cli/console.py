"""The `sts` command in a home folder of a test's own: in this process, or as a real program."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from sts.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-c", "from sts.cli.main import main; main()"]


@dataclass(frozen=True)
class Console:
    """Somebody who types commands; standard input is no terminal."""

    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of this home and nothing of the tester's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STS_")}
        return {**kept, "STS_HOME": str(self.home), "PYTHONPATH": str(ROOT), **more}

    def run(self, *arguments: object, stdin: bytes | None = None, **environment: str) -> Result:
        """Run a command, whatever comes of it."""
        names = [name for name in os.environ if name.startswith("STS_")]
        cleared: dict[str, str | None] = dict.fromkeys(names)
        given = {**cleared, "STS_HOME": str(self.home), **environment}
        return CliRunner().invoke(main, [str(each) for each in arguments], input=stdin, env=given)

    def ok(self, *arguments: object, stdin: bytes | None = None, **environment: str) -> str:
        """Run a command that must succeed, and answer what it printed."""
        result = self.run(*arguments, stdin=stdin, **environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object, stdin: bytes | None = None, **environment: str) -> Any:
        """Run a command that must succeed with --json, and answer the one value it printed."""
        return json.loads(self.ok(*arguments, "--json", stdin=stdin, **environment))

    def refused(self, *arguments: object, stdin: bytes | None = None, **environment: str) -> str:
        """Run a command that must be refused: exit status 1, nothing printed, one message; answer that."""
        result = self.run(*arguments, stdin=stdin, **environment)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stderr.startswith("Error: ")
        return result.stderr

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command as a program of its own."""
        return subprocess.Popen([*PROGRAM, *arguments], env=self.environment(), **options)
