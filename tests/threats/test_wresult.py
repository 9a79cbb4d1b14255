"""Threat rows X and D at the response of an identity provider: what is cut out of it, and that nothing else ever is."""

import re
from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from sts.core.errors import InvalidSignInResponse, InvalidToken, PayloadTooLarge, StsError
from sts.core.model import TokenFormat
from sts.protocols import rstr
from sts.tokens import saml20
from tests.crypto.identities import NOW
from tests.protocols.wresults import TRUST_13, TRUST_2005, adfs, bare, collection, encrypted, issued
from tests.threats.test_xml_parsing import declarations, entities
from tests.tokens.assertions import TRUSTED

GOOD = issued(TokenFormat.SAML20).token.decode()
SIGNATURE = GOOD[GOOD.index("<ds:Signature") : GOOD.index("</ds:Signature>") + len("</ds:Signature>")]
UNSIGNED = GOOD.replace(SIGNATURE, "")
FORGED = UNSIGNED.replace(">alice<", ">admin<")
FORGED_OTHER_ID = re.sub(' ID="[^"]*"', ' ID="_forged"', FORGED)
FORGED_SIGNED = FORGED_OTHER_ID.replace("</Issuer>", f"</Issuer>{SIGNATURE}")
SEALED = encrypted(TokenFormat.SAML20).token.decode()
SEALED_11 = encrypted(TokenFormat.SAML11).token.decode()
REQUESTED = "<t:RequestedSecurityToken>"


def inside(outer: str, addition: str) -> str:
    """The addition as the last child of an assertion."""
    return outer.removesuffix("</Assertion>") + addition + "</Assertion>"


def beside(addition: str) -> str:
    """A good response with something more at its end."""
    return adfs(GOOD).removesuffix("</t:RequestSecurityTokenResponse>") + addition + "</t:RequestSecurityTokenResponse>"


def with_object(assertion: str, content: str) -> str:
    """The content in an Object of the assertion's signature."""
    return assertion.replace("</ds:Signature>", f"<ds:Object>{content}</ds:Object></ds:Signature>")


