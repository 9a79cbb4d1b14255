"""ACS's dialect of OAuth 2.0 draft 13."""

import pytest

from sts.core.errors import AuthenticationFailed, MissingField, NoSigningKey, UnsupportedGrant
from sts.core.exchange import PasswordProof
from sts.core.model import TokenFormat
from sts.protocols import oauth2_acs
from tests.protocols.requests import ISSUED, NOW, REALM, SECRET, TRACE_ID, members, post

FIELDS = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": SECRET, "scope": REALM}


def test_request_is_read() -> None:
    request = oauth2_acs.parse(post(FIELDS), "contoso")
    assert request.proof == PasswordProof("worker", SECRET.encode())
    assert (request.namespace, request.realm, request.trace_id) == ("contoso", REALM, TRACE_ID)
    assert request.formats == {TokenFormat.SWT, TokenFormat.JWT}


@pytest.mark.parametrize("missing", list(FIELDS))
def test_missing_field_is_named_in_the_words_of_acs(missing: str) -> None:
    with pytest.raises(MissingField) as refused:
        oauth2_acs.parse(post({name: value for name, value in FIELDS.items() if name != missing}), "contoso")
    answer = oauth2_acs.refuse(refused.value, TRACE_ID, NOW)
    assert answer.status == 400
    assert members(answer) == {
        "error": "invalid_request",
        "error_description": f"ACS90011: The required field '{missing}' is missing.\r\nTrace ID: {TRACE_ID}\r\n"
        f"Correlation ID: {TRACE_ID}\r\nTimestamp: 2014-10-25 00:59:12Z",
    }
    assert dict(answer.headers)["X-Ms-Request-Id"] == TRACE_ID


@pytest.mark.parametrize("grant", ["refresh_token", "urn:ietf:params:oauth:grant-type:saml2-bearer"])
def test_other_grants_are_unsupported(grant: str) -> None:
    with pytest.raises(UnsupportedGrant):
        oauth2_acs.parse(post(FIELDS | {"grant_type": grant}), "contoso")


@pytest.mark.parametrize(
    ("token_format", "token_type"),
    [
        (TokenFormat.SWT, "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"),
        (TokenFormat.JWT, "urn:ietf:params:oauth:token-type:jwt"),
    ],
)
def test_lifetime_is_a_string_and_the_type_a_uri(token_format: TokenFormat, token_type: str) -> None:
    answer = oauth2_acs.render(ISSUED._replace(format=token_format), NOW)
    assert answer.status == 200
    assert members(answer) == {
        "token_type": token_type,
        "access_token": ISSUED.token.decode(),
        "expires_in": "1200",
        "scope": REALM,
    }
    headers = dict(answer.headers)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "public, no-store, max-age=0"


def test_failed_authentication_is_an_invalid_client() -> None:
    answer = oauth2_acs.refuse(AuthenticationFailed(detail="wrong password"), TRACE_ID, NOW)
    assert (answer.status, members(answer)["error"]) == (401, "invalid_client")
    assert members(answer)["error_description"].startswith("ACS50012: Authentication failed.\r\nTrace ID: ")


def test_failure_to_issue_is_announced_by_the_outer_code() -> None:
    description = members(oauth2_acs.refuse(NoSigningKey("there is none"), TRACE_ID, NOW))["error_description"]
    assert description.startswith("ACS50000: There was an error issuing a token. ACS50003: there is none\r\n")
