"""The one mint: authenticate, apply the rules, choose the credential, write, sign, encrypt (design, section 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import NamedTuple

from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY, NAME_IDENTIFIER
from sts.core.credentials import instant, signing_credential
from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    FormatNotOffered,
    InvalidAudience,
    InvalidSignature,
    NoEncryptionCertificate,
    RelyingPartyNotFound,
)
from sts.core.exchange import (
    CertificateProof,
    CertifiedClient,
    IssuedToken,
    PasswordAttempt,
    PasswordProof,
    Principal,
    TokenDescriptor,
    TokenProof,
    TokenRequest,
    Trusted,
    VerificationKey,
    VerifiedToken,
)
from sts.core.model import Claim, Kind, Namespace, PartnerCertificate, RelyingParty, Rule, ServiceIdentity, TokenFormat
from sts.core.ports import ClientCertificates, Directory, Encryption, KeyRing, Passwords, ReplayCache
from sts.core.ports import TokenFormat as Format
from sts.core.realms import candidates
from sts.core.rules import apply_rules
from sts.core.tenant_ca import EnrolmentRequest
from sts.core.tenant_ca import authorities as tenant_cas
from sts.core.trusted_cas import authorities
from sts.core.uris import AuthenticationMethod

SELF_ISSUED_LIFETIME = timedelta(hours=24)
SKEW = timedelta(minutes=3)
TOKEN_ENDPOINTS = (  # of an issuer
    *("", "WRAPv0.9", "WRAPv0.9/", "v2/OAuth2-13", "v2/OAuth2-13/", "oauth2/token"),
    *(".well-known/est/simpleenroll", ".well-known/est/simplereenroll"),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline works with; built once, in `sts.assemble`."""

    directory: Directory
    key_ring: KeyRing
    passwords: Passwords
    replays: ReplayCache
    formats: Mapping[TokenFormat, Format]
    encryptions: Mapping[TokenFormat, Encryption]
    new_token_id: Callable[[], str]  # 32 hex digits, never the same twice
    client_certificates: ClientCertificates


def issue(request: TokenRequest, parts: Parts, now: datetime) -> IssuedToken:
    """Issue the token that a request asks for; `now` may carry microseconds.

    Raises the StsError of the first step that refuses. Who asks is settled before what for, so that strangers
    learn nothing about relying parties.
    """
    namespace = parts.directory.namespace(request.namespace)
    principal = authenticate(namespace, request, parts, now)
    relying_party = find_relying_party(namespace, request.realm, parts.directory)
    if relying_party.token_format not in request.formats:
        raise FormatNotOffered(
            f"tokens of relying party '{relying_party.name}' are {relying_party.token_format}, "
            f"which this endpoint does not issue; it issues {', '.join(sorted(request.formats))}"
        )
    claims = output_claims(relying_party, principal)
    return _mint(_Order(namespace, relying_party, principal, claims, request.realm), parts, now)


def authenticate(
    namespace: Namespace, request: TokenRequest | EnrolmentRequest, parts: Parts, now: datetime
) -> Principal:
    """Who asks; raises AuthenticationFailed, TooManyRequests or a subclass of InvalidToken."""
    if isinstance(request.proof, PasswordProof):
        return _by_password(namespace, request.proof, request.source, parts, now)
    if isinstance(request.proof, CertificateProof):
        return _by_certificate(namespace, request.proof, parts, now)
    return _by_self_issued_token(namespace, request.proof, parts, now)


def _by_password(namespace: Namespace, proof: PasswordProof, source: str, parts: Parts, now: datetime) -> Principal:
    """A disabled identity is checked as an absent one: neither counters nor time tell whether a guess was right."""
    identity = parts.directory.service_identity(namespace, proof.name)
    attempt = PasswordAttempt(namespace, proof.name, proof.password, source)
    try:
        parts.passwords.check(identity if identity is not None and identity.enabled else None, attempt, now)
    except AuthenticationFailed:
        _enabled(identity)  # a truer reason, where there is one
        raise
    return _principal(namespace, _enabled(identity), AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT, now)


