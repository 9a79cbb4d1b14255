"""Holds one document against one partner, in a transaction, and stores what it changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Generic

from sts.core.errors import Conflict, InvalidMetadata
from sts.core.model import (
    IdentityProvider,
    MetadataSource,
    Namespace,
    PartnerCertificate,
    PartnerRole,
    RelyingParty,
)
from sts.core.vouchers import confusion
from sts.operations.configuration.addresses import check_realm
from sts.operations.configuration.forms import (
    Form,
    WriteCertificate,
    certificate_name,
    identity_provider_form,
    relying_party_form,
)
from sts.operations.configuration.steps import Action, differences
from sts.operations.installation import Installation
from sts.operations.metadata_judging import Consent, Policy, awaited, vouching, waiting
from sts.operations.metadata_merge import Merged, T, merge_party, merge_provider
from sts.protocols.partner_metadata import PartnerMetadata, Wanted, read
from sts.store import identity_providers, relying_parties
from sts.store.changes import Change
from sts.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Desk:
    """Where documents are held against the partners of a namespace."""

    installation: Installation
    change: Change
    namespace: Namespace
    consent: Consent = Consent.NONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a partner."""

    namespace: str
    role: PartnerRole
    name: str
    is_new: bool
    changes: Mapping[str, str] = field(default_factory=dict)  # by key, shortened
    trusted: tuple[str, ...] = ()  # certificates that are trusted or encrypted to from now on
    dropped: tuple[str, ...] = ()  # and those that are not any more
    waiting: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()  # what waited before, and does not any more
    warnings: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # claim types that pass through from now on
    document: PartnerMetadata | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Side(Generic[T]):
    """One role of partners: how they are merged, written, stored and told apart."""

    role: PartnerRole
    merge: Callable[[T, MetadataSource, PartnerMetadata, Policy], Merged[T]]
    form: Callable[[T, WriteCertificate], Form]
    save: Callable[[Change, Namespace, T], T]
    list_all: Callable[[Connection, Namespace], tuple[T, ...]]
    identifier: Callable[[T], str]  # which no other partner of the role may have
    wanted: Callable[[T, Wanted], Wanted]  # whose signature under its document counts

    def list(self, desk: Desk) -> tuple[T, ...]:
        """The partners of this role in the namespace."""
        return self.list_all(desk.change.connection, desk.namespace)

    def named(self, desk: Desk, name: str) -> T | None:
        """The partner of this name."""
        return next((each for each in self.list(desk) if each.name == name), None)


def _of_provider(provider: IdentityProvider, wanted: Wanted) -> Wanted:
    trusted = vouching(provider.certificates, provider.metadata)
    return replace(wanted, trusted=trusted, allow_sha1=provider.allow_sha1)


def _of_party(party: RelyingParty, wanted: Wanted) -> Wanted:
    signers = () if party.metadata is None else party.metadata.signers
    return replace(wanted, trusted=vouching(signers, party.metadata))


PROVIDERS: Final = Side(
    role=PartnerRole.IDENTITY_PROVIDER,
    merge=merge_provider,
    form=identity_provider_form,
    save=identity_providers.save,
    list_all=identity_providers.list_all,
    identifier=lambda provider: provider.issuer or "",
    wanted=_of_provider,
)
PARTIES: Final = Side(
    role=PartnerRole.RELYING_PARTY,
    merge=merge_party,
    form=relying_party_form,
    save=relying_parties.save,
    list_all=relying_parties.list_all,
    identifier=lambda party: party.realm,
    wanted=_of_party,
)


def settle(desk: Desk, side: Side[T], stored: T, wanted: tuple[MetadataSource, bytes]) -> Outcome:
    """Store what a document changes of a partner, which has id 0 where it is new; `wanted` is its source and it.

    Raises InvalidMetadata for a document that must not be believed, or not without a person, and Conflict.
    """
    source, document = wanted
    now = desk.change.now
    base = Wanted(desk.installation.base_url, now, source.entity_id or None)
    found = read(document, side.wanted(stored, base))
    merged = side.merge(stored, source, found, Policy(now, desk.installation.roots, desk.consent))
    partner = merged.partner
    _check_identifier(desk, side, partner)
    former, present = _pinned(stored), _pinned(partner)
    outcome = Outcome(
        namespace=desk.namespace.name,
        role=side.role,
        name=partner.name,
        is_new=not stored.id,
        changes=differences(side.form(stored, certificate_name), side.form(partner, certificate_name)),
        trusted=tuple(certificate_name(each) for each in present if each not in former),
        dropped=tuple(certificate_name(each) for each in former if each not in present),
        waiting=() if partner.metadata is None else waiting(partner.metadata),
        settled=tuple(what for what in awaited(stored.metadata) if what not in awaited(partner.metadata)),
        warnings=merged.warnings,
        document=found,
    )
    if outcome.is_new or outcome.changes:
        side.save(desk.change, desk.namespace, partner)
        _audit(desk, outcome)
    return outcome


def _audit(desk: Desk, outcome: Outcome) -> None:
    noun, action = outcome.role.replace(" ", "-"), Action.CREATE if outcome.is_new else Action.CHANGE
    pinned = {"trusted": list(outcome.trusted), "dropped": list(outcome.dropped)}
    details = {**outcome.changes, **{key: value for key, value in pinned.items() if value}}
    desk.change.audit(desk.namespace.name, f"{noun}.{action.name.lower()}", f"{noun}:{outcome.name}", details)


def _pinned(partner: IdentityProvider | RelyingParty) -> tuple[PartnerCertificate, ...]:
    if isinstance(partner, IdentityProvider):
        return partner.certificates
    return () if partner.encryption_certificate is None else (partner.encryption_certificate,)


def _check_identifier(desk: Desk, side: Side[T], partner: T) -> None:
    identifier = side.identifier(partner)
    if isinstance(partner, RelyingParty):
        try:
            check_realm(identifier)
        except ValueError as error:
            raise InvalidMetadata(str(error)) from error
    for other in side.list(desk):
        if other.name != partner.name and side.identifier(other) == identifier:
            raise Conflict(f"'{identifier}' is the {side.role} '{other.name}' already")
    if isinstance(partner, IdentityProvider):
        known = identity_providers.list_all(desk.change.connection, desk.namespace)
        sentence = confusion(partner, desk.namespace.issuer, known)
        if sentence is not None:
            raise Conflict(f"{sentence}; nothing is changed")
