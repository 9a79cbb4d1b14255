"""Rows S19, W14, C01 and C09 where a configuration is saved: refused as a whole, and nothing is stored."""

from base64 import b64encode
from pathlib import Path

import pytest

from sts.core.errors import InvalidConfiguration
from sts.operations.export import export
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, workbench, write_certificate, write_pkcs12

PARTY = "namespace: contoso\nrelying_parties:\n  - {{name: a, realm: urn:a, token_format: {}}}\n"
DATES = "not_before: 2026-01-01T00:00:00Z, not_after: 2027-01-01T00:00:00Z"
PFX = "use: signing, kind: certificate, pkcs12: own.pfx, password: env:PFX"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return workbench(tmp_path)


def refusal(bench: Workbench, text: str) -> str:
    with pytest.raises(InvalidConfiguration) as refused:
        bench.apply(text)
    assert bench.known().namespace is None
    return str(refused.value)


@pytest.mark.parametrize("size", [0, 1, 16, 31, 33, 64], ids=lambda size: f"S19-{size}-bytes")
def test_s19_a_key_of_another_size_is_refused_when_saved(bench: Workbench, size: int) -> None:
    key = b64encode(b"k" * size).decode()
    bench = Workbench(bench.installation, environment={"KEY": key or "="})
    credential = f"{{use: signing, kind: symmetric, value: env:KEY, {DATES}}}"
    for text in (
        PARTY.format(f"swt, credentials: [{credential}]"),
        f"namespace: contoso\ncredentials: [{credential}]\n",
        "namespace: contoso\nservice_identities: [{name: a, symmetric_key: env:KEY}]\n",
    ):
        assert "exactly 32 bytes" in refusal(bench, text)


ADDRESSES = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "//evil.example",
    "https://rp.example@evil.example/",
    "https://rp.example\\\\@evil.example/",
    "java\\nscript:alert(1)",
    "http://rp.example/",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: f"W14-{address}")
@pytest.mark.parametrize("key", ['reply: ["{}"]', 'error_url: "{}"'])
def test_w14_an_address_that_is_not_https_is_refused_when_saved(bench: Workbench, key: str, address: str) -> None:
    assert "line 3: relying_parties[1]." in refusal(bench, PARTY.format(f"jwt, {key.format(address)}"))


@pytest.mark.parametrize("key", ["sign_in_url", "sign_out_url", "image"])
def test_w14_holds_for_identity_providers_too(bench: Workbench, key: str) -> None:
    write_certificate(bench.installation.home / "p.cer")
    provider = f'{{name: p, issuer: urn:p, certificates: [p.cer], {key}: "javascript:alert(1)"}}'
    assert "does not begin with https://" in refusal(bench, f"namespace: contoso\nidentity_providers: [{provider}]\n")


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [(NOW - 2 * DAY, NOW - DAY, "expired"), (NOW + DAY, NOW + 2 * DAY, "not valid before")],
    ids=["C01-expired", "C01-not-yet-valid"],
)
def test_c01_a_certificate_outside_its_validity_does_not_become_primary(
    bench: Workbench, start: object, end: object, reason: str
) -> None:
    write_pkcs12(bench.installation.home / "own.pfx", not_before=start, not_after=end)
    assert reason in refusal(bench, f"namespace: contoso\ncredentials: [{{{PFX}, primary: true}}]\n")


def test_c09_a_certificate_that_another_namespace_holds_is_told(bench: Workbench) -> None:
    write_pkcs12(bench.installation.home / "own.pfx")
    assert bench.apply(f"namespace: fabrikam\ncredentials: [{{{PFX}}}]\n").warnings == ()
    (warning,) = bench.apply(f"namespace: contoso\ncredentials: [{{{PFX}}}]\n").warnings
    assert "is already held by namespace fabrikam" in warning


def test_c09_a_certificate_twice_in_a_file_is_refused(bench: Workbench) -> None:
    write_pkcs12(bench.installation.home / "own.pfx")
    text = f"namespace: contoso\ncredentials: [{{{PFX}}}, {{{PFX}}}]\n"
    assert "the same credential stands here twice" in refusal(bench, text)


def test_no_secret_of_the_environment_is_in_what_is_told_or_exported(bench: Workbench) -> None:
    credential = f"{{use: signing, kind: symmetric, value: env:KEY, {DATES}, primary: true}}"
    text = PARTY.format(f"swt, credentials: [{credential}]") + (
        "service_identities: [{name: worker, password: env:PASSWORD, symmetric_key: env:KEY}]\n"
    )
    told = repr(bench.apply(text)) + export(bench.installation, "contoso")
    assert not [secret for secret in ENVIRONMENT.values() if secret in told]
