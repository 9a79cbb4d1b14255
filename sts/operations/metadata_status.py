"""What partners' documents say that waits for a person, and which cannot be read."""

from dataclasses import dataclass
from datetime import datetime

from sts.core.model import PartnerRole
from sts.operations.installation import Installation
from sts.operations.metadata_judging import waiting
from sts.store import metadata_refreshes, namespaces
from sts.store.metadata_refreshes import Registered


@dataclass(frozen=True, slots=True)
class MetadataRow:
    """One partner with a document."""

    namespace: str
    role: PartnerRole
    name: str
    location: str
    entity_id: str
    read_at: datetime | None  # None: a file, which is read when somebody imports or applies it
    due_at: datetime | None
    valid_until: datetime | None
    failed_at: datetime | None
    failure: str | None
    waiting: tuple[str, ...]
    vanished: tuple[str, ...]  # what the document does not name any more, and stays
    set_by_hand: tuple[str, ...]  # keys that no document changes

    @property
    def needs_person(self) -> bool:
        """Whether something waits for a person, or the document cannot be read."""
        return bool(self.waiting) or self.failure is not None


def list_all(installation: Installation, namespace: str | None = None) -> tuple[MetadataRow, ...]:
    """The partners with documents, of one namespace or of all; raises NamespaceNotFound."""
    with installation.database.reading() as connection:
        if namespace is not None:
            namespaces.find(connection, installation.base_url, namespace)
        return tuple(_row(each) for each in metadata_refreshes.list_registered(connection, namespace))


def _row(registered: Registered) -> MetadataRow:
    source, refresh = registered.source, registered.refresh
    return MetadataRow(
        namespace=registered.namespace,
        role=registered.role,
        name=registered.name,
        location=source.location,
        entity_id=source.entity_id,
        read_at=None if refresh is None else refresh.read_at,
        due_at=None if refresh is None else refresh.due_at,
        valid_until=None if refresh is None else refresh.valid_until,
        failed_at=None if refresh is None else refresh.failed_at,
        failure=None if refresh is None else refresh.failure,
        waiting=waiting(source),
        vanished=source.vanished,
        set_by_hand=source.overrides,
    )
