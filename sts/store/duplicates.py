"""Who else holds the same credential."""

import sqlalchemy as sa

from sts.core.model import NAMESPACE_SCOPE, Credential
from sts.store.tables import credential as _TABLE
from sts.store.tables import namespace, relying_party


def other_holders(connection: sa.Connection, credential: Credential) -> tuple[str, ...]:
    """Answer in words the namespaces and relying parties that hold a stored credential's certificate or key too."""
    same = (
        _TABLE.c.thumbprint_sha256 == credential.thumbprint_sha256,
        _TABLE.c.id != credential.id,
        _TABLE.c.deleted_at.is_(None),
    )
    scope = sa.literal("rp:") + sa.cast(relying_party.c.id, sa.Text)  # core.model.relying_party_scope
    joined = sa.join(_TABLE, namespace, namespace.c.id == _TABLE.c.namespace_id)
    joined = joined.outerjoin(relying_party, _TABLE.c.scope == scope)
    found = sa.select(namespace.c.name, relying_party.c.name, _TABLE.c.scope, _TABLE.c.use)
    rows = connection.execute(found.select_from(joined).where(*same).order_by(_TABLE.c.id)).all()
    return tuple(_holder(*row) for row in rows)


def _holder(owner: str, party: str | None, scope: str, use: str) -> str:
    dedicated = "" if scope == NAMESPACE_SCOPE else f", relying party {party}"
    return f"namespace {owner}{dedicated} ({use})"
