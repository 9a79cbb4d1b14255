"""What applying a configuration would change: decides, and does nothing but compare and hash passwords."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

from sts.core.errors import AuthenticationFailed
from sts.core.model import IdentityProvider, Namespace, RelyingParty, RuleGroup, ServiceIdentity
from sts.crypto.passwords import hash_password, verify_password
from sts.operations.configuration.credential_imports import plan_imports
from sts.operations.configuration.forms import (
    Form,
    WriteCertificate,
    certificate_name,
    certificate_text,
    identity_provider_form,
    namespace_form,
    relying_party_form,
    rule_group_form,
    service_identity_form,
)
from sts.operations.configuration.model import (
    Configuration,
    Known,
    RelyingPartyEntry,
    ServiceIdentityEntry,
    Surroundings,
)
from sts.operations.configuration.steps import Action, AppliedChange, Step, Transaction, differences
from sts.store import identity_providers, namespaces, relying_parties, rule_groups, service_identities
from sts.store.changes import Change

T = TypeVar("T", RelyingParty, IdentityProvider, ServiceIdentity, RuleGroup)


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """One kind of thing: how it is called, written, stored and deleted."""

    noun: str
    form: Callable[[T, WriteCertificate], Form]
    save: Callable[[Change, Namespace, T], T]
    delete: Callable[[Change, Namespace, T], None]


PARTIES: Final = Section("relying party", relying_party_form, relying_parties.save, relying_parties.delete)
PROVIDERS: Final = Section(
    "identity provider", identity_provider_form, identity_providers.save, identity_providers.delete
)
GROUPS: Final = Section("rule group", lambda group, _: rule_group_form(group), rule_groups.save, rule_groups.delete)
IDENTITIES: Final = Section(
    "service identity", service_identity_form, service_identities.save, service_identities.delete
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The namespace as it will be, the steps that make it so, and what the file leaves out but keeps."""

    namespace: Namespace
    namespace_change: AppliedChange | None
    steps: tuple[Step, ...]
    left_out: tuple[AppliedChange, ...]

    @property
    def changes(self) -> tuple[AppliedChange, ...]:
        """Everything that comes, changes or goes."""
        first = () if self.namespace_change is None else (self.namespace_change,)
        return (*first, *(step.change for step in self.steps))


def plan(configuration: Configuration, known: Known, surroundings: Surroundings) -> Plan:
    """Compare a configuration with what is known."""
    name = configuration.namespace
    blank = Namespace(0, name, namespaces.issuer(surroundings.base_url, name))
    namespace = _desired(configuration, known.namespace or blank)
    first, last = _deletions(configuration, known)
    steps = (
        *_steps(PROVIDERS, configuration.identity_providers or (), known.identity_providers),
        *_steps(GROUPS, configuration.rule_groups or (), known.rule_groups),
        *_identity_steps(configuration.service_identities or (), known, surroundings.fingerprint),
        *_party_steps(configuration.relying_parties or (), known),
        *plan_imports(None, configuration.credentials, known),
    )
    change = _namespace_change(known.namespace, namespace)
    if surroundings.prunes:
        return Plan(namespace, change, (*first, *steps, *last), ())
    return Plan(namespace, change, steps, tuple(step.change for step in (*first, *last)))


def _desired(configuration: Configuration, present: Namespace) -> Namespace:
    return replace(
        present,
        hosts=present.hosts if configuration.hosts is None else configuration.hosts,
        session=present.session if configuration.session is None else configuration.session,
        rollover={**present.rollover, **(configuration.rollover or {})},
    )


def _namespace_change(present: Namespace | None, desired: Namespace) -> AppliedChange | None:
    if present is None:
        made = {"with": "a signing certificate, a decryption certificate, a symmetric key and a tenant CA"}
        return AppliedChange(Action.CREATE, "namespace", desired.name, made)
    details = differences(namespace_form(present), namespace_form(desired))
    return AppliedChange(Action.CHANGE, "namespace", desired.name, details) if details else None


def _steps(section: Section[T], things: Iterable[T], held: Mapping[str, T]) -> list[Step]:
    found = []
    for thing in things:
        former = held.get(thing.name)
        change = _change(section, thing, former, {})
        if change is not None:
            found.append(Step(change, partial(_save, section, thing if former is None else _with_id(thing, former.id))))
    return found


def _change(section: Section[T], thing: T, former: T | None, secrets: Mapping[str, str]) -> AppliedChange | None:
    if former is None:
        return AppliedChange(Action.CREATE, section.noun, thing.name)
    exact = differences(section.form(former, certificate_text), section.form(thing, certificate_text))
    shown = differences(section.form(former, certificate_name), section.form(thing, certificate_name))
    details = {key: shown.get(key, "changed") for key in exact} | dict(secrets)
    return AppliedChange(Action.CHANGE, section.noun, thing.name, details) if details else None


def _with_id(thing: T, thing_id: int) -> T:
    return replace(thing, id=thing_id)


def _save(section: Section[T], thing: T, transaction: Transaction) -> None:
    section.save(transaction.change, transaction.namespace, thing)


