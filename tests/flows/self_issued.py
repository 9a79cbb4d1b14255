"""Simple web tokens that service identities make themselves, and how they are presented."""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import quote_plus

from werkzeug.test import TestResponse

from tests.flows.world import World

WORKER_KEY, OLD_KEY = b"w" * 32, b"o" * 32


def self_issued(world: World, seconds: int = 600, changes: Mapping[str, str] | None = None) -> bytes:
    """A token of the identity `worker` for the namespace, good for so many seconds."""
    fields = {
        "Issuer": "worker",
        "Audience": "http://127.0.0.1:8000/contoso/",
        "ExpiresOn": str(int(world.now.timestamp()) + seconds),
    }
    return signed({**fields, **(changes or {})}, WORKER_KEY)


def signed(fields: dict[str, str], key: bytes) -> bytes:
    """The fields and their MAC."""
    text = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()
    return text + b"&HMACSHA256=" + quote_plus(base64.b64encode(hmac.digest(key, text, "sha256"))).encode()


def present(world: World, assertion: bytes, realm: str = "https://swt.example/") -> TestResponse:
    """Ask for a token with an assertion (OAuth WRAP 0.9, 5.2)."""
    form = {"wrap_assertion_format": "SWT", "wrap_assertion": assertion.decode(), "wrap_scope": realm}
    return world.post("WRAPv0.9", form)
