"""`metadata:` in a configuration file: documents beside the file or on the network, and what overrides them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sts.core.errors import InvalidConfiguration
from sts.core.model import ContentEncryption
from sts.operations import metadata_status
from sts.operations.export import export
from tests import partner_documents as documents
from tests.crypto.identities import certificate, signer
from tests.operations.partners import Partnership, partnership
from tests.partner_documents import ADFS, PORTAL, Shape, several, signed
from tests.partner_server import URL, plain

FIRST, SECOND, ENCRYPTION = (certificate("rsa2048", owner) for owner in ("idp", "next", "encryption"))
FILE = """\
namespace: contoso
identity_providers:
  - name: partner
    metadata: partner.xml
"""
PARTY = """\
namespace: contoso
relying_parties:
  - name: partner
    metadata: portal.xml
    token_format: saml20
"""
APPLICATION = Shape(PORTAL, encryption=(ENCRYPTION,), address="https://portal.example/signin")


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        write(made, "partner.xml", documents.adfs())
        write(made, "portal.xml", documents.application(APPLICATION))
        yield made


def write(partners: Partnership, name: str, document: bytes) -> None:
    file = partners.bench.installation.home / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(document)


def faults(partners: Partnership, text: str) -> str:
    before = partners.bench.known()
    with pytest.raises(InvalidConfiguration) as caught:
        partners.bench.apply(text)
    assert partners.bench.known() == before
    return str(caught.value)


@pytest.mark.parametrize("text", [FILE, PARTY, FILE.replace("partner.xml", URL), PARTY.replace("portal.xml", URL)])
def test_a_partner_is_made_of_its_document_and_a_second_run_changes_nothing(partners: Partnership, text: str) -> None:
    partners.publish(documents.application(APPLICATION) if "relying" in text else documents.adfs())
    noun = "relying party" if "relying" in text else "identity provider"
    assert partners.bench.changes(text) == [f"created {noun} partner"]
    assert partners.bench.changes(text) == []
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert (row.location == URL, row.due_at is not None) == (URL in text, URL in text)


def test_a_document_is_also_looked_for_in_the_exchange_folder(partners: Partnership) -> None:
    write(partners, "metadata/elsewhere.xml", documents.adfs())
    assert len(partners.bench.changes(FILE.replace("partner.xml", "elsewhere.xml"))) == 1
    assert partners.provider().issuer == ADFS


def test_a_relying_party_with_a_certificate_in_its_document_gets_encrypted_tokens(partners: Partnership) -> None:
    partners.bench.apply(PARTY)
    party = partners.party()
    assert (party.realm, party.reply) == (PORTAL, ("https://portal.example/signin",))
    assert party.encryption_required
    partners.bench.apply(PARTY + "    encryption: none\n")
    assert not partners.party().encryption_required
    partners.bench.apply(PARTY.replace("saml20", "jwt"))
    assert (partners.party().encryption_required, partners.party().encryption_certificate) == (False, None)


OVERRIDES = [
    (FILE, "issuer: urn:other", lambda partners: partners.provider().issuer == "urn:other"),
    (FILE, "sign_in_url: https://a.example/", lambda p: p.provider().sign_in_url == "https://a.example/"),
    (FILE, "sign_out_url: https://a.example/", lambda p: p.provider().sign_out_url == "https://a.example/"),
    (FILE, "display_name: Ours", lambda p: p.provider().display_name == "Ours"),
    (FILE, "enabled: false", lambda p: not p.provider().enabled),
    (FILE, "decryption: aes256-gcm", lambda p: p.provider().decryption is ContentEncryption.AES256_GCM),
    (FILE, "certificates: [other.cer]", lambda p: p.trusted() == (SECOND,)),
    (PARTY, "realm: urn:other", lambda p: p.party().realm == "urn:other"),
    (PARTY, "reply: [https://a.example/]", lambda p: p.party().reply == ("https://a.example/",)),
    (PARTY, "encryption: none", lambda p: not p.party().encryption_required),
    (PARTY, "encryption_algorithm: aes256-gcm", lambda p: p.party().encryption_algorithm == "aes256-gcm"),
]


@pytest.mark.parametrize(("text", "line", "holds"), OVERRIDES, ids=[line for _, line, _ in OVERRIDES])
def test_what_is_written_overrides_the_document_and_comes_back_in_the_export(
    partners: Partnership, text: str, line: str, holds: object
) -> None:
    write(partners, "other.cer", SECOND)
    partners.bench.apply(f"{text}    {line}\n")
    assert holds(partners)
    exported = export(partners.bench.installation, "contoso")
    assert line.partition(":")[0] in exported
    assert partners.bench.changes(exported) == []
    assert holds(partners)
    (change,) = partners.bench.changes(text)
    assert line.partition(":")[0] in change
    assert not holds(partners)


def test_an_export_names_the_document_and_not_what_it_says(partners: Partnership) -> None:
    partners.bench.apply(FILE + PARTY.removeprefix("namespace: contoso\n"))
    exported = export(partners.bench.installation, "contoso")
    assert "metadata: partner.xml" in exported
    assert "metadata: portal.xml" in exported
    for absent in (ADFS, "BEGIN CERTIFICATE", "sign_in_url", "realm", "entity_id", "overrides", "waiting"):
        assert absent not in exported
    assert partners.bench.changes(exported) == []


def test_a_new_certificate_in_the_file_waits_with_a_warning_and_a_signed_one_does_not(partners: Partnership) -> None:
    partners.bench.apply(FILE)
    both = documents.adfs(Shape(signing=(FIRST, SECOND)))
    write(partners, "partner.xml", both)
    applied = partners.bench.apply(FILE)
    assert "waiting" in str(applied.changes[0])
    assert any("it waits for `sts metadata import --accept`" in warning for warning in applied.warnings)
    assert (partners.trusted(), partners.pending()) == ((FIRST,), (SECOND,))
    assert partners.bench.changes(FILE) == []
    write(partners, "partner.xml", signed(both, signer("rsa2048")))
    assert "certificates" in partners.bench.changes(FILE)[0]
    assert (partners.trusted(), partners.pending()) == ((FIRST, SECOND), ())


def test_what_a_person_accepted_stays_accepted_by_the_file(partners: Partnership) -> None:
    partners.bench.apply(FILE)
    changed = documents.adfs(Shape(signing=(SECOND,)))
    write(partners, "partner.xml", changed)
    partners.accept(changed, location=str(partners.bench.installation.home / "partner.xml"))
    assert partners.trusted() == (SECOND,)
    assert partners.bench.changes(FILE) == []


def test_whoever_writes_metadata_in_the_place_of_certificates_agrees_to_what_it_says(partners: Partnership) -> None:
    write(partners, "adfs.cer", FIRST)
    by_hand = FILE.replace("metadata: partner.xml", f"issuer: {ADFS}\n    certificates: [adfs.cer]")
    partners.bench.apply(by_hand)
    write(partners, "partner.xml", documents.adfs(Shape(signing=(SECOND,))))
    partners.bench.apply(FILE)
    assert (partners.trusted(), partners.pending()) == ((SECOND,), ())
    partners.bench.apply(by_hand)
    assert partners.provider().metadata is None
    assert metadata_status.list_all(partners.bench.installation) == ()


def test_a_known_document_that_is_away_leaves_what_it_said(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    text = FILE.replace("partner.xml", URL)
    partners.bench.apply(text)
    partners.server.answer = plain(b"", "HTTP/1.1 503 Later")
    applied = partners.bench.apply(text)
    assert applied.changes == ()
    assert "what it said before stays" in applied.warnings[0]
    assert "status 503" in faults(partners, text.replace("name: partner", "name: other"))


def test_a_provider_without_certificates_in_its_document_is_disabled(partners: Partnership) -> None:
    write(partners, "partner.xml", documents.adfs(Shape(signing=())))
    applied = partners.bench.apply(FILE)
    assert not partners.provider().enabled
    assert any("is disabled" in warning for warning in applied.warnings)
    assert partners.bench.changes(FILE) == []


def test_one_of_several_is_chosen_by_the_issuer(partners: Partnership) -> None:
    both = several(documents.adfs(), documents.azure(Shape("urn:azure", address="https://azure.example/")))
    write(partners, "partner.xml", both)
    assert "say which" in faults(partners, FILE)
    partners.bench.apply(FILE + "    issuer: urn:azure\n")
    assert partners.provider().sign_in_url == "https://azure.example/"


FAULTS = [
    (
        FILE.replace("partner.xml", "none.xml"),
        "line 4: identity_providers[1].metadata: the file none.xml cannot be read",
    ),
    (FILE.replace("partner.xml", "http://partner.example/"), "line 4: identity_providers[1].metadata: 'http://partner"),
    (
        FILE.replace("partner.xml", "portal.xml"),
        "line 4: identity_providers[1].metadata: the document describes no ident",
    ),
    (FILE + "    kind: local\n", "line 4: identity_providers[1].metadata: metadata has no meaning for a local"),
    (PARTY.replace("    metadata: portal.xml\n", ""), "line 3: relying_parties[1]: 'realm' is missing"),
    (
        FILE + "  - {name: b, metadata: partner.xml}\n",
        f"the issuer '{ADFS}' of the document is that of 'partner' already",
    ),
    (
        PARTY + "  - {name: b, metadata: portal.xml, token_format: jwt}\n",
        f"the realm '{PORTAL}' of the document is that of",
    ),
    (PARTY + "    managed: nonsense\n", "line 6: relying_parties[1].managed"),
]


@pytest.mark.parametrize(("text", "sentence"), FAULTS, ids=[sentence for _, sentence in FAULTS])
def test_faults_are_told_with_their_line(partners: Partnership, text: str, sentence: str) -> None:
    assert sentence in faults(partners, text)


def test_another_entity_id_is_a_fault_until_a_person_accepts_it(partners: Partnership) -> None:
    partners.bench.apply(FILE)
    write(partners, "partner.xml", documents.adfs(Shape("urn:other")))
    assert "line 4: identity_providers[1].metadata: the document is about urn:other" in faults(partners, FILE)
    broken = signed(documents.adfs(), signer("rsa2048")).replace(b"/adfs/ls/", b"/evil/ls/")
    write(partners, "partner.xml", broken)
    assert "signature is broken" in faults(partners, FILE)


def test_a_rehearsal_reads_documents_and_changes_nothing(partners: Partnership) -> None:
    rehearsed = partners.bench.apply(FILE, is_rehearsal=True)
    assert [str(change) for change in rehearsed.changes] == ["created identity provider partner"]
    assert "partner" not in partners.bench.known().identity_providers
