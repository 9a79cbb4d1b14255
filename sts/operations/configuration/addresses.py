"""Realms, addresses and host names: what may be saved. Every refusal is a ValueError with a sentence."""

import re
from typing import Final

from sts.core.addresses import check_characters, check_url, host_of, required_host, split
from sts.core.realms import MAX_LENGTH

__all__ = ["check_host", "check_realm", "check_url", "host_of"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def check_realm(realm: str) -> str:
    """Accept an absolute URI; realms are compared by code point, so nothing is normalised."""
    check_characters(realm)
    if len(realm) > MAX_LENGTH:
        raise ValueError(f"a realm has at most {MAX_LENGTH} characters")
    scheme = _SCHEME.match(realm)
    if scheme is None or scheme.end() == len(realm):
        raise ValueError(f"'{realm}' is not an absolute URI, such as https://orders.example/ or urn:orders")
    if realm.startswith("//", scheme.end()) or scheme.group().lower() in ("http:", "https:"):
        required_host(split(realm))
    return realm


def check_host(host: str) -> str:
    """Accept a host name in lower case, without port."""
    if host != host.lower():
        raise ValueError(f"'{host}' is written in lower case: {host.lower()}")
    if len(host) > 253 or any(_LABEL.fullmatch(part) is None for part in host.split(".")):
        raise ValueError(f"'{host}' is not a host name, such as contoso.sts.example (no scheme, no port, no path)")
    return host
