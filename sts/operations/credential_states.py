"""The verbs that change what a credential of a ring is: make primary, revoke, delete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Final

from sts.core import credentials as rules
from sts.core import rollover
from sts.core.credentials import Status, describe, instant
from sts.core.errors import Conflict
from sts.core.model import Credential, RelyingParty, Use
from sts.operations.installation import Installation
from sts.operations.rings import NOUNS, CredentialRow, OpenRing, Outcome, Selection, open_ring, row_of, select
from sts.store import credentials as table
from sts.store import relying_parties, ring_holds
from sts.store.changes import Change
from sts.store.faultpoints import faultpoint

MOST_NAMES: Final = 20  # of relying parties, in a refusal


class Breakage(Enum):
    """Whether relying parties may break."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


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
    found = (name for name in rollover.RingName if (name.use, name.kind) == (opened.name.use, opened.name.kind))
    name = next(found, None)
    if opened.relying_party is not None or name is None or not rollover.policy_of(opened.namespace, name).automatic:
        return ()
    ring_holds.hold(change, opened.namespace, name.value)
    command = f"sts rollover resume --namespace {opened.namespace.name} --ring {name}"
    return (f"the ring {name} is held now and does not roll over by itself until `{command}`",)


def revoke(
    installation: Installation, selection: Selection, now: datetime, breakage: Breakage = Breakage.REFUSED
) -> Outcome:
    """Revoke a credential for good: it neither signs nor decrypts from now on.

    A published successor of a revoked primary is promoted in the same transaction; where there is none, relying
    parties break, and that must be accepted. A promotion that was scheduled for it is cancelled. Raises Conflict for
    one that is revoked already and for breakage that was not accepted; NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation.base_url, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        if chosen.revoked_at is not None:
            raise Conflict(f"{describe(chosen)} was revoked on {instant(chosen.revoked_at)} already")
        successor = _successor(opened, chosen, now)
        warnings = _revocation_warnings(opened, chosen, successor, now)
        if successor is None and breakage is Breakage.REFUSED:
            _refuse_breaking(change, opened, chosen, now)
        kept = _without_schedule(opened.members, chosen, now)
        _save(change, opened, [replace(c, revoked_at=_whole(now)) if c.id == chosen.id else c for c in kept])
        faultpoint("revoke.saved")
        _audit(change, opened, chosen, "revoke")
        faultpoint("revoke.audited")
        if successor is not None:
            _promote_successor(change, installation, selection, successor, now)
            faultpoint("revoke.successor-promoted")
        outcome = Outcome(_row(change, installation, selection, chosen), warnings)
    faultpoint("revoke.committed")
    return outcome


def _successor(opened: OpenRing, chosen: Credential, now: datetime) -> Credential | None:
    """Who takes a revoked primary's place: the next in line, if it is published and valid."""
    if chosen is not rules.primary(opened.members, now):
        return None
    successor = rollover.next_in_line(opened.members, chosen, now)
    usable = successor is not None and successor.published_at is not None and rules.is_valid(successor, now)
    return successor if usable else None


def _promote_successor(
    change: Change, installation: Installation, selection: Selection, successor: Credential, now: datetime
) -> None:
    opened = open_ring(change.connection, installation.base_url, selection.ring)
    fresh = next(c for c in opened.members if c.id == successor.id)
    promotion = rules.promote(opened.members, fresh, now)
    _save(change, opened, promotion.changed)
    _audit(change, opened, fresh, "make-primary", primary_from=instant(promotion.primary_from))


def _refuse_breaking(change: Change, opened: OpenRing, chosen: Credential, now: datetime) -> None:
    """Raise Conflict, naming who would break, if nothing could sign any more."""
    if rules.status(opened.members, chosen, now)[0] is not Status.ACTIVE or chosen.use is not Use.SIGNING:
        return
    rest = tuple(c for c in opened.members if c.id != chosen.id)
    if chosen is not rules.primary(opened.members, now) and any(rules.is_valid(c, now) for c in rest):
        return
    names = _dependants(change, opened)
    told = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    raise Conflict(
        f"{describe(chosen)} has no published successor: without it no token can be issued for {told or 'anybody'}; "
        "make another primary first, or revoke it all the same with --force"
    )


def _dependants(change: Change, opened: OpenRing) -> tuple[str, ...]:
    """The enabled relying parties whose tokens the ring signs."""
    if opened.relying_party is not None:
        return (opened.relying_party.name,)
    parties = relying_parties.list_all(change.connection, opened.namespace)
    return tuple(p.name for p in parties if p.enabled and p.kind is opened.name.kind and _relies_on_namespace(p))


def _relies_on_namespace(party: RelyingParty) -> bool:
    return party.managed or not rules.ring(party.credentials, Use.SIGNING, party.kind)


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


def _revocation_warnings(
    opened: OpenRing, chosen: Credential, successor: Credential | None, now: datetime
) -> tuple[str, ...]:
    noun, arguments = NOUNS[chosen.kind], opened.name.arguments
    if successor is not None:
        return (f"{describe(successor)} takes its place now; partners that have not re-read the metadata will refuse",)
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
