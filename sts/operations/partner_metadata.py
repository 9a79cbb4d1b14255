"""Registers partners by their metadata documents, and brings registered ones up to date with them."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sts.core.errors import Conflict, InvalidMetadata, OperatorError
from sts.core.model import (
    ClaimPattern,
    IdentityProvider,
    MetadataSource,
    PartnerRole,
    ProviderKind,
    RelyingParty,
    Rule,
    RuleGroup,
    TokenFormat,
)
from sts.operations.fetching import fetch
from sts.operations.installation import Installation
from sts.operations.metadata_desk import PARTIES, PROVIDERS, Desk, Outcome, Side, settle
from sts.operations.metadata_judging import Consent
from sts.operations.metadata_merge import T, new_source
from sts.protocols.partner_metadata import PartnerMetadata, Wanted, read
from sts.store import namespaces, rule_groups

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetadataImport:
    """A document that somebody brings, and what it is taken for."""

    namespace: str
    location: str  # an https URL, or a file
    document: bytes | None = field(default=None, repr=False)  # None: it is fetched
    name: str | None = None  # None: that of the partner with its entity ID, or made from it
    role: PartnerRole | None = None  # None: the only one that it describes
    entity_id: str | None = None  # None: the only one in it
    consent: Consent = Consent.NONE
    token_format: TokenFormat = TokenFormat.SAML20  # of a relying party that is new
    passes_claims: bool = False  # a rule for each claim type that an identity provider offers


def import_metadata(installation: Installation, request: MetadataImport, now: datetime) -> Outcome:
    """Register the partner that a document describes, or bring a registered one up to date with it.

    Raises InvalidMetadata for a document that must not be believed, or not without the consent of a person;
    PartnerUnreachable, NamespaceNotFound, Conflict.
    """
    if request.name is not None and _NAME.fullmatch(request.name) is None:
        raise OperatorError(f"'{request.name}' is no name: use 1 to 64 letters, digits, dots, dashes and underscores")
    document = fetch(request.location, installation.reach) if request.document is None else request.document
    described = read(document, Wanted(installation.base_url, now, request.entity_id))
    role = request.role or _only_role(described)
    request = replace(request, document=document, entity_id=described.entity_id)
    with installation.database.changing(installation.actor, now) as change:
        namespace = namespaces.find(change.connection, installation.base_url, request.namespace)
        desk = Desk(installation, change, namespace, request.consent)
        if role is PartnerRole.RELYING_PARTY:
            return _take(desk, PARTIES, RelyingParty(0, "", "", request.token_format), request)
        outcome = _take(desk, PROVIDERS, IdentityProvider(0, ""), request)
        return replace(outcome, rules=_pass_claims(desk, outcome)) if request.passes_claims else outcome


def _only_role(described: PartnerMetadata) -> PartnerRole:
    if described.provider is not None and described.application is not None:
        raise OperatorError(
            f"{described.entity_id} describes itself as an identity provider and as a relying party: say which it is "
            "to you, --identity-provider or --relying-party"
        )
    if described.provider is None and described.application is None:
        raise InvalidMetadata(
            f"{described.entity_id} describes itself neither as identity provider nor as relying party"
        )
    return PartnerRole.RELYING_PARTY if described.provider is None else PartnerRole.IDENTITY_PROVIDER


def _take(desk: Desk, side: Side[T], blank: T, request: MetadataImport) -> Outcome:
    """Find the partner that the document is about, or make a new one of the blank."""
    entity_id = request.entity_id or ""
    if request.name is not None:
        stored = side.named(desk, request.name)
    else:
        stored = next((each for each in side.list(desk) if entity_id in _known_as(side, each)), None)
    if stored is None:
        name = request.name or _made_name(entity_id)
        if side.named(desk, name) is not None:
            raise Conflict(f"there is a {side.role} '{name}' already, which is not {entity_id}: choose a --name")
        stored = replace(blank, name=name)
    if isinstance(stored, IdentityProvider) and stored.kind is ProviderKind.LOCAL:
        raise OperatorError(f"the identity provider '{stored.name}' is a local one, which has no metadata")
    source = _source(desk, stored.metadata, request)
    return settle(desk, side, stored, (source, request.document or b""))


def _known_as(side: Side[T], partner: T) -> tuple[str, ...]:
    source = partner.metadata
    return (side.identifier(partner),) if source is None else (source.entity_id,)


def _made_name(entity_id: str) -> str:
    try:
        host = urlsplit(entity_id).hostname
    except ValueError:
        host = None
    return _NOT_IN_NAMES.sub("-", host or entity_id).strip("-.")[:64] or "partner"


def _source(desk: Desk, known: MetadataSource | None, request: MetadataImport) -> MetadataSource:
    """Where the document came from; a file that is known by its name alone, in a configuration file, stays so."""
    location = request.location
    if "://" not in location:
        path = Path(location).resolve()
        exchange = desk.installation.exchange.resolve()
        location = str(path.relative_to(exchange) if path.is_relative_to(exchange) else path)
        if known is not None and "://" not in known.location and Path(known.location).name == path.name:
            location = known.location
    if known is None:
        return replace(new_source(location), entity_id=request.entity_id or "")
    return replace(known, location=location, entity_id=request.entity_id or known.entity_id)


def _pass_claims(desk: Desk, outcome: Outcome) -> tuple[str, ...]:
    """Have a rule for each claim type that the provider offers, in a group of its name; answers the new ones."""
    document = outcome.document
    offered = document.provider.claims if document is not None and document.provider is not None else ()
    connection, name = desk.change.connection, outcome.name
    groups = {group.name: group for group in rule_groups.list_all(connection, desk.namespace)}
    group = groups.get(name, RuleGroup(0, name))
    wanted = (Rule(ClaimPattern(name, offer.type)) for offer in offered)
    new = tuple(rule for rule in wanted if rule not in group.rules)
    if new:
        rule_groups.save(desk.change, desk.namespace, replace(group, rules=(*group.rules, *new)))
        details = {"rules": [rule.input.type for rule in new]}
        verb = "change" if group.id else "create"
        desk.change.audit(desk.namespace.name, f"rule-group.{verb}", f"rule-group:{name}", details)
    return tuple(rule.input.type or "" for rule in new)
