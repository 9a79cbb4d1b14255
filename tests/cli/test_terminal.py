"""What happens at a terminal and nowhere else: questions, and keys on the screen."""

import base64
import os
import pty
import select
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sts.core.model import KeyType
from sts.crypto.certificates import Purpose, generate
from tests.cli.console import PROGRAM, Console
from tests.operations.workbench import ENVIRONMENT, write_pkcs12

LIMIT = 60.0  # seconds, on a machine that does other things


def typed(console: Console, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Run a command at a terminal, answer its question, and say how it ended and what was on the screen."""
    ours, theirs = pty.openpty()
    command = [*PROGRAM, *arguments]
    with subprocess.Popen(command, env=console.environment(), stdin=theirs, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        screen, is_answered = b"", False
        while chunk := _read(ours):
            screen += chunk
            if screen.endswith(b": ") and not is_answered:
                os.write(ours, f"{answer}\n\x04".encode())
                is_answered = True
        os.close(ours)
        return program.wait(LIMIT), screen.decode()


def _read(terminal: int) -> bytes:
    assert select.select([terminal], [], [], LIMIT)[0]
    try:
        return os.read(terminal, 4096)
    except OSError:  # the program has closed its side
        return b""


def subjects(console: Console) -> list[str]:
    return [row["subject"] for row in console.json("certificate", "list", "--namespace", "contoso")]


@pytest.mark.parametrize(("answer", "status", "left"), [("contoso", 0, 0), ("contosa", 1, 1), ("", 1, 1)])
def test_a_namespace_is_deleted_once_its_name_is_typed(console: Console, answer: str, status: int, left: int) -> None:
    ended, screen = typed(console, "namespace", "delete", "contoso", answer=answer)
    assert (ended, "Type its name" in screen) == (status, True)
    assert len(console.json("namespace", "list")) == left


@pytest.mark.parametrize(("answer", "status", "left"), [("y", 0, 2), ("n", 1, 3), ("", 1, 3)])
def test_a_certificate_is_destroyed_once_somebody_says_yes(
    console: Console, answer: str, status: int, left: int
) -> None:
    console.ok("certificate", "generate", "--namespace", "contoso", "--subject", "CN=extra", "--key-type", "p256")
    ended, screen = typed(console, "certificate", "delete", "--namespace", "contoso", "--index", "2", answer=answer)
    assert (ended, "Destroy the key of signing CN=extra" in screen) == (status, True)
    assert len(subjects(console)) == left


@pytest.mark.parametrize(("answer", "status", "left"), [("y", 0, 0), ("n", 1, 1), ("", 1, 1)])
def test_a_ca_is_no_longer_trusted_once_somebody_says_yes(
    console: Console, answer: str, status: int, left: int
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    der = generate("CN=factory", KeyType.P256, now, now + timedelta(days=1), Purpose.CA)[1]
    (console.home / "factory.cer").write_bytes(der)
    named = ("--namespace", "contoso", "--name", "factory")
    console.ok("trusted-ca", "add", *named, "--certificate", console.home / "factory.cer")
    ended, screen = typed(console, "trusted-ca", "remove", *named, answer=answer)
    assert (ended, "Stop trusting factory of contoso?" in screen) == (status, True)
    assert len(console.json("trusted-ca", "list", "--namespace", "contoso")) == left


def test_a_key_is_shown_on_a_terminal(console: Console) -> None:
    ended, screen = typed(console, "key", "export", "--namespace", "contoso", "--show")
    assert ended == 0
    (value,) = (line for line in screen.splitlines() if len(line) == 44)
    assert len(base64.b64decode(value, validate=True)) == 32


def test_the_password_of_a_file_is_asked_for_and_not_shown(console: Console, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    dates = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=1)}
    write_pkcs12(tmp_path / "own.pfx", key_type=KeyType.P256, **dates)
    arguments = ("certificate", "import", str(tmp_path / "own.pfx"), "--namespace", "contoso")
    ended, screen = typed(console, *arguments, answer=ENVIRONMENT["PFX"])
    assert (ended, "Password of the file" in screen) == (0, True)
    assert "CN=partner" in subjects(console)
