"""Set up the demo namespaces, serve them and the sample applications, and print what a newcomer can paste.

`make run` starts this. The data (master key, database, the demo's secrets) lives in STS_HOME, the current folder by
default, and is kept from one run to the next.
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
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ledger import certificate

EXAMPLES = Path(__file__).resolve().parent
STS = Path(sys.executable).with_name("sts")
HOME = Path(os.environ.get("STS_HOME", "."))
BASE_URL = os.environ.get("STS_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
SAMPLE_URL = os.environ.get("SAMPLE_URL", "").rstrip("/")
SECRETS = ("DEMO_SECRET", "ALICE_PASSWORD", "BOB_PASSWORD")
WRITTEN = {"http://127.0.0.1:8000": "base", "http://127.0.0.1:8001": "sample"}  # the addresses in the example files
START_LIMIT = 30.0  # seconds
STOP_LIMIT = 15.0  # seconds; the server itself promises 10


class Paste(string.Template):
    """The text of commands.txt; `@` marks its fields because `$` belongs to the shell."""

    delimiter = "@"


class Stopped(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal, or asked the demo to end."""


def demo_secrets(path: Path) -> dict[str, str]:
    """The demo's secrets, each made on the first run that needs it and readable by their owner only."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        known = dict(line.strip().split("=", 1) for line in file if "=" in line)
        for name in SECRETS:
            if name not in known:
                known[name] = secrets.token_urlsafe(32 if name == "DEMO_SECRET" else 9)
                file.write(f"{name}={known[name]}\n")
    return known


def require_free(host: str, port: int) -> None:
    """Exit with a sentence if something else already listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"{host}:{port}: {error.strerror}. Another port: STS_BASE_URL=http://127.0.0.1:8010 make run")


def is_live(url: str) -> bool:
    """Whether a server answers there."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=1)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def wait_until_live(server: subprocess.Popen[bytes], url: str) -> None:
    """Return when the server answers there; exit if it ends first or takes too long."""
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        if server.poll() is not None:
            sys.exit(server.returncode or 1)
        if is_live(url):
            return
        time.sleep(0.05)
    sys.exit(f"{url} did not answer within {START_LIMIT:.0f} seconds")


def commands(made: dict[str, str], sample: str) -> str:
    """What a newcomer can open, and paste into another terminal."""
    named = [name for name in ("STS_HOME", "STS_BASE_URL") if name in os.environ]
    settings = [f"export {name}={shlex.quote(os.environ[name])}" for name in named]
    tools = relative(STS.parent)
    return Paste((EXAMPLES / "commands.txt").read_text(encoding="utf-8")).substitute(
        base=BASE_URL,
        sample=sample,
        bin=shlex.quote(str(tools)),
        examples=shlex.quote(str(relative(EXAMPLES))),
        home=shlex.quote(str(HOME)),
        secret=made["DEMO_SECRET"],
        alice=made["ALICE_PASSWORD"],
        bob=made["BOB_PASSWORD"],
        start="\n".join(f"  {line}" for line in [f"cd {shlex.quote(str(Path.cwd()))}", *settings]),
    )


def relative(path: Path) -> Path:
    """A path as one types it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def sample_url(host: str, port: int) -> str:
    """Where the sample applications are: the next port, unless SAMPLE_URL says otherwise."""
    return SAMPLE_URL or f"http://{host}:{port + 1}"


