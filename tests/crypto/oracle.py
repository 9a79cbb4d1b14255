"""signxml as an oracle: what it makes of a signature that stands where ours must, by the same rules."""

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from sts.crypto.xml import parser
from sts.crypto.xmldsig import Expected

METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class Verifier(XMLVerifier):
    """signxml's but for its copies: in ASCII, as it writes them, it cannot read again names that have other letters."""

    def _tostring(self, xml_node: etree._Element, **kwargs: object) -> bytes:
        return etree.tostring(xml_node, encoding="utf-8", xml_declaration=False)


def by_signxml(document: bytes, certificate: bytes, expected: Expected) -> etree._Element:
    """What signxml says was signed; whatever it raises says that nothing was."""
    methods, digests = METHODS, DIGESTS
    if expected.allow_sha1:
        methods, digests = methods | {SignatureMethod.RSA_SHA1}, digests | {DigestAlgorithm.SHA1}
    result = Verifier().verify(
        document,
        x509_cert=x509.load_der_x509_certificate(certificate),
        id_attribute=expected.id_attribute,
        parser=parser(),
        expect_config=SignatureConfiguration(
            location="./",
            expect_references=1,
            signature_methods=methods,
            digest_algorithms=digests,
            ignore_ambiguous_key_info=True,
            verification_time=expected.now,
        ),
    )
    signed = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != expected.root:
        raise ValueError("another element was signed")
    return signed


def same(one: etree._Element, other: etree._Element) -> bool:
    """Whether two elements are one, in every node that a reader can see and in every prefix."""
    return etree.tostring(one) == etree.tostring(other)
