"""What an operator can do with whole namespaces besides applying a file."""

import json
from datetime import datetime
from pathlib import Path

from sts.core.errors import Conflict, NamespaceNotFound
from sts.core.model import Namespace
from sts.operations.apply import ApplyRequest, apply
from sts.operations.installation import Installation
from sts.store import namespaces as table


def list_all(installation: Installation) -> tuple[Namespace, ...]:
    """Every namespace, by name."""
    with installation.database.reading() as connection:
        return table.list_all(connection, installation.base_url)


def find(installation: Installation, name: str) -> Namespace:
    """One namespace; raises NamespaceNotFound."""
    with installation.database.reading() as connection:
        return table.find(connection, installation.base_url, name)


def create(installation: Installation, name: str, now: datetime) -> Namespace:
    """Make a namespace with its first credentials, as a file that says nothing but its name would.

    Raises Conflict for a name that is taken, InvalidConfiguration for one that cannot be.
    """
    try:
        find(installation, name)
    except NamespaceNotFound:
        file = json.dumps({"namespace": name}).encode()
        apply(installation, ApplyRequest(file, folder=Path(), environment={}), now)
        return find(installation, name)
    raise Conflict(f"there is a namespace '{name}' already")


def delete(installation: Installation, name: str, now: datetime) -> None:
    """Delete a namespace with everything in it and destroy its keys; raises NamespaceNotFound."""
    with installation.database.changing(installation.actor, now) as change:
        namespace = table.find(change.connection, installation.base_url, name)
        table.delete(change, namespace)
        living = sum(credential.deleted_at is None for credential in namespace.credentials)
        change.audit(name, "namespace.delete", f"namespace:{name}", {"credentials": living})
