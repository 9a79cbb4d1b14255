"""Rings that an operator holds: they neither generate nor promote by themselves."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sts.core.model import Namespace
from sts.store.changes import Change, ChangeKind
from sts.store.tables import ring_hold as _TABLE


@dataclass(frozen=True, slots=True)
class Hold:
    """Since when a ring is held, and by whom."""

    since: datetime
    actor: str


def find_all(connection: sa.Connection) -> Mapping[tuple[int, str], Hold]:
    """Answer every held ring, by namespace id and ring name."""
    return {(row.namespace_id, row.ring): Hold(row.since, row.actor) for row in connection.execute(sa.select(_TABLE))}


def names(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Mapping[int, frozenset[str]]:
    """Answer the names of the held rings that meet the condition, by namespace id."""
    found: dict[int, set[str]] = defaultdict(set)
    for row in connection.execute(sa.select(_TABLE).where(condition)):
        found[row.namespace_id].add(row.ring)
    return {namespace_id: frozenset(rings) for namespace_id, rings in found.items()}


def hold(change: Change, namespace: Namespace, ring: str) -> None:
    """Hold a ring; one that is held already stays as it is."""
    if (namespace.id, ring) not in find_all(change.connection):
        row = {"namespace_id": namespace.id, "ring": ring, "since": change.now, "actor": change.actor}
        change.connection.execute(sa.insert(_TABLE).values(**row))
        change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)


def release(change: Change, namespace: Namespace, ring: str) -> bool:
    """Let a ring go on; answers whether it was held."""
    this = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.ring == ring)
    was_held = change.connection.execute(sa.delete(_TABLE).where(*this)).rowcount > 0
    if was_held:
        change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)
    return was_held
