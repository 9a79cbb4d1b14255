"""SAML 1.1 assertions, written and read."""

from dataclasses import replace

import pytest
from hypothesis import given
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME, NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidSamlToken, UnwritableClaim
from sts.core.model import ContentEncryption, TokenFormat
from sts.core.uris import AuthenticationMethod
from sts.tokens import saml11
from tests.crypto.identities import NOW, certificate, signer
from tests.crypto.test_xml import LEGAL
from tests.tokens.assertions import (
    AUDIENCE,
    BEGIN,
    DESCRIPTOR,
    END,
    ISSUER,
    TRUSTED,
    claims,
    described,
    edited,
    key,
    unsigned,
    written,
)

CONFIRMATION = (
    "<saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer"
    "</saml:ConfirmationMethod></saml:SubjectConfirmation>"
)
SUBJECT = f"<saml:Subject><saml:NameIdentifier>alice</saml:NameIdentifier>{CONFIRMATION}</saml:Subject>"
EXPECTED = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion"'
    ' AssertionID="_0123456789abcdef0123456789abcdef" IssueInstant="2026-11-21T22:00:00.250Z"'
    ' Issuer="https://sts.example/contoso/" MajorVersion="1" MinorVersion="1">'
    '<saml:Conditions NotBefore="2026-11-21T21:59:57.000Z" NotOnOrAfter="2026-11-21T22:10:00.000Z">'
    "<saml:AudienceRestrictionCondition><saml:Audience>https://orders.example/api/</saml:Audience>"
    "</saml:AudienceRestrictionCondition></saml:Conditions>"
    f"<saml:AttributeStatement>{SUBJECT}"
    '<saml:Attribute AttributeName="name"'
    ' AttributeNamespace="http://schemas.xmlsoap.org/ws/2005/05/identity/claims">'
    "<saml:AttributeValue>Alice &amp; Bob</saml:AttributeValue></saml:Attribute>"
    '<saml:Attribute AttributeName="role"'
    ' AttributeNamespace="http://schemas.microsoft.com/ws/2008/06/identity/claims">'
    "<saml:AttributeValue>reader</saml:AttributeValue><saml:AttributeValue>writer</saml:AttributeValue></saml:Attribute>"
    '<saml:Attribute AttributeName="identityprovider"'
    ' AttributeNamespace="http://schemas.microsoft.com/accesscontrolservice/2010/07/claims">'
    "<saml:AttributeValue>adfs</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
    '<saml:AuthenticationStatement AuthenticationInstant="2026-11-21T21:59:00.000Z"'
    f' AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">{SUBJECT}</saml:AuthenticationStatement>'
    "</saml:Assertion>"
)


def test_assertion_has_the_shape_of_the_windows_identity_foundation() -> None:
    assert unsigned(written(saml11)) == EXPECTED


def test_signature_stands_last() -> None:
    assert etree.QName(etree.fromstring(written(saml11))[-1]).localname == "Signature"


@given(LEGAL.filter(bool), LEGAL.filter(lambda name: name and "/" not in name), LEGAL)
def test_any_text_is_canonical_as_it_stands_and_reads_back_identical(namespace: str, name: str, value: str) -> None:
    said = claims((NAME_IDENTIFIER, value), (f"{namespace}/{name}", value), (f"{namespace}/{name}", namespace))
    if f"{namespace}/{name}" == NAME_IDENTIFIER:
        return
    token = written(saml11, DESCRIPTOR._replace(claims=said))
    assert etree.tostring(etree.fromstring(token), method="c14n", exclusive=True) == token
    before, _, rest = token.decode().partition("<ds:Signature")
    assert before + rest.partition("</ds:Signature>")[2] == unsigned(token)
    assert saml11.view(token).claims == said


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_what_is_written_is_read(kind: str) -> None:
    token = saml11.write(DESCRIPTOR, signer(kind))
    verified = saml11.read(token, replace(TRUSTED, keys=(key("p384"), key(kind))), NOW)
    assert verified.id == "_" + DESCRIPTOR.id
    assert (verified.issuer, verified.audience) == (ISSUER, AUDIENCE)
    assert (verified.not_before, verified.expires_at) == (BEGIN, END)
    assert verified.claims == DESCRIPTOR.claims
    assert verified.key == key(kind)


@pytest.mark.parametrize("claim_type", ["", "role", "/role", "http://claims.example/", "urn:claims:role"])
def test_claim_type_that_cannot_be_split_is_refused(claim_type: str) -> None:
    with pytest.raises(UnwritableClaim):
        written(saml11, described((claim_type, "value")))