TEXT = adfs(GOOD)
REFUSED = {
    "D03": (adfs(with_object(FORGED_SIGNED, GOOD)), "assertion count"),
    "D03-same ID": (adfs(with_object(FORGED.replace("</Issuer>", f"</Issuer>{SIGNATURE}"), GOOD)), "duplicate ID"),
    "D04": (adfs(GOOD.replace(SIGNATURE, "") + SIGNATURE), "assertion count: 2 elements"),
    "D05": (adfs(FORGED_OTHER_ID + GOOD), "assertion count"),
    "D06": (adfs(inside(FORGED_OTHER_ID, GOOD)), "assertion count"),
    "D07": (adfs(FORGED_SIGNED + UNSIGNED), "assertion count"),
    "D08": (adfs(FORGED_SIGNED.replace("</ds:SignatureValue>", f"</ds:SignatureValue>{UNSIGNED}")), "assertion count"),
    "D09": (beside(f"<Extensions>{FORGED_OTHER_ID}</Extensions>"), "assertion count"),
    "D10": (adfs(with_object(FORGED_SIGNED, UNSIGNED)), "assertion count"),
    "D11": (adfs(GOOD + FORGED_OTHER_ID), "assertion count"),
    "D11-after the token": (beside(FORGED_OTHER_ID), "assertion count"),
    "D12": (
        beside(f"<Extensions>{GOOD}</Extensions>").replace(REQUESTED + GOOD, REQUESTED + FORGED_OTHER_ID),
        "assertion count",
    ),
    "D13": (adfs(GOOD + FORGED), "duplicate ID"),
    "D14-Id": (
        beside(FORGED_OTHER_ID.replace(' ID="_forged"', ' Id="_0123456789abcdef0123456789abcdef"')),
        "duplicate ID",
    ),
    "D14-x:ID": (beside('<a xmlns:x="urn:x" x:ID="_0123456789abcdef0123456789abcdef"/>'), "duplicate ID"),
    "D14-xml:id": (beside('<a xml:id="_0123456789abcdef0123456789abcdef"/>'), "duplicate ID"),
    "D19": (
        beside(f"<StatusDetail>{GOOD}</StatusDetail>").replace(REQUESTED + GOOD, REQUESTED + FORGED_SIGNED),
        "assertion count",
    ),
    "D25": (f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">{GOOD}</EntityDescriptor>', "root: "),
    "D26": ('<LogoutRequest xmlns="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a"/>', "root: "),
    "D16": (adfs(GOOD.replace(">alice<", ">admin<!--x-->.evil.example<")), "comment"),
    "D17": (adfs(GOOD.replace(">alice<", ">admin<?x?>.evil.example<")), "processing instruction"),
    "X02": ('<?xml version="1.0" encoding="ISO-8859-1"?>' + TEXT, "processing instruction or declaration"),
    "X03": ('<?xml version="1.0" encoding="UTF-7"?>' + TEXT, "processing instruction or declaration"),
    "X04": ('<?xml version="1.1"?>' + TEXT, "processing instruction or declaration"),
    "X05": ("<!DOCTYPE x>" + TEXT, "DTD"),
    "X06": ('<!DOCTYPE x [<!ENTITY n "admin">]>' + TEXT.replace(">alice<", ">&n;<"), "DTD"),
    "X07": ('<!DOCTYPE x [<!ENTITY n SYSTEM "file:///etc/hostname">]>' + TEXT, "DTD"),
    "X08": ('<!DOCTYPE x [<!ENTITY % n SYSTEM "http://127.0.0.1:1/"> %n;]>' + TEXT, "DTD"),
    "X09": (entities(">&e9;").decode(), "DTD"),
    "X10": (entities('b="&e9;">').decode(), "DTD"),
    "X12": ("<a>" * 257 + "</a>" * 257, "syntax"),
    "X14": ("<a " + " ".join(f'a{n}=""' for n in range(22_000)) + "/>", "shape"),
    "X15": ("", "syntax"),
    "X15-NUL": ("\x00", "syntax"),
    "X15-byte order mark": ("\ufeff", "syntax"),
    "X16": ("<!DOCTYPE html><html><body><p>Sign in<br></body></html>", "DTD"),
    "X16-well-formed": ("<html><body><p>Sign in</p></body></html>", "root: html, which says: 'Sign in'"),
    "X17": (TEXT + "<a/>", "syntax"),
    "X17-text": (TEXT + "x", "syntax"),
    "X18": (TEXT.replace(">alice<", "><![CDATA[alice]]><"), "CDATA"),
    "X19": (TEXT.replace(":2.0:assertion", ":2.0:Assertion"), "assertion count"),
    "X20": ('<!DOCTYPE x [<!ATTLIST NameID ID CDATA "_a">]>' + TEXT, "DTD"),
    "X21": (bare(f"<a {declarations(1000)}/>"), "namespaces"),
    "X24": (bare(f"<a {declarations(65)}/>"), "namespaces"),
    "X25": (bare("<b/>" * 4000), "shape"),
    "X26": (bare(f"<a {declarations(8000)}/>"), "namespaces"),
    "no token": (adfs(""), "assertion count: 0"),
    "text beside": (adfs(GOOD + "x"), "shape: text"),
    "text before": (adfs("x" + GOOD), "shape: text"),
    "two places": (beside(f"<t:RequestedSecurityToken>{GOOD}</t:RequestedSecurityToken>"), "duplicate ID"),
    "an empty second place": (beside("<t:RequestedSecurityToken/>"), "shape: 2 of RequestedSecurityToken"),
    "place of the other namespace": (
        bare(GOOD)
        .replace("<t:RequestedSecurityToken>", f'<RequestedSecurityToken xmlns="{TRUST_13}">')
        .replace("</t:RequestedSecurityToken>", "</RequestedSecurityToken>"),
        "shape: 0 of RequestedSecurityToken",
    ),
    "place deeper": (bare(f"<a>{GOOD}</a>"), "assertion count: none"),
    "collection of two": (collection("", 2), "shape: a collection of 2"),
    "collection of none": (collection("", 0), "shape: a collection of 0"),
    "collection of 2005": (collection(GOOD).replace(TRUST_13, TRUST_2005), "root: "),
    "collection with a response of 2005": (
        (
            f'<c:RequestSecurityTokenResponseCollection xmlns:c="{TRUST_13}">{bare(GOOD)}'
            "</c:RequestSecurityTokenResponseCollection>"
        ),
        "root: ",
    ),
    "assertion of another version": (adfs('<Assertion xmlns="urn:oasis:names:tc:SAML:1.1:assertion"/>'), "assertion c"),
    "bare assertion": (GOOD, "root: "),
    "encrypted twice": (adfs(SEALED + SEALED_11), "assertion count"),
    "plain beside encrypted": (
        adfs(SEALED).replace("<t:TokenType>", f"{FORGED_OTHER_ID}<t:TokenType>"),
        "assertion count",
    ),
    "two EncryptedData in one": (
        adfs(SEALED.replace("</EncryptedAssertion>", f"{SEALED_11}</EncryptedAssertion>")),
        "assertion count",
    ),
    "EncryptedData deeper": (adfs(SEALED.replace("<ds:KeyInfo ", f"{SEALED_11}<ds:KeyInfo ", 1)), "assertion count"),
    "assertion in EncryptedAssertion": (
        adfs(SEALED.replace("</EncryptedAssertion>", f"{FORGED_OTHER_ID}</EncryptedAssertion>")),
        "assertion count",
    ),
    "a fault": (
        (
            '<s:Fault xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Reason>'
            "<s:Text>no such user</s:Text></s:Reason></s:Fault>"
        ),
        "root: {http://www.w3.org/2003/05/soap-envelope}Fault, which says: 'no such user'",
    ),
}


@pytest.mark.parametrize("row", REFUSED)
def test_response_is_refused_for_its_reason_and_with_the_one_answer(row: str) -> None:
    document, reason = REFUSED[row]
    with pytest.raises(InvalidSignInResponse) as refused:
        rstr.cut(document.encode())
    assert refused.value.detail is not None
    assert refused.value.detail.startswith(reason)
    assert refused.value.codes == "ACS20001: There was an error processing a WS-Federation sign-in response."


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(TEXT.encode("utf-16"), id="X01"),
        pytest.param(TEXT.encode("utf-16-le"), id="X01-without mark"),
        pytest.param(TEXT.encode() + b"\xff", id="X01-not UTF-8"),
    ],
)
def test_other_encodings_are_refused(document: bytes) -> None:
    with pytest.raises(InvalidSignInResponse):
        rstr.cut(document)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"<a>" * 100_000 + b"</a>" * 100_000, id="X11"),
        pytest.param(bare("x" * 1024**2).encode(), id="X13"),
    ],
)
def test_endless_responses_are_too_large(document: bytes) -> None:
    with pytest.raises(PayloadTooLarge):
        rstr.cut(document)


