"""Reads the metadata documents of partners: leniently, for few of them are valid by their schema, but bounded.

WS-Federation 1.2, 3; SAML 2.0 metadata. A document is believed as far as its signature goes: see `SignatureState`.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest, InvalidCertificate, InvalidMetadata, InvalidToken, PayloadTooLarge
from sts.crypto import certificates
from sts.crypto.xml import NS, parse_instant, parse_metadata, serialise
from sts.crypto.xmldsig import MAX_CANDIDATES, Expected, verify_metadata
from sts.protocols.partner_roles import (
    MD,
    ApplicationRole,
    ProviderRole,
    Reading,
    application_role,
    provider_role,
    resolve_type,
    roles,
    signing_keys,
)

MAX_ENTITY_ID: Final = 1024

ENTITY: Final = f"{MD}EntityDescriptor"
ENTITIES: Final = f"{MD}EntitiesDescriptor"
_SIGNATURE: Final = f"{{{NS['ds']}}}Signature"
_CERTIFICATE: Final = f"{{{NS['ds']}}}KeyInfo/{{{NS['ds']}}}X509Data/{{{NS['ds']}}}X509Certificate"
_ZONE: Final = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?"
)
_UNITS: Final = (timedelta(365), timedelta(30), timedelta(1), timedelta(0, 3600), timedelta(0, 60), timedelta(0, 1))


class SignatureState(StrEnum):
    """How far a document may be believed."""

    TRUSTED = "trusted"  # signed by a certificate that was trusted before
    UNKNOWN = "unknown"  # signed by a certificate that only the document itself vouches for
    ABSENT = "absent"
    BROKEN = "broken"  # signed, but not what is there


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for in a document."""

    base_url: str  # endpoints may be plain http on loopback while this service is
    now: datetime
    entity_id: str | None = None  # None: there is only one
    trusted: tuple[bytes, ...] = field(default=(), repr=False)  # certificates (DER) that may sign the document
    allow_sha1: bool = False


@dataclass(frozen=True, slots=True)
class PartnerMetadata:
    """What a document says of one partner."""

    entity_id: str
    signature: SignatureState
    provider: ProviderRole | None
    application: ApplicationRole | None
    signers: tuple[bytes, ...] = field(default=(), repr=False)  # DER: what the partner says it signs with
    signer: bytes | None = field(default=None, repr=False)  # DER: where it is unknown, who signed as a trusted one must
    valid_until: datetime | None = None
    cache_duration: timedelta | None = None
    warnings: tuple[str, ...] = ()


def read(document: bytes, wanted: Wanted) -> PartnerMetadata:
    """Read what a document says of the wanted partner, from the signed part alone where it is signed.

    Raises InvalidMetadata for what cannot be read, names several partners or the same one twice, has expired, or sends
    people to an address that is not https.
    """
    root = _parse(document)
    entity = _entity(root, wanted.entity_id)
    types = [resolve_type(role) for role in roles(entity)]
    state, entity, signer = _verified(_signed_part(document, root, entity), entity, wanted)
    valid_until = min(_instants(entity), default=None)
    if valid_until is not None and valid_until <= wanted.now:
        raise InvalidMetadata(f"the document was valid until {valid_until:%Y-%m-%dT%H:%M:%SZ}")
    reading = Reading(wanted.base_url, [])
    return PartnerMetadata(
        entity_id=entity.get("entityID") or "",
        signature=state,
        provider=provider_role(entity, types, reading),
        application=application_role(entity, types, reading),
        signers=signing_keys(entity),
        signer=signer,
        valid_until=valid_until,
        cache_duration=min(_durations(entity), default=None),
        warnings=tuple(dict.fromkeys(reading.warnings)),
    )


def _entity(root: etree._Element, entity_id: str | None) -> etree._Element:
    """The one entity that is wanted; its ID stands once in the whole document (threats, M10)."""
    if root.tag not in (ENTITY, ENTITIES):
        raise InvalidMetadata(f"the document is no metadata: it begins with {etree.QName(root).localname}")
    found: dict[str, etree._Element] = {}
    for entity in root.iter(ENTITY):
        name = entity.get("entityID") or ""
        if not name or len(name) > MAX_ENTITY_ID or not name.isprintable():
            raise InvalidMetadata("an entity of the document has no usable entityID")
        if name in found:
            raise InvalidMetadata(f"the document describes {name} twice")
        found[name] = entity
    if entity_id is not None and entity_id in found:
        return found[entity_id]
    if len(found) == 1:
        return next(iter(found.values()))
    if entity_id is not None:
        raise InvalidMetadata(f"the document does not describe {entity_id}")
    raise InvalidMetadata(f"the document describes {len(found)} partners: say which, by its entity ID")


