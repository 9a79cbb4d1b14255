"""Another certificate becomes primary while clients keep asking a server of two workers: nobody notices."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event

import jwt
import pytest

from sts.operations.credential_states import make_primary
from sts.operations.new_credentials import CertificateOrder, generate_certificate
from sts.operations.rings import RingName, Selection
from tests.flows.server import Reply, Server, prepare, running
from tests.flows.tokens import Unverified, read_saml, verified_document
from tests.flows.world import CONTOSO, decode
from tests.interop.metadata import ASSERTIONS, METADATA, signing_certificates
from tests.tools import verify_with_xmlsec1

CLIENTS = 3
BEFORE = 15  # requests of each client before the promotion
AFTER = 40  # answers in a row, of each client, that carry the new certificate before it is content
MOST = 6_000  # requests of each client in all
PARTIES = ("jwt", "saml11", "saml20")
RING = RingName("contoso")


@dataclass
class Log:
    """What one client saw."""

    failures: list[Reply] = field(default_factory=list)
    signers: list[bytes] = field(default_factory=list)  # certificates, in the order of the answers
    tokens: dict[tuple[str, bytes], bytes] = field(default_factory=dict)  # the first of each kind


@dataclass
class Load:
    """Clients that ask until all of them have the new certificate, or too often."""

    server: Server
    certificates: dict[str, bytes]  # by key id: the old one and the new one
    warm: Barrier = field(default_factory=lambda: Barrier(CLIENTS + 1))
    promoted: Event = field(default_factory=Event)

    def run(self) -> Log:
        """One client."""
        log, in_a_row = Log(), 0
        for number in range(MOST):
            if number == BEFORE:
                self.warm.wait(60)
            signer = self._ask(log, PARTIES[number % len(PARTIES)])
            in_a_row = in_a_row + 1 if signer == self.new else 0
            if in_a_row == AFTER:
                break
        return log

    @property
    def new(self) -> bytes:
        """The certificate that becomes primary."""
        return list(self.certificates.values())[1]

    def _ask(self, log: Log, party: str) -> bytes | None:
        answer = self.server.oauth(party)
        if answer.status != 200:
            log.failures.append(answer)
            return None
        text = answer.members["access_token"]
        token = text.encode() if party == "jwt" else decode(text)
        signer = self._signer(party, token)
        log.signers.append(signer)
        log.tokens.setdefault((party, signer), token)
        return signer

    def _signer(self, party: str, token: bytes) -> bytes:
        if party == "jwt":
            return self.certificates[json.loads(decode(token.split(b".")[0].decode()))["kid"]]
        found = [der for der in self.certificates.values() if base64.b64encode(der) in token]
        assert len(found) == 1
        return found[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose namespace has had a second certificate in public for half an hour."""
    then = datetime.now(UTC) - timedelta(hours=1)
    prepared = prepare(tmp_path_factory.mktemp("load"), then)
    prepared.apply(CONTOSO, then)
    generate_certificate(prepared.installation, CertificateOrder(RING), then + timedelta(minutes=30))
    with running(prepared) as live:
        yield live


@dataclass(frozen=True)
class Seen:
    """The whole run."""

    old: bytes
    new: bytes
    logs: list[Log]
    metadata: bytes  # afterwards
    keys: jwt.PyJWKClient  # afterwards


@pytest.fixture(scope="module")
def seen(server: Server) -> Seen:
    """Load the server, promote the second certificate meanwhile, and read the documents afterwards."""
    jwks = server.send("contoso/.well-known/jwks.json").members["keys"]
    old, new = (base64.b64decode(key["x5c"][0]) for key in jwks)
    load = Load(server, {jwks[0]["kid"]: old, jwks[1]["kid"]: new})
    thumbprint = decode(jwks[1]["x5t"]).hex()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load.run) for _ in range(CLIENTS)]
        load.warm.wait(60)
        make_primary(server.installation, Selection(RING, thumbprint=thumbprint), datetime.now(UTC))
        logs = [client.result() for client in clients]
    keys = jwt.PyJWKClient(f"{server.base_url}/contoso/.well-known/jwks.json")
    return Seen(old, new, logs, server.document(METADATA), keys)


def test_no_request_fails(seen: Seen) -> None:
    assert [answer.body for log in seen.logs for answer in log.failures] == []
    assert sum(len(log.signers) for log in seen.logs) >= CLIENTS * (BEFORE + AFTER)


def test_every_client_turns_from_the_old_certificate_to_the_new_one(seen: Seen) -> None:
    for log in seen.logs:
        assert set(log.signers[:BEFORE]) == {seen.old}
        assert set(log.signers[-AFTER:]) == {seen.new}


def test_the_metadata_shows_both_the_new_one_first_and_is_signed_by_it(seen: Seen) -> None:
    assert signing_certificates(seen.metadata) == [seen.new, seen.old]
    verified_document(seen.metadata, seen.new, datetime.now(UTC))
    with pytest.raises(Unverified):
        verified_document(seen.metadata, seen.old, datetime.now(UTC))


def test_both_workers_show_the_same_metadata(server: Server, seen: Seen) -> None:
    for _ in range(20):
        assert server.document(METADATA) == seen.metadata


@pytest.mark.parametrize("version", ["saml11", "saml20"])
def test_old_and_new_assertions_verify_against_the_metadata(seen: Seen, version: str, tmp_path: Path) -> None:
    for number, certificate in enumerate(signing_certificates(seen.metadata)):
        tokens = [log.tokens[version, certificate] for log in seen.logs]
        for token in tokens:
            assert read_saml(token, certificate, datetime.now(UTC)).audience == f"https://{version}.example/"
        (folder := tmp_path / str(number)).mkdir()
        verify_with_xmlsec1(tokens[0], certificate, *ASSERTIONS[version], folder)


def test_old_and_new_json_tokens_verify_against_the_key_set(seen: Seen) -> None:
    tokens = [token for log in seen.logs for (party, _), token in log.tokens.items() if party == "jwt"]
    assert len(tokens) == 2 * CLIENTS
    for token in tokens:
        key = seen.keys.get_signing_key_from_jwt(token.decode())
        assert jwt.decode(token, key, ["RS256"], audience="https://jwt.example/")["nameid"] == "worker"


def test_the_log_has_a_record_for_each_token(server: Server, seen: Seen) -> None:
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith('{"at"')]
    records = [line for line in lines if "event" not in line]  # what rollover did has records of its own
    issued = [record for record in records if "token_id" in record]
    assert len(issued) == sum(len(log.signers) for log in seen.logs)
    assert len({record["trace_id"] for record in records}) == len(records)
    assert [record for record in records if record["status"] >= 400] == []
