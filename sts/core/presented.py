"""A token that somebody presents: at which of our doors, and what it must be for there."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, NamedTuple, Self

from sts.core.exchange import Claimed, HolderPolicy, TokenProof
from sts.core.model import Namespace

SKEW: Final = timedelta(minutes=3)  # how far a token's times may be from our clock, either way
FRESH: Final = timedelta(minutes=5)  # how far those of a message, or of a digest of a password, may be
LONGEST_AHEAD: Final = max(SKEW, FRESH)  # how far ahead of our clock anything may be dated that works once
SIGN_IN_ENDPOINTS: Final = ("v2/wsfederation",)  # of an issuer
TOKEN_ENDPOINTS: Final = (
    *("", "WRAPv0.9", "WRAPv0.9/", "v2/OAuth2-13", "v2/OAuth2-13/", "oauth2/token"),
    *(".well-known/est/simpleenroll", ".well-known/est/simplereenroll"),
)
TRUST_ENDPOINTS: Final = (
    "",
    *(
        f"v2/wstrust/{version}/{credential}"
        for version in ("13", "2005")
        for credential in (
            *("username", "certificate"),
            *("issuedtoken-bearer", "issuedtoken-symmetric", "issuedtoken-asymmetric"),
        )
    ),
)


class Presented(NamedTuple):
    """A token, the namespace whose door it came to, and what it may name as its audience and recipient there."""

    namespace: Namespace
    proof: TokenProof
    source: str  # address of the caller, for limits
    audience: str
    recipients: frozenset[str]
    require_confirmation: bool  # whether SAML must say that its bearer may use it: no state of ours does
    holder_of_key: HolderPolicy = HolderPolicy.REFUSED

    @classmethod
    def at_sign_in(cls, namespace: Namespace, proof: TokenProof, source: str) -> Self:
        """What an identity provider sent back by the browser: made for the namespace, sent to its sign-in address."""
        recipients = _addresses(namespace, SIGN_IN_ENDPOINTS)
        return cls(namespace, proof, source, namespace.issuer, recipients, require_confirmation=False)

    @classmethod
    def at_token_endpoint(cls, namespace: Namespace, proof: TokenProof, source: str) -> Self:
        """An assertion that is exchanged: made for, and sent to, the namespace or a token endpoint (RFC 7521, 5.1)."""
        recipients = _addresses(namespace, TOKEN_ENDPOINTS)
        return cls(namespace, proof, source, namespace.issuer, recipients, require_confirmation=True)

    @classmethod
    def at_trust_endpoint(cls, namespace: Namespace, proof: TokenProof, source: str) -> Self:
        """A token in a WS-Trust message: made for, and sent to, the namespace or a WS-Trust endpoint; for bearers."""
        recipients = _addresses(namespace, TRUST_ENDPOINTS)
        return cls(namespace, proof, source, namespace.issuer, recipients, require_confirmation=True)

    def held_by(self, policy: HolderPolicy) -> Self:
        """The same, taken of those who hold its key as this says."""
        return self._replace(holder_of_key=policy)

    def addressed(self, claimed: Claimed) -> Self:
        """The same, held to that one of our addresses which it names as its audience."""
        named = self.recipients.intersection(claimed.audiences)
        return self._replace(audience=min(named, default=self.audience))


def _addresses(namespace: Namespace, paths: Iterable[str]) -> frozenset[str]:
    """These paths of the namespace, by every host name."""
    roots = (namespace.issuer, *(f"https://{host}/" for host in namespace.hosts))
    return frozenset(root + path for path in paths for root in roots)
