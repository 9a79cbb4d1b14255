"""Assertions in the shapes that identity providers in the field give them, and what is read from them."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from textwrap import wrap
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import hashes

from sts.core.claims import NAME_IDENTIFIER
from sts.core.errors import InvalidSamlToken, InvalidSignature
from sts.core.exchange import Trusted
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate
from tests.threats.signatures import DS, Recipe, signed
from tests.threats.test_xml_signature import rsa
from tests.tokens.assertions import key

ISSUER = "http://adfs.example/adfs/services/trust"
OURS = "https://sts.example/contoso/"
TRUSTED = Trusted(ISSUER, OURS, (key(),), recipients=frozenset({f"{OURS}v2/wsfederation"}))
CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
X509 = f"<X509Certificate>{base64.b64encode(certificate('rsa2048')).decode()}</X509Certificate>"
KEY_INFO = f'<KeyInfo xmlns="{DS}"><X509Data>{X509}</X509Data></KeyInfo>'

ADFS11 = f"""<saml:Assertion MajorVersion="1" MinorVersion="1" AssertionID="_a" Issuer="{ISSUER}" \
IssueInstant="2026-11-21T22:00:00.123Z" xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion">\
<saml:Conditions NotBefore="2026-11-21T22:00:00.108Z" NotOnOrAfter="2026-11-21T23:00:00.108Z">\
<saml:AudienceRestrictionCondition><saml:Audience>{OURS}</saml:Audience></saml:AudienceRestrictionCondition>\
</saml:Conditions><saml:AttributeStatement><saml:Subject>\
<saml:NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">\
alice@corp.example</saml:NameIdentifier>\
<saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</saml:ConfirmationMethod>\
</saml:SubjectConfirmation></saml:Subject>\
<saml:Attribute AttributeName="emailaddress" AttributeNamespace="{CLAIM}" a:OriginalIssuer="CLIENT" \
xmlns:a="http://schemas.xmlsoap.org/ws/2009/09/identity/claims">\
<saml:AttributeValue>alice@corp.example</saml:AttributeValue></saml:Attribute>\
<saml:Attribute AttributeName="Group" AttributeNamespace="http://schemas.xmlsoap.org/claims">\
<saml:AttributeValue>Domain Users</saml:AttributeValue>\
<saml:AttributeValue>Sales</saml:AttributeValue></saml:Attribute>\
</saml:AttributeStatement><saml:AuthenticationStatement \
AuthenticationMethod="urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport" \
AuthenticationInstant="2026-11-21T21:58:11.500Z"><saml:Subject>\
<saml:NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">\
alice@corp.example</saml:NameIdentifier>\
<saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</saml:ConfirmationMethod>\
</saml:SubjectConfirmation></saml:Subject></saml:AuthenticationStatement></saml:Assertion>"""

ADFS20 = f"""<Assertion ID="_a" IssueInstant="2026-11-21T22:00:00.123Z" Version="2.0" \
xmlns="urn:oasis:names:tc:SAML:2.0:assertion"><Issuer>{ISSUER}</Issuer><Subject>\
<NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="{ISSUER}" \
SPNameQualifier="{OURS}">\
S-1-5-21</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData \
NotOnOrAfter="2026-11-21T22:05:00.123Z" Recipient="{OURS}v2/wsfederation"/></SubjectConfirmation></Subject>\
<Conditions NotBefore="2026-11-21T22:00:00.108Z" NotOnOrAfter="2026-11-21T23:00:00.108Z"><AudienceRestriction>\
<Audience>{OURS}</Audience></AudienceRestriction></Conditions><AttributeStatement>\
<Attribute Name="{CLAIM}/upn"><AttributeValue>alice@corp.example</AttributeValue></Attribute>\
<Attribute Name="{CLAIM}/emailaddress" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri" \
FriendlyName="mail" b:OriginalIssuer="x" xmlns:b="http://schemas.xmlsoap.org/ws/2009/09/identity/claims">\
<AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" \
i:type="xs:string">alice@corp.example</AttributeValue></Attribute></AttributeStatement>\
<AuthnStatement AuthnInstant="2026-11-21T21:58:11.500Z" SessionIndex="_s" SessionNotOnOrAfter="2026-11-22T05:00:00Z">\
<SubjectLocality Address="192.0.2.1"/><AuthnContext><AuthnContextClassRef>
urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport
</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion>"""


