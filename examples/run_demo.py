"""Set up the demo namespace, serve it, and print commands that a newcomer can paste. `make run` starts this.

The data (master key, database, the demo client's secret) lives in STS_HOME, the current folder by default, and is kept
from one run to the next.
"""

import http
import http.client
import os
import secrets
import shlex
import signal
import socket
import string
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from types import FrameType

EXAMPLES = Path(__file__).resolve().parent
STS = Path(sys.executable).with_name("sts")
HOME = Path(os.environ.get("STS_HOME", "."))
BASE_URL = os.environ.get("STS_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
START_LIMIT = 30.0  # seconds
STOP_LIMIT = 15.0  # seconds; the server itself promises 10


class Paste(string.Template):
    """The text of commands.txt; `@` marks its fields because `$` belongs to the shell."""

    delimiter = "@"


class Stopped(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal, or asked the demo to end."""


def demo_secret(path: Path) -> str:
    """The demo client's secret, made on the first run and readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip().partition("=")[2]
    secret = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"DEMO_SECRET={secret}\n")
    return secret


def require_free(host: str, port: int) -> None:
    """Exit with a sentence if something else already listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"{host}:{port}: {error.strerror}. Another port: STS_BASE_URL=http://127.0.0.1:8001 make run")


def is_live(host: str, port: int) -> bool:
    """Whether the server answers that it lives."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def wait_until_live(server: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Return when the server answers; exit if it ends first or takes too long."""
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        if server.poll() is not None:
            sys.exit(server.returncode or 1)
        if is_live(host, port):
            return
        time.sleep(0.05)
    sys.exit(f"{BASE_URL}/health/live did not answer within {START_LIMIT:.0f} seconds")


def commands(secret: str) -> str:
    """What a newcomer can paste into another terminal."""
    named = [name for name in ("STS_HOME", "STS_BASE_URL") if name in os.environ]
    settings = [f"export {name}={shlex.quote(os.environ[name])}" for name in named]
    here = Path.cwd()
    tools = STS.parent.relative_to(here) if STS.is_relative_to(here) else STS.parent
    return Paste((EXAMPLES / "commands.txt").read_text(encoding="utf-8")).substitute(
        base=BASE_URL,
        bin=shlex.quote(str(tools)),
        home=shlex.quote(str(HOME)),
        secret=secret,
        start="\n".join(f"  {line}" for line in [f"cd {shlex.quote(str(here))}", *settings]),
    )


def end(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, and leave no orphan behind."""
    server.terminate()
    try:
        server.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def stop(number: int, frame: FrameType | None) -> None:
    """A signal ends the demo once; a second one is not heard while the first is obeyed."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    """Apply, serve, print, wait."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    address = urllib.parse.urlsplit(BASE_URL)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    require_free(host, port)
    HOME.mkdir(parents=True, exist_ok=True)
    secret = demo_secret(HOME / "demo.env")
    environ = {"STS_LOG_FORMAT": "text", **os.environ}
    apply = [str(STS), "apply", str(EXAMPLES / "demo.yaml")]
    applied = subprocess.run(apply, env=environ | {"DEMO_SECRET": secret}, check=False)  # noqa: S603 our own
    if applied.returncode:
        return applied.returncode
    # A session of its own: Ctrl-C reaches this program, which passes on one orderly SIGTERM.
    serve = [str(STS), "serve", "--host", host, "--port", str(port)]
    server = subprocess.Popen(serve, env=environ, start_new_session=True)  # noqa: S603 our own
    try:
        wait_until_live(server, host, port)
        print(commands(secret), flush=True)
        return server.wait()
    finally:
        end(server)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped:
        sys.exit(0)
