"""Which HTTP status and which error name each cause has at the token endpoints: one table for the three of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    BadRequest,
    FormatNotOffered,
    InsecureTransport,
    InvalidToken,
    IssuingFailed,
    MethodNotAllowed,
    NamespaceNotFound,
    PayloadTooLarge,
    RelyingPartyNotFound,
    RulesFailed,
    StoreUnavailable,
    StsError,
    TooManyRequests,
    UnsupportedCoding,
    UnsupportedGrant,
)
from sts.protocols.http import Headers

RETRY_AFTER: Final = 5  # seconds, while the database is away
ISSUING_FAILED: Final = "ACS50000: There was an error issuing a token."

# Whoever presents a bad token or a bad password gets one answer, so that it tells nothing about which names exist.
_AUTHENTICATION_FAILED = AuthenticationFailed(detail="").codes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the endpoints make of one cause."""

    status: int  # at WRAP and in ACS's dialect
    acs_error: str
    rfc6749_status: int
    rfc6749_error: str
    text: str | None = None  # what callers see; None: the code and message of the error


def _row(status: int, error: str, rfc6749_error: str | None = None, text: str | None = None) -> Refusal:
    return Refusal(status, error, status, rfc6749_error or error, text)


_REFUSALS: Mapping[type[StsError], Refusal] = {
    BadRequest: _row(400, "invalid_request"),
    MethodNotAllowed: _row(405, "invalid_request"),
    PayloadTooLarge: _row(413, "invalid_request"),
    UnsupportedCoding: _row(415, "invalid_request"),
    InsecureTransport: _row(400, "invalid_request"),
    UnsupportedGrant: _row(400, "unsupported_grant_type"),
    NamespaceNotFound: _row(404, "invalid_request"),
    AuthenticationFailed: _row(401, "invalid_client"),
    InvalidToken: Refusal(401, "invalid_client", 400, "invalid_grant", _AUTHENTICATION_FAILED),
    RelyingPartyNotFound: _row(400, "invalid_scope", "invalid_target"),
    FormatNotOffered: _row(400, "invalid_scope", "invalid_target"),
    AccessDenied: _row(400, "invalid_scope"),
    RulesFailed: _row(400, "invalid_scope", "invalid_target"),
    IssuingFailed: _row(400, "invalid_scope", "invalid_target"),
    TooManyRequests: _row(429, "temporarily_unavailable"),
    StoreUnavailable: _row(503, "temporarily_unavailable"),
    StsError: _row(500, "server_error", text=ISSUING_FAILED),
}


def refusal(error: StsError) -> Refusal:
    """What the endpoints answer to an error; a class that has no row takes that of its nearest base."""
    return next(_REFUSALS[cause] for cause in type(error).__mro__ if cause in _REFUSALS)


def text(error: StsError) -> str:
    """What callers are told, beginning with the code; never the detail."""
    return refusal(error).text or error.codes


def chained_text(error: StsError) -> str:
    """The same as ACS told it: a failure to issue is announced by an outer code (acs.md, 6.1)."""
    told = text(error)
    if isinstance(error, IssuingFailed) and error.code != StsError.code:
        return f"{ISSUING_FAILED} {told}"
    return told


def retry_headers(error: StsError) -> Headers:
    """The headers that say what would be answered: Allow for 405, Accept-Encoding for 415, Retry-After for 429, 503."""
    if isinstance(error, MethodNotAllowed):
        return (("Allow", ", ".join(error.allowed)),)
    if isinstance(error, UnsupportedCoding):
        return (("Accept-Encoding", "identity"),)
    if isinstance(error, TooManyRequests):
        return (("Retry-After", str(max(1, error.retry_after))),)
    if isinstance(error, StoreUnavailable):
        return (("Retry-After", str(RETRY_AFTER)),)
    return ()
