"""Loads what the database holds of the namespace that a configuration file speaks of."""

from collections.abc import Iterable

from sts.core.errors import NamespaceNotFound
from sts.core.model import IdentityProvider, RelyingParty, ServiceIdentity
from sts.operations.configuration.model import Known
from sts.store import identity_providers, namespaces, relying_parties, rule_groups, service_identities
from sts.store.connection import Connection


def load_known(connection: Connection, base_url: str, name: str) -> Known:
    """Everything a file of this namespace is read and compared against, in one consistent state."""
    hosts = {host: owner for host, owner in namespaces.list_hosts(connection).items() if owner != name}
    try:
        namespace = namespaces.find(connection, base_url, name)
    except NamespaceNotFound:
        return Known(hosts=hosts)
    parties = relying_parties.list_all(connection, namespace)
    providers = identity_providers.list_all(connection, namespace)
    identities = service_identities.list_all(connection, namespace)
    fingerprints = {
        identity.name: service_identities.symmetric_key_fingerprint(connection, namespace, identity) or ""
        for identity in identities
        if identity.has_symmetric_key
    }
    return Known(
        namespace=namespace,
        relying_parties={party.name: party for party in parties},
        identity_providers={provider.name: provider for provider in providers},
        service_identities={identity.name: identity for identity in identities},
        rule_groups={group.name: group for group in rule_groups.list_all(connection, namespace)},
        key_fingerprints=fingerprints,
        hosts=hosts,
        certificates=frozenset(_pinned(parties, providers, identities)),
    )


def _pinned(
    parties: Iterable[RelyingParty], providers: Iterable[IdentityProvider], identities: Iterable[ServiceIdentity]
) -> Iterable[bytes]:
    yield from (party.encryption_certificate.der for party in parties if party.encryption_certificate is not None)
    yield from (certificate.der for provider in providers for certificate in provider.certificates)
    yield from (identity.certificate.der for identity in identities if identity.certificate is not None)
