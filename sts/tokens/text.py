"""Which claims a token may carry, whatever its format: what XML 1.0 cannot carry, no format carries."""

from collections.abc import Iterable

from sts.core.errors import UnwritableClaim
from sts.core.model import Claim
from sts.crypto.xml import escape_text


def refuse_uncarriable(claims: Iterable[Claim]) -> None:
    """Raise UnwritableClaim, naming the claim, for control characters, noncharacters and lone surrogates.

    A claim is then issued in all four formats or in none (XML 1.0, 2.2), and no reader meets a NUL.
    """
    for claim in claims:
        try:
            escape_text(claim.type)
            escape_text(claim.value)
        except UnwritableClaim as error:
            name = ascii(claim.type)
            raise UnwritableClaim(
                f"The claim {name} holds a character that no token may carry.", detail=error.detail
            ) from error
