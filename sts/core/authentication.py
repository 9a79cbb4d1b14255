"""Which service identity asks: by password, certificate, or a token that it signed for itself."""

from datetime import datetime

from sts.core.credentials import instant
from sts.core.errors import AuthenticationFailed
from sts.core.exchange import (
    CertificateProof,
    CertifiedClient,
    ClientAssertion,
    DigestAttempt,
    DigestProof,
    PasswordAttempt,
    PasswordProof,
    Principal,
    TokenProof,
    TokenRequest,
)
from sts.core.model import Namespace, ServiceIdentity
from sts.core.parts import Parts
from sts.core.presented import FRESH, Presented
from sts.core.self_issued import accept_self_issued, authenticate_client, enabled, principal_of
from sts.core.tenant_ca import EnrolmentRequest
from sts.core.tenant_ca import authorities as tenant_cas
from sts.core.trusted_cas import authorities
from sts.core.uris import AuthenticationMethod


def authenticate(
    namespace: Namespace, request: TokenRequest | EnrolmentRequest, parts: Parts, now: datetime
) -> Principal:
    """Which service identity asks; raises AuthenticationFailed, TooManyRequests or a subclass of InvalidToken.

    A token is one that the identity signed for itself, never an identity provider's.
    """
    proof = request.proof
    if isinstance(proof, PasswordProof):
        return _by_password(namespace, proof, request.source, parts, now)
    if isinstance(proof, DigestProof):
        return _by_digest(namespace, proof, request.source, parts, now)
    if isinstance(proof, CertificateProof):
        return _by_certificate(namespace, proof, parts, now)
    if isinstance(proof, ClientAssertion):
        as_token = TokenProof(proof.format, proof.token)
        presented = Presented.at_token_endpoint(namespace, as_token, request.source)
        return authenticate_client(presented, proof, parts, now)
    if proof.format is None:
        raise AuthenticationFailed(detail="an assertion is not what a service identity authenticates with here")
    claimed = parts.formats[proof.format].claimed(proof.token)
    presented = Presented.at_token_endpoint(namespace, proof, request.source).addressed(claimed)
    return accept_self_issued(presented, claimed, parts, now)


def _by_password(namespace: Namespace, proof: PasswordProof, source: str, parts: Parts, now: datetime) -> Principal:
    """A disabled identity is checked as an absent one: neither counters nor time tell whether a guess was right."""
    identity = parts.directory.service_identity(namespace, proof.name)
    attempt = PasswordAttempt(namespace, proof.name, proof.password, source)
    try:
        parts.passwords.check(identity if identity is not None and identity.enabled else None, attempt, now)
    except AuthenticationFailed:
        enabled(identity)  # a truer reason, where there is one
        raise
    return principal_of(namespace, enabled(identity), AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT, now)


def _by_digest(namespace: Namespace, proof: DigestProof, source: str, parts: Parts, now: datetime) -> Principal:
    """As by password, where it is kept recoverable: a hash shows nothing that a digest could be made from.

    That the digest's nonce is used once is for the caller to see to, for as long as it is fresh.
    """
    if abs(now - proof.created_at) > FRESH:
        raise AuthenticationFailed(detail=f"the digest of '{proof.name}' was made at {proof.created!a}")
    identity = parts.directory.service_identity(namespace, proof.name)
    password = None
    if identity is not None and identity.enabled:
        password = parts.key_ring.recoverable_password(namespace, identity)
    try:
        parts.passwords.check_digest(password, DigestAttempt(namespace, proof, source), now)
    except AuthenticationFailed:
        _require_recoverable(enabled(identity))  # a truer reason, where there is one
        raise
    return principal_of(namespace, enabled(identity), AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT, now)


def _require_recoverable(identity: ServiceIdentity) -> None:
    if not identity.has_recoverable_password:
        raise AuthenticationFailed(
            detail=f"the password of '{identity.name}' is stored only as a hash, which no digest can be checked by; "
            "with recoverable_password: true it is kept under seal besides"
        )


def _by_certificate(namespace: Namespace, proof: CertificateProof, parts: Parts, now: datetime) -> Principal:
    """The certificate pinned to the service identity, or one that a CA of the namespace issued in its name.

    TLS or a message's signature has proved that the caller holds the private key (RFC 8705, 2.1 and 2.2).
    """
    claimed = proof.name if proof.name is not None else _meant(namespace, proof.certificate, parts)
    identity = parts.directory.service_identity(namespace, claimed)
    if identity is None or not _is_pinned(identity, proof, now):
        certified = parts.client_certificates.certified_client(proof.certificate, authorities(namespace, now), now)
        if certified.name != claimed:
            raise AuthenticationFailed(detail=f"the certificate names '{certified.name}', the request '{claimed}'")
        _require_later_than_secrets(namespace, identity, certified)
    return principal_of(namespace, enabled(identity), AuthenticationMethod.X509, now)


def _meant(namespace: Namespace, certificate: bytes, parts: Parts) -> str:
    """Whose certificate it is, where nobody says: the one service identity that it is pinned to, or whom it names.

    Of several, disabled ones do not count.
    """
    owners = parts.directory.certificate_owners(namespace, certificate)
    if len(owners) > 1:
        known = (parts.directory.service_identity(namespace, name) for name in owners)
        owners = [identity.name for identity in known if identity is not None and identity.enabled]
    return owners[0] if len(owners) == 1 else parts.client_certificates.claimed_name(certificate)


def _require_later_than_secrets(
    namespace: Namespace, identity: ServiceIdentity | None, certified: CertifiedClient
) -> None:
    """Return unless our own CA issued it before the identity was made, disabled, or given another secret.

    Otherwise whoever enrolled once could renew for ever. A CA of somebody else does not know of our secrets.
    """
    since = None if identity is None else identity.secrets_since
    if since is None or certified.not_before >= since:
        return
    if any(own.certificate == certified.authority for own in tenant_cas(namespace)):
        raise AuthenticationFailed(
            detail=f"the certificate of '{certified.name}' was issued before its secrets changed on {instant(since)}"
        )


def _is_pinned(identity: ServiceIdentity, proof: CertificateProof, now: datetime) -> bool:
    """Whether it is the identity's own certificate; raises AuthenticationFailed outside of its dates."""
    pinned = identity.certificate
    if pinned is None or pinned.der != proof.certificate:
        return False
    if not pinned.is_valid(now):
        raise AuthenticationFailed(detail=f"the pinned certificate of '{identity.name}' is not valid now")
    return True
