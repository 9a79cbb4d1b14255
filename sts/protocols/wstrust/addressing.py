"""WS-Addressing, 1.0 and of August 2004: whom a message is for, what it wants, and where its answer goes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Self

from lxml import etree

from sts.core.trust import TrustAction
from sts.crypto.xml import escape_text
from sts.protocols.content_type import parameters
from sts.protocols.http import HttpRequest
from sts.protocols.wstrust.errors import AddressingRequired, BadAddressing, UnreachableDestination, UnsupportedAction
from sts.protocols.wstrust.names import WSA10, WSA2004, Credential, Dialect, address
from sts.protocols.wstrust.soap import Envelope, SoapVersion, version_of

LONGEST_ID: Final = 256  # characters

_NAMES: Final = ("To", "Action", "MessageID", "ReplyTo", "FaultTo", "From", "RelatesTo")
_ANONYMOUS: Final = frozenset({f"{WSA10}/anonymous", f"{WSA2004}/role/anonymous"})
_OTHER_CASE: Final = "messageID"  # as some clients write it
UNDERSTOOD: Final = frozenset(
    f"{{{namespace}}}{name}" for namespace in (WSA10, WSA2004) for name in (*_NAMES, _OTHER_CASE)
)
_NAMESPACES: Final[Mapping[str, str]] = {tag: tag[1:].partition("}")[0] for tag in UNDERSTOOD}


class _Tags(NamedTuple):
    """What the headers of one version are called."""

    to: str
    action: str
    message_id: tuple[str, str]
    replies: tuple[str, str]
    address: str

    @classmethod
    def of(cls, namespace: str) -> Self:
        """The tags in a namespace."""
        to, action, message_id, reply_to, fault_to, other_case, address = (
            f"{{{namespace}}}{name}"
            for name in ("To", "Action", "MessageID", "ReplyTo", "FaultTo", _OTHER_CASE, "Address")
        )
        return cls(to, action, (message_id, other_case), (reply_to, fault_to), address)


_TAGS: Final[Mapping[str, _Tags]] = {namespace: _Tags.of(namespace) for namespace in (WSA10, WSA2004)}


class Place(NamedTuple):
    """Where messages go: a path below each of the roots of a namespace, and the Actions that are taken there."""

    path: str
    roots: tuple[str, ...]
    actions: Collection[str]

    def is_at(self, destination: str) -> bool:
        """Whether an address is this one's; what is below the root depends on neither case nor a trailing slash."""
        path = self.path.lower()
        for root in self.roots:
            if destination.startswith(root) and destination[len(root) :].lower() in (path, path + "/"):
                return True
        return False


