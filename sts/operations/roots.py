"""The installation's root CA looks after itself: it is made, succeeded in time, and its key destroyed after its end."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sts.core.credentials import describe, instant
from sts.core.model import INSTALLATION, INSTALLATION_SCOPE, Credential, KeyType, Use
from sts.core.ring_defaults import RingDefaults
from sts.core.rollover import RingName, Step, StepKind
from sts.core.tenant_ca import Subscriber, last_root, promote_root, root_lifetime, root_steps, root_takes_over
from sts.crypto import certificates
from sts.crypto.authority import NAME_LIMIT, make_root
from sts.crypto.signer import PrivateKey, private_key_bytes
from sts.operations.configuration.addresses import host_of
from sts.operations.credentials import Material, Ring, store
from sts.operations.installation import Installation
from sts.store import credentials as table
from sts.store import namespaces
from sts.store.changes import Change
from sts.store.connection import Connection

KEY_TYPE: Final = KeyType.RSA3072
RING: Final = Ring(INSTALLATION, Use.ROOT_CA, scope=INSTALLATION_SCOPE)
_MARK_BYTES: Final = 4  # in the name of a CA, so that it is told from the one before it


def longest_tenant_life(connection: Connection, defaults: RingDefaults) -> timedelta | None:
    """The longest life that a namespace's policy gives its tenant CA; None without a namespace."""
    policies = namespaces.list_policies(connection)
    lives = (defaults.policy_of(replace(INSTALLATION, rollover=each), RingName.TENANT_CA).lifetime for each in policies)
    return max(lives, default=None)


def look_after_roots(installation: Installation, tenant_lifetime: timedelta, now: datetime) -> tuple[Step, ...]:
    """Carry out what is due for the roots, where the longest life of a tenant CA is this; answers what was done.

    Each step is one transaction, and any number of processes may try. Raises StoreUnavailable, MasterKeyError.
    """
    done: list[Step | None] = []
    for kind in (StepKind.PUBLISH, StepKind.PROMOTE, StepKind.DESTROY):  # what is published may have to issue at once
        with installation.database.reading() as connection:
            steps = root_steps(table.list_roots(connection), tenant_lifetime, now)
        done += [_CARRY_OUT[kind](installation, step, tenant_lifetime, now) for step in steps if step.kind is kind]
    return tuple(step for step in done if step is not None)


def _publish(installation: Installation, step: Step, tenant_lifetime: timedelta, now: datetime) -> Step | None:
    """Make a root, the key before the transaction begins; it succeeds whichever was made last."""
    begin = now.replace(microsecond=0)
    lifetime = root_lifetime(tenant_lifetime)
    material = material_of(*make_root(subscriber(host_of(installation.base_url), "root CA", begin, lifetime), KEY_TYPE))
    with installation.database.changing(installation.actor, now) as change:
        roots = table.list_roots(change.connection)
        if not _is_still_due(roots, step, tenant_lifetime, now):
            return None
        last, takes_over = last_root(roots, now), root_takes_over(roots, tenant_lifetime, now)
        if last is not None:
            table.save(change, INSTALLATION, replace(last, demoted_at=takes_over))
        predecessor_id = roots[-1].id if roots else None
        stored = store(change, installation.key_ring, RING, replace(material, predecessor_id=predecessor_id))
        made = table.save(change, INSTALLATION, replace(stored, primary_from=takes_over))
        installation.key_ring.test(change.connection, INSTALLATION, made)
    return replace(step, credential=made)


def _promote(installation: Installation, step: Step, tenant_lifetime: timedelta, now: datetime) -> Step | None:
    with installation.database.changing(installation.actor, now) as change:
        roots = table.list_roots(change.connection)
        if step.credential is None or not _is_still_due(roots, step, tenant_lifetime, now):
            return None
        for changed in promote_root(roots, step.credential, now):
            table.save(change, INSTALLATION, changed)
        _audit(change, "promote", step.credential, primary_from=instant(now))
    return step


def _destroy(installation: Installation, step: Step, tenant_lifetime: timedelta, now: datetime) -> Step | None:
    with installation.database.changing(installation.actor, now) as change:
        roots = table.list_roots(change.connection)
        if step.credential is None or not _is_still_due(roots, step, tenant_lifetime, now):
            return None
        table.delete(change, INSTALLATION, step.credential)
        _audit(change, "destroy", step.credential, due=instant(step.at))
    return step


_CARRY_OUT: Final[Mapping[StepKind, Callable[[Installation, Step, timedelta, datetime], Step | None]]] = {
    StepKind.PUBLISH: _publish,
    StepKind.PROMOTE: _promote,
    StepKind.DESTROY: _destroy,
}


def _is_still_due(roots: tuple[Credential, ...], step: Step, tenant_lifetime: timedelta, now: datetime) -> bool:
    """Whether the same step is still to be done: another process may have done it."""

    def wanted(step: Step) -> tuple[StepKind, int | None]:
        return step.kind, None if step.credential is None else step.credential.id

    return wanted(step) in map(wanted, root_steps(roots, tenant_lifetime, now))


def _audit(change: Change, verb: str, credential: Credential, **details: str) -> None:
    known = {"use": str(credential.use), "thumbprint": credential.thumbprint, "name": describe(credential)}
    change.audit(INSTALLATION.name, f"rollover.{verb}", f"credential:{credential.id}", {**known, **details})


def subscriber(owner: str, role: str, begin: datetime, lifetime: timedelta) -> Subscriber:
    """Whom the certificate of a CA is issued to: the name that it gets is its alone."""
    suffix = f" {role} {secrets.token_hex(_MARK_BYTES)}"
    return Subscriber(f"{owner[: NAME_LIMIT - len(suffix)]}{suffix}", begin, begin + lifetime)


def material_of(key: PrivateKey, der: bytes) -> Material:
    """A CA's key and its certificate as they are stored."""
    made = certificates.parse(der)
    return Material(private_key_bytes(key), made.not_before, made.not_after, made)
