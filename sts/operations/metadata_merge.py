"""What becomes of a partner when its metadata is read: decides, and does nothing.

A new certificate is trusted by itself only when a certificate that was trusted before has signed the document.
Otherwise it waits for a person, and so does whatever tells where tokens go and what they are encrypted to. What the
document does not name any more stays until a person confirms it, and a certificate that is gone by that comes back by a
person alone: an old document is signed as well as a new one. A document that lacks the signature that it had changes
nothing at all without a person: who can replace it can leave the signature away.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from sts.core.errors import InvalidMetadata
from sts.core.model import ContentEncryption, IdentityProvider, MetadataSource, PartnerCertificate, RelyingParty
from sts.crypto.certificates import Purpose
from sts.crypto.xmldsig import MAX_CANDIDATES
from sts.operations.metadata_judging import (
    Consent,
    Policy,
    check_by_hand,
    check_entity,
    check_signature,
    require_agreement,
    usable,
)
from sts.protocols.partner_metadata import PartnerMetadata
from sts.protocols.partner_roles import ApplicationRole

T = TypeVar("T", IdentityProvider, RelyingParty)

MOST_DROPPED: Final = 64  # certificates and addresses that are known to have been trusted once

_UNSIGNED: Final = "the document is not signed as it was before: what it changes waits"

PROVIDER_KEYS: Final = ("issuer", "sign_in_url", "sign_out_url", "certificates", "display_name")
PARTY_KEYS: Final = ("realm", "reply", "encryption", "encryption_certificate", "encryption_algorithm")


@dataclass(frozen=True, slots=True)
class Merged(Generic[T]):
    """The partner as it will be, and what deserves attention."""

    partner: T
    warnings: tuple[str, ...] = ()


def new_source(location: str, overrides: Collection[str] = ()) -> MetadataSource:
    """The source of a document that nobody has read yet; `overrides` are the keys that a person has set."""
    return MetadataSource(location, entity_id="", overrides=tuple(sorted(overrides)))


def merge_provider(
    stored: IdentityProvider, source: MetadataSource, document: PartnerMetadata, policy: Policy
) -> Merged[IdentityProvider]:
    """The identity provider after a document was read.

    `stored` is what is known of it, with id 0 where nothing is: whoever registers a partner agrees to its document.
    `source` says what a person has set by hand. Raises InvalidMetadata for a document that must not be believed, or
    not without a person.
    """
    role = document.provider
    if role is None:
        raise InvalidMetadata("the document describes no identity provider")
    policy = policy if stored.id else replace(policy, consent=Consent.GIVEN)
    check_by_hand(stored, policy)
    check_entity(stored.issuer if stored.metadata is None else stored.metadata.entity_id, document, policy)
    broken = check_signature(document, stored.certificates)
    offered, odd = usable(role.certificates, Purpose.VERIFICATION, stored.certificates, policy)
    described: dict[str, Any] = {
        "issuer": document.entity_id,
        "sign_in_url": role.sign_in_url or stored.sign_in_url,
        "sign_out_url": role.sign_out_url or stored.sign_out_url,
        "display_name": role.display_name or stored.display_name,
    }
    described = _without(described, source.overrides)
    source, is_by_hand = replace(source, entity_id=document.entity_id), "certificates" in source.overrides
    if stored.certificates and not offered and not is_by_hand:
        raise InvalidMetadata("the document names no usable signing certificate any more; those that are known stay")
    if policy.withholds(document, source):
        odd.append(_UNSIGNED)
        new = tuple(each for each in offered if each not in stored.certificates)
        source = replace(source, pending=() if is_by_hand else new, withheld=_differing(described, stored))
        provider = replace(stored, metadata=source)
    else:
        pinned = stored.certificates if is_by_hand else _pin(stored, offered, document, policy)
        source = replace(source, signed=policy.has_signed(document, source, pinned), withheld=())
        source = _certified(source, stored.certificates, offered, pinned)
        provider = replace(stored, **described, certificates=pinned, metadata=source)
    has_come_to_life = stored.id != 0 and policy.is_agreed and not stored.certificates
    enabled = bool(provider.certificates) and (stored.enabled or has_come_to_life)
    return Merged(replace(provider, enabled=enabled), (*document.warnings, *broken, *odd, *_oddities(provider)))


def merge_party(
    stored: RelyingParty, source: MetadataSource, document: PartnerMetadata, policy: Policy
) -> Merged[RelyingParty]:
    """The relying party after a document was read; as `merge_provider`."""
    role = document.application
    if role is None:
        raise InvalidMetadata("the document describes no relying party")
    policy = policy if stored.id else replace(policy, consent=Consent.GIVEN)
    check_by_hand(stored, policy)
    check_entity(None if stored.metadata is None else stored.metadata.entity_id, document, policy)
    if "realm" not in source.overrides and role.realm != stored.realm:
        require_agreement(f"the realm is {role.realm} in the document, and {stored.realm} here", policy)
    broken = check_signature(document, source.signers)
    reply = _replies(stored, role.reply, document, policy)
    certificate, odd = _encryption(stored, role, policy)
    is_used = certificate == stored.encryption_certificate or _is_welcome(certificate, stored, document, policy)
    described: dict[str, Any] = {
        "realm": role.realm,
        "reply": reply,
        "encryption_certificate": certificate if is_used else stored.encryption_certificate,
        "encryption_algorithm": role.encryption or stored.encryption_algorithm,
    }
    noted = _noted(
        replace(_signed(source, document, policy), entity_id=document.entity_id), role, described, certificate
    )
    noted = replace(noted, dropped=_party_dropped(noted, stored, described, policy))
    if not stored.token_format.is_saml:
        odd += _unencrypted(described, stored)
        noted = replace(noted, pending=())
    if policy.withholds(document, source):
        odd.append(_UNSIGNED)
        algorithm = {"encryption_algorithm": described.pop("encryption_algorithm")}
        other = _differing(_without(algorithm, source.overrides), stored)
        noted = replace(noted, vanished=source.vanished, withheld=(*noted.withheld, *other))
    source = _settled(noted)
    party = replace(stored, **_without(described, source.overrides), metadata=source)
    if "encryption" not in source.overrides:
        party = replace(party, encryption_required=party.encryption_certificate is not None)
    return Merged(party, (*document.warnings, *broken, *odd))


def _certified(
    source: MetadataSource,
    known: Sequence[PartnerCertificate],
    offered: Sequence[PartnerCertificate],
    pinned: Sequence[PartnerCertificate],
) -> MetadataSource:
    """The source with what waits and what is gone of the certificates, unless a person has set those."""
    if "certificates" in source.overrides:
        return replace(source, pending=(), vanished=())
    return replace(
        source,
        pending=tuple(each for each in offered if each not in pinned),
        vanished=tuple(each.thumbprint for each in pinned if each not in offered),
        dropped=_dropped(source.dropped, known, pinned),
    )


def _signed(source: MetadataSource, document: PartnerMetadata, policy: Policy) -> MetadataSource:
    """The source with those who may sign its document from now on; one that was let go comes back by a person alone."""
    offered, _ = usable(document.signers, Purpose.VERIFICATION, source.signers, policy)
    signers = source.signers
    if policy.accepts_news(document):
        signers = tuple(each for each in offered if policy.is_agreed or _as_signer(each) not in source.dropped)
    gone = (_as_signer(each) for each in source.signers if each not in signers)
    present = {_as_signer(each) for each in signers}
    is_signed = policy.has_signed(document, source, signers)
    refused = (f"the signer {each.subject} ({each.thumbprint})" for each in offered if each not in signers)
    return replace(
        source,
        signers=signers,
        dropped=tuple(each for each in dict.fromkeys((*source.dropped, *gone)) if each not in present)[-MOST_DROPPED:],
        signed=is_signed,
        withheld=tuple(refused) if is_signed else (),
    )


def _noted(
    source: MetadataSource, role: ApplicationRole, described: dict[str, Any], certificate: PartnerCertificate | None
) -> MetadataSource:
    """The source with what waits and what is gone of reply addresses and of the encryption certificate."""
    reply = described["reply"]
    return replace(
        source,
        pending=() if certificate in (None, described["encryption_certificate"]) else (certificate,),
        pending_reply=tuple(each for each in role.reply if each not in reply),
        vanished=tuple(each for each in reply if each not in role.reply),
    )


def _as_signer(certificate: PartnerCertificate) -> str:
    """How a signer is kept among what was let go: its certificate may still be good for encryption."""
    return f"signer {certificate.thumbprint}"


def _differing(described: dict[str, Any], stored: IdentityProvider | RelyingParty) -> tuple[str, ...]:
    """What a document describes otherwise than it is here, for people."""
    return tuple(f"the {key} {value}" for key, value in described.items() if value != getattr(stored, key))


def _pin(
    stored: IdentityProvider,
    offered: tuple[PartnerCertificate, ...],
    document: PartnerMetadata,
    policy: Policy,
) -> tuple[PartnerCertificate, ...]:
    """The certificates that are trusted from now on, in the document's order, those that it lacks last."""
    known, dropped = stored.certificates, () if stored.metadata is None else stored.metadata.dropped
    if policy.is_agreed:
        return offered
    news = [each for each in offered if policy.accepts_news(document) and each.thumbprint not in dropped]
    trusted = tuple(each for each in offered if each in known or each in news)
    has_living = any(each.not_after >= policy.now for each in trusted)
    gone = (each for each in known if each not in offered)
    return (*trusted, *(each for each in gone if not has_living or each.not_after >= policy.now))


