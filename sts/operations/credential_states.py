"""The verbs that change what a credential of a ring is: make primary, revoke, delete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sts.core import credentials as rules
from sts.core.credentials import Status, describe, instant
from sts.core.errors import Conflict
from sts.core.model import Credential
from sts.operations.installation import Installation
from sts.operations.rings import NOUNS, CredentialRow, OpenRing, Outcome, Selection, open_ring, row_of, select
from sts.store import credentials as table
from sts.store.changes import Change


def make_primary(
    installation: Installation, selection: Selection, now: datetime, at: datetime | None = None
) -> Outcome:
    """Make a credential the one that signs, or the first to decrypt, as soon as every node has it or at an instant.

    Raises Conflict for one that is deleted, revoked, of another use or not valid at that instant; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation.base_url, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        promotion = rules.promote(opened.members, chosen, now, at)
        _save(change, opened, promotion.changed)
        _audit(change, opened, chosen, "make-primary", primary_from=instant(promotion.primary_from))
        return Outcome(_row(change, installation, selection, chosen), promotion.warnings)


def revoke(installation: Installation, selection: Selection, now: datetime) -> Outcome:
    """Revoke a credential for good: it neither signs nor decrypts from now on, and nothing takes its place by itself.

    A promotion that was scheduled for it is cancelled. Raises Conflict for one that is revoked already; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation.base_url, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        if chosen.revoked_at is not None:
            raise Conflict(f"{describe(chosen)} was revoked on {instant(chosen.revoked_at)} already")
        warnings = _revocation_warnings(opened, chosen, now)
        kept = _without_schedule(opened.members, chosen, now)
        _save(change, opened, [replace(c, revoked_at=_whole(now)) if c.id == chosen.id else c for c in kept])
        _audit(change, opened, chosen, "revoke")
        return Outcome(_row(change, installation, selection, chosen), warnings)


def delete(installation: Installation, selection: Selection, now: datetime) -> Outcome:
    """Destroy a credential's key for good; the answer shows it as it was.

    A promotion that was scheduled for it is cancelled. Raises Conflict for the primary unless it is revoked; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation.base_url, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        rules.refuse_deleting(opened.members, chosen, now)
        row = row_of(opened, chosen, now)
        _save(change, opened, _without_schedule(opened.members, chosen, now))
        table.delete(change, opened.namespace, chosen)
        _audit(change, opened, chosen, "delete")
        return Outcome(row)


def _without_schedule(members: Sequence[Credential], chosen: Credential, now: datetime) -> tuple[Credential, ...]:
    """The chosen one without a promotion that lies ahead, and whom it would have demoted, who stays.

    Otherwise it would take the primary's place on that day, and nothing could sign.
    """
    at = chosen.primary_from
    if at is None or at <= now:
        return (chosen,)
    staying = [replace(c, demoted_at=None) for c in members if c.demoted_at == at and c.deleted_at is None]
    return (replace(chosen, primary_from=None), *(c for c in staying if c.id != chosen.id))


def _revocation_warnings(opened: OpenRing, chosen: Credential, now: datetime) -> tuple[str, ...]:
    noun, arguments = NOUNS[chosen.kind], opened.name.arguments
    if chosen is rules.primary(opened.members, now):
        remedy = f"promote another with `sts {noun} make-primary {arguments} --thumbprint ...`"
        return (f"{describe(chosen)} was the primary and nothing takes its place by itself: {remedy}",)
    if rules.status(opened.members, chosen, now)[0] is Status.ACTIVE:
        return (f"{describe(chosen)} was the active {noun}; see `sts {noun} list {arguments}` for what follows it",)
    return ()


def _save(change: Change, opened: OpenRing, changed: Sequence[Credential]) -> None:
    for credential in changed:
        table.save(change, opened.namespace, credential)


def _audit(change: Change, opened: OpenRing, chosen: Credential, verb: str, **details: str) -> None:
    known = {"scope": chosen.scope, "use": str(chosen.use), "thumbprint": chosen.thumbprint}
    change.audit(opened.namespace.name, f"{chosen.kind}.{verb}", f"credential:{chosen.id}", {**known, **details})


def _row(change: Change, installation: Installation, selection: Selection, chosen: Credential) -> CredentialRow:
    opened = open_ring(change.connection, installation.base_url, selection.ring)
    return row_of(opened, chosen, change.now)


def _whole(now: datetime) -> datetime:
    return now.replace(microsecond=0)
