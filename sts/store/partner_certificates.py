"""Certificates of others, each owned by a relying party, an identity provider or a service identity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa

from sts.core.model import PartnerCertificate
from sts.store.tables import partner_certificate as _TABLE

_FIELDS: Final = ("der", "subject", "thumbprint", "not_before", "not_after")


def by_owner(
    connection: sa.Connection, owners: sa.Table, condition: sa.ColumnElement[bool]
) -> Mapping[int, tuple[PartnerCertificate, ...]]:
    """Answer the certificates of the owners that meet the condition, in order, by the owner's id."""
    owner = _owner(owners)
    joined = sa.select(_TABLE).join_from(_TABLE, owners, owner == owners.c.id).where(condition)
    found: dict[int, list[PartnerCertificate]] = defaultdict(list)
    for row in connection.execute(joined.order_by(_TABLE.c.position)):
        found[row._mapping[owner]].append(_partner_certificate(row))
    return {owner_id: tuple(certificates) for owner_id, certificates in found.items()}


def ders(owners: sa.Table, namespace_id: int) -> sa.Select[Any]:
    """The names of the owners of a namespace, in order, each with a certificate that it has (DER)."""
    joined = sa.select(owners.c.name, _TABLE.c.der).join_from(_TABLE, owners, _owner(owners) == owners.c.id)
    return joined.where(owners.c.namespace_id == namespace_id).order_by(owners.c.name)


def save(
    connection: sa.Connection, owners: sa.Table, owner_id: int, certificates: Sequence[PartnerCertificate]
) -> None:
    """Make these the certificates of an owner, in this order."""
    owner = _owner(owners)
    connection.execute(sa.delete(_TABLE).where(owner == owner_id))
    rows = [
        {owner.name: owner_id, "position": position, **asdict(certificate)}
        for position, certificate in enumerate(certificates)
    ]
    if rows:
        connection.execute(sa.insert(_TABLE), rows)


def _owner(owners: sa.Table) -> sa.Column[int]:
    return _TABLE.c[f"{owners.name}_id"]


def _partner_certificate(row: sa.Row[Any]) -> PartnerCertificate:
    return PartnerCertificate(**{name: getattr(row, name) for name in _FIELDS})
