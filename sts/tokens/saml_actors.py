"""Who acts for the subject of an assertion: a chain in the value of one attribute, nested as in WIF.

Each actor is an element with attributes of the assertion's version; the one behind him is an attribute among them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from lxml import etree

from sts.core.claims import ACTOR, IDENTITY_PROVIDER, NAME, NAME_IDENTIFIER, UPN
from sts.core.errors import BadRequest, InvalidSamlToken, PayloadTooLarge, UnwritableClaim
from sts.core.exchange import Actor
from sts.core.model import Claim
from sts.crypto.xml import escape_text, parse

MAX_ACTORS: Final = 8  # what is nested deeper was escaped too often to be read by anybody

_NAMES: Final = (NAME_IDENTIFIER, UPN, NAME)


def write(actors: Sequence[Actor], attribute: Callable[[tuple[str, list[str]]], str]) -> str:
    """The value of the attribute, escaped as XML text; `attribute` writes one that declares its namespace.

    Raises UnwritableClaim for a chain that is too long.
    """
    if len(actors) > MAX_ACTORS:
        raise UnwritableClaim(f"A token names no more than {MAX_ACTORS} actors; here are {len(actors)}.")
    value = ""
    for actor in reversed(actors):
        told = {NAME_IDENTIFIER: actor.name, IDENTITY_PROVIDER: actor.identity_provider}
        attributes = [attribute((claim_type, [escape_text(text)])) for claim_type, text in told.items()]
        if value:
            attributes.append(attribute((ACTOR, [value])))
        value = escape_text(f"<Actor>{''.join(attributes)}</Actor>")
    return value


def read(
    claims: Iterable[Claim], attribute: str, said: Callable[[Sequence[etree._Element], str], Iterable[Claim]]
) -> tuple[Actor, ...]:
    """The chain among an assertion's claims, the nearest actor first; empty where there is none.

    `attribute` is the tag of the version's attributes, `said` the claims that some of them are. Raises
    InvalidSamlToken for a chain that is not understood: it must not become a shorter one.
    """
    found: list[Actor] = []
    while nested := [claim for claim in claims if claim.type == ACTOR]:
        if len(nested) > 1 or len(found) == MAX_ACTORS:
            raise _refused("several at once, or too many behind each other")
        issuer = nested[0].issuer
        claims = list(said(_attributes(nested[0].value, attribute), issuer))
        found.append(_actor(claims, issuer))
    return tuple(found)


def _attributes(value: str, tag: str) -> Sequence[etree._Element]:
    try:
        element = parse(value.encode())
    except (BadRequest, PayloadTooLarge, UnicodeEncodeError) as error:
        raise _refused("not XML") from error
    if etree.QName(element).localname != "Actor" or any(child.tag != tag for child in element):
        raise _refused(f"{element.tag} is not understood")
    return list(element)


def _actor(claims: Sequence[Claim], issuer: str) -> Actor:
    said = {claim.type: claim.value for claim in reversed(claims)}
    name = next((said[claim_type] for claim_type in _NAMES if said.get(claim_type)), None)
    if name is None:
        raise _refused("it has no name")
    return Actor(name, said.get(IDENTITY_PROVIDER, issuer))


def _refused(reason: str) -> InvalidSamlToken:
    return InvalidSamlToken("SAML token is invalid.", detail=f"actor: {reason}")
