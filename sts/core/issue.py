"""The one mint: authenticate, apply the rules, choose the credential, write, sign, encrypt (design, section 4)."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import NamedTuple

from sts.core.authentication import authenticate
from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY
from sts.core.credentials import signing_credential
from sts.core.errors import AccessDenied, FormatNotOffered, NoEncryptionCertificate, RelyingPartyNotFound
from sts.core.exchange import (
    Actor,
    HolderOfKey,
    IssuedToken,
    Principal,
    TokenDescriptor,
    TokenProof,
    TokenRequest,
)
from sts.core.model import Claim, Namespace, PartnerCertificate, ProviderKind, RelyingParty, Rule, TokenFormat
from sts.core.parts import Parts
from sts.core.ports import Directory
from sts.core.presented import Presented
from sts.core.realms import candidates
from sts.core.redemption import redeem
from sts.core.rules import apply_rules


class TokenOrder(NamedTuple):
    """What somebody whose identity is settled asks for."""

    namespace: Namespace
    realm: str
    formats: frozenset[TokenFormat]  # what this door can deliver
    provider: str | None  # the name of the identity provider that vouches; None: a service identity asks for itself
    actors: tuple[Actor, ...] = ()  # who acts for whoever asks, the nearest first


def issue(request: TokenRequest, parts: Parts, now: datetime) -> IssuedToken:
    """Issue the token that a request asks for; `now` may carry microseconds.

    Raises the StsError of the first step that refuses. Who asks is settled before what for, so that strangers
    learn nothing about relying parties.
    """
    namespace = parts.directory.namespace(request.namespace)
    if request.client is not None:
        authenticate(namespace, request._replace(proof=request.client), parts, now)
    if not isinstance(request.proof, TokenProof):
        principal = authenticate(namespace, request, parts, now)
        return issue_to(principal, TokenOrder(namespace, request.realm, request.formats, None), parts, now)
    redeemed = redeem(Presented.at_token_endpoint(namespace, request.proof, request.source), parts, now)
    order = TokenOrder(namespace, request.realm, request.formats, redeemed.provider, redeemed.actors)
    return issue_to(redeemed.principal, order, parts, now)


def issue_to(principal: Principal, order: TokenOrder, parts: Parts, now: datetime) -> IssuedToken:
    """Issue a token to somebody whose identity is settled; `now` may carry microseconds.

    That relying party and identity provider are enabled, and the one lets people sign in at the other, is held against
    the configuration as it is now, however long ago the sign-in was. Raises RelyingPartyNotFound, FormatNotOffered,
    AccessDenied, RulesFailed, IssuingFailed.
    """
    relying_party = find_relying_party(order.namespace, order.realm, parts.directory)
    if relying_party.token_format not in order.formats:
        raise FormatNotOffered(
            f"tokens of relying party '{relying_party.name}' are {relying_party.token_format}, "
            f"which this endpoint does not issue; it issues {', '.join(sorted(order.formats))}"
        )
    require_allowed(order, relying_party, principal, parts.directory)
    claims = output_claims(relying_party, principal)
    wanted = MintOrder(order.namespace, relying_party, principal, claims, order.realm, actors=order.actors)
    return mint(wanted, parts, now)


def require_allowed(order: TokenOrder, relying_party: RelyingParty, principal: Principal, directory: Directory) -> None:
    """Return if the relying party takes people who sign in at that identity provider; raises AccessDenied."""
    if order.provider is None:
        return
    providers = directory.identity_providers(order.namespace)
    provider = next((known for known in providers if known.name == order.provider), None)
    if provider is None:
        fault = "is no more"
    elif not provider.enabled:
        fault = "is disabled"
    elif provider.name not in relying_party.identity_providers:
        fault = "is none of those that the relying party names in identity_providers"
    elif provider.kind is ProviderKind.LOCAL and not _may_sign_in(order.namespace, principal, directory):
        fault = f"has no enabled account '{principal.name}'"
    else:
        return
    raise AccessDenied(
        f"relying party '{relying_party.name}' takes nobody from identity provider '{order.provider}'",
        detail=f"the identity provider {fault}",
    )


def _may_sign_in(namespace: Namespace, principal: Principal, directory: Directory) -> bool:
    identity = directory.service_identity(namespace, principal.name)
    return identity is not None and identity.enabled and identity.interactive


def find_relying_party(namespace: Namespace, realm: str, directory: Directory) -> RelyingParty:
    """The enabled relying party that a requested realm means; raises RelyingPartyNotFound."""
    found = directory.relying_party(namespace, candidates(realm))
    if found is None or not found.enabled:
        detail = None if found is None else f"relying party '{found.name}' is disabled"
        raise RelyingPartyNotFound(f"Relying party with name '{realm}' was not found.", detail=detail)
    return found


def output_claims(relying_party: RelyingParty, principal: Principal) -> tuple[Claim, ...]:
    """What the rules make of a principal's claims, identityprovider last; raises AccessDenied, RulesFailed.

    The identityprovider claim is always the true one; a rule cannot make another, and alone it is no output.
    """
    alone = len(principal.claims) == 1  # as every service identity's: its name, for every token the same
    made = (_remembered if alone else _made)(relying_party.rules, principal.claims)
    if not made:
        raise AccessDenied(
            "no output claims were generated by rules",
            detail=f"no rule of relying party '{relying_party.name}' fits '{principal.name}'",
        )
    return (*made, Claim(IDENTITY_PROVIDER, principal.identity_provider, LOCAL_AUTHORITY))


def _made(rules: tuple[Rule, ...], claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    return tuple([claim for claim in apply_rules(rules, claims) if claim.type != IDENTITY_PROVIDER])


_remembered = lru_cache(maxsize=1024)(_made)


class MintOrder(NamedTuple):
    """What is settled before anything is signed."""

    namespace: Namespace
    relying_party: RelyingParty
    principal: Principal
    claims: tuple[Claim, ...]
    audience: str
    expires_at: datetime | None = None  # never later than the relying party's lifetime allows; None: then
    confirmation: HolderOfKey | None = None  # None: whoever bears the token may use it
    actors: tuple[Actor, ...] = ()  # who acts for the principal, the nearest first


def mint(order: MintOrder, parts: Parts, now: datetime) -> IssuedToken:
    """Write, sign and encrypt what is settled; raises IssuingFailed, KeyUnreadable."""
    relying_party = order.relying_party
    credential = signing_credential(order.namespace, relying_party, now)
    encrypt = _encryption(relying_party, parts, now)
    descriptor = _describe(order, parts.new_token_id(), now)
    signer = parts.key_ring.signer(order.namespace, credential)
    token = parts.formats[relying_party.token_format].write(descriptor, signer)
    return IssuedToken(
        token=token if encrypt is None else encrypt(token),
        format=relying_party.token_format,
        id=descriptor.id,
        audience=descriptor.audience,
        issued_at=descriptor.issued_at,
        expires_at=descriptor.expires_at,
        relying_party=relying_party.name,
        principal=order.principal.name,
        credential_id=credential.id,
        encrypted=encrypt is not None,
        decrypted_by=order.principal.decrypted_by,
        actors=order.actors,
    )


def _describe(order: MintOrder, token_id: str, now: datetime) -> TokenDescriptor:
    begin = now.replace(microsecond=0)
    latest = begin + order.relying_party.token_lifetime
    return TokenDescriptor(
        id=token_id,
        issuer=order.namespace.issuer,
        audience=order.audience,
        issued_at=now,
        not_before=begin,
        expires_at=latest if order.expires_at is None else min(order.expires_at, latest),
        claims=order.claims,
        authenticated_at=order.principal.authenticated_at,
        authentication_method=order.principal.method,
        jwt_type=order.relying_party.jwt_type,
        confirmation=order.confirmation,
        actors=order.actors,
    )


def _encryption(relying_party: RelyingParty, parts: Parts, now: datetime) -> Callable[[bytes], bytes] | None:
    """How the token is encrypted, None where it need not be; refuses before anything is signed."""
    if not relying_party.encryption_required and not relying_party.proof_of_possession:
        return None
    certificate = encryption_certificate(relying_party, now)
    encrypt = parts.encryptions[relying_party.token_format]
    return partial(encrypt, certificate=certificate.der, algorithm=relying_party.encryption_algorithm)


def encryption_certificate(relying_party: RelyingParty, now: datetime) -> PartnerCertificate:
    """What tokens of a relying party that must be encrypted are encrypted to; raises NoEncryptionCertificate."""
    certificate = relying_party.encryption_certificate
    if certificate is None or not relying_party.encryption_required or not certificate.is_valid(now):
        raise NoEncryptionCertificate(_no_encryption(relying_party))
    return certificate


def _no_encryption(relying_party: RelyingParty) -> str:
    certificate = relying_party.encryption_certificate
    if not relying_party.encryption_required:
        state = "encryption is not required of it although it takes proof-of-possession tokens"
    elif certificate is None:
        state = "it has no encryption certificate"
    else:
        state = f"its encryption certificate {certificate.subject} is not valid now"
    return (
        f"tokens of relying party '{relying_party.name}' must be encrypted, and {state}; "
        f"save a valid one with `sts apply`"
    )
