"""The federation metadata document, read as partners read it."""

import re
from base64 import b64decode
from pathlib import Path

import pytest
from lxml import etree

from sts.core.errors import NoSigningCertificate
from sts.core.uris import JWT_TOKEN, SAML11_TOKEN, SAML20_TOKEN, SWT_TOKEN
from sts.crypto.signer import SoftwareSigner
from sts.crypto.xml import NS, parse
from sts.crypto.xmldsig import Expected, verify
from sts.protocols.federation_metadata import MetadataDescription, build
from tests.crypto.identities import NOW, certificate, signer
from tests.schemas import validate
from tests.tools import verify_with_xmlsec1

ISSUER = "https://sts.example/contoso/"
SIGNING = (certificate("rsa2048"), certificate("rsa2048", "next"))
DECRYPTION = (certificate("rsa2048", "decryption"), certificate("rsa2048", "older"))
DESCRIPTION = MetadataDescription(ISSUER, SIGNING, DECRYPTION)
ENTITY = "{urn:oasis:names:tc:SAML:2.0:metadata}EntityDescriptor"
STS = "md:RoleDescriptor[@xsi:type='fed:SecurityTokenServiceType']"
APPLICATION = "md:RoleDescriptor[@xsi:type='fed:ApplicationServiceType']"
IDENTITY_PROVIDER_ROLE = "md:IDPSSODescriptor"
TYPES = etree.QName(NS["xsi"], "type")


def texts(path: str, document: bytes) -> list[str]:
    """The strings that an XPath expression finds in the document."""
    found = etree.fromstring(document).xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(item) for item in found]


@pytest.fixture(scope="module")
def document() -> bytes:
    return build(DESCRIPTION, signer("rsa2048"))


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521"])
def test_xmlsec1_verifies_the_document(kind: str, tmp_path: Path) -> None:
    signed = build(MetadataDescription(ISSUER, (certificate(kind),), DECRYPTION), signer(kind))
    verify_with_xmlsec1(
        signed, certificate(kind), "ID", "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor", tmp_path
    )


def test_our_own_reader_verifies_the_document(document: bytes) -> None:
    root = verify(document, [SIGNING[0]], Expected(root=ENTITY, id_attribute="ID", now=NOW))
    assert root.get("entityID") == ISSUER


def test_document_is_valid_by_schema(document: bytes) -> None:
    validate(document, "saml-schema-metadata-2.0.xsd", "federation.xsd")


def test_schema_refuses_a_role_without_its_endpoint(document: bytes) -> None:
    broken = re.sub(rb"<fed:ApplicationServiceEndpoint>.*?</fed:ApplicationServiceEndpoint>", b"", document)
    assert broken != document
    with pytest.raises(etree.DocumentInvalid, match="ApplicationServiceEndpoint"):
        validate(broken, "saml-schema-metadata-2.0.xsd", "federation.xsd")


def test_signature_is_the_first_child_and_covers_the_whole_document(document: bytes) -> None:
    root = etree.fromstring(document)
    assert root[0].tag == f"{{{NS['ds']}}}Signature"
    assert texts("ds:Signature/ds:SignedInfo/ds:Reference/@URI", document) == ["#" + root.get("ID", "")]


def test_role_types_have_the_literal_prefix_and_it_resolves(document: bytes) -> None:
    for name in (b"SecurityTokenServiceType", b"ApplicationServiceType"):
        assert b'xsi:type="fed:' + name + b'"' in document
    roles = etree.fromstring(document).findall(f"{{{NS['md']}}}RoleDescriptor")
    assert [role.get(TYPES) for role in roles] == ["fed:SecurityTokenServiceType", "fed:ApplicationServiceType"]
    assert {role.nsmap["fed"] for role in roles} == {"http://docs.oasis-open.org/wsfed/federation/200706"}


@pytest.mark.parametrize(
    ("role", "use", "certificates"),
    [
        (STS, "signing", SIGNING),
        (APPLICATION, "encryption", DECRYPTION),
        (IDENTITY_PROVIDER_ROLE, "signing", SIGNING),
    ],
    ids=["signing", "encryption", "signing of the identity provider"],
)
def test_certificates_are_published_in_the_order_given(
    document: bytes, role: str, use: str, certificates: tuple[bytes, ...]
) -> None:
    found = texts(f"{role}/md:KeyDescriptor/ds:KeyInfo/ds:X509Data/ds:X509Certificate/text()", document)
    assert tuple(b64decode(text) for text in found) == certificates
    assert set(texts(f"{role}/md:KeyDescriptor/@use", document)) == {use}


