"""The secrets behind credentials: unsealed on first use, kept by credential id (core.ports.KeyRing)."""

import base64
from collections.abc import Sequence
from threading import Lock
from typing import Final

from sts.core.errors import KeyUnreadable
from sts.core.model import Credential, Kind, Namespace, ServiceIdentity
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey, SealContext
from sts.crypto.signer import SoftwareSigner, load_private_key
from sts.store import credentials, service_identities
from sts.store.bounded import BoundedMap
from sts.store.changes import ChangeKind, Touched
from sts.store.database import Database

MOST_KEYS: Final = 20_000

_SHARED_KEY: Final = "service-identity"


class SealedKeyRing:
    """Opens the secrets of one database with its master key."""

    def __init__(self, database: Database, master: MasterKey) -> None:
        self._database = database
        self._master = master
        self._lock = Lock()
        self._signers: BoundedMap[int, SoftwareSigner] = BoundedMap(MOST_KEYS)
        self._shared_keys: BoundedMap[int, tuple[ServiceIdentity, bytes]] = BoundedMap(MOST_KEYS)
        database.feed.subscribe(self)

    def signer(self, namespace: Namespace, credential: Credential) -> SoftwareSigner:
        """Answer the signer of a credential; raises KeyUnreadable, StoreUnavailable on its first use."""
        return self._signers.get(credential.id) or self._load_signer(namespace, credential)

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
            key = sealing.unseal(self._master, sealed, SealContext(namespace.name, identity.id, _SHARED_KEY))
            self._shared_keys.put(identity.id, (identity, key))
            return key

    def secret(self, namespace: Namespace, credential: Credential) -> bytes:
        """Answer a credential's secret, PKCS#8 DER or 32 bytes, for an export or a self-test; raises KeyUnreadable."""
        with self._database.reading() as connection:
            sealed = credentials.sealed_secret(connection, namespace, credential.id)
        return sealing.unseal(self._master, sealed, SealContext(namespace.name, credential.id, credential.use))

    def seal(self, namespace: Namespace, credential_id: int, use: str, secret: bytes) -> bytes:
        """Seal a credential's secret, so that it opens only as that credential's, for that use."""
        return sealing.seal(self._master, secret, SealContext(namespace.name, credential_id, use))

    def seal_shared_key(self, namespace: Namespace, identity_id: int, key: bytes) -> bytes:
        """Seal the symmetric key of a service identity."""
        return sealing.seal(self._master, key, SealContext(namespace.name, identity_id, _SHARED_KEY))

    def fingerprint(self, key: bytes) -> str:
        """Answer the 64 hexadecimal digits that name a symmetric key and tell nothing about it."""
        return sealing.fingerprint(self._master, key)

    def drop(self, changes: Sequence[Touched]) -> None:
        """Forget the keys of credentials that changed, which may have been destroyed."""
        with self._lock:
            for change in changes:
                if change.kind == ChangeKind.CREDENTIAL:
                    self._signers.drop(int(change.key))
            if any(change.kind == ChangeKind.SERVICE_IDENTITY for change in changes):
                self._shared_keys.clear()

    def drop_all(self) -> None:
        """Forget every key."""
        with self._lock:
            self._signers.clear()
            self._shared_keys.clear()

    def _load_signer(self, namespace: Namespace, credential: Credential) -> SoftwareSigner:
        with self._lock:
            with self._database.reading() as connection:
                self._database.feed.begin(connection)
                sealed = credentials.sealed_secret(connection, namespace, credential.id)
            signer = self._signer(namespace, credential, sealed)
            self._signers.put(credential.id, signer)
            return signer

    def _signer(self, namespace: Namespace, credential: Credential, sealed: bytes) -> SoftwareSigner:
        secret = sealing.unseal(self._master, sealed, SealContext(namespace.name, credential.id, credential.use))
        if credential.kind is Kind.SYMMETRIC:
            key_id = base64.urlsafe_b64encode(bytes.fromhex(credential.thumbprint)).rstrip(b"=").decode("ascii")
            return SoftwareSigner.from_symmetric(secret, key_id)
        if credential.certificate is None:
            raise KeyUnreadable("the key has no certificate", detail=f"credential {credential.id} has no certificate")
        return SoftwareSigner.from_private_key(load_private_key(secret), credential.certificate)
