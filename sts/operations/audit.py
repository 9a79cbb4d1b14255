"""Reading the audit trail."""

from sts.operations.installation import Installation
from sts.store import audit
from sts.store.audit import Head, Record


def list_newest(installation: Installation, namespace: str | None, limit: int) -> tuple[Record, ...]:
    """The newest records, oldest first, of one namespace by its name (also one that is gone) or of all."""
    with installation.database.reading() as connection:
        return audit.list_newest(connection, namespace, limit)


def verify(installation: Installation) -> Head:
    """Recompute the chain and answer its end; raises AuditBroken, which names the first broken record."""
    with installation.database.reading() as connection:
        return audit.verify(connection)
