"""Requests, issued tokens and answers for tests of the token endpoints."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sts.core.exchange import IssuedToken
from sts.core.model import TokenFormat
from sts.protocols.http import Answer, HttpRequest

NOW = datetime(2014, 10, 25, 0, 59, 12, tzinfo=UTC)
TRACE_ID = "5f36fac3-afe4-4e54-95ff-6f9d55be786e"
REALM = "https://orders.example/api/"
SECRET = "hunter2-hunter2"

ISSUED = IssuedToken(
    token=b"Issuer=https%3a%2f%2fsts.example%2f&HMACSHA256=P%2fGQ%3d",
    format=TokenFormat.SWT,
    id="0" * 32,
    audience=REALM,
    issued_at=NOW,
    expires_at=NOW + timedelta(seconds=1200),
    relying_party="orders",
    principal="worker",
    credential_id=7,
)


def post(fields: Mapping[str, str] | bytes, **headers: str) -> HttpRequest:
    """A POST of these fields, or of this body; `content_type="..."` becomes a header."""
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("POST", "/contoso/token", named, "", body, "192.0.2.1", TRACE_ID)


def get(query: str) -> HttpRequest:
    """A GET with this query."""
    return post(b"")._replace(method="GET", query=query)


def basic(text: str | bytes) -> str:
    """An Authorization header of the Basic scheme over `name:secret`."""
    return "Basic " + b64encode(text.encode() if isinstance(text, str) else text).decode()


def members(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer."""
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    return found
