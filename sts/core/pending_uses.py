"""The uses that a message makes of what may be used once, until all of them are recorded together."""

from collections.abc import Sequence
from datetime import datetime

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import Namespace


class PendingUses:
    """Stands in for the ReplayCache while a message is read: what it would record is kept to be recorded at once."""

    def __init__(self) -> None:
        self.made: list[TokenUse] = []

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        """Keep the use; raises ReplayedToken on the second in one message."""
        self.use_all(namespace, (used,), now)

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        """Keep several uses; raises as `use` does."""
        known = {(use.issuer, use.token_id) for use in self.made}
        for use in uses:
            if (use.issuer, use.token_id) in known:
                raise ReplayedToken("The token was used before.", detail=f"{use.token_id!a} twice in one message")
            self.made.append(use)