def _signed_part(document: bytes, root: etree._Element, entity: etree._Element) -> bytes | None:
    """The nearest element around or at the entity that has a signature of its own; None: nothing there is signed."""
    for element in (entity, *entity.iterancestors()):
        if element.find(_SIGNATURE) is not None:
            return document if element is root else serialise(element)
    return None


class _Verified(NamedTuple):
    """How far an entity is to be believed, it as it was signed, and who signed it, as `PartnerMetadata` says that."""

    state: SignatureState
    entity: etree._Element
    signer: bytes | None = None


def _verified(part: bytes | None, entity: etree._Element, wanted: Wanted) -> _Verified:
    if part is None:
        return _Verified(SignatureState.ABSENT, entity)
    expected = Expected(root=str(_parse(part).tag), id_attribute="ID", now=wanted.now, allow_sha1=wanted.allow_sha1)
    signed = _signed(part, wanted.trusted, expected)
    if signed is not None:
        return _Verified(SignatureState.TRUSTED, _same(signed, entity))
    claimed = (*wanted.trusted, *signing_keys(entity), *_brought(entity))
    for der, instant in _within(claimed, wanted.now):
        signed = _signed(part, (der,), replace(expected, now=instant, allow_sha1=True))
        if signed is not None:
            signer = der if _signed(part, (der,), expected) is not None else None
            return _Verified(SignatureState.UNKNOWN, _same(signed, entity), signer)
    return _Verified(SignatureState.BROKEN, entity)


def _signed(part: bytes, certificates: Sequence[bytes], expected: Expected) -> etree._Element | None:
    try:
        return verify_metadata(part, certificates, expected)
    except (InvalidToken, ValueError):
        return None


def _same(signed: etree._Element, entity: etree._Element) -> etree._Element:
    """The entity in what was signed."""
    name = entity.get("entityID")
    return next(each for each in signed.iter(ENTITY) if each.get("entityID") == name)


def _brought(entity: etree._Element) -> Iterator[bytes]:
    """The certificates that the signatures themselves bring along."""
    for element in (entity, *entity.iterancestors()):
        for certificate in element.findall(f"{_SIGNATURE}/{_CERTIFICATE}"):
            with suppress(binascii.Error, ValueError):
                yield b64decode("".join((certificate.text or "").split()), validate=True)


def _within(ders: Sequence[bytes], now: datetime) -> Iterator[tuple[bytes, datetime]]:
    """Each certificate with an instant at which it is valid: whether a signature is whole is no matter of dates."""
    for der in dict.fromkeys(ders[:MAX_CANDIDATES]):
        with suppress(InvalidCertificate):
            certificate = certificates.parse(der)
            yield der, min(max(now, certificate.not_before), certificate.not_after)


def _instants(entity: etree._Element) -> Iterator[datetime]:
    for element in (entity, *entity.iterancestors(), *roles(entity)):
        text = (element.get("validUntil") or "").strip()
        if text:
            yield _instant(text)


def _instant(text: str) -> datetime:
    """An xs:dateTime; without a zone, as some software writes it, UTC is meant."""
    try:
        return parse_instant(text if _ZONE.search(text) else f"{text}Z").astimezone(UTC)
    except InvalidToken as error:
        raise InvalidMetadata(f"the document's validUntil '{text[:40]}' is no instant") from error


def _durations(entity: etree._Element) -> Iterator[timedelta]:
    for element in (entity, *entity.iterancestors()):
        match = _DURATION.fullmatch((element.get("cacheDuration") or "").strip())
        if match is not None:
            yield sum((int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS, strict=True)), timedelta())


def _parse(document: bytes) -> etree._Element:
    try:
        return parse_metadata(document)
    except (BadRequest, PayloadTooLarge) as error:
        raise InvalidMetadata(f"the document cannot be read: {error.detail or error.message}") from error
