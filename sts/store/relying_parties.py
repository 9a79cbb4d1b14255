"""Relying parties, with all that issuing for them needs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from sts.core.model import (
    NAMESPACE_SCOPE,
    ContentEncryption,
    Credential,
    Kind,
    Namespace,
    RelyingParty,
    Rule,
    TokenFormat,
    relying_party_scope,
)
from sts.store import (
    credentials,
    metadata_refreshes,
    metadata_sources,
    partner_certificates,
    rows,
    rule_groups,
    tables,
)
from sts.store.changes import Change, ChangeKind
from sts.store.tables import relying_party as _TABLE

MOST_NESTED_REALMS: Final = 256

_PLAIN: Final = (
    *("realm", "token_lifetime", "error_url", "jwt_type"),
    *("encryption_required", "proof_of_possession", "managed", "enabled"),
)
_LAST_CHARACTER: Final = "\U0010ffff"  # no character, so in no realm
_LINKS: Final[tuple[tuple[str, sa.Table, sa.Table], ...]] = (
    ("rule_groups", tables.rule_group, tables.relying_party_rule_group),
    ("identity_providers", tables.identity_provider, tables.relying_party_identity_provider),
)


def find(connection: sa.Connection, namespace: Namespace, name: str) -> RelyingParty:
    """Answer the relying party of this name; raises NotFound."""
    for relying_party in _load(connection, namespace, _TABLE.c.name == name):
        return relying_party
    raise rows.missing(_TABLE, namespace, name)


def find_first(connection: sa.Connection, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
    """Answer the relying party of the first of these realms that is registered, with its nested realms."""
    among = (_TABLE.c.namespace_id == namespace.id, _TABLE.c.realm.in_(realms))
    registered = {row.realm: row.id for row in connection.execute(sa.select(_TABLE.c.realm, _TABLE.c.id).where(*among))}
    for realm in realms:
        if realm in registered:
            (relying_party,) = _load(connection, namespace, _TABLE.c.id == registered[realm])
            return replace(relying_party, nested_realms=_nested_realms(connection, namespace, realm))
    return None


def list_all(connection: sa.Connection, namespace: Namespace) -> tuple[RelyingParty, ...]:
    """Answer the relying parties of the namespace, by name; their nested realms are left open."""
    return _load(connection, namespace, sa.true())


def save(change: Change, namespace: Namespace, relying_party: RelyingParty) -> RelyingParty:
    """Store the relying party's own settings; one with id 0 is new and is answered with its id.

    Its rules, credentials and nested realms have their own places. Raises Conflict when name or realm is another's,
    NotFound when it, a rule group or an identity provider is not there.
    """
    connection, realm = change.connection, relying_party.realm
    rows.refuse_taken(connection, _TABLE, namespace, relying_party, "realm", realm)
    former = rows.stored(connection, _TABLE, namespace, relying_party, "realm") if relying_party.id else None
    stored_id = rows.store(connection, _TABLE, namespace, relying_party, _values(relying_party))
    relying_party = replace(relying_party, id=stored_id)
    if former is not None:
        _forget_links(connection, stored_id)
    for field, things, link in _LINKS:
        _link(connection, namespace, relying_party, things, link, getattr(relying_party, field))
    certificate = relying_party.encryption_certificate
    if certificate is not None or former is not None:
        partner_certificates.save(connection, _TABLE, stored_id, (certificate,) if certificate else ())
    if relying_party.metadata is not None or former is not None:
        metadata_refreshes.follow(change, _TABLE, stored_id, relying_party.metadata)
    change.touch(namespace, ChangeKind.RELYING_PARTY, str(stored_id))
    if former != realm:
        change.touch(namespace, ChangeKind.REALM, realm)
        change.touch(namespace, ChangeKind.REALM, former or realm)
    return relying_party


def delete(change: Change, namespace: Namespace, relying_party: RelyingParty) -> None:
    """Delete the relying party and destroy its dedicated credentials; raises NotFound."""
    realm = rows.stored(change.connection, _TABLE, namespace, relying_party, "realm")
    for credential in credentials.list_scope(change.connection, namespace, relying_party_scope(relying_party.id)):
        if credential.deleted_at is None:
            credentials.delete(change, namespace, credential)
    rows.remove(change.connection, _TABLE, namespace, relying_party)
    change.touch(namespace, ChangeKind.RELYING_PARTY, str(relying_party.id))
    change.touch(namespace, ChangeKind.REALM, realm)


def _values(relying_party: RelyingParty) -> dict[str, object]:
    return {name: getattr(relying_party, name) for name in _PLAIN} | {
        "token_format": relying_party.token_format,
        "signing": relying_party.signing,
        "reply": list(relying_party.reply),
        "encryption_algorithm": relying_party.encryption_algorithm,
        "metadata_source": metadata_sources.written(relying_party.metadata),
    }


def _forget_links(connection: sa.Connection, relying_party_id: int) -> None:
    for _, _, link in _LINKS:
        connection.execute(sa.delete(link).where(link.c.relying_party_id == relying_party_id))


def _link(
    connection: sa.Connection,
    namespace: Namespace,
    relying_party: RelyingParty,
    things: sa.Table,
    link: sa.Table,
    names: Sequence[str],
) -> None:
    """Link the relying party with these things, in this order."""
    if not names:
        return
    named = (things.c.namespace_id == namespace.id, things.c.name.in_(names))
    ids = {row.name: row.id for row in connection.execute(sa.select(things.c.id, things.c.name).where(*named))}
    for name in names:
        if name not in ids:
            raise rows.missing(things, namespace, name)
    unique = dict.fromkeys(ids[name] for name in names)
    linked = [{"relying_party_id": relying_party.id, f"{things.name}_id": thing_id} for thing_id in unique]
    rows.insert_in_order(connection, link, linked)


def _load(
    connection: sa.Connection, namespace: Namespace, condition: sa.ColumnElement[bool]
) -> tuple[RelyingParty, ...]:
    wanted = sa.and_(_TABLE.c.namespace_id == namespace.id, condition)
    found = connection.execute(sa.select(_TABLE).where(wanted).order_by(_TABLE.c.name)).all()
    if not found:
        return ()
    certificates = partner_certificates.by_owner(connection, _TABLE, wanted)
    linked = {field: _linked(connection, wanted, things, link) for field, things, link in _LINKS}
    rules = _rules(connection, wanted) if linked["rule_groups"] else {}
    dedicated = _dedicated(connection, namespace, found)
    return tuple(
        RelyingParty(
            id=row.id,
            name=row.name,
            **_settings(row),
            encryption_certificate=next(iter(certificates.get(row.id, ())), None),
            identity_providers=linked["identity_providers"].get(row.id, ()),
            rule_groups=(groups := linked["rule_groups"].get(row.id, ())),
            rules=_concatenated([rules[name] for name in groups]),
            credentials=dedicated.get((namespace.id, relying_party_scope(row.id)), ()),
            nested_realms=None,
        )
        for row in found
    )


def _settings(row: sa.Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _PLAIN} | {
        "token_format": TokenFormat(row.token_format),
        "signing": Kind(row.signing),
        "reply": tuple(row.reply),
        "encryption_algorithm": ContentEncryption(row.encryption_algorithm),
        "metadata": metadata_sources.read(row.metadata_source),
    }


def _linked(
    connection: sa.Connection, wanted: sa.ColumnElement[bool], things: sa.Table, link: sa.Table
) -> Mapping[int, tuple[str, ...]]:
    names: dict[int, list[str]] = defaultdict(list)
    joined = sa.select(link.c.relying_party_id, things.c.name).join_from(link, things).join(_TABLE, _of_link(link))
    for row in connection.execute(joined.where(wanted).order_by(link.c.position)):
        names[row.relying_party_id].append(row.name)
    return {relying_party_id: tuple(found) for relying_party_id, found in names.items()}


def _rules(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> Mapping[str, tuple[Rule, ...]]:
    """The rules of the groups in use, by the group's name; each group is read once, however many use it."""
    group, link = tables.rule_group, tables.relying_party_rule_group
    used = sa.select(link.c.rule_group_id).join(_TABLE, _of_link(link)).where(wanted)
    groups = sa.select(group.c.name, group.c.rules).where(group.c.id.in_(used))
    return {row.name: rule_groups.parse_rules(row.rules) for row in connection.execute(groups)}


