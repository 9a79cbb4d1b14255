"""`sts trusted-ca`, at the real clock."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sts.core.model import KeyType
from sts.crypto.certificates import Purpose, generate, pem
from sts.crypto.signer import PrivateKey
from tests.cli.console import Console
from tests.crypto.authorities import DAY, Issuer, Leaf, certificate

NOW = datetime.now(UTC).replace(microsecond=0)
FACTORY = ("--namespace", "contoso", "--name", "factory")


class Factory:
    """A CA and its file."""

    def __init__(self, folder: Path, name: str = "factory") -> None:
        self.file = folder / f"{name}.cer"
        self._folder = folder
        self._subject = f"CN={name}"
        self._key: PrivateKey
        self._key, der = generate(self._subject, KeyType.P256, NOW - DAY, NOW + 365 * DAY, Purpose.CA)
        self.file.write_bytes(der)

    def prove(self, code: str) -> Path:
        """The file of a certificate for a code."""
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        proof = certificate(Leaf(key, f"CN={code}", 1, NOW - DAY, NOW + DAY), Issuer(self._subject, self._key))
        (self._folder / "proof.cer").write_bytes(proof)
        return self._folder / "proof.cer"


@pytest.fixture
def factory(console: Console) -> Factory:
    return Factory(console.home)


def test_a_ca_is_added_proved_listed_and_removed(console: Console, factory: Factory) -> None:
    assert console.json("trusted-ca", "list", "--namespace", "contoso") == []
    told = console.ok("trusted-ca", "add", *FACTORY, "--certificate", factory.file)
    assert told.startswith("added factory: CN=factory (")
    assert told.endswith("unverified: its clients are not trusted yet\n")
    code = console.ok("trusted-ca", "verification-code", *FACTORY)
    assert re.fullmatch("[0-9A-F]{48}\n", code)
    told = console.ok("trusted-ca", "verify", *FACTORY, "--certificate", factory.prove(code.strip()))
    assert told.startswith("verified factory: CN=factory (")
    assert "Verified" in console.ok("trusted-ca", "list", "--namespace", "contoso")
    (row,) = console.json("trusted-ca", "list", "--namespace", "contoso")
    assert (row["name"], row["status"], row["subject"], row["code_expires_at"]) == (
        *("factory", "Verified", "CN=factory"),
        None,
    )
    assert console.ok("trusted-ca", "remove", *FACTORY).startswith("removed factory: CN=factory (")
    assert console.json("trusted-ca", "list", "--namespace", "contoso") == []


def test_every_verb_answers_json_with_the_version_that_the_next_one_needs(console: Console, factory: Factory) -> None:
    row = console.json("trusted-ca", "add", *FACTORY, "--certificate", factory.file)
    made = console.json("trusted-ca", "verification-code", *FACTORY, "--if-match", row["version"])
    assert re.fullmatch("[0-9A-F]{48}", made["verification_code"])
    assert made["status"] == "Unverified"
    proof = factory.prove(made["verification_code"])
    stale = ("--if-match", row["version"])
    assert "was changed since" in console.refused("trusted-ca", "verify", *FACTORY, *stale, "--certificate", proof)
    row = console.json("trusted-ca", "verify", *FACTORY, "--if-match", made["version"], "--certificate", proof)
    assert row["status"] == "Verified"
    successor = Factory(console.home, "successor").file
    row = console.json("trusted-ca", "replace", *FACTORY, "--if-match", row["version"], "--certificate", successor)
    assert (row["status"], row["subject"]) == ("Unverified", "CN=successor")
    assert console.json("trusted-ca", "remove", *FACTORY, "--if-match", row["version"])["name"] == "factory"


def test_a_certificate_comes_as_pem_too_and_from_the_standard_input(console: Console, factory: Factory) -> None:
    text = pem(factory.file.read_bytes())
    assert console.json("trusted-ca", "add", *FACTORY, "--certificate", "-", stdin=text)["status"] == "Unverified"


def test_what_is_refused_says_what_to_do(console: Console, factory: Factory) -> None:
    console.ok("trusted-ca", "add", *FACTORY, "--certificate", factory.file)
    message = console.refused("trusted-ca", "verify", *FACTORY, "--certificate", factory.prove("x"))
    assert "`sts trusted-ca verification-code`" in message
    code = console.json("trusted-ca", "verification-code", *FACTORY)["verification_code"]
    assert "given out last" in console.refused(
        "trusted-ca", "verify", *FACTORY, "--certificate", factory.prove(code.lower())
    )
    stranger = Factory(console.home, "stranger").prove(code)
    assert "was not issued by the CA" in console.refused("trusted-ca", "verify", *FACTORY, "--certificate", stranger)
    assert "cannot be read" in console.refused("trusted-ca", "verify", *FACTORY, "--certificate", "none.cer")
    assert "is no name" in console.refused(
        *("trusted-ca", "add", "--namespace", "contoso", "--name", "a b", "--certificate", factory.file)
    )
    console.ok("trusted-ca", "verify", *FACTORY, "--certificate", factory.prove(code))
