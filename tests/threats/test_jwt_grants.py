"""Rows J at jwt-bearer, of both OAuth endpoints, and of a client that authenticates with a JWT of its own."""

import json
from base64 import b64encode
from collections.abc import Callable

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from werkzeug.test import TestResponse

from tests.crypto.identities import certificate, private_key
from tests.flows.world import SECRET, World, members
from tests.threats.endpoints import Refusal, seen_refused, send
from tests.threats.identity_providers import ADFS, NAMESPACE, OTHER, trust
from tests.threats.jwts import WORKER, by_worker, made, payload
from tests.tokens.compact import base64url, jws

PARTY = "https://swt.example/"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS = [("oauth2/token", JWT_BEARER), ("v2/OAuth2-13", JWT_BEARER)]
GRANTS += [("v2/OAuth2-13", "http://oauth.net/grant_type/jwt/1.0/bearer")]
grants = pytest.mark.parametrize(("path", "grant"), GRANTS, ids=["oauth2", "acs", "acs old"])


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


def present(world: World, path: str, grant: str, token: bytes, realm: str = PARTY) -> TestResponse:
    return send(world, f"/contoso/{path}", {"grant_type": grant, "assertion": token, "scope": realm})


def refusal(world: World, path: str, grant: str, token: bytes) -> Refusal:
    """Present it and see it refused with the one public answer."""
    found = seen_refused(world, lambda: present(world, path, grant, token))
    expected = (400, "invalid_grant") if path == "oauth2/token" else (401, "invalid_client")
    assert (found.status, json.loads(found.body)["error"]) == expected
    assert "ACS50012: Authentication failed." in found.body
    return found


SIGNED = [("rsa2048", "RS256"), ("rsa2048", "PS256"), ("p256", "ES256")]


@grants
@pytest.mark.parametrize(("kind", "algorithm"), SIGNED)
def test_token_of_an_identity_provider_is_accepted_once(
    trusting: World, path: str, grant: str, kind: str, algorithm: str
) -> None:
    token = made(trusting, kind, algorithm)
    answer = present(trusting, path, grant, token)
    assert answer.status_code == 200, answer.text
    assert "%2frole=reader" in members(answer)["access_token"]
    assert trusting.records()[-1]["principal"] == "alice"
    assert refusal(trusting, path, grant, token).record["error"] == "ACS50013"


@grants
@pytest.mark.parametrize(
    ("name", "kind", "algorithm"), [("robot", *row) for row in SIGNED[:2]] + [("curve", "p256", "ES256")]
)
def test_token_that_a_service_identity_signed_with_its_certificate_is_accepted_once(
    trusting: World, path: str, grant: str, name: str, kind: str, algorithm: str
) -> None:
    token = made(trusting, kind, algorithm, iss=name, sub="somebody else", owner="robot")
    answer = present(trusting, path, grant, token)
    assert answer.status_code == 200, answer.text
    assert (trusting.records()[-1]["principal"], "reader" in answer.text) == (name, False)
    assert refusal(trusting, path, grant, token).record["error"] == "ACS50013"


@grants
def test_token_that_a_service_identity_signed_with_its_key_is_accepted_once(
    trusting: World, path: str, grant: str
) -> None:
    token = by_worker(trusting)
    assert present(trusting, path, grant, token).status_code == 200
    assert refusal(trusting, path, grant, token).record["error"] == "ACS50013"


def relabelled(token: bytes, algorithm: str) -> bytes:
    _, body, signature = token.split(b".")
    return b".".join([base64url(json.dumps({"alg": algorithm}).encode()), body, signature])


def confused(world: World, secret: bytes) -> bytes:
    return jws({"alg": "HS256"}, payload(world), secret)


def public(encoding: serialization.Encoding, shape: serialization.PublicFormat) -> bytes:
    return private_key("rsa2048").public_key().public_bytes(encoding, shape)


def unsigned(world: World, algorithm: str) -> bytes:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm}, payload(world))]
    return b".".join(map(base64url, parts)) + b"."


def by_text(world: World) -> bytes:
    body = json.dumps(payload(world) | {"exp": "1e400"}).encode()
    return _signed(body)


def doubled(world: World) -> bytes:
    body = json.dumps(payload(world)).encode()
    return _signed(body[:-1] + b',"sub":"admin"}')


def _signed(body: bytes) -> bytes:
    """Any payload, honestly signed."""
    return pyjwt.api_jws.PyJWS().encode(body, private_key("rsa2048"), "RS256", {"typ": "JWT"}).encode()


