"""The CAs of others that a namespace trusts, or is asked to."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa

from sts.core.model import Namespace, PartnerCertificate, TrustedCA
from sts.store import rows
from sts.store.changes import Change, ChangeKind
from sts.store.tables import trusted_ca as _TABLE

_CERTIFICATE: Final = ("der", "subject", "thumbprint", "not_before", "not_after")
_PLAIN: Final = ("code_hash", "code_expires_at", "verified_at", "revision", "created_at", "updated_at")


def find(connection: sa.Connection, namespace: Namespace, name: str) -> TrustedCA:
    """Answer the trusted CA of this name; raises NotFound."""
    this = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.name == name)
    for row in connection.execute(sa.select(_TABLE).where(*this)):
        return _trusted_ca(row)
    raise rows.missing(_TABLE, namespace, name)


def by_namespace(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Mapping[int, tuple[TrustedCA, ...]]:
    """Answer the trusted CAs of the namespaces that meet the condition, by name, under the namespace's id."""
    found: dict[int, list[TrustedCA]] = defaultdict(list)
    for row in connection.execute(sa.select(_TABLE).where(condition).order_by(_TABLE.c.name)):
        found[row.namespace_id].append(_trusted_ca(row))
    return {namespace_id: tuple(authorities) for namespace_id, authorities in found.items()}


def save(change: Change, namespace: Namespace, authority: TrustedCA) -> TrustedCA:
    """Store the trusted CA under its next version; one with id 0 is new and is answered with its id.

    Raises Conflict when the name is taken, NotFound.
    """
    if authority.id:
        rows.stored(change.connection, _TABLE, namespace, authority, "name")
    authority = replace(
        authority,
        revision=authority.revision + 1,
        created_at=authority.created_at or change.now.replace(microsecond=0),
        updated_at=change.now.replace(microsecond=0),
    )
    values = asdict(authority.certificate) | {name: getattr(authority, name) for name in _PLAIN}
    authority = replace(authority, id=rows.store(change.connection, _TABLE, namespace, authority, values))
    change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)
    return authority


def delete(change: Change, namespace: Namespace, authority: TrustedCA) -> None:
    """Delete the trusted CA; raises NotFound."""
    rows.remove(change.connection, _TABLE, namespace, authority)
    change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)


def _trusted_ca(row: sa.Row[Any]) -> TrustedCA:
    return TrustedCA(
        id=row.id,
        name=row.name,
        certificate=PartnerCertificate(**{name: getattr(row, name) for name in _CERTIFICATE}),
        **{name: getattr(row, name) for name in _PLAIN},
    )
