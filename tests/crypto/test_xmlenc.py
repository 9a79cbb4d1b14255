"""Encrypted elements, decrypted by foreign software."""

from pathlib import Path

import pytest
from lxml import etree

from sts.core.errors import NoEncryptionCertificate
from sts.core.model import ContentEncryption
from sts.crypto.xml import NS, parse
from sts.crypto.xmlenc import encrypt
from tests.crypto.identities import certificate, private_key
from tests.tools import decrypt_with_xmlsec1

ELEMENT = '<a:b xmlns:a="urn:a" c="&quot;">ä &amp; &lt;{filling}</a:b>'


@pytest.mark.parametrize("algorithm", ContentEncryption)
@pytest.mark.parametrize("length", range(17))
def test_encrypted_element_is_decrypted_by_xmlsec1(algorithm: ContentEncryption, length: int, tmp_path: Path) -> None:
    element = ELEMENT.format(filling="x" * length).encode()
    wrapped = b"<Encrypted>" + encrypt(element, certificate("rsa2048", "rp"), algorithm) + b"</Encrypted>"
    decrypted = etree.fromstring(decrypt_with_xmlsec1(wrapped, private_key("rsa2048", "rp"), tmp_path))
    assert etree.tostring(decrypted[0], method="c14n", exclusive=True) == element


@pytest.mark.parametrize(
    ("algorithm", "uri"),
    [
        (ContentEncryption.AES256_CBC, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
        (ContentEncryption.AES256_GCM, "http://www.w3.org/2009/xmlenc11#aes256-gcm"),
    ],
)
def test_encrypted_element_names_its_algorithms_and_recipient(algorithm: ContentEncryption, uri: str) -> None:
    root = parse(encrypt(b"<a/>", certificate("rsa2048", "rp"), algorithm))
    key = root.find("ds:KeyInfo/xenc:EncryptedKey", NS)
    assert root.get("Type") == "http://www.w3.org/2001/04/xmlenc#Element"
    assert root.find("xenc:EncryptionMethod", NS).get("Algorithm") == uri
    assert key.find("xenc:EncryptionMethod", NS).get("Algorithm") == "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
    assert key.find("xenc:EncryptionMethod/ds:DigestMethod", NS).get("Algorithm").endswith("xmldsig#sha1")
    hint = key.find("ds:KeyInfo/wsse:SecurityTokenReference/ds:X509Data/ds:X509IssuerSerial", NS)
    assert hint.findtext("ds:X509SerialNumber", namespaces=NS) == "4711"
    assert hint.findtext("ds:X509IssuerName", namespaces=NS) == r"CN=rp & \<rsa2048\>"


@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_no_two_encryptions_share_key_or_vector(algorithm: ContentEncryption) -> None:
    values = [
        [
            cipher.text
            for cipher in parse(encrypt(b"<a/>", certificate("rsa2048", "rp"), algorithm)).iter(
                f"{{{NS['xenc']}}}CipherValue"
            )
        ]
        for _ in range(2)
    ]
    assert len({*values[0], *values[1]}) == 4


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_certificate_without_rsa_key_is_refused(kind: str) -> None:
    with pytest.raises(NoEncryptionCertificate):
        encrypt(b"<a/>", certificate(kind, "rp"), ContentEncryption.AES256_CBC)
