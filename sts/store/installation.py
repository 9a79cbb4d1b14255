"""What is true of the whole installation, by name."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import sqlalchemy as sa

from sts.core.clock import ClockMarks
from sts.core.exchange import TokenUse
from sts.store import upsert
from sts.store.changes import Change
from sts.store.tables import installation as _TABLE

_MASTER_KEY: Final = "master-key"
_FINGERPRINT_KEY: Final = "fingerprint-key"
_ROTATION: Final = "master-key-rotation"
_ROTATION_TARGET: Final = "master-key-next"
_REPLAY_HORIZON: Final = "replay-horizon"
_NOTICED_RESTORE: Final = "noticed-restore"
_CLOCK_AGREED: Final = "clock-agreed"
_CLOCK_DOUBTED: Final = "clock-doubted"
_LOST_USES: Final = "lost-uses"
_LOST_DATED_USES: Final = "lost-dated-uses"
_VALUE: Final = sa.select(_TABLE.c.value).where(_TABLE.c.name == sa.bindparam("wanted"))
_HELD_VALUE: Final = _VALUE.with_for_update()
_MARKS: Final = (_REPLAY_HORIZON, _LOST_USES, _LOST_DATED_USES)


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation of the master key that is under way."""

    began_at: datetime
    target: bytes | None = field(default=None, repr=False)  # the new key's check value, None until there is a new key


def master_key_check(connection: sa.Connection) -> bytes | None:
    """Answer the check value of the master key that seals this database, None before the first."""
    return _value(connection, _MASTER_KEY)


def save_master_key_check(change: Change, value: bytes) -> None:
    """Store the check value of the master key, in place of another."""
    _save(change.connection, _MASTER_KEY, value)


def fingerprint_key(connection: sa.Connection) -> bytes | None:
    """Answer the sealed key of all fingerprints, None in a database whose master key never changed."""
    return _value(connection, _FINGERPRINT_KEY)


def save_fingerprint_key(change: Change, sealed: bytes) -> None:
    """Store the sealed key of all fingerprints."""
    _save(change.connection, _FINGERPRINT_KEY, sealed)


def rotation(connection: sa.Connection) -> Rotation | None:
    """Answer the rotation of the master key that is under way, None if none is."""
    began_at = _value(connection, _ROTATION)
    if began_at is None:
        return None
    return Rotation(datetime.fromtimestamp(int(began_at), UTC), _value(connection, _ROTATION_TARGET))


def begin_rotation(change: Change) -> None:
    """Store that a rotation of the master key is under way from now on."""
    _save(change.connection, _ROTATION, b"%d" % int(change.now.timestamp()))


def save_rotation_target(change: Change, check_value: bytes) -> None:
    """Store the check value of the key that the rotation goes to: what is sealed from now on is sealed under it."""
    _save(change.connection, _ROTATION_TARGET, check_value)


def end_rotation(change: Change) -> None:
    """Store that no rotation is under way any more."""
    names = (_ROTATION, _ROTATION_TARGET)
    change.connection.execute(sa.delete(_TABLE).where(_TABLE.c.name.in_(names)))


def sealing_check(connection: sa.Connection) -> bytes | None:
    """Answer the check value of the master key that seals what is new, None before the first."""
    return _value(connection, _ROTATION_TARGET) or master_key_check(connection)


def replay_horizon(connection: sa.Connection) -> datetime | None:
    """Answer up to which expiry uses may be missing: the latest of all that were ever purged."""
    return _instant(connection, _REPLAY_HORIZON)


@dataclass(frozen=True, slots=True)
class LostUses:
    """Which tokens may have been used while the uses were recorded in a database that is lost."""

    issued_by: datetime  # those that were issued by then
    expiring_by: datetime  # and of those that do not say when they were issued: those that expire by then

    def may_hold(self, used: TokenUse) -> bool:
        """Whether this use of a token may be another than its first."""
        return used.expires_at <= self.expiring_by and (used.issued_at is None or used.issued_at <= self.issued_by)


@dataclass(frozen=True, slots=True)
class KnownUses:
    """Up to where the uses that are on record are all there were."""

    purged: datetime | None  # the latest expiry of all uses that were ever purged
    lost: LostUses | None
    dated_lost: datetime | None  # of tokens that say when they were issued, those of them that were by then


def use_marks() -> tuple[sa.ScalarSelect[bytes], ...]:
    """The columns that `known_uses` reads, for a statement that has something else to do as well."""
    return tuple(sa.select(_TABLE.c.value).where(_TABLE.c.name == name).scalar_subquery() for name in _MARKS)


