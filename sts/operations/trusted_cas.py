"""What an operator can do with the CAs of others: list, add, verification-code, verify, replace, remove."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sts.core import trusted_cas as rules
from sts.core.errors import OperatorError
from sts.core.model import Namespace, PartnerCertificate, TrustedCA
from sts.core.tenant_ca import authorities as tenant_cas
from sts.core.trusted_cas import TrustStatus
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.issued import proved_code
from sts.operations.installation import Installation
from sts.store import credentials, namespaces
from sts.store import trusted_cas as table
from sts.store.changes import Change

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustedCAName:
    """A trusted CA as operators name it."""

    namespace: str
    name: str
    version: str | None = None  # the one that the operator saw; None: whichever it has


@dataclass(frozen=True, slots=True)
class TrustedCARow:
    """What people see of a trusted CA."""

    name: str
    status: TrustStatus
    subject: str
    thumbprint: str
    thumbprint_sha256: str
    not_before: datetime
    not_after: datetime
    verified_at: datetime | None
    code_expires_at: datetime | None  # of the verification code that waits for its proof
    created_at: datetime | None
    updated_at: datetime | None
    version: str


@dataclass(frozen=True, slots=True)
class TrustedCAOutcome:
    """What became of a trusted CA, and what is odd about it."""

    row: TrustedCARow
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerificationCode:
    """A code, told once: the CA is to issue a certificate that has it as its common name."""

    row: TrustedCARow
    code: str = field(repr=False)


def list_all(installation: Installation, namespace: str, now: datetime) -> tuple[TrustedCARow, ...]:
    """The trusted CAs of a namespace, by name; raises NamespaceNotFound."""
    with installation.database.reading() as connection:
        found = namespaces.find(connection, installation.base_url, namespace)
    return tuple(_row(authority, now) for authority in found.trusted_cas)


def add(installation: Installation, named: TrustedCAName, file: bytes, now: datetime) -> TrustedCAOutcome:
    """Add a CA by its certificate (DER, PEM or base64), unverified.

    Any CA will do, with or without a known root above it (ADR 9), but not one of our own. Raises InvalidCertificate,
    Conflict when the name or the certificate is there already, NamespaceNotFound.
    """
    if _NAME.fullmatch(named.name) is None:
        raise OperatorError(f"'{named.name}' is no name: use 1 to 64 letters, digits, dots, dashes and underscores")
    certificate, warnings = _read(file, now)
    with installation.database.changing(installation.actor, now) as change:
        namespace = _namespace(change, installation, named)
        rules.require_room(namespace.trusted_cas)
        _require_new(change, namespace, certificate)
        stored = _save(change, namespace, TrustedCA(0, named.name, certificate), "add")
    return TrustedCAOutcome(_row(stored, now), warnings)


def new_code(installation: Installation, named: TrustedCAName, now: datetime) -> VerificationCode:
    """Make a verification code, which is good for a day and voids the one before it.

    Raises Conflict when the CA has expired, StaleVersion, NotFound.
    """
    code = secrets.token_hex(rules.CODE_BYTES).upper()
    with installation.database.changing(installation.actor, now) as change:
        namespace, authority = _find(change, installation, named)
        stored = _save(change, namespace, rules.with_code(authority, code, now), "verification-code")
    return VerificationCode(_row(stored, now), code)


def verify(installation: Installation, named: TrustedCAName, proof: bytes, now: datetime) -> TrustedCARow:
    """Take the certificate that the CA issued for the code: from now on its clients are known.

    What is refused changes nothing, and the code can be tried again. Raises InvalidCertificate for a certificate that
    proves nothing, Conflict when no code waits, StaleVersion, NotFound.
    """
    with installation.database.changing(installation.actor, now) as change:
        namespace, authority = _find(change, installation, named)
        rules.require_code(authority, now)
        code = proved_code(proof, authority.certificate.der, now)
        stored = _save(change, namespace, rules.with_proof(authority, code, now), "verify")
    return _row(stored, now)


def replace(installation: Installation, named: TrustedCAName, file: bytes, now: datetime) -> TrustedCAOutcome:
    """Put another certificate in the place of a CA's, unverified; clients of the old one are unknown at once.

    Raises InvalidCertificate, Conflict for one that is there already or our own, StaleVersion, NotFound.
    """
    certificate, warnings = _read(file, now)
    with installation.database.changing(installation.actor, now) as change:
        namespace, authority = _find(change, installation, named)
        _require_new(change, namespace, certificate)
        stored = _save(change, namespace, rules.with_certificate(authority, certificate), "replace")
    return TrustedCAOutcome(_row(stored, now), warnings)


def remove(installation: Installation, named: TrustedCAName, now: datetime) -> TrustedCARow:
    """Stop trusting a CA; its clients are unknown at once; raises StaleVersion, NotFound."""
    with installation.database.changing(installation.actor, now) as change:
        namespace, authority = _find(change, installation, named)
        table.delete(change, namespace, authority)
        _audit(change, namespace, authority, "remove")
    return _row(authority, now)


def _read(file: bytes, now: datetime) -> tuple[PartnerCertificate, tuple[str, ...]]:
    found = certificates.load(file)
    warnings = certificates.judge(found, now, Purpose.CA)
    pinned = PartnerCertificate(found.der, found.subject, found.thumbprint, found.not_before, found.not_after)
    return pinned, warnings


def _require_new(change: Change, namespace: Namespace, certificate: PartnerCertificate) -> None:
    """Return if the certificate is neither one that the namespace trusts already nor one of ours; raises Conflict."""
    rules.require_unknown(namespace.trusted_cas, certificate)
    rules.require_foreign((*tenant_cas(namespace), *credentials.list_roots(change.connection)), certificate)


def _namespace(change: Change, installation: Installation, named: TrustedCAName) -> Namespace:
    return namespaces.find(change.connection, installation.base_url, named.namespace)


def _find(change: Change, installation: Installation, named: TrustedCAName) -> tuple[Namespace, TrustedCA]:
    namespace = _namespace(change, installation, named)
    authority = table.find(change.connection, namespace, named.name)
    rules.require_version(authority, named.version)
    return namespace, authority


def _save(change: Change, namespace: Namespace, authority: TrustedCA, verb: str) -> TrustedCA:
    stored = table.save(change, namespace, authority)
    _audit(change, namespace, stored, verb)
    return stored


def _audit(change: Change, namespace: Namespace, authority: TrustedCA, verb: str) -> None:
    details = {"thumbprint": authority.certificate.thumbprint, "version": authority.version}
    change.audit(namespace.name, f"trusted-ca.{verb}", f"trusted-ca:{authority.name}", details)


def _row(authority: TrustedCA, now: datetime) -> TrustedCARow:
    certificate = certificates.parse(authority.certificate.der)
    return TrustedCARow(
        name=authority.name,
        status=rules.status(authority, now),
        subject=certificate.subject,
        thumbprint=certificate.thumbprint,
        thumbprint_sha256=certificate.thumbprint_sha256,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        verified_at=authority.verified_at,
        code_expires_at=authority.code_expires_at,
        created_at=authority.created_at,
        updated_at=authority.updated_at,
        version=authority.version,
    )
