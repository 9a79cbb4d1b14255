"""Servers under measurement: started, timed until they answer, ended."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
START_LIMIT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    pid: int
    port: int
    cold_start: float  # seconds from the start of the process to its first answer


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: Sequence[str], port: int, environ: Mapping[str, str]) -> Iterator[Server]:
    """Run a server, its log in a file of STS_HOME; it has started when it answers any request at all."""
    with open(Path(environ["STS_HOME"]) / "server.log", "ab") as log:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | dict(environ), stdout=log, stderr=log)
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - begun > START_LIMIT:
                raise RuntimeError(f"{' '.join(command)} did not start; see {log.name}")
            time.sleep(0.01)
        yield Server(process.pid, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(30)


def sts(workers: int, port: int) -> list[str]:
    """The command that serves the token service."""
    return [str(BIN / "sts"), "serve", "--host", HOST, "--port", str(port), "--workers", str(workers)]


def bare(workers: int, port: int) -> list[str]:
    """The command that serves the bare peer."""
    options = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", str(workers)]
    return [str(BIN / "granian"), *options, "--blocking-threads", "1", "--no-ws", "benchmarks.bare:application"]


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        connection.getresponse().read()
    except (http.client.HTTPException, OSError):
        return False
    else:
        return True
    finally:
        connection.close()
