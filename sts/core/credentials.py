"""Which credential signs, decrypts and is published: pure functions of data and `now` (design, section 2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sts.core.errors import Conflict, IssuingFailed, NoSigningCertificate, NoSigningKey
from sts.core.model import DEDICATED, Credential, Kind, Namespace, Origin, RelyingParty, RingPolicy, Use

SECOND = timedelta(seconds=1)
SPREAD = timedelta(seconds=6)  # by then every node has read a change
LONGEST_TOKEN = timedelta(hours=24)
DECRYPTION_GRACE = timedelta(days=30)

Ring = tuple[Credential, ...]


class Status(StrEnum):
    """What people see of a credential."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    EXPIRED = "Expired"
    REVOKED = "Revoked"


def ring(credentials: Iterable[Credential], use: Use, kind: Kind) -> Ring:
    """The undeleted credentials of one use and kind; the caller has chosen the scope."""
    return tuple(c for c in credentials if c.use is use and c.kind is kind and c.deleted_at is None)


def is_valid(credential: Credential, now: datetime) -> bool:
    """Whether it may be used now: unrevoked, and `not_before <= now <= not_after` in whole seconds."""
    return credential.revoked_at is None and credential.not_before <= now < credential.not_after + SECOND


def has_expired(credential: Credential, now: datetime) -> bool:
    """Whether its last second has passed."""
    return credential.not_after + SECOND <= now


def primary(members: Iterable[Credential], now: datetime) -> Credential | None:
    """The one with the latest `primary_from` that is not in the future (tie: the higher id).

    An expired or revoked one keeps the place. A tombstone takes it from those that were primary before it, so that
    none of them is resurrected; what was never primary is not held back by it (`signing_credential`, step 5).
    """
    holder, place, any_alive = None, None, False
    for credential in members:
        since = credential.primary_from
        if since is None or since > now:
            continue
        any_alive = any_alive or credential.deleted_at is None
        if place is None or (since, credential.id) > place:
            holder, place = credential, (since, credential.id)
    return holder if any_alive else None


def last_primary(members: Iterable[Credential], now: datetime) -> Credential | None:
    """The one that became primary last, a deleted one too."""
    since = [(c.primary_from, c.id, c) for c in members if c.primary_from is not None and c.primary_from <= now]
    return max(since, key=lambda found: found[:2])[2] if since else None


def is_automatic(members: Iterable[Credential], policy: RingPolicy | None, now: datetime) -> bool:
    """Whether a ring makes and promotes by itself, as its policy says, unless it is held.

    Where the policy does not say: if the present primary was made here.
    """
    if policy is not None and policy.automatic is not None:
        return policy.automatic
    present = primary(members, now)
    return present is None or present.origin is Origin.GENERATED


def signing_credential(namespace: Namespace, relying_party: RelyingParty, now: datetime) -> Credential:
    """The credential that signs for a relying party (design, section 2, "Which one signs").

    Raises NoSigningCertificate or NoSigningKey with the credential, the reason, the remedy and the next instant.
    """
    members = signing_members(namespace, relying_party, now)
    try:
        return _select(members, now)
    except _Unavailable as unavailable:
        later = _next_signing_instant(namespace, relying_party, now)
        raise _refusal(unavailable, relying_party.kind, _command(namespace, relying_party, members), later) from None


def metadata_credential(namespace: Namespace, now: datetime) -> Credential:
    """The certificate that signs the namespace's federation metadata; raises NoSigningCertificate."""
    members = _members(namespace.credentials, Use.SIGNING, Kind.CERTIFICATE)
    try:
        return _select(members, now)
    except _Unavailable as unavailable:
        later = returns(members, now)
        raise _refusal(unavailable, Kind.CERTIFICATE, f"--namespace {namespace.name}", later) from None


def signing_members(namespace: Namespace, relying_party: RelyingParty, now: datetime) -> Ring:
    """The ring that signs for a relying party, tombstones included (steps 1 to 3)."""
    kind = relying_party.kind
    shared = _members(namespace.credentials, Use.SIGNING, kind)
    if relying_party.managed or not relying_party.credentials:
        return shared
    dedicated = _members(relying_party.credentials, Use.SIGNING, kind)
    alive = [c for c in dedicated if c.deleted_at is None]
    if not alive or (kind is Kind.SYMMETRIC and _expired_and_not_replaced(alive, now)):
        return shared
    return dedicated


