"""Namespaces, the host names they own, the credentials that all their relying parties share, and the CAs they trust."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import Conflict, NamespaceNotFound
from sts.core.model import NAMESPACE_SCOPE, KeyType, Namespace, RingPolicy
from sts.store import credentials, ring_holds, rows, tables, trusted_cas
from sts.store.changes import Change, ChangeKind
from sts.store.tables import namespace as _TABLE

_SPANS: Final = ("lifetime", "lead", "turn")


def issuer(base_url: str, name: str) -> str:
    """Answer the issuer URI of a namespace: `<base URL>/<name>/`."""
    return f"{base_url.rstrip('/')}/{name}/"


def find(connection: sa.Connection, base_url: str, name: str) -> Namespace:
    """Answer the namespace of this name; raises NamespaceNotFound."""
    for namespace in _load(connection, base_url, _TABLE.c.name == name):
        return namespace
    raise NamespaceNotFound(f"there is no namespace '{name}'")


def list_all(connection: sa.Connection, base_url: str) -> tuple[Namespace, ...]:
    """Answer every namespace, by name."""
    return _load(connection, base_url, sa.true())


def list_ids(connection: sa.Connection) -> tuple[int, ...]:
    """Answer the id of every namespace."""
    return tuple(connection.scalars(sa.select(_TABLE.c.id).order_by(_TABLE.c.id)))


def list_by_id(connection: sa.Connection, base_url: str, ids: Collection[int]) -> tuple[Namespace, ...]:
    """Answer the namespaces of these ids that there are, by name."""
    return _load(connection, base_url, _TABLE.c.id.in_(ids))


def list_policies(connection: sa.Connection) -> tuple[Mapping[str, RingPolicy], ...]:
    """Answer the rollover policies that namespaces have, each once."""
    texts = connection.scalars(sa.select(sa.cast(_TABLE.c.rollover, sa.Text)).distinct())
    return tuple(_policies_from_json(json.loads(text)) for text in texts)


def list_hosts(connection: sa.Connection) -> Mapping[str, str]:
    """Answer which namespace, by its name, owns which host name."""
    owned = sa.select(tables.host.c.name, _TABLE.c.name.label("namespace")).join_from(tables.host, _TABLE)
    return {row.name: row.namespace for row in connection.execute(owned)}


def save(change: Change, namespace: Namespace) -> Namespace:
    """Store name, hosts, session and rollover policies; a namespace with id 0 is new and is answered with its id.

    Raises Conflict when the name or a host is another namespace's, NamespaceNotFound.
    """
    _refuse_taken_name(change.connection, namespace)
    values = {"name": namespace.name, "session": namespace.session, "rollover": _policies_to_json(namespace.rollover)}
    if namespace.id == 0:
        values["created_at"] = change.now
        namespace = replace(namespace, id=rows.new_id(change.connection, _TABLE, values))
    elif change.connection.execute(sa.update(_TABLE).where(_TABLE.c.id == namespace.id).values(**values)).rowcount != 1:
        raise NamespaceNotFound(f"there is no namespace '{namespace.name}'")
    _save_hosts(change, namespace)
    change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)
    return namespace


def delete(change: Change, namespace: Namespace) -> None:
    """Delete the namespace and everything in it, secrets included; raises NamespaceNotFound."""
    parties = tables.relying_party  # first: they hold on to rule groups and identity providers
    change.connection.execute(sa.delete(parties).where(parties.c.namespace_id == namespace.id))
    if change.connection.execute(sa.delete(_TABLE).where(_TABLE.c.id == namespace.id)).rowcount != 1:
        raise NamespaceNotFound(f"there is no namespace '{namespace.name}'")
    change.touch(namespace, ChangeKind.NAMESPACE, namespace.name)
    change.touch(namespace, ChangeKind.HOST, "")


def _load(connection: sa.Connection, base_url: str, condition: sa.ColumnElement[bool]) -> tuple[Namespace, ...]:
    found = connection.execute(sa.select(_TABLE).where(condition).order_by(_TABLE.c.name)).all()
    if not found:
        return ()
    ids = sa.select(_TABLE.c.id).where(condition)
    hosts = _hosts(connection, ids)
    versions = _versions(connection, ids)
    shared = credentials.by_scope(
        connection, tables.credential.c.namespace_id.in_(ids), tables.credential.c.scope == NAMESPACE_SCOPE
    )
    held = ring_holds.names(connection, tables.ring_hold.c.namespace_id.in_(ids))
    authorities = trusted_cas.by_namespace(connection, tables.trusted_ca.c.namespace_id.in_(ids))
    return tuple(
        Namespace(
            id=row.id,
            name=row.name,
            issuer=issuer(base_url, row.name),
            hosts=tuple(hosts[row.id]),
            session=row.session,
            rollover=_policies_from_json(row.rollover),
            held=held.get(row.id, frozenset()),
            credentials=shared.get((row.id, NAMESPACE_SCOPE), ()),
            trusted_cas=authorities.get(row.id, ()),
            version=versions.get(row.id, 0),
        )
        for row in found
    )


def _hosts(connection: sa.Connection, namespace_ids: sa.Select[int]) -> Mapping[int, list[str]]:
    table = tables.host
    hosts: dict[int, list[str]] = defaultdict(list)
    owned = sa.select(table).where(table.c.namespace_id.in_(namespace_ids)).order_by(table.c.position)
    for row in connection.execute(owned):
        hosts[row.namespace_id].append(row.name)
    return hosts


def _versions(connection: sa.Connection, namespace_ids: sa.Select[int]) -> Mapping[int, int]:
    """The newest change of each namespace itself; what changes inside one leaves its snapshot alone."""
    table = tables.change
    newest = sa.select(table.c.namespace_id, sa.func.max(table.c.sequence).label("sequence"))
    own = newest.where(table.c.namespace_id.in_(namespace_ids), table.c.kind == ChangeKind.NAMESPACE)
    return {row.namespace_id: row.sequence for row in connection.execute(own.group_by(table.c.namespace_id))}


def _refuse_taken_name(connection: sa.Connection, namespace: Namespace) -> None:
    if connection.scalar(sa.select(_TABLE.c.id).where(_TABLE.c.name == namespace.name, _TABLE.c.id != namespace.id)):
        raise Conflict(f"there is a namespace '{namespace.name}' already")


def _save_hosts(change: Change, namespace: Namespace) -> None:
    table = tables.host
    before = change.connection.scalars(
        sa.select(table.c.name).where(table.c.namespace_id == namespace.id).order_by(table.c.position)
    ).all()
    if tuple(before) == namespace.hosts:
        return
    taken = sa.select(table.c.name).where(table.c.name.in_(namespace.hosts), table.c.namespace_id != namespace.id)
    for name in change.connection.scalars(taken.order_by(table.c.name)):
        raise Conflict(f"the host {name} belongs to another namespace")
    change.connection.execute(sa.delete(table).where(table.c.namespace_id == namespace.id))
    owned = [{"name": name, "namespace_id": namespace.id} for name in namespace.hosts]
    rows.insert_in_order(change.connection, table, owned)
    change.touch(namespace, ChangeKind.HOST, "")


def _policies_to_json(policies: Mapping[str, RingPolicy]) -> dict[str, dict[str, Any]]:
    return {
        ring: {
            "automatic": policy.automatic,
            **{span: getattr(policy, span) // timedelta(seconds=1) for span in _SPANS},
            "key_type": policy.key_type,
        }
        for ring, policy in policies.items()
    }


def _policies_from_json(policies: Mapping[str, Mapping[str, Any]]) -> dict[str, RingPolicy]:
    return {
        ring: RingPolicy(
            automatic=policy["automatic"],
            **{span: timedelta(seconds=policy[span]) for span in _SPANS},
            key_type=KeyType(policy["key_type"]) if policy["key_type"] else None,
        )
        for ring, policy in policies.items()
    }
