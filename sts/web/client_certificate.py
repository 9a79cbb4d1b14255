"""The certificate of a client, as the proxy that ended its TLS connection forwards it."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from sts.core.errors import BadRequest
from sts.crypto.pem import NotPem, from_base64, pem_blocks

LONGEST: Final = 16_384  # characters

_BYTE_SEQUENCE: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):", re.ASCII)
_ESCAPED_PEM: Final = re.compile(r"-----BEGIN(?:[A-Za-z0-9+/=._~-]|%[0-9A-Fa-f]{2})+", re.ASCII)


def client_certificate(header: str) -> bytes | None:
    """The DER of the certificate in a header, None where the header is absent or empty.

    Two forms are read: the byte sequence of RFC 9440, 2.2 (`:base64:`), and the URL-encoded PEM that nginx calls
    `$ssl_client_escaped_cert`. Raises BadRequest for anything else; whose certificate it is, is not looked at.
    """
    if not header:
        return None
    if len(header) > LONGEST:
        raise _unreadable(f"{len(header)} characters")
    try:
        return _byte_sequence(header) if header.startswith(":") else _escaped_pem(header)
    except NotPem as error:
        raise _unreadable(str(error)) from error


def _byte_sequence(header: str) -> bytes:
    found = _BYTE_SEQUENCE.fullmatch(header)
    if found is None:
        raise NotPem("it is not a byte sequence")
    return from_base64(found[1].encode())


def _escaped_pem(header: str) -> bytes:
    if _ESCAPED_PEM.fullmatch(header) is None:
        raise NotPem("it is neither a byte sequence nor URL-encoded PEM")
    blocks = pem_blocks(unquote_to_bytes(header))
    if [block.label for block in blocks] != ["CERTIFICATE"]:
        raise NotPem("it is not exactly one PEM certificate")
    return blocks[0].der


def _unreadable(reason: str) -> BadRequest:
    return BadRequest("the client certificate that the proxy forwards cannot be read", detail=reason)
