"""Encrypted elements: ours, decrypted by foreign software and by ourselves, and those of partners."""

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap
from types import ModuleType

import pytest
from lxml import etree

from sts.core.errors import NoEncryptionCertificate
from sts.core.model import ContentEncryption
from sts.crypto.decoy import LARGEST, decoy, verify_decoy
from sts.crypto.xml import NS, parse
from sts.crypto.xmlenc import decrypt, encrypt
from sts.tokens import saml11, saml20
from tests.crypto.identities import certificate, private_key
from tests.threats.encryption import GCM, TRANSPORTS, XENC, Sealing, decrypters, sealed
from tests.tokens.assertions import written
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


TOKEN = written(saml20)
OURS = ("sts", "old")


@pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
@pytest.mark.parametrize("algorithm", ContentEncryption)
@pytest.mark.parametrize("owner", OURS)
def test_what_we_encrypt_we_decrypt_with_any_of_our_keys(
    module: ModuleType, algorithm: ContentEncryption, owner: str
) -> None:
    token = written(module)
    encrypted = module.encrypt(token, certificate("rsa2048", owner), algorithm)
    assert decrypt(encrypted, decrypters(*OURS), algorithm) == token


@pytest.mark.parametrize("algorithm", ContentEncryption)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_all_forms_of_oaep_are_decrypted(algorithm: ContentEncryption, transport: str) -> None:
    encrypted = sealed(TOKEN, Sealing(algorithm, TRANSPORTS[transport], "old"))
    assert decrypt(encrypted, decrypters(*OURS), algorithm) == TOKEN


def bare(text: str) -> str:
    """SAML 2.0 without the element around, as WS-Federation partners send it too."""
    return text[text.index("<xenc:EncryptedData") : text.index("</EncryptedAssertion>")]


def wrapped_in_lines(text: str) -> str:
    """Base64 as MIME and some products write it."""
    lines = re.sub("(?<=<xenc:CipherValue>)[^<]+", lambda value: "\r\n".join(wrap(value[0], 76)) + "\n", text)
    return lines.replace("><", ">\n  <")


@pytest.mark.parametrize(
    "change",
    [
        bare,
        wrapped_in_lines,
        lambda text: '<?xml version="1.0" encoding="utf-8"?>\n' + text,
        lambda text: text.replace(f' Type="{XENC}Element"', ' Id="_e"'),
        lambda text: text.replace(
            "<xenc:EncryptedKey>", '<xenc:EncryptedKey Id="_k" Recipient="https://sts.example/">'
        ),
        lambda text: text.replace("<ds:KeyInfo><ds:KeyName>any</ds:KeyName></ds:KeyInfo>", ""),
    ],
    ids=["bare", "lines", "declaration", "no type", "recipient", "no hint"],
)
def test_habits_of_real_partners_are_accepted(change: Callable[[str], str]) -> None:
    encrypted = sealed(TOKEN, Sealing(change=change))
    assert encrypted != sealed(TOKEN, Sealing())
    assert decrypt(encrypted, decrypters(*OURS), GCM) == TOKEN


@pytest.mark.parametrize("algorithm", ContentEncryption)
@pytest.mark.parametrize("length", range(16))
def test_every_length_of_padding_is_taken_off(algorithm: ContentEncryption, length: int) -> None:
    token = b" " * length + TOKEN
    assert decrypt(sealed(token, Sealing(algorithm)), decrypters(*OURS), algorithm) == token


@pytest.mark.parametrize("length", [0, 100, 5_000, 190_000])
def test_decoy_is_verified_to_no_effect(length: int) -> None:
    verify_decoy(length)  # which its digest refuses, or this would raise
    made = decoy(length)
    assert abs(len(made) - min(length, LARGEST)) < 2000
    assert parse(made).get("ID") == "_decoy"
