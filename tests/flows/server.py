"""The real server: `sts serve` with two workers on a free port of this machine, and an operator beside it."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import urlencode

from sts.assemble import open_installation
from sts.operations.apply import ApplyRequest, apply
from sts.operations.installation import Installation
from sts.settings import Settings
from tests.flows.world import SECRET, decode, key_text

STS = Path(sys.executable).with_name("sts")
WORKERS = 2
ATTEMPTS, PAUSE = 300, 0.1  # seconds between two looks whether the server answers
STOP_LIMIT = 15.0  # seconds

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """The members of a JSON answer."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    base_url: str
    installation: Installation  # opened by this process, as an operator's command would
    log: Path

    def send(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Reply:
        """Get an address, or post a form to it, over a connection of its own."""
        data = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(f"{self.base_url}/{path}", data, headers)
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Reply(refusal.code, refusal.headers, refusal.read())

    def oauth(self, party: str, namespace: str = "contoso") -> Reply:
        """Ask `oauth2/token` for a token for a relying party."""
        form = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": SECRET}
        return self.send(f"{namespace}/oauth2/token", {**form, "resource": f"https://{party}.example/"})

    def token(self, party: str, namespace: str = "contoso") -> bytes:
        """The bare token of a relying party; SAML out of its base64url."""
        answer = self.oauth(party, namespace)
        assert answer.status == 200, answer.body
        text: str = answer.members["access_token"]
        return decode(text) if answer.members["token_type"] == "N_A" else text.encode()

    def document(self, path: str, namespace: str = "contoso") -> bytes:
        """A published document."""
        answer = self.send(f"{namespace}/{path}")
        assert answer.status == 200, answer.body
        return answer.body

    def apply(self, text: str, now: datetime) -> None:
        """Apply a configuration beside the running server."""
        secrets = {"WORKER_PASSWORD": SECRET, "WORKER_KEY": key_text(b"w"), "OLD_KEY": key_text(b"o")}
        apply(self.installation, ApplyRequest(text.encode(), self.installation.home, secrets), now)


def prepare(home: Path, now: datetime) -> Server:
    """Make a home for a server at a free port, and open it as an operator; nothing is listening yet."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    settings = Settings.from_environ({"STS_HOME": str(home), "STS_BASE_URL": base_url})
    return Server(base_url, open_installation(settings, "operator", now), home / "server.log")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Run a prepared server until the end of the block."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STS_")}
    environ |= {"STS_HOME": str(server.installation.home), "STS_BASE_URL": server.base_url}
    with server.log.open("ab") as log:
        command = [str(STS), "serve", "--workers", str(WORKERS)]
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_until_live(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        finally:
            process.kill()
            server.installation.database.close()


def _wait_until_live(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers; the pause between two looks is a wait for the process, which should not end."""
    for _ in range(ATTEMPTS):
        if _is_live(server):
            return
        try:
            process.wait(PAUSE)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the server does not answer: {server.log.read_text()}")


def _is_live(server: Server) -> bool:
    try:
        return server.send("health/live").status == 200
    except OSError:
        return False