def _of_link(link: sa.Table) -> sa.ColumnElement[bool]:
    return link.c.relying_party_id == _TABLE.c.id


def _concatenated(rules: Sequence[tuple[Rule, ...]]) -> tuple[Rule, ...]:
    """All rules in order; those of a single group stay the one tuple that its other users hold too."""
    return rules[0] if len(rules) == 1 else tuple(rule for group in rules for rule in group)


def _dedicated(
    connection: sa.Connection, namespace: Namespace, found: Sequence[sa.Row[Any]]
) -> Mapping[tuple[int, str], tuple[Credential, ...]]:
    scope = tables.credential.c.scope
    one = scope == relying_party_scope(found[0].id)
    return credentials.by_scope(
        connection,
        tables.credential.c.namespace_id == namespace.id,
        one if len(found) == 1 else scope != NAMESPACE_SCOPE,
    )


def _nested_realms(connection: sa.Connection, namespace: Namespace, realm: str) -> frozenset[str] | None:
    """The registered realms that begin with this one and are longer; None when they are too many to hold."""
    column = _TABLE.c.realm
    below = (_TABLE.c.namespace_id == namespace.id, column > realm, column < realm + _LAST_CHARACTER)
    nested = connection.scalars(sa.select(column).where(*below).limit(MOST_NESTED_REALMS + 1)).all()
    return frozenset(nested) if len(nested) <= MOST_NESTED_REALMS else None
