"""The verbs that change what a credential of a ring is: make primary, revoke, delete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum

from sts.core import credentials as rules
from sts.core import rollover
from sts.core.credentials import Status, describe, instant
from sts.core.errors import Conflict, KeyUnreadable
from sts.core.model import Credential
from sts.operations.breaking import what_breaks, what_is_outdated
from sts.operations.installation import Installation
from sts.operations.rings import CredentialRow, OpenRing, Outcome, Selection, open_ring, row_of, select
from sts.store import credentials as table
from sts.store import ring_holds
from sts.store.changes import Change
from sts.store.faultpoints import faultpoint


class Breakage(Enum):
    """Whether relying parties may break."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


def make_primary(
    installation: Installation, selection: Selection, now: datetime, at: datetime | None = None
) -> Outcome:
    """Make a credential the one that signs, or the first to decrypt, as soon as every node has it or at an instant.

    Raises Conflict for one that is deleted, revoked, of another use or not valid at that instant; KeyUnreadable for one
    whose key does not open; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        promotion = rules.promote(opened.members, chosen, now, at)
        installation.key_ring.test(change.connection, opened.namespace, chosen)
        faultpoint("make-primary.begun")
        _save(change, opened, promotion.changed)
        faultpoint("make-primary.saved")
        _audit(change, opened, chosen, "make-primary", primary_from=instant(promotion.primary_from))
        faultpoint("make-primary.audited")
        warnings = (*promotion.warnings, *_hold(change, opened))
        faultpoint("make-primary.held")
        outcome = Outcome(_row(change, installation, selection, chosen), warnings)
    faultpoint("make-primary.committed")
    return outcome


def _hold(change: Change, opened: OpenRing) -> tuple[str, ...]:
    """Keep a ring that rolls by itself from undoing what an operator just decided."""
    if opened.state is None or opened.state.policy.automatic is False:
        return ()
    name = opened.state.name
    ring_holds.hold(change, opened.namespace, name.value)
    command = f"sts rollover resume --namespace {opened.namespace.name} --ring {name}"
    return (f"the ring {name} is held now and does not roll over by itself until `{command}`",)


def revoke(
    installation: Installation, selection: Selection, now: datetime, breakage: Breakage = Breakage.REFUSED
) -> Outcome:
    """Revoke a credential for good: it neither signs nor decrypts from now on.

    A published successor of a revoked primary is promoted in the same transaction, if its key opens; where there is
    none, partners break, and that must be accepted. A promotion that was scheduled for it is cancelled. Raises Conflict
    for one that is revoked already and for breakage that was not accepted; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        if chosen.revoked_at is not None:
            raise Conflict(f"{describe(chosen)} was revoked on {instant(chosen.revoked_at)} already")
        candidates = rollover.stand_ins(opened.members, chosen, now) if _has_the_place(opened, chosen, now) else ()
        unreadable = tuple(c for c in candidates if not _opens(change, installation, opened, c))
        successor = next((c for c in candidates if c not in unreadable), None)
        broken = None if successor is not None else what_breaks(change.connection, opened, chosen, now)
        if broken is not None and breakage is Breakage.REFUSED:
            raise _refusal(chosen, broken, unreadable)
        kept = _without_schedule(opened.members, chosen, now)
        _save(change, opened, [replace(c, revoked_at=_whole(now)) if c.id == chosen.id else c for c in kept])
        faultpoint("revoke.saved")
        _audit(change, opened, chosen, "revoke")
        faultpoint("revoke.audited")
        if successor is not None:
            _promote_successor(change, installation, selection, successor, now)
            faultpoint("revoke.successor-promoted")
        warnings = _revocation_warnings(opened, chosen, successor, now)
        outdated = what_is_outdated(change.connection, opened)
        told = (*warnings, *(each for each in (broken, outdated) if each is not None), *map(_unreadable, unreadable))
        outcome = Outcome(_row(change, installation, selection, chosen), told)
    faultpoint("revoke.committed")
    return outcome


