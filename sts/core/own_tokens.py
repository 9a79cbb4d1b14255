"""Tokens of a namespace's own that come back: to be validated, renewed, cancelled, or to be acted on."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY, NAME_IDENTIFIER, is_reserved
from sts.core.credentials import signing_members
from sts.core.errors import BadRequest, InvalidToken, KeyUnreadable
from sts.core.exchange import (
    Actor,
    Claimed,
    HolderPolicy,
    Principal,
    TokenProof,
    TokenView,
    Trusted,
    VerificationKey,
    VerifiedToken,
)
from sts.core.model import (
    Claim,
    Credential,
    Kind,
    Namespace,
    ProviderKind,
    RelyingParty,
    SignatureAlgorithm,
    TokenFormat,
    Use,
)
from sts.core.parts import Parts
from sts.core.presented import SKEW
from sts.core.realms import candidates
from sts.core.trust import Call
from sts.core.uris import AuthenticationMethod, authentication_method
from sts.core.vouchers import vouching_name

MOST_KEYS: Final = 8  # that are tried, those that the token names first
_SECOND: Final = timedelta(seconds=1)


class OwnToken(NamedTuple):
    """A token that this namespace signed, whenever that was."""

    token: VerifiedToken
    format: TokenFormat
    audience: str
    expires_at: datetime
    claims: tuple[Claim, ...]  # without those that say what the token is

    @property
    def cancelled_as(self) -> str:
        """By what it is known once it is cancelled: who can make a token with another's ID does not cancel that one."""
        return f"symmetric {self.token.id}" if self.token.key.kind is Kind.SYMMETRIC else self.token.id

    def has_expired(self, now: datetime) -> bool:
        """Whether nobody should take it any more."""
        return now >= self.expires_at


class Subject(NamedTuple):
    """Whom a new token is about, who vouches for him, and who acts for him."""

    principal: Principal
    provider: str | None  # the name of the identity provider that vouches; None: it is a service identity
    actors: tuple[Actor, ...] = ()  # the nearest first


def is_own(claimed: Claimed, call: Call) -> bool:
    """Whether a token says that this namespace issued it."""
    return claimed.issuer == call.namespace.issuer


def read_own(proof: TokenProof, claimed: Claimed, call: Call) -> OwnToken:
    """Verify a token that says that this namespace issued it; an expired one is read as it was in its life.

    Every unrevoked signing certificate of the namespace and of the relying party that the audience means may have
    signed it; of symmetric keys only those of the ring that signs for the relying party, as others have the rest.
    Raises a subclass of InvalidToken.
    """
    if claimed.encrypted:
        raise _refused("it is encrypted to its relying party, so that nobody else can read it")
    view = call.parts.formats[claimed.format].view(proof.token)
    keys = tuple(_keys(view, call))[:MOST_KEYS]
    trusted = Trusted(
        call.namespace.issuer, None, keys, skew=SKEW, max_lifetime=None, holder_of_key=HolderPolicy.ACCEPTED
    )
    alive = call.now if view.expires_at is None else min(call.now, view.expires_at - _SECOND)
    token = claimed.read(trusted, alive)
    if token.audience is None or token.expires_at is None:
        raise _refused("it names no audience or no end, as every token of ours does")
    claims = tuple(claim for claim in token.claims if not is_reserved(claim.type))
    return OwnToken(token, view.format, token.audience, token.expires_at, claims)


