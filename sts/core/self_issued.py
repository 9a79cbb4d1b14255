"""Tokens that service identities sign for themselves, with their own certificate or symmetric key (acs.md, 1.6)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple, NoReturn

from sts.core.claims import LOCAL_AUTHORITY, NAME_IDENTIFIER
from sts.core.errors import AuthenticationFailed, InvalidAudience, InvalidSignature, InvalidToken
from sts.core.exchange import (
    Claimed,
    ClientAssertion,
    ConfirmationKey,
    Principal,
    TokenUse,
    Trusted,
    VerificationKey,
    VerifiedToken,
)
from sts.core.model import Claim, Kind, Namespace, ServiceIdentity, TokenFormat, Use
from sts.core.parts import Parts
from sts.core.presented import SKEW, Presented
from sts.core.uris import AuthenticationMethod

SELF_ISSUED_LIFETIME: Final = timedelta(hours=24)
_KINDS: Final = {
    TokenFormat.SWT: (Kind.SYMMETRIC,),
    TokenFormat.JWT: (Kind.CERTIFICATE, Kind.SYMMETRIC),
    TokenFormat.SAML11: (Kind.CERTIFICATE,),
    TokenFormat.SAML20: (Kind.CERTIFICATE,),
}


class _Read(NamedTuple):
    """A token that holds, and whose it is."""

    identity: ServiceIdentity
    token: VerifiedToken


class SelfIssued(NamedTuple):
    """The service identity that signed a token, and the key whose possession the token asks for; None: bearer."""

    principal: Principal
    holder: ConfirmationKey | None


def accept_self_issued(presented: Presented, claimed: Claimed, parts: Parts, now: datetime) -> Principal:
    """The service identity that signed a token, which bears it; raises as `read_self_issued` does."""
    return read_self_issued(presented, claimed, parts, now).principal


def read_self_issued(presented: Presented, claimed: Claimed, parts: Parts, now: datetime) -> SelfIssued:
    """The service identity that signed a token; what the token claims beyond its issuer is ignored.

    `claimed` is what it says of itself: its issuer chooses the identity, whose keys alone may verify it. Raises a
    subclass of InvalidToken. An identity that does not exist, is disabled or has no such key costs and answers the
    same as a wrong signature.
    """
    read = _read(presented, claimed, parts, now)
    return SelfIssued(_principal(presented.namespace, read, now), read.token.holder)


def authenticate_client(presented: Presented, assertion: ClientAssertion, parts: Parts, now: datetime) -> Principal:
    """The service identity that authenticates with a token about itself; raises AuthenticationFailed, StoreUnavailable.

    Subject and issuer are both the client (RFC 7523, 3; RFC 7522, 3).
    """
    try:
        claimed = parts.formats[assertion.format].claimed(assertion.token)
        read = _read(presented.addressed(claimed), claimed, parts, now)
    except InvalidToken as error:
        raise AuthenticationFailed(detail=f"client assertion: {error.codes} ({error.detail})") from error
    name = read.identity.name
    subjects = {claim.value for claim in read.token.claims if claim.type == NAME_IDENTIFIER}
    if subjects != {name}:
        raise AuthenticationFailed(detail=f"client assertion: the subject is not its issuer '{name}'")
    if assertion.name not in (None, name):
        raise AuthenticationFailed(detail=f"the client assertion is of '{name}', the request of '{assertion.name}'")
    return _principal(presented.namespace, read, now)


def enabled(identity: ServiceIdentity | None) -> ServiceIdentity:
    """The identity, if there is one that may be used; raises AuthenticationFailed."""
    if identity is None:
        raise AuthenticationFailed(detail="unknown service identity")
    if not identity.enabled:
        raise AuthenticationFailed(detail=f"service identity '{identity.name}' is disabled")
    return identity


def principal_of(
    namespace: Namespace, identity: ServiceIdentity, method: AuthenticationMethod, now: datetime
) -> Principal:
    """A service identity as the one who asks: its name is all that is known of it."""
    claims = (Claim(NAME_IDENTIFIER, identity.name, LOCAL_AUTHORITY),)
    return Principal(identity.name, namespace.issuer, claims, now, method)


def _principal(namespace: Namespace, read: _Read, now: datetime) -> Principal:
    by_certificate = read.token.key.kind is Kind.CERTIFICATE
    method = AuthenticationMethod.X509 if by_certificate else AuthenticationMethod.UNSPECIFIED
    return principal_of(namespace, read.identity, method, now)


def _read(presented: Presented, claimed: Claimed, parts: Parts, now: datetime) -> _Read:
    found = parts.directory.service_identity(presented.namespace, claimed.issuer or "")
    try:
        identity = enabled(found)
        keys = tuple(_keys(presented.namespace, identity, claimed.format, parts))
        if not keys:
            raise AuthenticationFailed(
                detail=f"service identity '{identity.name}' has no key for {claimed.format} tokens"
            )
    except AuthenticationFailed as unusable:
        _refuse(presented, claimed, unusable, parts, now)
    simple = claimed.format is TokenFormat.SWT  # which need not name its audience
    trusted = Trusted(
        issuer=identity.name,
        audience=None if simple else presented.audience,
        keys=keys,
        skew=SKEW,
        max_lifetime=SELF_ISSUED_LIFETIME,
        require_expiry=not (simple and identity.swt_without_expiry),
        recipients=presented.recipients,
        require_confirmation=presented.require_confirmation,
        holder_of_key=presented.holder_of_key,
    )
    token = claimed.read(trusted, now)
    if simple and token.audience is not None and token.audience != presented.audience:
        raise InvalidAudience("the token is for another audience", detail=f"audience {token.audience[:200]!r}")
    if token.expires_at is not None and token.holder is None:  # who proves a key anew each time may come again
        used = TokenUse(identity.name, token.id, token.expires_at + SKEW, token.issued_at)
        parts.replays.use(presented.namespace, used, now)
    return _Read(identity, token)


def _keys(
    namespace: Namespace, identity: ServiceIdentity, token_format: TokenFormat, parts: Parts
) -> Iterator[VerificationKey]:
    kinds = _KINDS[token_format]
    if Kind.CERTIFICATE in kinds and identity.certificate is not None:
        yield VerificationKey("", Kind.CERTIFICATE, identity.certificate.der)
    if Kind.SYMMETRIC in kinds and identity.has_symmetric_key:
        yield VerificationKey("", Kind.SYMMETRIC, parts.key_ring.shared_key(namespace, identity))


def _refuse(
    presented: Presented, claimed: Claimed, unusable: AuthenticationFailed, parts: Parts, now: datetime
) -> NoReturn:
    """Refuse after the work of a wrong signature, done with keys of which nobody's token may hold."""
    keys = [VerificationKey("", Kind.SYMMETRIC, parts.new_token_id().encode())]
    held = (c.certificate for c in presented.namespace.credentials if c.use is Use.SIGNING)
    keys += [VerificationKey("", Kind.CERTIFICATE, der) for der in list(filter(None, held))[:1]]
    kinds = _KINDS[claimed.format]
    nobody = Trusted(claimed.issuer or "", None, tuple(key for key in keys if key.kind in kinds))
    told = "Signature verification failed."
    try:
        claimed.read(nobody, now)
    except InvalidSignature as wrong:
        told = wrong.message
    raise InvalidSignature(told, detail=unusable.detail) from unusable
