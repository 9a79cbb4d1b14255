"""JSON web tokens as identity providers and service identities make them, honest unless a test says otherwise."""

from itertools import count
from typing import Any

import jwt as pyjwt

from tests.crypto.identities import private_key
from tests.flows.world import World
from tests.threats.identity_providers import ADFS, NAMESPACE
from tests.tokens.compact import jws

WORKER = b"w" * 32
_numbers = count()


def payload(world: World, **changes: Any) -> dict[str, Any]:
    """What an honest identity provider says; a change to None leaves the member out."""
    at = int(world.now.timestamp())
    said = {"iss": ADFS, "sub": "alice", "aud": NAMESPACE, "iat": at, "nbf": at, "exp": at + 600, "role": "reader"}
    said |= {"jti": f"j{next(_numbers)}", **changes}
    return {name: value for name, value in said.items() if value is not None}


def made(world: World, kind: str = "rsa2048", algorithm: str = "RS256", **changes: Any) -> bytes:
    """An honest token, but for the changes; `owner` signs it."""
    owner, headers = changes.pop("owner", "idp"), changes.pop("headers", None)
    return pyjwt.encode(payload(world, **changes), private_key(kind, owner), algorithm, headers).encode()


def by_worker(world: World, **changes: Any) -> bytes:
    """A token that the service identity `worker` signed with its symmetric key."""
    return jws({"typ": "JWT", "alg": "HS256"}, payload(world, **{"iss": "worker", "sub": "worker", **changes}), WORKER)
