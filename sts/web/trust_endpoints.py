"""The endpoints of WS-Trust: read the envelope, answer its requests, write an envelope. They need no framework."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sts.core.errors import MethodNotAllowed, StsError
from sts.core.exchange import IssuedToken
from sts.core.model import Namespace
from sts.core.trust import Caller, KeyKind, TrustAnswer, TrustDesk, TrustRequest
from sts.core.trust_service import answer
from sts.protocols.http import Answer, HttpRequest
from sts.protocols.wstrust import addressing, faults, response, rst, security, soap
from sts.protocols.wstrust.addressing import Addressed, Endpoint, Reply
from sts.protocols.wstrust.errors import BadAddressing
from sts.protocols.wstrust.names import DIALECTS, Credential, Dialect, address
from sts.protocols.wstrust.security import SECURITY, Message
from sts.protocols.wstrust.soap import Envelope
from sts.web.arrival import Arrival
from sts.web.token_endpoints import Outcome

_UNDERSTOOD: Final = frozenset({SECURITY, *addressing.UNDERSTOOD})


class _Read(NamedTuple):
    """A message, read."""

    caller: Caller
    requests: Sequence[TrustRequest]
    addressed: Addressed


@dataclass(frozen=True, slots=True)
class TrustDoor:
    """An endpoint: the version of WS-Trust that is spoken there, and what it takes as the proof of who calls."""

    dialect: Dialect
    credential: Credential

    @property
    def name(self) -> str:
        """Its name in the counters."""
        return f"wstrust-{self.dialect.path}"

    def exchange(self, request: HttpRequest, namespace: str, desk: TrustDesk, now: datetime) -> Outcome:
        """Answer one message."""
        reply: Reply | None = None
        try:
            if request.method != "POST":
                raise MethodNotAllowed("POST")
            root = soap.document(request)
            reply = Reply(soap.version_spoken(root))
            envelope = soap.with_content(soap.taken_apart(root))
            reply = addressing.reply_to(envelope)
            known = desk.parts.directory.namespace(namespace)
            read = self._read(request, envelope, known, now)
            answers = answer(read.caller, read.requests, desk, now)
            return _outcome(read, answers, self._written(read, reply, answers, now))
        except StsError as error:
            return Outcome(self._fault(error, reply or addressing.unread(request), request.trace_id, now), error=error)

    def refuse(self, error: StsError, arrival: Arrival, now: datetime) -> Answer:
        """Refuse a message that nobody read."""
        return self._fault(error, Reply(soap.version_of_media_type(arrival.content_type)), arrival.trace_id, now)

    def _read(self, request: HttpRequest, envelope: Envelope, namespace: Namespace, now: datetime) -> _Read:
        soap.require_understood(envelope, _UNDERSTOOD)
        endpoint = Endpoint(self.dialect, self.credential, roots(namespace))
        addressed = addressing.read(envelope, endpoint, request)
        message = Message(envelope, addressed, request.client_certificate)
        secured = security.read(message, self.credential, now)
        requests = rst.parse(envelope.content, self.dialect, secured.key_names)
        if requests[0].action is not addressed.action:  # as all others' is
            raise BadAddressing("ActionMismatch", "the RequestType is another than the Action header's")
        caller = Caller(
            namespace=namespace.name,
            proof=secured.proof,
            source=request.source,
            trace_id=request.trace_id,
            message=secured.message,
            possession=secured.possession,
            key=self.credential.key,
        )
        return _Read(caller, requests, addressed)

    def _written(self, read: _Read, reply: Reply, answers: Sequence[TrustAnswer], now: datetime) -> Answer:
        action = self.dialect.answer_action(read.addressed.action, len(answers))
        header = reply.header(action) + security.written(now)
        message = soap.written(reply.version, header, response.render(answers, self.dialect))
        return soap.answer(reply.version, 200, message)

    def _fault(self, error: StsError, reply: Reply, trace_id: str, now: datetime) -> Answer:
        return faults.refuse(error, faults.Circumstances(self.dialect, reply, trace_id, now))


def roots(namespace: Namespace) -> tuple[str, ...]:
    """What the addresses of a namespace begin with, by every host name, there also with the issuer's own port."""
    return _roots(namespace.issuer, namespace.hosts) if namespace.hosts else (namespace.issuer,)


def _roots(address: str, hosts: Iterable[str]) -> tuple[str, ...]:
    issuer = urlsplit(address)
    ports = ("",) if issuer.port is None else ("", f":{issuer.port}")
    return (address, *(f"{issuer.scheme}://{host}{port}/" for host in hosts for port in ports))


def _outcome(read: _Read, answers: Sequence[TrustAnswer], answered: Answer) -> Outcome:
    """The answer, with all that the log says of it: every token that is handed out."""
    with_token = [(told, told.issued) for told in answers if told.issued is not None]
    first = with_token[0][1] if with_token else None
    noted: dict[str, object] = {"action": read.addressed.action}
    if first is None or first.principal != answers[0].caller:
        noted["caller"] = answers[0].caller
    about = [_presented(told) for told in answers if told.request.target is not None]
    if about:
        noted["presented"] = about
    if with_token:
        noted |= _bound(with_token[0][0])
    if len(with_token) > 1:
        noted["more_tokens"] = [{**_told(issued), **_bound(told)} for told, issued in with_token[1:]]
    return Outcome(answered, first, noted=MappingProxyType(noted))


def _presented(told: TrustAnswer) -> Mapping[str, object]:
    """The token that was validated, renewed or cancelled, and what came of it."""
    members = {"token_id": told.target_id}
    if told.status is not None:
        members |= {"status": told.status.code, "detail": told.status.detail}
    return {name: value for name, value in members.items() if value is not None}


def _bound(told: TrustAnswer) -> Mapping[str, object]:
    """Who acts for whom the token is about, the nearest first, and whose key it is bound to."""
    key = told.request.key
    is_named = key is not None and key.public_key is not None and not key.signed
    return {
        "actors": [actor.name for actor in told.actors] or None,
        "key": None if told.key is KeyKind.BEARER else told.key,
        "key_named": (told.key is KeyKind.PUBLIC and is_named) or None,  # by the caller, who did not prove it
    }


def _told(issued: IssuedToken) -> Mapping[str, object]:
    return {
        "relying_party": issued.relying_party,
        "principal": issued.principal,
        "format": issued.format,
        "token_id": issued.id,
        "credential_id": issued.credential_id,
        "encrypted": issued.encrypted or None,
        "decrypted_by": issued.decrypted_by,
    }


def _doors() -> Iterable[tuple[str, TrustDoor]]:
    for dialect in DIALECTS:
        for credential in Credential:
            path, door = address(dialect, credential).lower(), TrustDoor(dialect, credential)
            yield from ((path, door), (f"{path}/", door))


TRUST_DOORS: Final[Mapping[str, TrustDoor]] = dict(_doors())  # by path below the namespace, in lower case
