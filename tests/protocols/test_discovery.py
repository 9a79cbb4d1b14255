"""Discovery documents and the key set, read by PyJWT."""

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from sts.core.model import Credential, Kind, Use
from sts.protocols.discovery import BY_CERTIFICATE, BY_MESSAGE, authorization_server, jwks, openid_configuration
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, certificate, signer

ISSUER = "https://sts.example/contoso/"
KINDS = ["rsa2048", "p256", "p384", "p521"]


def credential(kind: str, number: int = 1, use: Use = Use.SIGNING) -> Credential:
    """A credential with that kind of certificate."""
    der = certificate(kind)
    return Credential(
        id=number,
        scope="namespace",
        use=use,
        kind=Kind.CERTIFICATE,
        not_before=NOT_BEFORE,
        not_after=NOT_AFTER,
        thumbprint=hashlib.sha1(der).hexdigest(),
        thumbprint_sha256=hashlib.sha256(der).hexdigest(),
        certificate=der,
    )


SYMMETRIC = Credential(9, "namespace", Use.SIGNING, Kind.SYMMETRIC, NOT_BEFORE, NOT_AFTER, "aa" * 20, "aa" * 32)


def keys(*credentials: Credential) -> list[dict[str, Any]]:
    """The keys of the set, in order."""
    found: list[dict[str, Any]] = json.loads(jwks(credentials))["keys"]
    return found


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("kind", KINDS)
def test_pyjwt_verifies_with_the_published_key_what_the_signer_signed(kind: str) -> None:
    ours = signer(kind)
    header = base64url(json.dumps({"alg": ours.algorithm, "kid": ours.key_id, "typ": "JWT"}).encode())
    payload = base64url(json.dumps({"a": 1}).encode())
    signed = f"{header}.{payload}"
    token = f"{signed}.{base64url(ours.sign(signed.encode()))}"
    key = jwt.PyJWKSet.from_json(jwks([credential(kind)]).decode())[ours.key_id]
    assert key.algorithm_name == ours.algorithm
    assert jwt.decode(token, key, algorithms=[ours.algorithm]) == {"a": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_key_carries_its_certificate_and_both_thumbprints(kind: str) -> None:
    der = certificate(kind)
    (key,) = keys(credential(kind))
    assert [b64decode(text) for text in key["x5c"]] == [der]
    assert key["x5t"] == key["kid"] == base64url(hashlib.sha1(der).digest())
    assert key["x5t#S256"] == base64url(hashlib.sha256(der).digest())
    assert key["use"] == "sig"


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("rsa2048", {"kty": "RSA", "alg": "RS256", "e": "AQAB"}),
        ("p256", {"kty": "EC", "alg": "ES256", "crv": "P-256"}),
        ("p384", {"kty": "EC", "alg": "ES384", "crv": "P-384"}),
        ("p521", {"kty": "EC", "alg": "ES512", "crv": "P-521"}),
    ],
)
def test_key_says_its_type_and_algorithm(kind: str, members: dict[str, str]) -> None:
    (key,) = keys(credential(kind))
    assert key | members == key
    assert set(key) == {"kty", "alg", "use", "kid", "x5t", "x5t#S256", "x5c"} | (
        {"n", "e"} if key["kty"] == "RSA" else {"crv", "x", "y"}
    )


def test_keys_keep_the_order_given_and_symmetric_and_decryption_keys_stay_out() -> None:
    credentials = [SYMMETRIC, credential("p256", 3), credential("rsa2048", 4, Use.DECRYPTION), credential("rsa2048", 2)]
    assert [key["kty"] for key in keys(*credentials)] == ["EC", "RSA"]
    assert b'"oct"' not in jwks(credentials)
    assert keys() == []


@pytest.mark.parametrize(
    "document",
    [lambda issuer: openid_configuration(issuer, [credential("p256")]), authorization_server],
    ids=["openid", "rfc8414"],
)
def test_document_names_the_issuer_exactly_and_the_addresses(document: Callable[[str], bytes]) -> None:
    found = json.loads(document(ISSUER))
    assert found["issuer"] == ISSUER
    assert found["token_endpoint"] == "https://sts.example/contoso/oauth2/token"
    assert found["jwks_uri"] == "https://sts.example/contoso/.well-known/jwks.json"
    assert found["grant_types_supported"] == [
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:saml1_1-bearer",
        "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0",
    ]
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert found["token_endpoint_auth_methods_supported"] == methods
    algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512"]
    assert found["token_endpoint_auth_signing_alg_values_supported"] == algorithms
    assert "authorization_endpoint" not in found
    assert all(value for value in found.values())  # RFC 8414, 3.2: no empty arrays


@pytest.mark.parametrize(
    ("kinds", "algorithms"),
    [((), ["RS256"]), (("rsa2048",), ["RS256"]), (("p256", "rsa2048", "p256"), ["RS256", "ES256"])],
)
def test_algorithms_are_those_of_the_keys_and_rs256(kinds: tuple[str, ...], algorithms: list[str]) -> None:
    found = json.loads(openid_configuration(ISSUER, [credential(kind) for kind in kinds]))
    assert found["id_token_signing_alg_values_supported"] == algorithms


def test_certificates_of_clients_are_offered_where_they_are_read() -> None:
    methods = (*BY_MESSAGE, *BY_CERTIFICATE)
    for document in (openid_configuration(ISSUER, [], methods), authorization_server(ISSUER, methods)):
        assert json.loads(document)["token_endpoint_auth_methods_supported"] == [
            *("client_secret_basic", "client_secret_post", "private_key_jwt"),
            *("tls_client_auth", "self_signed_tls_client_auth"),
        ]
