"""Who calls, over what, at which of our names."""

import io
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from sts.core.errors import BadRequest, InsecureTransport, NamespaceNotFound, PayloadTooLarge
from sts.protocols.http import MAX_BODY
from sts.settings import Settings
from sts.web.arrival import Reception, read_request

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1"))
HOSTS = {"contoso.sts.example": "contoso"}


def reception(base_url: str = "https://sts.example", **changes: Any) -> Reception:
    settings = Settings(Path("."), base_url, "sqlite://", Path("k"), trusted_proxies=PROXIES, **changes)
    return Reception(settings, HOSTS.get)


def environ(**changes: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/contoso/oauth2/token",
        "HTTP_HOST": "sts.example",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "https",
        **changes,
    }


def test_a_path_names_the_namespace_and_the_route():
    arrival = reception().receive(environ())
    assert (arrival.namespace, arrival.route, arrival.fault) == ("contoso", "oauth2/token", None)


@pytest.mark.parametrize("path", ["/health/live", "/.well-known/oauth-authorization-server/contoso", "/API/v1"])
def test_the_installations_own_paths_name_no_namespace(path):
    arrival = reception().receive(environ(PATH_INFO=path))
    assert (arrival.namespace, arrival.route) == (None, path)


@pytest.mark.parametrize("path", ["//", "//contoso", "//contoso/oauth2/token", "///contoso/v2/wsfederation"])
def test_two_slashes_at_the_beginning_name_no_namespace(path):
    arrival = reception().receive(environ(PATH_INFO=path))
    assert (arrival.namespace, arrival.route, type(arrival.fault)) == (None, path, NamespaceNotFound)


def test_a_namespaces_own_host_name_stands_for_its_path():
    arrival = reception().receive(environ(HTTP_HOST="contoso.sts.example:443", PATH_INFO="/v2/OAuth2-13"))
    assert (arrival.namespace, arrival.route, arrival.fault) == ("contoso", "v2/OAuth2-13", None)


@pytest.mark.parametrize("host", ["evil.com", "", "sts.example.evil.com", "sts.example:8443", "[::1", "127.0.0.1"])
def test_another_host_name_is_refused_m13(host):
    assert isinstance(reception().receive(environ(HTTP_HOST=host)).fault, BadRequest)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "[::1]:8000", "127.0.0.1"])
def test_a_loopback_service_answers_to_every_loopback_name(host):
    arrival = reception("http://127.0.0.1:8000").receive(environ(HTTP_HOST=host, **{"wsgi.url_scheme": "http"}))
    assert arrival.fault is None


@pytest.mark.parametrize("host", ["evil.com", "", "[::1", "127.0.0.1.evil.com"])
def test_a_loopback_service_does_not_answer_to_other_names_m13(host):
    arrival = reception("http://127.0.0.1:8000").receive(environ(HTTP_HOST=host))
    assert isinstance(arrival.fault, BadRequest)


# (what the request looks like, whether it is served)
TRANSPORTS = {
    "TLS here": ({}, True),
    "plain": ({"wsgi.url_scheme": "http"}, False),
    "plain, a stranger says https": ({"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "https"}, False),
    "TLS at a trusted proxy": (
        {"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "https", "REMOTE_ADDR": "10.1.2.3"},
        True,
    ),
    "plain at a trusted proxy": (
        {"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "http", "REMOTE_ADDR": "10.1.2.3"},
        False,
    ),
}


@pytest.mark.parametrize(("changes", "served"), TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_an_https_service_refuses_what_did_not_come_by_tls_s07(changes, served):
    fault = reception().receive(environ(**changes)).fault
    assert (fault is None) is served
    if not served:
        assert isinstance(fault, InsecureTransport)
        assert "rotate" in (fault.detail or "")


def test_probes_are_answered_by_address_and_without_tls():
    arrival = reception().receive(
        environ(PATH_INFO="/health/live", HTTP_HOST="10.9.8.7", **{"wsgi.url_scheme": "http"})
    )
    assert arrival.fault is None


# (peer, X-Forwarded-For, who is calling)
SOURCES = [
    ("203.0.113.9", "", "203.0.113.9"),
    ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
    ("::1", "198.51.100.7", "198.51.100.7"),
    ("10.0.0.1", "198.51.100.7:49152", "198.51.100.7"),  # with the port, as some proxies write it
    ("10.0.0.1", "198.51.100.7:49152, 10.0.0.2:80", "198.51.100.7"),
    ("10.0.0.1", "[2001:db8::7]:49152", "2001:db8::7"),
    ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
    ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
    ("10.0.0.1", "unknown", "unknown"),
]


@pytest.mark.parametrize(("peer", "forwarded", "expected"), SOURCES)
def test_only_trusted_hops_say_who_is_calling_g10(peer, forwarded, expected):
    arrival = reception().receive(environ(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded))
    assert arrival.source == expected


# (peer, the header of the settings, the header of the request, what is read of it)
CERTIFICATES = {
    "a trusted proxy's": ("10.0.0.1", "ClientCert", "HTTP_CLIENTCERT", ":AA==:"),
    "a header of another name": ("10.0.0.1", "XSSLClientCert", "HTTP_XSSLCLIENTCERT", ":AA==:"),
    "a stranger's": ("203.0.113.9", "ClientCert", "HTTP_CLIENTCERT", ""),
    "a header that the settings do not name": ("10.0.0.1", "XSSLClientCert", "HTTP_CLIENTCERT", ""),
    "with a dash or an underscore": ("10.0.0.1", "ClientCert", "HTTP_CLIENT_CERT", ""),
    "no header in the settings": ("10.0.0.1", None, "HTTP_CLIENTCERT", ""),
}


@pytest.mark.parametrize(("peer", "name", "variable", "expected"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_only_a_trusted_proxy_says_with_which_certificate_its_client_came(peer, name, variable, expected):
    sent = environ(REMOTE_ADDR=peer, **{variable: ":AA==:"})
    arrival = reception(client_certificate_header=name).receive(sent)
    assert arrival.client_certificate == expected
    assert read_request(arrival, sent).client_certificate == (b"\0" if expected else None)


def test_a_forwarded_certificate_that_cannot_be_read_is_refused():
    sent = environ(REMOTE_ADDR="10.0.0.1", HTTP_CLIENTCERT="(null)")
    with pytest.raises(BadRequest, match="that the proxy forwards"):
        read_request(reception(client_certificate_header="ClientCert").receive(sent), sent)


def body_environ(body: bytes, **changes: Any) -> dict[str, Any]:
    return environ(**{"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **changes})


def test_the_body_is_read_whole():
    sent = body_environ(b"x" * MAX_BODY)
    assert read_request(reception().receive(sent), sent).body == b"x" * MAX_BODY


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (body_environ(b"x" * (MAX_BODY + 1)), PayloadTooLarge),
        (body_environ(b"", CONTENT_LENGTH="50000000"), PayloadTooLarge),
        (body_environ(b"", CONTENT_LENGTH="9" * 5000), PayloadTooLarge),
        (body_environ(b"x" * (MAX_BODY + 1), CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked"), PayloadTooLarge),
        (body_environ(b"x", CONTENT_LENGTH="-1"), BadRequest),
        (body_environ(b"x", CONTENT_LENGTH="1e9"), BadRequest),
    ],
    ids=["one byte over", "W19 50 MB declared", "absurd length", "chunked", "negative", "not a number"],
)
def test_a_body_over_the_limit_is_refused_unread(sent, error):
    with pytest.raises(error):
        read_request(reception().receive(sent), sent)
