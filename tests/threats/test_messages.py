"""Rows S06, S07, S21, W19 to W21 at the real endpoints: how requests come in, before anybody reads what they ask."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from sts.settings import Settings
from tests.flows.world import SECRET, World, lend, make_world
from tests.threats.endpoints import (
    WRAP,
    Endpoint,
    ask,
    endpoints,
    refused,
    seen_refused,
    send,
)

MEGABYTE = 1_000_000
SECURE = "https://sts.example"


class Source(BytesIO):
    """A body that remembers how much of it was read."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any stream does; never without a limit."""
        assert size is not None
        assert size >= 0
        return super().read(size)


@pytest.fixture(scope="module")
def secure_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service that is reached over https only, behind a proxy."""
    proxies = Settings.from_environ({"STS_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies
    yield from lend(make_world(tmp_path_factory.mktemp("secure"), base_url=SECURE, trusted_proxies=proxies))


@endpoints
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "post"])
def test_s06_password_in_the_query_is_answered_405_and_not_logged(
    shared_world: World, endpoint: Endpoint, method: str
) -> None:
    path = f"/contoso/{endpoint.path}?{urlencode(endpoint.form())}"
    found = seen_refused(shared_world, lambda: send(shared_world, path, method=method))
    assert (found.status, dict(found.headers)["Allow"]) == (405, "POST")


@endpoints
@pytest.mark.parametrize("with_body", [True, False], ids=["S06-post-with-body", "S06-post-without-body"])
def test_password_in_the_query_of_a_post_is_refused_and_not_logged(
    shared_world: World, endpoint: Endpoint, *, with_body: bool
) -> None:
    body, query = endpoint.form(), urlencode({endpoint.password: SECRET})
    path = f"/contoso/{endpoint.path}?{query}"
    found = seen_refused(shared_world, lambda: send(shared_world, path, body if with_body else None))
    assert (found.status, "in the query" in found.reason) == (400, True)


@endpoints
@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Forwarded-Proto": "https"}, {"Forwarded": "proto=https"}, {"X-Forwarded-Ssl": "on"}],
    ids=["S07-plain", "S07-forged-header", "S07-other-header", "S07-another-header"],
)
def test_plain_http_is_refused_where_https_is_promised(
    secure_world: World, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    found = refused(secure_world, endpoint, base_url="http://sts.example", headers=headers)
    assert (found.status, "https only" in found.body) == (400, True)
    assert "crossed the network in the clear: rotate it" in found.record["detail"]


def test_s07_https_is_served_directly_and_behind_the_trusted_proxy(secure_world: World) -> None:
    path, form = (
        "/contoso/WRAPv0.9",
        {"wrap_name": "worker", "wrap_password": SECRET, "wrap_scope": "https://swt.example/"},
    )
    direct = send(secure_world, path, form, base_url=SECURE)
    assert (direct.status_code, direct.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
    behind = send(secure_world, path, form, base_url="http://sts.example", headers=proxied, source="10.1.2.3")
    assert (behind.status_code, secure_world.records()[-1]["source"]) == (200, "192.0.2.7")


def test_s07_documents_are_refused_over_plain_http_too(secure_world: World) -> None:
    path = "/contoso/.well-known/jwks.json"
    found = seen_refused(secure_world, lambda: send(secure_world, path, method="GET", base_url="http://sts.example"))
    assert found.status == 400
    assert send(secure_world, path, method="GET", base_url=SECURE).status_code == 200


@pytest.mark.parametrize("path", ["/metrics-team/WRAPv0.9", "/health/WRAPv0.9", "/health/live/", "/metrics/", "/"])
def test_s07_only_what_probes_ask_is_answered_without_tls(secure_world: World, path: str) -> None:
    found = seen_refused(secure_world, lambda: send(secure_world, path, WRAP.form(), base_url="http://sts.example"))
    assert (found.status, "https only" in found.body) == (400, True)
    for probed in ("/health/live", "/health/ready", "/metrics"):
        assert send(secure_world, probed, method="GET", base_url="http://10.0.0.7:8000").status_code == 200


@endpoints
@pytest.mark.parametrize("host", ["evil.example", "", "sts.example.evil.example", "[::1", "\xff", "contoso"], ids=ascii)
def test_host_that_is_not_ours_is_refused(secure_world: World, endpoint: Endpoint, host: str) -> None:
    options: dict[str, Any] = {"headers": {"Host": host}, "base_url": SECURE}
    found = refused(secure_world, endpoint, **options)
    assert (found.status, "does not answer to that host name" in found.body) == (400, True)
    assert not host or host not in found.body


def test_host_that_nobody_can_look_up_is_refused_while_the_database_is_away(world: World) -> None:
    home, away = world.home, world.home.with_name("away")
    world.service.installation.database.close()
    home.rename(away)
    answer = ask(world, WRAP, headers={"Host": "contoso.sts.example"})
    away.rename(home)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert world.records()[-1]["error"] == "ACS60021"


@endpoints
def test_w19_form_of_50_megabytes_is_refused_unread(shared_world: World, endpoint: Endpoint) -> None:
    body = Source(b"a=" + b"b" * (50 * MEGABYTE) + b"&" + urlencode(endpoint.form()).encode())
    length = len(body.getbuffer())
    overrides = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
    found = seen_refused(shared_world, lambda: raw(shared_world, endpoint, overrides))
    assert (found.status, body.tell()) == (413, 0)


@endpoints
def test_w19_endless_chunked_form_is_refused_at_the_limit(shared_world: World, endpoint: Endpoint) -> None:
    body = Source(b"a=" + b"b" * (50 * MEGABYTE))
    overrides = {"wsgi.input": body, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    found = seen_refused(shared_world, lambda: raw(shared_world, endpoint, overrides))
    assert (found.status, body.tell()) == (413, 300_001)


@endpoints
def test_w19_form_of_just_the_limit_is_served(shared_world: World, endpoint: Endpoint) -> None:
    form = urlencode(endpoint.form()).encode()
    padding = b"&a=" + b"b" * (300_000 - len(form) - 3)
    assert ask(shared_world, endpoint, form + padding).status_code == 200
    assert refused(shared_world, endpoint, form + padding + b"b").status == 413
    body = Source(form + padding)
    overrides = {"wsgi.input": body, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert raw(shared_world, endpoint, overrides).status_code == 200


@endpoints
@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "0x10", "９", "many", "5, 5", "1" * 30], ids=ascii)
def test_w19_length_that_is_no_number_is_refused(shared_world: World, endpoint: Endpoint, length: str) -> None:
    body = Source(urlencode(endpoint.form()).encode())
    overrides = {"wsgi.input": body, "CONTENT_LENGTH": length}
    found = seen_refused(shared_world, lambda: raw(shared_world, endpoint, overrides))
    assert (found.status in (400, 413), body.tell()) == (True, 0)


@endpoints
@pytest.mark.parametrize(
    ("fields", "expected"), [(600_000, 413), (60_000, 400), (101, 400)], ids=["W20-600000", "W20-60000", "W20-101"]
)
def test_form_of_too_many_fields_is_refused(
    shared_world: World, endpoint: Endpoint, fields: int, expected: int
) -> None:
    form = urlencode(endpoint.form()).encode()
    assert refused(shared_world, endpoint, b"a=1&" * fields + form).status == expected
    assert refused(shared_world, endpoint, form + b"&" * fields).status == expected


@endpoints
@pytest.mark.parametrize("field", [b"x=\xff", b"\xff=x", b"x=\xc0\xaf", b"x=\xed\xa0\x80", b"x=\x00", b"\xfe\xff=1"])
def test_w21_form_of_invalid_utf8_is_refused(shared_world: World, endpoint: Endpoint, field: bytes) -> None:
    form = urlencode(endpoint.form()).encode()
    for body in (form + b"&" + field, field + b"&" + form):
        assert refused(shared_world, endpoint, body).status == 400


@endpoints
@pytest.mark.parametrize("escape", ["%ff", "%c0%af", "%ed%a0%80", "%f8%88%80%80%80", "%", "%4", "%zz", "%u00e9", "%00"])
def test_s21_invalid_percent_escape_is_refused(shared_world: World, endpoint: Endpoint, escape: str) -> None:
    form = endpoint.form()
    values = [f"x={escape}", f"{escape}=x", f"{endpoint.name}={escape}", f"{endpoint.password}={escape}"]
    for field in values:
        named = field.partition("=")[0]
        body = urlencode({name: value for name, value in form.items() if name != named}) + "&" + field
        assert refused(shared_world, endpoint, body).status == 400


@endpoints
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_w21_form_in_another_encoding_is_refused(shared_world: World, endpoint: Endpoint, encoding: str) -> None:
    text = urlencode(endpoint.form()).encode(encoding)
    content_type = f"application/x-www-form-urlencoded; charset={encoding}"
    assert refused(shared_world, endpoint, text, content_type=content_type).status == 400


def raw(world: World, endpoint: Endpoint, overrides: dict[str, Any]) -> TestResponse:
    """Ask with an environment that no client library would make."""
    environ = {"REMOTE_ADDR": "192.0.2.1", "CONTENT_TYPE": "application/x-www-form-urlencoded", **overrides}
    return world.client.post(f"/contoso/{endpoint.path}", base_url="http://127.0.0.1:8000", environ_overrides=environ)
