"""The WSGI callable: token requests go straight to the protocols, everything else to Flask (ADR 0006)."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

from sts.assemble import Service
from sts.core.errors import InvalidEncryptedToken, StoreUnavailable, StsError
from sts.protocols import addresses
from sts.protocols.http import Answer
from sts.web.arrival import Arrival, Environ, Reception, read_request
from sts.web.context import ARRIVAL, ERROR, HELD, ISSUED, NOTED, Held
from sts.web.doors import DOORS, Door
from sts.web.metrics import Metrics
from sts.web.problem import problem
from sts.web.request_log import RequestLog
from sts.web.returning import returned
from sts.web.token_endpoints import Outcome

StartResponse = Callable[..., Any]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


_HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")  # RFC 6797; other hosts below ours are not ours
_CANONICAL: Final = {  # ACS's addresses, which do not depend on case or a trailing slash
    address.lower(): address
    for address in (
        addresses.WS_FEDERATION,
        addresses.LOCAL_SIGN_IN,
        addresses.IDENTITY_PROVIDERS,
        addresses.FEDERATION_METADATA,
        addresses.WS_TRUST_MEX,
    )
}
_LONGEST_LOGGED: Final = 512  # characters; an address may have 65,000
_REASONS: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Books:
    """Where every request is written down."""

    log: RequestLog
    metrics: Metrics


class Edge:
    """Everything that comes in passes here once: guarded, answered and logged."""

    def __init__(self, reception: Reception, service: Service, pages: WsgiApplication, books: Books) -> None:
        self._reception = reception
        self._service = service
        self._pages = pages
        self._books = books
        self._clock = service.clock
        self._transport_security = [_HSTS] if reception.requires_tls else []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        began = perf_counter()
        arrival = self._reception.receive(environ)
        door = DOORS.get(arrival.route.lower()) if arrival.namespace else None
        if door is None or arrival.namespace is None:
            return self._browser(arrival, environ, start_response, began)
        if arrival.fault is not None:
            outcome = self._refused(arrival.fault, door, arrival)
        else:
            outcome = self._exchanged(door, arrival.namespace, arrival, environ)
        answer = self._recorded(arrival, outcome, door, began).answer
        headers = [*answer.headers, *self._common(arrival), ("Content-Length", str(len(answer.body)))]
        start_response(_REASONS[answer.status], headers)
        return [] if arrival.method == "HEAD" else [answer.body]

    def _browser(
        self, arrival: Arrival, environ: Environ, start_response: StartResponse, began: float
    ) -> Iterable[bytes]:
        """Answer whoever comes to an address that is no token endpoint."""
        outcome = self._returned(arrival, environ)
        if outcome is None:
            return self._page(arrival, environ, start_response, began)
        answer = self._recorded(arrival, outcome, None, began).answer
        length = [] if answer is outcome.answer else [("Content-Length", str(len(answer.body)))]  # of a refusal
        start_response(_REASONS[answer.status], [*answer.headers, *length, *self._common(arrival)])
        return [answer.body]

    def _returned(self, arrival: Arrival, environ: Environ) -> Outcome | None:
        """The answer to what an identity provider sent a browser back with; None where it takes another page."""
        namespace = arrival.namespace
        if arrival.method != "POST" or arrival.fault is not None or not namespace or not namespace.isascii():
            return None
        if _canonical(arrival) != addresses.WS_FEDERATION:
            return None
        return returned(self._service, namespace, arrival, environ)

    def _common(self, arrival: Arrival) -> list[tuple[str, str]]:
        """The headers of every answer."""
        return [("Request-Id", arrival.trace_id), *self._transport_security]

    def _exchanged(self, door: Door, namespace: str, arrival: Arrival, environ: Environ) -> Outcome:
        try:
            return door.exchange(read_request(arrival, environ), namespace, self._service.trust, self._clock())
        except StsError as error:
            return self._refused(error, door, arrival)
        except Exception:  # whatever it was: the caller gets the protocol's own error, the log the traceback
            return self._refused(StsError("internal error", detail=traceback.format_exc()), door, arrival)

    def _refused(self, error: StsError, door: Door | None, arrival: Arrival) -> Outcome:
        now = self._clock()
        refusal = problem(error, arrival.trace_id, now) if door is None else door.refuse(error, arrival, now)
        return Outcome(refusal, error=error)

    def _page(self, arrival: Arrival, environ: Environ, start_response: StartResponse, began: float) -> Iterable[bytes]:
        """Answer with a page, begun once its record is written.

        The framework is told our own scheme and host, so that no address which it makes is the caller's invention.
        """
        environ[ARRIVAL] = arrival
        environ["wsgi.url_scheme"], environ["HTTP_HOST"] = self._reception.scheme, self._reception.host
        route = _canonical(arrival)
        environ["PATH_INFO"] = f"/{arrival.namespace}/{route}" if arrival.namespace else arrival.path
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun.append((status, headers))

        body = self._pages(environ, begin)
        status, headers = begun[-1]
        answer = Answer(int(status[:3]), (), b"")
        outcome = Outcome(answer, environ.get(ISSUED), environ.get(ERROR), environ.get(NOTED, {}))
        refusal = self._page_recorded(arrival, outcome, environ.get(HELD), began)
        if refusal is not None:
            _close(body)
            status, body = _REASONS[refusal.status], [refusal.body]
            headers = [*refusal.headers, ("Content-Length", str(len(refusal.body)))]
        start_response(status, [*headers, *self._common(arrival)])
        return body

    def _page_recorded(self, arrival: Arrival, outcome: Outcome, held: Held | None, began: float) -> Answer | None:
        """Write a page down; what to answer instead where it hands out what must be recorded, and cannot be."""
        if held is None:
            recorded = self._recorded(arrival, outcome, None, began)
            return None if recorded is outcome else recorded.answer
        try:
            self._record(arrival, outcome, None, began)
        except OSError as error:
            self._books.metrics.count_unrecorded()
            return held.refuse(_unrecorded(held.what, error), arrival.trace_id)
        return None

    def _recorded(self, arrival: Arrival, outcome: Outcome, door: Door | None, began: float) -> Outcome:
        """Write the request down; a token that cannot be written down is not handed out (Golden SAML)."""
        try:
            self._record(arrival, outcome, door, began)
        except OSError as error:
            self._books.metrics.count_unrecorded()
            if outcome.issued is not None:
                return self._refused(_unrecorded(f"token {outcome.issued.id}", error), door, arrival)
        return outcome

    def _record(self, arrival: Arrival, outcome: Outcome, door: Door | None, began: float) -> None:
        issued, error, seconds = outcome.issued, outcome.error, perf_counter() - began
        self._books.metrics.count(_door_name(arrival, door), outcome.answer.status, seconds, issued)
        record: dict[str, object] = {
            "trace_id": arrival.trace_id,
            "namespace": _clipped(arrival.namespace),
            "source": arrival.source,
            "method": arrival.method,
            "path": _clipped(arrival.path),
            "status": outcome.answer.status,
            "ms": round(seconds * 1000, 2),
        }
        if issued is not None:
            record["relying_party"] = issued.relying_party
            record["principal"] = issued.principal
            record["format"] = issued.format
            record["token_id"] = issued.id
            record["credential_id"] = issued.credential_id
            record["encrypted"] = issued.encrypted or None
            record["decrypted_by"] = issued.decrypted_by
        record |= outcome.noted
        if error is not None:
            record["caller"] = _clipped(error.caller)
            record |= {"error": error.code, "message": error.message, "detail": error.detail}
            record["alarm"] = error.needs_operator or None
        if isinstance(error, InvalidEncryptedToken):
            record["decrypted_by"] = error.decrypted_by
        self._books.log.write(self._clock(), record)


def _canonical(arrival: Arrival) -> str:
    """The route as the views know it."""
    return _CANONICAL.get(arrival.route.lower().rstrip("/"), arrival.route)


def _close(body: Iterable[bytes]) -> None:
    """End an answer that nobody gets (PEP 3333)."""
    close: Callable[[], object] | None = getattr(body, "close", None)
    if close is not None:
        close()


def _unrecorded(issued: str, error: OSError) -> StoreUnavailable:
    """What is answered in place of what was issued (Golden SAML)."""
    return StoreUnavailable(
        "The request log cannot be written.", detail=f"the record of {issued} cannot be written: {error}"
    )


def _clipped(text: str | None) -> str | None:
    """What a caller wrote, no longer than a log needs it."""
    return text if text is None or len(text) <= _LONGEST_LOGGED else f"{text[:_LONGEST_LOGGED]}..."


def _door_name(arrival: Arrival, door: Door | None) -> str:
    """The name of the door in the counters."""
    if door is not None:
        return door.name
    if arrival.namespace is None:
        return "operators"
    if arrival.route.startswith(addresses.EST):
        return "enrolment"
    return "sign-in" if arrival.route.lower().startswith(addresses.WS_FEDERATION) else "documents"
