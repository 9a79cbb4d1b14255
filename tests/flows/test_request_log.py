"""One record for each request, its trace in the answer, and no secret anywhere."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from sts.core.model import Kind, Use
from sts.store import audit
from tests.flows.doors import DOORS, ONE_OF_EACH, Caller, realm_of
from tests.flows.operators import DECRYPTION, KEYS, NAMESPACE, delete, first, generate, promote, revoke
from tests.flows.self_issued import OLD_KEY, WORKER_KEY, present, self_issued, signed
from tests.flows.tokens import PARTIES
from tests.flows.world import CONTOSO, SECRET, World

METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
Request = Callable[[World], TestResponse]


def anywhere(method: str, path: str, **options: Any) -> Request:
    """A request to any address."""
    return lambda world: world.client.open(path, method=method, base_url="http://127.0.0.1:8000", **options)


def basic(authorization: str) -> Request:
    """A request with an Authorization header."""
    form = {"grant_type": "client_credentials", "scope": realm_of("jwt")}
    return lambda world: world.post("oauth2/token", form, headers={"Authorization": authorization})


PAIR = base64.b64encode(f"worker:{quote(SECRET)}".encode()).decode()
REQUESTS: dict[str, Request] = {
    **{
        f"{door.name} {party}": lambda world, door=door, party=party: door(world, Caller(realm_of(party)))  # type: ignore[misc]
        for door in DOORS
        for party in PARTIES
    },
    **{
        f"{door.name} wrong": lambda world, door=door: door(world, Caller(realm_of("swt"), secret=SECRET + "!"))  # type: ignore[misc]
        for door in ONE_OF_EACH
    },
    "assertion": lambda world: present(world, self_issued(world)),
    "assertion again": lambda world: present(world, self_issued(world)),
    "forged assertion": lambda world: present(world, self_issued(world)[:-8] + b"AAAAA%3D"),
    "minimal assertion": lambda world: present(world, signed({"Issuer": "old"}, OLD_KEY)),
    "metadata": lambda world: world.get(METADATA),
    "metadata again": lambda world: world.get(METADATA, headers={"If-None-Match": world.get(METADATA).headers["ETag"]}),
    "secret in the address": anywhere("POST", f"/contoso/oauth2/token?client_secret={quote(SECRET)}"),
    "secret in a GET": anywhere("GET", f"/contoso/WRAPv0.9?wrap_password={quote(SECRET)}"),
    "secret in a document's address": anywhere("GET", f"/contoso/{METADATA}?password={quote(SECRET)}"),
    "good header": basic(f"Basic {PAIR}"),
    "bad header": basic(f"Bearer {PAIR}"),
    "broken header": basic(f"Basic {PAIR}!"),
    "not a form": anywhere("POST", "/contoso/WRAPv0.9", data=f"{{{SECRET}"),
    "too large": anywhere("POST", "/contoso/WRAPv0.9", data="wrap_password=" + SECRET * 12_000),
    "too large for a page": anywhere("POST", "/nowhere", data="wrap_password=" + SECRET * 12_000),
    "bad escape": anywhere("POST", "/contoso/oauth2/token", data=f"client_secret={SECRET}%zz"),
    "twice": anywhere("POST", "/contoso/oauth2/token", data=f"client_secret={SECRET}&client_secret={SECRET}"),
    "password as a name": lambda world: world.wrap(wrap_scope="urn:unknown"),
    "another grant": lambda world: world.oauth("jwt", grant_type="password"),
    "an unknown namespace": anywhere("GET", "/fabrikam/.well-known/jwks.json"),
    "nothing": anywhere("GET", "/"),
    "head": anywhere("HEAD", f"/contoso/{METADATA}"),
    "wrong method": anywhere("DELETE", f"/contoso/{METADATA}"),
    "odd method": anywhere("BREW", "/contoso/WRAPv0.9"),
    "line breaks": anywhere("GET", '/contoso/%0d%0a{"at":"x"}/%22%00%1b'),
    "not UTF-8": anywhere("GET", "/contoso/%ff%fe"),
    "a stranger's host": lambda world: world.client.get("/contoso/x", base_url="http://evil.example"),
    "live": anywhere("GET", "/health/live"),
    "ready": anywhere("GET", "/health/ready"),
    "metrics": anywhere("GET", "/metrics"),
}


@pytest.mark.parametrize("request_", [pytest.param(ask, id=name) for name, ask in REQUESTS.items()])
def test_every_request_leaves_one_record_with_the_trace_of_its_answer(module_world: World, request_: Request) -> None:
    asked_before = len(module_world.records())
    answer = request_(module_world)
    *_, record = records = module_world.records()[asked_before:]
    assert len(records) == (2 if answer.status_code == 304 else 1)  # that one asks for the tag first
    assert record["status"] == answer.status_code < 500
    assert answer.headers["Request-Id"] == record["trace_id"]
    assert ("error" in record) is (answer.status_code >= 400)
    assert set(record) <= {
        *("at", "trace_id", "source", "method", "path", "status", "ms", "namespace", "error", "message", "detail"),
        *("relying_party", "principal", "format", "token_id", "credential_id", "encrypted", "decrypted_by"),
    }
    if answer.status_code >= 400 and answer.data:
        assert record["trace_id"] in answer.text


def test_traces_are_never_the_same(module_world: World) -> None:
    for _ in range(50):
        module_world.get(METADATA)
    traces = [record["trace_id"] for record in module_world.records()]
    assert len(set(traces)) == len(traces)


def secrets_of(world: World) -> set[bytes]:
    """Whatever must never be read in the clear: passwords and keys, and every way to write them."""
    installation, namespace = world.service.installation, world.namespace
    raw = {SECRET.encode(), WORKER_KEY, OLD_KEY}
    for credential in (c for c in namespace.credentials if c.deleted_at is None):
        secret = installation.key_ring.secret(namespace, credential)
        raw.add(secret if credential.kind is Kind.SYMMETRIC else secret[-64:])
    encoded = {base64.b64encode(secret) for secret in raw} | {secret.hex().encode() for secret in raw}
    return {*raw, *encoded, quote(SECRET).encode(), SECRET.replace(" ", "+").encode(), PAIR.encode()}


def pieces(token: bytes) -> set[bytes]:
    """Parts of a token, too long to be anything else, as it is and as JSON carries it."""
    written = (token, base64.urlsafe_b64encode(token))
    return {text[start : start + 40] for text in written for start in range(0, len(text) - 40, 20)}


def test_no_request_leaves_a_secret_in_the_log(world: World) -> None:
    for ask in REQUESTS.values():
        ask(world)
    given = [self_issued(world), signed({"Issuer": "old"}, OLD_KEY), *map(world.token, PARTIES)]
    given += [door.read(door(world, Caller(realm_of("swt")))).token for door in DOORS]
    written = world.log.read_bytes()
    assert len(world.records()) > len(REQUESTS)
    assert [secret for secret in secrets_of(world) if secret in written] == []
    assert [piece for token in given for piece in pieces(token) if piece in written] == []


def test_the_database_holds_no_secret_in_the_clear(world: World) -> None:
    for party in PARTIES:
        world.token(party)
    present(world, self_issued(world))
    secrets = secrets_of(world)
    world.service.installation.database.close()
    files = [path.read_bytes() for path in world.home.glob("sts.db*")]
    assert [secret for secret in secrets if any(secret in content for content in files)] == []
    assert base64.b64encode((world.home / "keys/master.key").read_bytes()) not in b"".join(files)


def test_the_audit_chain_verifies_after_everything(world: World) -> None:
    for ring in (NAMESPACE, KEYS, DECRYPTION):
        new = generate(world, ring)
        world.move(seconds=6)
        old = first(world, ring)
        promote(world, ring, new)
        revoke(world, ring, old)
        delete(world, ring, old)
    world.apply(CONTOSO.replace("value: sender", "value: reader"), prunes=True)
    world.apply("namespace: fabrikam\nhosts: [fabrikam.example]\n")
    for party in PARTIES:
        world.oauth(party)
    with world.service.installation.database.reading() as connection:
        head = audit.verify(connection)
        trail = audit.list_newest(connection, None, 1000)
    assert head.sequence == len(trail) > 20
    actions = [record.action for record in trail]
    for kind in Kind:
        for verb in ("generate", "make-primary", "revoke", "delete"):
            assert f"{kind}.{verb}" in actions
    written = json.dumps([(record.subject, dict(record.details)) for record in trail]).encode()
    assert [secret for secret in secrets_of(world) if secret in written] == []


def test_issuing_writes_no_audit_record(world: World) -> None:
    def length() -> int:
        with world.service.installation.database.reading() as connection:
            return audit.verify(connection).sequence

    before = length()
    for party in PARTIES:
        world.token(party)
    present(world, self_issued(world))
    world.wrap(wrap_password="wrong")
    assert length() == before
    assert {c.use for c in world.namespace.credentials} == {Use.SIGNING, Use.DECRYPTION, Use.TENANT_CA}
