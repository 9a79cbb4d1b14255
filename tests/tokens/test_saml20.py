"""SAML 2.0 assertions, written and read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME, NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidSamlToken, InvalidSignature, NoSigningCertificate, UnwritableClaim
from sts.core.exchange import VerificationKey
from sts.core.model import Claim, ContentEncryption, Kind, TokenFormat, Use
from sts.core.uris import AuthenticationMethod
from sts.crypto import certificates
from sts.crypto.signer import SoftwareSigner
from sts.tokens import saml20
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, NOW, certificate, signer
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

EXPECTED = (
    '<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_0123456789abcdef0123456789abcdef"'
    ' IssueInstant="2026-11-21T22:00:00.250Z" Version="2.0"><Issuer>https://sts.example/contoso/</Issuer>'
    '<Subject><NameID>alice</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
    "</SubjectConfirmation></Subject>"
    '<Conditions NotBefore="2026-11-21T21:59:57.000Z" NotOnOrAfter="2026-11-21T22:10:00.000Z">'
    "<AudienceRestriction><Audience>https://orders.example/api/</Audience></AudienceRestriction></Conditions>"
    "<AttributeStatement>"
    '<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name">'
    "<AttributeValue>Alice &amp; Bob</AttributeValue></Attribute>"
    '<Attribute Name="http://schemas.microsoft.com/ws/2008/06/identity/claims/role">'
    "<AttributeValue>reader</AttributeValue><AttributeValue>writer</AttributeValue></Attribute>"
    '<Attribute Name="http://schemas.microsoft.com/accesscontrolservice/2010/07/claims/identityprovider">'
    "<AttributeValue>adfs</AttributeValue></Attribute></AttributeStatement>"
    '<AuthnStatement AuthnInstant="2026-11-21T21:59:00.000Z"><AuthnContext><AuthnContextClassRef>'
    "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion>"
)


def test_assertion_has_the_shape_of_acs() -> None:
    assert unsigned(written(saml20)) == EXPECTED


def test_signature_stands_right_after_the_issuer() -> None:
    children = [etree.QName(child).localname for child in etree.fromstring(written(saml20))]
    assert children == ["Issuer", "Signature", "Subject", "Conditions", "AttributeStatement", "AuthnStatement"]


@given(LEGAL.filter(bool), LEGAL, LEGAL)
def test_any_text_is_canonical_as_it_stands_and_reads_back_identical(claim_type: str, value: str, other: str) -> None:
    said = claims((NAME_IDENTIFIER, other), (claim_type, value), (claim_type, other))
    if claim_type == NAME_IDENTIFIER:
        return
    token = written(saml20, DESCRIPTOR._replace(claims=said))
    assert etree.tostring(etree.fromstring(token), method="c14n", exclusive=True) == token
    before, _, rest = token.decode().partition("<ds:Signature")
    assert before + rest.partition("</ds:Signature>")[2] == unsigned(token)
    assert saml20.view(token).claims == said


def test_what_is_written_is_read() -> None:
    verified = saml20.read(written(saml20), TRUSTED, NOW)
    assert verified.id == "_" + DESCRIPTOR.id
    assert (verified.issuer, verified.audience) == (ISSUER, AUDIENCE)
    assert (verified.not_before, verified.expires_at) == (BEGIN, END)
    assert verified.claims == DESCRIPTOR.claims
    assert verified.key == key()


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521"])
def test_every_kind_of_key_signs_what_its_certificate_verifies(kind: str) -> None:
    token = saml20.write(DESCRIPTOR, signer(kind))
    assert saml20.read(token, replace(TRUSTED, keys=(key(kind),)), NOW).key == key(kind)


@pytest.mark.parametrize(
    ("method", "context"),
    [
        (AuthenticationMethod.X509, "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"),
        (AuthenticationMethod.UNSPECIFIED, "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"),
    ],
)
def test_authentication_method_is_the_context_class(method: AuthenticationMethod, context: str) -> None:
    token = written(saml20, DESCRIPTOR._replace(authentication_method=method))
    assert f"<AuthnContextClassRef>{context}</AuthnContextClassRef>".encode() in token


def test_without_nameidentifier_the_subject_has_no_name() -> None:
    token = written(saml20, described((NAME, "Alice"), (IDENTITY_PROVIDER, "adfs")))
    assert b"<Subject><SubjectConfirmation" in token
    assert saml20.read(token, TRUSTED, NOW).claims == claims((NAME, "Alice"), (IDENTITY_PROVIDER, "adfs"))


def test_without_attributes_there_is_no_empty_statement() -> None:
    assert b"AttributeStatement" not in written(saml20, described((NAME_IDENTIFIER, "alice")))


@pytest.mark.parametrize(
    "pairs",
    [[(NAME_IDENTIFIER, "alice"), (NAME_IDENTIFIER, "bob")], [("", "value")], [(ROLE, "\x00")], [("\x00", "reader")]],
    ids=["two nameidentifiers", "claim without a type", "uncarriable value", "uncarriable type"],
)
def test_claims_without_a_place_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(UnwritableClaim):
        written(saml20, described(*pairs))


def test_refusal_of_a_value_names_the_claim() -> None:
    with pytest.raises(UnwritableClaim, match="claims/role"):
        written(saml20, described((ROLE, "\x0b")))


def test_symmetric_key_signs_no_assertion() -> None:
    with pytest.raises(NoSigningCertificate):
        saml20.write(DESCRIPTOR, SoftwareSigner.from_symmetric(bytes(32), "key"))


def test_second_trusted_key_verifies_and_is_named() -> None:
    trusted = replace(TRUSTED, keys=(key("p256"), key("rsa2048", "other"), key()))
    assert saml20.read(written(saml20), trusted, NOW).key == key()


@pytest.mark.parametrize(
    "keys",
    [
        (),
        (key("rsa2048", "other"),),
        (VerificationKey("", Kind.SYMMETRIC, bytes(32)),),
        (VerificationKey("", Kind.CERTIFICATE, certificate("rsa2048"), Use.DECRYPTION),),
        (*[key("p256", f"other {number}") for number in range(8)], key()),
    ],
    ids=["none", "another", "symmetric", "for decryption", "the ninth"],
)
def test_only_few_certificates_for_signing_are_tried(keys: tuple[VerificationKey, ...]) -> None:
    with pytest.raises(InvalidSignature):
        saml20.read(written(saml20), replace(TRUSTED, keys=keys), NOW)


@pytest.mark.parametrize(
    ("now", "valid"),
    [
        (NOT_BEFORE - timedelta(seconds=1), False),
        (NOT_BEFORE, True),
        (NOT_AFTER, True),
        (NOT_AFTER + timedelta(seconds=1), False),
    ],
    ids=["before", "first second", "last second", "after"],
)
def test_certificate_verifies_only_within_its_validity(now: datetime, *, valid: bool) -> None:
    token = written(saml20, DESCRIPTOR._replace(issued_at=now, not_before=now, expires_at=now + timedelta(minutes=10)))
    if valid:
        assert saml20.read(token, TRUSTED, now).key == key()
    else:
        with pytest.raises(InvalidSignature):
            saml20.read(token, TRUSTED, now)


CONFIRMATION = '<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"></SubjectConfirmation>'
OURS = "https://sts.example/contoso/v2/wsfederation"


def confirmation(attributes: str) -> str:
    return CONFIRMATION.replace("><", f"><SubjectConfirmationData {attributes}/><", 1)


@pytest.mark.parametrize(
    "confirmations",
    [
        "",
        confirmation(""),
        confirmation(f'Recipient="{OURS}"'),
        confirmation('NotOnOrAfter="2026-11-21T22:01:00Z"'),
        confirmation('Recipient="https://evil.example/"') + CONFIRMATION,
        CONFIRMATION.replace("bearer", "holder-of-key") + CONFIRMATION,
    ],
    ids=["none", "no data", "our recipient", "an end of its own", "second is ours", "second is bearer"],
)
def test_confirmation_that_is_absent_or_ours_is_accepted(confirmations: str) -> None:
    token = edited(saml20, (CONFIRMATION, confirmations))
    assert saml20.read(token, replace(TRUSTED, recipients=frozenset({OURS})), NOW).claims[0].value == "alice"


def test_token_ends_with_its_confirmation() -> None:
    token = edited(saml20, (CONFIRMATION, confirmation('NotOnOrAfter="2026-11-21T22:01:00Z"')))
    assert saml20.read(token, TRUSTED, NOW).expires_at == datetime(2026, 11, 21, 22, 1, tzinfo=UTC)


@pytest.mark.parametrize("recipients", [(), ("https://sts.example/fabrikam/v2/wsfederation",)])
def test_recipient_that_is_not_ours_is_refused(recipients: tuple[str, ...]) -> None:
    token = edited(saml20, (CONFIRMATION, confirmation(f'Recipient="{OURS}"')))
    with pytest.raises(InvalidSamlToken) as refusal:
        saml20.read(token, replace(TRUSTED, recipients=frozenset(recipients)), NOW)
    assert refusal.value.detail == "recipient: not ours"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Version="2.0"', 'Version="2.1"'),
        ("<AudienceRestriction>", '<ProxyRestriction Count="0"></ProxyRestriction><AudienceRestriction>'),
        ("<AttributeStatement>", "<AttributeStatement><EncryptedAttribute></EncryptedAttribute>"),
        ("<NameID>alice</NameID>", "<EncryptedID></EncryptedID>"),
        ("<Issuer>", '<Issuer xmlns="urn:other"></Issuer><Issuer>'),
    ],
)
def test_what_is_not_understood_is_refused(old: str, new: str) -> None:
    with pytest.raises(InvalidSamlToken) as refusal:
        saml20.read(edited(saml20, (old, new)), TRUSTED, NOW)
    assert (refusal.value.detail or "").startswith("shape: ")


def test_audience_of_an_inspected_token_is_reported() -> None:
    token = edited(saml20, ("</Audience>", "</Audience><Audience>urn:second</Audience>"))
    assert saml20.read(token, replace(TRUSTED, audience=None), NOW).audience == f"{AUDIENCE} urn:second"


def test_view_says_what_the_token_says_without_a_key() -> None:
    view = saml20.view(written(saml20))
    assert view.format is TokenFormat.SAML20
    assert (view.id, view.issuer, view.audience) == ("_" + DESCRIPTOR.id, ISSUER, AUDIENCE)
    assert (view.not_before, view.expires_at) == (BEGIN, END)
    assert view.claims == tuple(Claim(claim.type, claim.value, ISSUER) for claim in DESCRIPTOR.claims)
    assert view.key_hint == certificates.parse(certificate("rsa2048")).thumbprint
    assert view.algorithm == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def test_view_of_an_unsigned_assertion_names_no_key() -> None:
    view = saml20.view(EXPECTED.encode())
    assert (view.key_hint, view.algorithm) == (None, None)


@pytest.mark.parametrize("junk", [b"", b"no XML", b"<Assertion/>", b"<!DOCTYPE x><x/>"])
def test_view_of_something_else_is_refused(junk: bytes) -> None:
    with pytest.raises(InvalidSamlToken):
        saml20.view(junk)


@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_encrypted_assertion_wraps_the_encrypted_data(algorithm: ContentEncryption) -> None:
    encrypted = saml20.encrypt(written(saml20), certificate("rsa2048", "orders"), algorithm)
    element = etree.fromstring(encrypted)
    assert element.tag == "{urn:oasis:names:tc:SAML:2.0:assertion}EncryptedAssertion"
    assert [child.tag for child in element] == ["{http://www.w3.org/2001/04/xmlenc#}EncryptedData"]
    assert b"alice" not in encrypted
    view = saml20.view(encrypted)
    assert (view.encrypted, view.claims) == (True, ())
