"""What may be used once, in every process (core.ports.ReplayCache)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import Namespace
from sts.store import installation, upsert
from sts.store.bounded import bounded
from sts.store.columns import seconds
from sts.store.database import Database
from sts.store.prepared import Driven, DriverConnection, Prepared
from sts.store.tables import replay as _TABLE

KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)
_SIGN_INS: Final = ""  # stands where the issuer of a token does, which is never empty

_KNOWN_SIGN_IN: Final = Prepared(
    lambda connection: sa.select(_TABLE.c.token_id).where(
        _TABLE.c.namespace_id == sa.bindparam("wanted_in"),
        _TABLE.c.issuer == _SIGN_INS,
        _TABLE.c.token_id == sa.bindparam("wanted"),
    )
)
_INSERT: Final = Prepared(lambda connection: upsert.insert(connection, _TABLE).on_conflict_do_nothing())
_INSERT_AND_TELL: Final = Prepared(
    lambda connection: upsert.insert(connection, _TABLE).on_conflict_do_nothing().returning(*installation.use_marks())
)
_TELL: Final = Prepared(lambda connection: sa.select(*installation.use_marks()))


class SqlReplayCache:
    """Remembers uses as rows: the database lets exactly one process insert each.

    Records are purged a while after they expired. What expires before the latest record that was ever purged is
    refused from then on, so that a clock set back opens no replay window; so is what may have been used while the uses
    were recorded in a database that is lost, or shortly before the machine went down.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        """Record the use; raises ReplayedToken on the second, StoreUnavailable when it cannot be recorded."""
        with recording(self._database, (used,)) as connection:
            refusal = record(connection, namespace, used)
        if refusal is not None:
            raise refusal

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        """Record several uses in one transaction, all of them or none; raises as `use` does."""
        with recording(self._database, uses) as connection:
            for used in sorted(uses, key=_place):  # nobody waits for who waits for him
                refusal = record(connection, namespace, used)
                if refusal is not None:
                    raise refusal


def recording(database: Database, uses: Sequence[TokenUse]) -> AbstractContextManager[DriverConnection]:
    """Open the transaction for the uses of tokens.

    When the machine goes down, uses of tokens that say when they were issued may be lost: those that were issued before
    it are refused then. All others could be refused by their expiry alone, which would go on for a day (ADR 16).
    """
    undated = any(used.issued_at is None for used in uses)
    return database.recording_at_once() if undated else database.recording_deferred()


def record(connection: Driven, namespace: Namespace, used: TokenUse) -> ReplayedToken | None:
    """Record the use of a token, and answer why it must be taken for another than the first."""
    issuer, token_id, expires_at = bounded(used.issuer), bounded(used.token_id), used.expires_at.replace(microsecond=0)
    token = f"token {token_id} of {issuer}"
    marks = _insert_and_tell(connection, _row(namespace, issuer, token_id, expires_at))
    if marks is None:
        return ReplayedToken("The token was used before.", detail=token, decrypted_by=used.decrypted_by)
    known = installation.known_uses(*(None if mark is None else bytes(mark) for mark in marks))
    if known.purged is not None and expires_at <= known.purged:
        detail = f"{token} expires at {expires_at:%FT%TZ}, and uses are on record only after {known.purged:%FT%TZ}"
    elif known.lost is not None and known.lost.may_hold(used):
        issued = "at an unknown time" if used.issued_at is None else f"at {used.issued_at:%FT%TZ}"
        detail = f"{token} was issued {issued}, and uses until {known.lost.issued_by:%FT%TZ} were lost to a restore"
    elif known.dated_lost is not None and used.issued_at is not None and used.issued_at <= known.dated_lost:
        detail = (
            f"{token} was issued at {used.issued_at:%FT%TZ}, and uses until {known.dated_lost:%FT%TZ} may have been "
            "lost when the machine went down"
        )
    else:
        return None
    return ReplayedToken("The token may have been used before.", detail=detail, decrypted_by=used.decrypted_by)


def _insert_and_tell(connection: Driven, row: Mapping[str, int | str]) -> Sequence[bytes | None] | None:
    """Record a use, and answer what is known to be missing among those on record; None: it is there already.

    On SQLite nobody else writes meanwhile. Elsewhere a statement sees what was there when it began, and by its end this
    one may have waited for whoever purged the same use.
    """
    if connection.dialect.name == "sqlite":
        return next(iter(_INSERT_AND_TELL.rows(connection, **row)), None)
    return _TELL.rows(connection)[0] if _INSERT.count(connection, **row) else None


def _place(used: TokenUse) -> tuple[str, str]:
    """Where its record stands among others."""
    return bounded(used.issuer), bounded(used.token_id)


def record_sign_in(connection: Driven, namespace: Namespace, nonce: str, expires_at: datetime) -> bool:
    """Record that a sign-in is over; answers whether it was not before."""
    return _INSERT.count(connection, **_row(namespace, _SIGN_INS, nonce, expires_at)) == 1


def knows_sign_in(connection: Driven, namespace: Namespace, nonce: str) -> bool:
    """Answer whether it is on record that a sign-in is over."""
    return bool(_KNOWN_SIGN_IN.rows(connection, wanted_in=namespace.id, wanted=nonce))


def _row(namespace: Namespace, issuer: str, token_id: str, expires_at: datetime) -> dict[str, int | str]:
    return {"namespace_id": namespace.id, "issuer": issuer, "token_id": token_id, "expires_at": seconds(expires_at)}
