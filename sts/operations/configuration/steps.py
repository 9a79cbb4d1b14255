"""One step of applying a configuration: what it is called, and how it is done in the transaction."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sts.core.model import Namespace
from sts.operations.configuration.forms import Form
from sts.store.changes import Change
from sts.store.keyring import SealedKeyRing

_LONGEST: Final = 80  # characters of a value in a message


class Action(StrEnum):
    """What happens to a thing."""

    CREATE = "created"
    CHANGE = "changed"
    DELETE = "deleted"


@dataclass(frozen=True, slots=True)
class AppliedChange:
    """One thing that came, changed or went; never holds a secret."""

    action: Action
    noun: str  # "relying party"
    name: str
    details: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        details = ", ".join(f"{key} {value}" for key, value in self.details.items())
        return f"{self.action} {self.noun} {self.name}" + (f": {details}" if details else "")


@dataclass(frozen=True, slots=True)
class Transaction:
    """What steps work in."""

    change: Change
    key_ring: SealedKeyRing
    namespace: Namespace
    warnings: list[str] = field(default_factory=list)

    def audit(self, change: AppliedChange) -> None:
        """Record a change of configuration; credentials have records of their own."""
        noun = change.noun.replace(" ", "-")
        action = f"{noun}.{change.action.name.lower()}"
        self.change.audit(self.namespace.name, action, f"{noun}:{change.name}", dict(change.details))


Work = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One change and the work that makes it."""

    change: AppliedChange
    work: Work = field(repr=False)
    is_audited: bool = False  # by its work

    def carry_out(self, transaction: Transaction) -> None:
        """Do the work and record it."""
        self.work(transaction)
        if not self.is_audited:
            transaction.audit(self.change)


def differences(old: Form, new: Form) -> dict[str, str]:
    """What differs between two forms of a thing, by key, as text."""
    return {key: f"{_shown(old.get(key))} -> {_shown(value)}" for key, value in new.items() if old.get(key) != value}


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
