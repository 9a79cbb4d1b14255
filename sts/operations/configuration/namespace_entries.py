"""What a configuration file says of the namespace itself: host names, session, rollover."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sts.core.model import KeyType, RingPolicy
from sts.core.ring_defaults import PolicyText, RingDefaults, completed, faults_of
from sts.core.rollover import RingName
from sts.core.spans import format_span, parse_span
from sts.operations.configuration.addresses import check_host, host_of
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.sources import Sources
from sts.protocols import addresses

RESERVED_NAMES: Final = addresses.INSTALLATION | {".", ".."}
LONGEST_SESSION: Final = timedelta(days=30)


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


def read_rollover(entry: Entry, defaults: RingDefaults) -> Mapping[str, RingPolicy] | None:
    """Read the policies of the rings that are written; None when there is no such section."""
    section = entry.entry("rollover")
    if section is None:
        return None
    rings = {ring: section.entry(ring.value) for ring in RingName}
    return {ring.value: _policy(found, ring, defaults) for ring, found in rings.items() if found is not None}


def _policy(entry: Entry, ring: RingName, defaults: RingDefaults) -> RingPolicy:
    """What is absent takes the default, shortened where the life of the credential is too short for it."""
    key_type = entry.text("key_type")
    written = PolicyText(
        lifetime=entry.parsed("lifetime", parse_span),
        lead=entry.parsed("lead", parse_span),
        turn=entry.parsed("turn", parse_span),
        key_type=None if key_type is None else KeyType(key_type),
        automatic=entry.truth("automatic"),
    )
    policy = completed(written, defaults.policies[ring])
    for part, sentence in faults_of(policy, defaults.max_age):
        entry.fault(part, sentence)
    return policy
