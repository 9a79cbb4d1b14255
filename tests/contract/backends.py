"""One way to fill whatever stands behind the ports, and to look at it as another process does."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol, Self

from sts.core.model import Credential, IdentityProvider, Namespace, RelyingParty, RuleGroup, ServiceIdentity
from sts.core.ports import Cancellations, Directory, KeyRing, ReplayCache
from sts.core.sign_in_steps import Sessions, SignInRecords, SignInStates
from sts.store import credentials, identity_providers, namespaces, relying_parties, rule_groups, service_identities
from sts.store.cancellations import SqlCancellations
from sts.store.changes import Change
from sts.store.database import Database
from sts.store.directory import SqlDirectory
from sts.store.keyring import SealedKeyRing
from sts.store.master_key_files import MasterKeyFiles
from sts.store.replay import SqlReplayCache
from sts.store.sessions import SqlSessions
from sts.store.sign_in_records import SqlSignInRecords
from sts.store.sign_in_states import SqlSignInStates
from tests.core.builders import NOW

BASE_URL = "https://sts.example"
MASTER = b"m" * 32


@cache
def master_key_files() -> MasterKeyFiles:
    """The master key of every backend, in a file that goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="sts-master-key-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "master.key"
    path.touch(0o600)
    path.write_bytes(MASTER)
    return MasterKeyFiles(path)


class Backend(Protocol):
    """The ports of one process, and the verbs that fill what is behind them."""

    @property
    def directory(self) -> Directory: ...
    @property
    def key_ring(self) -> KeyRing: ...
    @property
    def replays(self) -> ReplayCache: ...
    @property
    def cancellations(self) -> Cancellations: ...

    @property
    def states(self) -> SignInStates: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def records(self) -> SignInRecords: ...

    def other_process(self) -> "Backend":
        """The same data, seen from another process."""

    def settle(self) -> None:
        """Let the changes of other processes arrive."""

    def save_namespace(self, namespace: Namespace) -> Namespace: ...
    def delete_namespace(self, namespace: Namespace) -> None: ...
    def save_rule_group(self, namespace: Namespace, group: RuleGroup) -> RuleGroup: ...
    def save_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> RelyingParty: ...
    def delete_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> None: ...
    def save_service_identity(
        self, namespace: Namespace, identity: ServiceIdentity, key: bytes | None = None, password: bytes | None = None
    ) -> ServiceIdentity: ...
    def delete_service_identity(self, namespace: Namespace, identity: ServiceIdentity) -> None: ...
    def save_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> IdentityProvider: ...
    def delete_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> None: ...
    def insert_credential(self, namespace: Namespace, credential: Credential, secret: bytes) -> Credential: ...
    def delete_credential(self, namespace: Namespace, credential: Credential) -> None: ...


class SqlBackend:
    """The real ones over a database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url)
        self.database.migrate()
        self.directory = SqlDirectory(self.database, BASE_URL)
        self.key_ring = SealedKeyRing(self.database, master_key_files())
        self.replays = SqlReplayCache(self.database)
        self.cancellations = SqlCancellations(self.database)
        self.states = SqlSignInStates(self.database, self.key_ring)
        self.sessions = SqlSessions(self.database)
        self.records = SqlSignInRecords(self.database)

    def other_process(self) -> Self:
        return type(self)(self.url)

    def settle(self) -> None:
        self.directory.poll()

    def save_namespace(self, namespace: Namespace) -> Namespace:
        with self.change() as change:
            return namespaces.save(change, namespace)

    def delete_namespace(self, namespace: Namespace) -> None:
        with self.change() as change:
            namespaces.delete(change, namespace)

    def save_rule_group(self, namespace: Namespace, group: RuleGroup) -> RuleGroup:
        with self.change() as change:
            return rule_groups.save(change, namespace, group)

    def save_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> RelyingParty:
        with self.change() as change:
            return relying_parties.save(change, namespace, relying_party)

    def delete_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> None:
        with self.change() as change:
            relying_parties.delete(change, namespace, relying_party)

    def save_service_identity(
        self, namespace: Namespace, identity: ServiceIdentity, key: bytes | None = None, password: bytes | None = None
    ) -> ServiceIdentity:
        ring = self.key_ring
        with self.change() as change:
            stored = service_identities.save(change, namespace, identity)
            if password is not None:
                secret = ring.seal_password(namespace, stored.id, password)
                stored = service_identities.set_recoverable_password(change, namespace, stored, lambda _: secret)
            if key is not None:
                sealed, fingerprint = ring.seal_shared_key(namespace, stored.id, key), ring.fingerprint(key)
                stored = service_identities.set_symmetric_key(change, namespace, stored, fingerprint, lambda _: sealed)
            return stored

    def delete_service_identity(self, namespace: Namespace, identity: ServiceIdentity) -> None:
        with self.change() as change:
            service_identities.delete(change, namespace, identity)

    def save_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> IdentityProvider:
        with self.change() as change:
            return identity_providers.save(change, namespace, provider)

    def delete_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> None:
        with self.change() as change:
            identity_providers.delete(change, namespace, provider)

    def insert_credential(self, namespace: Namespace, credential: Credential, secret: bytes) -> Credential:
        def seal(credential_id: int) -> bytes:
            return self.key_ring.seal(namespace, credential_id, credential.use, secret)

        with self.change() as change:
            return credentials.insert(change, namespace, credential, seal)

    def delete_credential(self, namespace: Namespace, credential: Credential) -> None:
        with self.change() as change:
            credentials.delete(change, namespace, credential)

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One audited change."""
        with self.database.changing("test", NOW) as change:
            change.audit("", "test.change", "", {})
            yield change
