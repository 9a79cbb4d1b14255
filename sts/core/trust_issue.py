"""A token for whoever is settled, as a WS-Trust request wishes it: format, key, lifetime, claims (WS-Trust 1.3, 4)."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sts.core.callers import Party
from sts.core.claims import IDENTITY_PROVIDER
from sts.core.errors import (
    AccessDenied,
    BadRequest,
    FormatNotOffered,
    InvalidCertificate,
    InvalidScope,
    InvalidTimeRange,
    KeyNotOffered,
    MissingClaim,
)
from sts.core.exchange import HolderOfKey, IssuedToken, PublicHolder, SymmetricHolder
from sts.core.issue import (
    MintOrder,
    TokenOrder,
    encryption_certificate,
    find_relying_party,
    mint,
    output_claims,
    require_allowed,
)
from sts.core.model import Claim, RelyingParty, TokenFormat
from sts.core.own_tokens import Subject
from sts.core.presented import SKEW
from sts.core.proof_keys import new_proof_key
from sts.core.trust import (
    Call,
    KeyKind,
    KeyRequest,
    ProofKey,
    Renewing,
    RequestedClaims,
    RequestedLifetime,
    TrustAnswer,
    TrustRequest,
)

_ALL_FORMATS = frozenset(TokenFormat)


class Asked(NamedTuple):
    """One request, who sent it, and whom the token is about."""

    request: TrustRequest
    party: Party
    subject: Subject


class Bond(NamedTuple):
    """The key that a token is bound to, and what of it goes to the caller."""

    kind: KeyKind
    confirmation: HolderOfKey | None = None
    proof: ProofKey | None = None


def issue_token(asked: Asked, call: Call) -> TrustAnswer:
    """Issue what is asked for, held against the configuration as it is now.

    A key that proves possession is never written where anybody but the relying party could read it. Raises what
    `issue_to` raises, InvalidScope, InvalidTimeRange, KeyNotOffered, BadRequest.
    """
    request = asked.request
    if request.realm is None:
        raise InvalidScope("The request does not say for whom the token is (AppliesTo).")
    relying_party = in_format(find_relying_party(call.namespace, request.realm, call.parts.directory), request.format)
    claims = granted_claims(asked, relying_party, request.realm, call)
    bond = _bond(request.key, asked.party, relying_party, call)
    order = MintOrder(
        namespace=call.namespace,
        relying_party=relying_party,
        principal=asked.subject.principal,
        claims=claims,
        audience=request.realm,
        expires_at=end_of(request.lifetime, relying_party, call.now),
        confirmation=bond.confirmation,
        actors=asked.subject.actors,
    )
    return minted(request, order, bond, call)


def minted(request: TrustRequest, order: MintOrder, bond: Bond, call: Call) -> TrustAnswer:
    """The answer with a new token; its type is told in the words of the request.

    One that shall not be renewed is on record as such before it is handed out. Raises what `mint` raises, and
    StoreUnavailable.
    """
    token_type = request.token_type or order.relying_party.token_format.uri
    issued = mint(order, call.parts, call.now)
    if request.renewing is Renewing.REFUSED:
        call.desk.cancellations.forbid_renewal(call.namespace, _id_as_read(issued, call), issued.expires_at, call.now)
    return TrustAnswer(
        request,
        issued,
        bond.proof,
        token_type=token_type,
        key=bond.kind,
        actors=order.actors,
        # a service of ours acts where a token is issued, and nobody else's token names it as an actor
        renewable=all(actor.identity_provider != call.namespace.issuer for actor in order.actors),
    )


def _id_as_read(issued: IssuedToken, call: Call) -> str:
    """What a token of ours is called by whoever reads it."""
    saml_id = f"_{issued.id}"  # as an XML ID begins; an encrypted token is SAML, and is not read here
    return saml_id if issued.encrypted else call.parts.formats[issued.format].view(issued.token).id or issued.id


def granted_claims(asked: Asked, relying_party: RelyingParty, realm: str, call: Call) -> tuple[Claim, ...]:
    """What the relying party is told of the subject: what its rules make, less what was not asked for.

    Raises AccessDenied, MissingClaim, RulesFailed.
    """
    principal = asked.subject.principal
    order = TokenOrder(call.namespace, realm, _ALL_FORMATS, asked.subject.provider)
    require_allowed(order, relying_party, principal, call.parts.directory)
    return asked_for(output_claims(relying_party, principal), asked.request.claims)


def asked_for(claims: tuple[Claim, ...], requested: RequestedClaims) -> tuple[Claim, ...]:
    """The claims of the types that are asked for, and whose token it is; raises MissingClaim, AccessDenied."""
    if not requested.required and not requested.optional:
        return claims
    missing = set(requested.required) - {claim.type for claim in claims}
    if missing:
        raise MissingClaim(f"There is no claim of the type '{min(missing)}', which is asked for.")
    wanted = {*requested.required, *requested.optional, IDENTITY_PROVIDER}
    left = tuple(claim for claim in claims if claim.type in wanted)
    if len(left) == 1 and IDENTITY_PROVIDER not in requested.required:
        raise AccessDenied("there is no claim of the types that are asked for")
    return left


def in_format(relying_party: RelyingParty, wanted: TokenFormat | None) -> RelyingParty:
    """The relying party as one whose tokens have the format that is asked for; None: its own.

    Raises FormatNotOffered for one that cannot be encrypted where that is required.
    """
    if wanted is None or wanted is relying_party.token_format:
        return relying_party
    if relying_party.encryption_required and not wanted.is_saml:
        raise FormatNotOffered(
            f"tokens of relying party '{relying_party.name}' must be encrypted, and {wanted} cannot be; ask for SAML"
        )
    return replace(relying_party, token_format=wanted)


def end_of(lifetime: RequestedLifetime, relying_party: RelyingParty, now: datetime) -> datetime:
    """When the token ends: as asked, but no later than the relying party's lifetime; raises InvalidTimeRange."""
    begin = now.replace(microsecond=0)
    latest = begin + relying_party.token_lifetime
    created, expires = lifetime
    if created is not None and created > begin + SKEW:
        raise InvalidTimeRange("No token is issued that begins in the future.")
    if expires is None:
        return latest
    if expires <= begin or (created is not None and expires <= created):
        raise InvalidTimeRange("The lifetime that is asked for is over before it begins.")
    return min(expires.replace(microsecond=0), latest)


