"""OAuth 2.0 by RFC 6749: client authentication, the realm, the answers."""

from base64 import urlsafe_b64decode

import pytest

from sts.core.errors import AuthenticationFailed, BadRequest, MissingField, RelyingPartyNotFound, UnsupportedGrant
from sts.core.exchange import CertificateProof, PasswordProof
from sts.core.model import TokenFormat
from sts.core.uris import OAUTH_SAML11, OAUTH_SAML20
from sts.protocols import oauth2
from sts.protocols.http import HttpRequest
from tests.protocols.requests import ISSUED, NOW, REALM, SECRET, TRACE_ID, basic, members, post

GRANT = {"grant_type": "client_credentials", "resource": REALM}
CLIENT = {"client_id": "worker", "client_secret": SECRET}
PROOF = PasswordProof("worker", SECRET.encode())


@pytest.mark.parametrize(
    "request_",
    [
        post(GRANT | CLIENT),
        post(GRANT | CLIENT, content_type="application/x-www-form-urlencoded;charset=UTF-8"),
        post(GRANT | CLIENT, content_type=""),
        post(GRANT, authorization=basic(f"worker:{SECRET}")),
        post(GRANT, authorization=basic(f"worker:{SECRET}").replace("Basic", "bAsIc")),
        post(GRANT | {"client_id": "worker"}, authorization=basic(f"worker:{SECRET}")),
    ],
    ids=["post", "form", "no type", "basic", "scheme in any case", "client_id repeated"],
)
def test_client_authenticates_with_basic_or_post(request_: HttpRequest) -> None:
    request = oauth2.parse(request_, "contoso")
    assert request.proof == PROOF
    assert (request.namespace, request.realm) == ("contoso", REALM)
    assert request.formats == set(TokenFormat)
    assert (request.source, request.trace_id) == ("192.0.2.1", TRACE_ID)


# (the request, who asks): a secret decides where there is one
CERTIFIED = {
    "certificate": (post(GRANT | {"client_id": "worker"}), CertificateProof(b"der", "worker")),
    "empty secret": (post(GRANT | {"client_id": "worker", "client_secret": ""}), CertificateProof(b"der", "worker")),
    "and a secret": (post(GRANT | CLIENT), PROOF),
    "and Basic": (post(GRANT, authorization=basic(f"worker:{SECRET}")), PROOF),
}


@pytest.mark.parametrize(("request_", "proof"), CERTIFIED.values(), ids=CERTIFIED.keys())
def test_client_authenticates_with_its_certificate_where_it_sends_no_secret(
    request_: HttpRequest, proof: PasswordProof | CertificateProof
) -> None:
    assert oauth2.parse(request_._replace(client_certificate=b"der"), "contoso").proof == proof


@pytest.mark.parametrize(
    "request_",
    [post(GRANT), post(GRANT | {"client_id": ""}), post(GRANT | {"client_secret": SECRET})],
    ids=["nothing", "empty client_id", "a secret without a client_id"],
)
def test_client_with_a_certificate_must_say_its_client_id(request_: HttpRequest) -> None:
    with pytest.raises(AuthenticationFailed):
        oauth2.parse(request_._replace(client_certificate=b"der"), "contoso")


def test_a_header_that_authenticates_nobody_is_not_mended_by_a_certificate() -> None:
    request = post(GRANT | {"client_id": "worker"}, authorization="Bearer abc")
    with pytest.raises(AuthenticationFailed):
        oauth2.parse(request._replace(client_certificate=b"der"), "contoso")


@pytest.mark.parametrize(
    ("text", "name", "secret"),
    [
        ("a%3Ab:c%25d", "a:b", "c%d"),
        ("w+x:y+z", "w x", "y z"),
        ("worker:a:b", "worker", "a:b"),
        ("w%C3%B6rker:p%C3%A4ss", "wörker", "päss"),
        ("wörker:päss", "wörker", "päss"),
    ],
)
def test_basic_name_and_secret_are_form_decoded(text: str, name: str, secret: str) -> None:
    proof = oauth2.parse(post(GRANT, authorization=basic(text)), "contoso").proof
    assert proof == PasswordProof(name, secret.encode())


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic !!!",
        "Basic d29ya2VyOng",
        "Basic wörker",
        basic(b"\xff:x"),
        basic("worker:%zz"),
        basic("worker:%ff"),
        basic("worker:%00"),
        basic("wor\0ker:x"),
    ],
)
def test_malformed_basic_header_is_a_bad_request(authorization: str) -> None:
    with pytest.raises(BadRequest):
        oauth2.parse(post(GRANT, authorization=authorization), "contoso")


