"""The endpoints that answer with tokens: parse, one call, render. They need no framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from sts.core.errors import StsError
from sts.core.exchange import IssuedToken, TokenRequest
from sts.core.issue import issue
from sts.core.parts import Parts
from sts.core.trust import TrustDesk
from sts.protocols import addresses, oauth2, oauth2_acs, wrap
from sts.protocols.http import Answer, HttpRequest
from sts.web.arrival import Arrival


class TokenProtocol(Protocol):
    """The three functions of a protocol."""

    def parse(self, request: HttpRequest, namespace: str) -> TokenRequest:
        """Make a token request of a message."""

    def render(self, issued: IssuedToken, now: datetime) -> Answer:
        """Make an answer of a token."""

    def refuse(self, error: StsError, trace_id: str, now: datetime) -> Answer:
        """Make an answer of an error."""


@dataclass(frozen=True, slots=True)
class Door:
    """A token endpoint: its name in the counters and its protocol."""

    name: str
    protocol: TokenProtocol

    def exchange(self, request: HttpRequest, namespace: str, desk: TrustDesk, now: datetime) -> "Outcome":
        """Answer one token request."""
        return exchange(self.protocol, request, namespace, desk.parts, now)

    def refuse(self, error: StsError, arrival: Arrival, now: datetime) -> Answer:
        """Refuse a request that nobody read."""
        return self.protocol.refuse(error, arrival.trace_id, now)


_WRAP = Door("wrap", wrap)
_OAUTH2_ACS = Door("oauth2-13", oauth2_acs)

# By path below the namespace, in lower case: the paths that ACS had do not depend on case or a trailing slash.
DOORS: Final[Mapping[str, Door]] = {
    addresses.WRAP.lower(): _WRAP,
    addresses.WRAP.lower() + "/": _WRAP,
    addresses.OAUTH2_ACS.lower(): _OAUTH2_ACS,
    addresses.OAUTH2_ACS.lower() + "/": _OAUTH2_ACS,
    addresses.OAUTH2: Door("oauth2", oauth2),
}


_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Outcome(NamedTuple):
    """An answer, and what the log says of it."""

    answer: Answer
    issued: IssuedToken | None = None
    error: StsError | None = None
    noted: Mapping[str, object] = _NOTHING  # more for the record


def exchange(protocol: TokenProtocol, request: HttpRequest, namespace: str, parts: Parts, now: datetime) -> Outcome:
    """Answer one token request."""
    try:
        issued = issue(protocol.parse(request, namespace), parts, now)
    except StsError as error:
        return Outcome(protocol.refuse(error, request.trace_id, now), error=error)
    noted = {"actors": [actor.name for actor in issued.actors]} if issued.actors else _NOTHING
    return Outcome(protocol.render(issued, now), issued=issued, noted=noted)