def _by_certificate(namespace: Namespace, proof: CertificateProof, parts: Parts, now: datetime) -> Principal:
    """The certificate pinned to the service identity, or one that a CA of the namespace issued in its name.

    TLS has proved that the caller holds the private key (RFC 8705, 2.1 and 2.2).
    """
    claimed = proof.name if proof.name is not None else parts.client_certificates.claimed_name(proof.certificate)
    identity = parts.directory.service_identity(namespace, claimed)
    if identity is None or not _is_pinned(identity, proof, now):
        certified = parts.client_certificates.certified_client(proof.certificate, authorities(namespace, now), now)
        if certified.name != claimed:
            raise AuthenticationFailed(detail=f"the certificate names '{certified.name}', the request '{claimed}'")
        _require_later_than_secrets(namespace, identity, certified)
    return _principal(namespace, _enabled(identity), AuthenticationMethod.X509, now)


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
    if not _within(pinned, now):
        raise AuthenticationFailed(detail=f"the pinned certificate of '{identity.name}' is not valid now")
    return True


def _enabled(identity: ServiceIdentity | None) -> ServiceIdentity:
    if identity is None:
        raise AuthenticationFailed(detail="unknown service identity")
    if not identity.enabled:
        raise AuthenticationFailed(detail=f"service identity '{identity.name}' is disabled")
    return identity


def _by_self_issued_token(namespace: Namespace, proof: TokenProof, parts: Parts, now: datetime) -> Principal:
    """A token that a service identity signed with its own symmetric key (acs.md, 1.6 and 3.5).

    An identity that does not exist, is disabled or has no key costs and answers the same as a wrong signature.
    """
    claimed = parts.formats[proof.format].view(proof.token).issuer or ""
    identity = parts.directory.service_identity(namespace, claimed)
    try:
        usable = _with_symmetric_key(identity)
    except AuthenticationFailed as unusable:
        nobody = Trusted(claimed, None, (VerificationKey("", Kind.SYMMETRIC, parts.new_token_id().encode()),))
        try:
            parts.formats[proof.format].read(proof.token, nobody, now)
        except InvalidSignature as wrong:
            raise InvalidSignature(wrong.message, detail=unusable.detail) from unusable
        raise
    token = _read_self_issued(namespace, usable, proof, parts, now)
    if token.audience is not None and token.audience not in _own_addresses(namespace):
        raise InvalidAudience("the token is for another audience", detail=f"audience {token.audience[:200]!r}")
    if token.expires_at is not None:
        parts.replays.use(namespace, usable.name, token.id, token.expires_at + SKEW, now)
    return _principal(namespace, usable, AuthenticationMethod.UNSPECIFIED, now)


def _own_addresses(namespace: Namespace) -> frozenset[str]:
    """What may stand as the audience of a token for us: the namespace and its token endpoints, by every host name."""
    roots = (namespace.issuer, *(f"https://{host}/" for host in namespace.hosts))
    return frozenset(root + path for root in roots for path in TOKEN_ENDPOINTS)


def _with_symmetric_key(identity: ServiceIdentity | None) -> ServiceIdentity:
    usable = _enabled(identity)
    if not usable.has_symmetric_key:
        raise AuthenticationFailed(detail=f"service identity '{usable.name}' has no symmetric key")
    return usable


def _read_self_issued(
    namespace: Namespace, identity: ServiceIdentity, proof: TokenProof, parts: Parts, now: datetime
) -> VerifiedToken:
    trusted = Trusted(
        issuer=identity.name,
        audience=None,  # compared afterwards, with every address of ours
        keys=(VerificationKey("", Kind.SYMMETRIC, parts.key_ring.shared_key(namespace, identity)),),
        skew=SKEW,
        max_lifetime=SELF_ISSUED_LIFETIME,
        require_expiry=not identity.swt_without_expiry,
    )
    return parts.formats[proof.format].read(proof.token, trusted, now)


def _principal(
    namespace: Namespace, identity: ServiceIdentity, method: AuthenticationMethod, now: datetime
) -> Principal:
    claims = (Claim(NAME_IDENTIFIER, identity.name, LOCAL_AUTHORITY),)
    return Principal(identity.name, namespace.issuer, claims, now, method)


