"""Who breaks when a credential is revoked and nothing takes its place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sts.core import credentials as rules
from sts.core.credentials import Status
from sts.core.model import Credential, ProviderKind, Use
from sts.operations.rings import OpenRing
from sts.store import identity_providers, relying_parties, service_identities
from sts.store.connection import Connection

MOST_NAMES: Final = 20  # of partners, in a sentence


def what_breaks(connection: Connection, opened: OpenRing, chosen: Credential, now: datetime) -> str | None:
    """A sentence on what the ring cannot do without this credential, and for whom; None if it can do without."""
    if not _is_needed(opened, chosen, now):
        return None
    if chosen.use is Use.SIGNING:
        return f"without it no token can be issued for {_told(_relying_parties(connection, opened, chosen, now))}"
    if chosen.use is Use.DECRYPTION:
        return f"without it nothing can be read that is encrypted by {_told(_identity_providers(connection, opened))}"
    return f"without it no certificate can be issued for {_told(_service_identities(connection, opened))}"


def what_is_outdated(connection: Connection, opened: OpenRing) -> str | None:
    """A sentence on what a revoked tenant CA has issued, successor or not; None for any other ring."""
    if opened.name.use is not Use.TENANT_CA:
        return None
    return (
        "certificates that it issued no longer authenticate here and cacerts leaves it out: whoever enrolled with it "
        f"must enrol again with a password or key ({_told(_service_identities(connection, opened))}); services "
        "elsewhere that trust it must be told to forget it"
    )


def _is_needed(opened: OpenRing, chosen: Credential, now: datetime) -> bool:
    """Whether nothing could sign, or decrypt, any more."""
    rest = [c for c in opened.members if c.id != chosen.id and c.deleted_at is None and rules.is_valid(c, now)]
    if chosen.use is Use.DECRYPTION:  # every valid one decrypts
        return not rest and chosen in rules.decryption_credentials(opened.namespace, now)
    if rules.is_taking_over(opened.members, chosen, now):
        return True
    if rules.status(opened.members, chosen, now)[0] is not Status.ACTIVE:
        return False
    return chosen is rules.primary(opened.members, now) or not rest  # a revoked primary keeps the place


def _relying_parties(connection: Connection, opened: OpenRing, chosen: Credential, now: datetime) -> tuple[str, ...]:
    """The enabled relying parties whose tokens the ring signs now."""
    if opened.relying_party is not None:
        return (opened.relying_party.name,)
    parties = relying_parties.list_all(connection, opened.namespace)
    return tuple(p.name for p in parties if p.enabled and chosen in rules.signing_members(opened.namespace, p, now))


def _identity_providers(connection: Connection, opened: OpenRing) -> tuple[str, ...]:
    """The enabled ones that may encrypt to what the metadata offers."""
    providers = identity_providers.list_all(connection, opened.namespace)
    return tuple(p.name for p in providers if p.enabled and p.kind is not ProviderKind.LOCAL)


def _service_identities(connection: Connection, opened: OpenRing) -> tuple[str, ...]:
    """The enabled ones: each may enrol."""
    return tuple(i.name for i in service_identities.list_all(connection, opened.namespace) if i.enabled)


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(names[:MOST_NAMES]) or "anybody") + more
