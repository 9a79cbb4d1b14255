"""SAML 2.0 assertions (SAML 2.0 Core, section 2), in the shape that Azure Access Control Service gave them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from lxml import etree

from sts.core.claims import ACTOR
from sts.core.errors import UnwritableClaim
from sts.core.exchange import Claimed, HolderOfKey, TokenDescriptor, TokenView, Trusted, VerifiedToken
from sts.core.model import Claim, ContentEncryption, TokenFormat
from sts.core.ports import Signer
from sts.crypto import confirmation_key, xmlenc
from sts.crypto.xml import NS, escape_attribute, escape_text, instant
from sts.crypto.xmldsig import sign_canonical
from sts.tokens import saml, saml_actors, saml_view
from sts.tokens.saml import Assertion, Authentication, Confirmation, Version

BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"

_ISSUER = f"{{{NS['saml20']}}}Issuer"
_AUDIENCE = "/".join(f"{{{NS['saml20']}}}{name}" for name in ("Conditions", "AudienceRestriction", "Audience"))
_CONTEXT, _CONTEXT_CLASS = f"{{{NS['saml20']}}}AuthnContext", f"{{{NS['saml20']}}}AuthnContextClassRef"
_START = f'<Assertion xmlns="{NS["saml20"]}" ID="'
_ATTRIBUTE = f"{{{NS['saml20']}}}Attribute"
_KEY_INFO = f"{{{NS['ds']}}}KeyInfo"
_CONFIRMATION = f'<SubjectConfirmation Method="{BEARER}"></SubjectConfirmation></Subject>'
_HOLDER = (
    f'<SubjectConfirmation Method="{HOLDER_OF_KEY}">'
    f'<SubjectConfirmationData xmlns:xsi="{NS["xsi"]}" xsi:type="KeyInfoConfirmationDataType">'
)
_AFTER_HOLDER = "</SubjectConfirmationData></SubjectConfirmation></Subject>"


def write(descriptor: TokenDescriptor, signer: Signer) -> bytes:
    """Build and sign an assertion; the text is canonical as it stands (Exclusive XML Canonicalization 1.0).

    The nameidentifier claim is the NameID and no attribute; without one the subject has no name. Raises UnwritableClaim
    when there is more than one, a claim has no type, or holds a character that XML cannot carry.
    """
    name, values = saml.statements(descriptor.claims)
    if descriptor.actors:
        values[ACTOR] = [saml_actors.write(descriptor.actors, _lone_attribute)]
    issued, authenticated = saml.statement_instants(descriptor)
    identifier = "_" + descriptor.id
    before = (
        f'{_START}{identifier}" IssueInstant="{issued}" Version="2.0"><Issuer>{escape_text(descriptor.issuer)}</Issuer>'
    )
    after = (
        f"<Subject>{_name_id(name)}{_confirmed_by(descriptor.confirmation)}"
        f'<Conditions NotBefore="{instant(descriptor.not_before)}" NotOnOrAfter="{instant(descriptor.expires_at)}">'
        f"<AudienceRestriction><Audience>{escape_text(descriptor.audience)}</Audience></AudienceRestriction>"
        f"</Conditions>{_attribute_statement(values)}"
        f'<AuthnStatement AuthnInstant="{authenticated}"><AuthnContext>'
        f"<AuthnContextClassRef>{descriptor.authentication_method.value}</AuthnContextClassRef>"
        "</AuthnContext></AuthnStatement></Assertion>"
    )
    return sign_canonical(before, after, identifier, signer)


def read(token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify an assertion and say what it says; `now` is aware UTC (SAML 2.0 Core, 2; Profiles, 3.3).

    Raises InvalidSamlToken, InvalidSignature or InvalidAudience.
    """
    return saml.read(_VERSION, token, trusted, now)


def claimed(token: bytes) -> Claimed:
    """Say who an assertion claims that issued it, and for whom; raises InvalidSamlToken when it is none."""
    return saml_view.claimed(_VERSION, token)


def view(token: bytes) -> TokenView:
    """Say what an assertion claims to be, verifying nothing; raises InvalidSamlToken when it is none."""
    return saml_view.view(_VERSION, token)


def encrypt(assertion: bytes, certificate: bytes, algorithm: ContentEncryption) -> bytes:
    """Encrypt a signed assertion to the holder of a DER certificate (SAML 2.0 Core, 2.3.4)."""
    encrypted = xmlenc.encrypt(assertion, certificate, algorithm)
    return b'<EncryptedAssertion xmlns="%s">%s</EncryptedAssertion>' % (NS["saml20"].encode(), encrypted)


def _name_id(name: str | None) -> str:
    return "" if name is None else f"<NameID>{name}</NameID>"


def _confirmed_by(holder: HolderOfKey | None) -> str:
    return _CONFIRMATION if holder is None else f"{_HOLDER}{confirmation_key.write(holder)}{_AFTER_HOLDER}"


