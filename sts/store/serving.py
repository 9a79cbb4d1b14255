"""Who records uses without waiting for the disk, and during which run of the machine (ADR 16)."""

import sqlalchemy as sa

from sts.store import upsert
from sts.store.tables import serving as _TABLE


def begin(connection: sa.Connection, instance: str, boot_id: str) -> None:
    """Store that an instance of the service records during this run of the machine; all its processes may say so."""
    row = upsert.insert(connection, _TABLE).values(instance=instance, boot_id=boot_id)
    connection.execute(row.on_conflict_do_nothing())


def end(connection: sa.Connection, instance: str) -> None:
    """Store that no process of an instance records any more."""
    connection.execute(sa.delete(_TABLE).where(_TABLE.c.instance == instance))


def end_earlier(connection: sa.Connection, boot_id: str) -> bool:
    """Forget the instances of other runs of the machine; answers whether one was left, which did not end in order."""
    return connection.execute(sa.delete(_TABLE).where(_TABLE.c.boot_id != boot_id)).rowcount > 0
