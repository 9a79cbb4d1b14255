"""Private keys with their certificates, from files under a password."""

import base64
import os
import subprocess
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from sts.core.errors import InvalidCertificate
from sts.crypto import pkcs12
from sts.crypto.signer import private_key_bytes
from tests.crypto.authorities import Issuer, Leaf, certificate, elliptic_key, rsa_key
from tests.crypto.key_files import PASSWORD, encryption, good_file, pem_file, pkcs12_file


@pytest.mark.parametrize(
    "file",
    [
        good_file(),
        base64.encodebytes(good_file()),
        pkcs12_file(rsa_key(), certificate(), protection=encryption(PBES.PBESv1SHA1And3KeyTripleDESCBC, 2048)),
        pkcs12_file(rsa_key(), certificate(), [certificate(Leaf(serial=number)) for number in range(1, 4)]),
        pem_file(),
    ],
    ids=["pkcs12", "base64", "triple-des", "with-a-chain", "pem"],
)
def test_key_and_certificate_come_out(file: bytes) -> None:
    pair = pkcs12.load(file, PASSWORD)
    assert private_key_bytes(pair.key) == private_key_bytes(rsa_key())
    assert pair.certificate.der == certificate()


def test_elliptic_key_comes_out() -> None:
    der = certificate(Leaf(elliptic_key().public_key()), Issuer("CN=leaf", elliptic_key()))
    pair = pkcs12.load(pkcs12_file(elliptic_key(), der), PASSWORD)
    assert isinstance(pair.key, ec.EllipticCurvePrivateKey)
    assert pair.certificate.key_type == "p256"


@pytest.mark.parametrize("file", [good_file(), pem_file()], ids=["pkcs12", "pem"])
def test_wrong_password_is_refused(file: bytes) -> None:
    with pytest.raises(InvalidCertificate, match="password is wrong"):
        pkcs12.load(file, b"another")


@pytest.mark.parametrize("password", [b"", b"x" * 1025, b"a\x00b", b"\xff\xfe"], ids=["empty", "long", "nul", "bytes"])
def test_password_that_no_file_has_is_refused(password: bytes) -> None:
    with pytest.raises(InvalidCertificate, match="password"):
        pkcs12.load(good_file(), password)


def test_password_and_file_leave_by_standard_input_only(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, Any]]] = []
    run = subprocess.run

    def observed(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        started.append((arguments, options))
        return run(arguments, **options)

    monkeypatch.setattr(subprocess, "run", observed)
    monkeypatch.setitem(os.environ, "SOME_SECRET", "secret")
    pkcs12.load(good_file(), PASSWORD)
    [(arguments, options)] = started
    assert PASSWORD.decode() not in "".join(arguments)
    assert set(options["env"]) <= {"PATH", "LD_LIBRARY_PATH", "SYSTEMROOT"}
    assert PASSWORD in options["input"]


def test_repr_shows_no_key() -> None:
    assert "key=" not in repr(pkcs12.load(good_file(), PASSWORD))
