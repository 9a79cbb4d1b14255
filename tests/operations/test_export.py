"""What `export` writes, `apply` takes."""

from pathlib import Path

import pytest

from sts.core.errors import NotFound
from sts.crypto.certificates import Purpose
from sts.operations.export import export
from tests.operations.test_configuration_file import EVERYTHING
from tests.operations.workbench import ENVIRONMENT, KEY, Workbench, workbench, write_certificate, write_pkcs12


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An installation in which everything that can be written was applied."""
    write_pkcs12(tmp_path / "orders.pfx")
    write_pkcs12(tmp_path / "decryption.pfx", Purpose.DECRYPTION)
    write_certificate(tmp_path / "stock.cer", Purpose.ENCRYPTION)
    write_certificate(tmp_path / "adfs.cer")
    write_certificate(tmp_path / "worker.cer")
    (tmp_path / "worker.key").write_text(KEY)
    bench = workbench(tmp_path)
    bench.apply(EVERYTHING)
    return bench


def test_an_export_applied_again_changes_nothing(bench: Workbench) -> None:
    applied = bench.apply(export(bench.installation, "contoso"), prunes=True)
    assert applied.changes == ()
    assert applied.left_out == ()


def test_an_export_applied_elsewhere_makes_the_same_namespace_without_its_secrets(
    bench: Workbench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = export(bench.installation, "contoso")
    other = workbench(tmp_path_factory.mktemp("other"))
    other.apply(text)
    again = export(other.installation, "contoso")
    body = text.index("namespace: contoso")
    assert again[again.index("namespace: contoso") :] == text[body:]
    assert "# - " not in again


def test_an_export_holds_no_secret_and_names_what_it_leaves_out(bench: Workbench) -> None:
    text = export(bench.installation, "contoso")
    for secret in (*ENVIRONMENT.values(), "argon2"):
        assert secret not in text
    named = [line for line in text.splitlines() if line.startswith("# - ")]
    assert len(named) == 5
    assert "# - the password of service identity worker" in named
    assert "# - the symmetric key of service identity worker" in named


def test_certificates_stand_in_the_export_as_pem(bench: Workbench) -> None:
    text = export(bench.installation, "contoso")
    assert text.count("-----BEGIN CERTIFICATE-----") == 3
    assert "PRIVATE KEY" not in text


def test_a_namespace_that_does_not_exist_is_not_exported(bench: Workbench) -> None:
    with pytest.raises(NotFound, match="there is no namespace 'fabrikam'"):
        export(bench.installation, "fabrikam")