class Endpoint(NamedTuple):
    """One of our addresses: what is spoken and taken there, and the roots of the namespace that it is below."""

    dialect: Dialect
    credential: Credential
    roots: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where its messages go."""
        return Place(address(self.dialect, self.credential), self.roots, self.dialect.request_actions)


class Reply(NamedTuple):
    """How to answer a message: in its own version of SOAP and of WS-Addressing, naming it."""

    version: SoapVersion
    namespace: str = WSA10
    relates_to: str | None = None

    def header(self, action: str) -> bytes:
        """The addressing headers of an answer."""
        start = f'<a:Action xmlns:a="{self.namespace}" s:mustUnderstand="1">{escape_text(action)}</a:Action>'
        if self.relates_to is None:
            return start.encode()
        related = escape_text(self.relates_to)
        return f'{start}<a:RelatesTo xmlns:a="{self.namespace}">{related}</a:RelatesTo>'.encode()


class Addressed(NamedTuple):
    """What the addressing headers of a message say, once they are known to be right."""

    action: TrustAction
    message_id: str
    headers: tuple[etree._Element, ...]  # all of them, which a signature may cover
    id_header: etree._Element


def unread(request: HttpRequest) -> Reply:
    """How to answer a message that is not read."""
    return Reply(version_of(request))


def reply_to(envelope: Envelope) -> Reply:
    """How to answer a message, whatever is wrong with it."""
    namespaces = {tag[1:].partition("}")[0] for tag in envelope.by_tag}
    namespace = WSA2004 if WSA2004 in namespaces and WSA10 not in namespaces else WSA10
    found = [_text(header) for header in envelope.named(*_TAGS[namespace].message_id)]
    told = found[0] if len(found) == 1 and 0 < len(found[0]) <= LONGEST_ID else None
    return Reply(envelope.version, namespace, told)


def read(envelope: Envelope, endpoint: Endpoint, request: HttpRequest) -> Addressed:
    """Read the addressing headers of a message to an endpoint.

    To is the endpoint's own address, Action one of its dialect's, and what HTTP says of the action the same; MessageID
    is there; whatever goes back goes back by the same connection. Raises BadAddressing, AddressingRequired,
    UnreachableDestination, UnsupportedAction (WS-Addressing 1.0 Core, 3; SOAP Binding, 6.4).
    """
    tags = _spoken(envelope)
    action = endpoint.dialect.request_actions[_arrived(envelope, tags, endpoint.place, request)]
    identifier = _required(envelope, *tags.message_id)
    told = _text(identifier)
    if not 0 < len(told) <= LONGEST_ID:
        raise BadAddressing("InvalidAddress", f"a MessageID has 1 to {LONGEST_ID} characters")
    ours = tuple([header for header in envelope.headers if header.tag in UNDERSTOOD])
    return Addressed(action, told, ours, identifier)


def arrived(envelope: Envelope, place: Place, request: HttpRequest) -> str:
    """The Action of a message that is where it belongs; the errors are those of `read`."""
    return _arrived(envelope, _spoken(envelope), place, request)


def _arrived(envelope: Envelope, tags: _Tags, place: Place, request: HttpRequest) -> str:
    _require_destination(_text(_required(envelope, tags.to)), place)
    action = _text(_required(envelope, tags.action))
    _require_action(action, place, request)
    for reply in tags.replies:
        _require_anonymous(_optional(envelope, reply), tags.address)
    return action


def _spoken(envelope: Envelope) -> _Tags:
    """The version of WS-Addressing that a message uses."""
    namespaces = {_NAMESPACES[tag] for tag in envelope.by_tag if tag in _NAMESPACES}
    if len(namespaces) > 1:
        raise BadAddressing("InvalidAddress", "the headers of two versions of WS-Addressing are in one message")
    return _TAGS[namespaces.pop() if namespaces else WSA10]


def _require_destination(destination: str, place: Place) -> None:
    if not place.is_at(destination):
        raise UnreachableDestination(
            f"the message is not for this endpoint, whose address is {place.roots[0] + place.path}",
            detail=f"To: {destination[:200]!r}",
        )


def _require_action(action: str, place: Place, request: HttpRequest) -> None:
    if action not in place.actions:
        raise UnsupportedAction(
            f"the Action is none of this endpoint's, such as {next(iter(place.actions))}",
            detail=f"Action: {action[:200]!r}",
        )
    for told in _told_by_http(request):
        if told not in ("", action):
            raise BadAddressing("ActionMismatch", "HTTP names another action than the Action header")


def _told_by_http(request: HttpRequest) -> Sequence[str]:
    """The actions that SOAPAction and the action parameter of the Content-Type name."""
    return (request.headers.get("soapaction", "").strip().strip('"'), *parameters(request.content_type, "action"))


def _require_anonymous(reply: etree._Element | None, address_tag: str) -> None:
    """Return if an endpoint reference means the connection itself; no other address is ever connected to."""
    if reply is None:
        return
    addresses = [child for child in reply if child.tag == address_tag]
    if len(addresses) != 1:
        raise BadAddressing("MissingAddressInEPR", "an endpoint reference has one Address")
    if _text(addresses[0]) not in _ANONYMOUS:
        raise BadAddressing("OnlyAnonymousAddressSupported", "an answer goes back by the same connection only")


def _required(envelope: Envelope, *tags: str) -> etree._Element:
    found = _optional(envelope, *tags)
    if found is None:
        raise AddressingRequired(f"the WS-Addressing header '{etree.QName(tags[0]).localname}' is missing")
    return found


def _optional(envelope: Envelope, *tags: str) -> etree._Element | None:
    found = envelope.named(*tags)
    if len(found) > 1:
        raise BadAddressing("InvalidCardinality", f"{etree.QName(found[0]).localname} is there {len(found)} times")
    return found[0] if found else None


def _text(element: etree._Element) -> str:
    """The text of an element; "" of one that has children."""
    return "" if len(element) else (element.text or "").strip()
