"""The raw rate of a private-key operation: the same library, the same kind of key, nothing else."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

MESSAGE = bytes(600)  # about what a token signs
BATCH = 16  # operations between two looks at the clock


class Operation(StrEnum):
    """Private-key operations that tokens cost."""

    RSA2048 = "rsa2048"
    P256 = "p256"
    SIGN_IN = "one rsa2048 verification and one signature"
    ENCRYPTED_SIGN_IN = "the same and one rsa2048 decryption"


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something was done, by the clock on the wall and by processor time."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """By the wall clock."""
        return self.count / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """By processor time."""
        return self.count / self.cpu_seconds


def total(rates: Sequence[Rate]) -> Rate:
    """What was done in all of these."""
    return Rate(
        sum(rate.count for rate in rates),
        sum(rate.seconds for rate in rates),
        sum(rate.cpu_seconds for rate in rates),
    )


@cache
def operation(name: Operation) -> Callable[[], bytes]:
    """A function that does the operation once, with a key made for this process."""
    if name is Operation.P256:
        ec_key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(SHA256())
        return lambda: ec_key.sign(MESSAGE, algorithm)
    rsa_key, pad, digest = rsa.generate_private_key(65537, 2048), padding.PKCS1v15(), SHA256()
    if name is Operation.RSA2048:
        return lambda: rsa_key.sign(MESSAGE, pad, digest)
    return _signing_in(rsa_key, name)


def _signing_in(key: rsa.RSAPrivateKey, name: Operation) -> Callable[[], bytes]:
    """What signing in costs at least: the incoming token is verified, the outgoing one signed."""
    public_key, pad, digest = key.public_key(), padding.PKCS1v15(), SHA256()
    signature = key.sign(MESSAGE, pad, digest)

    def sign_in() -> bytes:
        public_key.verify(signature, MESSAGE, pad, digest)
        return key.sign(MESSAGE, pad, digest)

    if name is Operation.SIGN_IN:
        return sign_in
    oaep = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)
    wrapped = public_key.encrypt(bytes(32), oaep)

    def sign_in_encrypted() -> bytes:
        key.decrypt(wrapped, oaep)
        return sign_in()

    return sign_in_encrypted


def repeat(action: Callable[[], object], seconds: float) -> Rate:
    """Do it again and again in this thread, for so many seconds."""
    count, begun, cpu_begun = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < seconds:
        for _ in range(BATCH):
            action()
        count += BATCH
    return Rate(count, time.perf_counter() - begun, time.process_time() - cpu_begun)


def _repeat_raw(name: Operation, seconds: float) -> Rate:
    return repeat(operation(name), seconds)


class RawRate:
    """A fixed number of processes that do nothing but the operation, all at once, when asked."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> "RawRate":
        for name in Operation:
            self.measure(name, 0.5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def measure(self, name: Operation, seconds: float) -> Rate:
        """The rate of all processes together; `per_cpu_second` is that of one core among busy neighbours."""
        # Every process is taken by one task for the whole time, so that no process gets two.
        running = [self._pool.submit(_repeat_raw, name, seconds) for _ in range(self.processes)]
        rates = [future.result() for future in running]
        return Rate(
            sum(rate.count for rate in rates),
            sum(rate.seconds for rate in rates) / len(rates),
            sum(rate.cpu_seconds for rate in rates),
        )
