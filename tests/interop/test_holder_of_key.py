"""Foreign software takes our holder-of-key assertions, and a relying party finds the client's key in them."""

import hmac
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest
import signxml
from cryptography import x509
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree

from sts.core.exchange import Actor, HolderOfKey, PublicHolder, TokenDescriptor
from sts.core.model import ContentEncryption
from sts.crypto.xmlenc import encrypt
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, rsa_key, signer
from tests.crypto.key_infos import spki
from tests.interop.schemas import schema
from tests.interop.test_saml_peers import ELEMENTS, ID_ATTRIBUTES, SCHEMAS
from tests.tokens.assertions import DESCRIPTOR
from tests.tokens.holders import HOLDERS, PROOF_KEY, SYMMETRIC, proof_keys
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
ANY_HOLDER = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
XENC = "http://www.w3.org/2001/04/xmlenc#"
DS = "http://www.w3.org/2000/09/xmldsig#"


def held(holder: HolderOfKey) -> TokenDescriptor:
    """The sample token for the holder of a key, with somebody who acts."""
    return DESCRIPTOR._replace(confirmation=holder, actors=(Actor("front-end", DESCRIPTOR.issuer),))


@VERSIONS
@ANY_HOLDER
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_xmlsec1_verifies_it(module: ModuleType, holder: HolderOfKey, kind: str, tmp_path: Path) -> None:
    token = module.write(held(holder), signer(kind))
    verify_with_xmlsec1(token, certificate(kind), ID_ATTRIBUTES[module], ELEMENTS[module], tmp_path)


@VERSIONS
def test_xmlsec1_refuses_another_key_in_it(module: ModuleType, tmp_path: Path) -> None:
    token = module.write(held(HOLDERS["p256"]), signer("rsa2048"))
    other = module.write(held(PublicHolder(spki("p256", "thief"))), signer("rsa2048"))
    forged = token.replace(_point(token), _point(other))
    assert forged != token
    with pytest.raises(AssertionError):
        verify_with_xmlsec1(forged, certificate("rsa2048"), ID_ATTRIBUTES[module], ELEMENTS[module], tmp_path)


@VERSIONS
@ANY_HOLDER
def test_signxml_verifies_it(module: ModuleType, holder: HolderOfKey) -> None:
    result = signxml.XMLVerifier().verify(
        module.write(held(holder), signer("rsa2048")),
        x509_cert=x509.load_der_x509_certificate(certificate("rsa2048")),
        id_attribute=ID_ATTRIBUTES[module],
        expect_config=signxml.SignatureConfiguration(location="./", verification_time=NOW),
    )
    assert result.signed_xml.get(ID_ATTRIBUTES[module]) == "_" + DESCRIPTOR.id


@VERSIONS
@ANY_HOLDER
def test_it_is_valid_by_the_oasis_schema(module: ModuleType, holder: HolderOfKey) -> None:
    token = module.write(held(holder), signer("rsa2048"))
    schema(*SCHEMAS[module], "xmldsig11-schema.xsd").assertValid(etree.fromstring(token))


@VERSIONS
def test_the_schema_looks_at_the_key_too(module: ModuleType) -> None:
    token = module.write(held(HOLDERS["p256"]), signer("rsa2048")).replace(b"NamedCurve", b"NamedCure")
    assert not schema(*SCHEMAS[module], "xmldsig11-schema.xsd").validate(etree.fromstring(token))


@VERSIONS
@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_xmlsec1_decrypts_it_and_its_proof_key_verifies_a_message(
    module: ModuleType, algorithm: ContentEncryption, tmp_path: Path
) -> None:
    """The relying party's way: decrypt, verify, unwrap the proof key, and hold the client's message against it."""
    token = module.write(held(SYMMETRIC), signer("rsa2048"))
    encrypted = module.encrypt(token, certificate("rsa2048", "rp"), algorithm)
    opened = etree.fromstring(decrypt_with_xmlsec1(encrypted, rsa_key("rp"), tmp_path))
    assertion = etree.tostring(opened[0] if module is saml20 else opened)
    verify_with_xmlsec1(assertion, certificate("rsa2048"), ID_ATTRIBUTES[module], ELEMENTS[module], tmp_path)
    message = b"<s:Body>what the client asks of the relying party</s:Body>"
    by_client = hmac.digest(PROOF_KEY, message, sha256)
    (found,) = proof_keys(assertion, rsa_key("rp"))
    assert hmac.compare_digest(hmac.digest(found, message, sha256), by_client)


@VERSIONS
def test_xmlsec1_unwraps_the_proof_key(module: ModuleType, tmp_path: Path) -> None:
    """Shown by content that only the proof key opens, with the assertion's EncryptedKey beside it."""
    token = etree.fromstring(module.write(held(SYMMETRIC), signer("rsa2048")))
    wrapped = next(token.iter(f"{{{XENC}}}EncryptedKey"))
    data = etree.fromstring(encrypt(b"<opened/>", certificate("rsa2048", "rp"), ContentEncryption.AES256_CBC))
    key_info = data.find(f"{{{DS}}}KeyInfo")
    assert key_info is not None
    key_info[:] = [wrapped]
    value = data.find(f"{{{XENC}}}CipherData/{{{XENC}}}CipherValue")
    assert value is not None
    value.text = b64encode(_sealed(b"<opened/>", PROOF_KEY)).decode()
    document = b"<Encrypted>" + etree.tostring(data) + b"</Encrypted>"
    assert b"<opened/>" in decrypt_with_xmlsec1(document, rsa_key("rp"), tmp_path)


def _point(token: bytes) -> bytes:
    """The public key on a curve that a token names."""
    found = re.search(rb"<dsig11:PublicKey>(.*?)</dsig11:PublicKey>", token)
    assert found is not None
    return found[1]


def _sealed(data: bytes, key: bytes) -> bytes:
    """Data under AES-CBC, as XML Encryption pads it."""
    count = 16 - len(data) % 16
    encryptor = Cipher(AES(key), CBC(bytes(16))).encryptor()
    return bytes(16) + encryptor.update(data + bytes([count]) * count) + encryptor.finalize()
