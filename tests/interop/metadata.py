"""Federation metadata and assertions, as foreign software takes them apart."""

import base64

from lxml import etree

METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
ENTITY = "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor"
ASSERTIONS = {
    "saml11": ("AssertionID", "urn:oasis:names:tc:SAML:1.0:assertion:Assertion"),
    "saml20": ("ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"),
}
SCHEMAS = {
    "saml11": ("cs-sstc-schema-assertion-1.1.xsd", "xenc-schema.xsd", "xenc11-schema.xsd"),
    "saml20": ("saml-schema-assertion-2.0.xsd", "xenc11-schema.xsd"),
}
_NS = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}


def signing_certificates(document: bytes) -> list[bytes]:
    """The signing certificates (DER) that the document names, in order."""
    return certificates(document, "signing")


def encryption_certificates(document: bytes) -> list[bytes]:
    """The certificates (DER) to encrypt to that the document names, in order."""
    return certificates(document, "encryption")


def certificates(document: bytes, use: str) -> list[bytes]:
    """The certificates (DER) of one use that the document names, in order."""
    path = f"md:RoleDescriptor/md:KeyDescriptor[@use='{use}']/ds:KeyInfo/ds:X509Data/ds:X509Certificate"
    found = etree.fromstring(document).findall(path, _NS)
    return [base64.b64decode(element.text or "") for element in found]
