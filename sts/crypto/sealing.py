"""Envelope encryption of secrets under the master key.

A sealed secret is `version | key id | nonce | AES-256-GCM(KEK, DEK) | nonce | AES-256-GCM(DEK, secret)`: each secret
has a data key of its own, and the associated data binds it to its namespace, its credential and its use.
"""

import glob
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sts.core.errors import KeyUnreadable, MasterKeyError

MASTER_KEY_SIZE: Final = 32

_VERSION: Final = b"\x01"
_ID_SIZE: Final = 8
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_DATA_KEY_SIZE: Final = 32
_DRAFT: Final = ".draft"
HEADER_SIZE: Final = len(_VERSION) + _ID_SIZE  # bytes that say under which master key a secret is sealed
_DATA_KEY_END: Final = HEADER_SIZE + _NONCE_SIZE + _DATA_KEY_SIZE + _TAG_SIZE


@dataclass(frozen=True, slots=True)
class SealContext:
    """Where a sealed secret belongs; it opens nowhere else."""

    namespace: str
    credential_id: int | str
    use: str

    def __post_init__(self) -> None:
        if any("|" in part for part in (self.namespace, str(self.credential_id), self.use)):
            raise ValueError("'|' separates the parts of the associated data and may not occur in them")

    @property
    def associated_data(self) -> bytes:
        """What the seal authenticates besides the secret."""
        return f"v1|{self.namespace}|{self.credential_id}|{self.use}".encode()


_CHECK_CONTEXT: Final = SealContext("installation", "master-key", "check")
FINGERPRINT_CONTEXT: Final = SealContext("installation", "fingerprint-key", "fingerprint")
_CHECK_SECRET: Final = b"sts master key check value"


@dataclass(frozen=True, slots=True, eq=False)
class MasterKey:
    """The key that opens every secret in the database, held as the keys derived from it."""

    id: bytes
    _encryption: AESGCM = field(repr=False)
    fingerprint_key: bytes = field(repr=False)  # the first master key gives it to its database, which keeps it

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """The master key made of 32 secret bytes; raises MasterKeyError for another size."""
        if len(secret) != MASTER_KEY_SIZE:
            raise MasterKeyError(f"a master key has {MASTER_KEY_SIZE} bytes, this one {len(secret)}")
        key_id = _derive(secret, b"sts master key id", _ID_SIZE)
        encryption = AESGCM(_derive(secret, b"sts key encryption|" + key_id, 32))
        return cls(key_id, encryption, _derive(secret, b"sts fingerprints", 32))

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new master key in a file that only its owner can read; raises MasterKeyError if there is a file."""
        secret = secrets.token_bytes(MASTER_KEY_SIZE)
        try:
            _write_new(path, secret)
        except FileExistsError as error:
            raise MasterKeyError(f"there is a master key in {path} already; it is never overwritten") from error
        except OSError as error:
            raise MasterKeyError(f"the master key cannot be written to {path}: {error.strerror}") from error
        return cls.from_bytes(secret)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the master key of a file; raises MasterKeyError, with the remedy, when it is missing or exposed."""
        try:
            with path.open("rb") as file:
                _require_private(path, os.fstat(file.fileno()))
                secret = file.read(MASTER_KEY_SIZE + 1)
        except FileNotFoundError as error:
            raise MasterKeyError(
                f"the master key {path} is missing; restore it from where you keep it apart from the database"
            ) from error
        except OSError as error:
            raise MasterKeyError(f"the master key {path} cannot be read: {error.strerror}") from error
        if len(secret) != MASTER_KEY_SIZE:
            raise MasterKeyError(
                f"the master key {path} does not have {MASTER_KEY_SIZE} bytes: it is damaged or not a master key;"
                " restore it from where you keep it"
            )
        return cls.from_bytes(secret)


def clear_drafts(path: Path) -> None:
    """Remove what a process left that died while it wrote a master key of this name, or of one that begins with it.

    Only while nobody can be writing one.
    """
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def seal(master: MasterKey, secret: bytes, context: SealContext) -> bytes:
    """Encrypt a secret so that it opens only under this master key and in this context."""
    associated_data = context.associated_data
    data_key, wrap_nonce, nonce = os.urandom(_DATA_KEY_SIZE), os.urandom(_NONCE_SIZE), os.urandom(_NONCE_SIZE)
    wrapped = master._encryption.encrypt(wrap_nonce, data_key, b"dek|" + associated_data)
    body = AESGCM(data_key).encrypt(nonce, secret, associated_data)
    return b"".join((_VERSION, master.id, wrap_nonce, wrapped, nonce, body))


