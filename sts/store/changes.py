"""What a configuration transaction leaves behind besides its rows: change records and audit records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import Final, Protocol

from sqlalchemy import Connection, func, insert, select

from sts.core.model import Namespace
from sts.store import audit, tables

_MOST_AT_ONCE: Final = 10_000


class ChangeKind(StrEnum):
    """What changed; the key of a change is a name, except where said."""

    NAMESPACE = "namespace"  # the namespace itself, a credential of scope "namespace" or a trusted CA
    HOST = "host"
    RELYING_PARTY = "relying_party"  # key: id
    REALM = "realm"  # registered or removed; key: the realm
    RULE_GROUP = "rule_group"
    IDENTITY_PROVIDER = "identity_provider"
    SERVICE_IDENTITY = "service_identity"
    CREDENTIAL = "credential"  # key: id


@dataclass(frozen=True, slots=True)
class Touched:
    """One thing that changed, as snapshots need to know it."""

    namespace_id: int
    kind: str  # text, not ChangeKind: a newer version's process may write kinds unknown here
    key: str


class Snapshots(Protocol):
    """What keeps things in memory and must drop what changed."""

    def drop(self, changes: Sequence[Touched]) -> None:
        """Forget what these changes touched."""

    def drop_all(self) -> None:
        """Forget everything."""


class Change:
    """One transaction that changes configuration or credentials, and who makes it when."""

    def __init__(self, connection: Connection, actor: str, now: datetime) -> None:
        self.connection = connection
        self.actor = actor
        self.now = now
        self._touched: dict[Touched, None] = {}
        self._entries: list[audit.Entry] = []

    @property
    def touched(self) -> tuple[Touched, ...]:
        """What was touched so far, each once."""
        return tuple(self._touched)

    def audit(self, namespace: str, action: str, subject: str, details: Mapping[str, object]) -> None:
        """Append an audit record; details are plain JSON values and never hold a secret."""
        self._entries.append(audit.Entry(self.now, self.actor, namespace, action, subject, details))

    def touch(self, namespace: Namespace, kind: ChangeKind, key: str) -> None:
        """Have every process drop its snapshot of this thing once the transaction is committed."""
        self._touched[Touched(namespace.id, kind, key)] = None

    def flush(self) -> None:
        """Write the change and audit records; raises RuntimeError for a change that nobody audited."""
        if self._touched and not self._entries:
            raise RuntimeError("a change without an audit record")
        if self._touched:
            rows = [{"namespace_id": t.namespace_id, "kind": t.kind, "key": t.key} for t in self._touched]
            self.connection.execute(insert(tables.change), rows)
        audit.append(self.connection, self._entries)


class ChangeFeed:
    """Tells the snapshots of this process what changed, here or in another process."""

    def __init__(self) -> None:
        self._snapshots: list[Snapshots] = []
        self._sequence: int | None = None
        self._lock = Lock()

    def subscribe(self, snapshots: Snapshots) -> None:
        """Tell these snapshots from now on."""
        self._snapshots.append(snapshots)

    def tell(self, changes: Sequence[Touched]) -> None:
        """Have every snapshot drop what these changes touched."""
        for snapshots in self._snapshots if changes else ():
            snapshots.drop(changes)

    def begin(self, connection: Connection) -> None:
        """Follow the changes from here on; called before anything is read that will be kept."""
        if self._sequence is None:
            with self._lock:
                if self._sequence is None:
                    self._sequence = _newest(connection)

    def read(self, connection: Connection) -> None:
        """Read what is new in the change table and tell the snapshots.

        A table without the last change read here is another one's history (a restored database): everything is
        dropped, and so it is after more changes than are worth looking at one by one.
        """
        with self._lock:
            if self._sequence is None:
                return
            table = tables.change
            new = select(table).where(table.c.sequence >= self._sequence).order_by(table.c.sequence)
            rows = connection.execute(new.limit(_MOST_AT_ONCE + 1)).all()
            known = self._sequence == 0 or (bool(rows) and rows[0].sequence == self._sequence)
            if known and len(rows) <= _MOST_AT_ONCE:
                fresh = [row for row in rows if row.sequence > self._sequence]
                self.tell([Touched(row.namespace_id, row.kind, row.key) for row in fresh])
                self._sequence = rows[-1].sequence if rows else 0
                return
            newest = _newest(connection)
            for snapshots in self._snapshots:
                snapshots.drop_all()
            self._sequence = newest


def _newest(connection: Connection) -> int:
    return connection.scalar(select(func.coalesce(func.max(tables.change.c.sequence), 0))) or 0
