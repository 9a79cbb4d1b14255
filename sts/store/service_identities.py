"""Service identities and their sealed symmetric keys."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final

import sqlalchemy as sa

from sts.core.errors import KeyUnreadable
from sts.core.model import Namespace, ServiceIdentity
from sts.store import known_sources, partner_certificates, rows, sessions
from sts.store.changes import Change, ChangeKind
from sts.store.tables import service_identity as _TABLE

_PLAIN: Final = (
    *("password_hash", "enabled", "swt_without_expiry", "interactive"),
    *("may_act", "recoverable_password", "secrets_since"),
)
_COLUMNS: Final = (  # never a secret
    *(_TABLE.c[name] for name in ("id", "name", *_PLAIN, "symmetric_key_fingerprint")),
    _TABLE.c.password.is_not(None).label("has_recoverable_password"),
)


def find(connection: sa.Connection, namespace: Namespace, name: str) -> ServiceIdentity:
    """Answer the service identity of this name; raises NotFound."""
    for identity in _load(connection, namespace, _TABLE.c.name == name):
        return identity
    raise rows.missing(_TABLE, namespace, name)


def list_all(connection: sa.Connection, namespace: Namespace) -> tuple[ServiceIdentity, ...]:
    """Answer the service identities of the namespace, by name."""
    return _load(connection, namespace, sa.true())


def by_certificate(connection: sa.Connection, namespace: Namespace) -> Mapping[bytes, tuple[str, ...]]:
    """Answer the names of the service identities that have a certificate, in order, by its SHA-256."""
    found: dict[bytes, list[str]] = defaultdict(list)
    for row in connection.execute(partner_certificates.ders(_TABLE, namespace.id)):
        found[sha256(row.der).digest()].append(row.name)
    return {digest: tuple(names) for digest, names in found.items()}


def save(change: Change, namespace: Namespace, identity: ServiceIdentity) -> ServiceIdentity:
    """Store the service identity; one with id 0 is new and is answered with its id; raises Conflict, NotFound.

    Its symmetric key is stored by `set_symmetric_key`; `has_symmetric_key=False` destroys a stored one. A recoverable
    password is stored by `set_recoverable_password`; another hash and `recoverable_password=False` destroy a stored
    one. When what it authenticates with changes, the instant is stored, whatever `secrets_since` the caller has.
    """
    before = _stored(change.connection, namespace, identity) if identity.id else None
    if before is not None:
        _touch(change, namespace, before.name)
    is_same = before is not None and _secrets(before) == _secrets(identity)
    since = before.secrets_since if before is not None and is_same else _now(change)
    if before is not None and not (is_same and before.name == identity.name and identity.interactive):
        sessions.end_of_account(change, namespace, before.name)
    if before is not None and not (is_same and before.name == identity.name):
        known_sources.forget(change.connection, namespace, before.name)
    identity = replace(identity, secrets_since=since)
    values = {name: getattr(identity, name) for name in _PLAIN}
    if not identity.has_symmetric_key:
        values |= {"symmetric_key": None, "symmetric_key_fingerprint": None}
    if not _keeps_password(before, identity):
        identity = replace(identity, has_recoverable_password=False)
        values |= {"password": None}
    identity = replace(identity, id=rows.store(change.connection, _TABLE, namespace, identity, values))
    certificates = (identity.certificate,) if identity.certificate else ()
    partner_certificates.save(change.connection, _TABLE, identity.id, certificates)
    _touch(change, namespace, identity.name)
    return identity


def set_symmetric_key(
    change: Change, namespace: Namespace, identity: ServiceIdentity, fingerprint: str, seal: Callable[[int], bytes]
) -> ServiceIdentity:
    """Store the symmetric key of a stored service identity; `seal` makes the sealed key from the identity's id."""
    since = _now(change)
    values = {"symmetric_key": seal(identity.id), "symmetric_key_fingerprint": fingerprint, "secrets_since": since}
    rows.stored(change.connection, _TABLE, namespace, identity, "name")
    change.connection.execute(sa.update(_TABLE).where(_TABLE.c.id == identity.id).values(values))
    _touch(change, namespace, identity.name)
    return replace(identity, has_symmetric_key=True, secrets_since=since)


