"""The program that opens one password-protected key file, apart from the server.

A file says itself how much work its password costs, and OpenSSL does that work without giving way to any other
thread. So it is done in a process of its own, which the kernel ends when it has used its seconds. It is started by
path with the form of the file and the seconds as its arguments; the password and the file come by standard input,
and the answer leaves as JSON by standard output. It imports nothing of this package.
"""

import base64
import json
import resource
import sys
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

MEMORY: Final = 512 * 1024 * 1024  # bytes of address space


def main() -> None:
    """Read the request, write the answer."""
    form, seconds = sys.argv[1], int(sys.argv[2])
    _limit(seconds)
    request = sys.stdin.buffer.read()
    size = int.from_bytes(request[:4], "big")
    password, data = request[4 : 4 + size], request[4 + size :]
    try:
        answer = _pkcs12(data, password) if form == "pkcs12" else _pkcs8(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, MemoryError) as error:
        answer = {"refused": str(error)}
    json.dump(answer, sys.stdout)


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _pkcs12(data: bytes, password: bytes) -> dict[str, object]:
    content = load_pkcs12(data, password)
    return {
        "key": None if content.key is None else _text(_checked(content.key)),
        "certificate": None if content.cert is None else _text(content.cert.certificate.public_bytes(Encoding.DER)),
        "others": len(content.additional_certs),
    }


def _pkcs8(data: bytes, password: bytes) -> dict[str, object]:
    return {"key": _text(_checked(load_der_private_key(data, password))), "certificate": None, "others": 0}


def _checked(key: PrivateKeyTypes) -> bytes:
    """The key's PKCS#8, once its numbers are known to belong together."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    load_der_private_key(der, password=None)
    return der


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


if __name__ == "__main__":
    main()
