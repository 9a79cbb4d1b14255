"""Realms, addresses and host names: what may be saved. Every refusal is a ValueError with a sentence."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sts.core.realms import MAX_LENGTH

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_URI_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def check_realm(realm: str) -> str:
    """Accept an absolute URI; realms are compared by code point, so nothing is normalised."""
    _check_characters(realm)
    if len(realm) > MAX_LENGTH:
        raise ValueError(f"a realm has at most {MAX_LENGTH} characters")
    scheme = _SCHEME.match(realm)
    if scheme is None or scheme.end() == len(realm):
        raise ValueError(f"'{realm}' is not an absolute URI, such as https://orders.example/ or urn:orders")
    if realm.startswith("//", scheme.end()) or scheme.group().lower() in ("http:", "https:"):
        _host(_split(realm))
    return realm


def check_url(url: str, base_url: str) -> str:
    """Accept an address that browsers may be sent to: https, without user name and fragment.

    Plain http is accepted for a loopback host, and only while this service itself is at an http address
    (`base_url`), which is always a loopback one.
    """
    _check_characters(url)
    if len(url) > MAX_LENGTH:
        raise ValueError(f"an address has at most {MAX_LENGTH} characters")
    parts = _split(url)
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"'{url}' does not begin with https://")
    host = _host(parts)
    if "@" in parts.netloc:
        raise ValueError(f"'{host}' stands behind a user name: an address has none")
    if "#" in url:
        raise ValueError(f"'{url}' has a fragment (#): an address has none")
    if parts.scheme == "http" and not (is_loopback(host) and base_url.startswith("http://")):
        raise ValueError(
            f"'{url}' is not https; http is accepted only on a loopback host, while this service is at an http address"
        )
    return url


def check_host(host: str) -> str:
    """Accept a host name in lower case, without port."""
    if host != host.lower():
        raise ValueError(f"'{host}' is written in lower case: {host.lower()}")
    if len(host) > 253 or any(_LABEL.fullmatch(part) is None for part in host.split(".")):
        raise ValueError(f"'{host}' is not a host name, such as contoso.sts.example (no scheme, no port, no path)")
    return host


def is_loopback(host: str) -> bool:
    """Whether a host, as a URL writes it without brackets, is this machine."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback


def host_of(url: str) -> str:
    """The host of an address, in lower case."""
    return _host(_split(url))


def _check_characters(text: str) -> None:
    if _URI_CHARACTERS.fullmatch(text) is None:
        raise ValueError(f"{text!a} holds characters that a URI cannot have; write them as %XX")
    if _BROKEN_ESCAPE.search(text) is not None:
        raise ValueError(f"'{text}' holds a % that two hexadecimal digits do not follow")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError("port 0")
    except ValueError as error:
        raise ValueError(f"'{url}' is not an address: {error}") from None
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not parts.netloc or not host or "%" in host:
        raise ValueError(f"'{parts.geturl()}' has no host")
    if parts.netloc.rpartition("@")[2].startswith("["):
        IPv6Address(host)
    return host
