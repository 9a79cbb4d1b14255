"""The audit trail: every record holds the hash of the one before it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, insert, select

from sts.core.errors import AuditBroken
from sts.store import tables

_BEFORE_THE_FIRST: Final = "0" * 64
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded."""

    at: datetime
    actor: str
    namespace: str  # its name; empty for the installation
    action: str
    subject: str
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Record:
    """What was recorded, and the hashes that chain it."""

    sequence: int
    at: datetime
    actor: str
    namespace: str
    action: str
    subject: str
    details: Mapping[str, object]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the trail. Who notes it elsewhere will see if the trail's end is ever cut off."""

    sequence: int
    hash: str


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append records; the caller's transaction must exclude other writers."""
    if not entries:
        return
    end = head(connection)
    rows: list[dict[str, object]] = []
    for entry in entries:
        values: dict[str, object] = {
            "sequence": end.sequence + 1,
            "at": entry.at.replace(microsecond=0),
            "actor": entry.actor,
            "namespace": entry.namespace,
            "action": entry.action,
            "subject": entry.subject,
            "details": json.dumps(entry.details, sort_keys=True, separators=(",", ":")),
            "previous_hash": end.hash,
        }
        end = Head(end.sequence + 1, _hash(values))
        rows.append({**values, "hash": end.hash})
    connection.execute(insert(tables.audit), rows)


def list_newest(connection: Connection, namespace: str | None, limit: int) -> tuple[Record, ...]:
    """Answer the newest `limit` records, oldest first, of one namespace by its name or (None) of all."""
    newest = select(tables.audit).order_by(tables.audit.c.sequence.desc()).limit(limit)
    if namespace is not None:
        newest = newest.where(tables.audit.c.namespace == namespace)
    return tuple(_record(row) for row in reversed(connection.execute(newest).all()))


def verify(connection: Connection) -> Head:
    """Recompute the chain and answer its end; raises AuditBroken, which names the first broken record."""
    end = Head(0, _BEFORE_THE_FIRST)
    for row in _rows(connection):
        values = {name: value for name, value in row._mapping.items() if name != "hash"}
        if row.sequence != end.sequence + 1:
            raise AuditBroken(end.sequence + 1, "is missing")
        if row.previous_hash != end.hash:
            raise AuditBroken(row.sequence, "does not follow the record before it")
        if row.hash != _hash(values):
            raise AuditBroken(row.sequence, "was altered")
        end = Head(row.sequence, row.hash)
    return end


def _rows(connection: Connection) -> Iterator[Row[tuple[object, ...]]]:
    sequence = tables.audit.c.sequence
    last = None
    while True:
        page = select(tables.audit).order_by(sequence).limit(_PAGE)
        rows = connection.execute(page if last is None else page.where(sequence > last)).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].sequence


def holds(connection: Connection, sequence: int, digest: str) -> bool:
    """Whether the trail still holds a record with this hash at this place."""
    if sequence == 0:
        return True
    return connection.scalar(select(tables.audit.c.hash).where(tables.audit.c.sequence == sequence)) == digest


def head(connection: Connection) -> Head:
    """Answer the end of the trail."""
    newest = select(tables.audit.c.sequence, tables.audit.c.hash).order_by(tables.audit.c.sequence.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Head(row.sequence, row.hash) if row else Head(0, _BEFORE_THE_FIRST)


def _hash(values: Mapping[str, object]) -> str:
    parts = [int(value.timestamp()) if isinstance(value, datetime) else value for _, value in sorted(values.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _record(row: Row[tuple[object, ...]]) -> Record:
    return Record(**{**row._mapping, "details": json.loads(row.details)})
