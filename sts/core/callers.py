"""Who sends a WS-Trust message, and what makes the message one that is answered once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from sts.core.authentication import FRESH, authenticate
from sts.core.decryption import with_proof_key
from sts.core.errors import AuthenticationFailed, InvalidToken
from sts.core.exchange import (
    Actor,
    CertificateProof,
    ConfirmationKey,
    DigestProof,
    HolderPolicy,
    Principal,
    PublicKey,
    SymmetricWrapped,
    TokenProof,
    TokenRequest,
    TokenUse,
)
from sts.core.model import TokenFormat
from sts.core.presented import Presented
from sts.core.redemption import redeem
from sts.core.trust import Call, Caller, KeyKind, Possession, SecretKey

_SECOND: Final = timedelta(seconds=1)
_MESSAGE: Final = "wsa:MessageID"  # in the place of a token's issuer
_NONCE: Final = "wsse:Nonce"
_DIGEST: Final = "wsse:PasswordDigest"
_NO_FORMATS: Final = frozenset[TokenFormat]()


class Party(NamedTuple):
    """Who calls, after authentication."""

    principal: Principal
    source: str
    provider: str | None = None  # the name of the identity provider that vouches; None: it is a service identity
    actors: tuple[Actor, ...] = ()  # who acts for the principal, the nearest first
    key: PublicKey | None = None  # of its token, whose possession the message proved
    certificate: bytes | None = None  # DER, whose private key was proved


def authenticated(caller: Caller, call: Call) -> Party:
    """Who calls: a service identity, or whoever an identity provider's token is about.

    A certificate's private key was proved before, by TLS or by the message's signature; the key of a holder-of-key
    token is proved here. Raises AuthenticationFailed, TooManyRequests, StoreUnavailable or a subclass of InvalidToken.
    """
    if isinstance(caller.proof, TokenProof):
        return _by_token(caller, caller.proof, call)
    request = TokenRequest(caller.namespace, "", caller.proof, _NO_FORMATS, caller.source, caller.trace_id)
    principal = authenticate(call.namespace, request, call.parts, call.now)
    if isinstance(caller.proof, CertificateProof):
        return Party(principal, caller.source, certificate=caller.proof.certificate)
    if caller.possession is not None:
        raise AuthenticationFailed(detail="the message is signed by a key that nothing in it proves")
    return Party(principal, caller.source)


def message_uses(caller: Caller) -> Iterator[TokenUse]:
    """What must be on record before a message is answered: its id, its nonce, the digest of its password."""
    message, proof = caller.message, caller.proof
    made_at = message.remember_until - FRESH - _SECOND
    if message.id is not None:
        yield TokenUse(_MESSAGE, message.id, message.remember_until, made_at)
    if message.nonce is not None:
        yield TokenUse(_NONCE, message.nonce, message.remember_until, made_at)
    if isinstance(proof, DigestProof):  # itself, not its nonce: bytes could move from that to Created
        until = max(proof.created_at + FRESH + _SECOND, message.remember_until)
        yield TokenUse(_DIGEST, proof.digest.hex(), until, min(proof.created_at, made_at))


def _by_token(caller: Caller, proof: TokenProof, call: Call) -> Party:
    bearer = caller.key is KeyKind.BEARER
    if bearer and caller.possession is not None:
        raise AuthenticationFailed(detail="a message with a bearer token is signed by a key that nothing in it proves")
    policy = HolderPolicy.REFUSED if bearer else HolderPolicy.REQUIRED
    presented = Presented.at_trust_endpoint(call.namespace, proof, caller.source).held_by(policy)
    redeemed = redeem(presented, call.parts, call.now)
    if not bearer and redeemed.holder is None:
        raise InvalidToken("The token is not valid.", detail="a bearer token where one must prove a key")
    key = None if redeemed.holder is None else _proved(caller, redeemed.holder, presented, call)
    return Party(redeemed.principal, caller.source, redeemed.provider, redeemed.actors, key)


def _proved(caller: Caller, holder: ConfirmationKey, presented: Presented, call: Call) -> PublicKey | None:
    """The public key of a token, None where it is secret; raises unless it made the message's signature."""
    is_public = isinstance(holder, PublicKey)
    if is_public is not (caller.key is KeyKind.PUBLIC):
        kind = "public" if is_public else "secret"
        raise InvalidToken(
            "The token is not valid.", detail=f"its key is {kind}, and this endpoint takes the other kind"
        )
    if caller.possession is None:
        raise AuthenticationFailed(detail="the message is not signed by the key of its token")
    if isinstance(holder, PublicKey):
        call.desk.verify_possession(caller.possession, holder)
        return holder
    _require_secret(caller.possession, holder, presented, call)
    return None


def _require_secret(possession: Possession, holder: SymmetricWrapped, presented: Presented, call: Call) -> None:
    """Return if the secret key that was wrapped for us made the signature; raises InvalidEncryptedToken."""

    def verify(secret: bytes) -> None:
        call.desk.verify_possession(possession, SecretKey(secret))

    with_proof_key(presented, holder, verify, call.parts, call.now)