def _bond(key: KeyRequest | None, party: Party, relying_party: RelyingParty, call: Call) -> Bond:
    """Bind the token as asked; raises KeyNotOffered, NoEncryptionCertificate, BadRequest."""
    if key is None or key.kind is KeyKind.BEARER:
        return Bond(KeyKind.BEARER)
    name = relying_party.name
    if not relying_party.proof_of_possession:
        raise KeyNotOffered(f"relying party '{name}' takes bearer tokens only (proof_of_possession)")
    if not relying_party.token_format.is_saml:
        raise KeyNotOffered(f"only SAML tokens are bound to a key, and {relying_party.token_format} is asked for")
    certificate = encryption_certificate(relying_party, call.now)
    if key.kind is KeyKind.SYMMETRIC:
        proof = new_proof_key(key)
        return Bond(key.kind, SymmetricHolder(proof.key, certificate.der), proof)
    if key.public_key is None:
        return Bond(key.kind, _callers_key(party, call))
    if key.signed and _callers_key(party, call).public_key != key.public_key:
        raise BadRequest("the key of UseKey is not the one that signed the message, as its Sig says")
    return Bond(key.kind, PublicHolder(key.public_key, key.certificate))


def _callers_key(party: Party, call: Call) -> PublicHolder:
    """The public key that the caller authenticated with; raises BadRequest."""
    if party.key is not None:
        return PublicHolder(party.key.spki)
    if party.certificate is None:
        raise BadRequest("the request names no public key (UseKey), and the caller did not authenticate with one")
    try:
        return PublicHolder(call.desk.public_key(party.certificate).spki, party.certificate)
    except InvalidCertificate as error:
        raise BadRequest(f"no token is bound to the key of the caller's certificate: {error.message}") from error
