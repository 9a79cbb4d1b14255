"""Simple web tokens of the running server, validated as the samples of the time did, with the exported key."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import jwt
import pytest

from sts.core.exchange import Trusted, VerificationKey
from sts.core.model import Kind, TokenFormat
from sts.operations.credential_files import export_key
from sts.operations.rings import RingName, Selection
from sts.tokens import swt
from tests.flows.server import Server
from tests.flows.world import SECRET

# clients.md; the token of the SWT samples of Azure ACS's time
VECTOR_KEY = base64.b64decode("N4QeKa3c062VBjnVK6fb+rnwURkcwGXh7EoNK34n0uM=")
VECTOR_TEXT = "Issuer=issuer.example.com&ExpiresOn=1262304000&com.example.group=gold&over18=true"
VECTOR_MAC = "AT55+2jLQeuigpg0xm/vn7tjpSGXBUfFe0UXb0/9opE="


def is_valid(token: str, key: bytes, issuer: str, audience: str, now: float) -> bool:
    """The validation of the samples: split at the MAC, compare it, then issuer, audience, time; no code of ours."""
    text, _, mac = token.rpartition("&HMACSHA256=")
    made = base64.b64encode(hmac.new(key, text.encode("ascii"), hashlib.sha256).digest()).decode()
    fields = dict(parse_qsl(text))
    return (
        hmac.compare_digest(made, unquote(mac))
        and fields["Issuer"] == issuer
        and fields["Audience"] == audience
        and int(fields["ExpiresOn"]) > now
    )


@pytest.fixture(scope="module")
def key(server: Server) -> bytes:
    """The namespace's key, as its relying parties are handed it."""
    ring = RingName("contoso", kind=Kind.SYMMETRIC)
    return base64.b64decode(export_key(server.installation, Selection(ring), datetime.now(UTC)).value)


@pytest.mark.parametrize("path", ["WRAPv0.9", "WRAPv0.9/"])
def test_the_validation_of_the_samples_accepts_a_token(server: Server, key: bytes, path: str) -> None:
    form = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": "https://swt.example/orders"}
    answer = server.send(f"contoso/{path}", form)
    fields = dict(parse_qsl(answer.body.decode()))
    issuer, now = f"{server.base_url}/contoso/", datetime.now(UTC).timestamp()
    token = fields["wrap_access_token"]
    assert is_valid(token, key, issuer, "https://swt.example/orders", now)
    assert not is_valid(token, key, issuer, "https://swt.example/", now)
    assert not is_valid(token, bytes(32), issuer, "https://swt.example/orders", now)
    assert not is_valid(token, key, issuer, "https://swt.example/orders", now + 601)
    assert fields["wrap_access_token_expires_in"] in ("599", "600")


def test_old_clients_find_the_token_where_they_look(server: Server) -> None:
    form = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": "https://swt.example/"}
    body = server.send("contoso/WRAPv0.9/", form).body.decode()
    token = unquote(body.removeprefix("wrap_access_token=").split("&")[0])
    assert body.startswith("wrap_access_token=")
    assert token.split("ExpiresOn=")[1].split("&")[0].isdigit()


def test_pyjwt_verifies_hs256_with_the_exported_key(server: Server, key: bytes) -> None:
    issuer = f"{server.base_url}/contoso/"
    token = server.token("hs256").decode()
    payload = jwt.decode(token, key, ["HS256"], audience="https://hs256.example/", issuer=issuer)
    assert payload["nameid"] == "worker"


def test_our_reader_accepts_the_published_vector() -> None:
    token = f"{VECTOR_TEXT}&HMACSHA256={VECTOR_MAC.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
    assert base64.b64encode(hmac.digest(VECTOR_KEY, VECTOR_TEXT.encode(), "sha256")).decode() == VECTOR_MAC
    keys = (VerificationKey("", Kind.SYMMETRIC, VECTOR_KEY),)
    trusted = Trusted("issuer.example.com", None, keys, max_lifetime=None)
    read = swt.read(token.encode(), trusted, datetime(2009, 12, 31, tzinfo=UTC))
    assert [(claim.type, claim.value) for claim in read.claims] == [("com.example.group", "gold"), ("over18", "true")]


def test_our_reader_accepts_what_the_server_issued(server: Server, key: bytes) -> None:
    keys = (VerificationKey("", Kind.SYMMETRIC, key),)
    trusted = Trusted(f"{server.base_url}/contoso/", "https://swt.example/", keys)
    read = swt.read(server.token(TokenFormat.SWT), trusted, datetime.now(UTC))
    assert read.audience == "https://swt.example/"
