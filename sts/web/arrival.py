"""What is settled about every request before anybody looks at what it asks: from where, how, for whom."""

import os
import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sts.core.errors import (
    BadRequest,
    InsecureTransport,
    NamespaceNotFound,
    PayloadTooLarge,
    StsError,
    UnsupportedCoding,
)
from sts.protocols.addresses import INSTALLATION
from sts.protocols.http import MAX_BODY, HttpRequest
from sts.settings import Network, Settings, is_loopback
from sts.web.client_certificate import client_certificate

Environ = dict[str, Any]
UNGUARDED: Final = frozenset({"/health/live", "/health/ready", "/metrics"})  # asked by probes, by address, without TLS

_ASCII: Final = 128
_HOP: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


class Arrival(NamedTuple):
    """A request before its body is read."""

    method: str
    path: str  # as the caller wrote it
    namespace: str | None  # None: nothing below a namespace
    route: str  # the path below the namespace, or the whole path
    source: str
    trace_id: str
    fault: StsError | None = None
    client_certificate: str = ""  # as a trusted proxy wrote it; "" where there is none
    content_type: str = ""  # of the body
    host: str = ""  # by which we were asked, in lower case; the caller wrote it, so no address is made of it


class Reception:
    """Receives requests: who is really calling, over what, at which of our names."""

    def __init__(self, settings: Settings, namespace_of_host: Callable[[str], str | None]) -> None:
        parts = urlsplit(settings.base_url)
        self.scheme = parts.scheme
        self.host = parts.netloc.lower()
        self._loopback = is_loopback(parts.hostname)
        self.requires_tls = not settings.is_plain_http
        self._is_proxy = _proxy_test(settings.trusted_proxies)
        self._namespace_of_host = namespace_of_host
        header = settings.client_certificate_header
        self._certificate_variable = "" if header is None else f"HTTP_{header.upper()}"

    def receive(self, environ: Environ) -> Arrival:
        """Look at everything but the body; a request that must be refused carries its fault."""
        path, host = environ.get("PATH_INFO", "") or "/", environ.get("HTTP_HOST", "").lower()
        from_proxy = self._is_proxy(environ.get("REMOTE_ADDR", ""))
        fault: StsError | None = None
        owner = None
        if path not in UNGUARDED:
            try:
                owner = self._owner(host)
                self._require_tls(environ, from_proxy)
                if owner is None:
                    _require_named(path)
            except StsError as refused:
                fault = refused
        namespace, route = (owner, path[1:]) if owner is not None else _split(path)
        source = _source(environ, self._is_proxy) if from_proxy else environ.get("REMOTE_ADDR", "")
        certificate = environ.get(self._certificate_variable, "") if from_proxy else ""
        return Arrival(
            method=environ["REQUEST_METHOD"],
            path=path,
            namespace=namespace,
            route=route,
            source=source,
            trace_id=_trace_id(),
            fault=fault,
            client_certificate=certificate,
            content_type=environ.get("CONTENT_TYPE", ""),
            host=host,
        )

    def _owner(self, host: str) -> str | None:
        """The namespace that owns a host name, None for our own; raises BadRequest for a stranger's."""
        if host == self.host:
            return None
        owner = self._namespace_of_host(host.partition(":")[0])
        if owner is None and not (self._loopback and is_loopback(_host_name(host))):
            raise BadRequest("this service does not answer to that host name", detail=f"Host: {host[:200]!r}")
        return owner

    def _require_tls(self, environ: Environ, from_proxy: bool) -> None:
        if not self.requires_tls or environ.get("wsgi.url_scheme") == "https":
            return
        if from_proxy and environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https":
            return
        raise InsecureTransport(
            "this service is reached over https only",
            detail="any secret in this request crossed the network in the clear: rotate it",
        )


def _trace_id() -> str:
    """128 random bits in the shape of a GUID, which is how ACS named its traces."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # an unclosed bracket
        return None


def _require_named(path: str) -> None:
    """Raise NamespaceNotFound for a path that begins with two slashes, which the framework would take for one."""
    if path.startswith("//"):
        raise NamespaceNotFound("the address names no namespace")


def _split(path: str) -> tuple[str | None, str]:
    namespace, separator, route = path[1:].partition("/")
    is_named = namespace and separator and namespace.lower() not in INSTALLATION
    return (namespace, route) if is_named else (None, path)


def _proxy_test(networks: tuple[Network, ...]) -> Callable[[str], bool]:
    @lru_cache(maxsize=4096)
    def is_proxy(address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address):
            parsed = parsed.ipv4_mapped or parsed  # how a socket for both versions names IPv4 callers
        return any(parsed in network for network in networks)

    return is_proxy if networks else lambda address: False


def _source(environ: Environ, is_proxy: Callable[[str], bool]) -> str:
    """The nearest address that is not a proxy of ours; what stands before it could be anybody's invention."""
    hops = [_without_port(hop.strip()) for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    nearest = next((hop for hop in reversed(hops) if not is_proxy(hop)), None)
    return str(nearest or environ.get("REMOTE_ADDR", ""))[:64]


def _without_port(hop: str) -> str:
    """The address alone: some proxies write the caller's port too, and every connection has another."""
    match = _HOP.fullmatch(hop)
    return hop if match is None else match.group(1) or match.group(2)


def read_request(arrival: Arrival, environ: Environ) -> HttpRequest:
    """Read the body, at most 300 kB; raises PayloadTooLarge, UnsupportedCoding and BadRequest."""
    _require_plain(environ.get("HTTP_CONTENT_ENCODING", ""))
    headers = {"content-type": arrival.content_type} if arrival.content_type else {}
    if authorization := environ.get("HTTP_AUTHORIZATION"):
        headers["authorization"] = authorization
    if action := environ.get("HTTP_SOAPACTION"):
        headers["soapaction"] = action
    return HttpRequest(
        method=arrival.method,
        path=arrival.path,
        headers=headers,
        query=_query(environ.get("QUERY_STRING", "")),
        body=_body(environ),
        source=arrival.source,
        trace_id=arrival.trace_id,
        client_certificate=client_certificate(arrival.client_certificate) if arrival.client_certificate else None,
    )


def _query(text: str) -> str:
    """The query (PEP 3333: its octets) in ASCII: what is no ASCII is escaped, as browsers have it."""
    if text.isascii():
        return text
    return "".join(chr(each) if each < _ASCII else f"%{each:02X}" for each in text.encode("latin-1", "replace"))


def _require_plain(coding: str) -> None:
    """Return if a body is what it says by itself, as all are here; raises UnsupportedCoding."""
    if coding and coding.strip().lower() != "identity":
        raise UnsupportedCoding(
            "the message is compressed or otherwise encoded; send it without Content-Encoding",
            detail=f"Content-Encoding: {coding[:100]!r}",
        )


def _body(environ: Environ) -> bytes:
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared and not (declared.isascii() and declared.isdigit()):
        raise BadRequest("Content-Length is not a number")
    if declared and (len(declared) > 9 or int(declared) > MAX_BODY):
        raise PayloadTooLarge("the message is too large", detail=f"{declared[:20]} bytes declared")
    if not declared and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    body: bytes = environ["wsgi.input"].read(int(declared) if declared else MAX_BODY + 1)
    if declared and len(body) < int(declared):
        raise BadRequest("the message is incomplete", detail=f"{len(body)} of {declared} bytes came")
    if len(body) > MAX_BODY:
        raise PayloadTooLarge("the message is too large", detail="no length declared")
    return body
