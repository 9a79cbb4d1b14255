"""The configuration files of `make run`, applied as `examples/run_demo.py` does."""

from dataclasses import replace
from pathlib import Path

import pytest

from sts.core.errors import InvalidConfiguration
from sts.core.model import ProviderKind, TokenFormat
from sts.crypto.certificates import Purpose
from sts.operations import namespaces
from sts.operations.publish import federation_metadata_document
from tests.operations.workbench import NOW, Workbench, workbench, write_certificate

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRETS = {name: f"generated {name}" for name in ("DEMO_SECRET", "ALICE_PASSWORD", "BOB_PASSWORD")}


def demo(home: Path) -> Workbench:
    """Both namespaces of the demo, each of which has read the other's metadata."""
    bench = replace(workbench(home, "http://127.0.0.1:8000"), environment=SECRETS)
    bench.apply("namespace: partner\n")
    publish(bench, "partner")
    write_certificate(home / "ledger.cer", Purpose.ENCRYPTION)
    bench.apply((EXAMPLES / "demo.yaml").read_text())
    publish(bench, "demo")
    bench.apply((EXAMPLES / "partner.yaml").read_text())
    return bench


def publish(bench: Workbench, name: str) -> None:
    """Write a namespace's metadata where configuration files are allowed to name it."""
    found = namespaces.find(bench.installation, name)
    document = federation_metadata_document(found, bench.installation.key_ring, bench.installation.defaults, NOW)
    folder = bench.installation.home / "metadata"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.xml").write_bytes(document)


def test_it_has_a_relying_party_for_each_format_one_with_proof_keys_and_two_to_sign_in_to(tmp_path: Path) -> None:
    parties = demo(tmp_path).known("demo").relying_parties.values()
    for_programs = {party.name: party.token_format for party in parties if not party.identity_providers}
    for_people = {party.name: party.identity_providers for party in parties if party.identity_providers}
    for_each_format = {f"orders-{each.value}": each for each in TokenFormat}
    assert for_programs == for_each_format | {"ledger": TokenFormat.SAML20}
    assert [party.name for party in parties if party.proof_of_possession] == ["ledger"]
    assert for_people == dict.fromkeys(("Orders", "Reports"), ("local", "partner"))


def test_each_namespace_has_the_other_from_its_metadata(tmp_path: Path) -> None:
    bench = demo(tmp_path)
    providers, party = bench.known("demo").identity_providers, bench.known("partner").relying_parties["demo"]
    assert {name: provider.kind for name, provider in providers.items()} == {
        "local": ProviderKind.LOCAL,
        "partner": ProviderKind.WS_FEDERATION,
    }
    assert providers["partner"].issuer == "http://127.0.0.1:8000/partner/"
    assert (party.realm, party.reply) == (
        "http://127.0.0.1:8000/demo/",
        ("http://127.0.0.1:8000/demo/v2/wsfederation",),
    )
    assert party.encryption_certificate is not None


def test_applying_the_files_again_changes_nothing(tmp_path: Path) -> None:
    bench = demo(tmp_path)
    for name in ("demo", "partner"):
        assert bench.changes((EXAMPLES / f"{name}.yaml").read_text()) == []


def test_applied_alone_it_is_refused_with_what_is_to_be_done(tmp_path: Path) -> None:
    bench = replace(workbench(tmp_path, "http://127.0.0.1:8000"), environment={})
    with pytest.raises(InvalidConfiguration) as refused:
        bench.apply((EXAMPLES / "demo.yaml").read_text())
    faults = str(refused.value)
    for remedy in (
        "ledger.cer cannot be read: No such file or directory; write the certificate there (DER or PEM), or another",
        "in metadata/: put the partner's document there, or its address (https) here; `sts metadata export --namespace",
        *(f"the environment variable {name} is not set; set it for this" for name in ("DEMO_SECRET", "ALICE_PASSWORD")),
    ):
        assert remedy in faults
    assert "make run" in (EXAMPLES / "demo.yaml").read_text().partition("namespace:")[0]
