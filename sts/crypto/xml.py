"""The only XML parser, serialiser and escaping; everything that reads XML from outside comes through `parse`."""

import re
import threading
from codecs import BOM_UTF8
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest, InvalidSamlToken, PayloadTooLarge, UnwritableClaim

NS: Final = {
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "dsig11": "http://www.w3.org/2009/xmldsig11#",
    "ec": "http://www.w3.org/2001/10/xml-exc-c14n#",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
    "xenc11": "http://www.w3.org/2009/xmlenc11#",
    "saml11": "urn:oasis:names:tc:SAML:1.0:assertion",
    "saml20": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "fed": "http://docs.oasis-open.org/wsfed/federation/200706",
    "auth": "http://docs.oasis-open.org/wsfed/authorization/200706",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


class Limits(NamedTuple):
    """How large a document may be; with only exclusive canonicalisation its cost is elements times declarations.

    A message with 80 claims, more than which no rule takes, has 300 elements and as many attributes. What any stranger
    can have us do costs as many elements as are allowed, several times over: `benchmarks/worst.py`.
    """

    size: int  # bytes
    declarations: int  # of namespaces
    elements: int
    attributes: int  # of one element
    all_attributes: int


MESSAGE: Final = Limits(size=256 * 1024, declarations=64, elements=2000, attributes=32, all_attributes=4000)
METADATA: Final = Limits(size=2 * 1024 * 1024, declarations=2000, elements=20_000, attributes=64, all_attributes=60_000)
LONGEST_NAMESPACE: Final = 255  # bytes of its name, which canonical text repeats on every element that uses it
ID_ATTRIBUTES: Final = frozenset({"Id", "ID", "id", "AssertionID"})

_OF_THREAD = threading.local()  # a parser takes one document at a time, and making one costs as much as a small one
_USUAL_START = 1024  # bytes, in which the root of most documents begins
_BYTE_ORDER_MARK = "\ufeff"
_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*["']1\.0["'](\s+encoding\s*=\s*["']utf-8["'])?(\s+standalone\s*=\s*["'](yes|no)["'])?\s*\?>""",
    re.ASCII | re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"<!--|<!\[CDATA\[|<!|<\?")
_DTD = re.compile(r"<!(?!--|\[CDATA\[)")
_LONG_DECLARATION = re.compile(  # a name that is too long, or what stands before one; where it is text, too
    rb"""xmlns[:\s=](?:[^"'<>]{256}|[^"'<>]{0,255}+(?:"[^"]{256}|'[^']{256}))"""
)
_FORBIDDEN_NAMES = {"<!--": "comment", "<![CDATA[": "CDATA", "<!": "DTD", "<?": "processing instruction or declaration"}

_UNWRITABLE = r"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_UNWRITABLE_CHARACTER = re.compile(f"[{_UNWRITABLE}]")
_TEXT_SPECIAL = re.compile(f"[&<>\r{_UNWRITABLE}]")
_ATTRIBUTE_SPECIAL = re.compile(f'[&<"\t\n\r{_UNWRITABLE}]')
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(?:Z|([+-])(\d{2}):([0-5]\d))", re.ASCII)
_YEARS = range(1970, 9999)
_MAX_OFFSET = timedelta(hours=14)


def parser() -> etree.XMLParser:
    """The parser of this thread, which resolves, fetches and repairs nothing."""
    known: etree.XMLParser | None = getattr(_OF_THREAD, "parser", None)
    if known is None:
        known = _OF_THREAD.parser = etree.XMLParser(
            encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
        )
    return known


def parse(data: bytes) -> etree._Element:
    """Parse one message from outside, within the limits of MESSAGE.

    Accepts one byte order mark and one plain XML 1.0 UTF-8 declaration in front. No DTD, comment, CDATA section or
    processing instruction; ID-like attributes are pairwise different. Raises BadRequest and PayloadTooLarge; the
    `detail` says which limit.
    """
    _check_size(data, MESSAGE)
    _refuse_markup(_decoded(data))
    return _parsed(data, parser(), MESSAGE)


def root_tag(data: bytes) -> str:
    """The tag of the root, {namespace}name, of which alone the document is looked at; "" where it begins with none.

    Raises BadRequest and PayloadTooLarge for what `parse` refuses before it parses.
    """
    _check_size(data, MESSAGE)
    _refuse_markup(_decoded(data))
    _refuse_declarations(data, MESSAGE)
    puller = etree.XMLPullParser(
        events=("start",),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
    )
    with suppress(etree.XMLSyntaxError):  # which may be further on
        puller.feed(data[:_USUAL_START])
    seen = next(puller.read_events(), None)
    if seen is None:
        with suppress(etree.XMLSyntaxError):
            puller.feed(data[_USUAL_START:])
            puller.close()
        seen = next(puller.read_events(), None)
    return str(seen[1].tag) if seen is not None and isinstance(seen[1], etree._Element) else ""


def parse_metadata(data: bytes) -> etree._Element:
    """Parse the metadata of a partner, within the limits of METADATA.

    It is larger than a message and less tidy: white space around is ignored, comments, processing instructions and the
    marks of CDATA sections are taken out. It is UTF-8 without a DTD, and its ID-like attributes are pairwise different.
    Raises BadRequest and PayloadTooLarge; the `detail` says which limit.
    """
    _check_size(data, METADATA)
    found = _DTD.search(_decoded(data))
    if found:
        raise _refusal(f"DTD at character {found.start()}")
    tidying = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    return _parsed(data.removeprefix(BOM_UTF8).strip(), tidying, METADATA)


def serialise(element: etree._Element) -> bytes:
    """The element alone as UTF-8 without a declaration; it keeps the namespaces it inherits."""
    return etree.tostring(element, encoding="utf-8", xml_declaration=False, with_tail=False)


def escape_text(value: str) -> str:
    """Escape character data as Canonical XML 1.0 (section 2.3) writes it.

    Raises UnwritableClaim for what XML 1.0 cannot carry.
    """
    if _TEXT_SPECIAL.search(value) is None:
        return value
    _refuse_unwritable(value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def escape_attribute(value: str) -> str:
    """Escape an attribute value, for double quotes, as Canonical XML 1.0 (section 2.3) writes it.

    Raises UnwritableClaim for what XML 1.0 cannot carry.
    """
    if _ATTRIBUTE_SPECIAL.search(value) is None:
        return value
    _refuse_unwritable(value)
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


@lru_cache(maxsize=256)  # one message has the same instant several times
def instant(value: datetime) -> str:
    """An aware datetime as xs:dateTime in UTC with milliseconds; raises ValueError for a naive one."""
    if value.tzinfo is not UTC:
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
    return value.isoformat("T", "milliseconds")[:-6] + "Z"  # without its +00:00


@lru_cache(maxsize=1024)  # most messages of a second have the same ones
def parse_instant(text: str) -> datetime:
    """Read an xs:dateTime that has a zone; answers UTC, the fraction of the second dropped.

    Raises InvalidSamlToken for any other form and for years so far away that adding a skew could overflow.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise _bad_instant(text)
    local, sign, hours, minutes = match.groups()
    try:
        value = datetime.fromisoformat(f"{local}Z")
    except ValueError as error:
        raise _bad_instant(text) from error
    if value.year not in _YEARS:
        raise _bad_instant(text)
    if sign is None:
        return value
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset > _MAX_OFFSET:
        raise _bad_instant(text)
    return value + offset if sign == "-" else value - offset


def _check_size(data: bytes, limits: Limits) -> None:
    if len(data) > limits.size:
        raise PayloadTooLarge("The XML document is too large.", detail=f"size: {len(data)} bytes")


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise _refusal("encoding: not UTF-8") from error
    if "\x00" in text:
        raise _refusal("syntax: NUL")
    return text


def _refuse_markup(text: str) -> None:
    declaration = _DECLARATION.match(text)
    if "<!" not in text and text.find("<?", declaration.end() if declaration else 0) < 0:
        return
    found = _FORBIDDEN.search(text, declaration.end() if declaration else 0)
    if found:
        raise _refusal(f"{_FORBIDDEN_NAMES[found.group()]} at character {found.start()}")


def _refuse_declarations(data: bytes, limits: Limits) -> None:
    declarations = data.count(b"xmlns")
    if declarations > limits.declarations:
        raise _refusal(f"namespaces: {declarations} declarations")
    long = _LONG_DECLARATION.search(data)
    if long:
        raise _refusal(f"namespaces: a name of more than {LONGEST_NAMESPACE} bytes at byte {long.start()}")


def _parsed(data: bytes, by: etree.XMLParser, limits: Limits) -> etree._Element:
    _refuse_declarations(data, limits)
    try:
        root = etree.fromstring(data, by)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _refusal(f"syntax: {error}") from error
    _check_shape(root, limits)
    return root


def _check_shape(root: etree._Element, limits: Limits) -> None:
    identifiers: set[str] = set()
    attributes = 0
    elements = list(islice(root.iter(), limits.elements + 1))  # held: lxml frees deep ones alone at the cost of depth
    if len(elements) > limits.elements:
        raise _refusal(f"shape: more than {limits.elements} elements")
    if next(root.iter(etree.Comment, etree.ProcessingInstruction, etree.Entity), None) is not None:
        raise _refusal("shape: a node that is no element")
    for element in elements:
        names = element.keys()
        if not names:
            continue
        attributes += len(names)
        if len(names) > limits.attributes or attributes > limits.all_attributes:
            raise _refusal(f"shape: {len(names)} attributes on one element, {attributes} so far")
        for name in map(str, names):
            if name in ID_ATTRIBUTES or (name[0] == "{" and name.rpartition("}")[2] in ID_ATTRIBUTES):
                _add_identifier(identifiers, str(element.get(name)))


def _add_identifier(identifiers: set[str], value: str) -> None:
    if value in identifiers:
        raise _refusal("duplicate ID")
    identifiers.add(value)


def _refuse_unwritable(value: str) -> None:
    found = _UNWRITABLE_CHARACTER.search(value)
    if found:
        code_point = f"U+{ord(found.group()):04X}"
        raise UnwritableClaim(
            "A claim holds a character that XML cannot carry.", detail=f"{code_point} at {found.start()}"
        )


def _refusal(detail: str) -> BadRequest:
    return BadRequest("The XML document is not acceptable.", detail=detail)


def _bad_instant(text: str) -> InvalidSamlToken:
    return InvalidSamlToken("SAML token is invalid.", detail=f"time: {text[:40]!r}")
