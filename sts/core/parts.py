"""What the steps of an exchange work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sts.core.model import TokenFormat
from sts.core.ports import (
    ClientCertificates,
    Decryption,
    Directory,
    Encryption,
    Failures,
    KeyRing,
    Passwords,
    ReplayCache,
)
from sts.core.ports import TokenFormat as Format


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports, and what tells one token from the next; built once, in `sts.assemble`."""

    directory: Directory
    key_ring: KeyRing
    passwords: Passwords
    replays: ReplayCache
    formats: Mapping[TokenFormat, Format]
    encryptions: Mapping[TokenFormat, Encryption]
    new_token_id: Callable[[], str]  # 32 hex digits, never the same twice
    client_certificates: ClientCertificates
    decrypt: Decryption
    decryption_failures: Failures