def non_canonical(token: bytes) -> bytes:
    """The last character of an RSA signature has four bits that mean nothing."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1:]) ^ 1 :][:1]


PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
SSH, OPENSSH = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
Make = Callable[[World], bytes]
HOSTILE: dict[str, tuple[Make, str]] = {
    "J01": (lambda w: unsigned(w, "none"), "alg"),
    "J02": (lambda w: unsigned(w, "nOnE"), "alg"),
    "J03-four segments": (lambda w: made(w) + b".a", "format"),
    "J03-two segments": (lambda w: made(w).rpartition(b".")[0], "format"),
    "J03-line": (lambda w: made(w) + b"\n", "format"),
    "J03-padding": (lambda w: made(w) + b"=", "format"),
    "J04": (lambda w: made(w, iss="worker"), "alg"),
    "J04-the other way": (lambda w: confused(w, WORKER), "alg"),
    "J05-PEM": (lambda w: confused(w, public(PEM, SPKI)), "alg"),
    "J05-SSH": (lambda w: confused(w, public(SSH, OPENSSH)), "alg"),
    "J05-DER": (lambda w: confused(w, certificate("rsa2048")), "alg"),
    "J06": (lambda w: confused(w, b64encode(certificate("rsa2048"))), "alg"),
    "J07": (lambda w: jws({"alg": "HS256"}, payload(w, iss="worker"), b""), "signature"),
    "J09-crit": (lambda w: made(w, headers={"crit": ["x"], "x": 1}), "header"),
    "J09-b64": (lambda w: made(w, headers={"b64": False}), ""),
    "J10-path": (lambda w: made(w, headers={"kid": "../../../../dev/null"}), "kid"),
    "J10-quote": (lambda w: made(w, headers={"kid": "' OR 1=1--"}), "kid"),
    "J10-long": (lambda w: made(w, headers={"kid": "k" * 10_000}), "kid"),
    "J11-jku": (lambda w: made(w, headers={"jku": "http://127.0.0.1:1/"}), "header"),
    "J11-x5u": (lambda w: made(w, headers={"x5u": "http://127.0.0.1:1/"}), "header"),
    "J11-jwk": (lambda w: made(w, headers={"jwk": {"kty": "oct", "k": "AA"}}), "header"),
    "J11-x5c": (lambda w: made(w, headers={"x5c": ["AA"]}), "header"),
    "J12": (lambda w: made(w, exp=None), "time: no expiry"),
    "J13": (by_text, "claim type"),
    "J14-none": (lambda w: made(w, aud=None), "audience"),
    "J14-second": (lambda w: made(w, aud=["https://other.example/", NAMESPACE]), "audience"),
    "J14-slash": (lambda w: made(w, aud=NAMESPACE + "/"), "audience"),
    "J14-another namespace": (lambda w: made(w, aud=NAMESPACE.replace("contoso", "fabrikam")), "audience"),
    "J14-sign-in address": (lambda w: made(w, aud=NAMESPACE + "v2/wsfederation"), "audience"),
    "J15": (lambda w: made(w, iss=ADFS[:-1]), "unknown service identity"),
    "J15-none": (lambda w: made(w, iss=None), "unknown service identity"),
    "J16": (doubled, "duplicate"),
    "J17": (lambda w: non_canonical(made(w)), "format"),
    "J20": (lambda w: base64url(b'{"a":' * 2_000) + b".e30.AA", "format"),
    "J21": (lambda w: base64url(b'{"alg":"RS256"}') + b"." + base64url(b'{"exp":' + b"1" * 5_000 + b"}") + b".AA", ""),
    "J22": (lambda w: made(w, x="x" * 20_000), "size"),
    "J23": (lambda w: relabelled(made(w), "PS256"), "signature"),
    "J23-other family": (lambda w: relabelled(made(w), "ES256"), "signature"),
    "J23-RS384": (lambda w: relabelled(made(w), "RS384"), "alg"),
    "J24-JWE": (lambda w: b"e30.e30.e30.e30.e30", "format"),
    "J24-typ": (lambda w: made(w, headers={"typ": "logout+jwt"}), "typ"),
    "A01-another identity provider's": (lambda w: made(w, iss=OTHER), "signature"),
    "A05": (lambda w: made(w, iss="urn:disabled"), "'disabled' is disabled"),
    "A16": (lambda w: made(w, nbf=None, iat=None, exp=int(w.now.timestamp()) - 180), "time: expired"),
    "A17": (lambda w: made(w, nbf=int(w.now.timestamp()) + 181), "time: not yet valid"),
    "A19": (lambda w: made(w, exp=int(w.now.timestamp()) + 12 * 3600 + 1), "time: the lifetime is too long"),
    "A19-self-issued": (lambda w: by_worker(w, exp=int(w.now.timestamp()) + 86_401), "time: the lifetime is too long"),
    "another's key": (lambda w: made(w, owner="attacker"), "signature"),
    "disabled identity": (lambda w: made(w, iss="gone", owner="robot"), "service identity 'gone' is disabled"),
    "other identity's key": (lambda w: made(w, "p256", "ES256", iss="robot", owner="robot"), "alg"),
}  # fmt: skip


@grants
@pytest.mark.parametrize("row", HOSTILE)
def test_hostile_token_is_refused(trusting: World, path: str, grant: str, row: str) -> None:
    make, reason = HOSTILE[row]
    found = refusal(trusting, path, grant, make(trusting))
    assert reason in found.reason
    assert found.answer == refusal(trusting, path, grant, b"nonsense").answer


def test_audiences_of_ours_are_the_namespace_and_its_token_endpoints(trusting: World) -> None:
    for path in ("", "oauth2/token", "v2/OAuth2-13", "WRAPv0.9/"):
        assert present(trusting, *GRANTS[0], made(trusting, aud=NAMESPACE + path)).status_code == 200
        assert present(trusting, *GRANTS[0], made(trusting, aud=[NAMESPACE + path])).status_code == 200


CLIENT = {
    "grant_type": "client_credentials",
    "resource": PARTY,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


def authenticate(world: World, token: bytes, **more: str) -> TestResponse:
    return send(world, "/contoso/oauth2/token", {**CLIENT, "client_assertion": token, **more})


@pytest.mark.parametrize("named", [{}, {"client_id": "robot"}], ids=["unnamed", "named"])
@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_client_authenticates_with_a_jwt_of_its_own_once(
    trusting: World, algorithm: str, named: dict[str, str]
) -> None:
    token = made(trusting, algorithm=algorithm, iss="robot", sub="robot", aud=NAMESPACE + "oauth2/token", owner="robot")
    assert authenticate(trusting, token, **named).status_code == 200
    assert trusting.records()[-1]["principal"] == "robot"
    again = seen_refused(trusting, lambda: authenticate(trusting, token, **named))
    assert (again.status, "ACS50013" in again.reason) == (401, True)


def test_client_authenticates_with_its_symmetric_key_too(trusting: World) -> None:
    assert authenticate(trusting, by_worker(trusting)).status_code == 200


NOBODY: dict[str, tuple[Make, dict[str, str], str]] = {
    "an identity provider's": (made, {}, "unknown service identity"),
    "about somebody else": (lambda w: by_worker(w, sub="robot"), {}, "the subject is not its issuer"),
    "about nobody": (lambda w: by_worker(w, sub=None), {}, "the subject is not its issuer"),
    "about two": (lambda w: by_worker(w, nameid="robot"), {}, "the subject is not its issuer"),
    "another's": (by_worker, {"client_id": "robot"}, "the client assertion is of 'worker'"),
    "for another audience": (lambda w: by_worker(w, aud="https://other.example/"), {}, "ACS50010"),
    "expired": (lambda w: by_worker(w, nbf=None, iat=None, exp=1), {}, "time: expired"),
    "wrong key": (lambda w: jws({"alg": "HS256"}, payload(w, iss="worker"), b"x" * 32), {}, "ACS50006"),
    "no token": (lambda w: b"nonsense", {}, "format"),
}


@pytest.mark.parametrize("row", NOBODY)
def test_client_whose_jwt_does_not_hold_is_an_invalid_client(trusting: World, row: str) -> None:
    make, more, reason = NOBODY[row]
    token = make(trusting)
    found = seen_refused(trusting, lambda: authenticate(trusting, token, **more))
    assert (found.status, json.loads(found.body)["error"]) == (401, "invalid_client")
    assert found.body == seen_refused(trusting, lambda: authenticate(trusting, b"x.y.z")).body
    assert reason in found.reason


def test_client_may_authenticate_with_a_jwt_beside_an_assertion(trusting: World) -> None:
    grant = {"grant_type": JWT_BEARER, "assertion": made(trusting).decode()}
    assert authenticate(trusting, by_worker(trusting), **grant).status_code == 200
    assert trusting.records()[-1]["principal"] == "alice"
    grant["assertion"] = made(trusting).decode()
    assert authenticate(trusting, by_worker(trusting, sub="robot"), **grant).status_code == 401


def test_o07_jwt_and_secret_of_a_client_are_an_invalid_request(trusting: World) -> None:
    answer = authenticate(trusting, by_worker(trusting), client_id="worker", client_secret=SECRET)
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_request")
