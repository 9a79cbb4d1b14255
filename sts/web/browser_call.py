"""One request of a browser at a namespace, read and recognised; the same before Flask and in its views."""

from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from werkzeug.sansio.http import parse_cookie

from sts.assemble import Service
from sts.core.sign_in_steps import Browser, Visit
from sts.protocols import addresses
from sts.protocols.http import HttpRequest, parse_form
from sts.web.arrival import Arrival, Environ, read_request
from sts.web.cookies import Jar


class Call(NamedTuple):
    """One request and what answers it."""

    message: HttpRequest
    service: Service
    jar: Jar
    visit: Visit

    @property
    def fields(self) -> Mapping[str, str]:
        """The parameters of the address and of the form."""
        query = parse_form(self.message.query.encode(errors="surrogatepass"))
        return {**query.values, **parse_form(self.message.body).values}

    @property
    def here(self) -> str:
        """The one address of sign-in that identity providers and cookies know."""
        return self.visit.namespace.issuer + addresses.WS_FEDERATION

    def marked(self) -> Self:
        """The same call of a browser that has a mark: where a sign-in begins it is given one unless it brought one.

        Nowhere else: what a browser withholds from other sites' forms would be replaced, and no longer be its own.
        """
        browser = self.visit.browser
        if browser.mark:
            return self
        return self._replace(visit=self.visit._replace(browser=browser._replace(mark=self.jar.new_mark())))


def call_of(service: Service, namespace: str, arrival: Arrival, environ: Environ) -> Call:
    """Read a request, its body too; raises PayloadTooLarge, BadRequest and NamespaceNotFound."""
    message = read_request(arrival, environ)
    jar = Jar(parse_cookie(_cookies(environ)), namespace, service.settings.is_plain_http)
    browser = Browser(jar.mark, jar.session, arrival.source, jar.device)
    return Call(message, service, jar, Visit(service.directory.namespace(namespace), browser, service.clock()))


def _cookies(environ: Environ) -> str:
    """The header (PEP 3333: its octets), in which a cookie of somebody else's need not be text as ours are."""
    octets: bytes = environ.get("HTTP_COOKIE", "").encode("latin-1", "replace")
    return octets.decode("utf-8", "replace")


def is_elsewhere(call: Call, arrival: Arrival) -> bool:
    """Whether a browser came to another address than the one of sign-in: by a host name, or without a namespace."""
    return call.message.path.lower().rstrip("/") == f"/{addresses.WS_FEDERATION}" or _is_at_another_name(call, arrival)


def _is_at_another_name(call: Call, arrival: Arrival) -> bool:
    """Whether a service on this machine was asked by another name of the machine, `localhost` for 127.0.0.1.

    Behind a proxy the port would be another one too: then the browser need not know of it.
    """
    if not call.service.settings.is_plain_http:
        return False
    ours, asked = urlsplit(call.visit.namespace.issuer).netloc.lower(), arrival.host
    return ours != asked and ours.rpartition(":")[2] == asked.rpartition(":")[2]