def subject_of(own: OwnToken, call: Call) -> Subject:
    """Whom a token of ours is about, as its claims say, under the name of whoever vouches for him.

    Rules may have made any of those claims: they are good for the relying party that they were made for.

    Raises InvalidToken where nobody that it names may vouch any more, and BadRequest for one under a symmetric key:
    every relying party that can verify it could have made it, about anybody.
    """
    if own.token.key.kind is Kind.SYMMETRIC:
        raise BadRequest(
            "nothing is issued for a token under a symmetric key, which its relying party could have made itself; "
            "present one that a certificate signed"
        )
    vouching = [claim.value for claim in own.claims if claim.type == IDENTITY_PROVIDER]
    if len(vouching) != 1:
        raise _refused(f"it names {len(vouching)} identity providers")
    provider, issuer = _voucher(vouching[0], call.namespace, call.parts)
    told = [claim for claim in own.claims if claim.type != IDENTITY_PROVIDER]
    name = next((claim.value for claim in told if claim.type == NAME_IDENTIFIER), provider or call.namespace.name)
    if provider is None:
        _require_enabled(call.namespace, name, call.parts)
    claims = tuple(Claim(claim.type, claim.value, issuer) for claim in told)
    method = AuthenticationMethod.UNSPECIFIED
    if own.token.authentication_method is not None:
        method = authentication_method(own.token.authentication_method)
    signed_in = own.token.authenticated_at or own.token.not_before or own.expires_at
    principal = Principal(name, vouching[0], claims, signed_in, method)
    return Subject(principal, provider, own.token.actors)


def relying_party_of(audience: str | None, call: Call) -> RelyingParty | None:
    """The relying party that a token's audience means by now, a disabled one too; None: nobody."""
    try:
        realms = candidates(audience or "")
    except BadRequest:
        return None
    return call.parts.directory.relying_party(call.namespace, realms)


def _voucher(value: str, namespace: Namespace, parts: Parts) -> tuple[str | None, str]:
    """The identity provider that a claim means, and what rules call the issuer of its claims."""
    found: list[tuple[str | None, str]] = [(None, LOCAL_AUTHORITY)] if value == namespace.issuer else []
    for provider in parts.directory.identity_providers(namespace):
        if vouching_name(provider) == value:
            is_local = provider.kind is ProviderKind.LOCAL
            found.append((provider.name, LOCAL_AUTHORITY if is_local else provider.name))
    if not found:
        raise _refused(f"no identity provider is '{value}' any more")
    if len(found) > 1:
        raise _refused(f"'{value}' may be {len(found)} who vouch: give each identity provider an issuer of its own")
    return found[0]


def _require_enabled(namespace: Namespace, name: str, parts: Parts) -> None:
    """Return unless the token is about a service identity that is disabled; rules may have given it another name."""
    identity = parts.directory.service_identity(namespace, name)
    if identity is not None and not identity.enabled:
        raise _refused(f"service identity '{name}' is disabled")


def _keys(view: TokenView, call: Call) -> Iterator[VerificationKey]:
    """What may have signed it, the credential that it names first, then the newest."""
    symmetric = view.format is TokenFormat.SWT or view.algorithm == SignatureAlgorithm.HS256
    kind = Kind.SYMMETRIC if symmetric else Kind.CERTIFICATE
    held = [c for c in _held(view, kind, call) if c.use is Use.SIGNING and c.kind is kind]
    alive = [c for c in held if c.deleted_at is None and c.revoked_at is None]
    for credential in sorted(alive, key=lambda c: (view.key_hint in (c.thumbprint, _key_id(c)), c.id), reverse=True):
        try:
            material = credential.certificate or call.parts.key_ring.signing_key(call.namespace, credential)
        except KeyUnreadable:  # an alarm where it should sign; here it verifies nothing
            continue
        yield VerificationKey(_key_id(credential), kind, material)


def _held(view: TokenView, kind: Kind, call: Call) -> tuple[Credential, ...]:
    shared = call.namespace.credentials
    party = relying_party_of(view.audience, call)
    if party is None:
        return shared
    if kind is Kind.CERTIFICATE:
        return (*party.credentials, *shared)
    return signing_members(call.namespace, replace(party, token_format=TokenFormat.SWT), call.now)


def _key_id(credential: Credential) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(credential.thumbprint)).rstrip(b"=").decode("ascii")


def _refused(detail: str) -> InvalidToken:
    return InvalidToken("The token is not valid.", detail=detail)
