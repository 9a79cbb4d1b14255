"""A whole service in a temporary folder, under a clock that the test moves, and requests to it."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from sts.assemble import Service, assemble
from sts.core.model import Credential, Namespace, RelyingParty
from sts.operations.apply import Applied, ApplyRequest, apply
from sts.settings import LogFormat, Settings
from sts.web.app import Application
from sts.web.request_log import RequestLog

START = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
SECRET = "correct horse battery staple"
CONTOSO = """
namespace: contoso
relying_parties:
  - {name: swt, realm: "https://swt.example/", token_format: swt, rule_groups: [all]}
  - {name: jwt, realm: "https://jwt.example/", token_format: jwt, rule_groups: [all]}
  - {name: hs256, realm: "https://hs256.example/", token_format: jwt, signing: symmetric, rule_groups: [all]}
  - {name: saml11, realm: "https://saml11.example/", token_format: saml11, rule_groups: [all]}
  - {name: saml20, realm: "https://saml20.example/", token_format: saml20, rule_groups: [all]}
  - {name: nobody, realm: "https://nobody.example/", token_format: jwt, rule_groups: [nothing]}
  - {name: disabled, realm: "https://disabled.example/", token_format: jwt, rule_groups: [all], enabled: false}
service_identities:
  - {name: worker, password: "env:WORKER_PASSWORD", symmetric_key: "env:WORKER_KEY"}
  - {name: old, symmetric_key: "env:OLD_KEY", swt_without_expiry: true}
  - {name: gone, password: "env:WORKER_PASSWORD", enabled: false}
rule_groups:
  - name: all
    rules:
      - {input: {issuer: LOCAL AUTHORITY}}
      - input: {issuer: LOCAL AUTHORITY, value: worker}
        output: {type: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", value: sender}
  - name: nothing
    rules:
      - {input: {issuer: LOCAL AUTHORITY, value: somebody else}}
"""


@dataclass
class MovedClock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class World:
    """One service and what it needs."""

    home: Path
    service: Service
    client: Client
    log: Path
    clock: MovedClock
    log_descriptor: int

    @property
    def now(self) -> datetime:
        """What the service's clock says."""
        return self.clock.now

    def move(self, **span: float) -> None:
        """Move the clock."""
        self.clock.now += timedelta(**span)

    def apply(self, text: str, environment: Mapping[str, str] | None = None, **options: bool) -> Applied:
        """Apply a configuration, with the usual secrets at hand."""
        known = {"WORKER_PASSWORD": SECRET, "WORKER_KEY": key_text(b"w"), "OLD_KEY": key_text(b"o")}
        request = ApplyRequest(text.encode(), self.home, {**known, **(environment or {})}, **options)
        return apply(self.service.installation, request, self.now)

    def post(self, path: str, data: Any, **options: Any) -> TestResponse:
        """Send a request to the namespace's door."""
        return self.client.post(f"/contoso/{path}", data=data, base_url="http://127.0.0.1:8000", **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Read one of the namespace's documents."""
        return self.client.get(f"/contoso/{path}", base_url="http://127.0.0.1:8000", **options)

    def oauth(self, party: str, **changes: str) -> TestResponse:
        """Ask `oauth2/token` for a token for one of the relying parties."""
        form = {
            "grant_type": "client_credentials",
            "client_id": "worker",
            "client_secret": SECRET,
            "resource": f"https://{party}.example/",
        }
        return self.post("oauth2/token", {**form, **changes})

    def wrap(self, **changes: str) -> TestResponse:
        """Ask `WRAPv0.9` for a simple web token."""
        form = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": "https://swt.example/"}
        return self.post("WRAPv0.9", {**form, **changes})

    def token(self, party: str) -> bytes:
        """The bare token of a relying party; SAML out of its base64url."""
        answer = self.oauth(party)
        assert answer.status_code == 200, answer.text
        given = members(answer)
        text: str = given["access_token"]
        return decode(text) if given["token_type"] == "N_A" else text.encode()

    @property
    def namespace(self) -> Namespace:
        """The namespace as requests see it."""
        return self.service.directory.namespace("contoso")

    def relying_party(self, party: str) -> RelyingParty:
        """A relying party as requests see it."""
        found = self.service.directory.relying_party(self.namespace, [f"https://{party}.example/"])
        assert found is not None
        return found

    def secret(self, credential: Credential) -> bytes:
        """The secret of a credential, as `sts key export` would write it."""
        return self.service.installation.key_ring.secret(self.namespace, credential)

    def close(self) -> None:
        """Let go of the database and the log."""
        self.service.installation.database.close()
        os.close(self.log_descriptor)

    def records(self) -> list[dict[str, Any]]:
        """What the request log holds."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def members(answer: TestResponse) -> dict[str, Any]:
    """The members of a JSON answer."""
    found = json.loads(answer.text)
    assert isinstance(found, dict)
    return found


def decode(text: str) -> bytes:
    """Undo base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_text(letter: bytes) -> str:
    """A symmetric key as configuration files take it."""
    return base64.b64encode(letter * 32).decode()


def open_world(home: Path, **settings: Any) -> World:
    """Open the service of a folder, new or not, under a clock that stands at START."""
    return open_world_at(START, home, **settings)


def open_world_at(now: datetime, home: Path, **settings: Any) -> World:
    """Open the service of a folder, new or not, under a clock that stands."""
    clock = MovedClock(now)
    log = home / "requests.log"
    base = Settings.from_environ({"STS_HOME": str(home)})
    service = assemble(replace(base, **settings), clock)
    descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    application = Application(service, RequestLog(LogFormat.JSON, descriptor))
    return World(home, service, Client(application), log, clock, descriptor)


def make_world(home: Path, configuration: str = CONTOSO, **settings: Any) -> World:
    """Build a service in a folder and apply a configuration."""
    world = open_world(home, **settings)
    world.apply(configuration)
    return world


def lend(world: World) -> Iterator[World]:
    """The body of a fixture: lend, close."""
    yield world
    world.close()


def worlds(home: Path) -> Iterator[World]:
    """The body of a fixture: build, lend, close."""
    yield from lend(make_world(home))
