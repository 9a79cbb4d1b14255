"""Making credentials and storing them: the initial ones of a namespace, generated ones, imported ones."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sts.core.credentials import ring as core_ring
from sts.core.errors import Conflict, OperatorError
from sts.core.model import (
    NAMESPACE_SCOPE,
    Credential,
    KeyType,
    Kind,
    Namespace,
    Origin,
    Use,
)
from sts.core.rollover import RingName
from sts.crypto import certificates
from sts.crypto.certificates import Certificate, Purpose
from sts.crypto.signer import private_key_bytes
from sts.operations.configuration.addresses import host_of
from sts.operations.installation import Installation
from sts.store import credentials as table
from sts.store.changes import Change
from sts.store.keyring import SealedKeyRing

CERTIFICATE_LIFETIME: Final = timedelta(days=730)
KEY_LIFETIME: Final = timedelta(days=3650)
KEY_SIZE: Final = 32
COMMON_NAME_LIMIT: Final = 64
ENDLESS: Final = datetime(9990, 1, 1, tzinfo=UTC)  # what ends later has no end (RFC 5280, 4.1.2.5)
PURPOSES: Final = {Use.SIGNING: Purpose.SIGNING, Use.DECRYPTION: Purpose.DECRYPTION}


@dataclass(frozen=True, slots=True)
class Ring:
    """Whose credentials, for what: one ring of a namespace or of one of its relying parties."""

    namespace: Namespace
    use: Use = Use.SIGNING
    kind: Kind = Kind.CERTIFICATE
    scope: str = NAMESPACE_SCOPE


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate with its private key, or a symmetric key, before it is stored."""

    secret: bytes = field(repr=False)  # PKCS#8 DER, or the 32 bytes
    not_before: datetime
    not_after: datetime
    certificate: Certificate | None = None
    origin: Origin = Origin.GENERATED
    predecessor_id: int | None = None  # the credential that it is to succeed


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A self-signed certificate to be made."""

    subject: str  # RFC 4514
    not_before: datetime
    lifetime: timedelta = CERTIFICATE_LIFETIME
    key_type: KeyType = KeyType.RSA2048


def make_certificate(request: CertificateRequest, use: Use) -> Material:
    """Generate a key pair and its self-signed certificate; raises InvalidCertificate."""
    end = request.not_before + request.lifetime
    key, der = certificates.generate(request.subject, request.key_type, request.not_before, end, PURPOSES[use])
    made = certificates.parse(der)
    return Material(private_key_bytes(key), made.not_before, made.not_after, made)


def make_key(not_before: datetime, lifetime: timedelta = KEY_LIFETIME) -> Material:
    """Generate a 256-bit symmetric key."""
    return Material(secrets.token_bytes(KEY_SIZE), not_before, not_before + lifetime)


def import_key(value: bytes, not_before: datetime, not_after: datetime) -> Material:
    """Take a symmetric key that somebody else made; raises OperatorError for a wrong size or dates out of order."""
    if len(value) != KEY_SIZE:
        raise OperatorError(f"a symmetric key has {KEY_SIZE} bytes, this one {len(value)}")
    if not_after <= not_before:
        raise OperatorError("the key must end after it begins")
    return Material(value, not_before, not_after, origin=Origin.IMPORTED)


def create_initial(change: Change, installation: Installation, namespace: Namespace) -> tuple[Credential, ...]:
    """Give a new namespace its signing certificate, decryption certificate and symmetric key, each primary at once.

    They are made as the policies of their rings say.
    """
    begin, key_ring, defaults = change.now.replace(microsecond=0), installation.key_ring, installation.defaults
    host = host_of(installation.base_url)
    made = []
    for name in (RingName.SIGNING, RingName.DECRYPTION):
        policy = defaults.policy_of(namespace, name)
        subject = default_subject(namespace.name, host, name.use)
        request = CertificateRequest(subject, begin, policy.lifetime, policy.key_type or KeyType.RSA2048)
        made.append(store(change, key_ring, Ring(namespace, name.use), make_certificate(request, name.use)))
    key = make_key(begin, defaults.policy_of(namespace, RingName.SIGNING_KEYS).lifetime)
    made.append(store(change, key_ring, Ring(namespace, kind=Kind.SYMMETRIC), key))
    promoted = [replace(credential, primary_from=begin) for credential in made]
    return tuple(table.save(change, namespace, credential) for credential in promoted)


def default_subject(name: str, host: str, use: Use) -> str:
    """The subject of a certificate that nobody named: the namespace at the service's host, and its use.

    Of what is too long for a common name (X.520: 64 characters) the host is left out first.
    """
    suffix = "" if use is Use.SIGNING else f" {use}"
    whole = f"{name}.{host}"
    text = whole if len(whole) + len(suffix) <= COMMON_NAME_LIMIT else name
    return f"CN={text[: COMMON_NAME_LIMIT - len(suffix)]}{suffix}"


def store(change: Change, key_ring: SealedKeyRing, ring: Ring, material: Material) -> Credential:
    """Store a credential in a ring, published and not primary, with its audit record.

    Raises Conflict when the ring holds the same one already, revoked or not, and for a life without end.
    """
    credential = _describe(change, key_ring, ring, material)
    if credential.not_after >= ENDLESS:
        name, year = credential.subject or "the key", credential.not_after.year
        raise Conflict(f"{name} ends in the year {year}, which is to say never: nothing could succeed it")
    members = core_ring(table.list_scope(change.connection, ring.namespace, ring.scope), ring.use, ring.kind)
    for other in members:
        if other.thumbprint_sha256 == credential.thumbprint_sha256:
            raise Conflict(f"{other.subject or 'the key'} ({other.thumbprint}) is there already")

    def seal(credential_id: int) -> bytes:
        return key_ring.seal(ring.namespace, credential_id, ring.use, material.secret)

    stored = table.insert(change, ring.namespace, credential, seal)
    change.audit(
        ring.namespace.name,
        f"{ring.kind}.{'import' if material.origin is Origin.IMPORTED else 'generate'}",
        f"credential:{stored.id}",
        {"scope": ring.scope, "use": ring.use, "thumbprint": stored.thumbprint, "subject": stored.subject},
    )
    return stored


def _describe(change: Change, key_ring: SealedKeyRing, ring: Ring, material: Material) -> Credential:
    certificate = material.certificate
    fingerprint = key_ring.fingerprint(material.secret) if certificate is None else certificate.thumbprint_sha256
    now = change.now.replace(microsecond=0)
    return Credential(
        id=0,
        scope=ring.scope,
        use=ring.use,
        kind=ring.kind,
        not_before=material.not_before,
        not_after=material.not_after,
        thumbprint=fingerprint[:40] if certificate is None else certificate.thumbprint,
        thumbprint_sha256=fingerprint,
        subject=None if certificate is None else certificate.subject,
        certificate=None if certificate is None else certificate.der,
        key_type="hmac256" if certificate is None else certificate.key_type,
        created_at=now,
        published_at=now,
        origin=material.origin,
        predecessor_id=material.predecessor_id,
    )
