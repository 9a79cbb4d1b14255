"""When a token that came from outside may be used."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sts.core.errors import InvalidToken
from sts.core.exchange import Trusted


class Lifetime(NamedTuple):
    """The two ends that a token states, each of which may be missing."""

    not_before: datetime | None
    expires_at: datetime | None


def check_lifetime(lifetime: Lifetime, trusted: Trusted, now: datetime, refuse: Callable[[str], InvalidToken]) -> None:
    """Return if the token may be used now; raises what `refuse` makes of the reason.

    `now` is aware UTC. The skew is allowed at both ends, not on the cap of what is left of the token's life.
    """
    begins, ends = lifetime.not_before, lifetime.expires_at
    if begins is not None and begins > now + trusted.skew:
        raise refuse("time: not yet valid")
    if ends is None:
        if trusted.require_expiry:
            raise refuse("time: no expiry")
        return
    if begins is not None and begins >= ends:
        raise refuse("time: ends before it begins")
    if ends <= now - trusted.skew:
        raise refuse("time: expired")
    if trusted.max_lifetime is not None and ends - now > trusted.max_lifetime:
        raise refuse("time: the lifetime is too long")
