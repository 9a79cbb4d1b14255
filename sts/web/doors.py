"""Every endpoint that answers with tokens, by its address."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from sts.core.errors import StsError
from sts.core.trust import TrustDesk
from sts.protocols.http import Answer, HttpRequest
from sts.web import token_endpoints, trust_endpoints
from sts.web.arrival import Arrival
from sts.web.token_endpoints import Outcome


class Door(Protocol):
    """An endpoint that answers with tokens."""

    @property
    def name(self) -> str:
        """Its name in the counters."""

    def exchange(self, request: HttpRequest, namespace: str, desk: TrustDesk, now: datetime) -> Outcome:
        """Answer one request."""

    def refuse(self, error: StsError, arrival: Arrival, now: datetime) -> Answer:
        """Refuse a request that nobody read."""


DOORS: Final[Mapping[str, Door]] = {**token_endpoints.DOORS, **trust_endpoints.TRUST_DOORS}  # paths in lower case