def header(key_id: bytes) -> bytes:
    """What everything begins with that was sealed under the master key of this id."""
    return _VERSION + key_id


def key_id(sealed: bytes, context: SealContext) -> bytes:
    """The id of the master key that a secret was sealed under; raises KeyUnreadable for what nothing here sealed."""
    if sealed[:1] != _VERSION:
        raise _unreadable(context, "its format is not known")
    return sealed[1:HEADER_SIZE]


def unseal(master: MasterKey, sealed: bytes, context: SealContext) -> bytes:
    """Open a sealed secret; raises KeyUnreadable when it was changed, moved, or sealed under another master key."""
    if key_id(sealed, context) != master.id:
        raise _unreadable(context, "it was sealed under another master key")
    associated_data = context.associated_data
    wrap_nonce, nonce_end = HEADER_SIZE + _NONCE_SIZE, _DATA_KEY_END + _NONCE_SIZE
    try:
        data_key = master._encryption.decrypt(
            sealed[HEADER_SIZE:wrap_nonce], sealed[wrap_nonce:_DATA_KEY_END], b"dek|" + associated_data
        )
        return AESGCM(data_key).decrypt(sealed[_DATA_KEY_END:nonce_end], sealed[nonce_end:], associated_data)
    except (InvalidTag, ValueError) as error:
        raise _unreadable(context, "it is damaged or belongs elsewhere") from error


def fingerprint(fingerprint_key: bytes, key: bytes) -> str:
    """A name for a secret key: 64 hexadecimal digits that tell nothing about it without the fingerprint key."""
    return hmac.digest(fingerprint_key, key, hashlib.sha256).hex()


@lru_cache(maxsize=16)
def derived_key(fingerprint_key: bytes, purpose: bytes) -> bytes:
    """32 bytes for one purpose, which outlast a rotation of the master key as the fingerprint key does."""
    return _derive(fingerprint_key, b"sts derived key|" + purpose, 32)


def seal_fingerprint_key(master: MasterKey, fingerprint_key: bytes) -> bytes:
    """Seal the key of all fingerprints, as the database keeps it."""
    return seal(master, fingerprint_key, FINGERPRINT_CONTEXT)


def check_value(master: MasterKey) -> bytes:
    """What the database keeps, to tell at every start whether the master key is still the right one."""
    return seal(master, _CHECK_SECRET, _CHECK_CONTEXT)


def check_key_id(value: bytes) -> bytes:
    """The id of the master key that a check value was made under; raises MasterKeyError for what is none."""
    try:
        return key_id(value, _CHECK_CONTEXT)
    except KeyUnreadable as error:
        raise MasterKeyError(
            "the check value of the master key in the database is damaged", detail=error.detail
        ) from error


def require_check_value(master: MasterKey, value: bytes) -> None:
    """Return if the check value was made under this master key; raises MasterKeyError."""
    try:
        unseal(master, value, _CHECK_CONTEXT)
    except KeyUnreadable as error:
        raise MasterKeyError(
            "this is not the master key that the database was sealed under; restore that one",
            detail=error.detail,
        ) from error


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlast a power cut."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _derive(secret: bytes, info: bytes, size: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=info).derive(secret)


def _unreadable(context: SealContext, reason: str) -> KeyUnreadable:
    return KeyUnreadable(
        "a stored key cannot be opened", detail=f"{context.associated_data.decode()} cannot be opened: {reason}"
    )


def _write_new(path: Path, secret: bytes) -> None:
    """Write the whole file or none: whoever finds the name finds all of the bytes."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_DRAFT, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MasterKeyError(f"the master key {path} is not a regular file")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise MasterKeyError(f"the master key {path} can be read or written by others; chmod it to 0600")
    if status.st_uid != os.geteuid():
        raise MasterKeyError(
            f"the master key {path} belongs to user {status.st_uid}; it must belong to the user who runs sts"
            f" ({os.geteuid()})"
        )
