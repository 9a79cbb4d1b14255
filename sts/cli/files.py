"""Files that commands read and write."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from sts.core.errors import OperatorError
from sts.operations.secret_source import read_secret

MAX_INPUT: Final = 1_048_576  # bytes
STANDARD_INPUT: Final = "-"


def read_input(name: str, most: int = MAX_INPUT) -> bytes:
    """Read a file, or the standard input for `-`, of at most so many bytes; raises OperatorError."""
    try:
        if name == STANDARD_INPUT:
            content = sys.stdin.buffer.read(most + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(most + 1)
    except OSError as error:
        raise OperatorError(f"the file {name} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise OperatorError(f"the file {name} holds more than {most} bytes")
    return content


def read_reference(reference: str) -> bytes:
    """Read the secret behind `env:NAME` or `file:PATH`; raises OperatorError, which never repeats it."""
    try:
        return read_secret(reference, Path(), os.environ)
    except ValueError as error:
        raise OperatorError(str(error)) from error


def read_password(reference: str | None, file: str | None) -> bytes:
    """Read a password from where it lies, or ask for it on a terminal; raises OperatorError."""
    if reference is not None:
        return read_reference(reference)
    if file is not None:
        return read_reference(f"file:{file}")
    if not sys.stdin.isatty():
        raise OperatorError("the file needs its password: --password env:NAME, --password file:PATH or --password-file")
    password: str = click.prompt("Password of the file", hide_input=True, err=True)
    return password.encode()


def write_public(name: str, content: bytes) -> None:
    """Write a file that anybody may read, replacing it at once; raises OperatorError."""
    _write(Path(name), content, 0o644)


def write_private(name: str, content: bytes) -> None:
    """Write a file that nobody but its owner may read, replacing it at once; raises OperatorError."""
    _write(Path(name), content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Into a new file that then takes the name: never half written, never with an old file's permissions."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OperatorError(f"the file {path} cannot be written: {error.strerror}") from error
