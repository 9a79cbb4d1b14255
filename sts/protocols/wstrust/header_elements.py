"""Reading small elements of a security header."""

from collections.abc import Collection, Mapping
from datetime import datetime

from lxml import etree

from sts.core.errors import InvalidSamlToken
from sts.crypto.pem import NotPem, from_base64
from sts.crypto.xml import parse_instant
from sts.protocols.wstrust.errors import BadSecurity
from sts.protocols.wstrust.names import BASE64_BINARY


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace, as callers are told it."""
    return etree.QName(element).localname[:100]


def optional(parent: etree._Element, tag: str) -> etree._Element | None:
    """The one child of this tag, None if there is none; raises BadSecurity for more."""
    found = [child for child in parent if child.tag == tag]
    if len(found) > 1:
        raise BadSecurity(f"{local_name(parent)} holds {len(found)} of {local_name(found[0])}")
    return found[0] if found else None


def required(parent: etree._Element, tag: str) -> etree._Element:
    """The one child of this tag; raises BadSecurity."""
    found = optional(parent, tag)
    if found is None:
        raise BadSecurity(f"{local_name(parent)} holds no {etree.QName(tag).localname}")
    return found


def only_children(
    parent: etree._Element, needed: Collection[str], allowed: Collection[str] = ()
) -> Mapping[str, etree._Element]:
    """The children by tag: each that is needed, those that are allowed, each once and no other; raises BadSecurity."""
    found: dict[str, etree._Element] = {}
    for child in parent:
        tag = str(child.tag)
        if tag not in needed and tag not in allowed:
            raise BadSecurity(f"{local_name(child)} does not belong in {local_name(parent)}")
        if tag in found:
            raise BadSecurity(f"{local_name(parent)} holds more than one {local_name(child)}")
        found[tag] = child
    for tag in needed:
        if tag not in found:
            raise BadSecurity(f"{local_name(parent)} holds no {etree.QName(tag).localname}")
    return found


def require_only(parent: etree._Element, tags: Collection[str]) -> None:
    """Return if every child has one of these tags; raises BadSecurity."""
    for child in parent:
        if child.tag not in tags:
            raise BadSecurity(f"{local_name(child)} does not belong in {local_name(parent)}")


def text(element: etree._Element) -> str:
    """The text of an element without children, as it is; raises BadSecurity."""
    if len(element):
        raise BadSecurity(f"{local_name(element)} holds text only")
    return element.text or ""


def octets(element: etree._Element, most: int) -> bytes:
    """The octets of a base64 element, at least one and at most so many; raises BadSecurity."""
    if element.get("EncodingType", BASE64_BINARY) != BASE64_BINARY:
        raise BadSecurity(f"the EncodingType of {local_name(element)} is {BASE64_BINARY}")
    try:
        found = from_base64(text(element).encode())
    except NotPem as error:
        raise BadSecurity(f"{local_name(element)} is not base64") from error
    if not 0 < len(found) <= most:
        raise BadSecurity(f"{local_name(element)} has 1 to {most} bytes")
    return found


def instant(element: etree._Element) -> datetime:
    """The instant that an element holds, as xs:dateTime with a time zone; raises BadSecurity."""
    try:
        return parse_instant(text(element).strip())
    except InvalidSamlToken as error:
        raise BadSecurity(f"{local_name(element)} is a time as in 2026-01-31T09:30:00Z", detail=error.detail) from error
