"""A strict reader of DER's outer shape, for what must be known before a library parses a file (X.690, 10)."""

from dataclasses import dataclass
from typing import Final

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
SEQUENCE: Final = 0x30
CONTEXT_0: Final = 0xA0

_CONSTRUCTED: Final = 0x20
_LONG_TAG: Final = 0x1F


class NotDer(ValueError):
    """The bytes are not DER."""


@dataclass(frozen=True, slots=True)
class Element:
    """One tag and the bytes it holds."""

    tag: int
    content: bytes

    @property
    def constructed(self) -> bool:
        """Whether the content is itself a row of elements."""
        return bool(self.tag & _CONSTRUCTED)


def element(data: bytes) -> Element:
    """The one element that is all of the data; raises NotDer when it is cut, trailed by anything, or not DER."""
    found, end = _read(data, 0)
    if end != len(data):
        raise NotDer("there are bytes after its end")
    return found


def elements(data: bytes) -> list[Element]:
    """The elements that fill the data; raises NotDer."""
    found, offset = [], 0
    while offset < len(data):
        each, offset = _read(data, offset)
        found.append(each)
    return found


def _read(data: bytes, offset: int) -> tuple[Element, int]:
    if len(data) - offset < 2:
        raise NotDer("it is cut off")
    tag, size, start = data[offset], data[offset + 1], offset + 2
    if tag & _LONG_TAG == _LONG_TAG:
        raise NotDer("it has a tag that no certificate or key has")
    if size == 0x80:
        raise NotDer("it has an indefinite length (BER)")
    if size > 0x80:
        start += size - 0x80
        digits = data[offset + 2 : start]
        size = int.from_bytes(digits, "big")
        if size < 0x80 or digits[0] == 0:
            raise NotDer("it has a length that is not the shortest (BER)")
    if size > len(data) - start:
        raise NotDer("it is cut off")
    return Element(tag, data[start : start + size]), start + size