def find_relying_party(namespace: Namespace, realm: str, directory: Directory) -> RelyingParty:
    """The enabled relying party that a requested realm means; raises RelyingPartyNotFound."""
    found = directory.relying_party(namespace, candidates(realm))
    if found is None or not found.enabled:
        detail = None if found is None else f"relying party '{found.name}' is disabled"
        raise RelyingPartyNotFound(f"Relying party with name '{realm}' was not found.", detail=detail)
    return found


def output_claims(relying_party: RelyingParty, principal: Principal) -> tuple[Claim, ...]:
    """What the rules make of a principal's claims, identityprovider last; raises AccessDenied, RulesFailed.

    The identityprovider claim is always the true one; a rule cannot make another, and alone it is no output.
    """
    alone = len(principal.claims) == 1  # as every service identity's: its name, for every token the same
    made = (_remembered if alone else _made)(relying_party.rules, principal.claims)
    if not made:
        raise AccessDenied(
            "no output claims were generated by rules",
            detail=f"no rule of relying party '{relying_party.name}' fits '{principal.name}'",
        )
    return (*made, Claim(IDENTITY_PROVIDER, principal.identity_provider, LOCAL_AUTHORITY))


def _made(rules: tuple[Rule, ...], claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    return tuple([claim for claim in apply_rules(rules, claims) if claim.type != IDENTITY_PROVIDER])


_remembered = lru_cache(maxsize=1024)(_made)


class _Order(NamedTuple):
    """What is settled before anything is signed."""

    namespace: Namespace
    relying_party: RelyingParty
    principal: Principal
    claims: tuple[Claim, ...]
    audience: str


def _mint(order: _Order, parts: Parts, now: datetime) -> IssuedToken:
    relying_party = order.relying_party
    credential = signing_credential(order.namespace, relying_party, now)
    encrypt = _encryption(relying_party, parts, now)
    descriptor = _describe(order, parts.new_token_id(), now)
    signer = parts.key_ring.signer(order.namespace, credential)
    token = parts.formats[relying_party.token_format].write(descriptor, signer)
    return IssuedToken(
        token=token if encrypt is None else encrypt(token),
        format=relying_party.token_format,
        id=descriptor.id,
        audience=descriptor.audience,
        issued_at=descriptor.issued_at,
        expires_at=descriptor.expires_at,
        relying_party=relying_party.name,
        principal=order.principal.name,
        credential_id=credential.id,
        encrypted=encrypt is not None,
    )


def _describe(order: _Order, token_id: str, now: datetime) -> TokenDescriptor:
    begin = now.replace(microsecond=0)
    return TokenDescriptor(
        id=token_id,
        issuer=order.namespace.issuer,
        audience=order.audience,
        issued_at=now,
        not_before=begin,
        expires_at=begin + order.relying_party.token_lifetime,
        claims=order.claims,
        authenticated_at=order.principal.authenticated_at,
        authentication_method=order.principal.method,
        jwt_type=order.relying_party.jwt_type,
    )


def _encryption(relying_party: RelyingParty, parts: Parts, now: datetime) -> Callable[[bytes], bytes] | None:
    """How the token is encrypted, None where it need not be; refuses before anything is signed."""
    if not relying_party.encryption_required and not relying_party.proof_of_possession:
        return None
    certificate = relying_party.encryption_certificate
    if certificate is None or not relying_party.encryption_required or not _within(certificate, now):
        raise NoEncryptionCertificate(_no_encryption(relying_party))
    encrypt = parts.encryptions[relying_party.token_format]
    return partial(encrypt, certificate=certificate.der, algorithm=relying_party.encryption_algorithm)


def _within(certificate: PartnerCertificate, now: datetime) -> bool:
    return certificate.not_before <= now.replace(microsecond=0) <= certificate.not_after


def _no_encryption(relying_party: RelyingParty) -> str:
    certificate = relying_party.encryption_certificate
    if not relying_party.encryption_required:
        state = "encryption is not required of it although it takes proof-of-possession tokens"
    elif certificate is None:
        state = "it has no encryption certificate"
    else:
        state = f"its encryption certificate {certificate.subject} is not valid now"
    return (
        f"tokens of relying party '{relying_party.name}' must be encrypted, and {state}; "
        f"save a valid one with `sts apply`"
    )
