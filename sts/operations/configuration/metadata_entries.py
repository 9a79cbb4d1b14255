"""The `metadata:` of partners in a configuration file: their own documents, and what is written beside them.

Whatever is written in the file stands; the rest is what the document says (`operations.metadata_merge`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sts.core.errors import InvalidMetadata, PartnerUnreachable
from sts.core.model import IdentityProvider, MetadataSource, RelyingParty
from sts.operations.configuration.addresses import check_realm
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.model import RelyingPartyEntry
from sts.operations.configuration.sources import Sources
from sts.operations.metadata_judging import Consent, Policy, vouching, waiting
from sts.operations.metadata_merge import PARTY_KEYS, PROVIDER_KEYS, Merged, T, merge_party, merge_provider, new_source
from sts.protocols.partner_metadata import PartnerMetadata, Wanted, read

_KEY: Final = "metadata"
_SENSITIVE: Final = frozenset({"certificates", "realm", "reply", "encryption_certificate"})


def described_provider(entry: Entry, written: IdentityProvider, sources: Sources) -> IdentityProvider:
    """What the file says of an identity provider, and for the rest its document; faults go to the entry."""
    former = sources.known.identity_providers.get(written.name)
    source = _source(entry, PROVIDER_KEYS, former)
    base = written if former is None else _on_top(former, written, source, PROVIDER_KEYS)
    known = vouching(base.certificates, base.metadata)
    wanted = Wanted(
        sources.surroundings.base_url,
        sources.surroundings.now,
        written.issuer or source.entity_id or None,
        known,
        written.allow_sha1,
    )
    document = _document(entry, sources, wanted, base.metadata)
    if document is None:
        return replace(base, metadata=source if base.metadata is None else _kept(base.metadata, source))
    try:
        provider = _told(entry, merge_provider(base, source, document, _policy(sources, base.metadata, source)))
        return replace(provider, enabled=provider.enabled and written.enabled)
    except InvalidMetadata as error:
        entry.fault(_KEY, error.message)
        return base


def described_party(entry: Entry, written: RelyingParty, sources: Sources) -> RelyingParty:
    """What the file says of a relying party, and for the rest its document; faults go to the entry."""
    former = sources.known.relying_parties.get(written.name)
    source = _source(entry, PARTY_KEYS, former)
    base = written if former is None else _on_top(former, written, source, PARTY_KEYS)
    wanted = Wanted(
        sources.surroundings.base_url,
        sources.surroundings.now,
        source.entity_id or None,
        vouching(source.signers, source),
    )
    document = _document(entry, sources, wanted, base.metadata)
    if document is None:
        return replace(base, metadata=source if base.metadata is None else _kept(base.metadata, source))
    try:
        party = _told(entry, merge_party(base, source, document, _policy(sources, base.metadata, source)))
        check_realm(party.realm)
    except (InvalidMetadata, ValueError) as error:
        entry.fault(_KEY, str(error))
        return base
    return party


def check_documented(root: Entry, parties: Sequence[RelyingPartyEntry], providers: Sequence[IdentityProvider]) -> None:
    """What documents say must be one of a kind, as what is written must: realms and issuers."""
    realms = [(entry, each.party.realm) for entry, each in zip(root.entries("relying_parties"), parties, strict=True)]
    issuers = [
        (entry, each.issuer or "") for entry, each in zip(root.entries("identity_providers"), providers, strict=True)
    ]
    for key, named in (("realm", realms), ("issuer", issuers)):
        first: dict[str, str] = {}
        for entry, value in sorted(named, key=lambda each: not each[0].has(key)):
            if value in first and not entry.has(key) and entry.has(_KEY):
                entry.fault(_KEY, f"the {key} '{value}' of the document is that of '{first[value]}' already")
            if value:
                first.setdefault(value, entry.text("name") or "")


def _source(entry: Entry, keys: Sequence[str], former: IdentityProvider | RelyingParty | None) -> MetadataSource:
    location, overrides = entry.text(_KEY) or "", tuple(sorted(key for key in keys if entry.has(key)))
    if former is None or former.metadata is None:
        return new_source(location, overrides)
    return _kept(former.metadata, new_source(location, overrides))


def _kept(known: MetadataSource, written: MetadataSource) -> MetadataSource:
    return replace(known, location=written.location, overrides=written.overrides)


def _on_top(former: T, written: T, source: MetadataSource, keys: Sequence[str]) -> T:
    """What is written over what is known from the document so far; what was set by hand until now is not."""
    document: MetadataSource | None = former.metadata
    by_hand: frozenset[str] = frozenset() if document is None else frozenset(document.overrides) - _SENSITIVE
    fields = [key for key in keys if key not in ("encryption", *source.overrides, *by_hand)]
    known = {key: getattr(former, key) for key in fields}
    return replace(written, id=former.id, metadata=former.metadata, **known)


def _document(entry: Entry, sources: Sources, wanted: Wanted, known: MetadataSource | None) -> PartnerMetadata | None:
    """What the document says; None where it cannot be had, which is a fault unless it was read before."""
    location = entry.text(_KEY)
    try:
        return None if location is None else read(sources.document(location), wanted)
    except PartnerUnreachable as error:
        if known is not None and known.location == location:
            entry.warn(_KEY, f"{error.message}; what it said before stays")
        else:
            entry.fault(_KEY, error.message)
    except (InvalidMetadata, ValueError) as error:
        entry.fault(_KEY, str(error))
    return None


def _policy(sources: Sources, known: MetadataSource | None, source: MetadataSource) -> Policy:
    """Who writes `metadata:` in the place of what was set by hand agrees to what the document says now."""
    lifted = _SENSITIVE if known is None else _SENSITIVE & {*known.overrides} - {*source.overrides}
    consent = Consent.GIVEN if lifted else Consent.NONE
    return Policy(sources.surroundings.now, tuple(sources.surroundings.roots), consent)


def _told(entry: Entry, merged: Merged[T]) -> T:
    for warning in merged.warnings:
        entry.warn(_KEY, warning)
    source = merged.partner.metadata
    for sentence in waiting(source) if source is not None else ():
        entry.warn(_KEY, f"{sentence}: it waits for `sts metadata import --accept`")
    return merged.partner
