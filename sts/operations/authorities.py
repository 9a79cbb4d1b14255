"""Making the tenant CAs of namespaces, below the installation's root; keys are made before a transaction begins."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sts.core.errors import NoIssuingAuthority, OperatorError
from sts.core.model import INSTALLATION, Credential, KeyType, Namespace, Use
from sts.core.rollover import RingName
from sts.core.tenant_ca import needs_first, root_for
from sts.operations.credentials import Material, Ring, store
from sts.operations.installation import Installation
from sts.operations.roots import KEY_TYPE, look_after_roots, material_of, subscriber
from sts.store import credentials as table
from sts.store import namespaces
from sts.store.changes import Change
from sts.store.keyring import SealedKeyRing

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=100 * 365)


@dataclass(frozen=True, slots=True)
class TenantCAOrder:
    """A tenant CA to be made; None: what the ring's policy says."""

    namespace: Namespace
    lifetime: timedelta | None = None
    key_type: KeyType | None = None


def make_first(installation: Installation, namespace: Namespace, now: datetime) -> None:
    """Give a namespace that never had one its tenant CA, primary at once; another process may have done it already.

    Raises KeyUnreadable when the root's key does not open, NamespaceNotFound, StoreUnavailable.
    """
    if not needs_first(namespace):
        return
    material = make_tenant_ca(installation, TenantCAOrder(namespace), now)
    with installation.database.changing(installation.actor, now) as change:
        known = namespaces.find(change.connection, installation.base_url, namespace.name)
        if needs_first(known):
            store_first(change, installation.key_ring, known, material)


def store_first(change: Change, key_ring: SealedKeyRing, namespace: Namespace, material: Material) -> Credential:
    """Store the first tenant CA of a namespace, primary at once."""
    stored = store(change, key_ring, Ring(namespace, Use.TENANT_CA), material)
    return table.save(change, namespace, replace(stored, primary_from=change.now.replace(microsecond=0)))


def make_tenant_ca(installation: Installation, order: TenantCAOrder, now: datetime) -> Material:
    """A tenant CA, issued by a root that outlives it, which is made or promoted first where that is due.

    Raises KeyUnreadable: an unreadable root is never replaced silently; OperatorError for a life that is none of a CA,
    NoIssuingAuthority, StoreUnavailable.
    """
    policy = installation.defaults.policy_of(order.namespace, RingName.TENANT_CA)
    lifetime = policy.lifetime if order.lifetime is None else order.lifetime
    if not SHORTEST <= lifetime <= LONGEST:
        raise OperatorError(f"a tenant CA lives for a minute at least and {LONGEST.days // 365} years at most")
    look_after_roots(installation, lifetime, now)
    with installation.database.reading() as connection:
        root = root_for(table.list_roots(connection), lifetime, now)
    if root is None:
        raise NoIssuingAuthority("no root CA may issue; see `sts ca-certificate list --root`")
    authority = installation.key_ring.authority(INSTALLATION, root)
    wanted = subscriber(order.namespace.name, "tenant CA", now.replace(microsecond=0), lifetime)
    return material_of(*authority.subordinate(wanted, order.key_type or policy.key_type or KEY_TYPE))
