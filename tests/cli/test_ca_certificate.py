"""`sts ca-certificate`: what people and programs read, and the files that it writes; at the real clock."""

import re
from pathlib import Path

import pytest
from cryptography import x509

from sts.assemble import utc_now
from tests.cli.console import Console
from tests.openssl import Chain, certificates_in, verify

CONTOSO = ("--namespace", "contoso")
ROW = (
    *("index", "thumbprint", "thumbprint_sha256", "subject", "use", "relying_party", "status", "reason"),
    *("not_before", "not_after", "primary_from", "published_at", "next_step", "next_step_at"),
)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_the_list_is_a_table_for_people(console: Console) -> None:
    head, line, step, *thumbprints = console.ok("ca-certificate", "list", *CONTOSO).splitlines()
    [row] = console.json("ca-certificate", "list", *CONTOSO)
    assert head.split("  ")[0] == "INDEX"
    dates = f"{row['not_before']}  {row['not_after']}"
    assert re.fullmatch(rf"1 +tenant-ca +Active +CN=contoso tenant CA [0-9a-f]{{8}} +{dates}", line)
    assert step.split() == ["next", "retires", row["next_step_at"]]
    found = [tuple(each.split()) for each in thumbprints]
    assert found == [("SHA-1", row["thumbprint"]), ("SHA-256", row["thumbprint_sha256"])]


def test_the_list_is_json_for_programs(console: Console) -> None:
    [row] = console.json("ca-certificate", "list", *CONTOSO)
    assert tuple(row) == ROW
    assert (row["index"], row["use"], row["status"], row["reason"]) == (1, "tenant-ca", "Active", "")
    assert all(INSTANT.fullmatch(row[name]) for name in ("not_before", "not_after", "primary_from", "published_at"))
    assert re.fullmatch("[0-9a-f]{40}", row["thumbprint"])
    assert re.fullmatch("[0-9a-f]{64}", row["thumbprint_sha256"])


def test_the_active_one_is_downloaded_in_der(console: Console, tmp_path: Path) -> None:
    [row] = console.json("ca-certificate", "list", *CONTOSO)
    selections = ((), ("--index", 1), *(("--thumbprint", row[n]) for n in ("thumbprint", "thumbprint_sha256")))
    files = [tmp_path / str(number) for number in range(4)]
    for file, selection in zip(files, selections, strict=True):
        told = console.ok("ca-certificate", "download", *CONTOSO, *selection, "--destination", file)
        assert row["thumbprint"] in told
    assert len({file.read_bytes() for file in files}) == 1
    assert x509.load_der_x509_certificate(files[0].read_bytes()).subject.rfc4514_string() == row["subject"]
    assert console.json("ca-certificate", "download", *CONTOSO, "--destination", files[0]) == row
    assert console.json("ca-certificate", "download-chain", *CONTOSO, "--destination", files[0]) == row


def test_openssl_verifies_chain_and_proof(console: Console, tmp_path: Path) -> None:
    authority, chain, proof = (tmp_path / name for name in ("ca.cer", "ca.p7b", "proof.cer"))
    code = "0123456789ABCDEF" * 3
    console.ok("ca-certificate", "download", *CONTOSO, "--destination", authority)
    assert "and its root to" in console.ok("ca-certificate", "download-chain", *CONTOSO, "--destination", chain)
    asked = (*CONTOSO, "--verification-code", code, "--destination", proof)
    proved = console.run("ca-certificate", "download-proof", *asked)
    assert proved.stdout.startswith("wrote a proof of tenant-ca CN=contoso tenant CA ")
    assert proved.stderr == ""
    known = certificates_in(tmp_path, chain.read_bytes())
    [root] = [each for each in known if each != authority.read_bytes()]
    verify(tmp_path, Chain(authority.read_bytes(), [root]), utc_now())
    verify(tmp_path, Chain(proof.read_bytes(), [root], [authority.read_bytes()]), utc_now())
    assert x509.load_der_x509_certificate(proof.read_bytes()).subject.rfc4514_string() == f"CN={code}"