@pytest.mark.parametrize(
    ("claim_type", "namespace", "name"),
    [("http://a/b/c", "http://a/b", "c"), ("a/b", "a", "b"), ("http://a//c", "http://a/", "c")],
)
def test_claim_type_is_split_at_its_last_slash(claim_type: str, namespace: str, name: str) -> None:
    token = written(saml11, described((claim_type, "value")))
    assert f'AttributeName="{name}" AttributeNamespace="{namespace}"'.encode() in token
    assert saml11.read(token, TRUSTED, NOW).claims == claims((claim_type, "value"))


@pytest.mark.parametrize(
    "pairs",
    [[(NAME_IDENTIFIER, "alice"), (NAME_IDENTIFIER, "bob")], [(ROLE, "\x00")], [("http://a/\x00", "reader")]],
    ids=["two nameidentifiers", "uncarriable value", "uncarriable type"],
)
def test_claims_without_a_place_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(UnwritableClaim):
        written(saml11, described(*pairs))


@pytest.mark.parametrize("method", AuthenticationMethod)
def test_every_authentication_method_has_a_saml11_name(method: AuthenticationMethod) -> None:
    token = written(saml11, DESCRIPTOR._replace(authentication_method=method))
    assert b'AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:' in token


def test_without_nameidentifier_the_subject_has_no_name() -> None:
    token = written(saml11, described((NAME, "Alice"), (IDENTITY_PROVIDER, "adfs")))
    assert b"<saml:Subject><saml:SubjectConfirmation>" in token
    assert saml11.read(token, TRUSTED, NOW).claims == claims((NAME, "Alice"), (IDENTITY_PROVIDER, "adfs"))


def test_without_attributes_there_is_no_empty_statement() -> None:
    assert b"AttributeStatement" not in written(saml11, described((NAME_IDENTIFIER, "alice")))


METHOD = "<saml:ConfirmationMethod>"
RESTRICTION = "<saml:AudienceRestrictionCondition>"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CONFIRMATION, ""),
        ("<saml:NameIdentifier>", '<saml:NameIdentifier Format="urn:other" NameQualifier="x">'),
        (METHOD, f"{METHOD}urn:other</saml:ConfirmationMethod>{METHOD}"),
        ("urn:oasis:names:tc:SAML:1.0:am:password", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"),
        (RESTRICTION, f"<saml:DoNotCacheCondition></saml:DoNotCacheCondition>{RESTRICTION}"),
    ],
    ids=["no confirmation", "any name format", "bearer among others", "SAML 2.0 method", "do not cache"],
)
def test_habits_of_real_partners_are_accepted(old: str, new: str) -> None:
    assert saml11.read(edited(saml11, (old, new)), TRUSTED, NOW).claims == DESCRIPTOR.claims


def test_repeated_attributes_are_several_values() -> None:
    repeated = '</saml:AttributeValue></saml:Attribute><saml:Attribute AttributeName="role" '
    repeated += 'AttributeNamespace="http://schemas.microsoft.com/ws/2008/06/identity/claims"><saml:AttributeValue>'
    token = edited(saml11, ("</saml:AttributeValue><saml:AttributeValue>", repeated))
    assert saml11.read(token, TRUSTED, NOW).claims == DESCRIPTOR.claims


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('MinorVersion="1"', 'MinorVersion="0"'),
        ("<saml:AudienceRestrictionCondition>", "<saml:Unknown></saml:Unknown><saml:AudienceRestrictionCondition>"),
        (f"{SUBJECT}</saml:AuthenticationStatement>", "</saml:AuthenticationStatement>"),
        (f"{SUBJECT}</saml:Auth", f"{SUBJECT.replace('alice', 'bob')}</saml:Auth"),
    ],
    ids=["version", "condition", "statement without subject", "two subjects"],
)
def test_what_is_not_understood_is_refused(old: str, new: str) -> None:
    with pytest.raises(InvalidSamlToken) as refusal:
        saml11.read(edited(saml11, (old, new)), TRUSTED, NOW)
    assert (refusal.value.detail or "").startswith("shape: ")


def test_view_says_what_the_token_says_without_a_key() -> None:
    view = saml11.view(written(saml11))
    assert view.format is TokenFormat.SAML11
    assert (view.id, view.issuer, view.audience) == ("_" + DESCRIPTOR.id, ISSUER, AUDIENCE)
    assert (view.not_before, view.expires_at, view.claims) == (BEGIN, END, DESCRIPTOR.claims)
    assert view.algorithm == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_encrypted_assertion_is_the_bare_encrypted_data(algorithm: ContentEncryption) -> None:
    encrypted = saml11.encrypt(written(saml11), certificate("rsa2048", "orders"), algorithm)
    assert etree.fromstring(encrypted).tag == "{http://www.w3.org/2001/04/xmlenc#}EncryptedData"
    assert b"alice" not in encrypted
    assert saml11.view(encrypted).encrypted
