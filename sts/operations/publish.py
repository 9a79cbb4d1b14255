"""The documents that the service publishes for a namespace, rendered once per version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from sts.core.credentials import metadata_credential, next_change, published_decryption, published_signing
from sts.core.errors import IssuingFailed, MetadataUnavailable
from sts.core.model import Namespace
from sts.core.ports import KeyRing
from sts.core.ring_defaults import MAX_AGE, RingDefaults
from sts.core.rollover import RingName
from sts.protocols import discovery, federation_metadata
from sts.protocols.federation_metadata import MetadataDescription
from sts.protocols.wstrust import wsdl

MAX_KEPT: Final = 1000


class DocumentKind(StrEnum):
    """What is published for each namespace."""

    FEDERATION_METADATA = "federation-metadata"
    OPENID_CONFIGURATION = "openid-configuration"
    AUTHORIZATION_SERVER = "authorization-server"
    JWKS = "jwks"
    TRUST_DESCRIPTION = "trust-description"


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered document and how long it stands."""

    body: bytes = field(repr=False)
    media_type: str
    etag: str
    version: int
    until: datetime | None  # the instant from which it may read differently
    kept: timedelta = MAX_AGE  # how long readers may keep it at most

    def max_age(self, now: datetime) -> int:
        """For how many seconds readers may keep it."""
        left = self.kept if self.until is None else min(self.kept, self.until - now)
        return max(0, int(left.total_seconds()))


def _kept(namespace: Namespace, max_age: timedelta, now: datetime) -> timedelta:
    """Short-lived certificates must be read more often: a 400th of the shortest life that is published."""
    published = (*published_signing(namespace, now), *published_decryption(namespace, now))
    return min([max_age, *((c.not_after - c.not_before) / 400 for c in published)])


def federation_metadata_document(
    namespace: Namespace, key_ring: KeyRing, defaults: RingDefaults, now: datetime
) -> bytes:
    """The signed federation metadata; raises MetadataUnavailable when nothing may sign it."""
    offered = published_decryption(namespace, now, defaults.policies[RingName.DECRYPTION])
    description = MetadataDescription(
        issuer=namespace.issuer,
        signing_certificates=tuple(c.certificate for c in published_signing(namespace, now) if c.certificate),
        decryption_certificates=tuple(c.certificate for c in offered if c.certificate),
    )
    try:
        signer = key_ring.signer(namespace, metadata_credential(namespace, now))
    except IssuingFailed as error:
        raise MetadataUnavailable(
            "federation metadata could not be generated", detail=f"{error.codes} ({namespace.name})"
        ) from error
    return federation_metadata.build(description, signer)


@dataclass(frozen=True, slots=True)
class _Means:
    """What documents are made with besides the namespace."""

    key_ring: KeyRing
    client_authentication: tuple[str, ...]
    defaults: RingDefaults


def _federation_metadata(namespace: Namespace, means: _Means, now: datetime) -> bytes:
    return federation_metadata_document(namespace, means.key_ring, means.defaults, now)


def _openid_configuration(namespace: Namespace, means: _Means, now: datetime) -> bytes:
    signing = published_signing(namespace, now)
    return discovery.openid_configuration(namespace.issuer, signing, means.client_authentication)


def _authorization_server(namespace: Namespace, means: _Means, now: datetime) -> bytes:
    return discovery.authorization_server(namespace.issuer, means.client_authentication)


def _jwks(namespace: Namespace, means: _Means, now: datetime) -> bytes:
    return discovery.jwks(published_signing(namespace, now))


def _trust_description(namespace: Namespace, means: _Means, now: datetime) -> bytes:
    return wsdl.document(namespace.issuer)


_Renderer = Callable[[Namespace, _Means, datetime], bytes]
_RENDERERS: Final[Mapping[DocumentKind, tuple[_Renderer, str]]] = {
    DocumentKind.FEDERATION_METADATA: (_federation_metadata, "application/xml"),
    DocumentKind.OPENID_CONFIGURATION: (_openid_configuration, "application/json"),
    DocumentKind.AUTHORIZATION_SERVER: (_authorization_server, "application/json"),
    DocumentKind.JWKS: (_jwks, "application/jwk-set+json"),
    DocumentKind.TRUST_DESCRIPTION: (_trust_description, "text/xml"),
}


class Publications:
    """Keeps rendered documents until the namespace changes or the next instant at which they would."""

    def __init__(
        self,
        key_ring: KeyRing,
        client_authentication: tuple[str, ...] = discovery.BY_MESSAGE,
        defaults: RingDefaults | None = None,
    ) -> None:
        self._means = _Means(key_ring, client_authentication, defaults or RingDefaults())
        self._kept: dict[tuple[int, DocumentKind], Document] = {}

    def document(self, namespace: Namespace, kind: DocumentKind, now: datetime) -> Document:
        """The document as it stands now; raises MetadataUnavailable."""
        kept = self._kept.get((namespace.id, kind))
        if kept is not None and kept.version == namespace.version and (kept.until is None or now < kept.until):
            return kept
        render, media_type = _RENDERERS[kind]
        body = render(namespace, self._means, now)
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        until, readable = next_change(namespace, now), _kept(namespace, self._means.defaults.max_age, now)
        made = Document(body, media_type, etag, namespace.version, until, readable)
        if len(self._kept) >= MAX_KEPT:
            self._kept = {}
        self._kept[namespace.id, kind] = made
        return made
