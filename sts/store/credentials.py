"""Credentials and their sealed secrets. Where a namespace is asked for, `INSTALLATION` means the root CA's."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import Conflict, KeyUnreadable, NotFound
from sts.core.model import (
    DEDICATED,
    INSTALLATION,
    INSTALLATION_SCOPE,
    NAMESPACE_SCOPE,
    Credential,
    Kind,
    Namespace,
    Origin,
    Use,
)
from sts.store import rows, tables
from sts.store.changes import Change, ChangeKind
from sts.store.tables import credential as _TABLE

_PLAIN: Final = (
    *("scope", "thumbprint", "thumbprint_sha256", "subject", "certificate", "key_type", "predecessor_id"),
    *("not_before", "not_after", "created_at", "published_at", "primary_from", "demoted_at", "revoked_at"),
    "deleted_at",
)
_ENUMS: Final = ("use", "kind", "origin")
_COLUMNS: Final = [_TABLE.c[name] for name in ("id", "namespace_id", *_PLAIN, *_ENUMS)]  # never the secret
_MOVING: Final = ("published_at", "primary_from", "demoted_at", "revoked_at")


def find(connection: sa.Connection, namespace: Namespace, credential_id: int) -> Credential:
    """Answer one credential of the namespace, a deleted one too; raises NotFound."""
    this = (_owned_by(namespace), _TABLE.c.id == credential_id)
    row = connection.execute(sa.select(*_COLUMNS).where(*this)).one_or_none()
    if row is None:
        raise NotFound(f"namespace {namespace.name} has no credential {credential_id}")
    return _credential(row)


def list_all(connection: sa.Connection, namespace: Namespace) -> tuple[Credential, ...]:
    """Answer the credentials of the namespace, dedicated ones and tombstones too, oldest first."""
    scopes = by_scope(connection, _owned_by(namespace))
    return tuple(sorted((one for scope in scopes.values() for one in scope), key=lambda credential: credential.id))


def list_scope(connection: sa.Connection, namespace: Namespace, scope: str) -> tuple[Credential, ...]:
    """Answer the credentials of one scope of the namespace, tombstones too, oldest first."""
    scopes = by_scope(connection, _owned_by(namespace), _TABLE.c.scope == scope)
    return scopes.get((namespace.id, scope), ())


def list_roots(connection: sa.Connection) -> tuple[Credential, ...]:
    """Answer the installation's root CA certificates, tombstones too, oldest first."""
    return list_scope(connection, INSTALLATION, INSTALLATION_SCOPE)


def list_dedicated(
    connection: sa.Connection, namespace_ids: Collection[int] | None = None
) -> Mapping[int, tuple[tuple[Credential, ...], ...]]:
    """Answer what relying parties of their own hold, tombstones too, scope by scope, by namespace id; None: of all."""
    chosen = sa.true() if namespace_ids is None else _TABLE.c.namespace_id.in_(namespace_ids)
    found: dict[int, list[tuple[Credential, ...]]] = defaultdict(list)
    for (namespace_id, _), members in by_scope(connection, _TABLE.c.scope.startswith(DEDICATED), chosen).items():
        found[namespace_id].append(members)
    return {namespace_id: tuple(rings) for namespace_id, rings in found.items()}


def holders(connection: sa.Connection, thumbprint_sha256: str) -> tuple[str, ...]:
    """Answer the names of the namespaces that hold this certificate or key, each once."""
    held = (_TABLE.c.thumbprint_sha256 == thumbprint_sha256, _TABLE.c.deleted_at.is_(None))
    owners = sa.select(tables.namespace.c.name).join_from(_TABLE, tables.namespace).where(*held)
    return tuple(connection.scalars(owners.distinct().order_by(tables.namespace.c.name)))


