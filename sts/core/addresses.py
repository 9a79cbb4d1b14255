"""Addresses that browsers may be sent to: checked when they are saved, and again when they are used."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sts.core.realms import MAX_LENGTH

_URI_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_url(url: str, base_url: str) -> str:
    """Accept an address that browsers may be sent to: https, without user name and fragment.

    Plain http is accepted for a loopback host, and only while this service itself is at an http address
    (`base_url`), which is always a loopback one.
    """
    check_characters(url)
    if len(url) > MAX_LENGTH:
        raise ValueError(f"an address has at most {MAX_LENGTH} characters")
    parts = split(url)
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"'{url}' does not begin with https://")
    host = required_host(parts)
    if "@" in parts.netloc:
        raise ValueError(f"'{host}' stands behind a user name: an address has none")
    if "#" in url:
        raise ValueError(f"'{url}' has a fragment (#): an address has none")
    if parts.scheme == "http" and not (is_loopback(host) and base_url.startswith("http://")):
        raise ValueError(
            f"'{url}' is not https; http is accepted only on a loopback host, while this service is at an http address"
        )
    return url


def origin_of(url: str) -> str:
    """The scheme, host and port of an address, as Content-Security-Policy names them; raises ValueError."""
    parts = split(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if _ORIGIN.fullmatch(origin) is None:  # a semicolon would begin another directive
        raise ValueError(f"'{url}' has no plain host name")
    return origin


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
    return required_host(split(url))


def check_characters(text: str) -> None:
    """Refuse what no URI is made of; raises ValueError."""
    if _URI_CHARACTERS.fullmatch(text) is None:
        raise ValueError(f"{text!a} holds characters that a URI cannot have; write them as %XX")
    if _BROKEN_ESCAPE.search(text) is not None:
        raise ValueError(f"'{text}' holds a % that two hexadecimal digits do not follow")


def split(url: str) -> SplitResult:
    """The parts of a URL; raises ValueError."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError("port 0")
    except ValueError as error:
        raise ValueError(f"'{url}' is not an address: {error}") from None
    return parts


def required_host(parts: SplitResult) -> str:
    """The host of a URL's parts, in lower case; raises ValueError where there is none."""
    host = parts.hostname or ""
    if not parts.netloc or not host or "%" in host:
        raise ValueError(f"'{parts.geturl()}' has no host")
    if parts.netloc.rpartition("@")[2].startswith("["):
        IPv6Address(host)
    return host
