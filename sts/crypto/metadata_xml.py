"""The lenient profile of the XML parser, for metadata documents: bounded, but with comments and in any layout."""

import re
from typing import Final

from lxml import etree

from sts.core.errors import BadRequest, PayloadTooLarge

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_NAMESPACE_DECLARATIONS: Final = 4000
MAX_ELEMENTS: Final = 50_000
MAX_ATTRIBUTES: Final = 64

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DECLARED: Final = re.compile(rb"<!(?!--|\[CDATA\[)")


def parse_metadata(document: bytes) -> etree._Element:
    """Parse a metadata document in UTF-8; comments and processing instructions are dropped, a DTD is refused.

    Raises BadRequest and PayloadTooLarge; the `detail` says why.
    """
    if len(document) > MAX_BYTES:
        raise PayloadTooLarge("The XML document is too large.", detail=f"it has more than {MAX_BYTES} bytes")
    if _DECLARED.search(document) is not None:
        raise _refusal("it has a DTD, which metadata has no use for")
    if document.count(b"xmlns") > MAX_NAMESPACE_DECLARATIONS:
        raise _refusal(f"it declares more than {MAX_NAMESPACE_DECLARATIONS} namespaces")
    try:
        root = etree.fromstring(document.removeprefix(_BYTE_ORDER_MARK).strip(), _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _refusal(f"it is not XML in UTF-8: {error}") from error
    for count, element in enumerate(root.iter(), start=1):
        if count > MAX_ELEMENTS:
            raise _refusal(f"it has more than {MAX_ELEMENTS} elements")
        if len(element.attrib) > MAX_ATTRIBUTES:
            raise _refusal(f"it has {len(element.attrib)} attributes on one element")
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _refusal(detail: str) -> BadRequest:
    return BadRequest("The XML document is not acceptable.", detail=detail)
