"""Metadata of partners that was signed once: rows M14 and M15, with signatures that are missing or old."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sts.core.model import ContentEncryption, PartnerRole
from sts.operations import metadata_status
from tests import partner_documents as documents
from tests.crypto.identities import certificate, signer
from tests.operations.partners import Partnership, partnership
from tests.partner_documents import Shape, signed

FIRST, SECOND = certificate("rsa2048"), certificate("rsa2048", "next")


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        yield made


MOVED = "https://evil.example/adfs/ls/"
UNTRUSTED = {
    "unsigned": lambda document: document,
    "a stranger's": lambda document: signed(document, signer("rsa2048", "stranger")),
}


@pytest.mark.parametrize("first", ["unsigned", "signed"])
@pytest.mark.parametrize("strip", UNTRUSTED.values(), ids=UNTRUSTED)
def test_m15_nothing_changes_by_a_document_that_lacks_the_signature_it_had(
    partners: Partnership, strip: Callable[[bytes], bytes], first: str
) -> None:
    """Whoever can replace a document at the partner's web server can leave its signature away."""
    genuine = signed(documents.adfs(), signer("rsa2048"))
    partners.publish(genuine if first == "signed" else documents.adfs())
    partners.bring()
    if first == "unsigned":
        partners.publish(genuine)
        partners.refresh()
    partners.publish(strip(documents.adfs(Shape(signing=(SECOND,), address=MOVED))))
    for _ in range(2):
        (refreshed,) = partners.refresh()
        provider, (row,) = partners.provider(), metadata_status.list_all(partners.bench.installation)
        assert (refreshed.failure, provider.sign_in_url) == (None, "https://adfs.contoso.example/adfs/ls/")
        assert (partners.trusted(), partners.pending(), row.needs_person) == ((FIRST,), (SECOND,), True)
        assert f"the sign_in_url {MOVED} is in the document and not used" in row.waiting
    partners.publish(signed(documents.adfs(Shape(signing=(FIRST, SECOND))), signer("rsa2048")))
    partners.refresh()
    assert (partners.trusted(), partners.pending()) == ((FIRST, SECOND), ())
    assert not metadata_status.list_all(partners.bench.installation)[0].needs_person


def test_m15_a_person_accepts_that_a_document_is_not_signed_any_more(partners: Partnership) -> None:
    partners.publish(signed(documents.adfs(), signer("rsa2048")))
    partners.bring()
    partners.publish(documents.adfs(Shape(address=MOVED)))
    partners.refresh()
    partners.accept()
    assert (partners.provider().sign_in_url, partners.trusted()) == (MOVED, (FIRST,))
    partners.publish(documents.adfs(Shape(address="https://next.example/")))
    partners.refresh()
    assert partners.provider().sign_in_url == "https://next.example/"


def test_m15_a_relying_party_keeps_its_algorithm_under_a_document_that_lacks_its_signature(
    partners: Partnership,
) -> None:
    shape = Shape(documents.PORTAL, signing=(FIRST,), encryption=(FIRST,), address="https://portal.example/signin")
    plain_text = documents.application(shape)
    strong = plain_text.replace(
        b"</ds:KeyInfo></KeyDescriptor>",
        b'</ds:KeyInfo><EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/></KeyDescriptor>',
        1,
    )
    partners.publish(signed(plain_text, signer("rsa2048")))
    partners.bring(role=PartnerRole.RELYING_PARTY)
    partners.publish(strong)
    partners.refresh()
    assert partners.party().encryption_algorithm is ContentEncryption.AES256_CBC
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert row.waiting == ("the encryption_algorithm aes256-gcm is in the document and not used",)
    partners.publish(signed(strong, signer("rsa2048")))
    partners.refresh()
    assert partners.party().encryption_algorithm is ContentEncryption.AES256_GCM


def test_m14_who_may_sign_a_relying_party_s_document_does_not_come_back_by_an_old_one(partners: Partnership) -> None:
    def signed_by(owner: str, *signing: bytes, address: str = "https://portal.example/signin") -> bytes:
        shape = Shape(documents.PORTAL, signing=signing, address=address)
        return signed(documents.application(shape), signer("rsa2048", owner))

    old = signed_by("next", FIRST, SECOND)
    partners.publish(old)
    partners.bring(role=PartnerRole.RELYING_PARTY)
    partners.publish(signed_by("next", SECOND))
    partners.refresh()
    partners.publish(old)
    partners.refresh()
    source = partners.party().metadata
    assert source is not None
    assert [each.der for each in source.signers] == [SECOND]
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert [each.startswith("the signer ") for each in row.waiting] == [True]
    partners.publish(signed_by("idp", FIRST, SECOND, address=MOVED))
    partners.refresh()
    assert partners.party().reply == ("https://portal.example/signin",)
    partners.publish(old)
    partners.accept(role=PartnerRole.RELYING_PARTY)
    assert not metadata_status.list_all(partners.bench.installation)[0].needs_person
