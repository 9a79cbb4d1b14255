"""Metadata of partners: parsed leniently but within bounds, and its signature verified."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import signxml
from cryptography import x509
from lxml import etree

from sts.core.errors import BadRequest, InvalidSamlToken, InvalidSignature, PayloadTooLarge, StsError
from sts.crypto.xml import METADATA, NS, parse, parse_metadata
from sts.crypto.xmldsig import Expected, sign_element, verify_metadata
from tests.crypto.identities import NOW, certificate, private_key, signer

ENTITY = f"{{{NS['md']}}}EntityDescriptor"
EXPECTED = Expected(ENTITY, "ID", NOW)
CLAIM_TYPES = "".join(
    f'<auth:ClaimType xmlns:auth="{NS["auth"]}" Uri="http://claims.example/{number}"/>' for number in range(100)
)
DOCUMENT = (
    f'<EntityDescriptor xmlns="{NS["md"]}" ID="_m" entityID="https://adfs.example/adfs/services/trust">'
    f'<RoleDescriptor xmlns:fed="{NS["fed"]}"><fed:ClaimTypesOffered>{CLAIM_TYPES}</fed:ClaimTypesOffered>'
    "</RoleDescriptor></EntityDescriptor>"
)
SIGNED = sign_element(etree.fromstring(DOCUMENT), "_m", signer("rsa2048"), 0)


def text_of(document: str) -> str:
    return "".join(parse_metadata(document.encode()).itertext())


@pytest.mark.parametrize(
    "document",
    [
        "<a>ab</a>",
        '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<!-- made by hand --><a>ab</a><?end?>\n',
        "\n  <a>a<!-- c -->b</a>",
        "<a>a<?pi?>b</a>",
        "<a><![CDATA[ab]]></a>",
        '<?xml version="1.0" encoding="iso-8859-1"?><a>ab</a>',
    ],
    ids=["plain", "mark and declaration", "comment", "processing instruction", "CDATA", "ASCII under another name"],
)
def test_untidy_documents_are_read_without_what_is_no_text(document: str) -> None:
    assert text_of(document) == "ab"


def test_more_namespaces_than_a_message_may_have_are_read() -> None:
    assert len(parse_metadata(DOCUMENT.encode()).findall(".//auth:ClaimType", NS)) == 100
    with pytest.raises(BadRequest):
        parse(DOCUMENT.encode())


def declarations(count: int) -> str:
    return " ".join(f'xmlns:p{number}="urn:{number}"' for number in range(count))


UNACCEPTABLE = {
    "DTD": (b"<!DOCTYPE a><a/>", "DTD"),
    "M09 DTD in the middle": (b'<!-- c --><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
    "UTF-16": ("<a/>".encode("utf-16"), "encoding"),
    "Latin-1": (b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe4</a>', "encoding"),
    "NUL": (b"<a>\x00</a>", "syntax"),
    "not XML": (b"<a>", "syntax"),
    "undefined entity": (b"<a>&b;</a>", "syntax"),
    "two with an ID": (b'<a><b ID="_"/><c Id="_"/></a>', "duplicate ID"),
    "M09 as large as may be": (b"<a>" + b"<b/>" * METADATA.elements + b"</a>", "shape"),
    "M09 larger": (b"<a>" + b"<EntityDescriptor/>" * 115_000 + b"</a>", "size"),
    "namespaces": (f"<a {declarations(METADATA.declarations + 1)}/>".encode(), "namespaces"),
    "attributes": (("<a " + " ".join(f'b{n}=""' for n in range(65)) + "/>").encode(), "shape"),
    "depth": (b"<a>" * 257 + b"</a>" * 257, "syntax"),
}


@pytest.mark.parametrize("case", UNACCEPTABLE)
def test_document_out_of_bounds_is_refused_for_its_reason(case: str) -> None:
    document, reason = UNACCEPTABLE[case]
    with pytest.raises(StsError) as refused:
        parse_metadata(document)
    assert (refused.value.detail or "").startswith(reason)
    assert type(refused.value) is (PayloadTooLarge if reason == "size" else BadRequest)


def test_signed_metadata_is_answered_as_it_was_signed() -> None:
    read = verify_metadata(SIGNED, [certificate("rsa2048", "other"), certificate("rsa2048")], EXPECTED)
    assert read.tag == ENTITY
    assert len(read.findall(".//auth:ClaimType", NS)) == 100


def test_comments_are_no_part_of_what_is_signed() -> None:
    commented = SIGNED.replace(b"</fed:ClaimTypesOffered>", b"<!-- c --></fed:ClaimTypesOffered>")
    assert commented != SIGNED
    assert verify_metadata(commented, [certificate("rsa2048")], EXPECTED) is not None


def test_roles_may_have_signatures_of_their_own() -> None:
    role = etree.fromstring(DOCUMENT.replace("<RoleDescriptor ", '<RoleDescriptor ID="_r" '))
    signed_role = etree.fromstring(sign_element(role[0], "_r", signer("p256", "other"), 0))
    role.replace(role[0], signed_role)
    with pytest.raises(ValueError, match="signature already"):
        sign_element(role, "_m", signer("rsa2048"), 0)
    signed = signed_by_signxml(role)
    assert verify_metadata(signed, [certificate("rsa2048")], EXPECTED) is not None


def signed_by_signxml(element: etree._Element) -> bytes:
    """The element as another product signs it, SHA-256 throughout."""
    return etree.tostring(
        signxml.XMLSigner(
            c14n_algorithm=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        ).sign(
            element,
            key=private_key("rsa2048"),
            cert=[x509.load_der_x509_certificate(certificate("rsa2048"))],
            reference_uri="_m",
            id_attribute="ID",
        )
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text.replace("adfs.example", "evil.example"), InvalidSignature),
        (lambda text: text.replace("</fed:ClaimTypesOffered>", "<?pi?>x</fed:ClaimTypesOffered>"), InvalidSignature),
        (lambda text: text.replace('"_m" ', '"_n" '), InvalidSignature),
        (lambda text: DOCUMENT, InvalidSignature),
        (lambda text: text.replace("</EntityDescriptor>", "<Assertion/></EntityDescriptor>"), InvalidSamlToken),
        (lambda text: text.replace("EntityDescriptor", "EntitiesDescriptor"), InvalidSamlToken),
        (lambda text: "<!DOCTYPE a>" + text, InvalidSamlToken),
    ],
    ids=["changed", "with more text", "another ID", "M15 unsigned", "assertion inside", "another root", "DTD"],
)
def test_metadata_that_was_changed_is_refused(change: Callable[[str], str], error: type[StsError]) -> None:
    assert change(SIGNED.decode()) != SIGNED.decode()
    with pytest.raises(error):
        verify_metadata(change(SIGNED.decode()).encode(), [certificate("rsa2048")], EXPECTED)


def test_metadata_signed_by_another_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify_metadata(SIGNED, [certificate("rsa2048", "other")], EXPECTED)
    with pytest.raises(InvalidSamlToken):
        verify_metadata(SIGNED, [certificate("rsa2048")], replace(EXPECTED, root=f"{{{NS['md']}}}EntitiesDescriptor"))
