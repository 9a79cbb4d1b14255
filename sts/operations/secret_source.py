"""Where secrets come from: `env:NAME` or `file:PATH`, so that a configuration file never holds one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_SECRET: Final = 65_536  # bytes


def read_secret(reference: str, folder: Path, environment: Mapping[str, str]) -> bytes:
    """Read the secret that a reference names; one line break at the end of a file does not belong to it.

    `folder` is what relative paths start from. Raises ValueError with a sentence that never repeats the reference
    when it is neither form, because it may be the secret itself.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        secret = environment.get(name)
        if secret is None:
            raise ValueError(f"the environment variable {name} is not set; set it for this command")
        return _bounded(secret.encode("utf-8", "surrogateescape"), f"the environment variable {name}")
    if scheme == "file" and name:
        return _bounded(_strip_line_break(_read(folder / name, name)), f"the file {name}")
    raise ValueError("a secret is written env:NAME or file:PATH, never in the file itself")


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SECRET + 3)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ValueError(f"the file {name} cannot be read: {reason}") from None


def _strip_line_break(content: bytes) -> bytes:
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _bounded(secret: bytes, source: str) -> bytes:
    if not secret:
        raise ValueError(f"{source} is empty")
    if len(secret) > MAX_SECRET:
        raise ValueError(f"{source} holds more than {MAX_SECRET} bytes")
    return secret
