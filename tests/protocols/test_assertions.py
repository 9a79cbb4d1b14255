"""The assertions of the OAuth endpoints: cut out by their grant types, and the client that may stand beside them."""

from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from sts.core.errors import AuthenticationFailed, BadRequest, InvalidToken, MissingField, StsError, UnsupportedGrant
from sts.core.exchange import ClientAssertion, PasswordProof, TokenProof
from sts.core.model import TokenFormat
from sts.protocols import oauth2, oauth2_acs
from tests.protocols.requests import REALM, SECRET, basic, post

XML = "<Assertion>\u00e9 &amp; \u00ff\u00bf?>~</Assertion>"
BASE64URL = urlsafe_b64encode(XML.encode()).decode().rstrip("=")
JWT = "eyJ.eyJ.c2ln"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SAML_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"
SWT = "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"
JWT_CLIENT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SAML_CLIENT = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
CLIENT = {"client_id": "worker", "client_secret": SECRET}
PASSWORD = PasswordProof("worker", SECRET.encode())

AT_OAUTH2 = [
    (JWT_BEARER, JWT, TokenFormat.JWT, JWT.encode()),
    (SWT, "Issuer=worker&HMACSHA256=QbPt%3d", TokenFormat.SWT, b"Issuer=worker&HMACSHA256=QbPt%3d"),
    (SAML_BEARER, BASE64URL, TokenFormat.SAML20, XML.encode()),
    (SAML_BEARER, urlsafe_b64encode(XML.encode()).decode(), TokenFormat.SAML20, XML.encode()),
    (SAML_BEARER, b64encode(XML.encode()).decode(), TokenFormat.SAML20, XML.encode()),
    ("urn:ietf:params:oauth:grant-type:saml1_1-bearer", BASE64URL, TokenFormat.SAML11, XML.encode()),
]
AT_ACS = [
    ("urn:oasis:names:tc:SAML:2.0:assertion", XML, TokenFormat.SAML20, XML.encode()),
    ("urn:oasis:names:tc:SAML:1.0:assertion", XML, TokenFormat.SAML11, XML.encode()),
    (SWT, "Issuer=worker", TokenFormat.SWT, b"Issuer=worker"),
    (JWT_BEARER, JWT, TokenFormat.JWT, JWT.encode()),
    ("http://oauth.net/grant_type/jwt/1.0/bearer", JWT, TokenFormat.JWT, JWT.encode()),
]
DOORS = [*((oauth2, *row) for row in AT_OAUTH2), *((oauth2_acs, *row) for row in AT_ACS)]


@pytest.mark.parametrize(("door", "grant", "assertion", "token_format", "token"), DOORS)
def test_assertion_is_cut_out_by_its_grant_type(
    door: Any, grant: str, assertion: str, token_format: TokenFormat, token: bytes
) -> None:
    form = {"grant_type": grant, "assertion": assertion, "scope": REALM}
    request = door.parse(post(form), "contoso")
    assert (request.proof, request.client, request.realm) == (TokenProof(token_format, token), None, REALM)
    beside = door.parse(post(form | CLIENT), "contoso")
    assert (beside.proof, beside.client) == (TokenProof(token_format, token), PASSWORD)


@pytest.mark.parametrize("door", [oauth2, oauth2_acs], ids=["oauth2", "acs"])
@pytest.mark.parametrize("grant", ["password", "refresh_token", "authorization_code", SAML_BEARER.upper()])
def test_other_grants_are_refused_with_those_that_are_known(door: Any, grant: str) -> None:
    with pytest.raises(UnsupportedGrant, match=f"client_credentials, .*{JWT_BEARER}"):
        door.parse(post({"grant_type": grant, "assertion": JWT, "scope": REALM}), "contoso")


@pytest.mark.parametrize(("door", "grant"), [row[:2] for row in DOORS])
def test_missing_assertion_is_named(door: Any, grant: str) -> None:
    with pytest.raises(MissingField, match="'assertion'"):
        door.parse(post({"grant_type": grant, "scope": REALM}), "contoso")


