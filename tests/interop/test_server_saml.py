"""Assertions and metadata of the running server: verified, decrypted and validated by foreign software."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from tests.flows.server import Server
from tests.flows.tokens import Unverified, read_saml, verified_document
from tests.interop.metadata import ASSERTIONS, ENTITY, METADATA, SCHEMAS, signing_certificates
from tests.interop.schemas import schema
from tests.schemas import validate
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

NAMESPACES = pytest.mark.parametrize("namespace", ["contoso", "p256", "p384"])
VERSIONS = pytest.mark.parametrize("version", ["saml11", "saml20"])


@pytest.fixture
def primary(server: Server, namespace: str) -> bytes:
    """The first signing certificate in the namespace's metadata."""
    return signing_certificates(server.document(METADATA, namespace))[0]


@NAMESPACES
def test_xmlsec1_verifies_the_metadata(server: Server, namespace: str, primary: bytes, tmp_path: Path) -> None:
    verify_with_xmlsec1(server.document(METADATA, namespace), primary, "ID", ENTITY, tmp_path)


@NAMESPACES
def test_signxml_verifies_the_metadata(server: Server, namespace: str, primary: bytes) -> None:
    root = verified_document(server.document(METADATA, namespace), primary, datetime.now(UTC))
    assert root.get("entityID") == f"{server.base_url}/{namespace}/"


@NAMESPACES
def test_the_metadata_is_valid_by_schema(server: Server, namespace: str) -> None:
    validate(server.document(METADATA, namespace), "saml-schema-metadata-2.0.xsd", "federation.xsd")


@NAMESPACES
@VERSIONS
def test_xmlsec1_verifies_assertions_with_the_certificate_of_the_metadata(
    server: Server, namespace: str, primary: bytes, version: str, tmp_path: Path
) -> None:
    verify_with_xmlsec1(server.token(version, namespace), primary, *ASSERTIONS[version], tmp_path)


@NAMESPACES
@VERSIONS
def test_signxml_verifies_assertions_with_the_certificate_of_the_metadata(
    server: Server, namespace: str, primary: bytes, version: str
) -> None:
    issuer = f"{server.base_url}/{namespace}/"
    content = read_saml(server.token(version, namespace), primary, datetime.now(UTC))
    assert (content.issuer, content.audience) == (issuer, f"https://{version}.example/")
    assert content.claims == {NAME_IDENTIFIER: ["worker"], ROLE: ["sender"], IDENTITY_PROVIDER: [issuer]}


@VERSIONS
@pytest.mark.parametrize("namespace", ["contoso"])
def test_a_changed_assertion_is_not_verified(server: Server, primary: bytes, version: str, tmp_path: Path) -> None:
    forged = server.token(version).replace(b">worker<", b">admin<")
    with pytest.raises(AssertionError):
        verify_with_xmlsec1(forged, primary, *ASSERTIONS[version], tmp_path)
    with pytest.raises(Unverified):
        read_saml(forged, primary, datetime.now(UTC))


@VERSIONS
def test_an_assertion_of_one_namespace_is_not_verified_with_anothers_metadata(server: Server, version: str) -> None:
    for stranger in signing_certificates(server.document(METADATA, "p256")):
        with pytest.raises(Unverified):
            read_saml(server.token(version), stranger, datetime.now(UTC))


@NAMESPACES
@VERSIONS
def test_assertions_are_valid_by_the_oasis_schemas(server: Server, namespace: str, version: str) -> None:
    schema(*SCHEMAS[version]).assertValid(etree.fromstring(server.token(version, namespace)))


@VERSIONS
@pytest.mark.parametrize("mode", ["cbc", "gcm"])
@pytest.mark.parametrize("namespace", ["contoso"])
def test_xmlsec1_decrypts_and_verifies_what_an_encrypted_relying_party_gets(
    server: Server, primary: bytes, version: str, mode: str, recipient: RSAPrivateKey, tmp_path: Path
) -> None:
    encrypted = server.token(f"{version}-{mode}")
    assert b"worker" not in encrypted
    schema(*SCHEMAS[version]).assertValid(etree.fromstring(encrypted))
    decrypted = etree.fromstring(decrypt_with_xmlsec1(encrypted, recipient, tmp_path))
    assertion = decrypted[0] if version == "saml20" else decrypted
    plain = etree.tostring(assertion)
    verify_with_xmlsec1(plain, primary, *ASSERTIONS[version], tmp_path)
    content = read_saml(plain, primary, datetime.now(UTC))
    assert (content.audience, content.claims[ROLE]) == (f"https://{version}-{mode}.example/", ["sender"])
