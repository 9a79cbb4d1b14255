"""`sts certificate`."""

import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sts.core.model import KeyType
from sts.crypto.certificates import Purpose
from tests.cli.console import Console
from tests.operations.workbench import write_pkcs12

COLUMNS = [
    *("index", "thumbprint", "thumbprint_sha256", "subject", "use", "relying_party", "status", "reason"),
    *("not_before", "not_after", "primary_from", "published_at", "next_step", "next_step_at"),
]
RING = ("--namespace", "contoso")
QUICK = ("--key-type", "p256")
PFX = "pfx password"
DAY = timedelta(days=1)


def write_pfx(console: Console, name: str = "own.pfx", days: int = 30) -> str:
    """A fresh key pair that is valid today."""
    now = datetime.now(UTC).replace(microsecond=0)
    path = console.home / name
    write_pkcs12(path, Purpose.SIGNING, key_type=KeyType.P256, not_before=now - DAY, not_after=now + days * DAY)
    return str(path)


def test_list_has_the_columns_that_programs_rely_on(console: Console) -> None:
    rows = console.json("certificate", "list", *RING)
    assert [list(row) for row in rows] == [COLUMNS] * 2
    assert [(row["index"], row["use"], row["status"], row["relying_party"]) for row in rows] == [
        (1, "signing", "Active", None),
        (1, "decryption", "Active", None),
    ]
    assert rows[0]["not_before"].endswith("Z")
    assert console.json("certificate", "list", *RING, "--use", "decryption") == rows[1:]
    assert console.json("certificate", "list", *RING, "--relying-party", "orders") == []


def test_list_for_people_is_a_table(console: Console) -> None:
    rows = console.json("certificate", "list", *RING)
    heads, *lines = console.ok("certificate", "list", *RING).splitlines()
    assert re.split(" {2,}", heads) == ["INDEX", "USE", "STATUS", "SUBJECT", "VALID FROM", "VALID TO"]
    signing, decryption = lines[0], lines[4]
    assert signing.index("Active") == decryption.index("Active") == heads.index("STATUS")
    for row, step, sha1, sha256 in zip(rows, lines[1::4], lines[2::4], lines[3::4], strict=True):
        assert step == f"       next     retires {row['next_step_at']}"
        assert sha1 == f"       SHA-1    {row['thumbprint']}"
        assert sha256 == f"       SHA-256  {row['thumbprint_sha256']}"
    assert max(map(len, (heads, *lines))) <= 120


def test_list_names_relying_parties_where_there_are_some_and_keys_by_one_fingerprint(console: Console) -> None:
    console.ok("key", "generate", *RING, "--relying-party", "orders", "--destination", console.home / "orders.key")
    rows = console.json("key", "list", *RING)
    heads, *lines = console.ok("key", "list", *RING).splitlines()
    assert "RELYING PARTY" in heads
    assert [line.split() for line in lines if line.startswith("       key")] == [
        ["key", row["thumbprint_sha256"]] for row in rows
    ]


