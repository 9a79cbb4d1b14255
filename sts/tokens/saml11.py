"""SAML 1.1 assertions (SAML 1.1 Core, section 2), in the shape of the Windows Identity Foundation."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from lxml import etree

from sts.core.claims import ACTOR
from sts.core.errors import UnwritableClaim
from sts.core.exchange import Claimed, HolderOfKey, TokenDescriptor, TokenView, Trusted, VerifiedToken
from sts.core.model import Claim, ContentEncryption, TokenFormat
from sts.core.ports import Signer
from sts.core.uris import AuthenticationMethod
from sts.crypto import confirmation_key, xmlenc
from sts.crypto.xml import NS, escape_attribute, escape_text, instant
from sts.crypto.xmldsig import sign_canonical
from sts.tokens import saml, saml_actors, saml_view
from sts.tokens.saml import Assertion, Authentication, Confirmation, Version

BEARER: Final = "urn:oasis:names:tc:SAML:1.0:cm:bearer"
HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"

_AUDIENCE = "/".join(f"{{{NS['saml11']}}}{name}" for name in ("Conditions", "AudienceRestrictionCondition", "Audience"))
_METHODS = {
    AuthenticationMethod.PASSWORD: "urn:oasis:names:tc:SAML:1.0:am:password",
    AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT: "urn:oasis:names:tc:SAML:1.0:am:password",
    AuthenticationMethod.X509: "urn:oasis:names:tc:SAML:1.0:am:X509-PKI",
    AuthenticationMethod.UNSPECIFIED: "urn:oasis:names:tc:SAML:1.0:am:unspecified",
}
_CONFIRMATION_METHOD = f"{{{NS['saml11']}}}ConfirmationMethod"
_ATTRIBUTE = f"{{{NS['saml11']}}}Attribute"
_KEY_INFO = f"{{{NS['ds']}}}KeyInfo"
_START = f'<saml:Assertion xmlns:saml="{NS["saml11"]}" AssertionID="'
_CONFIRMATION = (
    f"<saml:SubjectConfirmation><saml:ConfirmationMethod>{BEARER}</saml:ConfirmationMethod></saml:SubjectConfirmation>"
)
_HOLDER = f"<saml:SubjectConfirmation><saml:ConfirmationMethod>{HOLDER_OF_KEY}</saml:ConfirmationMethod>"


class _Subject(NamedTuple):
    """Of whom one statement speaks, and how that is confirmed."""

    name: etree._Element | None
    confirmation: Confirmation | None


def write(descriptor: TokenDescriptor, signer: Signer) -> bytes:
    """Build and sign an assertion; the text is canonical as it stands (Exclusive XML Canonicalization 1.0).

    The nameidentifier claim is the NameIdentifier and no attribute; without one the subject has no name. Raises
    UnwritableClaim when there is more than one, a claim type cannot be split at its last slash into a namespace and a
    name, or a claim holds a character that XML cannot carry.
    """
    name, values = saml.statements(descriptor.claims)
    if descriptor.actors:
        values[ACTOR] = [saml_actors.write(descriptor.actors, _lone_attribute)]
    issued, authenticated = saml.statement_instants(descriptor)
    identifier = "_" + descriptor.id
    subject = f"<saml:Subject>{_name_identifier(name)}{_confirmed_by(descriptor.confirmation)}</saml:Subject>"
    before = (
        f'{_START}{identifier}" IssueInstant="{issued}"'
        f' Issuer="{escape_attribute(descriptor.issuer)}" MajorVersion="1" MinorVersion="1">'
        f'<saml:Conditions NotBefore="{instant(descriptor.not_before)}"'
        f' NotOnOrAfter="{instant(descriptor.expires_at)}"><saml:AudienceRestrictionCondition><saml:Audience>'
        f"{escape_text(descriptor.audience)}</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>"
        f"{_attribute_statement(subject, values)}"
        f'<saml:AuthenticationStatement AuthenticationInstant="{authenticated}"'
        f' AuthenticationMethod="{_METHODS[descriptor.authentication_method]}">{subject}</saml:AuthenticationStatement>'
    )
    return sign_canonical(before, "</saml:Assertion>", identifier, signer)


def read(token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify an assertion and say what it says; `now` is aware UTC (SAML 1.1 Core, 2.3).

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
    """Encrypt a signed assertion to the holder of a DER certificate; SAML 1.1 has no element around the result."""
    return xmlenc.encrypt(assertion, certificate, algorithm)


def _name_identifier(name: str | None) -> str:
    return "" if name is None else f"<saml:NameIdentifier>{name}</saml:NameIdentifier>"


def _confirmed_by(holder: HolderOfKey | None) -> str:
    if holder is None:
        return _CONFIRMATION
    return f"{_HOLDER}{confirmation_key.write(holder)}</saml:SubjectConfirmation>"


def _attribute_statement(subject: str, values: dict[str, list[str]]) -> str:
    if not values:
        return ""
    attributes = "".join(map(_attribute, values.items()))
    return f"<saml:AttributeStatement>{subject}{attributes}</saml:AttributeStatement>"


def _attribute(attribute: tuple[str, list[str]]) -> str:
    claim_type, values = attribute
    namespace, _, name = claim_type.rpartition("/")
    if not namespace or not name:
        raise UnwritableClaim(
            f"SAML 1.1 names a claim by what is before and after its last slash; {claim_type!a} has not both."
        )
    texts = "</saml:AttributeValue><saml:AttributeValue>".join(values)
    return (
        f'<saml:Attribute AttributeName="{escape_attribute(name)}" AttributeNamespace="{escape_attribute(namespace)}">'
        f"<saml:AttributeValue>{texts}</saml:AttributeValue></saml:Attribute>"
    )


def _lone_attribute(attribute: tuple[str, list[str]]) -> str:
    """One that stands in no assertion, and declares its namespace itself."""
    return _attribute(attribute).replace("<saml:Attribute ", f'<saml:Attribute xmlns:saml="{NS["saml11"]}" ', 1)


def _assertion(element: etree._Element) -> Assertion:
    version = (element.get("MajorVersion"), element.get("MinorVersion"))
    if version != ("1", "1"):
        raise saml.refused(f"shape: the version is {version!r}")
    parts = saml.children(element, "Conditions", "Advice", "AttributeStatement", "AuthenticationStatement")
    attributed = [saml.children(part, "Subject", "Attribute") for part in parts["AttributeStatement"]]
    authenticated = [
        saml.children(part, "Subject", "SubjectLocality", "AuthorityBinding")
        for part in parts["AuthenticationStatement"]
    ]
    subjects = [_subject(saml.single(element, "Subject", part["Subject"])) for part in (*attributed, *authenticated)]
    conditions = saml.single(element, "Conditions", parts["Conditions"])
    issuer = _issuer(element)
    return Assertion(
        id=saml.attribute(element, "AssertionID"),
        issuer=issuer,
        issued_at=saml.issue_instant(element),
        not_before=saml.instant_attribute(conditions, "NotBefore"),
        expires_at=saml.instant_attribute(conditions, "NotOnOrAfter"),
        audiences=_audiences(conditions),
        confirmations=_confirmations(subjects),
        claims=(
            *saml.name(_name(subjects), issuer),
            *(claim for part in attributed for claim in _claims(part["Attribute"], issuer)),
        ),
        authentications=tuple(map(_authentication, parts["AuthenticationStatement"])),
    )


def _issuer(element: etree._Element) -> str:
    return saml.attribute(element, "Issuer")


def _subject(element: etree._Element) -> _Subject:
    parts = saml.children(element, "NameIdentifier", "SubjectConfirmation")
    name = saml.optional(element, "NameIdentifier", parts["NameIdentifier"])
    confirmation = saml.optional(element, "SubjectConfirmation", parts["SubjectConfirmation"])
    return _Subject(name, None if confirmation is None else _confirmation(confirmation))


def _confirmation(element: etree._Element) -> Confirmation:
    """Holder-of-key alone where no other method is named beside it, and nothing but its key."""
    methods = list(map(saml.text, element.findall(_CONFIRMATION_METHOD)))
    keyed = [child.tag for child in element] == [_CONFIRMATION_METHOD, _KEY_INFO] and methods == [HOLDER_OF_KEY]
    return Confirmation(bearer=BEARER in methods, key_info=element[1] if keyed else None)


def _name(subjects: Sequence[_Subject]) -> etree._Element | None:
    if not subjects:
        raise saml.refused("shape: there is no statement")
    names = [subject.name for subject in subjects if subject.name is not None]
    if len(set(map(saml.text, names))) > 1:
        raise saml.refused("shape: the statements are about different subjects")
    return names[0] if names else None


def _authentication(statement: etree._Element) -> Authentication:
    return Authentication(
        saml.instant_attribute(statement, "AuthenticationInstant"), statement.get("AuthenticationMethod")
    )


def _confirmations(subjects: Sequence[_Subject]) -> tuple[Confirmation, ...]:
    """Every statement has a confirmation of its own: the one that asks for most stands for all of them."""
    confirmations = [subject.confirmation for subject in subjects if subject.confirmation is not None]
    keys = {_canonical(one.key_info) for one in confirmations if one.key_info is not None}
    if len(keys) > 1:
        raise saml.refused("shape: the statements are confirmed by different keys")
    return tuple(sorted(confirmations, key=lambda one: (one.bearer, one.key_info is not None))[:1])


def _canonical(element: etree._Element) -> bytes:
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)
    except etree.C14NError as error:
        raise saml.refused("shape: a KeyInfo has no canonical form") from error


def _audiences(conditions: etree._Element) -> tuple[tuple[str, ...], ...]:
    """A condition that is not understood makes the assertion invalid (SAML 1.1 Core, 2.3.2.1)."""
    found = saml.children(conditions, "AudienceRestrictionCondition", "DoNotCacheCondition")
    return tuple(
        tuple(map(saml.text, saml.children(restriction, "Audience")["Audience"]))
        for restriction in found["AudienceRestrictionCondition"]
    )


def _claims(attributes: Sequence[etree._Element], issuer: str) -> Iterator[Claim]:
    """The type is the namespace, a slash and the name, as Windows Identity Foundation joins them."""
    for attribute in attributes:
        namespace, name = attribute.get("AttributeNamespace"), saml.attribute(attribute, "AttributeName")
        claim_type = f"{namespace}/{name}" if namespace else name
        for value in saml.values(attribute):
            yield Claim(claim_type, value, issuer)


_VERSION = Version(
    format=TokenFormat.SAML11,
    root=f"{{{NS['saml11']}}}Assertion",
    id_attribute="AssertionID",
    encrypted_root=f"{{{NS['xenc']}}}EncryptedData",
    issuer=_issuer,
    audience=_AUDIENCE,
    assertion=_assertion,
    attribute=_ATTRIBUTE,
    claims=_claims,
)
