"""Which relying party a requested realm means."""

from typing import Final

from sts.core.errors import BadRequest

BOUNDARIES: Final = frozenset("/?#")
MAX_CANDIDATES: Final = 32
MAX_LENGTH: Final = 2048


def candidates(realm: str) -> tuple[str, ...]:
    """The registered realms that could match a requested one, the best first, at most 32.

    The realm itself, then its prefixes that end at a boundary, longest first: a registered realm matches if it ends
    in `/`, `?` or `#`, or if one of them follows it. Where a realm has more boundaries than the bound, the shortest
    prefixes are left out, so that a longer registered realm can never lose to a shorter one. Raises BadRequest for a
    realm of more than 2048 characters.
    """
    if not realm or len(realm) > MAX_LENGTH:
        raise BadRequest(f"a realm has 1 to {MAX_LENGTH} characters")
    found = [realm]
    start = _authority(realm)
    for end in range(len(realm) - 1, start, -1):
        if len(found) >= MAX_CANDIDATES:
            break
        if realm[end - 1] in BOUNDARIES or realm[end] in BOUNDARIES:
            found.append(realm[:end])
    return tuple(found)


def _authority(realm: str) -> int:
    """Where the host begins: nothing shorter is a realm."""
    scheme = realm.find("://")
    return scheme + 3 if scheme >= 0 else 0
