"""What the entries of a configuration file have to do with each other and with what the database holds."""

from collections.abc import Iterator, Sequence
from typing import Final

from sts.core.claims import LOCAL_AUTHORITY
from sts.core.model import IdentityProvider, Kind, Use
from sts.core.vouchers import confusion
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.faults import Path, label
from sts.operations.configuration.model import Known, RelyingPartyEntry
from sts.operations.configuration.schema_faults import suggestion
from sts.operations.configuration.sources import Sources
from sts.store import namespaces

_UNIQUE: Final = (
    ("relying_parties", "name"),
    ("relying_parties", "realm"),
    ("identity_providers", "name"),
    ("identity_providers", "issuer"),
    ("service_identities", "name"),
    ("rule_groups", "name"),
)
_NAMED_BY_RELYING_PARTIES: Final = (("rule_groups", "rule group"), ("identity_providers", "identity provider"))


def check_unique(root: Entry) -> None:
    """Nothing that must be one of a kind is written twice."""
    for section, key in _UNIQUE:
        values = [((*entry.path, key), entry.text(key)) for entry in root.entries(section)]
        _check_unique(root, [(path, value) for path, value in values if value is not None])
    providers = root.entries("identity_providers")
    _check_unique(root, [found for entry in providers for found in entry.texts("email_domains")])


def _check_unique(root: Entry, values: list[tuple[Path, str]]) -> None:
    first: dict[str, Path] = {}
    for path, value in values:
        if value in first:
            line = root.faults.line_at(first[value])
            root.faults.add(path, f"'{value}' is {label(first[value])} already (line {line})")
        first.setdefault(value, path)


def check_references(root: Entry, known: Known) -> None:
    """Whatever is named exists: in the file, or in the database where the file has no such section."""
    held = {"rule_groups": known.rule_groups.keys(), "identity_providers": known.identity_providers.keys()}
    for section, noun in _NAMED_BY_RELYING_PARTIES:
        names = _names(root, section) if root.has(section) else set(held[section])
        for party in root.entries("relying_parties"):
            for path, name in party.texts(section):
                if name not in names:
                    root.faults.add(path, f"there is no {noun} '{name}'{suggestion(name, names)}")
    issuers = {LOCAL_AUTHORITY} | (
        _names(root, "identity_providers") if root.has("identity_providers") else set(known.identity_providers)
    )
    for pattern in _patterns(root):
        issuer = pattern.text("issuer")
        if issuer is not None and issuer not in issuers:
            near = suggestion(issuer, issuers)
            pattern.warn("issuer", f"no identity provider is named '{issuer}', so the rule never acts{near}")


def check_realms(root: Entry, known: Known) -> None:
    """A realm does not belong to a relying party that stays although the file leaves it out."""
    written = _names(root, "relying_parties")
    staying = {party.realm: name for name, party in known.relying_parties.items() if name not in written}
    for entry in root.entries("relying_parties"):
        realm = entry.text("realm")
        if realm in staying:
            sentence = f"'{realm}' is the realm of relying party '{staying[realm]}', which the file leaves out"
            entry.fault("realm", f"{sentence}: write that one too, or delete it with --prune")


def check_issuers(root: Entry, providers: Sequence[IdentityProvider], known: Known) -> None:
    """An issuer does not belong to an identity provider that stays although the file leaves it out.

    Of two identity providers with one issuer, none could be chosen by a token.
    """
    written = _names(root, "identity_providers")
    staying = {held.issuer: name for name, held in known.identity_providers.items() if name not in written}
    for entry, provider in zip(root.entries("identity_providers"), providers, strict=True):
        if provider.issuer is not None and provider.issuer in staying:
            holder = staying[provider.issuer]
            sentence = f"'{provider.issuer}' is the issuer of identity provider '{holder}', which the file leaves out"
            entry.fault("name", f"{sentence}: write that one too, or delete it with --prune")


def check_vouchers(root: Entry, providers: Sequence[IdentityProvider], sources: Sources) -> None:
    """No identity provider is taken for this service or for another one, be it in the file or stay without."""
    surroundings, known = sources.surroundings, sources.known
    written = _names(root, "identity_providers")
    staying = [held for name, held in known.identity_providers.items() if name not in written]
    others = [*providers, *([] if surroundings.prunes else staying)]
    issuer = namespaces.issuer(surroundings.base_url, root.text("namespace") or "")
    for entry, provider in zip(root.entries("identity_providers"), providers, strict=True):
        sentence = confusion(provider, issuer, others)
        if sentence is not None:
            key = next((key for key in ("issuer", "metadata") if entry.has(key)), "name")
            entry.fault(key, f"{sentence}; it needs a name and an issuer of its own")


def check_left_out(root: Entry, known: Known) -> None:
    """What pruning would delete is not needed by relying parties that the file does not speak of."""
    if root.has("relying_parties"):
        return
    for section, noun in _NAMED_BY_RELYING_PARTIES:
        if not root.has(section):
            continue
        names = _names(root, section)
        for party in known.relying_parties.values():
            needed = party.rule_groups if section == "rule_groups" else party.identity_providers
            for name in needed:
                if name not in names:
                    root.fault(section, f"{noun} '{name}' is left out, but relying party '{party.name}' needs it")


def warn_of_shared_keys(root: Entry, parties: tuple[RelyingPartyEntry, ...], known: Known) -> None:
    """Who holds the namespace's symmetric key can make tokens for everyone else who relies on it."""
    for entry, read in zip(root.entries("relying_parties"), parties, strict=True):
        if read.party.kind is not Kind.SYMMETRIC:
            continue
        living = [c for c in known.credentials(read.party.name) if c.deleted_at is None]
        kinds = {c.kind for c in living if c.use is Use.SIGNING} | {c.kind for c in read.credentials}
        if Kind.SYMMETRIC in kinds:
            continue
        because = "its own certificates do not sign, as its tokens take a symmetric key; " if kinds else ""
        entry.warn(
            "name",
            f"{because}the namespace's symmetric key signs for it, and whoever verifies with that key can make "
            "tokens for every other relying party that uses it; a dedicated key cannot",
        )


def _names(root: Entry, section: str) -> set[str]:
    return {name for entry in root.entries(section) if (name := entry.text("name")) is not None}


def _patterns(root: Entry) -> Iterator[Entry]:
    for group in root.entries("rule_groups"):
        for rule in group.entries("rules"):
            yield from (pattern for key in ("input", "and") if (pattern := rule.entry(key)) is not None)