SHIBBOLETH = f"""<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" \
IssueInstant="2026-11-21T22:00:00Z" Version="2.0">
  <saml2:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">{ISSUER}</saml2:Issuer>
  <saml2:Subject>
    <saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>
    <saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
      <saml2:SubjectConfirmationData Address="192.0.2.1" NotOnOrAfter="2026-11-21T22:05:00Z"/>
    </saml2:SubjectConfirmation>
  </saml2:Subject>
  <saml2:Conditions NotBefore="2026-11-21T22:00:00Z" NotOnOrAfter="2026-11-21T22:05:00Z">
    <saml2:AudienceRestriction><saml2:Audience>{OURS}</saml2:Audience></saml2:AudienceRestriction>
  </saml2:Conditions>
  <saml2:AuthnStatement AuthnInstant="2026-11-21T21:59:59+00:00"><saml2:AuthnContext/></saml2:AuthnStatement>
  <saml2:AttributeStatement xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <saml2:Attribute Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.10" FriendlyName="eduPersonTargetedID">
      <saml2:AttributeValue><saml2:NameID>abc</saml2:NameID></saml2:AttributeValue></saml2:Attribute>
    <saml2:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3" FriendlyName="mail">
      <saml2:AttributeValue>alice@corp.example</saml2:AttributeValue>
      <saml2:AttributeValue xsi:nil="true"/><saml2:AttributeValue xsi:nil="1"/><saml2:AttributeValue/>
    </saml2:Attribute>
    <saml2:Attribute Name="urn:oid:2.5.4.42" FriendlyName="givenName"/>
  </saml2:AttributeStatement>
</saml2:Assertion>"""

PASSPORT11 = f"""<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" MinorVersion="1" \
AssertionID="_a" IssueInstant="2026-11-21T22:00:00.000Z" Issuer="{ISSUER}">
    <saml:Conditions NotBefore="2026-11-21T22:00:00.000Z" NotOnOrAfter="2026-11-21T22:10:00.000Z">
        <saml:AudienceRestrictionCondition><saml:Audience>{OURS}</saml:Audience></saml:AudienceRestrictionCondition>
    </saml:Conditions>
    <saml:AttributeStatement>
        <saml:Subject>
            <saml:NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
            >alice</saml:NameIdentifier>
        </saml:Subject>
        <saml:Attribute AttributeNamespace="" AttributeName="urn:mace:dir:mail">
            <saml:AttributeValue>alice@corp.example</saml:AttributeValue></saml:Attribute>
        <saml:Attribute AttributeNamespace="{CLAIM}" AttributeName="name">
            <saml:AttributeValue>Alice</saml:AttributeValue></saml:Attribute>
        <saml:Attribute AttributeNamespace="{CLAIM}" AttributeName="name">
            <saml:AttributeValue>Bob</saml:AttributeValue></saml:Attribute>
    </saml:AttributeStatement>
    <saml:AuthenticationStatement AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">
        <saml:Subject>
            <saml:NameIdentifier Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
            >alice</saml:NameIdentifier>
        </saml:Subject>
    </saml:AuthenticationStatement>
</saml:Assertion>"""


@dataclass(frozen=True, slots=True)
class Sample:
    """An assertion, and what it says: its claims after the name, when and how the subject signed in."""

    module: ModuleType
    text: str
    name: str | None
    claims: tuple[tuple[str, str], ...]
    authenticated_at: datetime | None
    method: str | None


PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
SIGNED_IN = datetime(2026, 11, 21, 21, 58, 11, tzinfo=UTC)
SAMPLES = {
    "AD FS, SAML 1.1": Sample(
        saml11,
        ADFS11,
        "alice@corp.example",
        (
            (f"{CLAIM}/emailaddress", "alice@corp.example"),
            ("http://schemas.xmlsoap.org/claims/Group", "Domain Users"),
            ("http://schemas.xmlsoap.org/claims/Group", "Sales"),
        ),
        SIGNED_IN,
        PASSWORD,
    ),
    "AD FS, SAML 2.0": Sample(
        saml20,
        ADFS20,
        "S-1-5-21",
        ((f"{CLAIM}/upn", "alice@corp.example"), (f"{CLAIM}/emailaddress", "alice@corp.example")),
        SIGNED_IN,
        PASSWORD,
    ),
    "Shibboleth": Sample(
        saml20,
        SHIBBOLETH,
        None,
        (("urn:oid:0.9.2342.19200300.100.1.3", "alice@corp.example"), ("urn:oid:0.9.2342.19200300.100.1.3", "")),
        datetime(2026, 11, 21, 21, 59, 59, tzinfo=UTC),
        None,
    ),
    "npm saml, SAML 1.1": Sample(
        saml11,
        PASSPORT11,
        "alice",
        (("urn:mace:dir:mail", "alice@corp.example"), (f"{CLAIM}/name", "Alice"), (f"{CLAIM}/name", "Bob")),
        None,
        "urn:oasis:names:tc:SAML:1.0:am:password",
    ),
}
EACH = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


@EACH
def test_assertions_of_real_providers_are_read(sample: Sample) -> None:
    read = sample.module.read(signed(Recipe(key_info=KEY_INFO), sample.text), TRUSTED, NOW)
    named = () if sample.name is None else ((NAME_IDENTIFIER, sample.name),)
    assert tuple((claim.type, claim.value) for claim in read.claims) == (*named, *sample.claims)
    assert {claim.issuer for claim in read.claims} == {ISSUER}
    assert (read.authenticated_at, read.authentication_method) == (sample.authenticated_at, sample.method)


def in_lines(text: str) -> str:
    """Base64 in lines, as Java writes it, with the carriage returns as character references."""
    values = "(?<=<ds:SignatureValue>)[^<]+|(?<=Certificate>)[^<]+"
    return re.sub(values, lambda value: "&#13;\n".join(["", *wrap(value[0], 64), ""]), text)


