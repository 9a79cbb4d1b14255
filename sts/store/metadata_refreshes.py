"""When the documents of partners are read again; nothing here is configuration, so nothing is audited."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from sts.core.model import MetadataSource, PartnerRole
from sts.store import metadata_sources, tables
from sts.store.changes import Change
from sts.store.tables import metadata_refresh as _TABLE

FIRST: Final = timedelta(hours=1)
_OWNERS: Final = {
    PartnerRole.IDENTITY_PROVIDER: tables.identity_provider,
    PartnerRole.RELYING_PARTY: tables.relying_party,
}


@dataclass(frozen=True, slots=True)
class Refresh:
    """One document that is read again by schedule, and what came of it the last time."""

    id: int
    namespace: str
    role: PartnerRole
    name: str
    location: str
    due_at: datetime
    read_at: datetime
    valid_until: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """One partner with a document, and its schedule where it has one."""

    namespace: str
    role: PartnerRole
    name: str
    source: MetadataSource
    refresh: Refresh | None


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """What one reading found, and when the next one is."""

    at: datetime
    due_at: datetime
    valid_until: datetime | None = None
    failure: str | None = None


def follow(change: Change, owners: sa.Table, owner_id: int, source: MetadataSource | None) -> None:
    """Have the document of a partner, which was just read, read again by schedule; a file is not."""
    owner = _TABLE.c[f"{owners.name}_id"]
    location = source.location if source is not None and "://" in source.location else None
    known = change.connection.scalar(sa.select(_TABLE.c.location).where(owner == owner_id))
    if known == location:
        return
    change.connection.execute(sa.delete(_TABLE).where(owner == owner_id))
    if location is not None:
        times = {"due_at": change.now + FIRST, "read_at": change.now}
        change.connection.execute(sa.insert(_TABLE).values(**{owner.name: owner_id}, location=location, **times))


def list_registered(connection: sa.Connection, namespace: str | None = None) -> tuple[Registered, ...]:
    """Answer the partners with documents, of one namespace or of all, by namespace, role and name."""
    wanted = sa.true() if namespace is None else tables.namespace.c.name == namespace
    found: list[Registered] = []
    for role, owners in _OWNERS.items():
        selected = _joined(owners, is_outer=True).where(owners.c.metadata_source.is_not(None), wanted)
        for row in connection.execute(selected):
            source = metadata_sources.read(row.metadata_source)
            refresh = None if row.id is None else _refresh(row, role)
            if source is not None:
                found.append(Registered(row.namespace, role, row.owner, source, refresh))
    return tuple(sorted(found, key=lambda each: (each.namespace, each.role, each.name)))


def list_due(connection: sa.Connection, now: datetime) -> tuple[Refresh, ...]:
    """Answer what is due, the longest due first."""
    found = [
        _refresh(row, role)
        for role, owners in _OWNERS.items()
        for row in connection.execute(_joined(owners, is_outer=False).where(_TABLE.c.due_at <= now))
    ]
    return tuple(sorted(found, key=lambda refresh: refresh.due_at))


def claim(connection: sa.Connection, refresh: Refresh, until: datetime) -> bool:
    """Keep everybody else off a document until an instant; answers whether nobody was faster."""
    seen = (_TABLE.c.id == refresh.id, _TABLE.c.due_at == refresh.due_at)
    return connection.execute(sa.update(_TABLE).where(*seen).values(due_at=until)).rowcount == 1


def note(connection: sa.Connection, refresh_id: int, found: ReadAgain) -> None:
    """Note what one reading found; one that failed leaves what was known before."""
    values: dict[str, object] = {"due_at": found.due_at, "failure": found.failure}
    if found.failure is None:
        values |= {"read_at": found.at, "valid_until": found.valid_until, "failed_at": None}
    else:
        values |= {"failed_at": found.at}
    connection.execute(sa.update(_TABLE).where(_TABLE.c.id == refresh_id).values(**values))


def _joined(owners: sa.Table, *, is_outer: bool) -> sa.Select[Any]:
    named = (owners.c.name.label("owner"), owners.c.metadata_source, tables.namespace.c.name.label("namespace"))
    joined = owners.join(tables.namespace, owners.c.namespace_id == tables.namespace.c.id)
    return sa.select(_TABLE, *named).select_from(
        joined.join(_TABLE, _TABLE.c[f"{owners.name}_id"] == owners.c.id, isouter=is_outer)
    )


def _refresh(row: sa.Row[Any], role: PartnerRole) -> Refresh:
    return Refresh(
        id=row.id,
        namespace=row.namespace,
        role=role,
        name=row.owner,
        location=row.location,
        due_at=row.due_at,
        read_at=row.read_at,
        valid_until=row.valid_until,
        failed_at=row.failed_at,
        failure=row.failure,
    )
