"""The table of refusals: every cause at every token endpoint."""

from collections.abc import Callable
from datetime import datetime

import pytest

from sts.core import errors
from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    BadRequest,
    FormatNotOffered,
    InsecureTransport,
    InvalidConfiguration,
    InvalidSignature,
    InvalidSwtToken,
    KeyUnreadable,
    MasterKeyError,
    MethodNotAllowed,
    MissingField,
    NamespaceNotFound,
    NoEncryptionCertificate,
    NoSigningCertificate,
    PayloadTooLarge,
    RelyingPartyNotFound,
    ReplayedToken,
    RulesFailed,
    StoreUnavailable,
    StsError,
    TooManyRequests,
    UnsupportedCoding,
    UnsupportedGrant,
    UnwritableClaim,
)
from sts.protocols import oauth2, oauth2_acs, wrap
from sts.protocols.http import Answer
from tests.protocols.requests import NOW, TRACE_ID, members

Refuse = Callable[[StsError, str, datetime], Answer]
ENDPOINTS = [wrap.refuse, oauth2_acs.refuse, oauth2.refuse]
NAMES = ["wrap", "acs", "rfc6749"]

DETAIL = "the-true-reason"

CASES = [
    # cause, code that callers see, status and error in ACS's dialect (status at WRAP too), status and error by RFC 6749
    (BadRequest("x", detail=DETAIL), "ACS90013", 400, "invalid_request", 400, "invalid_request"),
    (MissingField("x"), "ACS90011", 400, "invalid_request", 400, "invalid_request"),
    (MethodNotAllowed("POST"), "ACS90013", 405, "invalid_request", 405, "invalid_request"),
    (PayloadTooLarge("x", detail=DETAIL), "ACS90013", 413, "invalid_request", 413, "invalid_request"),
    (UnsupportedCoding("x", detail=DETAIL), "ACS90013", 415, "invalid_request", 415, "invalid_request"),
    (InsecureTransport("x"), "ACS90013", 400, "invalid_request", 400, "invalid_request"),
    (UnsupportedGrant("x"), "ACS70003", 400, "unsupported_grant_type", 400, "unsupported_grant_type"),
    (NamespaceNotFound("x"), "ACS50001", 404, "invalid_request", 404, "invalid_request"),
    (AuthenticationFailed(detail=DETAIL), "ACS50012", 401, "invalid_client", 401, "invalid_client"),
    (InvalidSwtToken("x", detail=DETAIL), "ACS50012", 401, "invalid_client", 400, "invalid_grant"),
    (InvalidSignature("x", detail=DETAIL), "ACS50012", 401, "invalid_client", 400, "invalid_grant"),
    (ReplayedToken("x", detail=DETAIL), "ACS50012", 401, "invalid_client", 400, "invalid_grant"),
    (RelyingPartyNotFound("x", detail=DETAIL), "ACS50001", 400, "invalid_scope", 400, "invalid_target"),
    (FormatNotOffered("x"), "ACS50000", 400, "invalid_scope", 400, "invalid_target"),
    (AccessDenied("x", detail=DETAIL), "ACS60001", 400, "invalid_scope", 400, "invalid_scope"),
    (RulesFailed("x", detail=DETAIL), "ACS60000", 400, "invalid_scope", 400, "invalid_target"),
    (NoSigningCertificate("x"), "ACS50004", 400, "invalid_scope", 400, "invalid_target"),
    (NoEncryptionCertificate("x"), "ACS50005", 400, "invalid_scope", 400, "invalid_target"),
    (UnwritableClaim("x", detail=DETAIL), "ACS50000", 400, "invalid_scope", 400, "invalid_target"),
    (
        TooManyRequests("x", retry_after=9, detail=DETAIL),
        *("ACS90055", 429, "temporarily_unavailable", 429, "temporarily_unavailable"),
    ),
    (StoreUnavailable("x", detail=DETAIL), "ACS60021", 503, "temporarily_unavailable", 503, "temporarily_unavailable"),
    (KeyUnreadable("a-path", detail=DETAIL), "ACS50000", 500, "server_error", 500, "server_error"),
    (MasterKeyError("a-path", detail=DETAIL), "ACS50000", 500, "server_error", 500, "server_error"),
    (InvalidConfiguration(["a-path"]), "ACS50000", 500, "server_error", 500, "server_error"),
    (StsError("a-path", detail=DETAIL), "ACS50000", 500, "server_error", 500, "server_error"),
]
IDS = [type(case[0]).__name__ for case in CASES]


@pytest.mark.parametrize(("error", "code", "status", "acs", "rfc_status", "rfc"), CASES, ids=IDS)
def test_cause_has_its_status_code_and_error_at_every_endpoint(
    error: StsError, code: str, status: int, acs: str, rfc_status: int, rfc: str
) -> None:
    at_wrap, at_acs, at_rfc = (refuse(error, TRACE_ID, NOW) for refuse in ENDPOINTS)
    assert (at_wrap.status, at_acs.status, at_rfc.status) == (status, status, rfc_status)
    assert at_wrap.body.startswith(b"Error:Code:%d:SubCode:T0:Detail:ACS" % status)
    assert (members(at_acs)["error"], members(at_rfc)["error"]) == (acs, rfc)
    assert members(at_rfc)["error_description"].startswith(f"{code}: ")
    for told in (at_wrap.body.decode(), members(at_acs)["error_description"]):
        assert f"{code}: " in told


@pytest.mark.parametrize("refuse", ENDPOINTS, ids=NAMES)
@pytest.mark.parametrize("error", [case[0] for case in CASES], ids=IDS)
def test_no_answer_tells_the_detail_or_an_operators_message(refuse: Refuse, error: StsError) -> None:
    answer = refuse(error, TRACE_ID, NOW)
    everything = answer.body + repr(answer.headers).encode()
    assert DETAIL.encode() not in everything
    assert b"a-path" not in everything
    assert TRACE_ID.encode() in answer.body


@pytest.mark.parametrize("refuse", ENDPOINTS, ids=NAMES)
@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (MethodNotAllowed("POST"), "Allow", "POST"),
        (TooManyRequests("x", retry_after=9), "Retry-After", "9"),
        (TooManyRequests("x", retry_after=0), "Retry-After", "1"),
        (StoreUnavailable("x"), "Retry-After", "5"),
    ],
)
def test_answer_says_what_would_be_answered_instead(refuse: Refuse, error: StsError, name: str, value: str) -> None:
    assert dict(refuse(error, TRACE_ID, NOW).headers)[name] == value


@pytest.mark.parametrize("refuse", [wrap.refuse, oauth2_acs.refuse], ids=["wrap", "acs"])
def test_bad_token_and_bad_password_are_answered_alike_in_the_dialects_of_acs(refuse: Refuse) -> None:
    causes = [AuthenticationFailed(detail="unknown name"), InvalidSwtToken("format"), InvalidSignature("mac")]
    assert len({refuse(cause, TRACE_ID, NOW) for cause in causes}) == 1


def test_every_class_of_the_catalogue_has_an_answer() -> None:
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, StsError)]
    assert len(classes) > 20
    for cause in classes:
        error = cause.__new__(cause)
        StsError.__init__(error, "x")
        if isinstance(error, TooManyRequests):
            error.retry_after = 1
        if isinstance(error, MethodNotAllowed):
            error.allowed = ("POST",)
        if isinstance(error, errors.InvalidSignInRequest):
            error.inner = BadRequest("x")
        assert 400 <= wrap.refuse(error, TRACE_ID, NOW).status <= 503