def placed(name: str, folder: Path, sample: str) -> Path:
    """A copy of an example file with the addresses of this run."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    here = {"base": BASE_URL, "sample": sample}
    for address in sorted(WRITTEN, reverse=True):  # in one order, so that no replacement is replaced again
        text = text.replace(address, f"@{WRITTEN[address]}@")
    for word, address in here.items():
        text = text.replace(f"@{word}@", address)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def set_up(folder: Path, sample: str, environ: dict[str, str]) -> None:
    """Make both namespaces be what their files say; each reads the metadata of the other, which must be there first."""
    partner, demo = HOME / "metadata" / "partner.xml", HOME / "metadata" / "demo.xml"
    moved = has_moved(partner)
    bare = folder / "bare.yaml"
    bare.write_text("namespace: partner\n", encoding="utf-8")
    sts("apply", str(bare), environ=environ, output=subprocess.DEVNULL)
    sts("metadata", "export", "--namespace", "partner", environ=environ, output=subprocess.DEVNULL)
    if moved:
        accept(partner, "--namespace", "demo", "--identity-provider", "--name", "partner", environ=environ)
    made = certificate(HOME / "keys" / "demo-ledger.key", HOME / "metadata" / "demo-ledger.cer")
    (folder / "ledger.cer").write_bytes(made)
    sts("apply", str(placed("demo.yaml", folder, sample)), environ=environ)
    sts("metadata", "export", "--namespace", "demo", environ=environ, output=subprocess.DEVNULL)
    if moved:
        accept(demo, "--namespace", "partner", "--relying-party", "--name", "demo", environ=environ)
    sts("apply", str(placed("partner.yaml", folder, sample)), environ=environ)


def has_moved(metadata: Path) -> bool:
    """Whether the run before this one was at another address."""
    return metadata.exists() and f'entityID="{BASE_URL}/' not in metadata.read_text(encoding="utf-8")


def accept(metadata: Path, *partner: str, environ: dict[str, str]) -> None:
    """Agree that a partner calls itself otherwise now; where it is not known yet, there is nothing to agree to."""
    command = [str(STS), "metadata", "import", str(metadata), *partner, "--accept", "--yes"]
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603


def sts(*arguments: str, environ: dict[str, str], output: int | None = None) -> None:
    """Run one command; exit with its status if it is refused."""
    done = subprocess.run([str(STS), *arguments], env=environ, stdout=output, check=False)  # noqa: S603 our own
    if done.returncode:
        sys.exit(done.returncode)


def end(program: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, and leave no orphan behind."""
    program.terminate()
    try:
        program.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def stop(number: int, frame: FrameType | None) -> None:
    """A signal ends the demo once; a second one is not heard while the first is obeyed."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    """Set up, serve, print, wait."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    address = urllib.parse.urlsplit(BASE_URL)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    sample = sample_url(host, port)
    require_free(host, port)
    require_free(host, urllib.parse.urlsplit(sample).port or 80)
    HOME.mkdir(parents=True, exist_ok=True)
    made = demo_secrets(HOME / "demo.env")
    environ = {"STS_LOG_FORMAT": "text", **os.environ}
    with tempfile.TemporaryDirectory(prefix="sts-demo-") as folder:
        set_up(Path(folder), sample, environ | made)
        environ |= {"STS_START_PAGE": str(placed("start.html", Path(folder), sample)), "SAMPLE_URL": sample}
        return serve(host, port, commands(made, sample), environ)


def serve(host: str, port: int, text: str, environ: dict[str, str]) -> int:
    """Run the service and the sample applications until one of them ends or somebody ends this program."""
    with (
        running(environ, str(STS), "serve", "--host", host, "--port", str(port)) as server,
        running(environ, sys.executable, str(EXAMPLES / "sample_application.py")) as sample,
    ):
        wait_until_live(server, f"{BASE_URL}/health/live")
        wait_until_live(sample, f"{environ['SAMPLE_URL']}/")
        print(text, flush=True)
        while server.poll() is None and sample.poll() is None:
            time.sleep(0.2)
        return server.returncode or sample.returncode or 0


@contextmanager
def running(environ: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a session of its own: Ctrl-C reaches this one, which passes on one orderly SIGTERM to each."""
    program = subprocess.Popen(command, env=environ, start_new_session=True)  # noqa: S603 our own
    try:
        yield program
    finally:
        end(program)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped:
        sys.exit(0)