def test_a_proof_is_described_in_json(console: Console, tmp_path: Path) -> None:
    proof = tmp_path / "proof.cer"
    asked = (*CONTOSO, "--verification-code", "4F1B", "--destination", proof)
    told = console.json("ca-certificate", "download-proof", *asked)
    assert tuple(told) == ("authority", "verification_code", "serial", "not_before", "not_after")
    assert tuple(told["authority"]) == ROW
    made = x509.load_der_x509_certificate(proof.read_bytes())
    assert (told["verification_code"], told["serial"]) == ("4F1B", f"{made.serial_number:x}")


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_long_code_is_proved_with_a_warning_beside_the_answer(console: Console, tmp_path: Path) -> None:
    asked = (*CONTOSO, "--verification-code", "x" * 128, "--destination", tmp_path / "proof.cer")
    result = console.run("ca-certificate", "download-proof", *asked)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: a common name of more than 64 bytes")


QUICK = ("--key-type", "p256")


def test_a_ca_is_generated_made_primary_revoked_and_deleted(console: Console) -> None:
    [old] = console.json("ca-certificate", "list", *CONTOSO)
    new = console.json("ca-certificate", "generate", *CONTOSO, "--lifetime", "1y", *QUICK)
    assert (tuple(new), new["index"], new["status"], new["reason"]) == (ROW, 2, "Inactive", "next")
    promoted = console.run("ca-certificate", "make-primary", *CONTOSO, "--thumbprint", new["thumbprint"])
    assert promoted.stdout.startswith("primary from ")
    assert "services that do not trust it yet will refuse" in promoted.stderr
    assert "sts rollover resume --namespace contoso --ring tenant-ca" in promoted.stderr
    console.json("ca-certificate", "make-primary", *CONTOSO, "--thumbprint", old["thumbprint"])
    revoked = console.run("ca-certificate", "revoke", *CONTOSO, "--thumbprint", new["thumbprint"], "--json")
    assert '"status": "Revoked"' in revoked.stdout
    assert "no longer authenticate here and cacerts leaves it out" in revoked.stderr
    console.ok("ca-certificate", "delete", *CONTOSO, "--thumbprint", new["thumbprint"])
    assert [row["thumbprint"] for row in console.json("ca-certificate", "list", *CONTOSO)] == [old["thumbprint"]]


def test_the_only_ca_is_revoked_by_force_alone(console: Console) -> None:
    this = ("ca-certificate", "revoke", *CONTOSO, "--index", 1)
    assert "revoke it all the same with --force" in console.refused(*this)
    assert console.json(*this, "--force")["status"] == "Revoked"


def test_roots_are_listed_like_every_ring(console: Console) -> None:
    [row] = console.json("ca-certificate", "list", "--root")
    assert tuple(row) == ROW
    assert (row["use"], row["status"], row["next_step"]) == ("root-ca", "Active", "expired")
    assert "root CA" in console.ok("ca-certificate", "list", "--root")


# (the verb and its arguments, the exit status, what is said)
REFUSALS = {
    "no such index": (("download", "--index", 2, "--destination", "F"), 1, "see `sts ca-certificate list --namespace"),
    "no such thumbprint": (("download", "--thumbprint", "a" * 40, "--destination", "F"), 1, "no tenant-ca certificate"),
    "no code": (("download-proof", "--verification-code", "", "--destination", "F"), 1, "1 to 128 printable"),
    "a code of 129": (("download-proof", "--verification-code", "x" * 129, "--destination", "F"), 1, "1 to 128"),
    "no folder": (("download", "--destination", "nowhere/F"), 1, "cannot be written"),
    "two selections": (("download", "--index", 1, "--thumbprint", "a" * 40, "--destination", "F"), 2, "exclude each"),
    "index 0": (("download", "--index", 0, "--destination", "F"), 2, "--index"),
    "no destination": (("download-chain",), 2, "--destination"),
    "no verification code": (("download-proof", "--destination", "F"), 2, "--verification-code"),
    "what is no thumbprint": (("download", "--thumbprint", "xyz", "--destination", "F"), 2, "not a thumbprint"),
}


@pytest.mark.parametrize(("arguments", "status", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_be_done_is_said_in_a_sentence(
    console: Console,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = console.run("ca-certificate", *arguments, *CONTOSO)
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr
    assert not (tmp_path / "F").exists()


def test_a_namespace_that_is_not_there_is_refused(console: Console) -> None:
    assert "there is no namespace 'fabrikam'" in console.refused("ca-certificate", "list", "--namespace", "fabrikam")


def test_the_help_tells_what_to_do_with_the_next_ca(console: Console) -> None:
    assert "90 days before its end" in " ".join(console.ok("ca-certificate", "--help").split())