@lru_cache(maxsize=16)
def known_uses(purged: bytes | None, lost: bytes | None, dated: bytes | None) -> KnownUses:
    """Answer what is known to be missing among the uses on record."""
    return KnownUses(
        None if purged is None else _at(purged),
        None if lost is None else _lost_uses(lost),
        None if dated is None else _at(dated),
    )


def lose_uses(connection: sa.Connection, lost: LostUses) -> None:
    """Store that uses were lost, besides those that were before."""
    known = _known_loss(connection) or lost
    _save_loss(connection, max(known.issued_by, lost.issued_by), max(known.expiring_by, lost.expiring_by))


def lower_lost_uses(connection: sa.Connection, limits: LostUses) -> None:
    """Have no loss of uses reach beyond these instants."""
    known = _known_loss(connection)
    if known is not None:
        _save_loss(connection, min(known.issued_by, limits.issued_by), min(known.expiring_by, limits.expiring_by))
    dated = _instant(connection, _LOST_DATED_USES)
    if dated is not None and dated > limits.issued_by:
        _save_instant(connection, _LOST_DATED_USES, limits.issued_by)


def lose_dated_uses(connection: sa.Connection, issued_by: datetime) -> None:
    """Store that uses of tokens that say when they were issued were lost: of those that were issued by then."""
    known = _instant(connection, _LOST_DATED_USES)
    _save_instant(connection, _LOST_DATED_USES, issued_by if known is None else max(known, issued_by))


def _known_loss(connection: sa.Connection) -> LostUses | None:
    value = _value(connection, _LOST_USES)
    return None if value is None else _lost_uses(value)


def _save_loss(connection: sa.Connection, issued_by: datetime, expiring_by: datetime) -> None:
    _save(connection, _LOST_USES, b"%d %d" % (int(issued_by.timestamp()), int(expiring_by.timestamp())))


def _lost_uses(value: bytes) -> LostUses:
    issued_by, _, expiring_by = value.partition(b" ")
    return LostUses(_at(issued_by), _at(expiring_by))


def _at(value: bytes) -> datetime:
    return datetime.fromtimestamp(int(value), UTC)


def raise_replay_horizon(connection: sa.Connection, horizon: datetime) -> None:
    """Store a later replay horizon; an earlier one changes nothing, whoever else raises it meanwhile."""
    first = upsert.insert(connection, _TABLE).values(name=_REPLAY_HORIZON, value=_written(horizon))
    connection.execute(first.on_conflict_do_nothing())  # so that there is one to hold
    known = _at(connection.execute(_HELD_VALUE, {"wanted": _REPLAY_HORIZON}).scalar_one())
    if known < horizon:
        _save_instant(connection, _REPLAY_HORIZON, horizon)


def lower_replay_horizon(connection: sa.Connection, horizon: datetime) -> None:
    """Store an earlier replay horizon; a later one changes nothing."""
    known = replay_horizon(connection)
    if known is not None and known > horizon:
        _save_instant(connection, _REPLAY_HORIZON, horizon)


def noticed_restore(connection: sa.Connection) -> str | None:
    """Answer which change was missing when it was last noticed that this database was restored."""
    value = _value(connection, _NOTICED_RESTORE)
    return None if value is None else value.decode("ascii")


def save_noticed_restore(connection: sa.Connection, missing: str) -> None:
    """Store which change is missing, in the words of whoever noticed (ASCII)."""
    _save(connection, _NOTICED_RESTORE, missing.encode("ascii"))


def clock_marks(connection: sa.Connection) -> ClockMarks:
    """Answer what earlier looks at the clock left behind."""
    return ClockMarks(_instant(connection, _CLOCK_AGREED), _instant(connection, _CLOCK_DOUBTED))


def save_clock_marks(connection: sa.Connection, marks: ClockMarks) -> None:
    """Store what a look at the clock leaves behind."""
    for name, value in ((_CLOCK_AGREED, marks.agreed), (_CLOCK_DOUBTED, marks.doubted)):
        if value is None:
            connection.execute(sa.delete(_TABLE).where(_TABLE.c.name == name))
        else:
            _save_instant(connection, name, value)


def _instant(connection: sa.Connection, name: str) -> datetime | None:
    value = _value(connection, name)
    return None if value is None else _at(value)


def _save_instant(connection: sa.Connection, name: str, value: datetime) -> None:
    _save(connection, name, _written(value))


def _written(value: datetime) -> bytes:
    return b"%d" % int(value.timestamp())


def _value(connection: sa.Connection, name: str) -> bytes | None:
    value: bytes | None = connection.scalar(_VALUE, {"wanted": name})
    return value


def _save(connection: sa.Connection, name: str, value: bytes) -> None:
    row = upsert.insert(connection, _TABLE).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=_TABLE.primary_key, set_={"value": value}))
