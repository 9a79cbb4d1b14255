"""The `relying_parties:` of a configuration file."""

from datetime import timedelta
from typing import Final

from sts.core.credentials import instant
from sts.core.model import ContentEncryption, Kind, PartnerCertificate, RelyingParty, TokenFormat
from sts.crypto.certificates import Purpose
from sts.operations.configuration.addresses import check_realm, check_url
from sts.operations.configuration.credential_entries import read_credentials
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.metadata_entries import described_party
from sts.operations.configuration.model import RelyingPartyEntry
from sts.operations.configuration.sources import Sources

_REALM: Final = "the URI it is known by, unless a metadata document says it"


def read_relying_party(entry: Entry, sources: Sources) -> RelyingPartyEntry:
    """Read one relying party; what is wrong with it is added to the entry's faults."""
    name = entry.text("name") or ""
    written = entry.text("token_format")
    token_format = TokenFormat(written) if written is not None else None
    base_url = sources.surroundings.base_url
    is_required = entry.text("encryption") == "required"
    party = RelyingParty(
        id=0,
        name=name,
        realm=entry.parsed("realm", check_realm) or "",
        token_format=token_format or TokenFormat.JWT,
        signing=_signing(entry, token_format),
        token_lifetime=timedelta(seconds=entry.number("token_lifetime") or 600),
        reply=entry.all_parsed("reply", lambda url: check_url(url, base_url)),
        error_url=entry.parsed("error_url", lambda url: check_url(url, base_url)),
        encryption_required=is_required,
        encryption_certificate=_encryption_certificate(entry, sources),
        encryption_algorithm=ContentEncryption(entry.text("encryption_algorithm") or ContentEncryption.AES256_CBC),
        proof_of_possession=entry.flag("proof_of_possession", default=False),
        managed=entry.flag("managed", default=False),
        enabled=entry.flag("enabled", default=True),
        jwt_type=entry.text("jwt_type") or "JWT",
        identity_providers=tuple(value for _, value in entry.texts("identity_providers")),
        rule_groups=tuple(value for _, value in entry.texts("rule_groups")),
    )
    if entry.has("metadata"):
        party = described_party(entry, party, sources)
    elif not entry.has("realm"):
        entry.faults.add(entry.path, f"'realm' is missing: {_REALM}")
    credentials = read_credentials(entry, name, sources)
    if token_format is not None:
        _check_format(entry, party)
    _check_encryption(entry, party, sources)
    _check_managed(entry, party, sources)
    return RelyingPartyEntry(party, credentials)


def _signing(entry: Entry, token_format: TokenFormat | None) -> Kind:
    written = entry.text("signing")
    if written is None or token_format is None:
        return Kind.CERTIFICATE
    if token_format is TokenFormat.JWT:
        return Kind(written)
    fixed = Kind.SYMMETRIC if token_format is TokenFormat.SWT else Kind.CERTIFICATE
    if written != fixed:
        entry.fault("signing", f"{token_format} tokens are signed by a {fixed} credential; signing is a choice for jwt")
    return Kind.CERTIFICATE


def _encryption_certificate(entry: Entry, sources: Sources) -> PartnerCertificate | None:
    found = entry.parsed("encryption_certificate", lambda value: sources.certificate(value, Purpose.ENCRYPTION))
    if found is None:
        return None
    certificate, warnings = found
    for warning in warnings:
        entry.warn("encryption_certificate", warning)
    return certificate


def _check_format(entry: Entry, party: RelyingParty) -> None:
    """What only some formats have."""
    if not party.token_format.is_saml:
        for key in ("encryption_certificate", "encryption_algorithm"):
            if entry.has(key):
                entry.fault(key, f"only SAML tokens can be encrypted, and the format here is {party.token_format}")
        if party.encryption_required:
            entry.fault("encryption", f"only SAML tokens can be encrypted, and the format here is {party.token_format}")
    if party.token_format is not TokenFormat.JWT and entry.has("jwt_type"):
        entry.fault("jwt_type", f"jwt_type has no meaning for {party.token_format}")


def _check_encryption(entry: Entry, party: RelyingParty, sources: Sources) -> None:
    """Encryption that is required must be possible (design, section 2, "Encryption")."""
    if party.proof_of_possession and not party.encryption_required:
        entry.fault("proof_of_possession", "proof-of-possession tokens need encryption: required")
    if not party.encryption_required:
        return
    certificate = party.encryption_certificate
    if certificate is None:
        if party.token_format.is_saml and not entry.has("encryption_certificate"):
            entry.fault("encryption", "encryption: required needs an encryption_certificate")
        return
    now = sources.surroundings.now.replace(microsecond=0)
    if certificate.not_before > now:
        entry.fault("encryption_certificate", f"the certificate is not valid before {instant(certificate.not_before)}")
    if certificate.not_after < now:  # only one that was pinned before: `accept` refuses a new one
        sentence = f"the certificate expired on {instant(certificate.not_after)}; no token can be issued"
        entry.warn("encryption_certificate", sentence)


def _check_managed(entry: Entry, party: RelyingParty, sources: Sources) -> None:
    if not party.managed:
        return
    if any(entry.entries("credentials")):
        entry.fault("managed", "a managed relying party uses the namespace's credentials; take its own away")
    elif any(c.deleted_at is None for c in sources.known.credentials(party.name)):
        entry.fault("managed", "this relying party holds credentials of its own; delete them before it is managed")