def _has_the_place(opened: OpenRing, chosen: Credential, now: datetime) -> bool:
    return chosen is rules.primary(opened.members, now) or rules.is_taking_over(opened.members, chosen, now)


def _opens(change: Change, installation: Installation, opened: OpenRing, candidate: Credential) -> bool:
    """Whether a successor's key can be used: one that cannot be read counts as missing."""
    try:
        installation.key_ring.test(change.connection, opened.namespace, candidate)
    except KeyUnreadable:
        return False
    return True


def _unreadable(candidate: Credential) -> str:
    return f"{describe(candidate)} would take its place, but its key does not open"


def _refusal(chosen: Credential, broken: str, unreadable: Sequence[Credential]) -> Conflict:
    missing = "; ".join(("has no published successor", *map(_unreadable, unreadable)))
    return Conflict(
        f"{describe(chosen)} {missing}: {broken}; make another primary first, or revoke it all the same with --force"
    )


def _promote_successor(
    change: Change, installation: Installation, selection: Selection, successor: Credential, now: datetime
) -> None:
    opened = open_ring(change.connection, installation, selection.ring)
    fresh = next(c for c in opened.members if c.id == successor.id)
    promotion = rules.promote(opened.members, fresh, now)
    _save(change, opened, promotion.changed)
    _audit(change, opened, fresh, "make-primary", primary_from=instant(promotion.primary_from))


def delete(
    installation: Installation, selection: Selection, now: datetime, breakage: Breakage = Breakage.REFUSED
) -> Outcome:
    """Destroy a credential's key for good; the answer shows it as it was.

    A promotion that was scheduled for it is cancelled. Raises Conflict for the primary unless it is revoked, and for
    one of which tokens may still be about, which nobody could verify any more, unless that is accepted; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        rules.refuse_deleting(opened.members, chosen, now)
        if breakage is Breakage.REFUSED:
            _refuse_deleting_early(chosen, now)
        row = row_of(opened, chosen, now)
        _save(change, opened, _without_schedule(opened.members, chosen, now))
        table.delete(change, opened.namespace, chosen)
        _audit(change, opened, chosen, "delete")
        return Outcome(row)


def _refuse_deleting_early(chosen: Credential, now: datetime) -> None:
    """Raise Conflict before what it signed is over (rollover.md, retire); a revoked one is trusted no more anyway."""
    demoted = chosen.demoted_at
    if chosen.revoked_at is not None or demoted is None or not demoted <= now < demoted + rules.LONGEST_TOKEN:
        return
    raise Conflict(
        f"{describe(chosen)} was primary until {instant(demoted)}: what it was used for may be valid until "
        f"{instant(demoted + rules.LONGEST_TOKEN)} and would be refused; wait until then, or delete it all the same "
        "with --force"
    )


def _without_schedule(members: Sequence[Credential], chosen: Credential, now: datetime) -> tuple[Credential, ...]:
    """The chosen one without a promotion that lies ahead, and whom it would have demoted, who stays until the next.

    Otherwise it would take the primary's place on that day, and nothing could sign.
    """
    at = chosen.primary_from
    if at is None or at <= now:
        return (chosen,)
    others = [c for c in members if c.id != chosen.id and c.deleted_at is None]
    until = min((c.primary_from for c in others if c.primary_from is not None and c.primary_from > at), default=None)
    staying = [replace(c, demoted_at=until) for c in others if c.demoted_at == at]
    return (replace(chosen, primary_from=None, demoted_at=None), *staying)


def _revocation_warnings(
    opened: OpenRing, chosen: Credential, successor: Credential | None, now: datetime
) -> tuple[str, ...]:
    noun, arguments = opened.name.noun, opened.name.arguments
    if successor is not None:
        return (f"{describe(successor)} takes its place now; {rules.unaware(successor)}",)
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
    opened = open_ring(change.connection, installation, selection.ring)
    return row_of(opened, chosen, change.now)


def _whole(now: datetime) -> datetime:
    return now.replace(microsecond=0)
