"""Whom an identity provider's token is about: decrypted, verified and used up in one strict order (threats.md, 1)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from sts.core.claims import LOCAL_AUTHORITY, NAME_IDENTIFIER, is_reserved
from sts.core.decryption import after_opening, opened, within_budget
from sts.core.errors import InvalidEncryptedToken, InvalidToken
from sts.core.exchange import (
    Actor,
    Claimed,
    ConfirmationKey,
    Principal,
    TokenUse,
    Trusted,
    VerificationKey,
    VerifiedToken,
)
from sts.core.model import Claim, IdentityProvider, Kind, ProviderKind
from sts.core.parts import Parts
from sts.core.presented import SKEW, Presented
from sts.core.rules import refuse_excess
from sts.core.uris import AuthenticationMethod, authentication_method
from sts.core.vouchers import spelt

T = TypeVar("T")

LONGEST_ASSERTION: Final = timedelta(hours=12)  # what may be left of its life


class Examined(NamedTuple):
    """Whom a token is about, and the use of it that must be on record before anything is given for it."""

    principal: Principal
    use: TokenUse
    certificate: bytes  # of the identity provider, with whose key it is signed (DER)
    holder: ConfirmationKey | None = None  # the key that its presenter must prove to hold; None: bearer
    actors: tuple[Actor, ...] = ()  # who acts for the principal, the nearest first


class Case(NamedTuple):
    """A token, and the identity provider that must have made it: the caller's choice, never the token's."""

    presented: Presented
    provider: IdentityProvider
    decrypted_by: int | None = None  # the credential that opened it, where it came encrypted and is plain by now
    claimed: Claimed | None = None  # what it says of itself, where the caller looked, and it is plain


def examine(case: Case, use: Callable[[Examined], T], parts: Parts, now: datetime) -> T:
    """What `use` makes of a token: whom it is about, with its claims under its identity provider's name.

    The identity provider's keys alone may verify it. That it was not used before is for `use` to settle, by recording
    the use. Raises a subclass of InvalidToken with the true reason in `detail`, TooManyRequests, RulesFailed for more
    claims than any rule takes.
    """
    presented, provider = case.presented, case.provider
    issuer = require_trusted(provider)
    if case.claimed is not None or presented.proof.format is not None:
        return use(_examined(case, parts, now))
    if provider.decryption is None:
        raise InvalidEncryptedToken(detail=f"identity provider '{provider.name}' ({issuer}) has no decryption pinned")
    algorithms = (provider.decryption,)

    def read() -> T:
        found = opened(presented, algorithms, parts, now)
        with after_opening(found.credential_id):
            plain = Case(presented._replace(proof=found.proof), provider, found.credential_id)
            return use(_examined(plain, parts, now))

    return within_budget(presented, provider.name, read, parts, now)


def require_trusted(provider: IdentityProvider) -> str:
    """How its tokens name it; raises InvalidToken unless anything of it may be trusted."""
    if not provider.enabled:
        raise _untrusted(provider, "is disabled")
    if provider.kind is not ProviderKind.WS_FEDERATION or not provider.issuer:
        raise _untrusted(provider, "sends no tokens")
    if not provider.certificates:
        raise _untrusted(provider, "has no certificate")
    return provider.issuer


def _untrusted(provider: IdentityProvider, why: str) -> InvalidToken:
    return InvalidToken("The token is not valid.", detail=f"identity provider '{provider.name}' {why}")


def _examined(case: Case, parts: Parts, now: datetime) -> Examined:
    provider = case.provider
    token = _verified(case, parts, now)
    _require_own_actors(token, case, parts)
    claims = _claims(token, provider)
    refuse_excess(claims)
    ends = token.expires_at or now + LONGEST_ASSERTION  # which no reader lets it lack
    method = AuthenticationMethod.UNSPECIFIED
    if token.authentication_method is not None:
        method = authentication_method(token.authentication_method)
    signed_in = now if token.authenticated_at is None else min(token.authenticated_at, now)
    principal = Principal(
        name=_name(claims, provider),
        identity_provider=token.issuer,
        claims=claims,
        authenticated_at=signed_in,
        method=method,
        decrypted_by=case.decrypted_by,
        session_ends=token.session_ends,
        dated=token.authenticated_at is not None,
    )
    use = TokenUse(token.issuer, token.id, ends + SKEW, token.issued_at, case.decrypted_by)
    return Examined(principal, use, token.key.material, token.holder, token.actors)


def _verified(case: Case, parts: Parts, now: datetime) -> VerifiedToken:
    presented, provider = case.presented, case.provider
    trusted = Trusted(
        issuer=require_trusted(provider),
        audience=presented.audience,
        keys=tuple(VerificationKey("", Kind.CERTIFICATE, pinned.der) for pinned in provider.certificates),
        skew=SKEW,
        max_lifetime=LONGEST_ASSERTION,
        recipients=presented.recipients,
        require_confirmation=presented.require_confirmation,
        allow_sha1=provider.allow_sha1,
        holder_of_key=presented.holder_of_key,
    )
    if case.claimed is not None:
        return case.claimed.read(trusted, now)
    token_format = presented.proof.format
    if token_format is None:
        raise _untrusted(provider, "sent a token that is encrypted twice")
    return parts.formats[token_format].read(presented.proof.token, trusted, now)


def _require_own_actors(token: VerifiedToken, case: Case, parts: Parts) -> None:
    """Return unless an actor, at any depth, would be vouched for by us or another of our identity providers.

    What those say we hear from them; whom somebody else vouches for, whom we do not know, is the provider's to say.
    """
    if not token.actors:
        return
    namespace, provider = case.presented.namespace, case.provider
    others = [known for known in parts.directory.identity_providers(namespace) if known.name != provider.name]
    ours = {spelt(namespace.issuer), spelt(LOCAL_AUTHORITY)}
    theirs = {spelt(name) for known in others for name in (known.name, known.issuer) if name}
    for actor in token.actors:
        is_its_own = actor.identity_provider in (token.issuer, provider.name)
        if spelt(actor.identity_provider) in (ours if is_its_own else ours | theirs):
            told = f"names an actor of '{actor.identity_provider[:200]}', who vouches for its own (actor)"
            raise InvalidToken("The token is not valid.", detail=f"identity provider '{provider.name}' {told}")


def _claims(token: VerifiedToken, provider: IdentityProvider) -> tuple[Claim, ...]:
    """Each claim once, under the name that rules know; what has a token's own names is left out."""
    told = (Claim(c.type, c.value, provider.name) for c in token.claims if not is_reserved(c.type))
    return tuple(dict.fromkeys(told))


def _name(claims: tuple[Claim, ...], provider: IdentityProvider) -> str:
    """Who is meant, for the log: the subject, or whose token it is."""
    return next((claim.value for claim in claims if claim.type == NAME_IDENTIFIER), provider.name)
