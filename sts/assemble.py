"""From settings to the assembled service: the only module that knows every part."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sts.core.exchange import PublicKey
from sts.core.model import TokenFormat
from sts.core.parts import Parts
from sts.core.sign_in_steps import Desk
from sts.core.trust import TrustDesk
from sts.crypto import issued
from sts.crypto.certificates import public_key_info
from sts.crypto.message_signature import verify_possession
from sts.crypto.roots import load_roots
from sts.operations.installation import Installation
from sts.operations.power_failure import NOBODY, SERVED_AS, record_through
from sts.operations.publish import Publications
from sts.protocols.discovery import BY_CERTIFICATE, BY_MESSAGE
from sts.settings import Settings
from sts.store.cancellations import SqlCancellations
from sts.store.database import Database
from sts.store.devices import SealedDevices
from sts.store.directory import SqlDirectory
from sts.store.failures import DECRYPTIONS, FailureCounters
from sts.store.keyring import SealedKeyRing
from sts.store.master_key_opening import open_master_keys
from sts.store.passwords import LimitedPasswords
from sts.store.replay import SqlReplayCache
from sts.store.sessions import SqlSessions
from sts.store.sign_in_records import SqlSignInRecords
from sts.store.sign_in_states import SqlSignInStates
from sts.tokens import jwt, saml, saml11, saml20, swt

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that answers requests."""

    settings: Settings
    installation: Installation
    directory: SqlDirectory
    parts: Parts
    publications: Publications
    clock: Clock
    desk: Desk
    trust: TrustDesk


def utc_now() -> datetime:
    """The clock of a real installation."""
    return datetime.now(UTC)


def open_installation(settings: Settings, actor: str, now: datetime) -> Installation:
    """Prepare the home folder, the database and the master key, and open them.

    Raises MasterKeyError, InvalidConfiguration or StoreUnavailable with a sentence that says what to do.
    """
    for folder in (settings.home, settings.home / "keys", settings.home / "metadata"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    return Installation(
        home=settings.home,
        base_url=settings.base_url,
        database=database,
        key_ring=SealedKeyRing(database, open_master_keys(database, settings.master_key_file, now)),
        roots=tuple(load_roots(settings.extra_roots)),
        actor=actor,
        defaults=settings.ring_defaults,
        mark=settings.mark_file,
    )


def assemble(settings: Settings, clock: Clock = utc_now) -> Service:
    """Build the service; its installation is prepared first. Raises what `open_installation` does."""
    installation = open_installation(settings, "service", clock())
    database = installation.database
    record_through(installation, settings.boot_id_file, clock(), os.environ.get(SERVED_AS, NOBODY))
    directory = SqlDirectory(database, settings.base_url)
    parts = Parts(
        directory=directory,
        key_ring=installation.key_ring,
        passwords=LimitedPasswords(FailureCounters(database)),
        replays=SqlReplayCache(database),
        formats={TokenFormat.SWT: swt, TokenFormat.JWT: jwt, TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20},
        encryptions={TokenFormat.SAML11: saml11.encrypt, TokenFormat.SAML20: saml20.encrypt},
        new_token_id=lambda: os.urandom(16).hex(),
        client_certificates=issued,
        decrypt=saml.decrypted,
        decryption_failures=FailureCounters(database, DECRYPTIONS),
    )
    publications = Publications(installation.key_ring, _client_authentication(settings), settings.ring_defaults)
    desk = Desk(
        parts=parts,
        states=SqlSignInStates(database, installation.key_ring),
        sessions=SqlSessions(database),
        records=SqlSignInRecords(database),
        devices=SealedDevices(installation.key_ring),
    )
    trust = TrustDesk(
        parts=parts,
        cancellations=SqlCancellations(database),
        verify_possession=verify_possession,
        public_key=lambda certificate: PublicKey(public_key_info(certificate)),
    )
    return Service(settings, installation, directory, parts, publications, clock, desk, trust)


def _client_authentication(settings: Settings) -> tuple[str, ...]:
    """The ways to authenticate that the discovery documents offer."""
    return BY_MESSAGE if settings.client_certificate_header is None else (*BY_MESSAGE, *BY_CERTIFICATE)
