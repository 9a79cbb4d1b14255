"""The verbs that add a credential to a ring: generate and import."""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sts.core import credentials as rules
from sts.core import rollover
from sts.core.credentials import Status
from sts.core.errors import Conflict, InvalidCertificate, OperatorError
from sts.core.model import Credential, KeyType, Origin, Use
from sts.crypto import certificates, pkcs12
from sts.crypto.pem import is_pem
from sts.crypto.signer import private_key_bytes
from sts.operations import credentials
from sts.operations.credentials import (
    KEY_LIFETIME,
    PURPOSES,
    CertificateRequest,
    Material,
    default_subject,
)
from sts.operations.installation import Installation
from sts.operations.rings import NOUNS, OpenRing, Outcome, RingName, open_ring, row_of
from sts.store import credentials as table
from sts.store.changes import Change


@dataclass(frozen=True, slots=True)
class CertificateOrder:
    """A self-signed certificate that an operator asks for; None: what the ring's policy or the service says."""

    ring: RingName
    subject: str | None = None  # RFC 4514
    lifetime: timedelta | None = None
    key_type: KeyType | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A symmetric key that an operator asks for."""

    ring: RingName
    not_before: datetime | None = None  # None: now
    not_after: datetime | None = None  # None: ten years later


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """A certificate with its private key as it comes in."""

    ring: RingName
    content: bytes = field(repr=False)  # PKCS#12, or PEM with an encrypted key, or (with `private_key`) a certificate
    password: bytes = field(repr=False)
    private_key: bytes | None = field(default=None, repr=False)  # encrypted PKCS#8, DER or PEM


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A symmetric key that somebody else made, and its dates."""

    ring: RingName
    value: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime


def generate_certificate(installation: Installation, order: CertificateOrder, now: datetime) -> Outcome:
    """Make a published, non-primary certificate; raises InvalidCertificate, Conflict, NotFound."""
    opened = _read(installation, order.ring)
    _refuse_ring(opened)
    material = credentials.make_certificate(_request(installation, opened, order, now), order.ring.use)
    return _add(installation, order.ring, material, now)


def _request(
    installation: Installation, opened: OpenRing, order: CertificateOrder, now: datetime
) -> CertificateRequest:
    policy = installation.defaults.policy_of(opened.namespace, rollover.RingName(order.ring.use))
    party = order.ring.relying_party
    owner = opened.namespace.name if party is None else f"{party}.{opened.namespace.name}"
    host = urlsplit(installation.base_url).hostname or "localhost"
    return CertificateRequest(
        subject=order.subject or default_subject(owner, host, order.ring.use),
        not_before=order.not_before or now.replace(microsecond=0),
        lifetime=order.lifetime or policy.lifetime,
        key_type=order.key_type or policy.key_type or KeyType.RSA2048,
    )


def generate_key(installation: Installation, order: KeyOrder, now: datetime) -> Outcome:
    """Make a published, non-primary 256-bit key; raises OperatorError, Conflict, NotFound."""
    begin = order.not_before or now.replace(microsecond=0)
    lifetime = KEY_LIFETIME if order.not_after is None else order.not_after - begin
    if lifetime <= timedelta(0):
        raise OperatorError("the key must end after it begins")
    return _add(installation, order.ring, credentials.make_key(begin, lifetime), now)


def import_certificate(installation: Installation, file: CertificateFile, now: datetime) -> Outcome:
    """Take a certificate with its private key, published and not primary.

    Raises InvalidCertificate for what is not one key with its certificate, acceptable for the ring's use; Conflict
    when the ring holds it already; NotFound.
    """
    _refuse_ring(_read(installation, file.ring))
    pair = pkcs12.load(_joined(file), file.password)
    found = pair.certificate
    warnings = certificates.accept(found, now, purpose=PURPOSES[file.ring.use], roots=installation.roots)
    secret = private_key_bytes(pair.key)
    material = Material(secret, found.not_before, found.not_after, found, Origin.IMPORTED)
    outcome = _add(installation, file.ring, material, now)
    return Outcome(outcome.row, (*warnings, *outcome.warnings))


