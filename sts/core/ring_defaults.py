"""What holds for the rings of an installation where a namespace's configuration says nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from sts.core.model import KeyType, Namespace, RingPolicy
from sts.core.rollover import DEFAULT_POLICIES, RingName, spans
from sts.core.spans import format_span

MAX_AGE: Final = timedelta(hours=1)  # for which readers may keep the metadata
SHORTEST_LIFE: Final = timedelta(minutes=1)  # of a credential
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class PolicyText:
    """What somebody wrote of a ring's policy; None: nothing."""

    lifetime: timedelta | None = None
    lead: timedelta | None = None
    turn: timedelta | None = None
    key_type: KeyType | None = None
    automatic: bool | None = None


@dataclass(frozen=True, slots=True)
class RingDefaults:
    """The policies of rings that have none of their own, and how long readers may keep what is published."""

    policies: Mapping[RingName, RingPolicy] = field(default_factory=lambda: DEFAULT_POLICIES)
    max_age: timedelta = MAX_AGE

    def policy_of(self, namespace: Namespace, name: RingName) -> RingPolicy:
        """The policy of a ring: the namespace's own, or the installation's."""
        return namespace.rollover.get(name) or self.policies[name]


def completed(written: PolicyText, default: RingPolicy) -> RingPolicy:
    """The policy that is meant: what is absent takes the default, its spans no longer than half of what they are in."""
    lifetime = written.lifetime or default.lifetime
    lead = written.lead or min(default.lead, _half(lifetime))
    return replace(
        default,
        automatic=default.automatic if written.automatic is None else written.automatic,
        lifetime=lifetime,
        lead=lead,
        turn=written.turn or min(default.turn, _half(lead)),
        key_type=written.key_type or default.key_type,
    )


def _half(span: timedelta) -> timedelta:
    return max(_SECOND, span // 2 // _SECOND * _SECOND)


def faults_of(policy: RingPolicy, max_age: timedelta) -> Iterator[tuple[str, str]]:
    """What is wrong with a policy: the name of its part that is to be mended, and a sentence."""
    lifetime, lead, turn = map(format_span, (policy.lifetime, policy.lead, policy.turn))
    if policy.lifetime < SHORTEST_LIFE:
        yield "lifetime", f"a credential lives at least {format_span(SHORTEST_LIFE)}"
    if policy.lead >= policy.lifetime:
        yield "lead", f"lead ({lead}) must be shorter than lifetime ({lifetime})"
    if policy.turn >= policy.lead:
        yield "turn", f"turn ({turn}) must be shorter than lead ({lead})"
    span = spans(policy.lifetime, policy, max_age)
    least = span.in_public + span.critical
    if policy.automatic is not False and policy.lead < least:
        yield "lead", f"lead ({lead}) leaves partners no time to learn of the next: at least {format_span(least)}"
