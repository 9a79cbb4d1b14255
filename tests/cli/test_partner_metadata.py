"""`sts metadata import` and `sts metadata list`."""

from pathlib import Path

import pytest

from tests import partner_documents as documents
from tests.cli.console import Console
from tests.crypto.identities import certificate, signer
from tests.partner_documents import ADFS, EMAIL, PORTAL, UPN, Shape, signed

FIRST, SECOND = certificate("rsa2048"), certificate("rsa2048", "next")
IMPORT = ("metadata", "import")
CONTOSO = ("--namespace", "contoso")
PROVIDER = (*CONTOSO, "--identity-provider")


@pytest.fixture
def document(console: Console) -> Path:
    """A document of an identity provider in the exchange folder."""
    file = console.home / "metadata" / "adfs.xml"
    file.write_bytes(documents.adfs())
    return file


def test_a_partner_is_imported_and_listed(console: Console, document: Path) -> None:
    shown = console.ok(*IMPORT, document, *PROVIDER, "--name", "adfs")
    assert shown.startswith("created identity provider adfs\n")
    assert ADFS in shown
    assert console.ok(*IMPORT, document, *PROVIDER) == "no changes\n"
    (row,) = console.json("metadata", "list")
    assert (row["namespace"], row["role"], row["name"]) == ("contoso", "identity provider", "adfs")
    assert (row["location"], row["entity_id"], row["needs_person"]) == ("adfs.xml", ADFS, False)
    assert "adfs.xml" in console.ok("metadata", "list", *CONTOSO)
    assert "metadata: adfs.xml" in console.ok("export", "contoso")
    assert console.ok("apply", "-", stdin=console.ok("export", "contoso").encode()) == "no changes\n"


def test_file_of_the_exchange_folder_is_found_by_its_name(console: Console, document: Path) -> None:
    assert console.ok(*IMPORT, "adfs.xml", *PROVIDER, "--name", "adfs").startswith("created identity provider adfs\n")
    assert console.json("metadata", "list")[0]["location"] == "adfs.xml"
    assert console.ok(*IMPORT, document, *PROVIDER) == "no changes\n"


def test_what_waits_is_told_with_exit_status_1_until_it_is_accepted(console: Console, document: Path) -> None:
    console.ok(*IMPORT, document, *PROVIDER, "--name", "adfs")
    document.write_bytes(documents.adfs(Shape(signing=(FIRST, SECOND))))
    result = console.run(*IMPORT, document, *PROVIDER)
    assert result.exit_code == 1
    assert "is new and not trusted: import again with --accept" in result.stderr
    listed = console.run("metadata", "list")
    assert (listed.exit_code, "waits for you" in listed.stdout) == (1, True)
    assert "is new and not trusted" in listed.stderr
    accepted = console.json(*IMPORT, document, *PROVIDER, "--accept")
    assert (accepted["waiting"], accepted["is_new"]) == ([], False)
    assert [name.startswith("CN=next") for name in accepted["trusted"]] == [True]
    assert console.run("metadata", "list").exit_code == 0


def test_what_does_not_wait_any_more_is_told(console: Console, document: Path) -> None:
    first = document.read_bytes()
    console.ok(*IMPORT, document, *PROVIDER, "--name", "adfs")
    document.write_bytes(documents.adfs(Shape(signing=(FIRST, SECOND))))
    assert console.run(*IMPORT, document, *PROVIDER).stdout == "changed identity provider adfs: waiting\n"
    document.write_bytes(first)
    (told,) = console.ok(*IMPORT, document, *PROVIDER).splitlines()
    assert told.startswith("does not wait any more: the certificate CN=next")
    assert console.ok(*IMPORT, document, *PROVIDER) == "no changes\n"


def test_a_signed_document_brings_its_certificate_at_once(console: Console, document: Path) -> None:
    console.ok(*IMPORT, document, *PROVIDER, "--name", "adfs")
    document.write_bytes(signed(documents.adfs(Shape(signing=(FIRST, SECOND))), signer("rsa2048")))
    told = console.ok(*IMPORT, document, *PROVIDER).splitlines()
    assert told[0] == "changed identity provider adfs: signed false -> true"
    assert told[1].startswith("trusted from now on: CN=next")


def test_rules_are_generated_for_the_claims_on_offer(console: Console, document: Path) -> None:
    shown = console.ok(*IMPORT, document, *PROVIDER, "--name", "adfs", "--generate-rules")
    for claim_type in (EMAIL, UPN):
        assert f"created rule in group adfs: {claim_type} passes through" in shown


def test_a_relying_party_is_imported_with_its_token_format(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "portal.xml"
    file.write_bytes(documents.application(Shape(PORTAL, address="https://portal.example/")))
    made = console.json(*IMPORT, file, *CONTOSO, "--relying-party", "--token-format", "saml11")
    assert (made["role"], made["name"]) == ("relying party", "urn-portal-contoso")
    assert "token_format: saml11" in console.ok("export", "contoso")


def test_refusals_say_what_to_do(console: Console, document: Path) -> None:
    assert "--identity-provider or --relying-party" in console.refused(*IMPORT, document, *CONTOSO)
    assert "cannot be read" in console.refused(*IMPORT, "nothing.xml", *PROVIDER)
    assert "is not https" in console.refused(*IMPORT, "http://adfs.example/", *PROVIDER)
    assert "which is no public address" in console.refused(*IMPORT, "https://127.0.0.1:1/", *PROVIDER)
    assert "there is no namespace 'nobody'" in console.refused(
        *IMPORT, document, "--namespace", "nobody", "--identity-provider"
    )
    assert "there is no namespace 'nobody'" in console.refused("metadata", "list", "--namespace", "nobody")
    document.write_text("<html/>")
    assert "is no metadata" in console.refused(*IMPORT, document, *PROVIDER)
    assert console.run(*IMPORT, "-", *PROVIDER).exit_code == 2


def test_what_a_document_says_does_not_drive_the_terminal(console: Console, document: Path) -> None:
    document.write_bytes(documents.adfs(Shape("urn:&#x9;tab")))
    assert "\t" not in console.refused(*IMPORT, document, *PROVIDER)
