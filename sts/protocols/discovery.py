"""What clients read to find the token endpoint and the keys: OpenID discovery, RFC 8414 metadata, and the JWKS."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from sts.core.model import Credential, Kind, SignatureAlgorithm, Use
from sts.crypto.jwk import base64url, public_members
from sts.protocols.addresses import JWKS, OAUTH2
from sts.protocols.assertions import CLIENT_CREDENTIALS, GRANTS

BY_MESSAGE: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")  # RFC 7591, 2
BY_CERTIFICATE: Final = ("tls_client_auth", "self_signed_tls_client_auth")  # RFC 8705, 2.1.1 and 2.2.1


def openid_configuration(
    issuer: str, credentials: Sequence[Credential], authentication: Sequence[str] = BY_MESSAGE
) -> bytes:
    """The document at `.well-known/openid-configuration`; `issuer` ends in a slash, its URL as clients know it.

    `authentication`: how clients may authenticate. There is no authorization endpoint, hence the response type `none`
    (OpenID Connect Discovery 1.0, 3).
    """
    algorithms = {SignatureAlgorithm.RS256: None} | {key["alg"]: None for key in _keys(credentials)}
    members = _server(issuer, authentication) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
    }
    return _document(members)


def authorization_server(issuer: str, authentication: Sequence[str] = BY_MESSAGE) -> bytes:
    """The document at `/.well-known/oauth-authorization-server/<namespace>` (RFC 8414, 2 and 3)."""
    return _document(_server(issuer, authentication))


def _server(issuer: str, authentication: Sequence[str]) -> dict[str, object]:
    return {
        "issuer": issuer,
        "token_endpoint": issuer + OAUTH2,
        "jwks_uri": issuer + JWKS,
        "response_types_supported": ["none"],
        "grant_types_supported": [CLIENT_CREDENTIALS, *GRANTS],
        "token_endpoint_auth_methods_supported": list(authentication),
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "ES512"],
    }


def jwks(credentials: Sequence[Credential]) -> bytes:
    """The JSON Web Key Set of the published signing certificates, in the order given (RFC 7517, 5).

    Symmetric keys and credentials of other uses are never in it.
    """
    return _document({"keys": _keys(credentials)})


def _keys(credentials: Sequence[Credential]) -> list[dict[str, object]]:
    return [
        _key(credential, credential.certificate)
        for credential in credentials
        if credential.kind is Kind.CERTIFICATE and credential.use is Use.SIGNING and credential.certificate is not None
    ]


def _key(credential: Credential, certificate: bytes) -> dict[str, object]:
    """`kid` is what the signer writes into tokens: the SHA-1 thumbprint, as in `x5t`."""
    thumbprint = base64url(bytes.fromhex(credential.thumbprint))
    return {
        **public_members(certificate),
        "use": "sig",
        "kid": thumbprint,
        "x5t": thumbprint,
        "x5t#S256": base64url(bytes.fromhex(credential.thumbprint_sha256)),
        "x5c": [b64encode(certificate).decode()],
    }


def _document(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, indent=2).encode() + b"\n"