@pytest.mark.parametrize(
    "request_",
    [
        post(GRANT),
        post(GRANT | {"client_id": "worker"}),
        post(GRANT | {"client_secret": SECRET}),
        post(GRANT, authorization="Bearer abc"),
        post(GRANT, authorization=""),
        post(GRANT, authorization="Basic"),
        post(GRANT, authorization=basic("worker")),
        post(GRANT, authorization=basic("worker:")),
        post(GRANT, authorization=basic(f":{SECRET}")),
    ],
)
def test_client_that_does_not_authenticate_is_refused(request_: HttpRequest) -> None:
    with pytest.raises(AuthenticationFailed):
        oauth2.parse(request_, "contoso")


def test_client_id_of_another_client_than_the_header_is_refused() -> None:
    with pytest.raises(BadRequest, match="client_id differs"):
        oauth2.parse(post(GRANT | {"client_id": "other"}, authorization=basic(f"worker:{SECRET}")), "contoso")


@pytest.mark.parametrize(
    "fields",
    [
        {"resource": REALM},
        {"audience": REALM},
        {"scope": REALM},
        {"resource": REALM, "audience": REALM, "scope": REALM},
    ],
    ids=["resource", "audience", "scope", "all three"],
)
def test_realm_comes_as_resource_audience_or_scope(fields: dict[str, str]) -> None:
    request = oauth2.parse(post({"grant_type": "client_credentials"} | CLIENT | fields), "contoso")
    assert request.realm == REALM


def test_two_realms_are_refused() -> None:
    with pytest.raises(BadRequest, match="different realms"):
        oauth2.parse(post(GRANT | CLIENT | {"scope": "https://other.example/"}), "contoso")


def test_no_realm_is_a_missing_field() -> None:
    with pytest.raises(MissingField, match="'resource'"):
        oauth2.parse(post({"grant_type": "client_credentials"} | CLIENT), "contoso")


@pytest.mark.parametrize("grant", ["password", "authorization_code", "Client_Credentials"])
def test_other_grants_are_unsupported(grant: str) -> None:
    with pytest.raises(UnsupportedGrant):
        oauth2.parse(post(GRANT | CLIENT | {"grant_type": grant}), "contoso")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_body_of_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(BadRequest, match="application/x-www-form-urlencoded"):
        oauth2.parse(post(GRANT | CLIENT, content_type=content_type), "contoso")


@pytest.mark.parametrize("token_format", [TokenFormat.SWT, TokenFormat.JWT])
def test_bearer_token_is_answered(token_format: TokenFormat) -> None:
    answer = oauth2.render(ISSUED._replace(format=token_format), NOW)
    assert answer.status == 200
    assert members(answer) == {"access_token": ISSUED.token.decode(), "token_type": "Bearer", "expires_in": 1200}
    headers = dict(answer.headers)
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("application/json", "no-store")


@pytest.mark.parametrize(
    ("token_format", "token_type"), [(TokenFormat.SAML11, OAUTH_SAML11), (TokenFormat.SAML20, OAUTH_SAML20)]
)
def test_saml_token_is_wrapped_as_rfc_8693_says(token_format: TokenFormat, token_type: str) -> None:
    token = '<Assertion a="\\">%b é?></Assertion>'.encode()
    found = members(oauth2.render(ISSUED._replace(format=token_format, token=token), NOW))
    encoded = found.pop("access_token")
    assert "=" not in encoded
    assert urlsafe_b64decode(encoded + "==") == token
    assert found == {"issued_token_type": token_type, "token_type": "N_A", "expires_in": 1200}


def test_failed_authentication_is_challenged() -> None:
    answer = oauth2.refuse(AuthenticationFailed(detail="wrong password"), TRACE_ID, NOW)
    assert answer.status == 401
    headers = dict(answer.headers)
    assert headers["WWW-Authenticate"].startswith("Basic realm=")
    assert headers["Cache-Control"] == "no-store"
    assert members(answer) == {
        "error": "invalid_client",
        "error_description": "ACS50012: Authentication failed.",
        "trace_id": TRACE_ID,
    }


def test_description_holds_only_what_rfc_6749_allows() -> None:
    error = RelyingPartyNotFound('no "realm\\é\r\n\t\x7f~ !')
    description = members(oauth2.refuse(error, TRACE_ID, NOW))["error_description"]
    assert description == "ACS50001: no 'realm??????~ !"
    assert all(character in " !" or "#" <= character <= "[" or "]" <= character <= "~" for character in description)