NOT_BASE64URL = {
    "raw": XML,
    "one character": "A",
    "not canonical": "QUJ",
    "line": BASE64URL[:8] + "\n" + BASE64URL[8:],
    "blank": BASE64URL[:8] + " " + BASE64URL[8:],
    "junk": BASE64URL[:8] + "!" + BASE64URL[8:],
    "padding inside": BASE64URL[:8] + "=" + BASE64URL[8:],
    "not ascii": BASE64URL + "\u00e9",
}


@pytest.mark.parametrize("assertion", NOT_BASE64URL.values(), ids=NOT_BASE64URL.keys())
def test_saml_that_is_not_base64url_is_refused_as_an_assertion(assertion: str) -> None:
    form = {"grant_type": SAML_BEARER, "assertion": assertion, "scope": REALM}
    with pytest.raises(InvalidToken) as refused:
        oauth2.parse(post(form), "contoso")
    assert (refused.value.detail or "").startswith("format: not")


GRANT = {"grant_type": "client_credentials", "resource": REALM}
CLIENT_JWT = {"client_assertion_type": JWT_CLIENT, "client_assertion": JWT}
CLIENT_SAML = {"client_assertion_type": SAML_CLIENT, "client_assertion": BASE64URL}
ASSERTION = {"grant_type": JWT_BEARER, "assertion": "a.b.c", "resource": REALM}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (CLIENT_JWT, ClientAssertion(TokenFormat.JWT, JWT.encode())),
        (CLIENT_JWT | {"client_id": "worker"}, ClientAssertion(TokenFormat.JWT, JWT.encode(), "worker")),
        (CLIENT_SAML, ClientAssertion(TokenFormat.SAML20, XML.encode())),
    ],
)
def test_client_authenticates_with_an_assertion(form: dict[str, str], expected: ClientAssertion) -> None:
    assert oauth2.parse(post(GRANT | form), "contoso").proof == expected
    beside = oauth2.parse(post(ASSERTION | form), "contoso")
    assert (beside.proof, beside.client) == (TokenProof(TokenFormat.JWT, b"a.b.c"), expected)


def test_client_beside_an_assertion_may_authenticate_in_the_header() -> None:
    request = oauth2.parse(post(ASSERTION, authorization=basic(f"worker:{SECRET}")), "contoso")
    assert (request.proof, request.client) == (TokenProof(TokenFormat.JWT, b"a.b.c"), PASSWORD)


def test_client_id_alone_beside_an_assertion_authenticates_nobody() -> None:
    request = oauth2.parse(post(ASSERTION | {"client_id": "worker"}), "contoso")
    assert request.client is None


@pytest.mark.parametrize("grant", [GRANT, ASSERTION], ids=["client_credentials", "jwt-bearer"])
@pytest.mark.parametrize(
    ("form", "authorization", "error"),
    [
        (CLIENT_JWT | {"client_secret": SECRET}, None, BadRequest),
        (CLIENT_JWT, basic(f"worker:{SECRET}"), BadRequest),
        (CLIENT, basic(f"worker:{SECRET}"), BadRequest),
        ({"client_assertion": JWT}, None, MissingField),
        ({"client_assertion_type": JWT_CLIENT}, None, MissingField),
        (CLIENT_JWT | {"client_assertion_type": JWT_BEARER}, None, BadRequest),
        (CLIENT_SAML | {"client_assertion": "!"}, None, AuthenticationFailed),
        ({"client_secret": SECRET}, None, AuthenticationFailed),
        ({}, "Bearer abc", AuthenticationFailed),
    ],
)
def test_client_that_authenticates_in_no_way_or_in_two_is_refused(
    grant: dict[str, str], form: dict[str, str], authorization: str | None, error: type[StsError]
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with pytest.raises(error):
        oauth2.parse(post(grant | form, **headers), "contoso")
