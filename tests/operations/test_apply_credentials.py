"""Applying a configuration file that brings keys and certificates."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sts.core.credentials import decryption_credentials, published_signing, signing_credential
from sts.core.errors import InvalidConfiguration
from sts.crypto.certificates import Purpose
from sts.store import credentials
from tests.operations.test_apply import CONTOSO, DEDICATED
from tests.operations.workbench import (
    DAY,
    ENVIRONMENT,
    KEY,
    NOW,
    Workbench,
    workbench,
    write_certificate,
    write_pkcs12,
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return workbench(tmp_path)


def test_an_imported_key_signs_at_once_and_is_never_imported_again(bench: Workbench) -> None:
    assert "created signing symmetric key " in bench.changes(DEDICATED)[-1]
    party, namespace = bench.known().relying_parties["orders"], bench.known().namespace
    assert namespace is not None
    credential = signing_credential(namespace, party, NOW)
    assert credential in party.credentials
    assert bench.installation.key_ring.secret(namespace, credential) == bytes(range(32))
    assert bench.changes(DEDICATED) == []
    with bench.installation.database.changing("tests", NOW) as change:
        credentials.delete(change, namespace, credential)
        change.audit("contoso", "key.delete", "credential", {})
    assert bench.changes(DEDICATED) == []


def test_credentials_that_the_file_leaves_out_stay(bench: Workbench) -> None:
    bench.apply(DEDICATED)
    without = DEDICATED.replace(", primary: true", "").replace("env:KEY", "env:NEXT")
    bench = replace(bench, environment={**ENVIRONMENT, "NEXT": KEY[::-1].replace("=", "A")[:-1] + "="})
    applied = bench.apply(without, prunes=True)
    assert [change.noun for change in applied.changes] == ["signing symmetric"]
    assert len(bench.known().relying_parties["orders"].credentials) == 2


def test_primary_acts_only_when_it_creates(bench: Workbench) -> None:
    bench.apply(DEDICATED)
    later = NOW + 400 * DAY
    assert bench.at(later).changes(DEDICATED) == []
    assert [c.primary_from for c in bench.known().relying_parties["orders"].credentials] == [NOW]


def test_an_imported_primary_takes_over_when_every_node_has_it(bench: Workbench) -> None:
    bench.apply("namespace: contoso\n")
    write_pkcs12(bench.installation.home / "own.pfx", subject="CN=own")
    own = "{use: signing, kind: certificate, pkcs12: own.pfx, password: env:PFX, primary: true}"
    later = NOW + DAY
    applied = bench.at(later).apply(f"namespace: contoso\ncredentials: [{own}]\n")
    assert str(applied.changes[0]).startswith("created signing certificate CN=own (")
    assert "partners that have not re-read the metadata will refuse" in applied.warnings[0]
    namespace = bench.known().namespace
    assert namespace is not None
    first, own_certificate = published_signing(namespace, later + timedelta(seconds=1))
    assert (first.subject, own_certificate.subject) == ("CN=contoso.sts.example", "CN=own")
    assert published_signing(namespace, later + timedelta(seconds=6))[0] == own_certificate


def test_in_a_new_namespace_the_imported_primary_signs_at_once(bench: Workbench) -> None:
    write_pkcs12(bench.installation.home / "own.pfx", subject="CN=own")
    write_pkcs12(bench.installation.home / "open.pfx", Purpose.DECRYPTION, subject="CN=open")
    bench.apply(
        "namespace: contoso\ncredentials:\n"
        "  - {use: signing, kind: certificate, pkcs12: own.pfx, password: env:PFX, primary: true}\n"
        "  - {use: decryption, kind: certificate, pkcs12: open.pfx, password: env:PFX}\n"
    )
    namespace = bench.known().namespace
    assert namespace is not None
    assert published_signing(namespace, NOW)[0].subject == "CN=own"
    assert {c.subject for c in decryption_credentials(namespace, NOW)} == {
        "CN=contoso.sts.example decryption",
        "CN=open",
    }


def test_import_checks_bind_new_credentials_only(bench: Workbench) -> None:
    home = bench.installation.home
    write_pkcs12(home / "own.pfx")
    write_certificate(home / "rp.cer", Purpose.ENCRYPTION)
    text = (
        "namespace: contoso\nrelying_parties:\n  - name: orders\n    realm: urn:orders\n    token_format: saml20\n"
        "    encryption: required\n    encryption_certificate: rp.cer\n"
        "    credentials: [{use: signing, kind: certificate, pkcs12: own.pfx, password: env:PFX, primary: true}]\n"
    )
    bench.apply(text)
    later = bench.at(NOW + 1000 * DAY).apply(text)
    assert later.changes == ()
    assert "no token can be issued" in later.warnings[0]


def test_the_key_of_another_namespace_is_taken_with_a_warning(bench: Workbench) -> None:
    bench.apply(DEDICATED)
    applied = bench.apply(DEDICATED.replace("namespace: contoso", "namespace: fabrikam"))
    assert [warning for warning in applied.warnings if "is already held by namespace contoso" in warning]


def test_a_managed_relying_party_has_no_credentials_of_its_own(bench: Workbench) -> None:
    bench.apply(DEDICATED)
    managed = CONTOSO.replace("token_format: jwt,", "token_format: jwt, managed: true,")
    with pytest.raises(InvalidConfiguration, match="this relying party holds credentials of its own"):
        bench.apply(managed)
