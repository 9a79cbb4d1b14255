"""Opens what partners encrypt to a namespace, so that its refusals tell nothing and guessing is bounded."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from secrets import token_bytes
from typing import Final, NamedTuple, TypeVar

from sts.core.credentials import decryption_credentials
from sts.core.errors import InvalidEncryptedToken, InvalidToken, KeyUnreadable
from sts.core.exchange import SymmetricWrapped, TokenProof
from sts.core.model import ContentEncryption, Namespace, TokenFormat
from sts.core.parts import Parts
from sts.core.ports import Decrypter
from sts.core.presented import Presented

T = TypeVar("T")
PROOF_KEY_BYTES: Final = range(16, 65)

_USUAL_PROOF_KEY_BYTES = 32


class Opened(NamedTuple):
    """What was encrypted, and how."""

    proof: TokenProof
    algorithm: ContentEncryption


def within_budget(presented: Presented, sender: str, read: Callable[[], T], parts: Parts, now: datetime) -> T:
    """What `read` makes of an encrypted token, unless too many from this source have failed.

    `sender` is the identity provider's name, or "" where it is not known yet. Whatever makes the token invalid, before,
    while or after it is decrypted, is raised as InvalidEncryptedToken and counted (threats.md, 7.3); raises
    TooManyRequests beyond 20 a minute.
    """
    parts.decryption_failures.check(presented.namespace, sender, presented.source, now)
    try:
        return read()
    except InvalidToken as error:
        parts.decryption_failures.record(presented.namespace, sender, presented.source, now)
        if isinstance(error, InvalidEncryptedToken):
            raise
        raise InvalidEncryptedToken(detail=f"{error.codes} ({error.detail})") from error


def opened(presented: Presented, algorithms: Sequence[ContentEncryption], parts: Parts, now: datetime) -> Opened:
    """Decrypt a token whose sender is held to one of these algorithms; raises InvalidEncryptedToken, KeyUnreadable.

    A token of another algorithm is refused before a key is used, so that only one of them ever is. A key that is
    unreadable leaves the decrypting to the others.
    """
    decrypters = _decrypters(presented.namespace, parts, now)
    reasons = []
    for algorithm in algorithms:
        try:
            plaintext = parts.decrypt(presented.proof.token, decrypters, algorithm)
        except InvalidEncryptedToken as error:
            reasons.append(error.detail or error.message)
            continue
        return Opened(_proof(plaintext, parts), algorithm)
    raise InvalidEncryptedToken(detail="; ".join(reasons) or "no identity provider sends encrypted tokens")


def with_proof_key(
    presented: Presented, wrapped: SymmetricWrapped, use: Callable[[bytes], T], parts: Parts, now: datetime
) -> T:
    """What `use` makes of the proof key that an identity provider wrapped for us in its assertion.

    Every key of ours is tried, always; where none fits, a random one is used, so that a key which does not open and
    one that proves nothing cost the same and are refused alike. Raises InvalidEncryptedToken for every InvalidToken of
    `use` too, TooManyRequests beyond 20 failures a minute from this source, KeyUnreadable (threats.md, 7.3).
    """

    def read() -> T:
        decrypters = _decrypters(presented.namespace, parts, now)
        keys = [decrypter.unwrap(wrapped.wrapped, wrapped.transport) for decrypter in decrypters]
        fitting = next((key for key in keys if key is not None and len(key) in PROOF_KEY_BYTES), None)
        if fitting is not None:
            return use(fitting)
        with suppress(InvalidToken):
            use(token_bytes(_USUAL_PROOF_KEY_BYTES))
        raise InvalidEncryptedToken(detail=f"proof key: none of our {len(decrypters)} keys opens it")

    return within_budget(presented, "", read, parts, now)


def _decrypters(namespace: Namespace, parts: Parts, now: datetime) -> Sequence[Decrypter]:
    """The namespace's keys, the primary first; raises KeyUnreadable if there are some and none can be read."""
    found, unreadable = [], []
    for credential in decryption_credentials(namespace, now):
        try:
            found.append(parts.key_ring.decrypter(namespace, credential))
        except KeyUnreadable as error:
            unreadable.append(error)
    if unreadable and not found:
        raise unreadable[0]
    return found


def _proof(plaintext: bytes, parts: Parts) -> TokenProof:
    """The assertion with its version, which only its plaintext shows; raises InvalidToken."""
    try:
        parts.formats[TokenFormat.SAML11].view(plaintext)
    except InvalidToken:
        return TokenProof(TokenFormat.SAML20, plaintext)  # or nothing that is one, as its reader will say
    return TokenProof(TokenFormat.SAML11, plaintext)