def _dropped(
    before: tuple[str, ...], known: Sequence[PartnerCertificate], pinned: Sequence[PartnerCertificate]
) -> tuple[str, ...]:
    """Which certificates were trusted once and are not any more, the latest last."""
    gone = (each.thumbprint for each in known if each not in pinned)
    present = {each.thumbprint for each in pinned}
    return tuple(each for each in dict.fromkeys((*before, *gone)) if each not in present)[-MOST_DROPPED:]


def _oddities(provider: IdentityProvider) -> list[str]:
    found = []
    if "{" in (provider.issuer or ""):
        found.append(f"the entity ID {provider.issuer} has a placeholder in it: set issuer by hand")
    if not provider.certificates:
        found.append("the provider is disabled, because the document names no usable signing certificate")
    if len(provider.certificates) > MAX_CANDIDATES:
        count = len(provider.certificates)
        found.append(f"of its {count} signing certificates only the first {MAX_CANDIDATES} that are valid count")
    return found


def _is_welcome(
    certificate: PartnerCertificate | None, stored: RelyingParty, document: PartnerMetadata, policy: Policy
) -> bool:
    """Whether tokens may be encrypted to another certificate from now on without a person."""
    dropped = () if stored.metadata is None else stored.metadata.dropped
    is_new = certificate is None or certificate.thumbprint not in dropped
    return policy.is_agreed or (is_new and policy.accepts_news(document))


