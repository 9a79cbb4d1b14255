"""Signatures that we write, read by foreign software; signatures that foreign software writes, read by us."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import signxml
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from sts.core.errors import InvalidSignature, NoSigningCertificate, StsError
from sts.crypto.signer import SoftwareSigner
from sts.crypto.xml import escape_attribute, escape_text, parse
from sts.crypto.xmldsig import MAX_CANDIDATES, Expected, sign_canonical, sign_element, verify
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, NOW, certificate, private_key, signer
from tests.crypto.test_xml import LEGAL
from tests.tools import verify_with_xmlsec1

SAML11 = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
KINDS = ["rsa2048", "p256", "p384", "p521"]
EXCLUSIVE = signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
EXPECTED20 = Expected(f"{{{SAML20}}}Assertion", "ID", NOW)
EXPECTED11 = Expected(f"{{{SAML11}}}Assertion", "AssertionID", NOW)


def halves20(name: str = "alice", attribute: str = "orders") -> tuple[str, str]:
    before = (
        f'<saml:Assertion xmlns:saml="{SAML20}" ID="_a" Version="2.0"><saml:Issuer>https://sts.example/</saml:Issuer>'
    )
    subject = f"<saml:Subject><saml:NameID>{escape_text(name)}</saml:NameID></saml:Subject>"
    advice = f'<saml:Advice Name="{escape_attribute(attribute)}"></saml:Advice>'
    return before, f"{subject}{advice}</saml:Assertion>"


def halves11() -> tuple[str, str]:
    start = f'<saml:Assertion xmlns:saml="{SAML11}" AssertionID="_a" MajorVersion="1" MinorVersion="1">'
    return f"{start}<saml:Conditions></saml:Conditions>", "</saml:Assertion>"


def by_signxml(document: bytes, kind: str, id_attribute: str) -> etree._Element:
    pinned = x509.load_der_x509_certificate(certificate(kind))
    result = signxml.XMLVerifier().verify(
        document,
        x509_cert=pinned,
        id_attribute=id_attribute,
        expect_config=signxml.SignatureConfiguration(location="./", verification_time=NOW),
    )
    return result.signed_xml


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("halves", "id_attribute", "namespace"),
    [pytest.param(halves20(), "ID", SAML20, id="SAML 2.0"), pytest.param(halves11(), "AssertionID", SAML11, id="1.1")],
)
def test_signature_is_verified_by_foreign_software(
    kind: str, halves: tuple[str, str], id_attribute: str, namespace: str, tmp_path: Path
) -> None:
    document = sign_canonical(*halves, "_a", signer(kind))
    assert by_signxml(document, kind, id_attribute).get(id_attribute) == "_a"
    verify_with_xmlsec1(document, certificate(kind), id_attribute, f"{namespace}:Assertion", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_our_signature_is_verified_by_us(kind: str) -> None:
    read = verify(sign_canonical(*halves20("bob"), "_a", signer(kind)), [certificate(kind)], EXPECTED20)
    assert read.findtext(f"{{{SAML20}}}Subject/{{{SAML20}}}NameID") == "bob"
    assert verify(sign_canonical(*halves11(), "_a", signer(kind)), [certificate(kind)], EXPECTED11).get("AssertionID")


@settings(max_examples=60, deadline=None)
@given(LEGAL, LEGAL)
def test_any_value_survives_signing(name: str, attribute: str) -> None:
    document = sign_canonical(*halves20(name, attribute), "_a", signer("p256"))
    for read in (by_signxml(document, "p256", "ID"), verify(document, [certificate("p256")], EXPECTED20)):
        assert (read.findtext(f"{{{SAML20}}}Subject/{{{SAML20}}}NameID") or "") == name
        assert read.find(f"{{{SAML20}}}Advice").get("Name") == attribute


def test_signed_document_is_canonical() -> None:
    document = sign_canonical(*halves20("a&\r<b>"), "_a", signer("rsa2048"))
    assert etree.tostring(etree.fromstring(document), method="c14n", exclusive=True) == document


def test_a_symmetric_key_signs_no_xml() -> None:
    with pytest.raises(NoSigningCertificate):
        sign_canonical(*halves20(), "_a", SoftwareSigner.from_symmetric(b"k" * 32, "id"))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_element_is_signed_where_the_caller_says(position: int, tmp_path: Path) -> None:
    namespace = "urn:oasis:names:tc:SAML:2.0:metadata"
    children = "<A b='1' a='2'/>\r\n<B>&gt;</B>"
    element = etree.fromstring(
        f"<EntityDescriptor xmlns='{namespace}' xmlns:unused='urn:u' ID='_m'>{children}</EntityDescriptor>"
    )
    document = sign_element(element, "_m", signer("rsa2048"), position)
    assert [etree.QName(child).localname for child in parse(document)].index("Signature") == position
    assert len(element) == 2
    verify(document, [certificate("rsa2048")], Expected(f"{{{namespace}}}EntityDescriptor", "ID", NOW))
    verify_with_xmlsec1(document, certificate("rsa2048"), "ID", f"{namespace}:EntityDescriptor", tmp_path)


def test_an_element_is_not_signed_twice() -> None:
    document = sign_canonical(*halves20(), "_a", signer("p256"))
    with pytest.raises(ValueError, match="already"):
        sign_element(etree.fromstring(document), "_a", signer("p256"), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_signature_is_verified(kind: str) -> None:
    method = "rsa-sha256" if kind == "rsa2048" else "ecdsa-sha384"
    foreign = signxml.XMLSigner(signature_algorithm=method, c14n_algorithm=EXCLUSIVE, digest_algorithm="sha512")
    unsigned = etree.fromstring("".join(halves11()))
    pinned = x509.load_der_x509_certificate(certificate(kind))
    document = foreign.sign(
        unsigned, key=private_key(kind), cert=[pinned], reference_uri="_a", id_attribute="AssertionID"
    )
    assert verify(etree.tostring(document), [certificate(kind)], EXPECTED11).get("AssertionID") == "_a"


def test_the_right_certificate_is_found_among_several() -> None:
    document = sign_canonical(*halves20(), "_a", signer("rsa2048"))
    others = [certificate("p256"), certificate("rsa2048", "stranger"), certificate("rsa1024")]
    assert verify(document, [*others, certificate("rsa2048")], EXPECTED20).get("ID") == "_a"


def test_only_the_first_eight_usable_certificates_are_tried() -> None:
    document = sign_canonical(*halves20(), "_a", signer("p256"))
    others = [certificate("p256", f"stranger {n}") for n in range(MAX_CANDIDATES)]
    assert verify(document, [*others[1:], certificate("rsa1024"), certificate("p256")], EXPECTED20) is not None
    with pytest.raises(InvalidSignature):
        verify(document, [*others, certificate("p256")], EXPECTED20)


@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        (NOT_BEFORE - timedelta(seconds=1), False),
        (NOT_BEFORE, True),
        (NOT_AFTER, True),
        (NOT_AFTER + timedelta(seconds=1), False),
    ],
)
def test_a_certificate_verifies_within_its_validity(now: datetime, accepted: bool) -> None:
    document = sign_canonical(*halves20(), "_a", signer("p256"))
    expected = replace(EXPECTED20, now=now)
    if accepted:
        assert verify(document, [certificate("p256")], expected) is not None
        return
    with pytest.raises(InvalidSignature) as refused:
        verify(document, [certificate("p256")], expected)
    assert (refused.value.detail or "").endswith("by none of 0 strong and valid certificates")


def test_what_is_answered_is_what_was_signed() -> None:
    read = verify(sign_canonical(*halves20(), "_a", signer("p256")), [certificate("p256")], EXPECTED20)
    assert etree.tostring(read) == "".join(halves20()).replace("></saml:Advice>", "/>").encode()


@pytest.mark.parametrize("wrapping", [b'<?xml version="1.0" encoding="utf-8"?>%s', b"\r\n %s \n", b"\xef\xbb\xbf%s"])
def test_white_space_and_a_declaration_around_the_element_do_not_matter(wrapping: bytes) -> None:
    document = sign_canonical(*halves20(), "_a", signer("p256"))
    assert verify(wrapping.replace(b"%s", document), [certificate("p256")], EXPECTED20).get("ID") == "_a"


DOCUMENT = sign_canonical(*halves20("alice@corp.example"), "_a", signer("p256"))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(DOCUMENT)), st.integers(0, 40), st.sampled_from([b"", b"<", b"/>", b'"', b"\n", b"a"])
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_mutated_document_is_refused_or_says_the_same(changes: list[tuple[int, int, bytes]]) -> None:
    document = DOCUMENT
    for at, cut, inserted in changes:
        document = document[:at] + inserted + document[at + cut :]
    try:
        read = verify(document, [certificate("p256")], EXPECTED20)
    except StsError:
        return
    assert read.findtext(f"{{{SAML20}}}Subject/{{{SAML20}}}NameID") == "alice@corp.example"
