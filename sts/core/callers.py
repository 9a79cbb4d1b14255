"""Who sends a WS-Trust message, and what makes the message one that is answered once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, NamedTuple

from sts.core.authentication import authenticate
from sts.core.decryption import after_opening, with_proof_key
from sts.core.errors import AuthenticationFailed, InvalidEncryptedToken, InvalidToken
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
from sts.core.presented import FRESH, Presented
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


@contextmanager
def opened_before(credential_id: int | None, source: str, call: Call) -> Iterator[None]:
    """Whatever is refused within is refused, and counted, as while a token is opened: that credential opened this one.

    A token that came plain (None) is refused for what it is, and what was counted already is not counted again.
    """
    try:
        yield
    except InvalidEncryptedToken:
        raise
    except InvalidToken:
        if credential_id is None:
            raise
        call.parts.decryption_failures.record(call.namespace, "", source, call.now)
        with after_opening(credential_id):
            raise


def _by_token(caller: Caller, proof: TokenProof, call: Call) -> Party:
    bearer = caller.key is KeyKind.BEARER
    if bearer and caller.possession is not None:
        raise AuthenticationFailed(detail="a message with a bearer token is signed by a key that nothing in it proves")
    if not bearer and caller.possession is None:
        raise AuthenticationFailed(detail="the message is not signed by the key of its token")
    policy = HolderPolicy.REFUSED if bearer else HolderPolicy.REQUIRED
    presented = Presented.at_trust_endpoint(call.namespace, proof, caller.source).held_by(policy)
    redeemed = redeem(presented, call.parts, call.now)
    principal, holder = redeemed.principal, redeemed.holder
    if caller.possession is not None:
        with opened_before(principal.decrypted_by, caller.source, call):
            opener = _prove(_Held(presented, holder, caller.key), caller.possession, call)
        if principal.decrypted_by is None:
            principal = principal._replace(decrypted_by=opener)
    key = holder if isinstance(holder, PublicKey) else None
    return Party(principal, caller.source, redeemed.provider, redeemed.actors, key)


class _Held(NamedTuple):
    """A token, the key that it asks its presenter to prove, and the kind of key that the endpoint takes."""

    presented: Presented
    key: ConfirmationKey | None  # None: it asks for none
    kind: KeyKind


def _prove(held: _Held, possession: Possession, call: Call) -> int | None:
    """Return if the key of a token made the message's signature; the credential that opened it, where it is secret."""
    if held.key is None:
        raise InvalidToken("The token is not valid.", detail="a bearer token where one must prove a key")
    is_public = isinstance(held.key, PublicKey)
    if is_public is not (held.kind is KeyKind.PUBLIC):
        kind = "public" if is_public else "secret"
        raise InvalidToken(
            "The token is not valid.", detail=f"its key is {kind}, and this endpoint takes the other kind"
        )
    if isinstance(held.key, PublicKey):
        call.desk.verify_possession(possession, held.key)
        return None
    return _prove_secret(possession, held.key, held.presented, call)


def _prove_secret(possession: Possession, holder: SymmetricWrapped, presented: Presented, call: Call) -> int:
    """The credential that opened the secret key, which made the signature; raises InvalidEncryptedToken."""

    def verify(secret: bytes) -> None:
        call.desk.verify_possession(possession, SecretKey(secret))

    return with_proof_key(presented, holder, verify, call.parts, call.now)
