"""Whatever our verifier accepts signxml accepts too, and both say that the same element was signed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from sts.core.errors import InvalidSignature, StsError
from sts.crypto.xml import NS, escape_attribute, escape_text, parse_metadata, serialise
from sts.crypto.xmldsig import Expected, sign_canonical, sign_element, verify, verify_metadata
from tests.crypto.identities import NOW, certificate, signer
from tests.crypto.oracle import by_signxml, same
from tests.crypto.test_metadata_documents import DOCUMENT, signed_by_signxml
from tests.crypto.test_metadata_documents import EXPECTED as METADATA
from tests.crypto.test_xml import LEGAL
from tests.crypto.test_xmldsig import EXPECTED11, KINDS, SAML11, halves11, halves20
from tests.fuzz.mutations import Mutator
from tests.threats.signatures import DS, EXPECTED, SAML20, Recipe, signed
from tests.threats.test_xml_signature import KEY_VALUE, MADE, MORE, WRAPPED, key_info, rsa, x509_data

DSIG11 = "http://www.w3.org/2009/xmldsig11#"
SHA512 = rsa("rsa2048", "idp", hashes.SHA512())
LAX = replace(EXPECTED, allow_sha1=True)


def agreed(document: bytes, pinned: bytes, expected: Expected) -> bool:
    """Whether ours accepts the document; then signxml must accept it too, and answer the same."""
    try:
        ours = verify(document, [pinned], expected)
    except StsError:
        return False
    assert same(ours, by_signxml(document, pinned, expected)), document
    return True


def around(inner: str, outer: str = "") -> str:
    """An assertion with this inside, after the place of its signature."""
    return (
        f'<saml:Assertion xmlns:saml="{SAML20}" {outer} ID="_a" Version="2.0"><saml:Issuer>i</saml:Issuer>'
        f"{inner}</saml:Assertion>"
    )


GOOD = {
    "plain": signed(Recipe()),
    "white space after the signature": signed(Recipe(), around(" \t\r\n <saml:Advice/> more ")),
    "text before the signature": signed(Recipe(), around("").replace("<saml:Issuer>", " &lt; <saml:Issuer>")),
    "text and no element": signed(Recipe(), f'<a:Assertion xmlns:a="{SAML20}" ID="_a">&amp;&#13;</a:Assertion>'),
    "declarations that nothing uses": signed(Recipe(), around('<b xmlns="urn:b" xmlns:c="urn:c"/>', 'xmlns:d="urn:d"')),
    "declarations that are taken back": signed(Recipe(), around('<b xmlns="urn:b"><c xmlns=""/></b>', 'xmlns="urn:o"')),
    "attributes out of order": signed(Recipe(), around('<b z="1" xmlns:p="urn:p" p:a="2" a="&quot;&#9;"/>')),
    "names in other letters": signed(Recipe(), around('<\u00e4:b \u00e9="\u00fc"/>', 'xmlns:\u00e4="urn:a"')),
    "attributes of xml": signed(Recipe(), around('<b xml:lang="de" xml:space="preserve"> </b>', 'xml:lang="en"')),
    "declared as a document": b'<?xml version="1.0" encoding="utf-8"?>\n' + signed(Recipe()) + b"\n ",
    "SHA-384": signed(Recipe(digest="sha384", digest_method=MORE + "sha384")),
    "SHA-512": signed(
        Recipe(SHA512, MORE + "rsa-sha512", digest="sha512", digest_method=NS["xenc"] + "sha512"),
    ),
    "KeyInfo": signed(Recipe(key_info=key_info(x509_data("rsa2048", "attacker"), KEY_VALUE))),
    "KeyInfo of others": signed(
        Recipe(key_info=key_info('<w:Reference xmlns:w="urn:w"><b xmlns=""/><ds:KeyName>n</ds:KeyName></w:Reference>'))
    ),
}  # fmt: skip


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD)
def test_good_signatures_are_accepted_by_both(document: bytes) -> None:
    assert agreed(document, certificate("rsa2048"), EXPECTED)


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_of_every_kind_of_key_are_accepted_by_both(kind: str) -> None:
    assert agreed(sign_canonical(*halves20(), "_a", signer(kind)), certificate(kind), EXPECTED)
    assert agreed(sign_canonical(*halves11(), "_a", signer(kind)), certificate(kind), EXPECTED11)


@pytest.mark.parametrize("allowed", [EXPECTED, LAX], ids=["strong digests", "SHA-1 too"])
@pytest.mark.parametrize("row", [*WRAPPED, *MADE])
def test_hostile_signatures_are_accepted_by_both_or_not_by_us(row: str, allowed: Expected) -> None:
    document = WRAPPED[row][0].encode() if row in WRAPPED else signed(MADE[row][0])
    of_sha1 = row in ("D36", "D37") and allowed is LAX
    assert agreed(document, certificate("rsa2048"), allowed) is of_sha1


ODD_IDS = ["#_a", "xpointer(/)", "xpointer(id('_a'))", "_a b", " _a", "\u00e4", "_a'", "a:b", "0", "%41"]


@pytest.mark.parametrize("identifier", ODD_IDS)
def test_odd_identifiers_mean_the_same_to_both(identifier: str) -> None:
    before, after = halves20()
    document = sign_canonical(before.replace("_a", identifier), after, identifier, signer("p256"))
    assert agreed(document, certificate("p256"), EXPECTED) is not identifier.startswith(("#", "xpointer"))


NAMES = st.sampled_from(["a", "saml:Advice", "p:a", "q:b", "ds:Object", "xml:a"])
ATTRIBUTES = st.sampled_from(["a", "b", "p:a", "q:a", "xml:lang", "xml:base", "saml:a"])
DECLARATIONS = st.sampled_from(["", ' xmlns="urn:o"', ' xmlns=""', ' xmlns:p="urn:p2"', ' xmlns:q="urn:p"'])


@st.composite
def elements(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """An element, as it could be written by anybody."""
    name, declared = draw(NAMES.filter(lambda name: name != "xml:a")), draw(DECLARATIONS)
    attributes = draw(st.dictionaries(ATTRIBUTES, LEGAL, max_size=3))
    if "p:a" in attributes:
        attributes.pop("q:a", None)  # may be the same
    written = "".join(
        f" {key}='{escape_attribute(value).replace(chr(39), '&#39;')}'" for key, value in attributes.items()
    )
    content = "".join(draw(st.lists(inner, max_size=3)))
    return f"<{name}{declared}{written}>{content}</{name} >"


TREES = st.recursive(LEGAL.map(escape_text), lambda inner: elements(inner) | LEGAL.map(escape_text), max_leaves=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(TREES, max_size=4).map("".join))
def test_honest_documents_of_any_form_are_accepted_by_both(inner: str) -> None:
    document = signed(Recipe(), around(f"<saml:Advice/>{inner}", f'xmlns:p="urn:p" xmlns:q="urn:q" xmlns:ds="{DS}"'))
    assert agreed(document, certificate("rsa2048"), EXPECTED)


DONORS = [*GOOD.values(), *(signed(recipe) for recipe, _ in MADE.values()), DOCUMENT.encode()]


@pytest.mark.parametrize("seed", range(4))
def test_changed_documents_are_accepted_by_both_or_not_by_us(seed: int) -> None:
    accepted = 0
    for number in range(400):
        random = Random(f"{seed} {number}")
        changed = Mutator(random, DONORS).changed(random.choice(list(GOOD.values())))
        accepted += agreed(changed, certificate("rsa2048"), random.choice([EXPECTED, LAX]))
    assert accepted > 2


PARTS = [
    *("KeyName", "KeyValue", "RSAKeyValue", "Modulus", "Exponent", "X509Data", "X509IssuerSerial", "X509IssuerName"),
    *("X509SerialNumber", "X509SKI", "X509SubjectName", "X509Certificate", "X509CRL", "RetrievalMethod", "MgmtData"),
    *("PGPData", "SPKIData", "DSAKeyValue", "SignedInfo", "SignatureValue", "DigestValue", "Transforms", "KeyInfo"),
]
PARTS11 = ["ECKeyValue", "NamedCurve", "PublicKey", "DEREncodedKeyValue", "X509Digest", "KeyInfoReference", "Prime"]


USUALLY = {
    "ds:X509Data": ["ds:X509Certificate", "ds:X509SKI", "ds:X509IssuerSerial", "e:X509Digest", "w:b"],
    "ds:KeyValue": ["ds:RSAKeyValue", "e:ECKeyValue", "w:b"],
    "w:b": ["b", "ds:KeyName", "ds:X509Data", "e:DEREncodedKeyValue"],
    "": ["ds:X509Data", "ds:KeyValue", "ds:KeyName", "w:b", "e:DEREncodedKeyValue"],
}
ANYTHING = [*(f"ds:{part}" for part in PARTS), *(f"e:{part}" for part in PARTS11), "w:b", "b"]
IN_KEY_INFO = ["", "", "", "", ' Id="_k"', ' Id="0"', ' URI="#x"', ' Algorithm="urn:x"', ' xsi:type="xs:int"']
TEXTS = ["", "QUJD", "QUI=", "Q U J D", "!", "12", " ", "x y"]


def key_parts(random: Random, parent: str, depth: int) -> str:
    """What KeyInfo or a part of it could hold, right or wrong."""
    if not depth or (parent not in USUALLY and random.random() < 0.8):
        return random.choice(TEXTS)
    parts = []
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        name = random.choice(USUALLY.get(parent, ANYTHING) if random.random() < 0.8 else ANYTHING)
        parts.append(f"<{name}{random.choice(IN_KEY_INFO)}>{key_parts(random, name, depth - 1)}</{name}>")
    return "".join(parts)


@pytest.mark.parametrize("seed", range(3))
def test_any_key_info_is_accepted_by_both_or_not_by_us(seed: int) -> None:
    accepted = 0
    declared = f'xmlns:ds="{DS}" xmlns:e="{DSIG11}" xmlns:w="urn:w" xmlns:xsi="{NS["xsi"]}" xmlns:xs="{NS["xs"]}"'
    for number in range(300):
        parts = key_parts(Random(f"{seed} {number}"), "", 3)
        recipe = Recipe(key_info=f"<ds:KeyInfo {declared}>{parts}</ds:KeyInfo>")
        accepted += agreed(signed(recipe), certificate("rsa2048"), EXPECTED)
    assert accepted > 30


def test_threads_do_not_disturb_each_other() -> None:
    bad = GOOD["plain"].replace(b"</ds:Signature>", key_info("<ds:X509Data/>").encode() + b"</ds:Signature>")
    documents = [*GOOD.values(), bad] * 40

    def accepted(document: bytes) -> bool:
        try:
            return verify(document, [certificate("rsa2048")], EXPECTED) is not None
        except InvalidSignature:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(accepted, documents)) == [document is not bad for document in documents]


def test_metadata_is_accepted_by_both() -> None:
    role = etree.fromstring(DOCUMENT.replace("<RoleDescriptor ", '<RoleDescriptor ID="_r" '))
    role.replace(role[0], etree.fromstring(sign_element(role[0], "_r", signer("p256", "other"), 0)))
    signed_twice = signed_by_signxml(role)
    for document in (signed_twice, signed_twice.replace(b"<auth:", b"<!-- c --><auth:", 3)):
        ours = verify_metadata(document, [certificate("rsa2048")], METADATA)
        assert same(ours, by_signxml(serialise(parse_metadata(document)), certificate("rsa2048"), METADATA))


@pytest.mark.parametrize("text", ["x", "&#13;", "\u00a0", "&amp;"])
def test_text_behind_the_signature_is_refused(text: str) -> None:
    document = signed(Recipe(), around(text))
    with pytest.raises(InvalidSignature) as refused:
        verify(document, [certificate("rsa2048")], EXPECTED)
    assert refused.value.detail == "text behind Signature"
    assert not agreed(document, certificate("rsa2048"), EXPECTED)


def test_an_assertion_of_the_other_version_is_no_assertion() -> None:
    document = sign_canonical(*halves11(), "_a", signer("p256"))
    assert not agreed(document, certificate("p256"), EXPECTED)
    assert agreed(document, certificate("p256"), Expected(f"{{{SAML11}}}Assertion", "AssertionID", NOW))
