"""HTTP as the protocols see it: plain requests and answers, and one strict and fast parser for forms."""

import json
import re
from binascii import a2b_qp
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sts.core.errors import BadRequest, MethodNotAllowed, MissingField, PayloadTooLarge
from sts.core.exchange import IssuedToken

MAX_BODY: Final = 300_000
MAX_FIELDS: Final = 100
SECRET_FIELDS: Final = frozenset(
    {"wrap_password", "wrap_assertion", "client_secret", "client_assertion", "assertion", "password", "refresh_token"}
)

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_SECOND = timedelta(seconds=1)
_JSON = json.JSONEncoder(separators=(",", ":"))

Headers = tuple[tuple[str, str], ...]


class HttpRequest(NamedTuple):
    """A request, its body already read; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str  # as it came, without the question mark; in ASCII
    body: bytes
    source: str  # address of the caller
    trace_id: str
    client_certificate: bytes | None = None  # DER, of the caller's end of the TLS connection

    @property
    def content_type(self) -> str:
        """What the caller says that the body is, "" if nothing."""
        return self.headers.get("content-type", "")

    def __repr__(self) -> str:
        """What is no secret."""
        return f"HttpRequest({self.method} {self.path!r} from {self.source}, trace_id={self.trace_id!r})"


class Answer(NamedTuple):
    """What goes back."""

    status: int
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        """What is no secret."""
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Form(NamedTuple):
    """The fields of a form; those that came more than once are known, so that nobody reads half of them."""

    values: Mapping[str, str]
    repeated: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """What is no secret."""
        return f"Form({len(self.values)} fields)"

    def single(self, name: str) -> str:
        """The value of a required field; raises MissingField, and BadRequest if it came twice (RFC 6749, 3.2)."""
        value = self.optional(name)
        if value is None:
            raise MissingField(name)
        return value

    def optional(self, name: str) -> str | None:
        """The value of a field, None where it is absent or empty; raises BadRequest if it came twice."""
        if name in self.repeated:
            raise BadRequest(f"the field '{name}' is there more than once")
        return self.values.get(name) or None


def parse_form(body: bytes) -> Form:
    """Read an `application/x-www-form-urlencoded` body.

    At most 300 kB and 100 fields, `&` alone separates, percent escapes are two hexadecimal digits, everything is
    UTF-8 without NUL. Raises PayloadTooLarge or BadRequest (WHATWG URL, 5.1, with faults refused).
    """
    if len(body) > MAX_BODY:
        raise PayloadTooLarge("the message is too large", detail=f"{len(body)} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the form is not UTF-8") from error
    if "\0" in text:
        raise BadRequest("the form holds a NUL character")
    fields = text.split("&", MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise BadRequest(f"the form has more than {MAX_FIELDS} fields")
    values: dict[str, str] = {}
    repeated: set[str] = set()
    for part in fields:
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            name, value = form_decode(name), form_decode(value)
        if name in values:
            repeated.add(name)
        values[name] = value
    return Form(values, frozenset(repeated))


def form_decode(text: str) -> str:
    """Undo form encoding of one name or value; raises BadRequest for what is not strictly encoded UTF-8.

    Quoted-printable differs from it in the mark alone, and the library decodes that eight times as fast.
    """
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text:
        if _BAD_ESCAPE.search(text):
            raise BadRequest("the form holds an invalid percent escape")
        try:
            text = a2b_qp(text.replace("=", "=3D").replace("%", "=").encode()).decode()
        except UnicodeDecodeError as error:
            raise BadRequest("the form is not UTF-8") from error
    if "\0" in text:
        raise BadRequest("the form holds a NUL character")
    return text


def posted_form(request: HttpRequest) -> Form:
    """The form of a POST whose query holds no secret; the Content-Type is not looked at.

    Raises MethodNotAllowed, PayloadTooLarge or BadRequest.
    """
    if request.method != "POST":
        raise MethodNotAllowed("POST")
    if request.query:
        query = parse_form(request.query.encode(errors="surrogatepass"))
        if not SECRET_FIELDS.isdisjoint(query.values):
            raise BadRequest("secrets belong in the body, not in the address", detail="a secret came in the query")
    return parse_form(request.body)


def seconds_left(issued: IssuedToken, now: datetime) -> int:
    """The whole seconds that are left of a token's life, never negative."""
    return max(0, -((now - issued.expires_at) // _SECOND))


def timestamp(now: datetime) -> str:
    """An instant as ACS wrote it in its errors."""
    return now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def json_answer(status: int, headers: Headers, members: Mapping[str, object]) -> Answer:
    """An answer whose body is one JSON object; the caller's headers include the Content-Type."""
    return Answer(status, headers, _JSON.encode(members).encode())
