"""`sts key`."""

import base64
import stat
from pathlib import Path

import pytest

from tests.cli.console import Console

RING = ("--namespace", "contoso")
DATES = ("--not-before", "2026-01-01T00:00:00Z", "--not-after", "2099-01-01T00:00:00Z")
VALUE = base64.b64encode(bytes(range(32))).decode()


def content(path: Path) -> bytes:
    """The 32 bytes of a file that nobody else may read."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return base64.b64decode(path.read_text().strip(), validate=True)


def test_export_writes_the_active_key_for_its_owner_alone(console: Console) -> None:
    file = console.home / "contoso.key"
    file.write_text("old")
    file.chmod(0o644)
    row = console.json("key", "export", *RING, "--use", "signing", "--destination", file)
    assert (row["index"], row["status"], row["subject"]) == (1, "Active", None)
    assert len(content(file)) == 32
    record = console.json("audit", "list", "--limit", 1)[0]
    assert (record["action"], record["details"]["thumbprint"]) == ("symmetric.export", row["thumbprint"])
    assert file.read_text().strip() not in str(console.json("audit", "list"))


def test_generate_hands_the_new_key_out_when_asked(console: Console) -> None:
    file = console.home / "new.key"
    row = console.json("key", "generate", *RING, "--relying-party", "orders", "--destination", file)
    assert (row["relying_party"], row["primary_from"]) == ("orders", None)
    again = console.home / "again.key"
    console.ok("key", "export", *RING, "--relying-party", "orders", "--index", 1, "--destination", again)
    assert content(file) == content(again)


def test_a_key_that_could_not_be_written_is_there_and_the_operator_is_told_how_to_get_it(console: Console) -> None:
    message = console.refused("key", "generate", *RING, "--destination", console.home / "no" / "such.key")
    assert "the key was made, but the file" in message
    remedy = message.partition("`sts ")[2].partition(" FILE`")[0]
    console.ok(*remedy.split(), console.home / "found.key")
    assert len(content(console.home / "found.key")) == 32


@pytest.mark.parametrize("source", ["{home}/in.key", "file:{home}/in.key", "env:KEY", "-"])
def test_a_key_comes_in_from_where_it_lies(console: Console, source: str) -> None:
    (console.home / "in.key").write_text(f"{VALUE}\n")
    place = source.format(home=console.home)
    row = console.json("key", "import", place, *RING, *DATES, stdin=VALUE.encode(), KEY=VALUE)
    assert (row["not_before"], row["not_after"]) == ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    file = console.home / "out.key"
    console.ok("key", "export", *RING, "--thumbprint", row["thumbprint"], "--destination", file)
    assert content(file) == bytes(range(32))


def test_a_key_is_not_shown_where_it_would_be_kept(console: Console) -> None:
    assert "on a terminal only" in console.refused("key", "export", *RING, "--show")
    assert console.json("audit", "list", "--limit", 1)[0]["action"] != "symmetric.export"


def test_a_key_that_expired_is_not_imported(console: Console) -> None:
    dates = ("--not-before", "2020-01-01T00:00:00Z", "--not-after", "2021-01-01T00:00:00Z")
    assert "expired on 2021-01-01T00:00:00Z" in console.refused("key", "import", "env:KEY", *RING, *dates, KEY=VALUE)


def test_a_key_goes_through_its_life(console: Console) -> None:
    row = console.json("key", "generate", *RING, "--not-after", "2099-01-01T00:00:00Z")
    assert (row["index"], row["not_after"]) == (2, "2099-01-01T00:00:00Z")
    assert console.json("key", "make-primary", *RING, "--index", 2)["primary_from"]
    assert console.json("key", "revoke", *RING, "--thumbprint", row["thumbprint_sha256"])["status"] == "Revoked"
    console.ok("key", "delete", *RING, "--thumbprint", row["thumbprint"])
    assert len(console.json("key", "list", *RING)) == 1
