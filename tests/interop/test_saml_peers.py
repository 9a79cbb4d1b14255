"""Foreign software verifies, decrypts and validates our assertions, and we read those that it signs."""

from pathlib import Path
from types import ModuleType

import pytest
import signxml
from cryptography import x509
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME, NAME_IDENTIFIER, ROLE
from sts.core.exchange import TokenDescriptor
from sts.core.model import ContentEncryption
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, private_key, signer
from tests.interop.schemas import schema
from tests.tokens.assertions import DESCRIPTOR, TRUSTED, described, unsigned, written
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
KINDS = pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
ID_ATTRIBUTES = {saml11: "AssertionID", saml20: "ID"}
ELEMENTS = {
    saml11: "urn:oasis:names:tc:SAML:1.0:assertion:Assertion",
    saml20: "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
}
SCHEMAS = {
    saml11: ("cs-sstc-schema-assertion-1.1.xsd", "xenc-schema.xsd", "xenc11-schema.xsd"),
    saml20: ("saml-schema-assertion-2.0.xsd", "xenc11-schema.xsd"),
}
HOSTILE = described(
    (NAME_IDENTIFIER, "alice\r\n<b>&amp;\t\U0001f600"),
    ('http://claims.example/a"b\t\n\r<&>', " ]]> \r \"' "),
    (ROLE, "</AttributeValue>"),
    (ROLE, ""),
    (IDENTITY_PROVIDER, "adfs"),
)
SAMPLES = pytest.mark.parametrize(
    "descriptor",
    [
        pytest.param(DESCRIPTOR, id="usual"),
        pytest.param(HOSTILE, id="hostile text"),
        pytest.param(described((NAME, "Alice"), (IDENTITY_PROVIDER, "adfs")), id="without a name"),
        pytest.param(described((NAME_IDENTIFIER, "alice")), id="only a name"),
    ],
)


@VERSIONS
@KINDS
@SAMPLES
def test_xmlsec1_verifies_what_we_sign(
    module: ModuleType, kind: str, descriptor: TokenDescriptor, tmp_path: Path
) -> None:
    token = module.write(descriptor, signer(kind))
    verify_with_xmlsec1(token, certificate(kind), ID_ATTRIBUTES[module], ELEMENTS[module], tmp_path)


@VERSIONS
def test_xmlsec1_refuses_what_was_changed(module: ModuleType, tmp_path: Path) -> None:
    token = module.write(DESCRIPTOR, signer("rsa2048")).replace(b">alice<", b">admin<")
    with pytest.raises(AssertionError):
        verify_with_xmlsec1(token, certificate("rsa2048"), ID_ATTRIBUTES[module], ELEMENTS[module], tmp_path)


@VERSIONS
@KINDS
@SAMPLES
def test_signxml_verifies_what_we_sign(module: ModuleType, kind: str, descriptor: TokenDescriptor) -> None:
    result = signxml.XMLVerifier().verify(
        module.write(descriptor, signer(kind)),
        x509_cert=x509.load_der_x509_certificate(certificate(kind)),
        id_attribute=ID_ATTRIBUTES[module],
        expect_config=signxml.SignatureConfiguration(location="./", verification_time=NOW),
    )
    assert result.signed_xml.get(ID_ATTRIBUTES[module]) == "_" + descriptor.id


@VERSIONS
@KINDS
@SAMPLES
def test_assertion_is_valid_by_the_oasis_schema(module: ModuleType, kind: str, descriptor: TokenDescriptor) -> None:
    schema(*SCHEMAS[module]).assertValid(etree.fromstring(module.write(descriptor, signer(kind))))


@VERSIONS
@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_encrypted_assertion_is_valid_by_the_schema(module: ModuleType, algorithm: ContentEncryption) -> None:
    encrypted = module.encrypt(module.write(DESCRIPTOR, signer("rsa2048")), certificate("rsa2048", "rp"), algorithm)
    schema(*SCHEMAS[module]).assertValid(etree.fromstring(encrypted))


@VERSIONS
@pytest.mark.parametrize("algorithm", ContentEncryption)
@SAMPLES
def test_xmlsec1_decrypts_what_we_encrypt_and_it_still_verifies(
    module: ModuleType, algorithm: ContentEncryption, descriptor: TokenDescriptor, tmp_path: Path
) -> None:
    token = module.write(descriptor, signer("rsa2048"))
    encrypted = module.encrypt(token, certificate("rsa2048", "rp"), algorithm)
    decrypted = etree.fromstring(decrypt_with_xmlsec1(encrypted, private_key("rsa2048", "rp"), tmp_path))
    assertion = decrypted[0] if module is saml20 else decrypted
    assert etree.tostring(assertion, method="c14n", exclusive=True) == token
    verified = module.read(etree.tostring(assertion), TRUSTED, NOW)
    assert verified.claims == descriptor.claims


@VERSIONS
@pytest.mark.parametrize("layout", ["compact", "indented"])
def test_we_read_what_signxml_signs(module: ModuleType, layout: str) -> None:
    """The signature as other products write it: KeyInfo in wrapped base64, white space between elements."""
    element = etree.fromstring(unsigned(written(module)))
    if layout == "indented":
        etree.indent(element)
    signed = signxml.XMLSigner(
        signature_algorithm=signxml.SignatureMethod.RSA_SHA256,
        c14n_algorithm=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    ).sign(
        element,
        key=private_key("rsa2048"),
        cert=[x509.load_der_x509_certificate(certificate("rsa2048"))],
        reference_uri="_" + DESCRIPTOR.id,
        id_attribute=ID_ATTRIBUTES[module],
    )
    assert module.read(etree.tostring(signed), TRUSTED, NOW).claims == DESCRIPTOR.claims
