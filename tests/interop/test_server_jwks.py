"""Discovery and keys of the running server, as PyJWT's own client follows them."""

import base64

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.flows.server import Server
from tests.interop.metadata import METADATA, signing_certificates

NAMESPACES = {"contoso": "RS256", "p256": "ES256", "p384": "ES384"}
EVERY_NAMESPACE = pytest.mark.parametrize("namespace", NAMESPACES)
OPENID = ".well-known/openid-configuration"


def discovered(server: Server, namespace: str) -> jwt.PyJWKClient:
    """The client for the key set that discovery names."""
    return jwt.PyJWKClient(server.send(f"{namespace}/{OPENID}").members["jwks_uri"])


@EVERY_NAMESPACE
def test_a_client_that_knows_only_the_issuer_verifies_a_token(server: Server, namespace: str) -> None:
    issuer = f"{server.base_url}/{namespace}/"
    openid = server.send(f"{namespace}/{OPENID}").members
    assert openid["issuer"] == issuer
    token = server.token("jwt", namespace).decode()
    key = discovered(server, namespace).get_signing_key_from_jwt(token)
    algorithm = NAMESPACES[namespace]
    assert algorithm in openid["id_token_signing_alg_values_supported"]
    payload = jwt.decode(token, key, [algorithm], audience="https://jwt.example/", issuer=issuer)
    assert (payload["nameid"], payload["role"], payload["identityprovider"]) == ("worker", "sender", issuer)


@EVERY_NAMESPACE
def test_another_audience_or_issuer_is_refused(server: Server, namespace: str) -> None:
    token = server.token("jwt", namespace).decode()
    key = discovered(server, namespace).get_signing_key_from_jwt(token)
    algorithms = [NAMESPACES[namespace]]
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms, audience="https://other.example/")
    with pytest.raises(jwt.InvalidIssuerError):
        jwt.decode(token, key, algorithms, audience="https://jwt.example/", issuer=server.base_url)


def test_the_key_set_of_another_namespace_does_not_know_the_key(server: Server) -> None:
    with pytest.raises(jwt.PyJWKClientError):
        discovered(server, "p256").get_signing_key_from_jwt(server.token("jwt"))


@EVERY_NAMESPACE
def test_the_key_set_and_the_metadata_name_the_same_certificates_in_one_order(server: Server, namespace: str) -> None:
    keys = server.send(f"{namespace}/.well-known/jwks.json").members["keys"]
    certificates = [base64.b64decode(key["x5c"][0]) for key in keys]
    assert certificates == signing_certificates(server.document(METADATA, namespace))
    for key, der in zip(keys, certificates, strict=True):
        fingerprint = x509.load_der_x509_certificate(der).fingerprint(hashes.SHA1())
        assert key["kid"] == key["x5t"] == base64.urlsafe_b64encode(fingerprint).rstrip(b"=").decode()


def test_the_key_set_never_holds_a_symmetric_key(server: Server) -> None:
    for namespace in NAMESPACES:
        keys = server.send(f"{namespace}/.well-known/jwks.json").members["keys"]
        assert {key["kty"] for key in keys} <= {"RSA", "EC"}
        assert not any({"d", "k", "p", "q"} & set(key) for key in keys)
        token = server.token("hs256", namespace).decode()
        with pytest.raises(jwt.PyJWKClientError):
            discovered(server, namespace).get_signing_key_from_jwt(token)


def test_rfc_8414_discovery_is_where_the_rfc_puts_it(server: Server) -> None:
    found = server.send(".well-known/oauth-authorization-server/contoso").members
    assert found["issuer"] == f"{server.base_url}/contoso/"
    assert found["token_endpoint"] == f"{server.base_url}/contoso/oauth2/token"
