"""Certificates with their private keys, from files under a password: PKCS#12, or PEM with an encrypted PKCS#8 key."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sts.core.errors import InvalidCertificate, KeyUnreadable
from sts.crypto import asn1, certificates
from sts.crypto.certificates import Certificate
from sts.crypto.keys import PublicKey
from sts.crypto.pem import NotPem, from_base64, is_pem, pem_blocks
from sts.crypto.signer import PrivateKey, load_private_key

SIZE_LIMIT: Final = 131_072  # bytes of a key file
PASSWORD_LIMIT: Final = 1024  # bytes
ITERATION_LIMIT: Final = 600_000
CERTIFICATE_LIMIT: Final = 10  # of a chain that comes along with the certificate
CPU_SECONDS: Final = 5
WALL_SECONDS: Final = 60  # for a machine that is busy

_TOO_MUCH_WORK: Final = "the key file asks for more work than opening one may take"
_CHILD: Final = str(Path(__file__).with_name("pkcs12_child.py"))
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")  # nothing else: there may be secrets in it
_DEPTH_LIMIT: Final = 32
_SET: Final = 0x31
_UNIVERSAL: Final = 0x40  # universal tags are below


class _Form(StrEnum):
    PKCS12 = "pkcs12"
    PKCS8 = "pkcs8"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate."""

    key: PrivateKey = field(repr=False)
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class _Content:
    key: bytes | None = field(repr=False)
    certificate: bytes | None
    others: int


def load(data: bytes, password: bytes) -> KeyPair:
    """The one private key of a file and the certificate that belongs to it.

    The file is PKCS#12 (DER or base64 of it), or PEM with one encrypted PKCS#8 key and one certificate; the password
    is UTF-8. Certificates of a chain that come along are dropped. Raises InvalidCertificate for any other content, a
    wrong password, more than 600,000 iterations, or work that takes more than 5 seconds of a processor.
    """
    _require_password(password)
    if len(data) > SIZE_LIMIT:
        raise InvalidCertificate(f"a key file has at most {SIZE_LIMIT} bytes")
    if is_pem(data):
        return _load_pem(data, password)
    try:
        der = data if data[:1] == b"\x30" else from_base64(data)
    except NotPem as error:
        raise InvalidCertificate("the file is neither PKCS#12 nor PEM") from error
    content = _open(_Form.PKCS12, der, password)
    if content.others > CERTIFICATE_LIMIT:
        raise InvalidCertificate(f"the file holds more than {CERTIFICATE_LIMIT} certificates beside the key's own")
    return _pair(content.key, content.certificate)


def _require_password(password: bytes) -> None:
    if not 0 < len(password) <= PASSWORD_LIMIT:
        raise InvalidCertificate(f"a file with a private key has a password of 1 to {PASSWORD_LIMIT} bytes")
    try:
        text = password.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidCertificate("the password of a key file is UTF-8") from None  # the cause would quote it
    if "\0" in text:
        raise InvalidCertificate("the password of a key file holds no NUL")


def _load_pem(data: bytes, password: bytes) -> KeyPair:
    try:
        blocks = pem_blocks(data)
    except NotPem as error:
        raise InvalidCertificate(f"the file cannot be read: {error}") from error
    by_label = {block.label: block.der for block in blocks}
    if len(blocks) != len(by_label) or by_label.keys() != {"CERTIFICATE", "ENCRYPTED PRIVATE KEY"}:
        raise InvalidCertificate("a PEM file must hold one certificate, one ENCRYPTED PRIVATE KEY and nothing else")
    return _pair(_open(_Form.PKCS8, by_label["ENCRYPTED PRIVATE KEY"], password).key, by_label["CERTIFICATE"])


def _pair(key_der: bytes | None, certificate_der: bytes | None) -> KeyPair:
    if key_der is None:
        raise InvalidCertificate("the file holds no private key")
    if certificate_der is None:
        raise InvalidCertificate("the file holds no certificate that belongs to its private key")
    certificate = certificates.load(certificate_der)
    try:
        key = load_private_key(key_der)
    except KeyUnreadable as error:
        raise InvalidCertificate("the private key is neither RSA nor on an elliptic curve") from error
    if _spki(key.public_key()) != _spki(certificates.public_key(certificate.der)):
        raise InvalidCertificate("the private key is not that of the certificate")
    return KeyPair(key, certificate)


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _open(form: _Form, der: bytes, password: bytes) -> _Content:
    try:
        asn1.element(der)
        _require_bearable(der, 0)
    except asn1.NotDer as error:
        raise InvalidCertificate(f"the key file is not DER: {error}") from error
    answer = _ask_child(form, der, password)
    if "refused" in answer:
        raise InvalidCertificate("the password is wrong or the file is damaged", detail=str(answer["refused"]))
    return _Content(_binary(answer["key"]), _binary(answer["certificate"]), cast(int, answer["others"]))


def _require_bearable(data: bytes, depth: int) -> None:
    """Refuse iteration counts before anybody works them off.

    Wherever PKCS#12, PBKDF2 and scrypt say how often, it is an INTEGER right after the OCTET STRING of the salt
    (RFC 7292, 4; RFC 8018, A.2; RFC 7914, 7). Counts that hide in an encrypted part meet the child's own limit.
    """
    if depth > _DEPTH_LIMIT:
        raise InvalidCertificate("the key file is nested too deeply")
    row = asn1.elements(data)
    for salt, count in pairwise(row):
        if (salt.tag, count.tag) == (asn1.OCTET_STRING, asn1.INTEGER) and _number(count) > ITERATION_LIMIT:
            raise InvalidCertificate(f"the key file asks for more than {ITERATION_LIMIT} iterations of its password")
    for each in row:
        if each.constructed:
            if each.tag < _UNIVERSAL and each.tag not in (asn1.SEQUENCE, _SET):
                raise asn1.NotDer("it holds a string in pieces (BER)")
            _require_bearable(each.content, depth + 1)
        elif each.tag == asn1.OCTET_STRING and _is_nested(each.content):
            _require_bearable(each.content, depth + 1)


def _number(count: asn1.Element) -> int:
    return int.from_bytes(count.content, "big")  # unsigned, so that a negative count is a large one


def _is_nested(content: bytes) -> bool:
    try:
        return asn1.element(content).tag == asn1.SEQUENCE
    except asn1.NotDer:
        return False


def _ask_child(form: _Form, der: bytes, password: bytes) -> dict[str, object]:
    try:
        ended = subprocess.run(  # noqa: S603 - our own program, with nothing of the caller's among its arguments
            [sys.executable, "-I", _CHILD, form.value, str(CPU_SECONDS)],
            input=len(password).to_bytes(4, "big") + password + der,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidCertificate(_TOO_MUCH_WORK, detail=f"no answer after {WALL_SECONDS} seconds") from error
    if ended.returncode < 0:
        raise InvalidCertificate(_TOO_MUCH_WORK, detail=f"ended by signal {-ended.returncode}")
    if ended.returncode > 0:
        raise InvalidCertificate("the key file cannot be read", detail=f"exit status {ended.returncode} at opening it")
    return cast(dict[str, object], json.loads(ended.stdout))


def _binary(text: object) -> bytes | None:
    return None if text is None else base64.b64decode(cast(str, text), validate=True)
