"""Whatever comes in, something orderly goes out: no status of 500, one log record, no password in it."""

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.flows.world import SECRET, World
from tests.threats.endpoints import ENDPOINTS, OAUTH, WRAP, stranger
from tests.tokens.compact import swt

Environ = dict[str, Any]
Header = tuple[str, str]

HOST = "127.0.0.1:8000"
NATIVE = st.text(st.characters(max_codepoint=0xFF), max_size=30)  # strings as servers hand them on (PEP 3333)
NAMES = [
    *("wrap_name", "wrap_password", "wrap_scope", "wrap_assertion", "wrap_assertion_format", "grant_type"),
    *("client_id", "client_secret", "scope", "resource", "audience", "", "\0", "ﬁeld"),
]
VALUES = [
    *("worker", "old", "gone", SECRET, "SWT", "SAML", "client_credentials", "authorization_code", "", "\0", "\ufffe"),
    *("https://swt.example/", "https://jwt.example/x?y#z", "https://saml20.example/<&>", "https://none.example/"),
    *("https://swt.example/" + "/" * 3000, "%", "\U0001f600" * 50, "a" * 5000, "&HMACSHA256="),
    swt(b"Issuer=old", b"o" * 32).decode(),
    swt(b"Issuer=worker&ExpiresOn=1", b"w" * 32).decode(),
]
PATHS = [
    *(f"/contoso/{endpoint.path}" for endpoint in ENDPOINTS),
    *("/contoso/WRAPV0.9/", "/CONTOSO/WRAPv0.9", "/contoso//WRAPv0.9", "/contoso/WRAPv0.9//", "/nobody/WRAPv0.9"),
    *("/contoso\0/WRAPv0.9", "/\xff\xfe/WRAPv0.9", "//WRAPv0.9", "/../WRAPv0.9", "/" + "n" * 60_000 + "/WRAPv0.9"),
    *("/contoso/.well-known/jwks.json", "/contoso/.well-known/openid-configuration", "/health/live", "/metrics"),
    *("/contoso/FederationMetadata/2007-06/FederationMetadata.xml", "/.well-known/oauth-authorization-server/contoso"),
    *("", "*", "/", "//", "http://evil.example/", "/static/../sts.db", "/health/live/", "/%00", "/" + "p" * 60_000),
]
HOSTS = [HOST] * 6 + ["localhost", "[::1]:9", "[::1", "", "evil.example", "127.0.0.1:99999", "a@127.0.0.1", "\u2100"]
METHODS = ["POST"] * 6 + ["GET", "HEAD", "PUT", "OPTIONS", "TRACE", "post", "", "\0", "B REW"]
LENGTHS = [None] * 6 + ["", "0", "-1", "+1", "1e3", "9" * 20, "²", " 5", "300000", "300001"]
BASIC = ["", "=", "====", "d29ya2Vy", "\xff", b64encode(b"\xff:\xfe").decode(), b64encode(b"a\0b:%zz").decode()]
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_RANGE"),
            *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_EXPECT", "HTTP_COOKIE", "HTTP_ACCEPT"),
        ]
    ),
    NATIVE | st.sampled_from(["chunked", "gzip", "*", "bytes=0-1", "application/x-www-form-urlencoded", "text/plain"]),
    max_size=4,
)
AUTHORIZATIONS = NATIVE | st.sampled_from([f"Basic {text}" for text in BASIC])


def written(fields: Iterable[tuple[str, str, bool]], separator: str) -> bytes:
    """A form, its fields encoded or as they are."""
    return separator.join(
        f"{quote_plus(name)}={quote_plus(value)}" if encoded else f"{name}={value}" for name, value, encoded in fields
    ).encode()


FIELDS = st.tuples(
    st.sampled_from(NAMES) | st.text(max_size=8), st.sampled_from(VALUES) | st.text(max_size=40), st.booleans()
)
FORMS = st.builds(written, st.lists(FIELDS, max_size=8), st.sampled_from(["&", "&", "&", ";", "&&", "\r\n"]))
GRANTED = [urlencode(endpoint.form()).encode() for endpoint in ENDPOINTS]
BODIES = FORMS | st.binary(max_size=200) | st.sampled_from(GRANTED)


