"""Threat rows D at `verify`: forged, wrapped and weak signatures, each refused for the reason that the row names."""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from sts.core.errors import InvalidSamlToken, InvalidSignature, InvalidToken
from sts.crypto.xmldsig import verify
from tests.crypto.identities import certificate, private_key
from tests.threats.signatures import (
    ASSERTION,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    EXCLUSIVE_TRANSFORM,
    EXPECTED,
    INCLUSIVE,
    RSA_SHA256,
    SAML20,
    Recipe,
    canonical,
    signed,
)

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
NAME = "alice@corp.example"
GOOD = signed(Recipe()).decode()
SIGNATURE = GOOD[GOOD.index("<ds:Signature") : GOOD.index("</ds:Signature>") + len("</ds:Signature>")]
SIGNED_INFO = GOOD[GOOD.index("<ds:SignedInfo") : GOOD.index("</ds:SignedInfo>") + len("</ds:SignedInfo>")]
REFERENCE = GOOD[GOOD.index("<ds:Reference") : GOOD.index("</ds:Reference>") + len("</ds:Reference>")]
FORGED = ASSERTION.replace(NAME, "admin")
RIGHT_DIGEST = b64encode(sha256(canonical(FORGED, EXCLUSIVE)).digest()).decode()  # of what is forged
FORGED_DIGEST = f'<ds:DigestValue xmlns:ds="{DS}">{RIGHT_DIGEST}</ds:DigestValue>'
PUBLIC_PEM = (
    private_key("rsa2048")
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


PKCS1 = padding.PKCS1v15()


def rsa(
    kind: str, owner: str, digest: hashes.HashAlgorithm, scheme: padding.AsymmetricPadding = PKCS1
) -> Callable[[bytes], bytes]:
    key = private_key(kind, owner)
    return lambda data: key.sign(data, scheme, digest)


def mac(key: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(key, data, "sha256")


def x509_data(kind: str, owner: str) -> str:
    text = b64encode(certificate(kind, owner)).decode()
    return f"<ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data>"


def key_info(*children: str) -> str:
    return f'<ds:KeyInfo xmlns:ds="{DS}">{"".join(children)}</ds:KeyInfo>'


def inside(assertion: str, addition: str) -> str:
    return assertion.replace("</saml:Assertion>", f"{addition}</saml:Assertion>")


def with_object(assertion: str) -> str:
    return assertion.replace("</ds:Signature>", f"<ds:Object>{ASSERTION}</ds:Object></ds:Signature>")


ATTACKER = rsa("rsa2048", "attacker", hashes.SHA256())
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
RSA_KEY_VALUE = "<ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
KEY_VALUE = f"<ds:KeyValue>{RSA_KEY_VALUE}</ds:KeyValue>"
XSLT = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"/>'
    "</xsl:stylesheet></ds:Transform>"
)
XPATH = (
    '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>true()</ds:XPath></ds:Transform>'
)
BASE64 = f'<ds:Transform Algorithm="{DS}base64"/>'
INCLUSIVE_TRANSFORM = f'<ds:Transform Algorithm="{INCLUSIVE}"/>'
WITH_COMMENTS = f'<ds:Transform Algorithm="{EXCLUSIVE}WithComments"/>'
EMPTY_SIGNATURE = f'<ds:Signature xmlns:ds="{DS}"/>'
PREFIX_LIST = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="saml"/>'

WRAPPED = {
    "D01": (ASSERTION, "signature count"),
    "D02": (GOOD.replace(NAME, "admin"), "InvalidDigest"),
    "D06": (inside(FORGED, GOOD), "duplicate ID"),
    "D06 with another ID": (inside(FORGED.replace('"_a"', '"_b"'), GOOD), "assertion count"),
    "D08": (with_object(GOOD.replace(NAME, "admin").replace('"_a" ', '"_b" ')), "assertion count"),
    "D10": (
        with_object(FORGED.replace('"_a"', '"_b"').replace("</saml:Issuer>", f"</saml:Issuer>{SIGNATURE}")),
        "assertion count",
    ),
    "D13": (f"<Response>{FORGED}{GOOD}</Response>", "duplicate ID"),
    "D14 Id": (inside(GOOD, '<saml:Advice Id="_a"/>'), "duplicate ID"),
    "D14 x:ID": (inside(GOOD, '<saml:Advice xmlns:x="urn:x" x:ID="_a"/>'), "duplicate ID"),
    "D14 xml:id": (inside(GOOD, '<saml:Advice xml:id="_a"/>'), "duplicate ID"),
    "D15": (GOOD.replace(NAME, NAME[:-1]), "InvalidDigest"),
    "D16": (GOOD.replace(NAME, "alice@corp.example<!--x-->.evil.example"), "comment"),
    "D17": (GOOD.replace(NAME, "alice@corp.example<?x?>.evil.example"), "processing instruction"),
    "D20": (inside(GOOD.replace(NAME, "admin"), f"<saml:Advice>{FORGED_DIGEST}</saml:Advice>"), "InvalidDigest"),
    "D20 in front": (
        GOOD.replace(NAME, "admin").replace("<saml:Issuer>", f"{FORGED_DIGEST}<saml:Issuer>"),
        "InvalidDigest",
    ),
    "D20 in the reference": (
        GOOD.replace(NAME, "admin").replace("<ds:DigestValue>", f"{FORGED_DIGEST}<ds:DigestValue>"),
        "reference: children of Reference",
    ),
    "D21": (GOOD.replace(SIGNED_INFO, SIGNED_INFO * 2), "children of Signature"),
    "D22": (re.sub("<ds:DigestValue>", "<ds:DigestValue><!--forged-->", GOOD), "comment"),
    "D23": (GOOD.replace("<ds:SignedInfo ", '<ds:SignedInfo xmlns:z="1" '), "signature value: C14NError"),
    "D24": (GOOD.replace("<saml:Assertion ", '<saml:Assertion xmlns:z="1" '), "signature value: C14NError"),
    "D25": (f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">{GOOD}</EntityDescriptor>', "root: "),
    "D26": ('<LogoutRequest xmlns="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a"/>', "root: "),
    "D27": (re.sub("<ds:SignatureValue>[^<]*", "<ds:SignatureValue>", GOOD), f"signature: {RSA_SHA256} by none of 1"),
    "D28": (GOOD.replace(REFERENCE, ""), "reference"),
    "D28 two": (GOOD.replace(REFERENCE, REFERENCE * 2), "reference"),
    "D29": (GOOD.replace(SIGNATURE, SIGNATURE + EMPTY_SIGNATURE * 60), "signature count"),
    "signature deeper": (
        ASSERTION.replace("<saml:NameID>", f"<saml:NameID>{SIGNATURE}"),
        "signature count",
    ),
    "no ID": (GOOD.replace(' ID="_a"', ""), "reference: no ID"),
    "empty ID": (GOOD.replace(' ID="_a"', ' ID=""').replace('"#_a"', '"#"'), "reference: no ID"),
}


@pytest.mark.parametrize("row", WRAPPED)
def test_altered_assertion_is_refused_for_its_reason(row: str) -> None:
    document, reason = WRAPPED[row]
    assert document != GOOD
    with pytest.raises(InvalidToken) as refused:
        verify(document.encode(), [certificate("rsa2048")], EXPECTED)
    assert refused.value.detail.startswith(reason)
    assert isinstance(refused.value, InvalidSamlToken | InvalidSignature)


MADE = {
    "D18": (Recipe(c14n=EXCLUSIVE + "WithComments"), "c14n"),
    "D18 transform": (Recipe(transforms=ENVELOPED + WITH_COMMENTS), "transforms"),
    "D30": (Recipe(sign=ATTACKER, key_info=key_info(x509_data("rsa2048", "attacker"))), "signature: "),
    "D31": (Recipe(sign=ATTACKER, key_info=key_info(KEY_VALUE)), "signature: "),
    "D33": (Recipe(sign=mac(PUBLIC_PEM), method=MORE + "hmac-sha256"), "signature: "),
    "D34": (Recipe(sign=mac(b""), method=MORE + "hmac-sha256"), "signature: "),
    "D36": (Recipe(sign=rsa("rsa2048", "idp", hashes.SHA1()), method=DS + "rsa-sha1"), "InvalidInput"),
    "D37": (Recipe(digest="sha1", digest_method=DS + "sha1"), "InvalidInput"),
    "D38": (Recipe(method="urn:none"), "signature: urn:none by none of 1"),
    "D40": (
        Recipe(
            sign=rsa("rsa2048", "idp", hashes.SHA256(), PSS),
            method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        ),
        "signature: ",
    ),
    "D41": (Recipe(transforms=XSLT + EXCLUSIVE_TRANSFORM), "transforms"),
    "D41 third": (Recipe(transforms=ENVELOPED + XSLT + EXCLUSIVE_TRANSFORM), "transforms"),
    "D42": (Recipe(transforms=ENVELOPED + XPATH + EXCLUSIVE_TRANSFORM), "transforms"),
    "D42 alone": (Recipe(transforms=XPATH + EXCLUSIVE_TRANSFORM), "transforms"),
    "D43": (Recipe(transforms=BASE64 + EXCLUSIVE_TRANSFORM), "transforms"),
    "D44": (Recipe(transforms=ENVELOPED + INCLUSIVE_TRANSFORM), "transforms"),
    "D44 of SignedInfo": (Recipe(c14n=INCLUSIVE), "c14n"),
    "D44 none": (Recipe(transforms=ENVELOPED), "transforms"),
    "D45": (Recipe(uri=""), "reference"),
    "D46 http": (Recipe(uri="http://127.0.0.1/x"), "reference"),
    "D46 file": (Recipe(uri="file:///etc/passwd"), "reference"),
    "D47": (Recipe(uri="#xpointer(/)"), "reference"),
    "D47 ID": (Recipe(uri="#xpointer(id('_a'))"), "reference"),
    "D48": (Recipe(c14n_children=PREFIX_LIST), "c14n"),
    "prefix list": (
        Recipe(transforms=f'{ENVELOPED}<ds:Transform Algorithm="{EXCLUSIVE}">{PREFIX_LIST}</ds:Transform>'),
        "transforms",
    ),
}


@pytest.mark.parametrize("row", MADE)
def test_assertion_signed_in_another_way_is_refused_for_its_reason(row: str) -> None:
    recipe, reason = MADE[row]
    with pytest.raises(InvalidSignature) as refused:
        verify(signed(recipe), [certificate("rsa2048")], EXPECTED)
    assert refused.value.detail.startswith(reason)


@pytest.mark.parametrize(
    ("recipe", "kind", "reason"),
    [
        pytest.param(Recipe(rsa("rsa1024", "idp", hashes.SHA256())), "rsa1024", "by none of 0", id="D39"),
        pytest.param(Recipe(), "p256", "by none of 1", id="D49"),
        pytest.param(Recipe(), "ed25519", "by none of 0", id="D50"),
        pytest.param(Recipe(), "secp256k1", "by none of 0", id="another curve"),
    ],
)
def test_signature_under_an_unfit_certificate_is_refused(recipe: Recipe, kind: str, reason: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        verify(signed(recipe), [certificate(kind)], EXPECTED)
    assert reason in refused.value.detail


def test_signature_without_pinned_certificate_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify(signed(Recipe(key_info=key_info(x509_data("rsa2048", "idp")))), [], EXPECTED)


@pytest.mark.parametrize(
    "key_info_text",
    [
        pytest.param("", id="none"),
        pytest.param(key_info(x509_data("rsa2048", "idp")), id="right"),
        pytest.param(key_info(x509_data("rsa2048", "attacker")), id="D32"),
        pytest.param(key_info(x509_data("rsa2048", "idp"), KEY_VALUE), id="D35"),
        pytest.param(key_info("<ds:KeyName>any</ds:KeyName>"), id="name"),
    ],
)
def test_key_info_is_ignored(key_info_text: str) -> None:
    read = verify(signed(Recipe(key_info=key_info_text)), [certificate("rsa2048")], EXPECTED)
    assert read.findtext(f"{{{SAML20}}}Subject/{{{SAML20}}}NameID") == NAME


SHA1_RECIPES = [
    pytest.param(MADE["D36"][0], id="D36"),
    pytest.param(MADE["D37"][0], id="D37"),
    pytest.param(replace(MADE["D36"][0], digest="sha1", digest_method=DS + "sha1"), id="both"),
]


@pytest.mark.parametrize("recipe", SHA1_RECIPES)
def test_sha1_is_accepted_only_where_the_partner_is_allowed_it(recipe: Recipe) -> None:
    assert verify(signed(recipe), [certificate("rsa2048")], replace(EXPECTED, allow_sha1=True)) is not None
    with pytest.raises(InvalidSignature):
        verify(signed(recipe), [certificate("rsa2048")], EXPECTED)


def test_all_refusals_look_the_same_to_the_caller() -> None:
    messages = set()
    for document in [
        *(text.encode() for text, _ in WRAPPED.values()),
        *(signed(recipe) for recipe, _ in MADE.values()),
    ]:
        with pytest.raises(InvalidToken) as refused:
            verify(document, [certificate("rsa2048")], EXPECTED)
        messages.add(refused.value.message)
    assert messages == {"SAML token is invalid.", "The signature is not valid."}


SPOILED_LATER = {  # what only the verifier of whole documents would see
    "schema": lambda text: text.replace("</ds:Signature>", key_info("<ds:X509Data/>") + "</ds:Signature>"),
    "digest": lambda text: text.replace(NAME, "admin"),
}


@pytest.mark.parametrize("change", SPOILED_LATER.values(), ids=SPOILED_LATER)
def test_a_document_is_looked_at_whole_only_when_a_trusted_key_made_its_signature(change: Callable[[str], str]) -> None:
    reasons = []
    for pinned in ("idp", "attacker"):
        with pytest.raises(InvalidSignature) as refused:
            verify(change(GOOD).encode(), [certificate("rsa2048", pinned)] * 8, EXPECTED)
        reasons.append(refused.value.detail.partition(":")[0])
    assert reasons[0] in ("DocumentInvalid", "InvalidDigest")
    assert reasons[1] == "signature"


@pytest.mark.parametrize("length", [0, 63, 65, 96])
def test_ecdsa_value_of_another_length_is_refused(length: int) -> None:
    recipe = Recipe(sign=lambda data: bytes(length), method=MORE + "ecdsa-sha256")
    with pytest.raises(InvalidSignature) as refused:
        verify(signed(recipe), [certificate("p256")], EXPECTED)
    assert refused.value.detail.startswith("signature: ")


@pytest.mark.parametrize("value", ["!", "\u00e4", "QQ", "Q Q = =!"])
def test_signature_value_that_is_no_base64_is_refused(value: str) -> None:
    document = re.sub("<ds:SignatureValue>[^<]*", f"<ds:SignatureValue>{value}", GOOD)
    with pytest.raises(InvalidSignature) as refused:
        verify(document.encode(), [certificate("rsa2048")], EXPECTED)
    assert refused.value.detail.startswith("signature value: ")
