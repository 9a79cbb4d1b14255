"""Rows C, G, S and W where an operator types them: refused with exit status 1, and nothing is stored."""

import base64
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from sts.core.credentials import Status
from sts.core.errors import Conflict
from sts.core.model import KeyType, Kind
from sts.crypto.certificates import Purpose
from sts.operations import credential_states, new_credentials
from sts.operations.new_credentials import CertificateOrder
from sts.operations.rings import Listing, RingName, Selection, list_credentials
from tests.cli.console import Console
from tests.crypto import key_files
from tests.crypto.authorities import certificate, elliptic_key, rsa_key
from tests.operations.workbench import ENVIRONMENT, NOW, reopened, workbench, write_certificate, write_pkcs12

RING = ("--namespace", "contoso")
DATES = ("--not-before", "2026-01-01T00:00:00Z", "--not-after", "2099-01-01T00:00:00Z")
FILE_PASSWORD = key_files.PASSWORD.decode()
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the namespace contoso, to be copied."""
    home = tmp_path_factory.mktemp("template")
    Console(home).ok("namespace", "create", "contoso")
    return home


@pytest.fixture
def console(tmp_path: Path, template: Path) -> Console:
    return Console(Path(shutil.copytree(template, tmp_path / "home")))


def stored(console: Console) -> list[object]:
    """Everything that a refusal must leave as it was."""
    lists = [console.json(noun, "list", *RING) for noun in ("certificate", "key")]
    return [*lists, console.json("audit", "verify"), console.ok("export", "contoso")]


def refusal(console: Console, *arguments: object, **environment: str) -> str:
    before = stored(console)
    message = console.refused(*arguments, **environment)
    assert stored(console) == before
    return message


def write(console: Console, name: str, content: bytes) -> Path:
    path = console.home / name
    path.write_bytes(content)
    return path


def brought(console: Console, begin: timedelta, end: timedelta, purpose: Purpose = Purpose.SIGNING) -> Path:
    """A PKCS#12 file whose certificate begins and ends this far from today."""
    now = datetime.now(UTC).replace(microsecond=0)
    path = console.home / "own.pfx"
    kind = KeyType.P256 if purpose is Purpose.SIGNING else KeyType.RSA2048
    write_pkcs12(path, purpose, key_type=kind, not_before=now + begin, not_after=now + end)
    return path


def test_c01_expired_certificate_is_not_imported(console: Console) -> None:
    file = brought(console, -10 * DAY, -DAY)
    assert "expired on" in refusal(
        console, "certificate", "import", file, *RING, "--password", "env:PFX", **ENVIRONMENT
    )


@pytest.mark.parametrize(("at", "reason"), [(None, "is not valid before"), (30 * DAY, "ends on")], ids=["now", "late"])
def test_c01_certificate_that_is_not_valid_does_not_become_primary(
    console: Console, at: timedelta | None, reason: str
) -> None:
    file = brought(console, 5 * DAY, 20 * DAY)
    row = console.json("certificate", "import", file, *RING, "--password", "env:PFX", **ENVIRONMENT)
    when = [] if at is None else ["--at", (datetime.now(UTC) + at).strftime("%Y-%m-%dT%H:%M:%SZ")]
    chosen = ("--thumbprint", row["thumbprint"])
    assert reason in refusal(console, "certificate", "make-primary", *RING, *chosen, *when)


def test_c01_revoked_certificate_does_not_become_primary(console: Console) -> None:
    row = console.json("certificate", "generate", *RING, "--key-type", "p256")
    console.ok("certificate", "revoke", *RING, "--thumbprint", row["thumbprint"])
    chosen = ("--thumbprint", row["thumbprint"])
    assert "was revoked on" in refusal(console, "certificate", "make-primary", *RING, *chosen)


def test_c08_private_key_where_a_certificate_is_expected_is_refused_and_not_repeated(console: Console) -> None:
    key = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_certificate(console.home / "good.cer", Purpose.ENCRYPTION)
    write(console, "leak.pem", key_files.certificates.pem((console.home / "good.cer").read_bytes()) + key)
    party = "{name: a, realm: 'urn:a', token_format: saml20, encryption: required, encryption_certificate: leak.pem}"
    file = write(console, "a.yaml", f"namespace: contoso\nrelying_parties:\n  - {party}\n".encode())
    message = refusal(console, "apply", file)
    assert "holds a private key where only a certificate is expected; nothing was stored" in message
    assert key.decode().splitlines()[1] not in message