def set_recoverable_password(
    change: Change, namespace: Namespace, identity: ServiceIdentity, seal: Callable[[int], bytes]
) -> ServiceIdentity:
    """Store the password of a stored service identity besides its hash; `seal` makes it from the identity's id."""
    rows.stored(change.connection, _TABLE, namespace, identity, "name")
    sealed = {"password": seal(identity.id)}
    change.connection.execute(sa.update(_TABLE).where(_TABLE.c.id == identity.id).values(sealed))
    _touch(change, namespace, identity.name)
    return replace(identity, has_recoverable_password=True)


def symmetric_key_fingerprint(connection: sa.Connection, namespace: Namespace, identity: ServiceIdentity) -> str | None:
    """Answer the keyed fingerprint of the stored symmetric key, None if there is no key."""
    return connection.scalar(sa.select(_TABLE.c.symmetric_key_fingerprint).where(*_this(namespace, identity)))


def sealed_symmetric_key(connection: sa.Connection, namespace: Namespace, identity: ServiceIdentity) -> bytes:
    """Answer the sealed symmetric key; raises KeyUnreadable when there is none."""
    sealed: bytes | None = connection.scalar(sa.select(_TABLE.c.symmetric_key).where(*_this(namespace, identity)))
    if sealed is None:
        raise KeyUnreadable("there is no such key", detail=f"service identity {identity.id} has no symmetric key")
    return sealed


def sealed_password(connection: sa.Connection, namespace: Namespace, identity: ServiceIdentity) -> bytes | None:
    """Answer the sealed password, None where it is kept only as a hash."""
    sealed: bytes | None = connection.scalar(sa.select(_TABLE.c.password).where(*_this(namespace, identity)))
    return sealed


def delete(change: Change, namespace: Namespace, identity: ServiceIdentity) -> None:
    """Delete the service identity and its key; raises NotFound."""
    rows.remove(change.connection, _TABLE, namespace, identity)
    sessions.end_of_account(change, namespace, identity.name)
    known_sources.forget(change.connection, namespace, identity.name)
    _touch(change, namespace, identity.name)


def _stored(connection: sa.Connection, namespace: Namespace, identity: ServiceIdentity) -> ServiceIdentity:
    """The identity as it is before the change; raises NotFound."""
    for found in _load(connection, namespace, _TABLE.c.id == identity.id):
        return found
    raise rows.missing(_TABLE, namespace, identity.name)


def _keeps_password(before: ServiceIdentity | None, identity: ServiceIdentity) -> bool:
    """Whether a password that is stored recoverable is still the identity's, and may stay so."""
    if before is None or not identity.recoverable_password:
        return False
    return identity.password_hash is not None and before.password_hash == identity.password_hash


def _secrets(identity: ServiceIdentity) -> tuple[object, ...]:
    """What it authenticates with, and whether it may."""
    certificate = None if identity.certificate is None else identity.certificate.der
    return identity.password_hash, identity.has_symmetric_key, certificate, identity.enabled


def _now(change: Change) -> datetime:
    return change.now.replace(microsecond=0)


def _touch(change: Change, namespace: Namespace, name: str) -> None:
    change.touch(namespace, ChangeKind.SERVICE_IDENTITY, name)


def _this(namespace: Namespace, identity: ServiceIdentity) -> tuple[sa.ColumnElement[bool], ...]:
    return _TABLE.c.namespace_id == namespace.id, _TABLE.c.id == identity.id


def _load(
    connection: sa.Connection, namespace: Namespace, condition: sa.ColumnElement[bool]
) -> tuple[ServiceIdentity, ...]:
    wanted = sa.and_(_TABLE.c.namespace_id == namespace.id, condition)
    certificates = partner_certificates.by_owner(connection, _TABLE, wanted)
    return tuple(
        ServiceIdentity(
            id=row.id,
            name=row.name,
            **{name: getattr(row, name) for name in _PLAIN},
            has_symmetric_key=row.symmetric_key_fingerprint is not None,
            has_recoverable_password=bool(row.has_recoverable_password),
            certificate=next(iter(certificates.get(row.id, ())), None),
        )
        for row in connection.execute(sa.select(*_COLUMNS).where(wanted).order_by(_TABLE.c.name))
    )
