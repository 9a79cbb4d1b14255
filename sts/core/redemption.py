"""Assertions in exchange for tokens: whose they are is for the issuer that they name to say (RFC 7521, 4.1)."""

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from sts.core.acceptance import Case, Examined, examine, require_trusted
from sts.core.decryption import after_opening, opened, within_budget
from sts.core.errors import InvalidSamlToken, InvalidToken
from sts.core.exchange import Actor, Claimed, ConfirmationKey, Principal, TokenProof, Trusted
from sts.core.model import ContentEncryption, IdentityProvider, TokenFormat
from sts.core.parts import Parts
from sts.core.presented import Presented
from sts.core.self_issued import read_self_issued

_SAML = (TokenFormat.SAML20, TokenFormat.SAML11)
_NOBODYS = Trusted(issuer="", audience=None, keys=())


class Redeemed(NamedTuple):
    """Whom an assertion is about, and the name of the identity provider that vouches; None: it is self-issued."""

    principal: Principal
    provider: str | None
    holder: ConfirmationKey | None = None  # the key that its presenter must prove to hold; None: bearer
    actors: tuple[Actor, ...] = ()  # who acts for the principal, the nearest first


def redeem(presented: Presented, parts: Parts, now: datetime) -> Redeemed:
    """Whom an assertion is about that an identity provider issued, or that a service identity signed for itself.

    There is no state of ours to choose by: the issuer that the token names selects among this namespace's identity
    providers, else its service identities, and the keys of that one record alone may verify it (threats.md, 1). Raises
    a subclass of InvalidToken, TooManyRequests, RulesFailed, StoreUnavailable.
    """
    claimed = claimed_by(presented.proof, parts)
    if not claimed.encrypted:
        return _by_issuer(presented, claimed, parts, now)

    def read() -> Redeemed:
        return _encrypted(presented, parts, now)

    return within_budget(presented, "", read, parts, now)


def claimed_by(proof: TokenProof, parts: Parts) -> Claimed:
    """Where the token says that it comes from, and for whom it is; raises InvalidToken."""
    if proof.format is not None:
        return parts.formats[proof.format].claimed(proof.token)
    reasons = []
    for token_format in _SAML:
        try:
            return parts.formats[token_format].claimed(proof.token)
        except InvalidSamlToken as error:
            reasons.append(error.detail or error.message)
    raise InvalidSamlToken("SAML token is invalid.", detail="; ".join(reasons))


def _by_issuer(presented: Presented, claimed: Claimed, parts: Parts, now: datetime) -> Redeemed:
    presented = presented.addressed(claimed)
    provider = _provider(presented, claimed, parts)
    if provider is None:
        principal, holder = read_self_issued(presented, claimed, parts, now)
        return Redeemed(principal, None, holder)
    return _accepted(Case(presented, provider, claimed=claimed), parts, now)


def _encrypted(presented: Presented, parts: Parts, now: datetime) -> Redeemed:
    """Only plaintext names its issuer: what it was encrypted with must then be what that issuer is held to."""
    known = parts.directory.identity_providers(presented.namespace)
    pinned = {provider.decryption for provider in known if provider.enabled}
    algorithms = tuple(algorithm for algorithm in ContentEncryption if algorithm in pinned)
    found = opened(presented, algorithms, parts, now)
    with after_opening(found.credential_id):
        claimed = claimed_by(found.proof, parts)
        try:
            provider = _sender(presented, claimed, found.algorithm, parts)
        except InvalidToken:
            with suppress(InvalidToken):  # the work of a wrong signature: time must not tell that it was opened
                claimed.read(_NOBODYS, now)
            raise
        plain = presented.addressed(claimed)._replace(proof=found.proof)
        return _accepted(Case(plain, provider, found.credential_id, claimed), parts, now)


def _sender(presented: Presented, claimed: Claimed, algorithm: ContentEncryption, parts: Parts) -> IdentityProvider:
    """Who must have made what was encrypted with this algorithm; raises InvalidToken where that can be nobody."""
    provider = _provider(presented, claimed, parts)
    if provider is None:
        raise _refusal(f"no identity provider is '{claimed.issuer}', and encrypted assertions are theirs alone")
    if provider.decryption is not algorithm:
        held_to = f"is held to {provider.decryption}, not {algorithm}"
        raise _refusal(f"identity provider '{provider.name}' {held_to}")
    require_trusted(provider)
    return provider


def _accepted(case: Case, parts: Parts, now: datetime) -> Redeemed:
    """Examined, and its use recorded; a token whose key is proved anew each time may come again."""

    def use(examined: Examined) -> Redeemed:
        if examined.holder is None:
            parts.replays.use(case.presented.namespace, examined.use, now)
        return Redeemed(examined.principal, case.provider.name, examined.holder, examined.actors)

    return examine(case, use, parts, now)


def _provider(presented: Presented, claimed: Claimed, parts: Parts) -> IdentityProvider | None:
    """The identity provider of this issuer; raises InvalidToken where there are several: none of them is tried."""
    known = parts.directory.identity_providers(presented.namespace)
    found = [provider for provider in known if provider.issuer and provider.issuer == claimed.issuer]
    if len(found) > 1:
        names = ", ".join(provider.name for provider in found)
        raise _refusal(f"several identity providers are '{claimed.issuer}': {names}")
    return found[0] if found else None


def _refusal(detail: str) -> InvalidToken:
    return InvalidToken("The token is not valid.", detail=detail)
