"""Files with private keys for the tests, and the DER to take them apart and put them together wrongly."""

import base64
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from sts.crypto import asn1, certificates
from sts.crypto.signer import PrivateKey
from tests.crypto.authorities import certificate, rsa_key

PASSWORD = "pässword".encode()
ABSURD = 2**31 - 1


def encryption(algorithm: PBES, rounds: int) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).key_cert_algorithm(algorithm)
    return builder.hmac_hash(hashes.SHA256()).build(PASSWORD)


def pkcs12_file(
    key: PrivateKey | None,
    certificate: bytes | None,
    others: Sequence[bytes] = (),
    protection: KeySerializationEncryption | None = None,
) -> bytes:
    """A PKCS#12 file under PASSWORD."""
    loaded = None if certificate is None else x509.load_der_x509_certificate(certificate)
    chain = [x509.load_der_x509_certificate(each) for each in others]
    return serialize_key_and_certificates(b"leaf", key, loaded, chain, protection or BestAvailableEncryption(PASSWORD))


def good_file() -> bytes:
    """A PKCS#12 file with which nothing is wrong."""
    return pkcs12_file(rsa_key(), certificate())


def pem_file(key: bytes | None = None, label: bytes = b"ENCRYPTED PRIVATE KEY") -> bytes:
    """One certificate and its encrypted PKCS#8 key, PEM."""
    armoured = armour(encrypted_pkcs8() if key is None else key, label)
    return certificates.pem(certificate()) + armoured


def encrypted_pkcs8() -> bytes:
    return rsa_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))


def armour(der: bytes, label: bytes) -> bytes:
    body = certificates.pem(certificate()).splitlines(keepends=True)
    del body[1:-1]
    return b"".join((body[0], base64.encodebytes(der), body[1])).replace(b"CERTIFICATE", label)


def tlv(tag: int, content: bytes) -> bytes:
    """One DER element."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def integer(value: int) -> bytes:
    return tlv(asn1.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def with_iterations(data: bytes, count: int) -> bytes:
    """The same DER with every iteration count replaced: each INTEGER right after an OCTET STRING."""
    written, before = [], -1
    for each in asn1.elements(data):
        if (before, each.tag) == (asn1.OCTET_STRING, asn1.INTEGER):
            written.append(integer(count))
        elif each.constructed or (each.tag == asn1.OCTET_STRING and each.content[:2] in (b"\x30\x82", b"\x30\x80")):
            written.append(tlv(each.tag, with_iterations(each.content, count)))
        else:
            written.append(tlv(each.tag, each.content))
        before = each.tag
    return b"".join(written)


def with_mac_iterations(data: bytes, count: int) -> bytes:
    """The same PKCS#12 file with another iteration count of its MAC."""
    version, content, mac = asn1.elements(asn1.element(data).content)
    digest, salt, _ = asn1.elements(mac.content)
    mac_data = tlv(mac.tag, tlv(digest.tag, digest.content) + tlv(salt.tag, salt.content) + integer(count))
    return tlv(0x30, tlv(version.tag, version.content) + tlv(content.tag, content.content) + mac_data)


def hidden_in_ber(data: bytes) -> bytes:
    """The same PKCS#12 file without a MAC, its content in BER of indefinite length, where no DER reader sees in."""
    version, content, _ = asn1.elements(asn1.element(data).content)
    kind, explicit = asn1.elements(content.content)
    safe = asn1.element(asn1.element(explicit.content).content)
    ber = b"\x30\x80" + safe.content + b"\x00\x00"
    info = tlv(0x30, tlv(kind.tag, kind.content) + tlv(0xA0, tlv(asn1.OCTET_STRING, ber)))
    return tlv(0x30, tlv(version.tag, version.content) + info)