@st.composite
def environs(draw: st.DrawFn) -> Environ:
    """A request as a server might hand it on, reasonable in some of its parts."""
    body = draw(BODIES)
    length = draw(st.sampled_from(LENGTHS))
    return {
        **draw(HEADERS),
        **draw(st.fixed_dictionaries({}, optional={"HTTP_AUTHORIZATION": AUTHORIZATIONS})),
        "REQUEST_METHOD": draw(st.sampled_from(METHODS) | NATIVE),
        "PATH_INFO": draw(st.sampled_from(PATHS[: len(ENDPOINTS)]) | st.sampled_from(PATHS) | NATIVE.map("/".__add__)),
        "QUERY_STRING": draw(st.sampled_from(["", "", "", "wrap_password=x", "%", "a=%ff"]) | NATIVE),
        "CONTENT_LENGTH": str(len(body)) if length is None else length,
        "HTTP_HOST": draw(st.sampled_from(HOSTS) | NATIVE),
        "REMOTE_ADDR": draw(st.builds(stranger) | st.sampled_from(["", "2001:db8::1", "unix:", "1.2.3.4:5"])),
        "wsgi.input": BytesIO(body),
    }


def answered(world: World, environ: Environ) -> tuple[int, list[Header], bytes]:
    """What goes out for an environment."""
    given: list[tuple[str, list[Header]]] = []

    def start_response(status: str, headers: list[Header], exc_info: Any = None, /) -> Callable[[bytes], object]:
        given.append((status, headers))
        return bytes

    complete = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **environ,
    }
    body = b"".join(world.client.application(complete, start_response))
    ((status, headers),) = given
    return int(status[:3]), headers, body


def require_order(world: World, environ: Environ) -> int:
    """Send anything at all and see an orderly answer and one log record; answer the status."""
    with world.log.open("rb") as log:
        log.seek(0, 2)
        status, headers, body = answered(world, environ)
        (line,) = log.read().splitlines()
    record = json.loads(line)
    named = dict(headers)
    assert 200 <= status < 500, record
    assert (record["status"], record["trace_id"]) == (status, named["Request-Id"])
    assert (status >= 400) == ("error" in record)
    assert SECRET not in line.decode()
    assert SECRET.encode() not in body
    for name, value in headers:
        assert value.isascii()
        assert value.isprintable(), (name, value)
    if "json" in named.get("Content-Type", "") and body:
        json.loads(body)
    return status


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(environ=environs())
@example(environ={"REQUEST_METHOD": "POST", "PATH_INFO": "/contoso/WRAPv0.9", "wsgi.input": BytesIO()})
@example(environ={"REQUEST_METHOD": "GET", "PATH_INFO": "*", "HTTP_HOST": HOST, "wsgi.input": BytesIO()})
def test_any_request_has_an_orderly_answer(shared_world: World, environ: Environ) -> None:
    require_order(shared_world, environ)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(environ=environs(), endpoint=st.sampled_from(ENDPOINTS))
def test_any_message_to_an_endpoint_has_an_orderly_answer(shared_world: World, environ: Environ, endpoint: Any) -> None:
    body = environ["wsgi.input"].getvalue()
    reached = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/contoso/{endpoint.path}", "HTTP_HOST": HOST}
    require_order(shared_world, {**environ, **reached, "CONTENT_LENGTH": str(len(body)), "QUERY_STRING": ""})


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), kind=st.sampled_from(["change", "insert", "delete"]))
@pytest.mark.parametrize("endpoint", [WRAP, OAUTH], ids=["wrap", "oauth2"])
def test_good_request_with_one_byte_wrong_has_an_orderly_answer(
    shared_world: World, endpoint: Any, position: int, byte: int, kind: str
) -> None:
    body = bytearray(urlencode(endpoint.form()).encode())
    position %= len(body)
    if kind == "insert":
        body.insert(position, byte)
    elif kind == "delete":
        del body[position]
    else:
        body[position] = byte
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/contoso/{endpoint.path}",
        "HTTP_HOST": HOST,
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": stranger(),
        "wsgi.input": BytesIO(body),
    }
    assert require_order(shared_world, environ) in (200, 400, 401, 429)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(token=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@example(token=b"")
@example(token=b"&HMACSHA256=")
@example(token=b"Issuer=" + b"%41" * 5000 + b"&HMACSHA256=")
def test_any_assertion_has_an_orderly_answer(shared_world: World, token: bytes) -> None:
    signed_by_worker = swt(b"Issuer=worker&ExpiresOn=1780315800&x=" + token, b"w" * 32)
    for assertion in (token, signed_by_worker, swt(b"Issuer=old&" + token, b"o" * 32)):
        form = {"wrap_assertion_format": "SWT", "wrap_assertion": assertion, "wrap_scope": "https://swt.example/"}
        body = urlencode(form).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/contoso/WRAPv0.9",
            "HTTP_HOST": HOST,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }
        assert require_order(shared_world, environ) in (200, 400, 401)