def _joined(file: CertificateFile) -> bytes:
    """A certificate and a key in two files as the one PEM file that the guarded reader takes."""
    if file.private_key is None:
        if _is_certificate(file.content):
            raise InvalidCertificate(
                "the file holds a certificate without its private key, and a credential is both: give a PKCS#12 "
                "file, or name the encrypted key with --private-key"
            )
        return file.content
    return certificates.pem(certificates.load(file.content).der) + _armoured(file.private_key)


def _armoured(key: bytes) -> bytes:
    """An encrypted PKCS#8 key as PEM (RFC 7468, 11)."""
    if is_pem(key):
        return key
    return (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + base64.encodebytes(key) + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )


def _is_certificate(content: bytes) -> bool:
    try:
        certificates.load(content)
    except InvalidCertificate:
        return False
    return True


def import_key(installation: Installation, key: SharedKey, now: datetime) -> Outcome:
    """Take a 256-bit key, published and not primary; raises OperatorError, Conflict, NotFound."""
    material = credentials.import_key(key.value, key.not_before, key.not_after)
    if material.not_after < now:
        raise OperatorError(f"the key expired on {rules.instant(material.not_after)}")
    return _add(installation, key.ring, material, now)


def _read(installation: Installation, name: RingName) -> OpenRing:
    with installation.database.reading() as connection:
        return open_ring(connection, installation, name)


def _add(installation: Installation, name: RingName, material: Material, now: datetime) -> Outcome:
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, name)
        _refuse_ring(opened)
        shared = _shared_warnings(change, installation, name, material)
        stored = credentials.store(change, installation.key_ring, opened.ring, material)
        grown = open_ring(change.connection, installation, name)
        return Outcome(row_of(grown, stored, now), (*shared, *_ring_warnings(grown, stored, now)))


def _refuse_ring(opened: OpenRing) -> None:
    """Raise Conflict for a dedicated credential that could never serve."""
    party = opened.relying_party
    if party is None:
        return
    if party.managed:
        raise Conflict(f"relying party {party.name} is managed: the namespace's credentials serve it, no others")
    if opened.name.use is Use.DECRYPTION:
        raise Conflict("decryption certificates belong to the namespace; leave --relying-party out")


def _shared_warnings(change: Change, installation: Installation, name: RingName, material: Material) -> tuple[str, ...]:
    certificate = material.certificate
    fingerprint = (
        installation.key_ring.fingerprint(material.secret) if certificate is None else certificate.thumbprint_sha256
    )
    return tuple(
        f"the same {NOUNS[name.kind]} is held by namespace {holder} already: who has it can speak for both"
        for holder in table.holders(change.connection, fingerprint)
    )


def _ring_warnings(opened: OpenRing, stored: Credential, now: datetime) -> tuple[str, ...]:
    noun, party = NOUNS[stored.kind], opened.relying_party
    if party is None:
        return _rolling_warnings(opened, stored, now)
    if party.kind is not stored.kind:
        signing = NOUNS[party.kind]
        return (f"tokens for {party.name} are signed with a {signing}, so this {noun} will not sign for it",)
    if rules.status(opened.members, stored, now)[0] is Status.ACTIVE:
        return (f"no {noun} of {party.name} was ever made primary, so this one signs from now on",)
    return ()


def _rolling_warnings(opened: OpenRing, stored: Credential, now: datetime) -> tuple[str, ...]:
    """What becomes of an imported credential in a ring that rolls over by itself."""
    state = opened.state
    planned = None if state is None else state.handover(now)
    if state is None or planned is None or stored.origin is not Origin.IMPORTED:
        return ()
    if planned.successor != stored:
        return (f"the ring {state.name} rolls over by itself and passes this one over, unless it is made primary",)
    ends = (
        ""
        if state.policy.automatic
        else (
            f"; nothing replaces it by itself then, unless the configuration says `rollover: {{{state.name}: "
            "{automatic: true}}`"
        )
    )
    return (f"the ring {state.name} rolls over by itself: this one takes over on {rules.instant(planned.at)}{ends}",)
