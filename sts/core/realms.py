"""Which relying party a requested realm means."""

import re
from functools import lru_cache
from typing import Final

from sts.core.errors import BadRequest

_BOUNDARY: Final = re.compile("[/?#]")
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # and what XML cannot carry
MAX_CANDIDATES: Final = 32
MAX_LENGTH: Final = 2048


@lru_cache(maxsize=256)  # of at most 33 texts of 2048 characters each
def candidates(realm: str) -> tuple[str, ...]:
    """The registered realms that could match a requested one, the best first, at most 32.

    The realm itself, then its prefixes that end at a boundary, longest first: a registered realm matches if it ends
    in `/`, `?` or `#`, or if one of them follows it. Where a realm has more boundaries than the bound, the shortest
    prefixes are left out, so that a longer registered realm can never lose to a shorter one. Raises BadRequest for a
    realm of more than 2048 characters, or with a control character: it becomes the audience of a token as it is.
    """
    if not realm or len(realm) > MAX_LENGTH:
        raise BadRequest(f"a realm has 1 to {MAX_LENGTH} characters")
    if _CONTROL.search(realm) is not None:
        raise BadRequest("a realm holds no control characters")
    start = _authority(realm)
    found = [realm]
    for cut in reversed([boundary.start() for boundary in _BOUNDARY.finditer(realm, start)]):
        if cut + 1 < len(found[-1]):
            found.append(realm[: cut + 1])
        if cut > start:
            found.append(realm[:cut])
    return tuple(found[:MAX_CANDIDATES])


def _authority(realm: str) -> int:
    """Where the host begins: nothing shorter is a realm."""
    scheme = _SCHEME.match(realm)
    return scheme.end() if scheme else 0
