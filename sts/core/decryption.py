"""Opens what partners encrypt to a namespace, so that its refusals tell nothing and guessing is bounded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from secrets import token_bytes
from typing import Final, NamedTuple, TypeVar

from sts.core.credentials import decryption_credentials
from sts.core.errors import NO_CREDENTIAL, InvalidEncryptedToken, InvalidToken, KeyUnreadable
from sts.core.exchange import SymmetricWrapped, TokenProof
from sts.core.model import ContentEncryption, KeyTransport, Namespace
from sts.core.parts import Parts
from sts.core.ports import Decrypter
from sts.core.presented import Presented

T = TypeVar("T")
PROOF_KEY_BYTES: Final = range(16, 65)

_USUAL_PROOF_KEY_BYTES = 32


class Opened(NamedTuple):
    """What was encrypted, how, and the credential whose key opened it."""

    proof: TokenProof
    algorithm: ContentEncryption
    credential_id: int | None


class _Tried:
    """The decrypter of a credential, which remembers whether its key fitted."""

    def __init__(self, credential_id: int, decrypter: Decrypter) -> None:
        self.credential_id = credential_id
        self.fitted: bool | None = None  # None: it was not tried
        self._decrypter = decrypter

    def unwrap(self, wrapped: bytes, transport: KeyTransport) -> bytes | None:
        """As the decrypter does."""
        content_key = self._decrypter.unwrap(wrapped, transport)
        self.fitted = content_key is not None
        return content_key


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
            proof = parts.decrypt(presented.proof.token, decrypters, algorithm)
        except InvalidEncryptedToken as error:
            reasons.append(error.detail or error.message)
            continue
        return Opened(proof, algorithm, _opener(decrypters))
    detail = "; ".join(reasons) or "no identity provider sends encrypted tokens"
    raise InvalidEncryptedToken(detail=detail, decrypted_by=_opener(decrypters))


@contextmanager
def after_opening(credential_id: int | None) -> Iterator[None]:
    """Whatever is refused within names the credential that opened the token, for the log."""
    try:
        yield
    except InvalidToken as error:
        raise InvalidEncryptedToken(detail=f"{error.codes} ({error.detail})", decrypted_by=credential_id) from error


def with_proof_key(
    presented: Presented, wrapped: SymmetricWrapped, use: Callable[[bytes], None], parts: Parts, now: datetime
) -> int:
    """The credential that opened the proof key which an identity provider wrapped for us, once `use` is done with it.

    Every key of ours is tried, always; where none fits, a random one is used, so that a key which does not open and
    one that proves nothing cost the same and are refused alike. Raises InvalidEncryptedToken for every InvalidToken of
    `use` too, TooManyRequests beyond 20 failures a minute from this source, KeyUnreadable (threats.md, 7.3).
    """

    def read() -> int:
        decrypters = _decrypters(presented.namespace, parts, now)
        keys = [(each.unwrap(wrapped.wrapped, wrapped.transport), each.credential_id) for each in decrypters]
        for key, credential_id in keys:
            if key is not None and len(key) in PROOF_KEY_BYTES:
                with after_opening(credential_id):
                    use(key)
                return credential_id
        with suppress(InvalidToken):
            use(token_bytes(_USUAL_PROOF_KEY_BYTES))
        detail = f"proof key: none of our {len(decrypters)} keys opens it"
        raise InvalidEncryptedToken(detail=detail, decrypted_by=_opener(decrypters))

    return within_budget(presented, "", read, parts, now)


def _opener(decrypters: Sequence[_Tried]) -> int | None:
    """The credential whose key fitted, NO_CREDENTIAL where none did, None where none was tried."""
    tried = [each for each in decrypters if each.fitted is not None]
    return next((each.credential_id for each in tried if each.fitted), NO_CREDENTIAL if tried else None)


def _decrypters(namespace: Namespace, parts: Parts, now: datetime) -> Sequence[_Tried]:
    """The namespace's keys, the primary first; raises KeyUnreadable if there are some and none can be read."""
    found, unreadable = [], []
    for credential in decryption_credentials(namespace, now):
        try:
            found.append(_Tried(credential.id, parts.key_ring.decrypter(namespace, credential)))
        except KeyUnreadable as error:
            unreadable.append(error)
    if unreadable and not found:
        raise unreadable[0]
    return found