def by_scope(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool]
) -> Mapping[tuple[int, str], tuple[Credential, ...]]:
    """Answer the credentials that meet the conditions, by namespace id and scope, oldest first in each.

    Tombstones are among them: they keep an older primary from being resurrected (core.credentials.primary).
    """
    selected = sa.select(*_COLUMNS).where(*conditions).order_by(_TABLE.c.id)
    found: dict[tuple[int, str], list[Credential]] = defaultdict(list)
    for row in connection.execute(selected):
        found[row.namespace_id or INSTALLATION.id, row.scope].append(_credential(row))
    return {key: tuple(credentials) for key, credentials in found.items()}


def insert(change: Change, namespace: Namespace, credential: Credential, seal: Callable[[int], bytes]) -> Credential:
    """Store a new credential and answer it with its id; `seal` makes the sealed secret once the id is known.

    Raises Conflict when its predecessor has a successor already.
    """
    succeeded = sa.select(_TABLE.c.id).where(_TABLE.c.predecessor_id == credential.predecessor_id)
    if credential.predecessor_id is not None and change.connection.scalar(succeeded) is not None:
        raise Conflict(f"credential {credential.predecessor_id} has a successor already")
    credential = replace(credential, created_at=credential.created_at or change.now)
    values = {name: getattr(credential, name) for name in (*_PLAIN, *_ENUMS)}
    credential = replace(
        credential, id=rows.new_id(change.connection, _TABLE, {**values, "namespace_id": namespace.id or None})
    )
    sealed = {"sealed": seal(credential.id)}
    change.connection.execute(sa.update(_TABLE).where(_TABLE.c.id == credential.id).values(sealed))
    _touch(change, namespace, credential)
    return credential


def save(change: Change, namespace: Namespace, credential: Credential) -> Credential:
    """Store when the credential is published, primary, demoted and revoked: nothing else of it ever changes."""
    _update(change, namespace, credential, {name: getattr(credential, name) for name in _MOVING})
    return credential


def delete(change: Change, namespace: Namespace, credential: Credential) -> Credential:
    """Destroy the secret and leave a tombstone, which is answered."""
    _update(change, namespace, credential, {"sealed": None, "deleted_at": change.now})
    return replace(credential, deleted_at=change.now)


def sealed_secret(connection: sa.Connection, namespace: Namespace, credential_id: int) -> bytes:
    """Answer the sealed secret of a credential; raises KeyUnreadable when it was destroyed or never was."""
    this = (_owned_by(namespace), _TABLE.c.id == credential_id)
    sealed: bytes | None = connection.scalar(sa.select(_TABLE.c.sealed).where(*this))
    if sealed is None:
        raise KeyUnreadable("the key is not there any more", detail=f"credential {credential_id} holds no secret")
    return sealed


def _update(change: Change, namespace: Namespace, credential: Credential, values: Mapping[str, object]) -> None:
    living = (_owned_by(namespace), _TABLE.c.id == credential.id, _TABLE.c.deleted_at.is_(None))
    if change.connection.execute(sa.update(_TABLE).where(*living).values(**values)).rowcount != 1:
        raise NotFound(f"namespace {namespace.name} has no credential {credential.id}")
    _touch(change, namespace, credential)


def _touch(change: Change, namespace: Namespace, credential: Credential) -> None:
    change.touch(namespace, ChangeKind.CREDENTIAL, str(credential.id))
    if credential.scope == NAMESPACE_SCOPE:
        change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)
    elif credential.scope != INSTALLATION_SCOPE:
        change.touch(namespace, ChangeKind.RELYING_PARTY, credential.scope.partition(":")[2])


def _owned_by(namespace: Namespace) -> sa.ColumnElement[bool]:
    owner = _TABLE.c.namespace_id
    return owner.is_(None) if namespace.id == INSTALLATION.id else owner == namespace.id


def _credential(row: sa.Row[Any]) -> Credential:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Credential(id=row.id, **plain, use=Use(row.use), kind=Kind(row.kind), origin=Origin(row.origin))
