"""SOAP 1.1 and 1.2 envelopes: read strictly, written plainly."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest, PayloadTooLarge
from sts.crypto.xml import parse
from sts.protocols.content_type import media_type, parameters
from sts.protocols.http import Answer, Headers, HttpRequest
from sts.protocols.wstrust.errors import BadEnvelope, HeaderNotUnderstood, OtherSoapVersion, UnsupportedMediaType
from sts.protocols.wstrust.names import SOAP11, SOAP12, XOP

_FALSE: Final = frozenset({"", "0", "false"})  # whatever else says, or may mean to say, that it must be


class SoapVersion(Enum):
    """A version of SOAP: its namespace, which is also how its envelopes are told apart."""

    SOAP11 = SOAP11
    SOAP12 = SOAP12

    def __init__(self, namespace: str) -> None:
        self.halves: Final = [f"{{{namespace}}}Header", f"{{{namespace}}}Body"]
        self.role: Final = f"{{{namespace}}}{'actor' if namespace == SOAP11 else 'role'}"
        self.must_understand: Final = f"{{{namespace}}}mustUnderstand"
        self.start: Final = f'<s:Envelope xmlns:s="{namespace}"><s:Header>'.encode()
        self.media_type: Final = "text/xml" if namespace == SOAP11 else "application/soap+xml"
        self.http_headers: Final[Headers] = (
            ("Content-Type", f"{self.media_type}; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        )

    def tag(self, name: str) -> str:
        """The tag of an element of the envelope, or the name of an attribute of a header."""
        return f"{{{self.value}}}{name}"


_VERSIONS: Final[Mapping[str, SoapVersion]] = {version.tag("Envelope"): version for version in SoapVersion}
_MEDIA_TYPES: Final = frozenset({"", "text/xml", "application/xml", "application/soap+xml"})
_CHARSETS: Final = frozenset({"utf-8", "utf8"})  # the second is no registered name, and cannot mean anything else
_OURS: Final = frozenset(  # the roles in which a header is for us (SOAP 1.2, 2.2; SOAP 1.1, 4.2.2)
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        f"{SOAP12}/role/next",
        f"{SOAP12}/role/ultimateReceiver",
    }
)


class Envelope(NamedTuple):
    """A message taken apart."""

    version: SoapVersion
    headers: tuple[etree._Element, ...]  # those that are for us
    body: etree._Element
    by_tag: Mapping[str, Sequence[etree._Element]]  # the same headers

    @property
    def content(self) -> etree._Element:
        """The one child of the body of a message that `read` has read."""
        return self.body[0]

    def named(self, *tags: str) -> list[etree._Element]:
        """The headers of these tags."""
        found: list[etree._Element] = []
        for tag in tags:
            found += self.by_tag.get(tag, ())
        return found


def version_of(request: HttpRequest) -> SoapVersion:
    """The version to answer in where no envelope can be read: what the Content-Type says, else 1.2."""
    return version_of_media_type(request.content_type)


def version_of_media_type(content_type: str) -> SoapVersion:
    """The same of a Content-Type alone."""
    return SoapVersion.SOAP11 if media_type(content_type) == SoapVersion.SOAP11.media_type else SoapVersion.SOAP12


def read(request: HttpRequest) -> Envelope:
    """Read a message: an envelope of either version with one element in its body.

    No DTD, comment or processing instruction, no attachment (MTOM, XOP). Raises BadEnvelope, PayloadTooLarge.
    """
    return with_content(taken_apart(document(request)))


def document(request: HttpRequest) -> etree._Element:
    """The root of a message, whatever it is; raises BadEnvelope for what is not read here, and PayloadTooLarge.

    What HTTP says of the encoding counts for more than the document's own word (RFC 7303, 3): for anything but UTF-8 it
    raises UnsupportedMediaType.
    """
    _require_readable(request)
    try:
        return parse(request.body)
    except PayloadTooLarge:
        raise
    except BadRequest as error:
        raise BadEnvelope("the message is not XML that is read here", detail=error.detail) from error


def _require_readable(request: HttpRequest) -> None:
    told = media_type(request.content_type)
    if told not in _MEDIA_TYPES:
        raise UnsupportedMediaType(
            "the Content-Type of a message is application/soap+xml (SOAP 1.2) or text/xml (SOAP 1.1)",
            detail=f"Content-Type: {told[:100]!r}",
        )
    others = {charset.lower() for charset in parameters(request.content_type, "charset")} - _CHARSETS
    if others:
        raise UnsupportedMediaType("a message is in UTF-8", detail=f"charset: {min(others)[:100]!r}")


def version_spoken(root: etree._Element) -> SoapVersion:
    """The version of an envelope; raises OtherSoapVersion, and BadEnvelope for what is none."""
    version = _VERSIONS.get(str(root.tag))
    if version is None:
        raise _no_envelope(root)
    return version


def taken_apart(root: etree._Element) -> Envelope:
    """What is in an envelope, whose body may also be empty, as WS-Transfer has it; raises BadEnvelope."""
    version = version_spoken(root)
    header, body = _halves(root, version)
    if next(root.iter(f"{{{XOP}}}Include"), None) is not None:
        raise BadEnvelope("attachments (MTOM, XOP) are not read here")
    headers = (
        () if header is None else tuple([entry for entry in header if (entry.get(version.role) or "").strip() in _OURS])
    )
    return Envelope(version, headers, body, _by_tag(headers))


def with_content(envelope: Envelope) -> Envelope:
    """The same envelope if its body holds exactly one element; raises BadEnvelope."""
    body = envelope.body
    if len(body) != 1 or (body.text or "").strip() or (body[0].tail or "").strip():
        raise BadEnvelope(f"a body holds one request, this one {len(body)} elements")
    return envelope


def require_understood(envelope: Envelope, understood: Collection[str]) -> None:
    """Return if every header that must be understood has one of these tags; raises HeaderNotUnderstood."""
    name = envelope.version.must_understand
    unknown = [
        str(header.tag)
        for header in envelope.headers
        if header.tag not in understood and (header.get(name) or "").strip() not in _FALSE
    ]
    if unknown:
        raise HeaderNotUnderstood(unknown)


def written(version: SoapVersion, header: bytes, body: bytes) -> bytes:
    """An envelope around what stands in its header and its body."""
    return b"%b%b</s:Header><s:Body>%b</s:Body></s:Envelope>" % (version.start, header, body)


def answer(version: SoapVersion, status: int, message: bytes, more: Headers = ()) -> Answer:
    """An HTTP answer that carries an envelope."""
    return Answer(status, version.http_headers + more, message)


def _no_envelope(root: etree._Element) -> BadEnvelope:
    if etree.QName(root).localname == "Envelope":
        return OtherSoapVersion("only SOAP 1.1 and SOAP 1.2 are spoken here", detail=f"root: {str(root.tag)[:200]}")
    return BadEnvelope("the message is no SOAP envelope", detail=f"root: {str(root.tag)[:200]}")


def _halves(root: etree._Element, version: SoapVersion) -> tuple[etree._Element | None, etree._Element]:
    """The header, if there is one, and the body: nothing else is in an envelope."""
    tags = [str(child.tag) for child in root]
    if tags == version.halves:
        return root[0], root[1]
    if tags == version.halves[1:]:
        return None, root[0]
    raise BadEnvelope("an envelope holds one Header and one Body", detail=f"children: {' '.join(tags)[:200]}")


def _by_tag(elements: Iterable[etree._Element]) -> Mapping[str, Sequence[etree._Element]]:
    found: dict[str, list[etree._Element]] = {}
    for element in elements:
        found.setdefault(str(element.tag), []).append(element)
    return found
