"""When each namespace is to be looked at again, so that a look at the rings need not load all of them.

And when the installation's root CA is, which belongs to none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sts.core.errors import StoreUnavailable
from sts.operations.ring_status import Warning_
from sts.store import namespaces
from sts.store.changes import ChangeKind, Touched
from sts.store.database import Database

MOST: Final = 200  # namespaces that one look loads
SOON: Final = timedelta(minutes=1)
_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the last look at a namespace found."""

    at: datetime  # when to look again, unless it changes before
    warnings: frozenset[Warning_] = frozenset()
    soonest_end: datetime | None = None  # of its primaries


class Agenda:
    """Notes for each namespace when its turn is; what changes has its turn at once, in whatever process it changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._entries: dict[int, Entry] = {}
        self._changed: dict[int, None] = {}  # in order
        self._stirred: set[int] = set()  # something of them changed, but neither they nor their credentials
        self._is_complete = False
        self._root: Entry | None = None  # None: it has its turn
        database.feed.subscribe(self)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is known of all namespaces, and of the installation."""
        return (*self._entries.values(), *(() if self._root is None else (self._root,)))

    def drop(self, changes: Sequence[Touched]) -> None:
        """Give what changed its turn."""
        with self._lock:
            for change in changes:
                if change.kind == ChangeKind.NAMESPACE:
                    self._changed[change.namespace_id] = None
                    self._root = None if self._root is None else replace(self._root, at=_AT_ONCE)
                else:
                    self._stirred.add(change.namespace_id)

    def drop_all(self) -> None:
        """Give every namespace its turn."""
        self._is_complete = False

    def turn(self, now: datetime) -> tuple[int, ...]:
        """The ids of namespaces whose turn it is, not too many at once; raises StoreUnavailable.

        Read them only after this: what changes from now on has its turn again. All of them have theirs again soon,
        unless `note` says otherwise.
        """
        self._database.poll()
        if not self._is_complete:
            self._list()
        with self._lock:
            for stirred in self._stirred & self._entries.keys():
                self._put_off(stirred, min(self._entries[stirred].at, now + SOON))
            self._stirred = set()
            due = [namespace_id for namespace_id, entry in self._entries.items() if entry.at <= now]
            chosen = tuple(dict.fromkeys((*self._changed, *due)))[:MOST]
            for namespace_id in chosen:
                self._changed.pop(namespace_id, None)
                self._put_off(namespace_id, now + SOON)
            return chosen

    def is_roots_turn(self, now: datetime) -> bool:
        """Whether to look at the root CA: its turn has come, or a namespace's tenant CA may live longer now."""
        return self._root is None or self._root.at <= now

    def note_root(self, entry: Entry) -> None:
        """Note what a look at the root CA found."""
        with self._lock:
            self._root = entry

    def note(self, namespace_id: int, entry: Entry | None) -> None:
        """Note what a look at a namespace found; None: it is gone."""
        with self._lock:
            self._entries.pop(namespace_id, None)
            if entry is not None:
                self._entries[namespace_id] = entry

    def next_turn(self, now: datetime) -> datetime | None:
        """When the next turn is unless something changes; None where there is no namespace."""
        with self._lock:
            if self._changed:
                return now
            return min((entry.at for entry in self._entries.values()), default=None)

    def _put_off(self, namespace_id: int, at: datetime) -> None:
        known = self._entries.get(namespace_id)
        self._entries[namespace_id] = Entry(at) if known is None else replace(known, at=at)

    def _list(self) -> None:
        self._is_complete = True  # before reading: what makes it incomplete from now on must be read again
        try:
            with self._database.reading() as connection:
                self._database.feed.begin(connection)
                ids = namespaces.list_ids(connection)
        except StoreUnavailable:
            self._is_complete = False
            raise
        with self._lock:
            self._entries = {each: self._entries[each] for each in ids if each in self._entries}
            self._changed.update(dict.fromkeys(ids))