def test_c09_certificate_twice_is_refused_in_its_ring_and_remarked_on_elsewhere(console: Console) -> None:
    arguments = ("certificate", "import", brought(console, -DAY, DAY), "--password", "env:PFX")
    console.ok(*arguments, *RING, **ENVIRONMENT)
    assert "is there already" in refusal(console, *arguments, *RING, **ENVIRONMENT)
    console.ok("namespace", "create", "fabrikam")
    result = console.run(*arguments, "--namespace", "fabrikam", **ENVIRONMENT)
    assert result.exit_code == 0
    assert "warning: the same certificate is held by namespace contoso already" in result.stderr


def test_c09_key_twice_is_refused_in_its_ring_and_remarked_on_elsewhere(console: Console) -> None:
    value = base64.b64encode(b"k" * 32).decode()
    arguments = ("key", "import", "env:KEY", *DATES)
    console.ok(*arguments, *RING, KEY=value)
    assert "is there already" in refusal(console, *arguments, *RING, KEY=value)
    console.ok("namespace", "create", "fabrikam")
    result = console.run(*arguments, "--namespace", "fabrikam", KEY=value)
    assert "warning: the same key is held by namespace contoso already" in result.stderr


KEY_FILES = {
    "C10-iterations": (
        lambda: key_files.with_mac_iterations(key_files.good_file(), key_files.ABSURD),
        "600000 iterations",
    ),
    "C11-iterations": (
        lambda: key_files.pem_file(key_files.with_iterations(key_files.encrypted_pkcs8(), key_files.ABSURD)),
        "600000 iterations",
    ),
    "C12-cut": (lambda: key_files.good_file()[:-100], "not DER"),
    "C13-junk": (lambda: key_files.good_file() + b"\x00", "not DER"),
    "C14-another-key": (
        lambda: key_files.pem_file(
            elliptic_key("other").private_bytes(
                Encoding.DER, PrivateFormat.PKCS8, key_files.BestAvailableEncryption(key_files.PASSWORD)
            )
        ),
        "the private key is not that of the certificate",
    ),
    "C14-no-key": (lambda: key_files.pkcs12_file(None, certificate()), "holds no private key"),
    "C14-no-certificate": (lambda: key_files.pkcs12_file(rsa_key(), None), "holds no certificate"),
    "C14-fifty": (lambda: key_files.pkcs12_file(rsa_key(), certificate(), [certificate()] * 50), "more than 10"),
    "C14-certificate-alone": (certificate, "without its private key"),
}


@pytest.mark.parametrize("row", KEY_FILES)
def test_key_file_that_is_not_one_key_with_its_certificate_is_refused(console: Console, row: str) -> None:
    make, reason = KEY_FILES[row]
    file = write(console, "bad.pfx", make())
    arguments = ("certificate", "import", file, *RING, "--password", "env:PFX")
    assert reason in refusal(console, *arguments, PFX=FILE_PASSWORD)


def test_c15_wrong_password_is_refused_every_time_and_told_nowhere(console: Console) -> None:
    arguments = ("certificate", "import", brought(console, -DAY, DAY), *RING, "--password", "env:GUESS")
    before = stored(console)
    for attempt in range(20):
        message = console.refused(*arguments, GUESS=f"guess-number-{attempt}")
        assert "the password is wrong or the file is damaged" in message
        assert "guess-number" not in message
    assert stored(console) == before
    assert "guess-number" not in console.ok("audit", "list")
    console.ok(*arguments, GUESS=ENVIRONMENT["PFX"])


def test_c19_private_key_that_came_in_is_never_told_again(console: Console) -> None:
    file = brought(console, -DAY, DAY)
    row = console.json("certificate", "import", file, *RING, "--password", "env:PFX", **ENVIRONMENT)
    key = pkcs12.load_pkcs12(file.read_bytes(), ENVIRONMENT["PFX"].encode()).key
    assert key is not None
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = load_der_private_key(der, None).private_numbers().private_value.to_bytes(32, "big")
    copy = console.home / "copy.pem"
    console.ok("certificate", "download", *RING, "--thumbprint", row["thumbprint"], "--pem", "--destination", copy)
    told = [
        *(
            console.ok(*line.split())
            for line in ("audit list --json", "export contoso", "certificate list --namespace contoso")
        ),
        console.ok("metadata", "show", *RING),
        copy.read_text(),
    ]
    for text in told:
        assert "PRIVATE KEY" not in text
        assert base64.b64encode(der).decode()[40:80] not in text
    for name in ("sts.db", "sts.db-wal"):
        path = console.home / name
        assert not path.exists() or secret not in path.read_bytes()


