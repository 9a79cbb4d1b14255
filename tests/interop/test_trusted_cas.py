"""OpenSSL keeps a CA: what it issues proves that it holds the key, and authenticates its devices."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sts.core.errors import InvalidCertificate
from sts.operations import trusted_cas
from sts.operations.trusted_cas import TrustedCAName
from tests.flows.certified import behind_a_proxy, present
from tests.flows.world import CONTOSO
from tests.tools import require_tool

NAME = TrustedCAName("contoso", "openssl")
KEYS = {"rsa": ("-newkey", "rsa:2048"), "p256": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")}


class Authority:
    """A CA in a folder."""

    def __init__(self, folder: Path, key: tuple[str, ...]) -> None:
        self._folder = folder
        self._key = key
        self._openssl("req", "-x509", *key, "-nodes", "-subj", "/O=Factories/CN=OpenSSL", "-days", "30", *_out("ca"))

    @property
    def certificate(self) -> bytes:
        """Its own certificate, PEM."""
        return (self._folder / "ca.pem").read_bytes()

    def issue(self, name: str) -> bytes:
        """A certificate with this common name, DER."""
        self._openssl("req", "-new", *self._key, "-nodes", "-subj", f"/CN={name}", *_out("leaf"))
        self._openssl(
            *("x509", "-req", "-in", "leaf.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "1", "-outform", "DER", "-out", "leaf.cer"),
        )
        return (self._folder / "leaf.cer").read_bytes()

    def _openssl(self, *arguments: str) -> None:
        command = [require_tool("openssl"), *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")


def _out(name: str) -> tuple[str, ...]:
    return "-keyout", f"{name}.key", "-out", f"{name}.pem"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_ca_that_openssl_keeps_is_verified_and_its_devices_get_tokens(tmp_path: Path, key: tuple[str, ...]) -> None:
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path / "ca", key)
    world = behind_a_proxy(tmp_path / "home")
    world.clock.now = datetime.now(UTC) + timedelta(hours=1)  # OpenSSL dates what it issues by the real clock
    world.apply(CONTOSO)
    installation = world.service.installation
    trusted_cas.add(installation, NAME, authority.certificate, world.now)
    code = trusted_cas.new_code(installation, NAME, world.now).code
    with pytest.raises(InvalidCertificate, match="given out last"):
        trusted_cas.verify(installation, NAME, authority.issue("worker"), world.now)
    assert present(world, authority.issue("worker")).status_code == 401
    assert trusted_cas.verify(installation, NAME, authority.issue(code), world.now).status == "Verified"
    assert present(world, authority.issue("worker")).status_code == 200
    assert present(world, authority.issue("somebody")).status_code == 401
    world.close()
