"""Making the CAs: a namespace's tenant CA, and the installation's root above all of them, when it is due."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sts.core.model import INSTALLATION, INSTALLATION_SCOPE, Credential, KeyType, Namespace, Use
from sts.core.rollover import RingName, policy_of
from sts.core.tenant_ca import Subscriber, is_root_due, issuing_root, needs_first, root_lifetime, root_takes_over
from sts.crypto import certificates
from sts.crypto.authority import NAME_LIMIT, SoftwareAuthority, make_root
from sts.crypto.signer import PrivateKey, private_key_bytes
from sts.operations.configuration.addresses import host_of
from sts.operations.credentials import Material, Ring, store
from sts.operations.installation import Installation
from sts.store import credentials as table
from sts.store import namespaces
from sts.store.changes import Change
from sts.store.keyring import SealedKeyRing

KEY_TYPE: Final = KeyType.RSA3072
_MARK_BYTES: Final = 4  # in the name of a CA, so that it is told from the one before it


@dataclass(frozen=True, slots=True)
class Place:
    """Where CAs are made: one transaction, its key ring, and the host that names the root."""

    change: Change
    key_ring: SealedKeyRing
    host: str

    @property
    def now(self) -> datetime:
        """The transaction's instant in whole seconds."""
        return self.change.now.replace(microsecond=0)


def make_first(installation: Installation, namespace: Namespace, now: datetime) -> None:
    """Give a namespace that never had one its tenant CA, primary at once; another process may have done it already.

    Raises KeyUnreadable when the root's key does not open, NamespaceNotFound, StoreUnavailable.
    """
    if not needs_first(namespace):
        return
    with installation.database.changing(installation.actor, now) as change:
        known = namespaces.find(change.connection, installation.base_url, namespace.name)
        if needs_first(known):
            create_first(Place(change, installation.key_ring, host_of(installation.base_url)), known)


def create_first(place: Place, namespace: Namespace) -> Credential:
    """Store the first tenant CA of a namespace, primary at once; raises KeyUnreadable."""
    material = make_tenant_ca(place, namespace)
    stored = store(place.change, place.key_ring, Ring(namespace, Use.TENANT_CA), material)
    return table.save(place.change, namespace, replace(stored, primary_from=place.now))


def make_tenant_ca(place: Place, namespace: Namespace) -> Material:
    """A tenant CA by the namespace's policy, issued by the root, which is made first where it is due.

    It ends with its root at the latest. Raises KeyUnreadable: an unreadable root is never replaced silently.
    """
    policy = policy_of(namespace, RingName.TENANT_CA)
    root = look_after_root(place, policy.lifetime)
    subscriber = _subscriber(namespace.name, "tenant CA", place.now, policy.lifetime)
    return _material(*root.subordinate(subscriber, policy.key_type or KEY_TYPE))


def look_after_root(place: Place, tenant_lifetime: timedelta) -> SoftwareAuthority:
    """The root that issues now; the first is made on first need, the next one when two tenant lives are not left.

    Raises KeyUnreadable.
    """
    roots = table.list_roots(place.change.connection)
    present = issuing_root(roots, place.now)
    if present is None or is_root_due(roots, tenant_lifetime, place.now):
        takes_over = root_takes_over(roots, tenant_lifetime, place.now)
        subscriber = _subscriber(place.host, "root CA", place.now, root_lifetime(tenant_lifetime))
        key, der = make_root(subscriber, KEY_TYPE)
        _store_root(place, _material(key, der), present, takes_over)
        if present is None or takes_over <= place.now:  # what this transaction stored, the key ring cannot see yet
            return SoftwareAuthority.from_private_key(key, der)
    return place.key_ring.authority(INSTALLATION, present)


def _store_root(place: Place, material: Material, present: Credential | None, takes_over: datetime) -> None:
    if present is not None:
        material = replace(material, predecessor_id=present.id)
        table.save(place.change, INSTALLATION, replace(present, demoted_at=takes_over))
    stored = store(place.change, place.key_ring, Ring(INSTALLATION, Use.ROOT_CA, scope=INSTALLATION_SCOPE), material)
    table.save(place.change, INSTALLATION, replace(stored, primary_from=takes_over))


def _subscriber(owner: str, role: str, begin: datetime, lifetime: timedelta) -> Subscriber:
    suffix = f" {role} {secrets.token_hex(_MARK_BYTES)}"
    return Subscriber(f"{owner[: NAME_LIMIT - len(suffix)]}{suffix}", begin, begin + lifetime)


def _material(key: PrivateKey, der: bytes) -> Material:
    made = certificates.parse(der)
    return Material(private_key_bytes(key), made.not_before, made.not_after, made)
