"""What of a partner's metadata may be believed: its certificates, its signature, whom it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sts.core.errors import InvalidCertificate, InvalidMetadata
from sts.core.model import IdentityProvider, MetadataSource, PartnerCertificate, RelyingParty
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.protocols.partner_metadata import PartnerMetadata, SignatureState


class Consent(StrEnum):
    """What a person has said to a document."""

    NONE = "none"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Policy:
    """By what a document is judged, and whether a person has agreed to it."""

    now: datetime
    roots: tuple[bytes, ...] = field(repr=False)  # DER
    consent: Consent = Consent.NONE

    @property
    def is_agreed(self) -> bool:
        """Whether a person has agreed to what the document says."""
        return self.consent is Consent.GIVEN

    def accepts_news(self, document: PartnerMetadata) -> bool:
        """Whether what is new in the document needs nobody's word."""
        return self.is_agreed or document.signature is SignatureState.TRUSTED

    def withholds(self, document: PartnerMetadata, source: MetadataSource | None) -> bool:
        """Whether nothing of the document counts: it lacks the signature that it had."""
        return source is not None and source.signed and not self.accepts_news(document)

    def has_signed(
        self, document: PartnerMetadata, source: MetadataSource, trusted: Sequence[PartnerCertificate]
    ) -> bool:
        """Whether the document is to be signed by a trusted certificate from now on; `trusted` are those of now."""
        if document.signature is SignatureState.TRUSTED:
            return True
        if self.is_agreed:
            return document.signer in {each.der for each in trusted}
        return source.signed


def check_entity(known: str | None, document: PartnerMetadata, policy: Policy) -> None:
    """Somebody else's document must not take a partner's place; raises InvalidMetadata (threats, M12)."""
    if known is not None and known != document.entity_id:
        require_agreement(f"the document is about {document.entity_id}, and this partner is {known}", policy)


def check_by_hand(partner: IdentityProvider | RelyingParty, policy: Policy) -> None:
    """What a person wrote is not replaced by a document without a person; raises InvalidMetadata."""
    if partner.id and partner.metadata is None:
        require_agreement(f"'{partner.name}' is written by hand, and the document would take the place of that", policy)


def require_agreement(sentence: str, policy: Policy) -> None:
    """Return if a person has agreed; raises InvalidMetadata."""
    if not policy.is_agreed:
        raise InvalidMetadata(f"{sentence}: nothing is changed until `sts metadata import --accept`")


def check_signature(document: PartnerMetadata, known: Sequence[PartnerCertificate]) -> list[str]:
    """A signature that does not fit is worse than none where one could tell (threats, M15); answers warnings."""
    if document.signature is not SignatureState.BROKEN:
        return []
    if known:
        raise InvalidMetadata("the document's signature is broken: it was changed after it was signed")
    return ["the document's signature is broken: it was changed after it was signed"]


def vouching(known: Sequence[PartnerCertificate], source: MetadataSource | None) -> tuple[bytes, ...]:
    """The certificates (DER) whose signature under a document counts: not those that the last one named no more."""
    vanished = () if source is None else source.vanished
    return tuple(each.der for each in known if each.thumbprint not in vanished)


def usable(
    ders: Sequence[bytes], purpose: Purpose, known: Sequence[PartnerCertificate], policy: Policy
) -> tuple[tuple[PartnerCertificate, ...], list[str]]:
    """Those certificates that may be trusted, and why others may not; what is trusted already is not judged again."""
    found: dict[bytes, PartnerCertificate] = {}
    warnings: list[str] = []
    trusted = {each.der: each for each in known}
    for der in ders:
        if der in trusted:
            found[der] = trusted[der]
            continue
        try:
            loaded = certificates.load(der)
            odd = certificates.accept(loaded, policy.now, purpose=purpose, roots=policy.roots)
        except InvalidCertificate as error:
            warnings.append(f"a certificate of the document is passed over: {error.message}")
            continue
        warnings += (f"{loaded.subject}: {warning}" for warning in odd)
        found[der] = PartnerCertificate(der, loaded.subject, loaded.thumbprint, loaded.not_before, loaded.not_after)
    return tuple(found.values()), warnings


def awaited(source: MetadataSource | None) -> Mapping[str, str]:
    """What waits for a person, each with what is the matter with it."""
    if source is None:
        return {}
    return {
        **{f"the certificate {c.subject} ({c.thumbprint})": "is new and not trusted" for c in source.pending},
        **{f"the reply address {address}": "is new and not used" for address in source.pending_reply},
        **{str(each): "is in the document and not used" for each in source.withheld},
    }


def waiting(source: MetadataSource) -> tuple[str, ...]:
    """What waits for a person, as sentences."""
    return tuple(f"{what} {matter}" for what, matter in awaited(source).items())
