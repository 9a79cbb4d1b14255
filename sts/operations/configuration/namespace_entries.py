"""What a configuration file says of the namespace itself: host names, session, rollover."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sts.core.model import KeyType, RingPolicy
from sts.core.rollover import DEFAULT_POLICIES, RingName, spans
from sts.operations.configuration.addresses import check_host, host_of
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.sources import Sources
from sts.operations.publish import MAX_AGE
from sts.operations.spans import format_span, parse_span
from sts.protocols import addresses

RESERVED_NAMES: Final = addresses.INSTALLATION | {".", ".."}
LONGEST_SESSION: Final = timedelta(days=30)
SHORTEST_LIFE: Final = timedelta(minutes=1)

_LEAD: Final = timedelta(days=90)
_TURN: Final = timedelta(days=45)
_SECOND: Final = timedelta(seconds=1)


def read_name(entry: Entry) -> str:
    """Read the namespace's name; the first segment of paths must not mean two things."""
    name = entry.text("namespace") or ""
    if name.lower() in RESERVED_NAMES:
        entry.fault("namespace", f"'{name}' is an address of the service itself; choose another name")
    return name


def read_hosts(entry: Entry, sources: Sources) -> tuple[str, ...] | None:
    """Read the host names that the namespace owns; None when they are not written."""
    if not entry.has("hosts"):
        return None
    own = host_of(sources.surroundings.base_url)

    def check(host: str) -> str:
        if host == own:
            raise ValueError(f"'{host}' is the host of the service itself, where every namespace has its path")
        if host in sources.known.hosts:
            raise ValueError(f"'{host}' belongs to the namespace '{sources.known.hosts[host]}'")
        return check_host(host)

    return entry.all_parsed("hosts", check)


def read_session(entry: Entry) -> timedelta | None:
    """Read how long a sign-in lasts; None when it is not written."""
    session = entry.parsed("session", parse_span)
    if session is not None and session > LONGEST_SESSION:
        entry.fault("session", f"a session lasts at most {format_span(LONGEST_SESSION)}")
    return session


def read_rollover(entry: Entry) -> Mapping[str, RingPolicy] | None:
    """Read the policies of the rings that are written; None when there is no such section."""
    section = entry.entry("rollover")
    if section is None:
        return None
    rings = {ring: section.entry(ring.value) for ring in RingName}
    return {ring.value: _policy(found, DEFAULT_POLICIES[ring]) for ring, found in rings.items() if found is not None}


def _policy(entry: Entry, default: RingPolicy) -> RingPolicy:
    """What is absent takes the default, shortened where the life of the credential is too short for it."""
    lifetime = entry.parsed("lifetime", parse_span) or default.lifetime
    lead = entry.parsed("lead", parse_span) or min(_LEAD, _half(lifetime))
    turn = entry.parsed("turn", parse_span) or min(_TURN, _half(lead))
    key_type, automatic = entry.text("key_type"), entry.truth("automatic")
    if lifetime < SHORTEST_LIFE:
        entry.fault("lifetime", f"a credential lives at least {format_span(SHORTEST_LIFE)}")
    if lead >= lifetime:
        entry.fault("lead", f"lead ({format_span(lead)}) must be shorter than lifetime ({format_span(lifetime)})")
    if turn >= lead:
        entry.fault("turn", f"turn ({format_span(turn)}) must be shorter than lead ({format_span(lead)})")
    policy = RingPolicy(
        automatic=default.automatic if automatic is None else automatic,
        lifetime=lifetime,
        lead=lead,
        turn=turn,
        key_type=KeyType(key_type) if key_type is not None else default.key_type,
    )
    least = _least_lead(policy)
    if policy.automatic is not False and lead < least:
        text = f"lead ({format_span(lead)}) leaves partners no time to learn of the next: at least {format_span(least)}"
        entry.fault("lead", text)
    return policy


def _least_lead(policy: RingPolicy) -> timedelta:
    """How long before the end the next one must be there, to be public long enough and take over in time."""
    span = spans(policy.lifetime, policy, MAX_AGE)
    return span.in_public + span.critical


def _half(span: timedelta) -> timedelta:
    return max(_SECOND, span // 2 // _SECOND * _SECOND)
