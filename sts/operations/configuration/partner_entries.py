"""The `identity_providers:`, `service_identities:` and `rule_groups:` of a configuration file."""

import re
from typing import Final

from sts.core.credentials import instant
from sts.core.model import (
    ClaimPattern,
    ContentEncryption,
    IdentityProvider,
    PartnerCertificate,
    ProviderKind,
    Rule,
    RuleGroup,
    ServiceIdentity,
)
from sts.crypto.certificates import Purpose
from sts.crypto.passwords import PASSWORD_LIMIT
from sts.operations.configuration.addresses import check_host, check_url
from sts.operations.configuration.entries import Entry
from sts.operations.configuration.metadata_entries import described_provider
from sts.operations.configuration.model import ServiceIdentityEntry
from sts.operations.configuration.sources import Sources

SHORT_PASSWORD: Final = 8  # characters
_UNWRITABLE: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")  # XML 1.0, 2.2
_NOT_LOCAL: Final = (
    *("metadata", "issuer", "sign_in_url", "sign_out_url", "certificates"),
    *("unsolicited", "allow_sha1", "decryption"),
)


def read_identity_provider(entry: Entry, sources: Sources) -> IdentityProvider:
    """Read one identity provider; what is wrong with it is added to the entry's faults."""
    kind = ProviderKind(entry.text("kind") or ProviderKind.WS_FEDERATION)
    base_url = sources.surroundings.base_url
    decryption = entry.text("decryption") or "none"
    provider = IdentityProvider(
        id=0,
        name=entry.text("name") or "",
        kind=kind,
        issuer=entry.parsed("issuer", _check_line),
        sign_in_url=entry.parsed("sign_in_url", lambda url: check_url(url, base_url)),
        sign_out_url=entry.parsed("sign_out_url", lambda url: check_url(url, base_url)),
        certificates=_signing_certificates(entry, sources),
        email_domains=entry.all_parsed("email_domains", check_host),
        display_name=entry.parsed("display_name", _check_line),
        image=entry.parsed("image", lambda url: check_url(url, base_url)),
        enabled=entry.flag("enabled", default=True),
        unsolicited=entry.flag("unsolicited", default=False),
        allow_sha1=entry.flag("allow_sha1", default=False),
        decryption=None if decryption == "none" else ContentEncryption(decryption),
    )
    if kind is ProviderKind.WS_FEDERATION and entry.has("metadata"):
        return described_provider(entry, provider, sources)
    _check_kind(entry, kind)
    return provider


def _check_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("this is one line of text without control characters, and without blanks around it")
    return text


def _check_kind(entry: Entry, kind: ProviderKind) -> None:
    if kind is ProviderKind.LOCAL:
        for key in _NOT_LOCAL:
            if entry.has(key):
                entry.fault(key, f"{key} has no meaning for a local identity provider")
        return
    for key, why in (("issuer", "its tokens name it"), ("certificates", "nothing else proves that a token is its")):
        if not entry.has(key):
            entry.fault("name", f"{key} is missing: {why}")


def _signing_certificates(entry: Entry, sources: Sources) -> tuple[PartnerCertificate, ...]:
    found = entry.all_parsed("certificates", lambda value: sources.certificate(value, Purpose.VERIFICATION))
    for certificate, warnings in found:
        for warning in warnings:
            entry.warn("certificates", f"{certificate.subject}: {warning}")
        if certificate.not_after < sources.surroundings.now.replace(microsecond=0):
            entry.warn("certificates", f"{certificate.subject} expired on {instant(certificate.not_after)}")
    pinned = tuple(certificate for certificate, _ in found)
    if len({certificate.der for certificate in pinned}) < len(pinned):
        entry.fault("certificates", "the same certificate stands here twice")
    return pinned


def read_service_identity(entry: Entry, sources: Sources) -> ServiceIdentityEntry:
    """Read one service identity; what is wrong with it is added to the entry's faults."""
    name = entry.text("name") or ""
    password = entry.parsed("password", lambda reference: _check_password(sources.secret(reference)))
    if password is not None and len(password.decode("utf-8", "replace")) < SHORT_PASSWORD:
        entry.warn("password", f"the password has fewer than {SHORT_PASSWORD} characters")
    found = entry.parsed("certificate", lambda value: sources.certificate(value, Purpose.VERIFICATION))
    certificate, warnings = found or (None, ())
    for warning in warnings:
        entry.warn("certificate", warning)
    known = sources.known.service_identities.get(name)
    identity = ServiceIdentity(
        id=0,
        name=name,
        certificate=certificate,
        enabled=entry.flag("enabled", default=True),
        swt_without_expiry=entry.flag("swt_without_expiry", default=False),
        interactive=entry.flag("interactive", default=False),
        may_act=entry.flag("may_act", default=False),
        recoverable_password=entry.flag("recoverable_password", default=False),
    )
    has_password = entry.has("password") or (known is not None and known.password_hash is not None)
    has_key = entry.has("symmetric_key") or (known is not None and known.has_symmetric_key)
    if not (has_password or has_key or entry.has("certificate")):
        entry.warn("name", "it has no password, no symmetric key and no certificate, so it cannot authenticate")
    elif identity.interactive and not has_password:
        entry.warn("interactive", "without a password it cannot sign in at a form")
    is_kept = entry.has("password") or (known is not None and known.has_recoverable_password)
    if identity.recoverable_password and not is_kept:
        entry.warn("recoverable_password", "its password is stored only as a hash, if at all: write it here once more")
    return ServiceIdentityEntry(identity, password, entry.parsed("symmetric_key", sources.symmetric_key))


def _check_password(password: bytes) -> bytes:
    if len(password) > PASSWORD_LIMIT:
        raise ValueError(f"a password has at most {PASSWORD_LIMIT} bytes")
    return password


def read_rule_group(entry: Entry) -> RuleGroup:
    """Read one rule group; what is wrong with it is added to the entry's faults."""
    rules = tuple(_rule(rule) for rule in entry.entries("rules"))
    return RuleGroup(0, entry.text("name") or "", rules)


def _rule(entry: Entry) -> Rule:
    first, second, output = entry.entry("input"), entry.entry("and"), entry.entry("output")
    return Rule(
        input=_pattern(first) if first is not None else ClaimPattern(""),
        condition=_pattern(second) if second is not None else None,
        output_type=output.parsed("type", _check_claim) if output is not None else None,
        output_value=output.parsed("value", _check_claim) if output is not None else None,
    )


def _check_claim(text: str) -> str:
    if _UNWRITABLE.search(text) is not None:
        raise ValueError("this holds characters that no SAML token can carry")
    return text


def _pattern(entry: Entry) -> ClaimPattern:
    return ClaimPattern(entry.text("issuer") or "", entry.text("type"), entry.text("value"))