def test_unsigned_and_altered_assertions_are_cut_and_then_refused_d01_d02() -> None:
    for altered in (UNSIGNED, FORGED, GOOD.replace(">alice<", ">admin<"), FORGED_SIGNED):
        proof = rstr.cut(adfs(altered).encode())
        with pytest.raises(InvalidToken):
            saml20.read(proof.token, TRUSTED, NOW)


def name_read(document: bytes) -> str | None:
    """Who the response says it is about, None where it is refused."""
    try:
        read = saml20.read(rstr.cut(document).token, TRUSTED, NOW)
    except StsError:
        return None
    return next(claim.value for claim in read.claims if claim.type.endswith("/nameidentifier"))


def places(root: etree._Element) -> Iterator[tuple[int, int]]:
    """Every place where an element can be put into a document: the number of the parent, and before which child."""
    for number, parent in enumerate(root.iter()):
        yield from ((number, position) for position in range(len(parent) + 1))


@pytest.mark.parametrize(
    "addition", [FORGED, FORGED_OTHER_ID, FORGED_SIGNED, SEALED], ids=["same ID", "other ID", "signed", "sealed"]
)
def test_no_place_is_left_where_a_second_assertion_is_read(addition: str) -> None:
    """Signature wrapping, exhausted: the addition at every place of the response, the signed assertion's own too."""
    original = etree.fromstring(TEXT)
    assert name_read(etree.tostring(original)) == "alice"
    tried = 0
    for number, position in places(original):
        changed = deepcopy(original)
        list(changed.iter())[number].insert(position, etree.fromstring(addition))
        assert name_read(etree.tostring(changed)) is None
        tried += 1
    assert tried > 90


@pytest.mark.parametrize("forged", [FORGED_OTHER_ID, FORGED_SIGNED], ids=["unsigned", "signature taken along"])
def test_a_forged_assertion_in_the_right_place_is_not_read_wherever_the_good_one_stands(forged: str) -> None:
    original = etree.fromstring(adfs(forged))
    for number, position in places(original):
        changed = deepcopy(original)
        list(changed.iter())[number].insert(position, etree.fromstring(GOOD))
        assert name_read(etree.tostring(changed)) is None


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(TEXT) - 1), st.sampled_from(["", "<", ">", '"', "admin", "<a/>", "&lt;", " ", "xmlns:z='urn:z'"])
)
def test_a_changed_response_is_refused_or_says_the_same(position: int, inserted: str) -> None:
    for changed in (TEXT[:position] + inserted + TEXT[position:], TEXT[:position] + inserted + TEXT[position + 1 :]):
        assert name_read(changed.encode()) in (None, "alice")
