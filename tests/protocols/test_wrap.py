"""OAuth WRAP 0.9: what old clients send, and answers in the bytes that ACS sent."""

from datetime import timedelta
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import AuthenticationFailed, BadRequest, MissingField
from sts.core.exchange import PasswordProof, TokenProof
from sts.core.model import TokenFormat
from sts.protocols import wrap
from tests.protocols.requests import ISSUED, NOW, REALM, SECRET, TRACE_ID, post

PASSWORD = {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": REALM}
ASSERTION = {"wrap_assertion": "Issuer=worker&HMACSHA256=QbPt%3d", "wrap_assertion_format": "SWT", "wrap_scope": REALM}


@pytest.mark.parametrize("content_type", [None, "", "application/x-www-form-urlencoded", "application/json"])
def test_body_is_read_as_a_form_whatever_its_content_type(content_type: str | None) -> None:
    headers = {} if content_type is None else {"content_type": content_type}
    request = wrap.parse(post(PASSWORD, **headers), "contoso")
    assert request.namespace == "contoso"
    assert request.realm == REALM
    assert request.proof == PasswordProof("worker", SECRET.encode())
    assert request.formats == {TokenFormat.SWT}
    assert (request.source, request.trace_id) == ("192.0.2.1", TRACE_ID)


def test_swt_assertion_is_cut_out_and_not_read() -> None:
    proof = TokenProof(TokenFormat.SWT, b"Issuer=worker&HMACSHA256=QbPt%3d")
    assert wrap.parse(post(ASSERTION), "contoso").proof == proof


def test_saml_assertion_of_either_version_is_cut_out_as_it_is() -> None:
    fields = ASSERTION | {"wrap_assertion_format": "SAML", "wrap_assertion": "<Assertion>é &amp;</Assertion>"}
    proof = TokenProof(None, "<Assertion>é &amp;</Assertion>".encode())
    assert wrap.parse(post(fields), "contoso").proof == proof


def test_password_may_hold_any_character() -> None:
    request = wrap.parse(post(PASSWORD | {"wrap_password": "pässwörd+ &="}), "contoso")
    assert request.proof == PasswordProof("worker", "pässwörd+ &=".encode())


@pytest.mark.parametrize("missing", list(PASSWORD))
def test_missing_field_is_named(missing: str) -> None:
    fields = {name: value for name, value in PASSWORD.items() if name != missing}
    with pytest.raises(MissingField, match=f"'{missing}'"):
        wrap.parse(post(fields), "contoso")


@pytest.mark.parametrize("missing", list(ASSERTION))
def test_missing_field_of_an_assertion_is_named(missing: str) -> None:
    fields = {name: value for name, value in ASSERTION.items() if name != missing}
    with pytest.raises(MissingField, match=f"'{missing}'"):
        wrap.parse(post(fields), "contoso")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        (PASSWORD | ASSERTION, BadRequest),
        (ASSERTION | {"wrap_name": "worker"}, BadRequest),
        (ASSERTION | {"wrap_assertion_format": "swt"}, BadRequest),
        (ASSERTION | {"wrap_assertion_format": "JWT"}, BadRequest),
    ],
)
def test_assertion_that_is_not_plain_is_refused(fields: dict[str, str], cause: type[Exception]) -> None:
    with pytest.raises(cause):
        wrap.parse(post(fields), "contoso")


def test_success_has_the_bytes_that_acs_sent() -> None:
    answer = wrap.render(ISSUED, NOW)
    assert answer.status == 200
    assert answer.body == (
        b"wrap_access_token=Issuer%3dhttps%253a%252f%252fsts.example%252f%26HMACSHA256%3dP%252fGQ%253d"
        b"&wrap_access_token_expires_in=1200"
    )
    assert dict(answer.headers) == {
        "Content-Type": "application/x-www-form-urlencoded; charset=us-ascii",
        "Cache-Control": "no-cache, no-store",
        "Pragma": "no-cache",
        "Expires": "-1",
        "X-Content-Type-Options": "nosniff",
    }


def test_lifetime_is_what_is_left_at_write_time() -> None:
    assert wrap.render(ISSUED, NOW + timedelta(seconds=1)).body.endswith(b"&wrap_access_token_expires_in=1199")


@given(st.text("ABCxyz019-_.!*()%+=&", min_size=1))
def test_token_of_any_characters_that_swt_has_is_read_back(text: str) -> None:
    body = wrap.render(ISSUED._replace(token=text.encode()), NOW).body
    assert parse_qs(body.decode(), strict_parsing=True)["wrap_access_token"] == [text]
    encoded = body.removeprefix(b"wrap_access_token=").partition(b"&")[0].decode()
    assert encoded.lower() == quote_plus(text, safe="!*()").lower()


def test_failure_has_the_bytes_that_acs_sent() -> None:
    answer = wrap.refuse(AuthenticationFailed(detail="wrong password"), TRACE_ID, NOW)
    assert answer.status == 401
    assert answer.body == (
        b"Error:Code:401:SubCode:T0:Detail:ACS50012: Authentication failed."
        b":TraceID:5f36fac3-afe4-4e54-95ff-6f9d55be786e:TimeStamp:2014-10-25 00:59:12Z"
    )
    assert dict(answer.headers) == {
        "Content-Type": "text/plain; charset=us-ascii",
        "Cache-Control": "private",
        "X-Content-Type-Options": "nosniff",
        "X-Ms-Request-Id": TRACE_ID,
    }


def test_message_stays_one_line_of_ascii() -> None:
    body = wrap.refuse(BadRequest("a realm\r\nSet-Cookie: ü\x7f"), TRACE_ID, NOW).body
    assert b"Detail:ACS90013: a realm??Set-Cookie: ??:TraceID" in body
