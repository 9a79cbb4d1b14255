"""Importing partners' metadata, and reading it again by schedule."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sts.core.errors import Conflict, OperatorError
from sts.core.model import ClaimPattern, ContentEncryption, PartnerRole, Rule, TokenFormat
from sts.operations import metadata_status
from sts.operations.configuration.forms import certificate_name
from sts.operations.metadata_refresh import LONGEST, RETRY, SHORTEST, Refresher
from tests import partner_documents as documents
from tests.crypto.identities import NOW, certificate, signer
from tests.operations.partners import DAY, HOUR, Partnership, partnership
from tests.partner_documents import ADFS, EMAIL, PORTAL, SHIBBOLETH, UPN, Shape, several, signed
from tests.partner_server import URL, plain

FIRST, SECOND, THIRD = (certificate("rsa2048", owner) for owner in ("idp", "next", "third"))
ENCRYPTION, NEXT_ENCRYPTION = certificate("rsa2048", "encryption"), certificate("rsa2048", "next encryption")
APPLICATION = Shape(PORTAL, encryption=(ENCRYPTION,), address="https://portal.example/signin")
PARTY = PartnerRole.RELYING_PARTY


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        yield made


def test_an_identity_provider_is_registered_with_all_that_its_document_says(partners: Partnership) -> None:
    outcome = partners.bring(documents.adfs(Shape(signing=(FIRST, SECOND))), name=None)
    assert (outcome.name, outcome.is_new, outcome.waiting) == ("adfs.contoso.example", True, ())
    provider = partners.provider("adfs.contoso.example")
    assert provider.issuer == ADFS
    assert provider.sign_in_url == "https://adfs.contoso.example/adfs/ls/"
    assert provider.display_name == "Contoso sign-in"
    assert provider.enabled
    assert [each.der for each in provider.certificates] == [FIRST, SECOND]
    assert provider.metadata is not None
    assert provider.metadata.location == str(Path("partner.xml").resolve())
    record = partners.records()[-1]
    assert (record.action, record.subject) == ("identity-provider.create", "identity-provider:adfs.contoso.example")


def test_a_second_import_changes_nothing_and_leaves_no_record(partners: Partnership) -> None:
    partners.bring(documents.adfs())
    records = partners.records()
    again = partners.bring(documents.adfs())
    assert (again.is_new, again.changes, again.waiting) == (False, {}, ())
    assert partners.records() == records


def test_a_document_with_two_roles_is_asked_about(partners: Partnership) -> None:
    assert "--identity-provider or --relying-party" in partners.refused(documents.adfs(), role=None)
    assert partners.bring(documents.shibboleth(Shape(SHIBBOLETH, address="https://idp.example/i")), role=None).is_new


def test_a_relying_party_is_registered_and_its_tokens_are_encrypted(partners: Partnership) -> None:
    outcome = partners.bring(documents.application(APPLICATION), role=None)
    party = partners.party()
    assert (outcome.role, outcome.warnings) == (PARTY, ())
    assert (party.realm, party.reply) == (PORTAL, ("https://portal.example/signin",))
    assert party.encryption_required
    assert party.encryption_certificate is not None
    assert party.encryption_certificate.der == ENCRYPTION
    assert party.encryption_algorithm is ContentEncryption.AES256_CBC
    assert party.token_format is TokenFormat.SAML20


def test_a_relying_party_that_lists_gcm_gets_gcm(partners: Partnership) -> None:
    shape = replace(APPLICATION, address="https://portal.example/Shibboleth.sso")
    partners.bring(documents.shibboleth_application(shape), role=None)
    assert partners.party().encryption_algorithm is ContentEncryption.AES256_GCM


def test_a_format_that_cannot_be_encrypted_leaves_the_certificate_out(partners: Partnership) -> None:
    outcome = partners.bring(documents.application(APPLICATION), role=None, token_format=TokenFormat.JWT)
    assert "only SAML is encrypted" in outcome.warnings[0]
    assert not partners.party().encryption_required
    assert partners.bring(documents.application(APPLICATION), role=None, token_format=TokenFormat.JWT).changes == {}


def test_claims_that_are_offered_pass_through_by_rules(partners: Partnership) -> None:
    assert partners.bring(documents.adfs(), passes_claims=True).rules == (EMAIL, UPN)
    group = partners.bench.known().rule_groups["partner"]
    assert group.rules == (Rule(ClaimPattern("partner", EMAIL)), Rule(ClaimPattern("partner", UPN)))
    assert partners.bring(documents.adfs(), passes_claims=True).rules == ()
    assert partners.records()[-1].action == "rule-group.create"


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65])
def test_a_name_that_is_none_is_refused(partners: Partnership, name: str) -> None:
    assert "is no name" in partners.refused(documents.adfs(), name=name)


def test_two_partners_do_not_share_an_entity_id_and_names_are_not_taken_over(partners: Partnership) -> None:
    partners.bring(documents.adfs())
    with pytest.raises(Conflict, match="is the identity provider 'partner' already"):
        partners.bring(documents.adfs(), name="other")
    partners.bench.apply("{namespace: contoso, identity_providers: [{name: local, kind: local}]}")
    with pytest.raises(OperatorError, match="is a local one"):
        partners.bring(documents.adfs(), name="local")


@pytest.mark.parametrize(
    ("entity_id", "sentence"),
    [
        ("https://sts.example/contoso", "reads like the issuer of this namespace"),
        ("Local Authority", "reads like LOCAL AUTHORITY"),
        ("LOCAL", "reads like the name of identity provider 'local'"),
        ("urn:Known", "reads like 'urn:known', the issuer of identity provider 'known'"),
    ],
)
def test_a_document_of_whoever_would_be_taken_for_somebody_else_is_refused(
    partners: Partnership, entity_id: str, sentence: str
) -> None:
    partners.bench.apply("{namespace: contoso, identity_providers: [{name: local, kind: local}]}")
    partners.bring(documents.adfs(Shape("urn:known")), name="known")
    with pytest.raises(Conflict, match=sentence):
        partners.bring(documents.adfs(Shape(entity_id)), name="other")
    assert "other" not in partners.bench.known().identity_providers


def test_a_new_certificate_waits_until_a_person_accepts_it(partners: Partnership) -> None:
    partners.bring(documents.adfs())
    both = documents.adfs(Shape(signing=(FIRST, SECOND)))
    outcome = partners.bring(both)
    assert (partners.trusted(), partners.pending()) == ((FIRST,), (SECOND,))
    assert "is new and not trusted" in outcome.waiting[0]
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert (row.waiting, row.needs_person) == (outcome.waiting, True)
    accepted = partners.accept(both)
    assert (partners.trusted(), partners.pending(), accepted.waiting) == ((FIRST, SECOND), (), ())
    assert not metadata_status.list_all(partners.bench.installation)[0].needs_person


def test_a_document_that_a_stranger_signed_does_not_bring_its_certificate(partners: Partnership) -> None:
    partners.bring(documents.adfs())
    partners.bring(signed(documents.adfs(Shape(signing=(SECOND,))), signer("rsa2048", "next")))
    assert (partners.trusted(), partners.pending()) == ((FIRST,), (SECOND,))


def test_a_new_certificate_is_trusted_at_once_when_a_trusted_one_signed_the_document(partners: Partnership) -> None:
    partners.bring(documents.adfs())
    outcome = partners.bring(signed(documents.adfs(Shape(signing=(SECOND, FIRST))), signer("rsa2048")))
    assert (partners.trusted(), partners.pending(), outcome.waiting) == ((SECOND, FIRST), (), ())
    record = partners.records()[-1]
    assert record.action == "identity-provider.change"
    assert record.details["trusted"] == [certificate_name(partners.provider().certificates[0])]


def test_what_vanishes_stays_until_it_is_confirmed(partners: Partnership) -> None:
    partners.bring(documents.adfs(Shape(signing=(FIRST, SECOND))))
    partners.bring(documents.adfs(Shape(signing=(SECOND,))))
    source = partners.provider().metadata
    assert source is not None
    assert partners.trusted() == (SECOND, FIRST)
    assert source.vanished == (partners.provider().certificates[1].thumbprint,)
    partners.accept(documents.adfs(Shape(signing=(SECOND,))))
    assert partners.trusted() == (SECOND,)


def test_a_certificate_that_has_vanished_vouches_for_no_other(partners: Partnership) -> None:
    partners.bring(documents.adfs(Shape(signing=(FIRST, SECOND))))
    partners.bring(documents.adfs(Shape(signing=(SECOND,))))
    partners.bring(signed(documents.adfs(Shape(signing=(SECOND, THIRD))), signer("rsa2048")))
    assert (partners.trusted(), partners.pending()) == ((SECOND, FIRST), (THIRD,))
    partners.bring(signed(documents.adfs(Shape(signing=(SECOND, THIRD))), signer("rsa2048", "next")))
    assert (partners.trusted(), partners.pending()) == ((SECOND, THIRD, FIRST), ())


def test_reply_addresses_and_encryption_certificates_wait_too(partners: Partnership) -> None:
    partners.bring(documents.application(APPLICATION), role=None)
    moved = replace(APPLICATION, encryption=(NEXT_ENCRYPTION,), address="https://evil.example/")
    outcome = partners.bring(documents.application(moved), role=None)
    party = partners.party()
    assert party.reply == ("https://portal.example/signin",)
    assert party.encryption_certificate is not None
    assert party.encryption_certificate.der == ENCRYPTION
    assert len(outcome.waiting) == 2
    partners.accept(documents.application(moved), role=None)
    assert partners.party().reply == ("https://evil.example/",)
    with pytest.raises(OperatorError, match="about urn:other, and this partner is urn:portal:contoso"):
        partners.bring(documents.application(replace(APPLICATION, entity_id="urn:other")), role=None)


def test_a_relying_party_that_signs_its_document_rolls_over_by_itself(partners: Partnership) -> None:
    partners.bring(signed(documents.application(APPLICATION), signer("rsa2048")), role=None)
    moved = replace(APPLICATION, encryption=(NEXT_ENCRYPTION,), signing=(FIRST, SECOND))
    assert partners.bring(signed(documents.application(moved), signer("rsa2048")), role=None).waiting == ()
    party = partners.party()
    assert party.encryption_certificate is not None
    assert party.encryption_certificate.der == NEXT_ENCRYPTION
    last = replace(moved, encryption=(ENCRYPTION,))
    assert partners.bring(signed(documents.application(last), signer("rsa2048", "next")), role=None).waiting == ()


def test_a_url_is_read_again_every_hour_and_a_file_is_not(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.bring(documents.shibboleth(Shape(SHIBBOLETH, address="https://idp.example/i")), name="file")
    assert partners.refresh(HOUR - timedelta(seconds=1)) == ()
    (refreshed,) = partners.refresh(timedelta(seconds=1))
    assert refreshed.refresh.location == URL
    assert refreshed.outcome is not None
    assert refreshed.outcome.changes == {}
    rows = {row.name: row for row in metadata_status.list_all(partners.bench.installation)}
    assert rows["partner"].read_at == partners.now
    assert rows["partner"].due_at == partners.now + LONGEST * 0.95
    assert rows["file"].due_at is None


@pytest.mark.parametrize(
    ("attributes", "wait"),
    [
        (' cacheDuration="PT20M"', timedelta(minutes=20)),
        (' cacheDuration="PT1S"', SHORTEST),
        (' cacheDuration="P30D"', LONGEST),
        (' validUntil="2026-11-21T23:30:00Z"', timedelta(minutes=30)),
    ],
)
def test_the_document_says_when_it_is_read_again(partners: Partnership, attributes: str, wait: timedelta) -> None:
    partners.publish(documents.adfs(Shape(attributes=attributes)))
    partners.bring()
    partners.refresh()
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert row.due_at == partners.now + wait * 0.95


def test_of_two_nodes_one_reads_a_document(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.now += HOUR
    refreshers = [Refresher(partners.bench.installation, lambda: partners.now) for _ in range(2)]
    with partners.bench.installation.database.reading():
        found = [refresher.run() for refresher in refreshers]
    assert [len(each) for each in found] == [1, 0]
    assert len(partners.server.requests) == 2


def test_a_document_that_cannot_be_read_is_reported_and_tried_again(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.server.answer = plain(b"", "HTTP/1.1 500 No")
    (refreshed,) = partners.refresh()
    assert refreshed.failure is not None
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert "status 500" in (row.failure or "")
    assert (row.failed_at, row.read_at, row.needs_person) == (partners.now, NOW, True)
    assert row.due_at == partners.now + RETRY * 0.95
    partners.publish(documents.adfs())
    partners.refresh()
    assert not metadata_status.list_all(partners.bench.installation)[0].needs_person


def test_a_refresh_changes_what_a_person_did_not_set(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    text = f"""
namespace: contoso
identity_providers:
  - {{name: partner, metadata: {URL}, sign_out_url: https://adfs.contoso.example/out}}
"""
    partners.bench.apply(text)
    partners.publish(documents.adfs(Shape(address="https://new.contoso.example/adfs/ls/")))
    (refreshed,) = partners.refresh()
    assert refreshed.outcome is not None
    assert set(refreshed.outcome.changes) == {"sign_in_url"}
    assert partners.provider().sign_out_url == "https://adfs.contoso.example/out"
    assert partners.records()[-1].actor == "metadata"
    assert [str(change) for change in partners.bench.apply(text).changes] == []


def test_a_partner_rolls_its_certificates_over_again_and_again(partners: Partnership) -> None:
    owners = [f"year {year}" for year in range(4)]
    present, later = owners[0], owners[1:]

    def document(*names: str, by: str) -> bytes:
        return signed(
            documents.adfs(Shape(signing=tuple(certificate("rsa2048", n) for n in names))), signer("rsa2048", by)
        )

    partners.publish(document(present, by=present))
    partners.bring()
    for following in later:
        partners.publish(document(present, following, by=present))
        partners.refresh(60 * DAY)
        partners.publish(document(present, following, by=following))
        partners.refresh(15 * DAY)
        partners.publish(document(following, by=following))
        partners.refresh(15 * DAY)
        assert partners.trusted()[0] == certificate("rsa2048", following)
        assert partners.pending() == ()
        assert not metadata_status.list_all(partners.bench.installation)[0].needs_person
        present = following
    assert len(partners.trusted()) == 4
    partners.accept()
    assert partners.trusted() == (certificate("rsa2048", owners[-1]),)


def test_expired_certificates_that_vanish_go_by_themselves_while_another_lives(partners: Partnership) -> None:
    partners.bring(documents.adfs(Shape(signing=(FIRST, SECOND))))
    partners.now += 800 * DAY
    partners.bring(documents.adfs(Shape(signing=(SECOND,))))
    assert partners.trusted() == (SECOND, FIRST), "all have expired: none is better than another"


def test_one_of_several_is_registered_by_its_entity_id(partners: Partnership) -> None:
    both = several(documents.adfs(), documents.shibboleth(Shape(SHIBBOLETH, address="https://idp.example/i")))
    assert "say which" in partners.refused(both)
    partners.bring(both, entity_id=SHIBBOLETH)
    assert partners.provider().issuer == SHIBBOLETH
    assert partners.bring(both, entity_id=SHIBBOLETH).changes == {}


BY_HAND = {
    "identity provider": f"""
namespace: contoso
identity_providers:
  - name: partner
    issuer: {ADFS}
    sign_in_url: https://hand.example/
    certificates: [adfs.cer]
""",
    "relying party": f"""
namespace: contoso
relying_parties:
  - name: partner
    realm: {PORTAL}
    token_format: saml20
    reply: [https://hand.example/]
""",
}


@pytest.mark.parametrize("role", PartnerRole)
def test_what_is_written_by_hand_is_replaced_only_when_a_person_accepts(
    partners: Partnership, role: PartnerRole
) -> None:
    (partners.bench.installation.home / "adfs.cer").write_bytes(FIRST)
    partners.bench.apply(BY_HAND[role])
    document = documents.application(APPLICATION) if role is PARTY else documents.adfs()
    for each in (document, signed(document, signer("rsa2048"))):
        assert "is written by hand" in partners.refused(each, role=role)
    partners.accept(document, role=role)
    known = partners.party().reply if role is PARTY else (partners.provider().sign_in_url,)
    assert known == (
        ("https://portal.example/signin",) if role is PARTY else ("https://adfs.contoso.example/adfs/ls/",)
    )
