"""Rule groups."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import Conflict
from sts.core.model import ClaimPattern, Namespace, Rule, RuleGroup
from sts.store import rows, tables
from sts.store.changes import Change, ChangeKind
from sts.store.tables import rule_group as _TABLE

_KEPT: Final = 1_024  # rule groups whose parsed rules are shared by all who use them


def find(connection: sa.Connection, namespace: Namespace, name: str) -> RuleGroup:
    """Answer the rule group of this name; raises NotFound."""
    for group in _load(connection, namespace, _TABLE.c.name == name):
        return group
    raise rows.missing(_TABLE, namespace, name)


def list_all(connection: sa.Connection, namespace: Namespace) -> tuple[RuleGroup, ...]:
    """Answer the rule groups of the namespace, by name."""
    return _load(connection, namespace, sa.true())


def save(change: Change, namespace: Namespace, group: RuleGroup) -> RuleGroup:
    """Store the rule group; one with id 0 is new and is answered with its id; raises Conflict, NotFound."""
    if group.id:
        change.touch(namespace, ChangeKind.RULE_GROUP, rows.stored(change.connection, _TABLE, namespace, group, "name"))
    values = {"rules": json.dumps([_members(rule) for rule in group.rules])}
    group = replace(group, id=rows.store(change.connection, _TABLE, namespace, group, values))
    change.touch(namespace, ChangeKind.RULE_GROUP, group.name)
    return group


def delete(change: Change, namespace: Namespace, group: RuleGroup) -> None:
    """Delete the rule group; raises Conflict while a relying party uses it, NotFound."""
    link, user = tables.relying_party_rule_group, tables.relying_party
    users = sa.select(user.c.name).join_from(user, link).where(link.c.rule_group_id == group.id).order_by(user.c.name)
    for name in change.connection.scalars(users.limit(1)):
        raise Conflict(f"the rule group '{group.name}' is used by the relying party '{name}'")
    rows.remove(change.connection, _TABLE, namespace, group)
    change.touch(namespace, ChangeKind.RULE_GROUP, group.name)


@lru_cache(maxsize=_KEPT)
def parse_rules(text: str) -> tuple[Rule, ...]:
    """Answer the rules of a row."""
    return tuple(_rule(value) for value in json.loads(text))


def _load(connection: sa.Connection, namespace: Namespace, condition: sa.ColumnElement[bool]) -> tuple[RuleGroup, ...]:
    groups = sa.select(_TABLE).where(_TABLE.c.namespace_id == namespace.id, condition).order_by(_TABLE.c.name)
    return tuple(RuleGroup(row.id, row.name, parse_rules(row.rules)) for row in connection.execute(groups))


def _members(rule: Rule) -> dict[str, Any]:
    condition = rule.condition._asdict() if rule.condition is not None else None
    return rule._asdict() | {"input": rule.input._asdict(), "condition": condition}


def _rule(value: Mapping[str, Any]) -> Rule:
    condition = value["condition"] and ClaimPattern(**value["condition"])
    return Rule(ClaimPattern(**value["input"]), condition, value["output_type"], value["output_value"])