def _party_dropped(
    source: MetadataSource, stored: RelyingParty, described: dict[str, Any], policy: Policy
) -> tuple[str, ...]:
    """What was used once and is not any more by a person's word, the latest last: reply addresses, thumbprints."""
    reply, certificate = described["reply"], described["encryption_certificate"]
    former = (stored.encryption_certificate,) if policy.is_agreed else ()
    gone = (*stored.reply, *(each.thumbprint for each in former if each is not None))
    present = {*reply, *(() if certificate is None else (certificate.thumbprint,))}
    return tuple(each for each in dict.fromkeys((*source.dropped, *gone)) if each not in present)[-MOST_DROPPED:]


def _replies(
    stored: RelyingParty, offered: tuple[str, ...], document: PartnerMetadata, policy: Policy
) -> tuple[str, ...]:
    """The reply addresses that are used from now on, in the document's order, those that it lacks last."""
    if policy.is_agreed:
        return offered
    known, dropped = stored.reply, () if stored.metadata is None else stored.metadata.dropped
    news = [each for each in offered if policy.accepts_news(document) and each not in dropped]
    used = tuple(each for each in offered if each in known or each in news)
    return (*used, *(each for each in known if each not in offered))


def _encryption(
    stored: RelyingParty, role: ApplicationRole, policy: Policy
) -> tuple[PartnerCertificate | None, list[str]]:
    """The first certificate of the document that can be encrypted to; the stored one where there is none."""
    known = () if stored.encryption_certificate is None else (stored.encryption_certificate,)
    offered, odd = usable(role.certificates, Purpose.ENCRYPTION, known, policy)
    if known and not offered:
        odd.append("the document names no usable encryption certificate any more; the one that is known stays")
    return next(iter((*offered, *known)), None), odd


def _unencrypted(described: dict[str, Any], stored: RelyingParty) -> list[str]:
    has_certificate = described["encryption_certificate"] is not None
    described.update(encryption_certificate=None, encryption_algorithm=ContentEncryption.AES256_CBC)
    if not has_certificate:
        return []
    return [f"its encryption certificate is of no use: only SAML is encrypted, and the format is {stored.token_format}"]


def _settled(source: MetadataSource) -> MetadataSource:
    """Nothing waits of what a person has set by hand."""
    if "reply" in source.overrides:
        source = replace(source, pending_reply=(), vanished=())
    return replace(source, pending=()) if "encryption_certificate" in source.overrides else source


def _without(described: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key not in overrides}
