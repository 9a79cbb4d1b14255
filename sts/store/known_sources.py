"""Networks from which a name's password was right lately: what others everywhere guess is not held against them."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from sts.core.model import Namespace
from sts.store import upsert
from sts.store.bounded import bounded
from sts.store.columns import seconds
from sts.store.database import Database
from sts.store.prepared import Driven, Prepared
from sts.store.tables import known_source as _TABLE

KEPT: Final = timedelta(days=30)
RENEWED: Final = timedelta(days=1)  # how old a record is when it is written again
MOST: Final = 100  # networks of one name


class KnownSources:
    """Remembers the networks of a name as rows, for 30 days after one of the days on which the password was right."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Prepared(lambda connection: _end_of_one())

    def ends(self, connection: Driven, namespace: Namespace, name: str, network: str) -> int:
        """Answer until when the network is known, in seconds since 1970; 0 if it is not."""
        values: dict[str, int | str] = {"of": namespace.id, "named": bounded(name), "at": bounded(network)}
        found = self._known.rows(connection, **values)
        return int(found[0][0]) if found else 0

    def record(self, namespace: Namespace, name: str, network: str, now: datetime) -> None:
        """Remember that the password was right; at most once a day this writes. Raises StoreUnavailable.

        Where a name has been right from too many networks, the one that is known for longest makes room, unless all of
        them are of the last day.
        """
        recent = now + KEPT - RENEWED
        with self._database.looking() as connection:
            ends = self.ends(connection, namespace, name, network)
        if ends > seconds(recent):
            return
        with self._database.recording() as connection:
            if not ends and not _has_room(connection, namespace, name, recent):
                return
            row = {"namespace_id": namespace.id, "name": bounded(name), "source": bounded(network)}
            until = {"expires_at": (now + KEPT).replace(microsecond=0)}
            first = upsert.insert(connection, _TABLE).values(**row, **until)
            connection.execute(first.on_conflict_do_update(index_elements=_TABLE.primary_key, set_=until))


def forget(connection: sa.Connection, namespace: Namespace, name: str) -> None:
    """Forget the networks of a name, whose password is another one now."""
    connection.execute(sa.delete(_TABLE).where(_of(namespace, name)))


def _has_room(connection: sa.Connection, namespace: Namespace, name: str, recent: datetime) -> bool:
    """Make room for one more network; False: there is none."""
    latest = sa.select(_TABLE.c.expires_at).where(_of(namespace, name)).order_by(_TABLE.c.expires_at.desc())
    surplus: datetime | None = connection.scalar(latest.offset(MOST - 1).limit(1))
    if surplus is None:
        return True
    if surplus > recent:
        return False
    connection.execute(sa.delete(_TABLE).where(_of(namespace, name), _TABLE.c.expires_at <= surplus))
    return True


def _of(namespace: Namespace, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.c.namespace_id == namespace.id, _TABLE.c.name == bounded(name))


def _end_of_one() -> sa.ClauseElement:
    """Until when one network is known."""
    return sa.select(_TABLE.c.expires_at).where(
        _TABLE.c.namespace_id == sa.bindparam("of"),
        _TABLE.c.name == sa.bindparam("named"),
        _TABLE.c.source == sa.bindparam("at"),
    )
