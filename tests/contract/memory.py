"""Directory, KeyRing and ReplayCache in plain dictionaries, for tests that need no database."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Self

from sts.core.errors import KeyUnreadable, NamespaceNotFound, ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import (
    INSTALLATION,
    INSTALLATION_SCOPE,
    NAMESPACE_SCOPE,
    Credential,
    IdentityProvider,
    Kind,
    Namespace,
    RelyingParty,
    RuleGroup,
    ServiceIdentity,
    relying_party_scope,
)
from sts.crypto.authority import SoftwareAuthority
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.signer import SoftwareSigner, load_private_key
from tests.contract.sign_in import MemorySessions, MemorySignInRecords, MemorySignInStates


class MemoryDirectory:
    """What was put into it."""

    def __init__(self) -> None:
        self.namespaces: dict[str, Namespace] = {}
        self.rule_groups: dict[tuple[int, str], RuleGroup] = {}
        self.relying_parties: dict[tuple[int, str], RelyingParty] = {}
        self.service_identities: dict[tuple[int, str], ServiceIdentity] = {}
        self.providers: dict[tuple[int, str], IdentityProvider] = {}
        self.credentials: dict[int, tuple[int, Credential]] = {}

    def namespace(self, name: str) -> Namespace:
        if name not in self.namespaces:
            raise NamespaceNotFound(f"there is no namespace '{name}'")
        namespace = self.namespaces[name]
        return replace(namespace, credentials=self._scope(namespace, NAMESPACE_SCOPE))

    def relying_party(self, namespace: Namespace, realms: Sequence[str]) -> RelyingParty | None:
        found = next((known for realm in realms if (known := self.relying_parties.get((namespace.id, realm)))), None)
        if found is None:
            return None
        groups = [self.rule_groups[namespace.id, name] for name in found.rule_groups]
        rules = tuple(rule for group in groups for rule in group.rules)
        return replace(found, rules=rules, credentials=self._scope(namespace, relying_party_scope(found.id)))

    def service_identity(self, namespace: Namespace, name: str) -> ServiceIdentity | None:
        return self.service_identities.get((namespace.id, name))

    def certificate_owners(self, namespace: Namespace, certificate: bytes) -> tuple[str, ...]:
        owned = (
            identity.name
            for (owner, _), identity in self.service_identities.items()
            if owner == namespace.id and identity.certificate and identity.certificate.der == certificate
        )
        return tuple(sorted(owned))

    def identity_providers(self, namespace: Namespace) -> tuple[IdentityProvider, ...]:
        return tuple(self.providers[key] for key in sorted(self.providers) if key[0] == namespace.id)

    def roots(self) -> tuple[Credential, ...]:
        return self._scope(INSTALLATION, INSTALLATION_SCOPE)

    def _scope(self, namespace: Namespace, scope: str) -> tuple[Credential, ...]:
        return tuple(c for owner, c in self.credentials.values() if owner == namespace.id and c.scope == scope)


class MemoryKeyRing:
    """Secrets as they are."""

    def __init__(self) -> None:
        self.secrets: dict[int, bytes] = {}
        self.shared_keys: dict[int, bytes] = {}
        self.passwords: dict[int, bytes] = {}

    def signer(self, namespace: Namespace, credential: Credential) -> SoftwareSigner:
        if credential.id not in self.secrets:
            raise KeyUnreadable("the key is not there any more")
        secret = self.secrets[credential.id]
        if credential.kind is Kind.CERTIFICATE and credential.certificate:
            return SoftwareSigner.from_private_key(load_private_key(secret), credential.certificate)
        key_id = base64.urlsafe_b64encode(bytes.fromhex(credential.thumbprint)).rstrip(b"=").decode()
        return SoftwareSigner.from_symmetric(secret, key_id)

    def decrypter(self, namespace: Namespace, credential: Credential) -> SoftwareDecrypter:
        if credential.id not in self.secrets:
            raise KeyUnreadable("the key is not there any more")
        return SoftwareDecrypter.from_private_key(load_private_key(self.secrets[credential.id]))

    def authority(self, namespace: Namespace, credential: Credential) -> SoftwareAuthority:
        if credential.id not in self.secrets or credential.certificate is None:
            raise KeyUnreadable("the key is not there any more")
        return SoftwareAuthority.from_private_key(load_private_key(self.secrets[credential.id]), credential.certificate)

    def shared_key(self, namespace: Namespace, identity: ServiceIdentity) -> bytes:
        if identity.id not in self.shared_keys:
            raise KeyUnreadable("there is no such key")
        return self.shared_keys[identity.id]

    def recoverable_password(self, namespace: Namespace, identity: ServiceIdentity) -> bytes | None:
        return self.passwords.get(identity.id) if identity.has_recoverable_password else None

    def signing_key(self, namespace: Namespace, credential: Credential) -> bytes:
        if credential.id not in self.secrets:
            raise KeyUnreadable("the key is not there any more")
        return self.secrets[credential.id]


class MemoryReplayCache:
    """Uses in a dictionary; its `setdefault` lets one thread win."""

    def __init__(self) -> None:
        self.uses: dict[tuple[int, str, str], object] = {}

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        mine = object()
        if self.uses.setdefault((namespace.id, used.issuer, used.token_id), mine) is not mine:
            raise ReplayedToken("The token was used before.", decrypted_by=used.decrypted_by)

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        for made, use in enumerate(uses):
            try:
                self.use(namespace, use, now)
            except ReplayedToken:
                for taken in uses[:made]:
                    del self.uses[namespace.id, taken.issuer, taken.token_id]
                raise


class MemoryCancellations:
    """Cancelled tokens in a dictionary."""

    def __init__(self) -> None:
        self.ends: dict[tuple[int, str], datetime] = {}
        self.once: dict[tuple[int, str], datetime] = {}  # not renewed

    def cancel(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        self.ends.setdefault((namespace.id, token_id), expires_at)

    def is_cancelled(self, namespace: Namespace, token_id: str) -> bool:
        return (namespace.id, token_id) in self.ends

    def forbid_renewal(self, namespace: Namespace, token_id: str, expires_at: datetime, now: datetime) -> None:
        self.once.setdefault((namespace.id, token_id), expires_at)

    def is_renewable(self, namespace: Namespace, token_id: str) -> bool:
        return (namespace.id, token_id) not in self.once


class MemoryBackend:
    """The three fakes and the verbs that fill them."""

    def __init__(self) -> None:
        self.directory = MemoryDirectory()
        self.key_ring = MemoryKeyRing()
        self.replays = MemoryReplayCache()
        self.cancellations = MemoryCancellations()
        self.states = MemorySignInStates()
        self.sessions = MemorySessions()
        self.records = MemorySignInRecords(self.states, self.replays, self.sessions)
        self._ids = count(1)

    def other_process(self) -> Self:
        return self

    def settle(self) -> None:
        """Nothing is kept that could be out of date."""

    def save_namespace(self, namespace: Namespace) -> Namespace:
        stored = replace(namespace, id=namespace.id or next(self._ids))
        self.directory.namespaces[stored.name] = stored
        return stored

    def delete_namespace(self, namespace: Namespace) -> None:
        del self.directory.namespaces[namespace.name]
        self.sessions.deleted.add(namespace.id)

    def save_rule_group(self, namespace: Namespace, group: RuleGroup) -> RuleGroup:
        stored = replace(group, id=group.id or next(self._ids))
        self.directory.rule_groups[namespace.id, stored.name] = stored
        return stored

    def save_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> RelyingParty:
        known = self.directory.relying_parties
        for key in [key for key, other in known.items() if other.id == relying_party.id]:
            del known[key]
        stored = replace(relying_party, id=relying_party.id or next(self._ids))
        known[namespace.id, stored.realm] = stored
        return stored

    def delete_relying_party(self, namespace: Namespace, relying_party: RelyingParty) -> None:
        del self.directory.relying_parties[namespace.id, relying_party.realm]

    def save_service_identity(
        self, namespace: Namespace, identity: ServiceIdentity, key: bytes | None = None, password: bytes | None = None
    ) -> ServiceIdentity:
        stored = replace(identity, id=identity.id or next(self._ids))
        before = self.directory.service_identities.get((namespace.id, stored.name))
        if not stored.recoverable_password or before is None or before.password_hash != stored.password_hash:
            stored = replace(stored, has_recoverable_password=False)
        if password is not None:
            stored = replace(stored, has_recoverable_password=True)
            self.key_ring.passwords[stored.id] = password
        if key is not None:
            stored = replace(stored, has_symmetric_key=True)
            self.key_ring.shared_keys[stored.id] = key
        self.directory.service_identities[namespace.id, stored.name] = stored
        return stored

    def delete_service_identity(self, namespace: Namespace, identity: ServiceIdentity) -> None:
        del self.directory.service_identities[namespace.id, identity.name]

    def save_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> IdentityProvider:
        known = self.directory.providers
        for key in [key for key, other in known.items() if other.id == provider.id]:
            del known[key]
        stored = replace(provider, id=provider.id or next(self._ids))
        known[namespace.id, stored.name] = stored
        return stored

    def delete_identity_provider(self, namespace: Namespace, provider: IdentityProvider) -> None:
        del self.directory.providers[namespace.id, provider.name]

    def insert_credential(self, namespace: Namespace, credential: Credential, secret: bytes) -> Credential:
        stored = replace(credential, id=next(self._ids))
        self.directory.credentials[stored.id] = (namespace.id, stored)
        self.key_ring.secrets[stored.id] = secret
        return stored

    def delete_credential(self, namespace: Namespace, credential: Credential) -> None:
        tombstone = replace(credential, deleted_at=credential.not_before)
        self.directory.credentials[credential.id] = (namespace.id, tombstone)
        del self.key_ring.secrets[credential.id]
