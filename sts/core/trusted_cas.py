"""Whose CAs a namespace trusts, and how it comes to: pure functions of data and `now`.

A CA is added unverified; its owner gets a code, issues a certificate whose common name is the code, and with that the
CA is verified: whoever asks to have it trusted holds its key.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sts.core.credentials import SECOND, describe, instant
from sts.core.errors import Conflict, InvalidCertificate, StaleVersion
from sts.core.model import Credential, Namespace, PartnerCertificate, TrustedCA, Use
from sts.core.tenant_ca import tenant_ca_certificates

CODE_LIFETIME: Final = timedelta(hours=24)
CODE_BYTES: Final = 24  # written as 48 upper-case hexadecimal characters
MOST: Final = 100  # of one namespace: a client's certificate may be held against each


class TrustStatus(StrEnum):
    """What people see of a trusted CA."""

    UNVERIFIED = "Unverified"
    VERIFIED = "Verified"
    EXPIRED = "Expired"


def status(authority: TrustedCA, now: datetime) -> TrustStatus:
    """The status people see."""
    if authority.certificate.not_after + SECOND <= now:
        return TrustStatus.EXPIRED
    return TrustStatus.UNVERIFIED if authority.verified_at is None else TrustStatus.VERIFIED


def authorities(namespace: Namespace, now: datetime) -> tuple[bytes, ...]:
    """The certificates (DER) of the CAs whose clients the namespace knows now.

    Those are the trusted CAs that are verified, and its own tenant CAs, old and next ones too.
    """
    return (
        *(c.certificate for c in tenant_ca_certificates(namespace, now) if c.certificate is not None),
        *(each.certificate.der for each in namespace.trusted_cas if _is_trusted(each, now)),
    )


def _is_trusted(authority: TrustedCA, now: datetime) -> bool:
    return status(authority, now) is TrustStatus.VERIFIED and authority.certificate.not_before <= now


def require_version(authority: TrustedCA, version: str | None) -> None:
    """Return if this is the version that the caller saw, or the caller says none; raises StaleVersion."""
    if version is not None and version != authority.version:
        raise StaleVersion(
            f"the trusted CA '{authority.name}' was changed since: its version is {authority.version}, not {version}"
        )


def require_room(known: Sequence[TrustedCA]) -> None:
    """Return if the namespace that knows these may trust one more; raises Conflict."""
    if len(known) >= MOST:
        raise Conflict(f"a namespace trusts at most {MOST} CAs: remove one first")


def require_unknown(known: Sequence[TrustedCA], certificate: PartnerCertificate) -> None:
    """Return if none of these has the certificate: removed under one name, it must not stay under another.

    Raises Conflict.
    """
    for other in known:
        if other.certificate.der == certificate.der:
            raise Conflict(f"the trusted CA '{other.name}' has this very certificate already")


def require_foreign(own: Iterable[Credential], certificate: PartnerCertificate) -> None:
    """Return if it is none of our own CAs: trusted under a name of its own, one would outlast its revocation.

    And whoever has a certificate of another namespace's tenant CA is no client of the root. Raises Conflict.
    """
    for credential in own:
        if credential.certificate == certificate.der:
            what = "the installation's root CA" if credential.use is Use.ROOT_CA else "the namespace's own tenant CA"
            raise Conflict(f"{describe(credential)} is {what}: its clients are known as long as it is good")


def with_certificate(authority: TrustedCA, certificate: PartnerCertificate) -> TrustedCA:
    """Replace the certificate: nothing is proved any more, and a code that was waiting is void."""
    return replace(authority, certificate=certificate, code_hash=None, code_expires_at=None, verified_at=None)


def with_code(authority: TrustedCA, code: str, now: datetime) -> TrustedCA:
    """Have it wait for the proof of a fresh code, for a day; an earlier code is void.

    What is verified stays so. Raises Conflict when the CA has expired.
    """
    _require_unexpired(authority, now)
    return replace(authority, code_hash=_hash(code), code_expires_at=now.replace(microsecond=0) + CODE_LIFETIME)


def require_code(authority: TrustedCA, now: datetime) -> None:
    """Return if a code waits for its proof; raises Conflict."""
    _require_unexpired(authority, now)
    again = "ask for a new one with `sts trusted-ca verification-code`"
    if authority.code_expires_at is None:
        lack = "was used" if authority.verified_at is not None else "was never asked for"
        raise Conflict(f"the verification code of the trusted CA '{authority.name}' {lack}; {again}")
    if authority.code_expires_at <= now:
        at = instant(authority.code_expires_at)
        raise Conflict(f"the verification code of the trusted CA '{authority.name}' expired on {at}; {again}")


def with_proof(authority: TrustedCA, proved_code: str, now: datetime) -> TrustedCA:
    """Verify it by the code in a certificate that it issued; the code is used up, a wrong one is not.

    Raises Conflict when no code waits, InvalidCertificate for another code.
    """
    require_code(authority, now)
    if not hmac.compare_digest(_hash(proved_code), authority.code_hash or ""):
        raise InvalidCertificate(
            "the subject's common name in the certificate is not the verification code that was given out last"
        )
    return replace(authority, code_hash=None, code_expires_at=None, verified_at=now.replace(microsecond=0))


def _require_unexpired(authority: TrustedCA, now: datetime) -> None:
    if status(authority, now) is TrustStatus.EXPIRED:
        end = instant(authority.certificate.not_after)
        raise Conflict(f"the certificate of the trusted CA '{authority.name}' expired on {end}: replace it")


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