def test_c20_decryption_certificate_does_not_become_signing_primary(console: Console) -> None:
    row = console.json("certificate", "list", *RING, "--use", "decryption")[0]
    chosen = ("--use", "signing", "--thumbprint", row["thumbprint"])
    message = refusal(console, "certificate", "make-primary", *RING, *chosen)
    assert "is for decryption: it cannot serve for signing" in message


def test_c20_certificate_made_for_decryption_is_not_imported_for_signing(console: Console) -> None:
    file = brought(console, -DAY, DAY, Purpose.DECRYPTION)
    message = refusal(console, "certificate", "import", file, *RING, "--password", "env:PFX", **ENVIRONMENT)
    assert "does not allow it to sign tokens" in message


def test_g14_of_twenty_who_make_one_primary_at_once_exactly_one_wins(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    bench.apply("namespace: contoso\n")
    ring, now = RingName("contoso"), NOW + DAY
    made = [
        new_credentials.generate_certificate(
            bench.installation, CertificateOrder(ring, f"CN={number}", 300 * DAY, KeyType.P256), NOW
        ).row.thumbprint
        for number in range(20)
    ]
    barrier = Barrier(len(made))

    def make_primary(thumbprint: str) -> bool:
        own = reopened(tmp_path).installation
        barrier.wait()
        try:
            credential_states.make_primary(own, Selection(ring, thumbprint=thumbprint), now)
        finally:
            own.database.close()
        return True

    with ThreadPoolExecutor(len(made)) as everybody:
        assert all(everybody.map(make_primary, made))
    for at in (now, now + 60 * SECOND, now + DAY):
        rows = list_credentials(bench.installation, Listing("contoso", Kind.CERTIFICATE, ring.use), at)
        assert [row.status for row in rows] == [Status.ACTIVE] + [Status.INACTIVE] * 20
    begins = [row.primary_from for row in rows if row.primary_from is not None]
    assert len(set(begins)) == len(begins)


@pytest.mark.parametrize("noun", ["certificate", "key"])
def test_g17_only_signing_credential_is_not_deleted(console: Console, noun: str) -> None:
    assert "is the primary" in refusal(console, noun, "delete", *RING, "--index", 1)
    row = console.json(noun, "list", *RING)[0]
    assert "is the primary" in refusal(console, noun, "delete", *RING, "--thumbprint", row["thumbprint"], "--yes")


def test_g17_credential_that_signs_without_ever_being_primary_is_not_deleted(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    bench.apply("namespace: contoso\nrelying_parties: [{name: a, realm: 'urn:a', token_format: jwt}]\n")
    ring = RingName("contoso", relying_party="a")
    new_credentials.generate_certificate(bench.installation, CertificateOrder(ring, key_type=KeyType.P256), NOW)
    with pytest.raises(Conflict, match="is the one in use"):
        credential_states.delete(bench.installation, Selection(ring, 1), NOW)


@pytest.mark.parametrize("size", [0, 1, 16, 31, 33, 64])
def test_s19_key_of_another_size_is_refused(console: Console, size: int) -> None:
    file = write(console, "key", base64.b64encode(b"k" * size))
    message = refusal(console, "key", "import", file, *RING, *DATES)
    assert "standard base64 of exactly 32 bytes" in message


@pytest.mark.parametrize("text", [b"A" * 43 + b"*", b"_" * 43 + b"=", b"A" * 42 + b"B=", b"A" * 43, b"\xff" * 44])
def test_s19_key_in_another_writing_is_refused_and_not_repeated(console: Console, text: bytes) -> None:
    message = refusal(console, "key", "import", write(console, "key", text), *RING, *DATES)
    assert text.decode("latin-1") not in message


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://rp.example/"])
def test_w14_address_that_is_not_https_is_refused_when_saved(console: Console, address: str) -> None:
    party = f"{{name: a, realm: 'urn:a', token_format: saml20, reply: ['{address}']}}"
    file = write(console, "a.yaml", f"namespace: contoso\nrelying_parties:\n  - {party}\n".encode())
    assert "line 3: relying_parties[1].reply" in refusal(console, "apply", file)
