"""What in a configuration file is odd but tolerable."""

from pathlib import Path

import pytest

from sts.operations.configuration.model import Known
from tests.operations.test_configuration_file import CREDENTIAL, IDENTITY, JWT, NAMESPACE, PARTY, PFX, SYMMETRIC, read
from tests.operations.workbench import KEY

WARNINGS = [
    (IDENTITY.format("password: env:SHORT"), "the password has fewer than 8 characters"),
    (IDENTITY.format("enabled: true"), "it cannot authenticate"),
    (IDENTITY.format("certificate: worker.cer, recoverable_password: true"), "is stored only as a hash, if at all"),
    (IDENTITY.format("certificate: worker.cer, interactive: true"), "without a password it cannot sign in at a form"),
    (PARTY.format("token_format: swt"), "the namespace's symmetric key signs for it"),
    (
        PARTY.format(f"{JWT}signing: symmetric, credentials: [{{{PFX}pkcs12: orders.pfx}}]"),
        "its own certificates do not sign, as its tokens take a symmetric key",
    ),
    (
        CREDENTIAL.format(
            SYMMETRIC + "value: env:KEY, not_before: 2025-01-01T00:00:00Z, not_after: 2026-01-01T00:00:00Z"
        ),
        "the key has expired already",
    ),
    (
        NAMESPACE + "identity_providers: [{name: adfs, kind: local}]\n"
        "rule_groups: [{name: a, rules: [{input: {issuer: adsf}}]}]\n",
        "no identity provider is named 'adsf', so the rule never acts; did you mean 'adfs'?",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), WARNINGS, ids=[sentence for _, sentence in WARNINGS])
def test_what_is_odd_but_tolerable_is_a_warning(folder: Path, text: str, sentence: str) -> None:
    (warning,) = read(text, folder, environment={"SHORT": "1234567", "KEY": KEY, "PFX": "pfx password"}).warnings
    assert warning.startswith("line ")
    assert sentence in warning


def test_an_expired_certificate_that_is_pinned_already_is_a_warning(folder: Path) -> None:
    der = (folder / "expired.cer").read_bytes()
    text = PARTY.format("token_format: saml20, encryption: required, encryption_certificate: expired.cer")
    (warning,) = read(text, folder, Known(certificates=frozenset({der}))).warnings
    assert "no token can be issued" in warning
