"""How addresses that belong to no protocol refuse: problem details (RFC 9457) with the code and a trace id."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final

from sts.core.errors import (
    BadRequest,
    InsecureTransport,
    MetadataUnavailable,
    MethodNotAllowed,
    NamespaceNotFound,
    NotFound,
    PayloadTooLarge,
    StoreUnavailable,
    StsError,
    UnsupportedCoding,
)
from sts.protocols.http import Answer, json_answer

_STATUSES: Final[Mapping[type[StsError], HTTPStatus]] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    InsecureTransport: HTTPStatus.BAD_REQUEST,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedCoding: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NamespaceNotFound: HTTPStatus.NOT_FOUND,
    NotFound: HTTPStatus.NOT_FOUND,
    MetadataUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StsError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def problem(error: StsError, trace_id: str, now: datetime) -> Answer:
    """The answer that refuses; what is not the caller's affair is told to the log alone."""
    status = next(_STATUSES[cause] for cause in type(error).__mro__ if cause in _STATUSES)
    told = "internal error" if status is HTTPStatus.INTERNAL_SERVER_ERROR else error.codes
    members = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": told,
        "trace_id": trace_id,
        "timestamp": now.isoformat(timespec="seconds"),
    }
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "5"))
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", ", ".join(error.allowed)))
    return json_answer(status, tuple(headers), members)
