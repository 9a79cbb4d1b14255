"""OpenSSL's verdicts on what we issue, and its own certification requests."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.tools import require_tool


def openssl(folder: Path, *arguments: str) -> bytes:
    """Run OpenSSL in a folder; raises AssertionError with its words when it refuses."""
    done = subprocess.run(
        [require_tool("openssl"), *arguments], cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout


@dataclass(frozen=True)
class Chain:
    """A certificate and what stands above it, all DER."""

    leaf: bytes
    trusted: Sequence[bytes]
    between: Sequence[bytes] = ()


def verify(folder: Path, chain: Chain, at: datetime, *, purpose: str = "any") -> None:
    """Have `openssl verify` judge a chain strictly, as of an instant; raises AssertionError with its words."""
    _write(folder / "trusted.pem", chain.trusted)
    _write(folder / "between.pem", chain.between)
    _write(folder / "leaf.pem", [chain.leaf])
    openssl(
        folder,
        *("verify", "-x509_strict", "-attime", str(int(at.timestamp())), "-purpose", purpose),
        *("-CAfile", "trusted.pem", *(("-untrusted", "between.pem") if chain.between else ()), "leaf.pem"),
    )


def certificates_in(folder: Path, message: bytes) -> list[bytes]:
    """The certificates (DER) that OpenSSL finds in a PKCS#7 message (DER), in its order."""
    (folder / "message.p7b").write_bytes(message)
    printed = openssl(folder, "pkcs7", "-inform", "DER", "-in", "message.p7b", "-print_certs")
    return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(printed)]


def certification_request(folder: Path, *arguments: str) -> bytes:
    """A certification request (DER) that OpenSSL makes; its key lies in `device.key` in the folder."""
    openssl(folder, "req", "-new", "-nodes", "-keyout", "device.key", "-outform", "DER", "-out", "r.der", *arguments)
    return (folder / "r.der").read_bytes()


def _write(path: Path, certificates: Sequence[bytes]) -> None:
    loaded = [x509.load_der_x509_certificate(each) for each in certificates]
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in loaded))
