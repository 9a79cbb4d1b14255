"""The secrets behind credentials: unsealed on first use, kept by credential id (core.ports.KeyRing)."""

import base64
from collections.abc import Sequence
from threading import Lock
from typing import Final

from sts.core.errors import KeyUnreadable
from sts.core.model import Credential, Kind, Namespace, ServiceIdentity
from sts.crypto import sealing
from sts.crypto.authority import SoftwareAuthority
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.sealing import MasterKey, SealContext
from sts.crypto.signer import SoftwareSigner, load_private_key, require_signing
from sts.store import credentials, installation, service_identities
from sts.store.bounded import BoundedMap
from sts.store.changes import ChangeKind, Touched
from sts.store.connection import Connection
from sts.store.database import Database
from sts.store.master_key_files import MasterKeyFiles
from sts.store.sealed_rows import PASSWORD, SHARED_KEY

MOST_KEYS: Final = 20_000


class SealedKeyRing:
    """Opens the secrets of one database with its master keys: two of them while the master key is being rotated."""

    def __init__(self, database: Database, master_keys: MasterKeyFiles) -> None:
        self.master_keys = master_keys
        self._database = database
        self._fingerprint_key: bytes | None = None
        self._lock = Lock()
        self._signers: BoundedMap[int, SoftwareSigner] = BoundedMap(MOST_KEYS)
        self._decrypters: BoundedMap[int, SoftwareDecrypter] = BoundedMap(MOST_KEYS)
        self._authorities: BoundedMap[int, SoftwareAuthority] = BoundedMap(MOST_KEYS)
        self._shared_keys: BoundedMap[int, tuple[ServiceIdentity, bytes]] = BoundedMap(MOST_KEYS)
        self._passwords: BoundedMap[int, tuple[ServiceIdentity, bytes | None]] = BoundedMap(MOST_KEYS)
        self._signing_keys: BoundedMap[int, bytes] = BoundedMap(MOST_KEYS)
        database.feed.subscribe(self)

    def signer(self, namespace: Namespace, credential: Credential) -> SoftwareSigner:
        """Answer the signer of a credential; raises KeyUnreadable, StoreUnavailable on its first use."""
        return self._signers.get(credential.id) or self._load_signer(namespace, credential)

    def decrypter(self, namespace: Namespace, credential: Credential) -> SoftwareDecrypter:
        """Answer the decrypter of a decryption certificate; raises KeyUnreadable, StoreUnavailable on its first use."""
        return self._decrypters.get(credential.id) or self._load_decrypter(namespace, credential)

    def authority(self, namespace: Namespace, credential: Credential) -> SoftwareAuthority:
        """Answer the CA of a tenant or root CA certificate; raises KeyUnreadable, StoreUnavailable on its first use."""
        return self._authorities.get(credential.id) or self._load_authority(namespace, credential)

    def shared_key(self, namespace: Namespace, identity: ServiceIdentity) -> bytes:
        """Answer the 32 bytes of an identity's symmetric key; raises KeyUnreadable, StoreUnavailable.

        A key is kept for one snapshot of its identity: with a new key comes a new snapshot.
        """
        kept = self._shared_keys.get(identity.id)
        if kept is not None and kept[0] is identity:
            return kept[1]
        with self._lock:
            with self._database.reading() as connection:
                self._database.feed.begin(connection)
                sealed = service_identities.sealed_symmetric_key(connection, namespace, identity)
            key = self.master_keys.unseal(sealed, SealContext(namespace.name, identity.id, SHARED_KEY))
            self._shared_keys.put(identity.id, (identity, key))
            return key

    def recoverable_password(self, namespace: Namespace, identity: ServiceIdentity) -> bytes | None:
        """Answer an identity's password, None where it is kept only as a hash; raises KeyUnreadable, StoreUnavailable.

        It is kept as `shared_key` keeps keys.
        """
        if not identity.has_recoverable_password:
            return None
        kept = self._passwords.get(identity.id)
        if kept is not None and kept[0] is identity:
            return kept[1]
        with self._lock:
            with self._database.reading() as connection:
                self._database.feed.begin(connection)
                sealed = service_identities.sealed_password(connection, namespace, identity)
            context = SealContext(namespace.name, identity.id, PASSWORD)
            password = None if sealed is None else self.master_keys.unseal(sealed, context)
            self._passwords.put(identity.id, (identity, password))
            return password

    def signing_key(self, namespace: Namespace, credential: Credential) -> bytes:
        """Answer the 32 bytes of a symmetric signing key; raises KeyUnreadable, StoreUnavailable on its first use."""
        kept = self._signing_keys.get(credential.id)
        if kept is not None:
            return kept
        with self._lock:
            key = self._read(namespace, credential)
            self._signing_keys.put(credential.id, key)
            return key

    def secret(self, namespace: Namespace, credential: Credential) -> bytes:
        """Answer a credential's secret, PKCS#8 DER or 32 bytes, for an export or a self-test; raises KeyUnreadable."""
        with self._database.reading() as connection:
            sealed = credentials.sealed_secret(connection, namespace, credential.id)
        return self.master_keys.unseal(sealed, SealContext(namespace.name, credential.id, credential.use))

    def test(self, connection: Connection, namespace: Namespace, credential: Credential) -> None:
        """Read a stored secret back in the transaction that stored it, open it and use it; raises KeyUnreadable.

        What a private key signs must verify under the credential's certificate.
        """
        sealed = credentials.sealed_secret(connection, namespace, credential.id)
        secret = self.master_keys.unseal(sealed, SealContext(namespace.name, credential.id, credential.use))
        if credential.kind is Kind.CERTIFICATE:
            require_signing(load_private_key(secret), _certificate(credential))
        elif self.fingerprint(secret) != credential.thumbprint_sha256:
            raise KeyUnreadable("a stored key is not the one that was made", detail=f"credential {credential.id}")

    def seal(self, namespace: Namespace, credential_id: int, use: str, secret: bytes) -> bytes:
        """Seal a credential's secret, so that it opens only as that credential's, for that use; raises MasterKeyError.

        Called in the transaction that stores it: no rotation of the master key can then come between.
        """
        return sealing.seal(self._sealing_key(), secret, SealContext(namespace.name, credential_id, use))

    def seal_shared_key(self, namespace: Namespace, identity_id: int, key: bytes) -> bytes:
        """Seal the symmetric key of a service identity, as `seal` does."""
        return sealing.seal(self._sealing_key(), key, SealContext(namespace.name, identity_id, SHARED_KEY))

    def seal_password(self, namespace: Namespace, identity_id: int, password: bytes) -> bytes:
        """Seal the password of a service identity that keeps it recoverable, as `seal` does."""
        return sealing.seal(self._sealing_key(), password, SealContext(namespace.name, identity_id, PASSWORD))

    def fingerprint(self, key: bytes) -> str:
        """Answer the 64 hexadecimal digits that name a symmetric key and tell nothing about it.

        They outlast a rotation of the master key. Raises KeyUnreadable, StoreUnavailable on its first use.
        """
        return sealing.fingerprint(self._known_fingerprint_key(), key)

    def derived_key(self, purpose: bytes) -> bytes:
        """Answer 32 bytes for one purpose, the same in every process, also after a rotation of the master key.

        Raises KeyUnreadable, StoreUnavailable on the first use of the fingerprint key.
        """
        return sealing.derived_key(self._known_fingerprint_key(), purpose)

    def drop(self, changes: Sequence[Touched]) -> None:
        """Forget the keys of credentials that changed, which may have been destroyed."""
        with self._lock:
            for change in changes:
                if change.kind == ChangeKind.CREDENTIAL:
                    self._signers.drop(int(change.key))
                    self._decrypters.drop(int(change.key))
                    self._authorities.drop(int(change.key))
                    self._signing_keys.drop(int(change.key))
            if any(change.kind == ChangeKind.SERVICE_IDENTITY for change in changes):
                self._shared_keys.clear()
                self._passwords.clear()

    def drop_all(self) -> None:
        """Forget every key."""
        with self._lock:
            self._signers.clear()
            self._decrypters.clear()
            self._authorities.clear()
            self._shared_keys.clear()
            self._passwords.clear()
            self._signing_keys.clear()

    def _load_signer(self, namespace: Namespace, credential: Credential) -> SoftwareSigner:
        with self._lock:
            secret = self._read(namespace, credential)
            if credential.kind is Kind.SYMMETRIC:
                key_id = base64.urlsafe_b64encode(bytes.fromhex(credential.thumbprint)).rstrip(b"=").decode("ascii")
                signer = SoftwareSigner.from_symmetric(secret, key_id)
            else:
                signer = SoftwareSigner.from_private_key(load_private_key(secret), _certificate(credential))
            self._signers.put(credential.id, signer)
            return signer

    def _load_decrypter(self, namespace: Namespace, credential: Credential) -> SoftwareDecrypter:
        with self._lock:
            secret = self._read(namespace, credential)
            decrypter = SoftwareDecrypter.from_private_key(load_private_key(secret))
            self._decrypters.put(credential.id, decrypter)
            return decrypter

    def _load_authority(self, namespace: Namespace, credential: Credential) -> SoftwareAuthority:
        with self._lock:
            secret = self._read(namespace, credential)
            authority = SoftwareAuthority.from_private_key(load_private_key(secret), _certificate(credential))
            self._authorities.put(credential.id, authority)
            return authority

    def _read(self, namespace: Namespace, credential: Credential) -> bytes:
        """A secret that will be kept, and dropped when it changes."""
        with self._database.reading() as connection:
            self._database.feed.begin(connection)
            sealed = credentials.sealed_secret(connection, namespace, credential.id)
        return self.master_keys.unseal(sealed, SealContext(namespace.name, credential.id, credential.use))

    def _sealing_key(self) -> MasterKey:
        with self._database.reading() as connection:
            check = installation.sealing_check(connection)
        return self.master_keys.present() if check is None else self.master_keys.find(sealing.check_key_id(check))

    def _known_fingerprint_key(self) -> bytes:
        if self._fingerprint_key is None:
            self._fingerprint_key = self._load_fingerprint_key()
        return self._fingerprint_key

    def _load_fingerprint_key(self) -> bytes:
        with self._database.reading() as connection:
            sealed = installation.fingerprint_key(connection)
        if sealed is None:
            return self._sealing_key().fingerprint_key
        return self.master_keys.unseal(sealed, sealing.FINGERPRINT_CONTEXT)


def _certificate(credential: Credential) -> bytes:
    if credential.certificate is None:
        raise KeyUnreadable("the key has no certificate", detail=f"credential {credential.id} has no certificate")
    return credential.certificate
