"""Builders of core values: everything has a sensible default, a test changes the one field that it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sts.core.model import (
    NAMESPACE_SCOPE,
    Credential,
    Kind,
    Namespace,
    RelyingParty,
    TokenFormat,
    Use,
    relying_party_scope,
)

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
PAST = NOW - 100 * DAY
FUTURE = NOW + 100 * DAY

EXPIRED = {"not_after": NOW - SECOND}  # what changes a credential below into one that is
FUTURE_ONLY = {"not_before": NOW + SECOND}
REVOKED = {"revoked_at": PAST}
DELETED = {"deleted_at": NOW - DAY}
PRIMARY = {"primary_from": PAST}


def credential(id: int = 1, **changes: Any) -> Credential:
    """A namespace signing certificate: valid from a year ago to a year ahead, published, never primary."""
    base = Credential(
        id=id,
        scope=NAMESPACE_SCOPE,
        use=Use.SIGNING,
        kind=Kind.CERTIFICATE,
        not_before=NOW - 365 * DAY,
        not_after=NOW + 365 * DAY,
        thumbprint=f"{id:040x}",
        thumbprint_sha256=f"{id:064x}",
        subject=f"CN=credential-{id}",
        created_at=NOW - 365 * DAY,
        published_at=NOW - 365 * DAY,
    )
    return replace(base, **changes)


def key(id: int = 1, **changes: Any) -> Credential:
    """The same as a symmetric key."""
    return credential(id, **{"kind": Kind.SYMMETRIC, "subject": None, **changes})


def dedicated(made: Credential, relying_party_id: int = 7) -> Credential:
    """The same in the scope of a relying party."""
    return replace(made, scope=relying_party_scope(relying_party_id))


def namespace(*credentials: Credential, **changes: Any) -> Namespace:
    """A namespace that holds these credentials."""
    base = Namespace(id=1, name="contoso", issuer="https://sts.example/contoso/", credentials=credentials)
    return replace(base, **changes)


def relying_party(*credentials: Credential, **changes: Any) -> RelyingParty:
    """A SAML 2.0 relying party with these dedicated credentials."""
    base = RelyingParty(
        id=7,
        name="orders",
        realm="https://orders.example/",
        token_format=TokenFormat.SAML20,
        credentials=tuple(dedicated(c) for c in credentials),
    )
    return replace(base, **changes)