def test_a_certificate_goes_through_its_life(console: Console) -> None:
    old = console.json("certificate", "list", *RING, "--use", "signing")[0]
    new = console.json("certificate", "generate", *RING, "--subject", "CN=next", "--lifetime", "1y", *QUICK)
    assert (new["index"], new["subject"], new["status"], new["primary_from"]) == (2, "CN=next", "Inactive", None)

    result = console.run("certificate", "make-primary", *RING, "--index", 2)
    assert result.exit_code == 0
    assert "primary from " in result.stdout
    assert "partners that have not re-read the metadata will refuse" in result.stderr

    at = (datetime.now(UTC) + DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    scheduled = console.json("certificate", "make-primary", *RING, "--index", 2, "--at", at)
    assert (scheduled["primary_from"], scheduled["next_step"], scheduled["next_step_at"]) == (at, "promoted", at)

    assert "is the primary" in console.refused("certificate", "delete", *RING, "--index", 1)
    this = ("--thumbprint", old["thumbprint_sha256"].upper())
    assert "revoke it all the same with --force" in console.refused("certificate", "revoke", *RING, *this)
    revoked = console.json("certificate", "revoke", *RING, *this, "--force")
    assert (revoked["thumbprint"], revoked["status"]) == (old["thumbprint"], "Revoked")
    deleted = console.json("certificate", "delete", *RING, "--thumbprint", old["thumbprint"])
    assert deleted["thumbprint"] == old["thumbprint"]
    rows = console.json("certificate", "list", *RING, "--use", "signing")
    assert [row["thumbprint"] for row in rows] == [new["thumbprint"]]


def test_warnings_go_to_the_standard_error_stream_and_the_json_stays_one_value(console: Console) -> None:
    console.ok("certificate", "generate", *RING, *QUICK)
    result = console.run("certificate", "revoke", *RING, "--index", 1, "--json")
    assert (result.exit_code, result.stdout[:2]) == (0, "{\n")
    assert result.stderr.startswith("warning: ")


@pytest.mark.parametrize("is_pem", [False, True], ids=["DER", "PEM"])
def test_download_writes_the_active_one_and_nothing_private(console: Console, is_pem: bool) -> None:
    file = console.home / "out.cer"
    row = console.json("certificate", "download", *RING, "--destination", file, *(["--pem"] if is_pem else []))
    content = file.read_bytes()
    found = x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    assert found.subject.rfc4514_string() == row["subject"]
    assert b"PRIVATE" not in content
    console.ok("certificate", "download", *RING, "--use", "decryption", "--index", 1, "--destination", file)
    assert x509.load_der_x509_certificate(file.read_bytes()).subject.rfc4514_string().endswith(" decryption")


def test_a_file_that_cannot_be_written_is_told(console: Console) -> None:
    message = console.refused("certificate", "download", *RING, "--destination", console.home / "no" / "such.cer")
    assert "cannot be written: No such file or directory" in message


@pytest.mark.parametrize(
    "option", ["--password=env:PFX", "--password=file:{home}/secret", "--password-file={home}/secret"]
)
def test_import_takes_the_password_from_where_it_lies(console: Console, option: str) -> None:
    (console.home / "secret").write_text(f"{PFX}\n")
    option = option.format(home=console.home)
    row = console.json("certificate", "import", write_pfx(console), *RING, option, PFX=PFX)
    assert (row["subject"], row["status"], row["index"]) == ("CN=partner", "Inactive", 2)


def test_import_reads_the_standard_input(console: Console) -> None:
    with open(write_pfx(console), "rb") as file:
        console.ok("certificate", "import", "-", *RING, "--password", "env:PFX", stdin=file.read(), PFX=PFX)
    assert "CN=partner" in {row["subject"] for row in console.json("certificate", "list", *RING)}


def test_without_a_terminal_nobody_is_asked_for_a_password(console: Console) -> None:
    assert "--password-file" in console.refused("certificate", "import", write_pfx(console), *RING)


def test_a_dedicated_certificate_belongs_to_its_relying_party(console: Console) -> None:
    ring = (*RING, "--relying-party", "orders")
    result = console.run("certificate", "generate", *ring, *QUICK, "--json")
    assert "signs from now on" in result.stderr
    assert [row["relying_party"] for row in console.json("certificate", "list", *ring)] == ["orders"]
    assert [row["relying_party"] for row in console.json("certificate", "list", *RING)] == [None, None, "orders"]
    assert "managed" in console.refused("certificate", "generate", *RING, "--relying-party", "bills", *QUICK)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("list", "--namespace", "nobody"), "there is no namespace 'nobody'"),
        (("list", *RING, "--relying-party", "nobody"), "has no relying party 'nobody'"),
        (("make-primary", *RING, "--index", "7"), "there is no certificate 7"),
        (("generate", *RING, "--subject", "nonsense"), "is not a subject such as CN=contoso"),
        (("generate", *RING, "--use", "decryption", "--key-type", "p256"), "RSA"),
        (("import", "/no/such.pfx", *RING, "--password", "env:PFX"), "cannot be read: No such file"),
        (("import", "/dev/null", *RING, "--password", "env:NOT_SET"), "environment variable NOT_SET is not set"),
        (("import", "/dev/null", *RING, "--password", "hunter2"), "a secret is written env:NAME or file:PATH"),
        (("import", "/dev/zero", *RING, "--password", "env:PFX"), "holds more than 1048576 bytes"),
    ],
)
def test_what_is_refused_is_one_sentence(console: Console, arguments: tuple[str, ...], error: str) -> None:
    message = console.refused("certificate", *arguments, PFX=PFX)
    assert error in message
    assert "hunter2" not in message


def test_control_characters_of_others_do_not_reach_the_terminal(console: Console) -> None:
    console.ok("certificate", "generate", *RING, *QUICK, "--subject", "CN=a\x1b[2Jb")
    shown = console.ok("certificate", "list", *RING)
    assert "\x1b" not in shown
    assert "\\x1b[2Jb" in shown or "\\1B" in shown


def test_a_new_home_is_prepared_by_any_command_and_is_private(tmp_path: Path) -> None:
    console = Console(tmp_path / "deep" / "home")
    assert console.ok("namespace", "list") == "NAME  ISSUER  HOSTS\n"
    files = [console.home / "keys" / "master.key", console.home / "sts.db"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
