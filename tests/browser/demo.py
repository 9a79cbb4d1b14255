"""`make run` as a program of its own, on ports and with a home of the test's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

ROOT = Path(__file__).resolve().parents[2]
RUN_DEMO = ROOT / "examples" / "run_demo.py"
LAST_LINE = "Read any of them"  # of what it prints when everything answers
STOP_LIMIT = 30.0  # seconds


@dataclass(frozen=True)
class Demo:
    """The demo, where it answers and how it was set up."""

    base_url: str
    sample_url: str
    home: Path
    program: subprocess.Popen[str]
    said: str  # until everything answered

    @property
    def orders(self) -> str:
        """The sample application that takes SAML 2.0."""
        return f"{self.sample_url}/orders/"

    @property
    def reports(self) -> str:
        """The sample application that takes JWT."""
        return f"{self.sample_url}/reports/"

    def password(self, name: str) -> str:
        """The password of one of the demo's people."""
        lines = (self.home / "demo.env").read_text(encoding="ascii").splitlines()
        return dict(line.split("=", 1) for line in lines)[f"{name.upper()}_PASSWORD"]

    def sts(self, *arguments: str) -> str:
        """Run a command beside the running service; answers what it printed."""
        command = [str(Path(sys.executable).with_name("sts")), *arguments]
        environ = _environ(self.home, self.base_url, self.sample_url)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def interrupt(self) -> int:
        """Press Ctrl-C; answers the exit status."""
        self.program.send_signal(signal.SIGINT)
        return self.program.wait(STOP_LIMIT)


def free_ports() -> tuple[int, int]:
    """Two ports that nobody listens at."""
    with socket() as one, socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def running_demo(home: Path, ports: tuple[int, int]) -> Iterator[Demo]:
    """Run the demo until the end of the block, when nothing of it is left."""
    base_url, sample_url = (f"http://127.0.0.1:{port}" for port in ports)
    home.mkdir(exist_ok=True)
    log = home / "demo.log"
    with log.open("w") as errors:
        program = subprocess.Popen(
            [sys.executable, str(RUN_DEMO)],
            env=_environ(home, base_url, sample_url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert program.stdout is not None
    with program, program.stdout as output:
        try:
            said = []
            for line in output:
                said.append(line)
                if line.startswith(LAST_LINE):
                    break
            else:
                raise AssertionError(f"the demo does not come up: {log.read_text()}")
            yield Demo(base_url, sample_url, home, program, "".join(said))
        finally:
            program.terminate()
            program.wait(STOP_LIMIT)


def _environ(home: Path, base_url: str, sample_url: str) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STS_")}
    return environ | {
        "STS_HOME": str(home),
        "STS_BASE_URL": base_url,
        "SAMPLE_URL": sample_url,
        "STS_WORKERS": "1",
    }
