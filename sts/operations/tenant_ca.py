"""What an operator does with a namespace's tenant CA: list its certificates, hand them out, prove to hold its key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sts.core import credentials as rules
from sts.core.credentials import Status
from sts.core.errors import Conflict, OperatorError
from sts.core.model import Credential, KeyType, Use
from sts.core.tenant_ca import BACKDATED, IssuedCertificate, Subscriber
from sts.crypto import pkcs7
from sts.crypto.authority import NAME_LIMIT, issuer_among
from sts.operations.authorities import TenantCAOrder, make_first, make_tenant_ca
from sts.operations.credential_files import CertificateCopy, download_certificate
from sts.operations.credentials import store
from sts.operations.installation import Installation
from sts.operations.rings import (
    CredentialRow,
    Listing,
    OpenRing,
    Outcome,
    RingName,
    Selection,
    list_credentials,
    open_ring,
    row_of,
    rows_of,
    select,
)
from sts.operations.roots import RING as ROOTS
from sts.store import credentials as table
from sts.store import namespaces
from sts.store.changes import Change

MAX_CODE: Final = 128  # characters
PROOF_LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ChainCopy:
    """A tenant CA certificate with the root above it, as they are handed out."""

    row: CredentialRow
    pkcs7: bytes = field(repr=False)  # DER


@dataclass(frozen=True, slots=True)
class Proof:
    """A certificate that shows that this service holds a tenant CA's key."""

    row: CredentialRow  # of the CA
    certificate: IssuedCertificate
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProofOrder:
    """Which tenant CA is to prove itself, and by what."""

    selection: Selection
    code: str  # what the other side asked for


@dataclass(frozen=True, slots=True)
class CAWish:
    """A tenant CA certificate that an operator asks for; None: what the ring's policy says."""

    namespace: str
    lifetime: timedelta | None = None
    key_type: KeyType | None = None


def ring_of(namespace: str) -> RingName:
    """The ring of a namespace's tenant CA certificates."""
    return RingName(namespace, Use.TENANT_CA)


def list_authorities(installation: Installation, namespace: str, now: datetime) -> tuple[CredentialRow, ...]:
    """The namespace's tenant CA certificates, the active one first; raises NamespaceNotFound."""
    _require_first(installation, namespace, now)
    ring = ring_of(namespace)
    return list_credentials(installation, Listing(namespace, ring.kind, ring.use), now)


def download(installation: Installation, selection: Selection, now: datetime) -> CertificateCopy:
    """A tenant CA certificate, the active one unless another is selected; raises NotFound, NamespaceNotFound."""
    _require_first(installation, selection.ring.namespace, now)
    return download_certificate(installation, selection, now)


def download_chain(installation: Installation, selection: Selection, now: datetime) -> ChainCopy:
    """A tenant CA certificate and its root in one PKCS#7 message; raises NotFound, NamespaceNotFound."""
    copy = download(installation, selection, now)
    with installation.database.reading() as connection:
        roots = table.list_roots(connection)
    root = issuer_among(copy.der, [each.certificate for each in roots if each.certificate is not None])
    return ChainCopy(copy.row, pkcs7.certificates_only([copy.der, root]))


def generate(installation: Installation, wish: CAWish, now: datetime) -> Outcome:
    """Make a tenant CA certificate below the root, published and not primary.

    Raises OperatorError for a life that is no span of a CA, KeyUnreadable, NamespaceNotFound.
    """
    with installation.database.reading() as connection:
        namespace = namespaces.find(connection, installation.base_url, wish.namespace)
    material = make_tenant_ca(installation, TenantCAOrder(namespace, wish.lifetime, wish.key_type), now)
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, ring_of(wish.namespace))
        stored = store(change, installation.key_ring, opened.ring, material)
        installation.key_ring.test(change.connection, opened.namespace, stored)
        return Outcome(row_of(open_ring(change.connection, installation, opened.name), stored, now))


def list_roots(installation: Installation, now: datetime) -> tuple[CredentialRow, ...]:
    """The installation's root CA certificates, the active one first."""
    with installation.database.reading() as connection:
        members = table.list_roots(connection)
    return rows_of(OpenRing(RingName("", Use.ROOT_CA), ROOTS, members), now)


def prove(installation: Installation, order: ProofOrder, now: datetime) -> Proof:
    """Issue a certificate of one day whose common name is a verification code, by the tenant CA that is selected.

    Raises OperatorError for what is no code, Conflict for a CA that is revoked or has expired, NotFound,
    NamespaceNotFound, KeyUnreadable.
    """
    _require_code(order.code)
    _require_first(installation, order.selection.ring.namespace, now)
    begin = now.replace(microsecond=0)
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, order.selection.ring)
        chosen = select(change.connection, opened, order.selection, now)
        _require_usable(opened.members, chosen, now)
        authority = installation.key_ring.authority(opened.namespace, chosen)
        issued = authority.prove(Subscriber(order.code, begin - BACKDATED, begin + PROOF_LIFETIME))
        _audit(change, opened, chosen, {"code": order.code, "serial": f"{issued.serial:x}"})
    return Proof(row_of(opened, chosen, now), issued, _code_warnings(order.code))


def _require_first(installation: Installation, name: str, now: datetime) -> None:
    """For a namespace that is older than tenant CAs."""
    with installation.database.reading() as connection:
        namespace = namespaces.find(connection, installation.base_url, name)
    make_first(installation, namespace, now)


def _require_code(code: str) -> None:
    if not 1 <= len(code) <= MAX_CODE or not code.isprintable():
        raise OperatorError(f"a verification code is 1 to {MAX_CODE} printable characters")


def _require_usable(members: tuple[Credential, ...], chosen: Credential, now: datetime) -> None:
    status = rules.status(members, chosen, now)[0]
    if status in (Status.REVOKED, Status.EXPIRED):
        raise Conflict(f"{rules.describe(chosen)} is {status.lower()}: nobody may trust it, so it proves nothing")


def _audit(change: Change, opened: OpenRing, chosen: Credential, proved: Mapping[str, str]) -> None:
    details = {"use": chosen.use, "thumbprint": chosen.thumbprint, **proved}
    change.audit(opened.namespace.name, "certificate.prove", f"credential:{chosen.id}", details)


def _code_warnings(code: str) -> tuple[str, ...]:
    if len(code.encode()) <= NAME_LIMIT:
        return ()
    return (f"a common name of more than {NAME_LIMIT} bytes is longer than X.520 allows; some software refuses it",)
