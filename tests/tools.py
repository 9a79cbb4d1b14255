"""Foreign programs that tests drive: found, or a reason why not, and xmlsec1's verdicts."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def require_tool(name: str) -> Path:
    """The path of a program; where it is missing, the test is skipped, which `conftest.py` makes a failure in CI."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Path(found)


def verify_with_xmlsec1(document: bytes, certificate: bytes, id_attribute: str, element: str, folder: Path) -> None:
    """Let xmlsec1 verify a signed document under one certificate (DER).

    `element` is the signed element as xmlsec1 writes it, namespace, colon, name; `folder` takes the files. Raises
    AssertionError with xmlsec1's words.
    """
    pem = folder / "certificate.pem"
    pem.write_bytes(x509.load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM))
    signed = folder / "signed.xml"
    signed.write_bytes(document)
    _run(
        *("xmlsec1", "--verify", f"--id-attr:{id_attribute}", element),
        *("--enabled-key-data", "key-name", "--pubkey-cert-pem", str(pem), str(signed)),
    )


def decrypt_with_xmlsec1(document: bytes, key: RSAPrivateKey, folder: Path) -> bytes:
    """Let xmlsec1 decrypt the EncryptedData in a document; answers the document with the plaintext in its place."""
    pem = folder / "key.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    encrypted = folder / "encrypted.xml"
    encrypted.write_bytes(document)
    return _run("xmlsec1", "--decrypt", "--privkey-pem", str(pem), str(encrypted))


def encrypt_with_xmlsec1(element: bytes, template: str, certificate: bytes, folder: Path) -> bytes:
    """Let xmlsec1 encrypt an element under a fresh AES-256 key to one certificate (DER), as a template says how."""
    pem = folder / "recipient.pem"
    pem.write_bytes(x509.load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM))
    (folder / "element.xml").write_bytes(element)
    (folder / "template.xml").write_text(template)
    return _run(
        *("xmlsec1", "--encrypt", "--pubkey-cert-pem", str(pem), "--session-key", "aes-256"),
        *("--xml-data", str(folder / "element.xml"), str(folder / "template.xml")),
    )


def sign_with_xmlsec1(template: bytes, key: RSAPrivateKey, elements: Sequence[str], folder: Path) -> bytes:
    """Let xmlsec1 fill in the digests and the value of a document's signature over elements that have an `Id`."""
    pem = folder / "signer.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "unsigned.xml").write_bytes(template)
    identified = [argument for element in elements for argument in ("--id-attr:Id", element)]
    return _run("xmlsec1", "--sign", "--privkey-pem", str(pem), *identified, str(folder / "unsigned.xml"))


def _run(program: str, *arguments: str) -> bytes:
    done = subprocess.run([require_tool(program), *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
