"""An installation in a temporary folder, with the files that a configuration may name beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_der_private_key, pkcs12
from cryptography.x509 import load_der_x509_certificate

from sts.core.model import KeyType
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import private_key_bytes
from sts.operations.apply import Applied, ApplyRequest, apply
from sts.operations.configuration.known import load_known
from sts.operations.configuration.model import Known, Surroundings
from sts.operations.installation import Installation
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.master_key_files import MasterKeyFiles
from sts.store.master_key_opening import open_master_keys

NOW = datetime(2026, 11, 21, 22, tzinfo=UTC)
DAY = timedelta(days=1)
BASE_URL = "https://sts.example"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ENVIRONMENT = {"PASSWORD": "correct horse", "OTHER": "battery staple", "KEY": KEY, "PFX": "pfx password"}


@dataclass(frozen=True)
class Workbench:
    """An installation and a clock that a test sets."""

    installation: Installation
    now: datetime = NOW
    environment: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)

    def at(self, now: datetime) -> "Workbench":
        return replace(self, now=now)

    def apply(self, text: str, *, prunes: bool = False, is_rehearsal: bool = False) -> Applied:
        request = ApplyRequest(text.encode(), self.installation.home, self.environment, prunes, is_rehearsal)
        return apply(self.installation, request, self.now)

    def changes(self, text: str, *, prunes: bool = False) -> list[str]:
        return [str(change) for change in self.apply(text, prunes=prunes).changes]

    def known(self, namespace: str = "contoso") -> Known:
        with self.installation.database.reading() as connection:
            return load_known(connection, self.installation.base_url, namespace)


def workbench(home: Path, base_url: str = BASE_URL) -> Workbench:
    """A new installation in a folder."""
    database = Database(f"sqlite:///{home}/sts.db")
    database.migrate()
    key_ring = SealedKeyRing(database, open_master_keys(database, home / "master.key", NOW))
    return Workbench(Installation(home, base_url, database, key_ring, (), "tests"))


def reopened(home: Path, base_url: str = BASE_URL) -> Workbench:
    """An installation that is there already."""
    database = Database(f"sqlite:///{home}/sts.db")
    key_ring = SealedKeyRing(database, MasterKeyFiles(home / "master.key"))
    return Workbench(Installation(home, base_url, database, key_ring, (), "tests"))


def surroundings(folder: Path, **changes: object) -> Surroundings:
    """What a file is read with, where no database is needed."""
    usual = Surroundings(folder, BASE_URL, NOW, ENVIRONMENT, lambda key: key.hex())
    return replace(usual, **changes)


def write_certificate(path: Path, purpose: Purpose = Purpose.VERIFICATION, **changes: object) -> bytes:
    """Write a self-signed certificate (DER) and answer it."""
    der = _make(purpose, **changes)[1]
    path.write_bytes(der)
    return der


def write_pkcs12(path: Path, purpose: Purpose = Purpose.SIGNING, **changes: object) -> bytes:
    """Write a key pair as PKCS#12 under the password of ENVIRONMENT and answer its certificate."""
    key, der = _make(purpose, **changes)
    password = BestAvailableEncryption(ENVIRONMENT["PFX"].encode())
    loaded = load_der_private_key(key, None)
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(b"x", loaded, load_der_x509_certificate(der), None, password)
    )
    return der


def _make(
    purpose: Purpose,
    subject: str = "CN=partner",
    key_type: KeyType = KeyType.RSA2048,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + 365 * DAY,
) -> tuple[bytes, bytes]:
    key, der = certificates.generate(subject, key_type, not_before, not_after, purpose)
    return private_key_bytes(key), der
