"""Tokens of ours that their owners renew or cancel (WS-Trust 1.3, 5 and 6)."""

from typing import NamedTuple

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.errors import AccessDenied, BadRequest, FormatNotOffered, InvalidToken, KeyNotOffered, UnableToRenew
from sts.core.exchange import Actor, ConfirmationKey, PublicHolder, PublicKey, TokenProof
from sts.core.issue import MintOrder, encryption_certificate, find_relying_party
from sts.core.model import Claim, RelyingParty
from sts.core.own_tokens import OwnToken, is_own, read_own
from sts.core.redemption import claimed_by
from sts.core.trust import Call, KeyKind, TrustAnswer, TrustRequest
from sts.core.trust_issue import Asked, Bond, end_of, granted_claims, in_format, minted


class _Owned(NamedTuple):
    """A token of ours, and what its owner would be told today."""

    own: OwnToken
    relying_party: RelyingParty
    claims: tuple[Claim, ...]


def renew(asked: Asked, call: Call) -> TrustAnswer:
    """Issue a token anew for whom it was, with the claims of today and the same key; the old one stays as it is.

    Only whoever the token is about renews it, together with whom acted for him then. Raises UnableToRenew for one that
    is over, cancelled, somebody else's, bound to a secret key, or that was asked for as not to be renewed;
    KeyNotOffered, InvalidToken, and what issuing raises.
    """
    own = _target(asked.request.target, "RenewTarget", call)
    if own.has_expired(call.now):
        raise UnableToRenew(f"The token expired on {own.expires_at:%FT%TZ}; ask for a new one.")
    if call.desk.cancellations.is_cancelled(call.namespace, own.cancelled_as):
        raise UnableToRenew("The token was cancelled; ask for a new one.")
    if not call.desk.cancellations.is_renewable(call.namespace, own.token.id):
        raise UnableToRenew("The token was asked for as one that is not renewed (Renewing); ask for a new one.")
    request = asked.request
    if request.format not in (None, own.format):
        raise FormatNotOffered(f"a {own.format} token is renewed as one; use Issue or Validate for another format")
    relying_party = in_format(find_relying_party(call.namespace, own.audience, call.parts.directory), own.format)
    owned = _Owned(own, relying_party, granted_claims(asked, relying_party, own.audience, call))
    if not _is_about(owned, asked) or own.token.actors != asked.subject.actors:
        raise UnableToRenew("The token is somebody else's.", detail=f"'{asked.party.principal.name}' asks")
    if request.realm not in (None, own.audience):
        raise BadRequest("a token is renewed for the relying party that it was for; use Issue for another")
    bond = _same_bond(owned, request, call)
    order = MintOrder(
        namespace=call.namespace,
        relying_party=relying_party,
        principal=asked.subject.principal,
        claims=owned.claims,
        audience=own.audience,
        expires_at=end_of(request.lifetime, relying_party, call.now),
        confirmation=bond.confirmation,
        actors=own.token.actors,
    )
    return minted(request, order, bond, call)._replace(target_id=own.token.id)


def cancel(asked: Asked, call: Call) -> TrustAnswer:
    """End a token before its time: it is remembered until its end, and neither valid nor renewed from then on.

    Whoever the token is about cancels it, or who asked for it on his behalf. What relying parties make of it is their
    affair. Raises InvalidToken, AccessDenied, StoreUnavailable.
    """
    own = _target(asked.request.target, "CancelTarget", call)
    relying_party = find_relying_party(call.namespace, own.audience, call.parts.directory)
    party = asked.party.principal
    acted = own.token.actors[:1] == (Actor(party.name, party.identity_provider),)
    if not acted:
        claims = granted_claims(asked, relying_party, own.audience, call)
        if not _is_about(_Owned(own, relying_party, claims), asked):
            raise AccessDenied("the token is somebody else's", detail=f"'{party.name}' asks")
    if not own.has_expired(call.now):
        call.desk.cancellations.cancel(call.namespace, own.cancelled_as, own.expires_at, call.now)
    return TrustAnswer(asked.request, target_id=own.token.id)


def _target(target: TokenProof | None, name: str, call: Call) -> OwnToken:
    """The token that is meant; raises BadRequest, InvalidToken unless it is one of ours."""
    if target is None:
        raise BadRequest(f"the request holds no token ({name})")
    claimed = claimed_by(target, call.parts)
    if claimed.encrypted:
        raise InvalidToken(
            "The token is encrypted to its relying party, so that nobody else can read it.",
            detail=f"{name} is encrypted",
        )
    if not is_own(claimed, call):
        raise InvalidToken("The token is not one of this service.", detail=f"{name} is issued by {claimed.issuer!a}")
    return read_own(target, claimed, call)


def _is_about(owned: _Owned, asked: Asked) -> bool:
    """Whether the token says of somebody what it would say today of the one who asks.

    That is who vouches for him and his name, or all of it in tokens that name nobody: then they are alike to the
    relying party, too.
    """
    told, today = _by_type(owned.own.claims), _by_type(owned.claims)
    if told.get(IDENTITY_PROVIDER) != {asked.subject.principal.identity_provider}:
        return False
    if NAME_IDENTIFIER in told:
        return told[NAME_IDENTIFIER] == today.get(NAME_IDENTIFIER)
    return told == today


def _by_type(claims: tuple[Claim, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for claim in claims:
        found.setdefault(claim.type, set()).add(claim.value)
    return found


def _same_bond(owned: _Owned, request: TrustRequest, call: Call) -> Bond:
    """The key that the token is bound to, again; raises UnableToRenew, KeyNotOffered, NoEncryptionCertificate."""
    holder = owned.own.token.holder
    kind = _kind(holder)
    if request.key is not None and request.key.kind is not kind:
        raise KeyNotOffered(f"a token is renewed with the key that it has, and this one's is {kind}")
    if holder is None:
        return Bond(kind)
    if not isinstance(holder, PublicKey):
        raise UnableToRenew("A token with a symmetric key is not renewed: only its relying party knows the key.")
    encryption_certificate(owned.relying_party, call.now)
    return Bond(kind, PublicHolder(holder.spki))


def _kind(holder: ConfirmationKey | None) -> KeyKind:
    if holder is None:
        return KeyKind.BEARER
    return KeyKind.PUBLIC if isinstance(holder, PublicKey) else KeyKind.SYMMETRIC