def _attribute_statement(values: dict[str, list[str]]) -> str:
    if not values:
        return ""
    return f"<AttributeStatement>{''.join(map(_attribute, values.items()))}</AttributeStatement>"


def _attribute(attribute: tuple[str, list[str]]) -> str:
    claim_type, values = attribute
    if not claim_type:
        raise UnwritableClaim("A SAML token cannot carry a claim without a type.")
    texts = "</AttributeValue><AttributeValue>".join(values)
    return f'<Attribute Name="{escape_attribute(claim_type)}"><AttributeValue>{texts}</AttributeValue></Attribute>'


def _lone_attribute(attribute: tuple[str, list[str]]) -> str:
    """One that stands in no assertion, and declares its namespace itself."""
    return _attribute(attribute).replace("<Attribute ", f'<Attribute xmlns="{NS["saml20"]}" ', 1)


def _assertion(element: etree._Element) -> Assertion:
    if element.get("Version") != "2.0":
        raise saml.refused(f"shape: the version is {element.get('Version')!r}")
    parts = saml.children(element, "Issuer", "Subject", "Conditions", "Advice", "AttributeStatement", "AuthnStatement")
    issuer = _issuer(element)
    subject = saml.children(saml.single(element, "Subject", parts["Subject"]), "NameID", "SubjectConfirmation")
    conditions = saml.single(element, "Conditions", parts["Conditions"])
    name = saml.optional(element, "NameID", subject["NameID"])
    return Assertion(
        id=saml.attribute(element, "ID"),
        issuer=issuer,
        issued_at=saml.issue_instant(element),
        not_before=saml.instant_attribute(conditions, "NotBefore"),
        expires_at=saml.instant_attribute(conditions, "NotOnOrAfter"),
        audiences=_audiences(conditions),
        confirmations=tuple(map(_confirmation, subject["SubjectConfirmation"])),
        claims=(*saml.name(name, issuer), *_claims(_attributes(parts["AttributeStatement"]), issuer)),
        authentications=tuple(map(_authentication, parts["AuthnStatement"])),
    )


def _issuer(element: etree._Element) -> str:
    return saml.text(saml.single(element, "Issuer", list(element.iterchildren(_ISSUER))))


def _authentication(statement: etree._Element) -> Authentication:
    classes = [named for context in statement.iterchildren(_CONTEXT) for named in context.iterchildren(_CONTEXT_CLASS)]
    method = classes[0].text if classes else None
    return Authentication(
        instant=saml.instant_attribute(statement, "AuthnInstant"),
        method=method.strip() if method else None,
        session_ends=saml.instant_attribute(statement, "SessionNotOnOrAfter"),
    )


def _audiences(conditions: etree._Element) -> tuple[tuple[str, ...], ...]:
    """A condition that is not understood makes the assertion invalid (SAML 2.0 Core, 2.5.1.1)."""
    restrictions = saml.children(conditions, "AudienceRestriction", "OneTimeUse")["AudienceRestriction"]
    return tuple(
        tuple(map(saml.text, saml.children(restriction, "Audience")["Audience"])) for restriction in restrictions
    )


def _confirmation(element: etree._Element) -> Confirmation:
    method = element.get("Method")
    if method not in (BEARER, HOLDER_OF_KEY):
        return Confirmation(bearer=False)
    found = saml.children(element, "SubjectConfirmationData")["SubjectConfirmationData"]
    data = saml.optional(element, "SubjectConfirmationData", found)
    if data is None:
        return Confirmation(bearer=method == BEARER)
    keyed = method == HOLDER_OF_KEY and [child.tag for child in data] == [_KEY_INFO]
    return Confirmation(
        bearer=method == BEARER,
        key_info=data[0] if keyed else None,
        recipient=data.get("Recipient"),
        not_before=saml.instant_attribute(data, "NotBefore"),
        expires_at=saml.instant_attribute(data, "NotOnOrAfter"),
    )


def _attributes(statements: Sequence[etree._Element]) -> Sequence[etree._Element]:
    return [attribute for statement in statements for attribute in saml.children(statement, "Attribute")["Attribute"]]


def _claims(attributes: Sequence[etree._Element], issuer: str) -> Iterator[Claim]:
    for attribute in attributes:
        claim_type = saml.attribute(attribute, "Name")
        for value in saml.values(attribute):
            yield Claim(claim_type, value, issuer)


_VERSION = Version(
    format=TokenFormat.SAML20,
    root=f"{{{NS['saml20']}}}Assertion",
    id_attribute="ID",
    encrypted_root=f"{{{NS['saml20']}}}EncryptedAssertion",
    issuer=_issuer,
    audience=_AUDIENCE,
    assertion=_assertion,
    attribute=_ATTRIBUTE,
    claims=_claims,
)
