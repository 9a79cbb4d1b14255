"""PEM blocks and base64, read strictly (RFC 7468, RFC 4648)."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----")
_BOUNDARY: Final = b"-----BEGIN"
_WHITE_SPACE: Final = b" \t\r\n"


class NotPem(ValueError):
    """The bytes are not PEM or base64."""


@dataclass(frozen=True, slots=True)
class Block:
    """One labelled block."""

    label: str
    der: bytes = field(repr=False)


def is_pem(data: bytes) -> bool:
    """Whether the data claims to be PEM."""
    return _BOUNDARY in data


def pem_blocks(data: bytes) -> list[Block]:
    """Every block of a PEM file, text before and between them ignored; raises NotPem.

    White space alone may follow the last: what stands there would be believed to have been read.
    """
    found, end = [], 0
    for match in _BLOCK.finditer(data):
        found.append(Block(match[1].decode("ascii"), from_base64(match[2])))
        end = match.end()
    if len(found) != data.count(_BOUNDARY):
        raise NotPem("a block of the PEM file is damaged")
    if data[end:].strip(_WHITE_SPACE):
        raise NotPem("there is something after the end of the last PEM block")
    return found


def from_base64(text: bytes) -> bytes:
    """The bytes of canonical base64, white space ignored; raises NotPem.

    Python's own decoder would skip what is no base64 and take several texts for the same bytes.
    """
    joined = text.translate(None, _WHITE_SPACE)
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error as error:
        raise NotPem("it is not base64") from error
    if base64.b64encode(data) != joined:
        raise NotPem("it is not canonical base64")
    return data