def is_dedicated(members: Ring) -> bool:
    """Whether it is the ring of a relying party, and not the namespace's."""
    return bool(members) and members[0].scope.startswith(DEDICATED)


def _members(credentials: Iterable[Credential], use: Use, kind: Kind) -> Ring:
    return tuple([c for c in credentials if c.use is use and c.kind is kind])


def _expired_and_not_replaced(alive: Iterable[Credential], now: datetime) -> bool:
    """Step 3: revoked keys neither count as expired (revocation never causes fall-back) nor as a replacement."""
    unrevoked = [c for c in alive if c.revoked_at is None]
    return bool(unrevoked) and all(has_expired(c, now) for c in unrevoked)


class _Unavailable(Exception):
    """Nothing in the ring may sign: the credential that stands in the way, if one does, and why."""

    def __init__(self, reason: str, blocking: Credential | None = None, *, has_others: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.blocking = blocking
        self.has_others = has_others  # that could be promoted instead


def _select(members: Ring, now: datetime) -> Credential:
    """Steps 4 and 5."""
    holder = primary(members, now)
    if holder is not None:
        if holder.deleted_at is None and is_valid(holder, now):
            return holder
        has_others = any(c.deleted_at is None and is_valid(c, now) for c in members)
        raise _Unavailable(_why_not(holder, now), holder, has_others=has_others)
    usable = [c for c in members if c.deleted_at is None and is_valid(c, now)]
    if usable:
        return min(usable, key=lambda c: (c.not_before, c.id))
    raise _Unavailable(_why_none(members, now))


def selected(members: Ring, now: datetime) -> Credential | None:
    """The credential of a ring that is in use (steps 4 and 5), where it is a question and not a demand."""
    try:
        return _select(members, now)
    except _Unavailable:
        return None


def _why_not(credential: Credential, now: datetime) -> str:
    if credential.deleted_at is not None:
        return f"was deleted on {instant(credential.deleted_at)}"
    if credential.revoked_at is not None:
        return f"was revoked on {instant(credential.revoked_at)}"
    if has_expired(credential, now):
        return f"expired on {instant(credential.not_after)}"
    return f"is not valid before {instant(credential.not_before)}"


def _why_none(members: Ring, now: datetime) -> str:
    alive = [c for c in members if c.deleted_at is None]
    if not alive:
        return "there is none"
    return "none is valid: " + "; ".join(f"{describe(c)} {_why_not(c, now)}" for c in alive[:5])


def _refusal(unavailable: _Unavailable, kind: Kind, arguments: str, later: datetime | None) -> IssuingFailed:
    noun = "certificate" if kind is Kind.CERTIFICATE else "key"
    what = "signing certificate" if kind is Kind.CERTIFICATE else "symmetric signing key"
    make = f"make one with `sts {noun} generate {arguments} --use signing`"
    if unavailable.blocking is None:
        text = f"no {what} can sign: {unavailable.reason}; {make}"
    else:
        another = f"promote another with `sts {noun} make-primary {arguments} --use signing --thumbprint ...`"
        remedy = another if unavailable.has_others else f"{make} and {another}"
        name = describe(unavailable.blocking).removeprefix("key ")  # `what` says that it is one
        text = f"the primary {what} {name} {unavailable.reason}; {remedy}"
    if later is not None:
        text += f", or wait until {instant(later)}"
    return NoSigningCertificate(text) if kind is Kind.CERTIFICATE else NoSigningKey(text)


def _command(namespace: Namespace, relying_party: RelyingParty, members: Ring) -> str:
    suffix = f" --relying-party {relying_party.name}" if is_dedicated(members) else ""
    return f"--namespace {namespace.name}{suffix}"


def _next_signing_instant(namespace: Namespace, relying_party: RelyingParty, now: datetime) -> datetime | None:
    """The first instant at which signing would succeed if nobody did anything."""
    everything = namespace.credentials + relying_party.credentials
    for at in _instants(everything, now):
        if selected(signing_members(namespace, relying_party, at), at):
            return at
    return None


def _instants(credentials: Iterable[Credential], now: datetime) -> list[datetime]:
    """The instants after now at which an answer of this module may change, in order."""
    found: set[datetime] = set()
    for c in credentials:
        found.update({c.not_before, c.not_after + SECOND, c.not_after + DECRYPTION_GRACE + SECOND})
        if c.primary_from is not None:
            found.add(c.primary_from)
        if c.published_at is not None:
            found.add(c.published_at)
        if c.demoted_at is not None:
            found.add(c.demoted_at + LONGEST_TOKEN + SECOND)
    return sorted(at for at in found if at > now)


def lapse(members: Ring, now: datetime) -> datetime:
    """The first instant, now or later, at which nothing of a ring is in use any more if nobody does anything."""
    return next(at for at in (now, *_instants(members, now)) if selected(members, at) is None)


def returns(members: Ring, now: datetime) -> datetime | None:
    """The first instant after now at which something of a ring is in use if nobody does anything."""
    return next((at for at in _instants(members, now) if selected(members, at) is not None), None)


def next_change(namespace: Namespace, now: datetime) -> datetime | None:
    """The next instant at which what the namespace publishes may change without anybody doing anything."""
    return next(iter(_instants(namespace.credentials, now)), None)


def decryption_credentials(namespace: Namespace, now: datetime) -> Ring:
    """What to decrypt with, in order: the primary even if expired, then the others, newest first.

    Revoked ones never; expired ones that are not the primary for 30 more days.
    """
    everything = _members(namespace.credentials, Use.DECRYPTION, Kind.CERTIFICATE)
    usable = [c for c in everything if c.deleted_at is None and c.revoked_at is None]
    first = primary(everything, now)
    usable = [c for c in usable if c is first or not has_expired(c, now - DECRYPTION_GRACE)]
    return tuple(sorted(usable, key=lambda c: (c is first, _newest(c)), reverse=True))


def published_signing(namespace: Namespace, now: datetime) -> Ring:
    """The signing certificates in federation metadata: the one that signs first, then the others, newest first."""
    members = _members(namespace.credentials, Use.SIGNING, Kind.CERTIFICATE)
    public = [c for c in members if _is_public(c, now) and not _is_over(c, now)]
    first = selected(members, now)
    public.sort(key=lambda c: (c is first, _newest(c)), reverse=True)
    return tuple(public)


def published_decryption(namespace: Namespace, now: datetime, default: RingPolicy | None = None) -> Ring:
    """What partners may encrypt to: the newest published unexpired one first.

    In a ring that does not roll over by itself, manual or held, the primary first; `default` is the policy of a ring
    that has none of its own.
    """
    members = _members(namespace.credentials, Use.DECRYPTION, Kind.CERTIFICATE)
    public = [c for c in members if _is_public(c, now) and not has_expired(c, now)]
    policy = namespace.rollover.get("decryption", default)
    rolls = "decryption" not in namespace.held and is_automatic(members, policy, now)
    first = None if rolls else primary(members, now)
    public.sort(key=lambda c: (c is first, c.published_at, c.id), reverse=True)
    return tuple(public)


def _is_public(credential: Credential, now: datetime) -> bool:
    return (
        credential.deleted_at is None
        and credential.revoked_at is None
        and credential.published_at is not None
        and credential.published_at <= now
    )


def _is_over(credential: Credential, now: datetime) -> bool:
    end = credential.not_after
    if credential.demoted_at is not None:
        end = max(end, credential.demoted_at + LONGEST_TOKEN)
    return end < now.replace(microsecond=0)


def _newest(credential: Credential) -> tuple[datetime, int]:
    return credential.not_before, credential.id


@dataclass(frozen=True, slots=True)
class Promotion:
    """What making one credential primary changes in its ring."""

    primary_from: datetime
    changed: Ring
    warnings: tuple[str, ...] = ()


def promote(members: Sequence[Credential], chosen: Credential, now: datetime, at: datetime | None = None) -> Promotion:
    """Make one credential of a ring primary, now or at an instant; `members` is the whole ring with its tombstones.

    The instant is at least 6 s after publication, so that every node has it. The present primary stays what it is, and
    what was to take its place from that instant on does not. Raises Conflict for what is deleted, revoked, or not
    valid at that instant, and for a present primary that gives its place away before it.
    """
    present = primary(members, now)
    instant_ = _promotion_instant(members, chosen, now, at)
    if chosen.deleted_at is not None or not is_valid(chosen, instant_):
        reason = _why_not(chosen, instant_)
        if not has_expired(chosen, now):
            reason = reason.replace("expired on", "ends on")
        raise Conflict(f"{describe(chosen)} cannot become primary on {instant(instant_)}: it {reason}")
    later = [c for c in members if c.primary_from is not None and c.primary_from >= instant_ and c.primary_from > now]
    unscheduled = (c for c in later if c is not chosen and c.deleted_at is None)
    cleared = [replace(c, primary_from=None, demoted_at=None) for c in unscheduled]
    displaced = primary((c for c in members if c not in later), instant_)  # by then another may have been promoted
    if chosen is present:
        if displaced is not None and displaced is not chosen:
            raise Conflict(
                f"{describe(chosen)} is the primary until {describe(displaced)} is: choose an instant before"
            )
        return Promotion(chosen.primary_from or instant_, (replace(chosen, demoted_at=None), *cleared))
    changed = [replace(chosen, primary_from=instant_, demoted_at=None), *cleared]
    if displaced is not None and displaced is not chosen and displaced.deleted_at is None:
        changed.append(replace(displaced, demoted_at=instant_))
    return Promotion(instant_, tuple(changed), _promotion_warnings(present, chosen, instant_, now))


def _promotion_instant(
    members: Sequence[Credential], chosen: Credential, now: datetime, at: datetime | None
) -> datetime:
    now = now.replace(microsecond=0)
    wanted = max(now, at.replace(microsecond=0)) if at is not None else now
    if chosen.published_at is not None:
        wanted = max(wanted, chosen.published_at + SPREAD)
    taken = any(c is not chosen and c.primary_from == wanted and wanted <= now for c in members)
    return wanted + SECOND if taken else wanted


def _promotion_warnings(present: Credential | None, chosen: Credential, at: datetime, now: datetime) -> tuple[str, ...]:
    warnings = []
    if present is not None and present is not chosen and present.not_after < at:
        warnings.append(
            f"the present primary {describe(present)} ends on {instant(present.not_after)}, before the new one begins "
            f"on {instant(at)}: in between, issuing fails"
        )
    if chosen.published_at is not None and chosen.published_at > at - LONGEST_TOKEN:
        seconds = max(0, int((now - chosen.published_at).total_seconds()))
        warnings.append(f"public for {seconds} s; {unaware(chosen)}")
    return tuple(warnings)


def unaware(chosen: Credential) -> str:
    """Who suffers when a credential is used before everybody knows it."""
    if chosen.use is Use.TENANT_CA:
        return "services that do not trust it yet will refuse the certificates that it issues"
    return "partners that have not re-read the metadata will refuse"


def is_taking_over(members: Sequence[Credential], credential: Credential, now: datetime) -> bool:
    """Whether it is about to take the place of a primary that can be used no more."""
    present, since = primary(members, now), credential.primary_from
    return since is not None and since > now and present is not None and not is_valid(present, now)


def refuse_deleting(members: Sequence[Credential], chosen: Credential, now: datetime) -> None:
    """Raise Conflict for the one that signs, or holds or is about to take the primary's place, unless it is revoked."""
    if chosen.revoked_at is not None:
        return
    if chosen == primary(members, now):
        raise Conflict(f"{describe(chosen)} is the primary: make another primary or revoke it first")
    if is_taking_over(members, chosen, now):
        raise Conflict(f"{describe(chosen)} is about to be the primary: make another primary or revoke it first")
    if chosen == selected(tuple(members), now):
        raise Conflict(f"{describe(chosen)} is the one in use: make another primary or revoke it first")


def status(members: Sequence[Credential], credential: Credential, now: datetime) -> tuple[Status, str]:
    """The status people see, and for Inactive the reason: `next` or `retired`, otherwise ""."""
    if credential.revoked_at is not None:
        return Status.REVOKED, ""
    if has_expired(credential, now):
        return Status.EXPIRED, ""
    if credential == selected(tuple(members), now):
        return Status.ACTIVE, ""
    once = credential.primary_from is not None and credential.primary_from <= now
    return Status.INACTIVE, "retired" if once and credential != primary(members, now) else "next"


def describe(credential: Credential) -> str:
    """The name of a credential in messages: its subject or kind, and its thumbprint."""
    return f"{credential.subject or 'key'} ({credential.thumbprint[:16]})"


def instant(at: datetime) -> str:
    """An instant in messages: ISO 8601 in UTC, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