def _party_steps(entries: tuple[RelyingPartyEntry, ...], known: Known) -> list[Step]:
    found = []
    order = {entry.party.name: position for position, entry in enumerate(entries)}
    holders = {party.realm: party for party in known.relying_parties.values()}
    for position, entry in enumerate(entries):
        party, former = entry.party, known.relying_parties.get(entry.party.name)
        change = _change(PARTIES, party, former, {})
        if change is not None:
            holder = holders.get(party.realm)
            parked = holder if holder is not None and order.get(holder.name, -1) > position else None
            stored = party if former is None else replace(party, id=former.id)
            found.append(Step(change, partial(_save_party, stored, parked)))
        found += plan_imports(party.name, entry.credentials, known)
    return found


def _save_party(party: RelyingParty, parked: RelyingParty | None, transaction: Transaction) -> None:
    """Store a relying party; whoever still has its realm gets its own new one in a later step."""
    if parked is not None:
        parking = replace(parked, realm=f"urn:parked:{parked.id}")
        relying_parties.save(transaction.change, transaction.namespace, parking)
    relying_parties.save(transaction.change, transaction.namespace, party)


def _identity_steps(
    entries: Iterable[ServiceIdentityEntry], known: Known, fingerprint: Callable[[bytes], str]
) -> list[Step]:
    found = []
    for entry in entries:
        name = entry.identity.name
        former = known.service_identities.get(name)
        stored_hash = former.password_hash if former is not None else None
        password_hash = stored_hash if entry.password is None else _hash(entry.password, stored_hash)
        key_name = fingerprint(entry.symmetric_key) if entry.symmetric_key is not None else None
        has_new_key = key_name is not None and key_name != known.key_fingerprints.get(name)
        secrets = {"password": "set"} if password_hash != stored_hash else {}
        secrets |= {"symmetric_key": "set"} if has_new_key else {}
        kept = _to_be_kept(entry, former, password_hash)
        secrets |= {"password": "set"} if kept is not None else {}
        change = _change(IDENTITIES, entry.identity, former, secrets)
        if change is None:
            continue
        identity = replace(
            entry.identity,
            id=former.id if former is not None else 0,
            password_hash=password_hash,
            has_symmetric_key=former is not None and former.has_symmetric_key,
        )
        key = entry.symmetric_key if has_new_key else None
        found.append(Step(change, partial(_save_identity, identity, _Secrets(key, kept))))
    return found


class _Secrets(NamedTuple):
    """The secrets of a service identity that are stored under seal; None leaves what is stored alone."""

    key: bytes | None
    password: bytes | None

    def __repr__(self) -> str:
        """What is no secret."""
        return "_Secrets()"


def _to_be_kept(entry: ServiceIdentityEntry, former: ServiceIdentity | None, password_hash: str | None) -> bytes | None:
    """The password of an entry that is to be recoverable and is not kept so yet."""
    if not entry.identity.recoverable_password:
        return None
    is_kept = former is not None and former.has_recoverable_password and former.password_hash == password_hash
    return None if is_kept else entry.password


def _hash(password: bytes, stored: str | None) -> str:
    """The stored hash while it fits the password, otherwise a new one."""
    if stored is not None:
        try:
            verify_password(stored, password)
        except AuthenticationFailed:
            return hash_password(password)
        return stored
    return hash_password(password)


def _save_identity(identity: ServiceIdentity, secrets: _Secrets, transaction: Transaction) -> None:
    change, namespace, key_ring = transaction.change, transaction.namespace, transaction.key_ring
    stored = service_identities.save(change, namespace, identity)
    key, password = secrets
    if password is not None:
        sealed = key_ring.seal_password(namespace, stored.id, password)
        stored = service_identities.set_recoverable_password(change, namespace, stored, lambda _: sealed)
    if key is not None:
        service_identities.set_symmetric_key(
            change,
            namespace,
            stored,
            key_ring.fingerprint(key),
            lambda identity_id: key_ring.seal_shared_key(namespace, identity_id, key),
        )


def _deletions(configuration: Configuration, known: Known) -> tuple[list[Step], list[Step]]:
    """What the present sections leave out: relying parties go first, what they use last."""
    parties = [entry.party for entry in configuration.relying_parties or ()]
    identities = [entry.identity for entry in configuration.service_identities or ()]
    first = _left_out(PARTIES, None if configuration.relying_parties is None else parties, known.relying_parties)
    last = [
        *_left_out(PROVIDERS, configuration.identity_providers, known.identity_providers),
        *_left_out(GROUPS, configuration.rule_groups, known.rule_groups),
        *_left_out(
            IDENTITIES, None if configuration.service_identities is None else identities, known.service_identities
        ),
    ]
    return first, last


def _left_out(section: Section[T], things: Iterable[T] | None, held: Mapping[str, T]) -> list[Step]:
    if things is None:
        return []
    named = {thing.name for thing in things}
    gone = [thing for name, thing in held.items() if name not in named]
    return [
        Step(AppliedChange(Action.DELETE, section.noun, thing.name), partial(_delete, section, thing)) for thing in gone
    ]


def _delete(section: Section[T], thing: T, transaction: Transaction) -> None:
    section.delete(transaction.change, transaction.namespace, thing)
