"""Reads a configuration file: every fault at once, each with its line."""

from dataclasses import replace
from functools import partial

from sts.operations.configuration.credential_entries import read_credentials
from sts.operations.configuration.document import line_of, plain, read_document
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.faults import Faults
from sts.operations.configuration.metadata_entries import check_documented
from sts.operations.configuration.model import Configuration, Known, KnownOf, Surroundings
from sts.operations.configuration.namespace_entries import read_hosts, read_name, read_rollover, read_session
from sts.operations.configuration.partner_entries import read_identity_provider, read_rule_group, read_service_identity
from sts.operations.configuration.references import (
    check_issuers,
    check_left_out,
    check_realms,
    check_references,
    check_unique,
    check_vouchers,
    warn_of_shared_keys,
)
from sts.operations.configuration.relying_party_entries import read_relying_party
from sts.operations.configuration.schema_faults import check_schema
from sts.operations.configuration.sources import Sources


def read_configuration(content: bytes, surroundings: Surroundings, known_of: KnownOf) -> Configuration:
    """Read and judge a configuration file.

    `known_of` answers what the database holds of a namespace: what a file may refer to without describing it, and
    which certificates and keys are not new. Raises InvalidConfiguration with all faults.
    """
    faults = Faults()
    root = read_document(content, faults)
    if root is None:
        faults.raise_if_any()
        raise AssertionError("an unreadable document has a fault")
    faults.line_at = partial(line_of, root)
    data = plain(root)
    broken = check_schema(data, faults)
    if not isinstance(data, dict):
        faults.raise_if_any()
        raise AssertionError("the schema refuses what is no mapping")
    name = data.get("namespace")
    known = known_of(name) if isinstance(name, str) and ("namespace",) not in broken else Known()
    configuration = _read(Entry((), data, faults, broken), Sources(surroundings, known))
    faults.raise_if_any()
    return configuration


def _read(root: Entry, sources: Sources) -> Configuration:
    known = sources.known
    parties = tuple(read_relying_party(each, sources) for each in root.entries("relying_parties"))
    providers = tuple(read_identity_provider(each, sources) for each in root.entries("identity_providers"))
    identities = tuple(read_service_identity(each, sources) for each in root.entries("service_identities"))
    groups = tuple(read_rule_group(each) for each in root.entries("rule_groups"))
    configuration = Configuration(
        namespace=read_name(root),
        hosts=read_hosts(root, sources),
        session=read_session(root),
        rollover=read_rollover(root, sources.surroundings.defaults),
        credentials=read_credentials(root, None, sources),
        relying_parties=parties if root.has("relying_parties") else None,
        identity_providers=providers if root.has("identity_providers") else None,
        service_identities=identities if root.has("service_identities") else None,
        rule_groups=groups if root.has("rule_groups") else None,
    )
    check_unique(root)
    check_documented(root, parties, providers)
    check_references(root, known)
    check_vouchers(root, providers, sources)
    if sources.surroundings.prunes:
        check_left_out(root, known)
    else:
        check_realms(root, known)
        check_issuers(root, providers, known)
    warn_of_shared_keys(root, parties, known)
    return replace(configuration, warnings=root.faults.warnings)
