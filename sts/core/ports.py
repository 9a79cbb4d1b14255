"""What the core needs from the layers above it, as the smallest interfaces that say so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sts.core.exchange import (
    CertifiedClient,
    Claimed,
    DigestAttempt,
    PasswordAttempt,
    TokenDescriptor,
    TokenProof,
    TokenUse,
    TokenView,
    Trusted,
    VerifiedToken,
)
from sts.core.model import (
    ContentEncryption,
    Credential,
    IdentityProvider,
    KeyTransport,
    Namespace,
    RelyingParty,
    ServiceIdentity,
    SignatureAlgorithm,
)
from sts.core.tenant_ca import IssuedCertificate, Subscriber


class Signer(Protocol):
    """A private or symmetric key that signs; where it lives is its own affair."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The one algorithm of this key."""

    @property
    def certificate(self) -> bytes | None:
        """The DER certificate of an asymmetric key, None for a symmetric one."""

    @property
    def key_id(self) -> str:
        """JOSE `kid`: base64url of the certificate's SHA-1 thumbprint, or of a symmetric key's fingerprint."""

    def sign(self, data: bytes) -> bytes:
        """Sign the data; ECDSA answers r || s (RFC 7518, 3.4), HS256 the 32 bytes of the MAC."""


class Decrypter(Protocol):
    """A private key that unwraps the content keys of what partners encrypt; where it lives is its own affair."""

    def unwrap(self, wrapped: bytes, transport: KeyTransport) -> bytes | None:
        """The content key, None where it was not wrapped for this key; never raises for bad ciphertext."""


class Authority(Protocol):
    """The private key of a CA, which issues certificates; where it lives is its own affair."""

    def certify(self, request: bytes, subscriber: Subscriber) -> IssuedCertificate:
        """Issue the certificate that a PKCS#10 request (DER) asks for, within the CA's own life.

        Raises InvalidCertificate for a request that does not prove possession of a strong key or names another.
        """


class TokenFormat(Protocol):
    """One token format."""

    def write(self, descriptor: TokenDescriptor, signer: Signer) -> bytes:
        """Build and sign a token."""

    def read(self, token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
        """Verify a token and say what it says; raises a subclass of InvalidToken."""

    def claimed(self, token: bytes) -> Claimed:
        """Who a token says that issued it, and for whom, unverified; raises InvalidToken where that cannot be read."""

    def view(self, token: bytes) -> TokenView:
        """Everything that a token says about itself, unverified; raises a subclass of InvalidToken."""


class Encryption(Protocol):
    """Encrypts a signed assertion to a relying party, in the shape of its format."""

    def __call__(self, assertion: bytes, certificate: bytes, algorithm: ContentEncryption) -> bytes:
        """Answer the encrypted element's bytes; `certificate` is the recipient's, DER."""


class Decryption(Protocol):
    """Decrypts the assertion that a partner encrypted to us."""

    def __call__(self, element: bytes, decrypters: Sequence[Decrypter], algorithm: ContentEncryption) -> TokenProof:
        """Answer the assertion, unverified, with its version; raises InvalidEncryptedToken, the reason in `detail`.

        Structure and algorithms are refused before a key is used; then every key is tried, whichever fits.
        """


class Directory(Protocol):
    """Immutable snapshots of the configuration; no SQL when warm."""

    def namespace(self, name: str) -> Namespace:
        """The namespace of this name; raises NamespaceNotFound."""

    def relying_party(self, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
        """The relying party of the first of these realms that is registered, None if none is."""

    def service_identity(self, namespace: Namespace, name: str) -> ServiceIdentity | None:
        """The service identity of this name."""

    def certificate_owners(self, namespace: Namespace, certificate: bytes) -> Sequence[str]:
        """The names of the service identities that this certificate (DER) is pinned to."""

    def identity_providers(self, namespace: Namespace) -> Sequence[IdentityProvider]:
        """The identity providers of the namespace by name, disabled ones too."""

    def roots(self) -> Sequence[Credential]:
        """The installation's root CA certificates, tombstones included."""


class KeyRing(Protocol):
    """The secrets behind credentials, unsealed on first use."""

    def signer(self, namespace: Namespace, credential: Credential) -> Signer:
        """The signer of a credential; raises KeyUnreadable."""

    def decrypter(self, namespace: Namespace, credential: Credential) -> Decrypter:
        """The decrypter of a decryption certificate; raises KeyUnreadable."""

    def authority(self, namespace: Namespace, credential: Credential) -> Authority:
        """The CA of a tenant CA certificate; raises KeyUnreadable."""

    def shared_key(self, namespace: Namespace, identity: ServiceIdentity) -> bytes:
        """The 32 bytes of a service identity's symmetric key; raises KeyUnreadable."""

    def recoverable_password(self, namespace: Namespace, identity: ServiceIdentity) -> bytes | None:
        """The password of a service identity, None where it is kept only as a hash; raises KeyUnreadable."""

    def signing_key(self, namespace: Namespace, credential: Credential) -> bytes:
        """The 32 bytes of a symmetric signing key, to verify what it signed; raises KeyUnreadable."""


class Passwords(Protocol):
    """Checks passwords, and bounds how often one may guess."""

    def check(self, identity: ServiceIdentity | None, attempt: PasswordAttempt, now: datetime) -> None:
        """Return if the password is the identity's; raises AuthenticationFailed or TooManyRequests.

        An absent identity costs the same as a wrong password.
        """

    def check_digest(self, password: bytes | None, attempt: DigestAttempt, now: datetime) -> None:
        """Return if the digest was made with this password; raises AuthenticationFailed or TooManyRequests.

        Without a password to compare with it costs the same and always fails. Failures are counted as `check` does.
        """


class Failures(Protocol):
    """Counts what fails, in every process, so that trying is bounded."""

    def check(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Return if another attempt is allowed; raises TooManyRequests, StoreUnavailable."""

    def record(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Count one failure of a name, from the address of a caller; raises StoreUnavailable."""


class ClientCertificates(Protocol):
    """Judges the certificates with which clients authenticate; all are DER."""

    def claimed_name(self, certificate: bytes) -> str:
        """The common name in a certificate, whoever issued it; raises AuthenticationFailed."""

    def certified_client(self, certificate: bytes, authorities: Sequence[bytes], now: datetime) -> CertifiedClient:
        """Whom a client's certificate names, since when, and which of these CAs issued it.

        Raises AuthenticationFailed, with the true reason in `detail`.
        """


class ReplayCache(Protocol):
    """Remembers what may be used once, in every process."""

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        """Record the use; raises ReplayedToken on the second, StoreUnavailable when it cannot be recorded."""

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        """Record several uses, all of them or none; raises as `use` does."""


class Cancellations(Protocol):
    """Remembers which of our tokens were cancelled before their end, and which are not renewed, for every process."""

    def cancel(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        """Remember it until the token's end; a second time changes nothing. Raises StoreUnavailable."""

    def is_cancelled(self, namespace: Namespace, token_id: str) -> bool:
        """Whether the token was cancelled; raises StoreUnavailable."""

    def forbid_renewal(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        """Remember until the token's end that it is not renewed; raises StoreUnavailable."""

    def is_renewable(self, namespace: Namespace, token_id: str) -> bool:
        """Whether renewing the token was not forbidden; raises StoreUnavailable."""
