"""A browser that speaks HTTP to the real server."""

import http.cookiejar
import urllib.error
import urllib.request
from urllib.parse import urlencode

from lxml import etree


class Browser:
    """A browser that opens a connection for every request, so that any worker answers."""

    def __init__(self) -> None:
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        self._stopping = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies, _Stay())

    def open(self, address: str, fields: dict[str, str] | None = None) -> etree._Element:
        """Get an address, or post a form to it; answers the page, that of a refusal too."""
        data = None if fields is None else urlencode(fields).encode()
        try:
            with self._opener.open(urllib.request.Request(address, data), timeout=30) as answer:
                return etree.HTML(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return etree.HTML(refusal.read())

    def led(self, address: str) -> str:
        """Where an address redirects to, without going there."""
        try:
            with self._stopping.open(address, timeout=30) as answer:
                raise AssertionError(f"it leads nowhere: {answer.read()!r}")
        except urllib.error.HTTPError as redirection:
            with redirection:
                return redirection.headers["Location"]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def hidden(page: etree._Element, name: str) -> str:
    """What a form carries in a hidden field."""
    return str(page.xpath("string(//input[@name=$name]/@value)", name=name))