def test_offers_the_four_token_types_and_the_claim_types(document: bytes) -> None:
    offered = texts(f"{STS}/fed:TokenTypesOffered/fed:TokenType/@Uri", document)
    assert offered == [SAML20_TOKEN, SAML11_TOKEN, JWT_TOKEN, SWT_TOKEN]
    assert texts(f"{STS}/fed:ClaimTypesOffered/auth:ClaimType/@Uri", document) == list(DESCRIPTION.claim_types)


@pytest.mark.parametrize(
    ("path", "addresses"),
    [
        (
            f"{STS}/fed:SecurityTokenServiceEndpoint",
            [
                "v2/wstrust/13/username",
                "v2/wstrust/13/certificate",
                "v2/wstrust/13/issuedtoken-bearer",
                "v2/wstrust/13/issuedtoken-symmetric",
                "v2/wstrust/13/issuedtoken-asymmetric",
            ],
        ),
        (f"{STS}/fed:PassiveRequestorEndpoint", ["v2/wsfederation"]),
        (f"{STS}/fed:TargetScopes", [""]),
        (f"{APPLICATION}/fed:ApplicationServiceEndpoint", ["v2/wsfederation"]),
        (f"{APPLICATION}/fed:PassiveRequestorEndpoint", ["v2/wsfederation"]),
        (f"{APPLICATION}/fed:TargetScopes", [""]),
    ],
)
def test_endpoints_are_those_of_the_namespace(document: bytes, path: str, addresses: list[str]) -> None:
    found = texts(f"{path}/wsa:EndpointReference/wsa:Address/text()", document)
    assert found == [ISSUER + address for address in addresses]


def test_roles_stand_in_the_order_that_readers_know(document: bytes) -> None:
    roles = [etree.QName(role).localname for role in etree.fromstring(document)]
    assert roles == ["Signature", "RoleDescriptor", "RoleDescriptor", "IDPSSODescriptor"]
    assert document.index(b"fed:SecurityTokenServiceType") < document.index(b"fed:ApplicationServiceType")


def test_identity_provider_role_names_its_one_address_for_every_binding(document: bytes) -> None:
    services = texts(f"{IDENTITY_PROVIDER_ROLE}/md:SingleSignOnService/@Location", document)
    assert services == [ISSUER + "v2/wsfederation"] * 3
    assert texts(f"{IDENTITY_PROVIDER_ROLE}/md:SingleSignOnService/@Binding", document) == [
        "http://schemas.xmlsoap.org/ws/2003/07/secext",
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    ]
    assert texts(f"{IDENTITY_PROVIDER_ROLE}/md:NameIDFormat/text()", document) == [
        "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    ]
    protocols = texts(f"{IDENTITY_PROVIDER_ROLE}/@protocolSupportEnumeration", document)[0].split()
    assert {"urn:oasis:names:tc:SAML:2.0:protocol", NS["fed"]} < set(protocols)


def test_identity_providers_are_told_what_they_may_encrypt_with(document: bytes) -> None:
    methods = texts(f"{APPLICATION}/md:KeyDescriptor[1]/md:EncryptionMethod/@Algorithm", document)
    assert methods == [
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    ]


def test_same_content_makes_the_same_bytes(document: bytes) -> None:
    assert build(DESCRIPTION, signer("rsa2048")) == document


def test_other_content_has_another_id(document: bytes) -> None:
    other = build(MetadataDescription(ISSUER, SIGNING[::-1], DECRYPTION), signer("rsa2048"))
    assert texts("@ID", other) != texts("@ID", document)
    assert re.fullmatch("_[0-9a-f]{64}", texts("@ID", document)[0])


def test_document_stays_within_the_limits_of_our_own_parser() -> None:
    many = tuple(certificate("rsa2048", f"owner{number}") for number in range(3)) * 20
    signed = build(MetadataDescription(ISSUER, many, many), signer("rsa2048"))
    assert parse(signed).get("entityID") == ISSUER


def test_namespace_without_decryption_certificates_still_publishes() -> None:
    signed = build(MetadataDescription(ISSUER, SIGNING), signer("rsa2048"))
    validate(signed, "saml-schema-metadata-2.0.xsd", "federation.xsd")
    assert set(texts("//md:KeyDescriptor/@use", signed)) == {"signing"}


def test_markup_in_an_issuer_does_not_break_out() -> None:
    issuer = 'https://sts.example/a"&<b/'
    signed = build(MetadataDescription(issuer, SIGNING), signer("rsa2048"))
    assert texts("@entityID", signed) == [issuer]


def test_symmetric_key_cannot_sign_the_document() -> None:
    with pytest.raises(NoSigningCertificate):
        build(DESCRIPTION, SoftwareSigner.from_symmetric(b"k" * 32, "key"))
