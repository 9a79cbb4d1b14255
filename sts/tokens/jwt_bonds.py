"""What binds a JSON web token to more than its subject: its holder's key, and who acts (RFC 7800; RFC 8693, 4.1)."""

import json
from collections.abc import Mapping
from typing import Final

from sts.core.errors import BadRequest, FormatNotOffered, InvalidJwtToken, UnwritableClaim
from sts.core.exchange import Actor, HolderPolicy, PublicKey, SymmetricHolder, TokenDescriptor
from sts.core.model import Claim
from sts.crypto import jwk
from sts.tokens.text import refuse_uncarriable

MAX_ACTORS: Final = 8  # as in SAML
MEMBERS: Final = frozenset({"act", "cnf"})


def write(descriptor: TokenDescriptor) -> list[str]:
    """The members `cnf` and `act` as JSON, each where it is needed.

    Raises FormatNotOffered for a secret key, which only an encrypted token could carry, and UnwritableClaim.
    """
    written = []
    if isinstance(descriptor.confirmation, SymmetricHolder):
        raise FormatNotOffered(
            "A JSON web token carries no symmetric proof key, because it is not encrypted; "
            "ask for the key type PublicKey or Bearer, or for a SAML token."
        )
    if descriptor.confirmation is not None:
        written.append(f'"cnf":{_json({"jwk": jwk.spki_members(descriptor.confirmation.public_key)})}')
    if len(descriptor.actors) > MAX_ACTORS:
        raise UnwritableClaim(f"A token names no more than {MAX_ACTORS} actors; here are {len(descriptor.actors)}.")
    acting: dict[str, object] = {}
    for actor in reversed(descriptor.actors):
        refuse_uncarriable([Claim("act", value, "") for value in actor])
        acting = {"sub": actor.name, "iss": actor.identity_provider} | ({"act": acting} if acting else {})
    if acting:
        written.append(f'"act":{_json(acting)}')
    return written


def holder(members: Mapping[str, object], policy: HolderPolicy) -> PublicKey | None:
    """The key that whoever presents the token must prove, None where its bearer may use it; raises InvalidJwtToken."""
    if "cnf" not in members:
        if policy is HolderPolicy.REQUIRED:
            raise _refused("cnf: none")
        return None
    if policy is HolderPolicy.REFUSED:
        raise _refused("cnf: a key must be proved, not bearer")
    confirmation = members["cnf"]
    if not isinstance(confirmation, dict) or set(confirmation) != {"jwk"}:
        raise _refused("cnf: holds something else than a jwk")
    try:
        return PublicKey(jwk.spki(confirmation["jwk"]))
    except BadRequest as error:
        raise _refused(f"cnf: {error.message}") from error


def actors(members: Mapping[str, object], issuer: str) -> tuple[Actor, ...]:
    """Who acts for the subject, the nearest first; raises InvalidJwtToken for a chain that is not understood."""
    found: list[Actor] = []
    while "act" in members:
        acting = members["act"]
        if not isinstance(acting, dict) or len(found) == MAX_ACTORS:
            raise _refused("act: not an object, or too many in each other")
        name, vouching = acting.get("sub"), acting.get("iss", issuer)
        if not isinstance(name, str) or not name or not isinstance(vouching, str):
            raise _refused("act: sub or iss is not a text")
        found.append(Actor(name, vouching))
        members = acting
    return tuple(found)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _refused(detail: str) -> InvalidJwtToken:
    return InvalidJwtToken("JWT token is invalid.", detail=detail)
