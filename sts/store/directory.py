"""Snapshots of the configuration, in memory until something changes (core.ports.Directory)."""

import logging
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from hashlib import sha256
from threading import Event, Lock, Thread
from typing import Final

from sts.core.errors import NamespaceNotFound, NotFound, StoreUnavailable
from sts.core.model import INSTALLATION, Credential, IdentityProvider, Namespace, RelyingParty, ServiceIdentity
from sts.store import credentials, identity_providers, namespaces, relying_parties, service_identities
from sts.store.bounded import BoundedMap, is_storable
from sts.store.changes import ChangeKind, Touched
from sts.store.database import Database

MOST_NAMESPACES: Final = 10_000
MOST_RELYING_PARTIES: Final = 20_000
MOST_SERVICE_IDENTITIES: Final = 20_000
LONGEST_NAME: Final = 64  # of a namespace; what is longer need not be looked up, nor repeated to anybody
POLLING_INTERVAL: Final = 1.0  # seconds

_KINDS: Final = frozenset(ChangeKind)
_LOG: Final = logging.getLogger(__name__)


class SqlDirectory:
    """Loads on first use, keeps what is registered, and drops what changed.

    What is warm is read without SQL and without a lock. Loading and dropping exclude each other: what was read before
    a change can then never be kept after it. Nothing is kept under a name or realm that is not registered.
    """

    def __init__(self, database: Database, base_url: str) -> None:
        self._database = database
        self._base_url = base_url
        self._lock = Lock()
        self._hosts: Mapping[str, str] | None = None
        self._roots: tuple[Credential, ...] | None = None
        self._namespaces: BoundedMap[str, Namespace] = BoundedMap(MOST_NAMESPACES)
        self._relying_parties: BoundedMap[tuple[int, str], RelyingParty] = BoundedMap(MOST_RELYING_PARTIES)
        self._service_identities: BoundedMap[tuple[int, str], ServiceIdentity] = BoundedMap(MOST_SERVICE_IDENTITIES)
        self._identity_providers: BoundedMap[int, tuple[IdentityProvider, ...]] = BoundedMap(MOST_NAMESPACES)
        self._owners: BoundedMap[int, Mapping[bytes, tuple[str, ...]]] = BoundedMap(MOST_NAMESPACES)  # by SHA-256
        database.feed.subscribe(self)

    def namespace(self, name: str) -> Namespace:
        """Answer the namespace of this name; raises NamespaceNotFound, StoreUnavailable."""
        return self._namespaces.get(name) or self._load_namespace(name)

    def namespace_of_host(self, host: str) -> str | None:
        """Answer the name of the namespace that owns a host name, None if none does; raises StoreUnavailable."""
        hosts = self._hosts
        return (self._load_hosts() if hosts is None else hosts).get(host)

    def relying_party(self, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
        """Answer the relying party of the first of these realms that is registered, None if none is.

        Raises StoreUnavailable.
        """
        return self._known(namespace, realms) or self._load_relying_party(namespace, realms)

    def service_identity(self, namespace: Namespace, name: str) -> ServiceIdentity | None:
        """Answer the service identity of this name, None if there is none; raises StoreUnavailable."""
        return self._service_identities.get((namespace.id, name)) or self._load_service_identity(namespace, name)

    def certificate_owners(self, namespace: Namespace, certificate: bytes) -> tuple[str, ...]:
        """Answer the names of the service identities with this certificate (DER); raises StoreUnavailable."""
        known = self._owners.get(namespace.id)
        owners = self._load_owners(namespace) if known is None else known
        return owners.get(sha256(certificate).digest(), ())

    def identity_providers(self, namespace: Namespace) -> tuple[IdentityProvider, ...]:
        """Answer the identity providers of the namespace by name, disabled ones too; raises StoreUnavailable."""
        known = self._identity_providers.get(namespace.id)
        return self._load_identity_providers(namespace) if known is None else known

    def roots(self) -> tuple[Credential, ...]:
        """Answer the installation's root CA certificates, tombstones too; raises StoreUnavailable."""
        roots = self._roots
        return self._load_roots() if roots is None else roots

    def poll(self) -> None:
        """Drop what other processes changed; raises StoreUnavailable."""
        self._database.poll()

    def drop(self, changes: Sequence[Touched]) -> None:
        """Forget what these changes touched."""
        if any(change.kind not in _KINDS for change in changes):  # written by a newer version
            self.drop_all()
            return
        with self._lock:
            for change in changes:
                if change.kind == ChangeKind.NAMESPACE:
                    self._namespaces.drop(change.key)
                elif change.kind == ChangeKind.SERVICE_IDENTITY:
                    self._service_identities.drop((change.namespace_id, change.key))
                    self._owners.drop(change.namespace_id)
                elif change.kind == ChangeKind.IDENTITY_PROVIDER:
                    self._identity_providers.drop(change.namespace_id)
                elif change.kind == ChangeKind.HOST:
                    self._hosts = None
                elif change.namespace_id == INSTALLATION.id and change.kind == ChangeKind.CREDENTIAL:
                    self._roots = None
            self._relying_parties.drop_where(_ConcernedRelyingParties(changes))

    def drop_all(self) -> None:
        """Forget everything."""
        with self._lock:
            self._hosts = None
            self._roots = None
            self._namespaces.clear()
            self._relying_parties.clear()
            self._service_identities.clear()
            self._owners.clear()
            self._identity_providers.clear()

    def _known(self, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
        """The first that is kept, unless a better realm is registered, or might be, and is not kept."""
        for position, realm in enumerate(realms):
            found = self._relying_parties.get((namespace.id, realm))
            if found is not None:
                return found if _none_registered(realms[:position], found) else None
        return None

    def _load_namespace(self, name: str) -> Namespace:
        if len(name) > LONGEST_NAME or not is_storable(name):
            raise NamespaceNotFound("there is no such namespace")
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            namespace = namespaces.find(connection, self._base_url, name)
            self._namespaces.put(name, namespace)
            return namespace

    def _load_hosts(self) -> Mapping[str, str]:
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            self._hosts = hosts = namespaces.list_hosts(connection)
            return hosts

    def _load_identity_providers(self, namespace: Namespace) -> tuple[IdentityProvider, ...]:
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            found = identity_providers.list_all(connection, namespace)
            self._identity_providers.put(namespace.id, found)
            return found

    def _load_owners(self, namespace: Namespace) -> Mapping[bytes, tuple[str, ...]]:
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            owners = service_identities.by_certificate(connection, namespace)
            self._owners.put(namespace.id, owners)
            return owners

    def _load_roots(self) -> tuple[Credential, ...]:
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            self._roots = roots = credentials.list_roots(connection)
            return roots

    def _load_relying_party(self, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            storable = [realm for realm in realms if is_storable(realm)]
            found = relying_parties.find_first(connection, namespace, storable)
            if found is not None:
                self._relying_parties.put((namespace.id, found.realm), found)
            return found

    def _load_service_identity(self, namespace: Namespace, name: str) -> ServiceIdentity | None:
        if not is_storable(name):
            return None
        with self._lock, self._database.reading() as connection:
            self._database.feed.begin(connection)
            try:
                identity = service_identities.find(connection, namespace, name)
            except NotFound:
                return None
            self._service_identities.put((namespace.id, name), identity)
            return identity


class Poller(Thread):
    """The one thread of a process that follows the changes of the other processes."""

    def __init__(self, database: Database, interval: float = POLLING_INTERVAL) -> None:
        super().__init__(name="sts-poller", daemon=True)
        self._database = database
        self._interval = interval
        self._stopped = Event()

    def run(self) -> None:
        """Poll until stopped; while the database is away the snapshots stay, and one warning says so."""
        away = False
        while not self._stopped.wait(self._interval):
            try:
                self._database.poll()
                away = False
            except StoreUnavailable as error:
                if not away:
                    _LOG.warning("the database is away, serving from memory: %s", error.detail)
                away = True
            except Exception:  # whatever it was: a process that stopped following would serve what was revoked
                if not away:
                    _LOG.exception("changes cannot be read, serving from memory")
                away = True

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self.join()


class _ConcernedRelyingParties:
    """Whether a kept relying party is concerned by any of a number of changes."""

    def __init__(self, changes: Sequence[Touched]) -> None:
        self._ids = {int(change.key) for change in changes if change.kind == ChangeKind.RELYING_PARTY}
        self._groups = {(c.namespace_id, c.key) for c in changes if c.kind == ChangeKind.RULE_GROUP}
        self._providers = {(c.namespace_id, c.key) for c in changes if c.kind == ChangeKind.IDENTITY_PROVIDER}
        self._realms = sorted((c.namespace_id, c.key) for c in changes if c.kind == ChangeKind.REALM)

    def __call__(self, key: tuple[int, str], relying_party: RelyingParty) -> bool:
        """By its id, a rule group or identity provider of its own, or its realm or one below it having come or gone."""
        namespace_id, realm = key
        if relying_party.id in self._ids:
            return True
        if any((namespace_id, name) in self._groups for name in relying_party.rule_groups):
            return True
        if any((namespace_id, name) in self._providers for name in relying_party.identity_providers):
            return True
        position = bisect_left(self._realms, key)
        if position == len(self._realms):
            return False
        nearest_namespace_id, nearest = self._realms[position]
        return nearest_namespace_id == namespace_id and nearest.startswith(realm)


def _none_registered(realms: Sequence[str], below: RelyingParty) -> bool:
    nested = below.nested_realms
    if not realms:
        return True
    return nested is not None and all(realm.startswith(below.realm) and realm not in nested for realm in realms)