@EACH
@pytest.mark.parametrize(
    "change",
    [
        in_lines,
        lambda text: f'<?xml version="1.0" encoding="utf-8"?>\r\n{text}\r\n',
        lambda text: f"\n  {text}\n",
        lambda text: "\ufeff" + text,
    ],
    ids=["base64 in lines", "declaration", "white space around", "byte order mark"],
)
def test_habits_outside_of_what_is_signed_are_accepted(sample: Sample, change: Callable[[str], str]) -> None:
    token = signed(Recipe(key_info=KEY_INFO), sample.text)
    changed = change(token.decode()).encode()
    assert changed != token
    assert sample.module.read(changed, TRUSTED, NOW) == sample.module.read(token, TRUSTED, NOW)


SHA1_DIGEST = Recipe(digest="sha1", digest_method=DS + "sha1")
SHA1_SIGNATURE = Recipe(sign=rsa("rsa2048", "idp", hashes.SHA1()), method=DS + "rsa-sha1")


@EACH
@pytest.mark.parametrize(
    "recipe",
    [SHA1_SIGNATURE, SHA1_DIGEST, replace(SHA1_SIGNATURE, digest="sha1", digest_method=DS + "sha1")],
    ids=["D36 signature", "D37 digest", "both"],
)
def test_sha1_is_accepted_from_a_partner_who_may_use_it_alone(sample: Sample, recipe: Recipe) -> None:
    token = signed(recipe, sample.text)
    assert sample.module.read(token, replace(TRUSTED, allow_sha1=True), NOW) is not None
    with pytest.raises(InvalidSignature):
        sample.module.read(token, TRUSTED, NOW)


@EACH
def test_no_confirmation_is_refused_where_one_is_required(sample: Sample) -> None:
    confirmations = "<(saml2?:)?SubjectConfirmation.*?</(saml2?:)?Subject>"
    token = signed(Recipe(), re.sub(confirmations, r"</\2Subject>", sample.text, flags=re.DOTALL))
    assert b"SubjectConfirmation" not in token
    assert sample.module.read(token, TRUSTED, NOW) is not None
    with pytest.raises(InvalidSamlToken) as refused:
        sample.module.read(token, replace(TRUSTED, require_confirmation=True), NOW)
    assert refused.value.detail == "confirmation: none"


def test_confirmation_is_found_where_it_is_required() -> None:
    token = signed(Recipe(), ADFS20)
    assert saml20.read(token, replace(TRUSTED, require_confirmation=True), NOW) is not None


def test_the_oldest_sign_in_of_several_counts() -> None:
    statement = ADFS20[ADFS20.index("<AuthnStatement") : ADFS20.index("</Assertion>")]
    newer = statement.replace("21:58:11.500", "21:59:00").replace(PASSWORD, "urn:newer")
    for both in (newer + statement, statement + newer):
        read = saml20.read(signed(Recipe(), ADFS20.replace(statement, both)), TRUSTED, NOW)
        assert (read.authenticated_at, read.authentication_method) == (SIGNED_IN, PASSWORD)


def test_the_first_end_of_several_sessions_counts() -> None:
    statement = ADFS20[ADFS20.index("<AuthnStatement") : ADFS20.index("</Assertion>")]
    sooner = statement.replace("2026-11-22T05:00:00Z", "2026-11-21T23:30:00Z")
    silent = statement.replace(' SessionNotOnOrAfter="2026-11-22T05:00:00Z"', "")
    for text, ends in (
        (sooner + statement, datetime(2026, 11, 21, 23, 30, tzinfo=UTC)),
        (silent + statement + sooner, datetime(2026, 11, 21, 23, 30, tzinfo=UTC)),
        (statement, datetime(2026, 11, 22, 5, tzinfo=UTC)),
        (silent, None),
    ):
        read = saml20.read(signed(Recipe(), ADFS20.replace(statement, text)), TRUSTED, NOW)
        assert read.session_ends == ends


@pytest.mark.parametrize("end", ["2026-11-21T21:57:00Z", "2020-01-01T00:00:00Z", "never", "2026-11-22T05:00:00"])
def test_an_assertion_of_a_session_that_is_over_is_refused(end: str) -> None:
    text = ADFS20.replace("2026-11-22T05:00:00Z", end)
    with pytest.raises(InvalidSamlToken) as refused:
        saml20.read(signed(Recipe(), text), TRUSTED, NOW)
    assert (refused.value.detail or "").startswith("time: ")


@pytest.mark.parametrize("instant", ["yesterday", "2026-11-21T21:58:11"])
def test_a_sign_in_at_no_instant_is_refused(instant: str) -> None:
    for module, text in ((saml11, ADFS11), (saml20, ADFS20)):
        with pytest.raises(InvalidSamlToken) as refused:
            module.read(signed(Recipe(), text.replace("2026-11-21T21:58:11.500Z", instant)), TRUSTED, NOW)
        assert (refused.value.detail or "").startswith("time: ")
