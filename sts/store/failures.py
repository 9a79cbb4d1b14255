"""Failed sign-ins, counted in the database so that guessing is bounded over all processes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

import sqlalchemy as sa

from sts.core.errors import TooManyRequests
from sts.core.model import Namespace
from sts.store import upsert
from sts.store.bounded import bounded
from sts.store.columns import seconds
from sts.store.database import Database
from sts.store.known_sources import KnownSources
from sts.store.prepared import Prepared
from sts.store.tables import failure as _TABLE

_BY_NAME: Final = "name"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """How many failures are borne in one window; windows follow each other without overlap."""

    window: timedelta = timedelta(minutes=15)
    name_from_source: int = 10  # of one name, from one source
    source: int | None = 100  # from one source, whatever the name; None: not counted
    name: int | None = 100  # of one name, from all sources; None: not counted
    what: str = ""  # begins the names of the counters, where they are not those of passwords


DECRYPTIONS: Final = FailureLimits(timedelta(minutes=1), name_from_source=20, source=None, name=None, what="decryption")


@dataclass(frozen=True, slots=True)
class _Counter:
    kind: str
    namespace_id: int
    name: str
    source: str
    limit: int


@lru_cache(maxsize=4096)
def network_of(source: str) -> str:
    """Answer the network of an IPv6 address, since everybody has 2**64 of them; any other source as it is."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv4Address):
        return source
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))


class FailureCounters:
    """Counts failures and refuses more attempts once a limit is reached.

    The limit of a name over all sources is not held against a network from which the name was right lately: strangers
    could lock its owner out. Who guesses there has the limits of one source.
    """

    def __init__(self, database: Database, limits: FailureLimits | None = None) -> None:
        self._database = database
        self._limits = limits or FailureLimits()
        self._purged_at: datetime | None = None
        self._known = KnownSources(database)
        self._full = Prepared(lambda connection: self._full_counters())

    def record(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Count one failure of a name, from the address of a caller; raises StoreUnavailable."""
        began_at = self._window(now)
        with self._database.recording() as connection:
            for counter in self._counters(namespace, name, source):
                row = {**_key(counter), "began_at": began_at, "failures": 1}
                one_more = {"failures": _TABLE.c.failures + 1}
                first = upsert.insert(connection, _TABLE).values(**row)
                connection.execute(first.on_conflict_do_update(index_elements=_TABLE.primary_key, set_=one_more))
        if self._purged_at != began_at:
            self._purged_at = began_at
            self.purge(now)

    def check(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Return if another attempt is allowed; raises TooManyRequests, StoreUnavailable."""
        began_at, at = self._window(now), seconds(now)
        counters = self._counters(namespace, name, source)
        wanted: dict[str, int | str] = {"began": seconds(began_at)}
        for number, counter in enumerate(counters):
            wanted |= {f"in_{number}": counter.namespace_id, f"name_{number}": counter.name}
            wanted[f"source_{number}"] = counter.source
        with self._database.looking() as connection:
            reached = [row[0] for row in self._full.rows(connection, **wanted)]
            if reached == [_BY_NAME] and self._known.ends(connection, namespace, name, network_of(source)) > at:
                return
        if reached:
            rest = began_at + self._limits.window - now
            raise TooManyRequests(
                "Too many failed attempts; try again later.",
                retry_after=max(1, -(-rest // timedelta(seconds=1))),
                detail=f"the limit of failures by {reached[0]} is reached for '{bounded(name)}' from {bounded(source)}",
            )

    def record_success(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Remember for 30 days that a name was right from the network of a caller; raises StoreUnavailable."""
        self._known.record(namespace, name, network_of(source), now)

    def purge(self, now: datetime) -> int:
        """Forget the windows that are over; answers how many counters went."""
        own = [kind for kind, _ in self._kinds()]
        over = sa.and_(_TABLE.c.began_at < self._window(now), _TABLE.c.counter.in_(own))
        with self._database.recording() as connection:
            return connection.execute(sa.delete(_TABLE).where(over)).rowcount

    def _window(self, now: datetime) -> datetime:
        return now - (now - _EPOCH) % self._limits.window

    def _counters(self, namespace: Namespace, name: str, source: str) -> tuple[_Counter, ...]:
        """In one order for everybody, so that two transactions never wait for each other."""
        name, source = bounded(name), bounded(network_of(source))
        owners = ((namespace.id, name, source), (namespace.id, name, ""), (0, "", source))
        return tuple(
            _Counter(kind, *owner, limit)
            for (kind, limit), owner in zip(self._kinds(), owners, strict=True)
            if limit is not None
        )

    def _full_counters(self) -> sa.ClauseElement:
        """Which of the counters of an attempt have reached their limits, by the numbers of `_counters`."""
        limited = [(kind, limit) for kind, limit in self._kinds() if limit is not None]
        full = [
            sa.and_(
                _TABLE.c.counter == kind,
                _TABLE.c.namespace_id == sa.bindparam(f"in_{number}"),
                _TABLE.c.name == sa.bindparam(f"name_{number}"),
                _TABLE.c.source == sa.bindparam(f"source_{number}"),
                _TABLE.c.failures >= limit,
            )
            for number, (kind, limit) in enumerate(limited)
        ]
        return sa.select(_TABLE.c.counter).where(_TABLE.c.began_at == sa.bindparam("began"), sa.or_(*full))

    def _kinds(self) -> tuple[tuple[str, int | None], ...]:
        """The names of the counters, and their limits."""
        limits, prefix = self._limits, f"{self._limits.what} by " if self._limits.what else ""
        return (
            (f"{prefix}name and source", limits.name_from_source),
            (f"{prefix}{_BY_NAME}", limits.name),
            (f"{prefix}source", limits.source),
        )


def _key(counter: _Counter) -> dict[str, object]:
    return {
        "counter": counter.kind,
        "namespace_id": counter.namespace_id,
        "name": counter.name,
        "source": counter.source,
    }
