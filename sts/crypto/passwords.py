"""Argon2id for passwords at rest."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sts.core.errors import AuthenticationFailed, OperatorError

PASSWORD_LIMIT: Final = 1024  # bytes; nobody types more, and hashing must not be made to read megabytes

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # KiB; OWASP's first choice

# Of a random password that nobody knows, under the same parameters: what an unknown name is checked against.
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$rmxStsm06gy1wgu/OfAfaQ$XdBZxI+aeH8nACf/TmGfNT3C/ew4A4v5znGOD+ZKFtw"


def hash_password(password: bytes) -> str:
    """The Argon2id hash of a password, as text; raises OperatorError when it is empty or over 1024 bytes."""
    if not password:
        raise OperatorError("a password may not be empty")
    if len(password) > PASSWORD_LIMIT:
        raise OperatorError(f"a password may have at most {PASSWORD_LIMIT} bytes")
    return _HASHER.hash(password)


def verify_password(password_hash: str | None, password: bytes) -> None:
    """Return if the password has this hash; raises AuthenticationFailed.

    Without a hash (an unknown name, an identity without a password) it costs the same and always fails. A password
    over 1024 bytes is refused unhashed.
    """
    if len(password) > PASSWORD_LIMIT:
        raise AuthenticationFailed(detail="the password is longer than any that can be set")
    try:
        _HASHER.verify(_NOBODY if password_hash is None else password_hash, password)
    except VerificationError as error:
        reason = "there is no password to compare with" if password_hash is None else "the password is wrong"
        raise AuthenticationFailed(detail=reason) from error
    except InvalidHashError as error:
        raise AuthenticationFailed(detail="the stored password hash is damaged") from error
    if password_hash is None:
        raise AuthenticationFailed(detail="there is no password to compare with")
