"""Password checks: slow hashes, bounded guessing, and a short memory for what was right (core.ports.Passwords)."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sts.core.errors import AuthenticationFailed, StoreUnavailable, TooManyRequests
from sts.core.exchange import DigestAttempt, DigestProof, PasswordAttempt
from sts.core.model import Namespace, ServiceIdentity
from sts.crypto.passwords import verify_password
from sts.store.failures import FailureCounters, network_of
from sts.store.guesses import WrongGuesses

REMEMBERED_FOR: Final = timedelta(minutes=5)
MAX_REMEMBERED: Final = 10_000

_LOG: Final = logging.getLogger(__name__)


class LimitedPasswords:
    """Checks passwords against their Argon2id hashes.

    A success is remembered for five minutes after its last use in this process, under a hash keyed by the process and
    over the stored hash, so that a changed password is forgotten with it, and over the network that it came from.
    Failures are counted in the database; what is remembered asks neither the counters nor Argon2, so that strangers
    who guess do not lock a busy client out. From elsewhere the right password is refused with the guesses, or it would
    show itself by that; and after 100 different guesses within an hour from its own network, there too.
    """

    def __init__(
        self, failures: FailureCounters, verify: Callable[[str | None, bytes], None] = verify_password
    ) -> None:
        self._failures = failures
        self._verify = verify
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, datetime] = {}
        self._guesses = WrongGuesses(MAX_REMEMBERED)

    def check(self, identity: ServiceIdentity | None, attempt: PasswordAttempt, now: datetime) -> None:
        """Return if the password is the identity's; raises AuthenticationFailed, TooManyRequests, StoreUnavailable."""
        password_hash = identity.password_hash if identity is not None else None
        whence = _whence(attempt.namespace, attempt.name, attempt.source)
        mark = self._keyed(f"{whence} {password_hash} ", attempt.password)
        if self._is_remembered(mark, whence, now):
            return
        with self._counting(whence, mark, now):
            self._failures.check(attempt.namespace, attempt.name, attempt.source, now)
            try:
                self._verify(password_hash, attempt.password)
            except AuthenticationFailed:
                self._failures.record(attempt.namespace, attempt.name, attempt.source, now)
                raise
        self._remember(mark, whence, now)
        if identity is not None and attempt.name == identity.name:  # and not a browser that is counted by itself
            self._record_success(attempt.namespace, attempt.name, attempt.source, now)

    def check_digest(self, password: bytes | None, attempt: DigestAttempt, now: datetime) -> None:
        """Return if the digest was made with this password; raises AuthenticationFailed, TooManyRequests.

        A right one is remembered as a right password is. Raises StoreUnavailable where the counters cannot be read.
        """
        namespace, name = attempt.namespace, attempt.proof.name
        is_right = hmac.compare_digest(_digest(attempt.proof, password or self._key), attempt.proof.digest)
        whence = _whence(namespace, name, attempt.source)
        mark = self._keyed(f"digest {whence} ", password or b"")
        if is_right and password and self._is_remembered(mark, whence, now):
            return
        with self._counting(whence, mark if is_right else attempt.proof.digest, now):
            self._failures.check(namespace, name, attempt.source, now)
            if not is_right or not password:
                self._failures.record(namespace, name, attempt.source, now)
                reason = "the digest is wrong" if password else "there is no password to compare a digest with"
                raise AuthenticationFailed(detail=reason)
        self._remember(mark, whence, now)
        self._record_success(namespace, name, attempt.source, now)

    def _record_success(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Whoever was right is not refused because that cannot be kept."""
        try:
            self._failures.record_success(namespace, name, source, now)
        except StoreUnavailable as error:
            _LOG.warning(
                "that '%s' was right from '%s' is not recorded: %s (%s)", name, source, error.codes, error.detail
            )

    @contextmanager
    def _counting(self, whence: str, mark: bytes, now: datetime) -> Iterator[None]:
        """What is refused is a guess, whether anybody looked at it or not."""
        try:
            yield
        except (AuthenticationFailed, TooManyRequests, StoreUnavailable):
            self._guesses.add(whence, mark, now)
            raise

    def _is_remembered(self, mark: bytes, whence: str, now: datetime) -> bool:
        until = self._remembered.get(mark)
        if until is None or now >= until or self._guesses.are_too_many(whence, now):
            return False
        self._remembered[mark] = now + REMEMBERED_FOR
        return True

    def _keyed(self, head: str, password: bytes) -> bytes:
        data = head.encode("utf-8", "surrogatepass") + password
        return hashlib.blake2b(data, key=self._key, digest_size=32).digest()

    def _remember(self, mark: bytes, whence: str, now: datetime) -> None:
        self._guesses.watch(whence, now)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered = {known: until for known, until in self._remembered.copy().items() if until > now}
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered = {}
        self._remembered[mark] = now + REMEMBERED_FOR


def _whence(namespace: Namespace, name: str, source: str) -> str:
    """Who asks from which network: no two of them are one text."""
    network = network_of(source)
    return f"{namespace.id} {len(name)} {name} {len(network)} {network}"


def _digest(proof: DigestProof, password: bytes) -> bytes:
    """What a password makes of a nonce and an instant (UsernameToken Profile 1.1, 3.1), which has no other hash."""
    return hashlib.sha1(proof.nonce + proof.created.encode() + password, usedforsecurity=False).digest()
