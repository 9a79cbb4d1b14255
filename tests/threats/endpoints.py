"""The three token endpoints from outside, and what every refusal there must be."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from sts.store import tables
from tests.flows.world import SECRET, World, key_text

BASE_URL = "http://127.0.0.1:8000"
WRITTEN_WHILE_ISSUING = {"failure", "known_source", "replay"}
SECRETS = (SECRET, key_text(b"w"), key_text(b"o"))

_IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(Z|\+00:00)")
_strangers: Iterator[int] = count(1)


@dataclass(frozen=True)
class Endpoint:
    """A token endpoint and how its requests name things."""

    path: str
    name: str
    password: str
    realm: str
    more: Mapping[str, str] = field(default_factory=dict)

    def form(self, name: str = "worker", password: str = SECRET, realm: str = "https://swt.example/") -> dict[str, str]:
        """A request that is granted, unless something in it is changed."""
        return {**self.more, self.name: name, self.password: password, self.realm: realm}


GRANT = {"grant_type": "client_credentials"}
WRAP = Endpoint("WRAPv0.9", "wrap_name", "wrap_password", "wrap_scope")
ACS = Endpoint("v2/OAuth2-13", "client_id", "client_secret", "scope", GRANT)
OAUTH = Endpoint("oauth2/token", "client_id", "client_secret", "resource", GRANT)
ENDPOINTS = (WRAP, ACS, OAUTH)
NAMES = ("wrap", "acs", "oauth2")
endpoints = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)


def send(world: World, path: str, data: Any = None, **options: Any) -> TestResponse:
    """Send a request to any address of the service; from a stranger unless `source` says from whom."""
    source = options.pop("source", None) or stranger()
    options = {"method": "POST", "base_url": BASE_URL, **options}
    return world.client.open(path, data=data, environ_overrides={"REMOTE_ADDR": source}, **options)


def ask(world: World, endpoint: Endpoint, data: Any = None, **options: Any) -> TestResponse:
    """Send a request to one of the three endpoints of `contoso`; a good one unless `data` is given."""
    return send(world, f"/contoso/{endpoint.path}", endpoint.form() if data is None else data, **options)


def stranger() -> str:
    """An address that was never seen before."""
    number = next(_strangers)
    return f"198.{18 + (number >> 16) % 2}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True)
class Refusal:
    """What came back, freed of identifiers and instants, and what the log says."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    record: Mapping[str, Any]

    @property
    def answer(self) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """Everything that the caller sees."""
        return self.status, self.headers, self.body

    @property
    def reason(self) -> str:
        """The true reason, which only the log knows."""
        return f"{self.record['message']} ({self.record.get('detail', '')})"


def refused(world: World, endpoint: Endpoint, data: Any = None, **options: Any) -> Refusal:
    """Ask as `ask` does, and see it refused."""
    return seen_refused(world, partial(ask, world, endpoint, data, **options))


def seen_refused(world: World, request: Callable[[], TestResponse]) -> Refusal:
    """Send a request and see it refused as every bad input must be.

    Not with a status of 500 or above, without a change of state, with one log record under the answer's trace id, and
    with no secret in the answer or the log.
    """
    before, told = contents(world), len(world.records())
    answer = request()
    assert 400 <= answer.status_code < 500, answer.text
    assert contents(world) == before
    records = world.records()[told:]
    assert len(records) == 1, records
    (record,) = records
    assert record["status"] == answer.status_code
    assert record["error"]
    assert answer.headers["Request-Id"] == record["trace_id"]
    require_no_secret(world, answer)
    headers = tuple((name, anonymous(value)) for name, value in answer.headers)
    return Refusal(answer.status_code, headers, anonymous(answer.text), record)


def require_no_secret(world: World, answer: TestResponse, *secrets: str) -> None:
    """No secret is in the answer or anywhere in the log."""
    log = world.log.read_text()
    for secret in (*SECRETS, *secrets):
        assert secret not in log
        assert secret not in answer.text


def anonymous(text: str) -> str:
    """A text without what differs from one request to the next."""
    return _INSTANT.sub("INSTANT", _IDENTIFIER.sub("ID", text))


def contents(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for what issuing may write."""
    with world.service.installation.database.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in tables.METADATA.sorted_tables
            if table.name not in WRITTEN_WHILE_ISSUING
        }


def rows_of(world: World, table: sa.Table) -> list[sa.Row[Any]]:
    """All rows of a table."""
    with world.service.installation.database.reading() as connection:
        return list(connection.execute(sa.select(table)))
