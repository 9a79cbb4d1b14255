"""What is true of the whole installation, by name."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from sts.store import tables, upsert
from sts.store.changes import Change
from sts.store.tables import installation as _TABLE

_MASTER_KEY: Final = "master-key"
_REPLAY_HORIZON: Final = "replay-horizon"


def master_key_check(connection: sa.Connection) -> bytes | None:
    """Answer the check value of the master key that seals this database, None before the first."""
    return _value(connection, _MASTER_KEY)


def save_master_key_check(change: Change, value: bytes) -> None:
    """Store the check value of the master key, in place of another."""
    _save(change.connection, _MASTER_KEY, value)


def holds_sealed_secrets(connection: sa.Connection) -> bool:
    """Whether any secret in the database needs a master key."""
    credential, identity = tables.credential, tables.service_identity
    sealed = sa.or_(
        sa.exists().where(credential.c.sealed.is_not(None)), sa.exists().where(identity.c.symmetric_key.is_not(None))
    )
    return bool(connection.scalar(sa.select(sealed)))


def replay_horizon(connection: sa.Connection) -> datetime | None:
    """Answer the latest expiry of all replay records that were ever purged."""
    value = _value(connection, _REPLAY_HORIZON)
    return None if value is None else datetime.fromtimestamp(int(value), UTC)


def raise_replay_horizon(connection: sa.Connection, horizon: datetime) -> None:
    """Store a later replay horizon; an earlier one changes nothing."""
    known = replay_horizon(connection)
    if known is None or known < horizon:
        _save(connection, _REPLAY_HORIZON, b"%d" % int(horizon.timestamp()))


def _value(connection: sa.Connection, name: str) -> bytes | None:
    value: bytes | None = connection.scalar(sa.select(_TABLE.c.value).where(_TABLE.c.name == name))
    return value


def _save(connection: sa.Connection, name: str, value: bytes) -> None:
    row = upsert.insert(connection, _TABLE).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=_TABLE.primary_key, set_={"value": value}))
