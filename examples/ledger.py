"""An application that takes tokens bound to a key (proof of possession), and shares no code with the service.

It decrypts the token in an answer of WS-Trust with its private key, writes the assertion into a file, and finds in it
the key that the client was given. Who signs a message with that key is the client, and nobody who only has the token.

    python ledger.py PRIVATE-KEY ANSWER ASSERTION
"""

import base64
import hmac
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from lxml import etree

NAMES = {
    "t": "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
RENEWED_BEFORE = timedelta(days=30)


def certificate(private_key: Path, path: Path) -> bytes:
    """The certificate (DER) that tokens are encrypted to, made with its key where there is none or it ends soon."""
    now = datetime.now(UTC).replace(microsecond=0)
    if private_key.exists() and path.exists():
        known = x509.load_der_x509_certificate(path.read_bytes())
        if known.not_valid_after_utc - now > RENEWED_BEFORE:
            return path.read_bytes()
    key = generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ledger.demo.example")])
    end = now + timedelta(days=365)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, end)
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)  # keyEncipherment
    made = builder.add_extension(usage, critical=True).sign(key, SHA256()).public_bytes(Encoding.DER)
    for file in (private_key, path):
        file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.write_bytes(made)
    return made


def unwrapped(encrypted_key: etree._Element, key: RSAPrivateKey) -> bytes:
    """The key in an EncryptedKey: RSA-OAEP with SHA-1."""
    scheme = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303 which every stack reads
    return key.decrypt(value(encrypted_key), scheme)


def decrypted(data: etree._Element, key: RSAPrivateKey) -> bytes:
    """The content of an EncryptedData: AES-256-CBC."""
    octets = value(data)
    decryptor = Cipher(AES(unwrapped(one(data, "ds:KeyInfo/xenc:EncryptedKey"), key)), CBC(octets[:16])).decryptor()
    padded = decryptor.update(octets[16:]) + decryptor.finalize()
    return padded[: -padded[-1]]


def value(element: etree._Element) -> bytes:
    """The octets of what is encrypted."""
    return base64.b64decode(one(element, "xenc:CipherData/xenc:CipherValue").text or "")


def one(element: etree._Element, path: str) -> etree._Element:
    """The only element at a path."""
    found = element.findall(path, NAMES)
    if len(found) != 1:
        sys.exit(f"the answer has {len(found)} of {path}")
    return found[0]


def main(private_key: str, answer: str, assertion: str) -> None:
    """Take an answer apart, as the client and as the application."""
    key = load_pem_private_key(Path(private_key).read_bytes(), None)
    if not isinstance(key, RSAPrivateKey):
        sys.exit("the private key is not an RSA key")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    response = etree.fromstring(Path(answer).read_bytes(), parser)
    given = one(response, ".//t:RequestedProofToken/t:BinarySecret").text or ""
    opened = decrypted(one(response, ".//t:RequestedSecurityToken//xenc:EncryptedData"), key)
    Path(assertion).write_bytes(opened)
    held = unwrapped(one(etree.fromstring(opened, parser), ".//xenc:EncryptedKey"), key)
    message = b"what the client asks of this application"
    by_client = hmac.digest(base64.b64decode(given), message, "sha256")
    print("the client was given   ", given)
    print("the application finds  ", base64.b64encode(held).decode())
    print("the client's MAC holds ", hmac.compare_digest(hmac.digest(held, message, "sha256"), by_client))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
