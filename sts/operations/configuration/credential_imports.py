"""Credentials that a configuration file brings: created once, in the transaction of the file."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sts.core.credentials import promote
from sts.core.model import NAMESPACE_SCOPE, Credential, relying_party_scope
from sts.operations.configuration.model import CredentialImport, Known
from sts.operations.configuration.steps import Action, AppliedChange, Step, Transaction
from sts.operations.credentials import Ring, store
from sts.store import credentials as table
from sts.store import relying_parties


def plan_imports(relying_party: str | None, imports: Sequence[CredentialImport], known: Known) -> list[Step]:
    """The steps that create what was never created before; None: the namespace's own."""
    owner = "" if relying_party is None else f" of relying party {relying_party}"
    steps = []
    for credential in imports:
        if known.holds(relying_party, credential):
            continue
        details = {"primary": "yes"} if credential.is_primary else {}
        change = AppliedChange(Action.CREATE, f"{credential.use} {credential.kind}", _name(credential) + owner, details)
        steps.append(Step(change, partial(_import, relying_party, credential, known), is_audited=True))
    return steps


def _name(credential: CredentialImport) -> str:
    certificate = credential.material.certificate
    if certificate is None:
        return f"key {credential.thumbprint_sha256[:16]}"
    return f"{certificate.subject} ({certificate.thumbprint})"


def _import(relying_party: str | None, credential: CredentialImport, known: Known, transaction: Transaction) -> None:
    namespace, connection = transaction.namespace, transaction.change.connection
    scope = NAMESPACE_SCOPE
    if relying_party is not None:
        scope = relying_party_scope(relying_parties.find(connection, namespace, relying_party).id)
    transaction.warnings.extend(
        f"the {credential.use} {credential.kind} {_name(credential)} is already held by namespace {holder}"
        for holder in table.holders(connection, credential.thumbprint_sha256)
    )
    ring = Ring(namespace, credential.use, credential.kind, scope)
    stored = store(transaction.change, transaction.key_ring, ring, credential.material)
    if credential.is_primary:
        _make_primary(transaction, ring, stored, is_first=_was_empty(relying_party, credential, known))


def _was_empty(relying_party: str | None, credential: CredentialImport, known: Known) -> bool:
    held = known.credentials(relying_party)
    return not any(c.use is credential.use and c.kind is credential.kind for c in held)


def _make_primary(transaction: Transaction, ring: Ring, stored: Credential, *, is_first: bool) -> None:
    """The first of a ring that nobody has read yet is primary at once; another one when every node has it."""
    namespace, change = transaction.namespace, transaction.change
    now = change.now.replace(microsecond=0)
    members = [
        c
        for c in table.list_scope(change.connection, namespace, ring.scope)
        if c.use is ring.use and c.kind is ring.kind and (c.id != stored.id)
    ]
    if is_first:
        rivals = [replace(c, demoted_at=now) for c in members if c.primary_from is not None and c.deleted_at is None]
        changed = (*rivals, replace(stored, primary_from=now))
    else:
        promotion = promote((*members, stored), stored, now)
        changed = promotion.changed
        transaction.warnings.extend(promotion.warnings)
    for credential in changed:
        table.save(change, namespace, credential)
    primary_from = next(c.primary_from for c in changed if c.id == stored.id)
    details = {"scope": ring.scope, "use": ring.use, "thumbprint": stored.thumbprint, "primary_from": str(primary_from)}
    change.audit(namespace.name, f"{ring.kind}.make-primary", f"credential:{stored.id}", details)
