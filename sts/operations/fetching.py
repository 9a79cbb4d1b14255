"""Fetches documents of partners from addresses that somebody else may have chosen (threats 2.5, server-side requests).

https only, to public addresses only, without redirects, proxies and cookies; the name is resolved once, and what it was
resolved to is what is connected to. Time and size are bounded as a whole, however slowly the bytes come.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Thread
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

from sts.core.addresses import check_url, is_loopback
from sts.core.errors import PartnerUnreachable

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_OVERHEAD: Final = 64 * 1024  # what the answer's headers and chunks may add
LIMIT: Final = 10.0  # seconds, from the first step to the last byte

_PORTS: Final = {"https": 443, "http": 80}
_PUBLIC: Final = IPv6Network("2000::/3")  # the only addresses that are given out (RFC 4291, 2.4)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # an IPv4 address behind a translator (RFC 6052)
_NOT_PUBLIC: Final = (IPv6Network("3fff::/20"), IPv6Network("2001:db8::/32"))  # for documentation
_REQUEST: Final = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sts\r\nAccept: application/samlmetadata+xml, application/xml, "
    "text/xml;q=0.9, */*;q=0.1\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
)

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


def _system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, in the order in which this system prefers them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


def _system_connection(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True, slots=True)
class Network:
    """How names become addresses and addresses connections; tests put their own in its place."""

    resolve: Resolve = _system_addresses
    connect: Connect = _system_connection
    limit: float = LIMIT  # seconds


SYSTEM: Final = Network()


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be fetched, and who is believed to be whom."""

    base_url: str  # of this service: plain http only while it is at a loopback address itself
    roots: tuple[bytes, ...] = field(repr=False)  # DER certificates of authorities
    network: Network = SYSTEM


def fetch(url: str, reach: Reach) -> bytes:
    """Answer the document at an address; raises PartnerUnreachable with a sentence that says why not."""
    try:
        parts = urlsplit(check_url(url, reach.base_url))
    except ValueError as error:
        raise PartnerUnreachable(str(error)) from error
    deadline = time.monotonic() + reach.network.limit
    try:
        address = _address(parts, reach, deadline)
        with closing(_connect(parts, address, reach, deadline)) as connection:
            return _ask(parts, connection, deadline)
    except TimeoutError as error:
        raise _unreachable(url, f"no whole answer within {reach.network.limit:g} seconds") from error
    except ssl.SSLCertVerificationError as error:
        raise _unreachable(url, f"its certificate is not trusted: {error.verify_message}") from error
    except (OSError, HTTPException, UnicodeError) as error:
        raise _unreachable(url, str(error) or type(error).__name__) from error


def is_public(address: str) -> bool:
    """Whether an address, in any of its forms, is one of the public internet."""
    try:
        return all(_is_public(each) for each in _unwrapped(ip_address(address)))
    except ValueError:
        return False


def _unwrapped(address: IPv4Address | IPv6Address) -> Sequence[IPv4Address | IPv6Address]:
    """The address and the IPv4 addresses that it stands for; what maps or translates stands for nothing else."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    inner = (*((address.sixtofour,) if address.sixtofour is not None else ()), *(address.teredo or ()))
    return (address, *inner)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, IPv4Address):
        return True
    return address in _PUBLIC and not any(address in network for network in _NOT_PUBLIC)


def _address(parts: SplitResult, reach: Reach, deadline: float) -> str:
    """The one address to connect to: the first, when all of them are public."""
    host, port = _host(parts), _port(parts)
    addresses = _resolved(reach.network.resolve, (host, port), deadline)
    if not addresses:
        raise PartnerUnreachable(f"{host} has no address")
    is_own = parts.scheme == "http" and is_loopback(host)  # check_url allows it to a service at such an address alone
    for address in addresses:
        if not (is_loopback(address) if is_own else is_public(address)):
            sentence = f"{host} is {address}, which is no public address: nothing is fetched from inside a network"
            raise PartnerUnreachable(f"{sentence}; save the document to a file and name that")
    return addresses[0]


def _resolved(resolve: Resolve, target: tuple[str, int], deadline: float) -> Sequence[str]:
    """Resolve in a thread, for a resolver has no time limit of its own; one that is late ends when it gives up."""
    found: list[Sequence[str] | OSError | UnicodeError] = []

    def work() -> None:
        try:
            found.append(resolve(*target))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = Thread(target=work, name="sts-resolver", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _connect(parts: SplitResult, address: str, reach: Reach, deadline: float) -> socket.socket:
    plain = reach.network.connect(address, _port(parts), _left(deadline))
    if parts.scheme == "http":
        return plain
    try:
        plain.settimeout(_left(deadline))
        return _context(reach.roots).wrap_socket(plain, server_hostname=_host(parts))
    except BaseException:
        plain.close()
        raise


@lru_cache(maxsize=4)
def _context(roots: tuple[bytes, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate among the extra roots is trusted itself
    if roots:
        context.load_verify_locations(cadata=b"".join(roots))
    return context


def _ask(parts: SplitResult, connection: socket.socket, deadline: float) -> bytes:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.settimeout(_left(deadline))
    connection.sendall(_REQUEST.format(path=path, host=parts.netloc).encode("ascii"))
    with closing(HTTPResponse(cast(socket.socket, _Answer(connection, deadline)), method="GET")) as response:
        response.begin()
        if response.status != 200:
            redirected = "; redirects are not followed: name the final address" if 300 <= response.status < 400 else ""
            raise HTTPException(f"it answered with status {response.status}{redirected}")
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise HTTPException("it answered in a coding that was not asked for")
        body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise HTTPException(f"the document has more than {MAX_BYTES} bytes")
    return body


class _Answer(io.RawIOBase):
    """The bytes of an answer; each read has only the time that is left of the whole."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._room = MAX_BYTES + MAX_OVERHEAD

    def makefile(self, mode: str) -> io.BufferedReader:
        """What HTTPResponse asks its socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; raises TimeoutError, and HTTPException when it is too much."""
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(buffer)
        self._room -= count
        if self._room < 0:
            raise HTTPException(f"the document has more than {MAX_BYTES} bytes")
        return count


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _host(parts: SplitResult) -> str:
    return parts.hostname or ""


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _unreachable(url: str, reason: str) -> PartnerUnreachable:
    return PartnerUnreachable(f"{url} cannot be fetched: {reason}")
