"""Certificates, key pairs and keys that a configuration file names, read from where they lie."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sts.core.model import PartnerCertificate
from sts.crypto import certificates, pkcs12
from sts.crypto.certificates import Certificate, Purpose
from sts.crypto.pkcs12 import KeyPair
from sts.operations.configuration.model import Known, Surroundings
from sts.operations.secret_source import read_secret

MAX_FILE: Final = 1_048_576  # bytes
MAX_DOCUMENT: Final = 2 * MAX_FILE  # of a partner's metadata
KEY_SIZE: Final = 32
_WHERE_METADATA_IS: Final = (
    "it is looked for beside this file and in metadata/: put the partner's document there, or its address (https) "
    "here; `sts metadata export --namespace NAME` writes that of another namespace of this service"
)
_KEY_TEXT: Final = re.compile(rb"[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the values of a file stand for; refusals are ValueError or InvalidCertificate."""

    surroundings: Surroundings
    known: Known = field(repr=False)

    def secret(self, reference: str) -> bytes:
        """The bytes behind env:NAME or file:PATH."""
        return read_secret(reference, self.surroundings.folder, self.surroundings.environment)

    def symmetric_key(self, reference: str) -> bytes:
        """The 32 bytes behind env:NAME or file:PATH."""
        return symmetric_key(self.secret(reference))

    def certificate(self, value: str, purpose: Purpose) -> tuple[PartnerCertificate, tuple[str, ...]]:
        """A partner's certificate and warnings: a path, PEM text, or base64: with DER.

        What the namespace has pinned already is not judged again.
        """
        certificate = certificates.load(self._certificate_bytes(value))
        is_known = certificate.der in self.known.certificates
        warnings = () if is_known else self.accept(certificate, purpose)
        pinned = PartnerCertificate(
            certificate.der,
            certificate.subject,
            certificate.thumbprint,
            certificate.not_before,
            certificate.not_after,
        )
        return pinned, warnings

    def key_pair(self, path: str, password: bytes) -> KeyPair:
        """A certificate and its private key from a PKCS#12 file."""
        return pkcs12.load(self._file(path), password)

    def document(self, location: str) -> bytes:
        """A partner's metadata: from an address, a file beside the configuration file, or one in `metadata/`.

        Raises PartnerUnreachable for an address that does not answer.
        """
        if "://" in location:
            return self.surroundings.fetch(location)
        exchange = self.surroundings.exchange
        try:
            return self._file(location, MAX_DOCUMENT)
        except ValueError as error:
            if exchange is None or not (exchange / location).is_file():
                raise ValueError(f"{error}; {_WHERE_METADATA_IS}") from error
        return self._file(str(exchange / location), MAX_DOCUMENT)

    def accept(self, certificate: Certificate, purpose: Purpose) -> tuple[str, ...]:
        """Judge a certificate by the import policy; answers warnings."""
        at, roots = self.surroundings.now, self.surroundings.roots
        return certificates.accept(certificate, at, purpose=purpose, roots=roots)

    def _certificate_bytes(self, value: str) -> bytes:
        if "-----BEGIN" in value:
            return value.encode()
        if value.startswith("base64:"):
            return value.removeprefix("base64:").encode()
        try:
            return self._file(value)
        except ValueError as error:
            raise ValueError(f"{error}; write the certificate there (DER or PEM), or another path here") from error

    def _file(self, name: str, most: int = MAX_FILE) -> bytes:
        try:
            with (self.surroundings.folder / Path(name)).open("rb") as file:
                content = file.read(most + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise ValueError(f"the file {name} cannot be read: {reason}") from None
        if len(content) > most:
            raise ValueError(f"the file {name} holds more than {most} bytes")
        return content


def symmetric_key(text: bytes) -> bytes:
    """Decode a 256-bit key from standard base64; raises ValueError, which never shows it."""
    try:
        if _KEY_TEXT.fullmatch(text.strip()) is None:
            raise ValueError
        key = base64.b64decode(text.strip(), validate=True)
        if base64.b64encode(key) != text.strip() or len(key) != KEY_SIZE:
            raise ValueError
    except (ValueError, binascii.Error):
        raise ValueError(
            f"a symmetric key is the standard base64 of exactly {KEY_SIZE} bytes: 44 characters, the last one ="
        ) from None
    return key
