"""Strict access to the elements of a request: each at most once, all understood, nothing beside them."""

from collections.abc import Mapping, Set
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest
from sts.crypto.xml import NS
from sts.protocols.wstrust.names import WSU, Dialect

MAX_TEXT: Final = 2048  # characters of a name, an address or a context

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_ID: Final = f"{{{WSU}}}Id"
_HARMLESS: Final = (f"{{{NS['xsi']}}}", "{http://www.w3.org/XML/1998/namespace}")
_MAX_TOLD: Final = 200  # characters of what a stranger wrote


class Known(NamedTuple):
    """What may stand in a place: local names of the dialect's elements, and tags of others."""

    names: Set[str]
    tags: Set[str]
    refused: Mapping[str, str]  # local name, and why

    def fault(self, name: str) -> str:
        """Why an element is refused."""
        reason = self.refused.get(name)
        return "is not understood" if reason is None else f"is not supported: {reason}"


class Parameters(NamedTuple):
    """The parameters of a request, by local name if they are the dialect's and by tag if they are others'."""

    dialect: Dialect
    elements: Mapping[str, etree._Element]

    def has_any(self, names: Set[str]) -> bool:
        """Whether any parameter of these names is there."""
        return not names.isdisjoint(self.elements)

    def text(self, name: str) -> str | None:
        """What the parameter of this name says; raises BadRequest if it holds elements or nothing."""
        element = self.elements.get(name)
        return None if element is None else text(element)


def parameters(element: etree._Element, dialect: Dialect, known: Known) -> Parameters:
    """The children of an element, each at most once and all of them known; raises BadRequest (WS-Trust 1.3, 3.1)."""
    refuse_text(element)
    found: dict[str, etree._Element] = {}
    for child in element:
        tag = str(child.tag)
        namespace, _, local = tag.rpartition("}")
        own = namespace[1:] == dialect.namespace
        name = local if own else tag
        if name not in (known.names if own else known.tags):
            raise BadRequest(f"{local[:_MAX_TOLD]} {known.fault(local)}")
        if name in found:
            raise BadRequest(f"{local} is there more than once")
        found[name] = child
    return Parameters(dialect, found)


def text(element: etree._Element) -> str:
    """The text of an element without the white space around it; raises BadRequest for elements, nothing, or a book."""
    if len(element):
        raise BadRequest(f"{etree.QName(element).localname} holds text only")
    value = (element.text or "").strip()
    if not 0 < len(value) <= MAX_TEXT:
        fault = f"has more than {MAX_TEXT} characters" if value else "is empty"
        raise BadRequest(f"{etree.QName(element).localname} {fault}")
    return value


def boolean(value: str) -> bool:
    """An xs:boolean; raises BadRequest."""
    found = _BOOLEANS.get(value.strip())
    if found is None:
        raise BadRequest(f"'{value[:_MAX_TOLD]}' is neither true nor false")
    return found


def only_child(element: etree._Element) -> etree._Element:
    """The one element that an element holds, beside which there is nothing; raises BadRequest."""
    refuse_text(element)
    if len(element) != 1:
        raise BadRequest(f"{etree.QName(element).localname} holds {len(element)} elements where one belongs")
    return element[0]


def refuse_text(element: etree._Element) -> None:
    """Return if nothing but white space stands around the children of an element; raises BadRequest."""
    text_beside = element.text or ""
    for child in element:
        text_beside += child.tail or ""
    if text_beside.strip():
        raise BadRequest(f"{etree.QName(element).localname} holds text beside its elements")


def refuse_other_attributes(element: etree._Element, *known: str) -> None:
    """Return if every attribute is known, an ID, or says nothing about what is asked; raises BadRequest (3.1)."""
    for name in map(str, element.keys()):
        if name not in known and name != _ID and not name.startswith(_HARMLESS):
            local = etree.QName(name).localname[:_MAX_TOLD]
            raise BadRequest(f"the attribute {local} of {etree.QName(element).localname} is not understood")
