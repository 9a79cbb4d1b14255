"""Reading partners' metadata: the shapes of real software, and how far a document is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sts.core.errors import InvalidMetadata
from sts.core.model import ContentEncryption
from sts.protocols import federation_metadata
from sts.protocols.federation_metadata import MetadataDescription
from sts.protocols.partner_metadata import PartnerMetadata, SignatureState, Wanted, read
from sts.protocols.partner_roles import ClaimOffer
from tests import partner_documents as documents
from tests.crypto.identities import NOW, certificate, signer
from tests.partner_documents import ADFS, AZURE, EMAIL, PORTAL, SHIBBOLETH, SIMPLESAML, UPN, Shape, several, signed

FIRST, SECOND, STRANGER = certificate("rsa2048"), certificate("rsa2048", "next"), certificate("rsa2048", "stranger")
ENCRYPTION = certificate("rsa2048", "encryption")
WANTED = Wanted("https://sts.example", NOW)


def found(document: bytes, **changes: object) -> PartnerMetadata:
    return read(document, replace(WANTED, **changes))


def test_ad_fs_is_an_identity_provider_and_a_relying_party_at_once() -> None:
    partner = found(documents.adfs(Shape(signing=(FIRST, SECOND), encryption=(ENCRYPTION,))))
    provider, application = partner.provider, partner.application
    assert partner.entity_id == ADFS
    assert provider is not None
    assert provider.sign_in_url == provider.sign_out_url == "https://adfs.contoso.example/adfs/ls/"
    assert provider.certificates == (FIRST, SECOND)
    assert provider.claims == (ClaimOffer(EMAIL, "E-Mail"), ClaimOffer(UPN, "UPN"))
    assert provider.display_name == "Contoso sign-in"
    assert application is not None
    assert application.realm == ADFS
    assert application.reply == ("https://adfs.contoso.example/adfs/ls/",)
    assert application.certificates == (ENCRYPTION,)
    assert (application.encryption, partner.signers, partner.warnings) == (None, (FIRST, SECOND), ())


@pytest.mark.parametrize("prefix", ["fed", "f", "ns0"])
def test_the_type_of_a_role_is_found_whatever_its_prefix(prefix: str) -> None:
    for document in (
        documents.adfs(Shape(prefix=prefix)),
        signed(documents.adfs(Shape(prefix=prefix)), signer("rsa2048")),
    ):
        provider = found(document).provider
        assert provider is not None
        assert provider.sign_in_url == "https://adfs.contoso.example/adfs/ls/"


def test_azure_ad_has_all_its_keys() -> None:
    shape = Shape(AZURE, (FIRST, SECOND), address="https://login.azure.example/0/wsfed")
    partner = found(signed(documents.azure(shape), signer("rsa2048")), trusted=(SECOND, FIRST))
    assert partner.signature is SignatureState.TRUSTED
    assert partner.provider is not None
    assert partner.provider.certificates == (FIRST, SECOND)
    assert partner.provider.sign_in_url == "https://login.azure.example/0/wsfed"
    assert partner.provider.display_name is None
    assert partner.application is not None
    assert (partner.application.realm, partner.application.certificates) == (AZURE, ())


def test_shibboleth_keys_without_a_use_are_for_signing_too() -> None:
    provider = found(
        documents.shibboleth(Shape(SHIBBOLETH, address="https://idp.university.example/idp/SAML2"))
    ).provider
    assert provider is not None
    assert provider.certificates == (FIRST,)
    assert provider.display_name == "The University"
    assert provider.sign_in_url == "https://idp.university.example/idp/SAML2/Redirect"
    assert provider.sign_out_url == "https://idp.university.example/idp/SAML2/SLO"


def test_simplesamlphp_is_told_to_speak_saml_only() -> None:
    partner = found(documents.simplesamlphp(Shape(SIMPLESAML, (FIRST, SECOND), address="https://idp.club.example/sso")))
    assert partner.provider is not None
    assert partner.provider.certificates == (FIRST, SECOND)
    assert partner.provider.display_name == "The Club"
    assert partner.application is None
    assert "names no WS-Federation endpoint" in partner.warnings[0]


def test_shibboleth_service_providers_have_an_endpoint_of_ws_federation_and_gcm() -> None:
    shape = Shape(PORTAL, encryption=(ENCRYPTION,), address="https://portal.example/Shibboleth.sso")
    application = found(documents.shibboleth_application(shape)).application
    assert application is not None
    assert application.realm == PORTAL
    assert application.reply == ("https://portal.example/Shibboleth.sso/ADFS",)
    assert application.encryption is ContentEncryption.AES256_GCM
    assert application.certificates == (ENCRYPTION,)


def test_our_own_document_is_read_in_both_roles() -> None:
    issuer = "https://sts.example/contoso/"
    description = MetadataDescription(issuer, (FIRST,), (ENCRYPTION,))
    partner = found(federation_metadata.build(description, signer("rsa2048")), trusted=(FIRST,))
    assert partner.signature is SignatureState.TRUSTED
    assert partner.provider is not None
    assert (partner.provider.sign_in_url, partner.provider.certificates) == (f"{issuer}v2/wsfederation", (FIRST,))
    assert partner.application is not None
    assert (partner.application.realm, partner.application.reply) == (issuer, (f"{issuer}v2/wsfederation",))
    assert partner.application.certificates == (ENCRYPTION,)


def test_one_of_several_partners_is_read_when_it_is_asked_for() -> None:
    both = several(documents.adfs(), documents.simplesamlphp(Shape(SIMPLESAML, address="https://idp.club.example/sso")))
    assert found(both, entity_id=SIMPLESAML).entity_id == SIMPLESAML
    with pytest.raises(InvalidMetadata, match="describes 2 partners: say which"):
        found(both)
    with pytest.raises(InvalidMetadata, match="does not describe urn:nobody"):
        found(both, entity_id="urn:nobody")


def test_the_signature_of_an_aggregate_counts_for_each_partner_in_it() -> None:
    both = several(documents.adfs(), documents.azure(Shape(AZURE)))
    partner = found(signed(both, signer("rsa2048", "next")), entity_id=AZURE, trusted=(SECOND,))
    assert (partner.entity_id, partner.signature) == (AZURE, SignatureState.TRUSTED)


SIGNATURES = [
    ("trusted", signed(documents.adfs(), signer("rsa2048")), (FIRST,), SignatureState.TRUSTED),
    ("own", signed(documents.adfs(), signer("rsa2048")), (STRANGER,), SignatureState.UNKNOWN),
    ("stranger's", signed(documents.adfs(), signer("rsa2048", "stranger")), (FIRST,), SignatureState.UNKNOWN),
    ("absent", documents.adfs(), (FIRST,), SignatureState.ABSENT),
    (
        "changed",
        signed(documents.adfs(), signer("rsa2048")).replace(b"/adfs/ls/", b"/evil/ls/"),
        (FIRST,),
        SignatureState.BROKEN,
    ),
]


@pytest.mark.parametrize(("document", "trusted", "state"), [s[1:] for s in SIGNATURES], ids=[s[0] for s in SIGNATURES])
def test_a_document_is_believed_as_far_as_its_signature_goes(
    document: bytes, trusted: tuple[bytes, ...], state: SignatureState
) -> None:
    assert found(document, trusted=trusted).signature is state


def test_a_signature_by_a_certificate_that_has_expired_is_whole_but_not_trusted() -> None:
    document = signed(documents.adfs(), signer("rsa2048"))
    assert found(document, trusted=(FIRST,), now=NOW + timedelta(days=3650)).signature is SignatureState.UNKNOWN


def test_what_stands_beside_the_signed_part_is_not_read() -> None:
    aggregate = several(signed(documents.adfs(), signer("rsa2048")), attributes=' validUntil="2026-12-01T00:00:00Z"')
    partner = found(aggregate, trusted=(FIRST,))
    assert partner.signature is SignatureState.TRUSTED
    assert partner.valid_until is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-01T00:00:00Z", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T02:00:00+02:00", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T00:00:00.5", datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_valid_until_may_lack_a_zone(written: str, meant: datetime) -> None:
    assert found(documents.adfs(Shape(attributes=f' validUntil="{written}"'))).valid_until == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [("PT6H", timedelta(hours=6)), ("P1DT30M", timedelta(days=1, minutes=30)), ("soon", None), ("P7D", timedelta(7))],
)
def test_the_cache_duration_is_read(written: str, meant: timedelta | None) -> None:
    assert found(documents.adfs(Shape(attributes=f' cacheDuration="{written}"'))).cache_duration == meant


def test_a_key_that_has_no_certificate_is_passed_over_and_told() -> None:
    document = (
        documents.adfs()
        .replace(b"<ds:X509Certificate>", b"<ds:Other>")
        .replace(b"</ds:X509Certificate>", b"</ds:Other>")
    )
    partner = found(document)
    assert partner.provider is not None
    assert partner.provider.certificates == ()
    assert partner.warnings == ("a key for signing comes without certificate and is passed over",)


@pytest.mark.parametrize(
    "document", [b"", b"<html/>", b"not xml", b"\x00", "<a/>".encode("utf-16"), b"<EntityDescriptor/>"]
)
def test_what_is_no_metadata_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidMetadata):
        found(document)
