"""What both versions of SAML share: the claims as statements, strict access to elements, and the judgement."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from sts.core.claims import NAME_IDENTIFIER, names_actor
from sts.core.errors import (
    BadRequest,
    InvalidAudience,
    InvalidSamlToken,
    PayloadTooLarge,
    UnwritableClaim,
)
from sts.core.exchange import (
    ConfirmationKey,
    HolderPolicy,
    TokenDescriptor,
    TokenProof,
    Trusted,
    VerificationKey,
    VerifiedToken,
)
from sts.core.model import Claim, ContentEncryption, Kind, TokenFormat, Use
from sts.core.ports import Decrypter
from sts.crypto import confirmation_key
from sts.crypto.decoy import verify_decoy
from sts.crypto.signature_value import UnknownSigner
from sts.crypto.xml import NS, escape_text, instant, parse_instant, root_tag
from sts.crypto.xmldsig import Expected, parsed, verified
from sts.crypto.xmlenc import decrypt
from sts.tokens import saml_actors
from sts.tokens.lifetime import Lifetime, check_lifetime
from sts.tokens.text import refuse_uncarriable

_NIL = f"{{{NS['xsi']}}}nil"
_ASSERTION11 = f"{{{NS['saml11']}}}Assertion"


class Confirmation(NamedTuple):
    """How whoever presents an assertion shows that it may; absent parts ask for nothing."""

    bearer: bool
    key_info: etree._Element | None = None  # of the key that must be held, where it is holder-of-key
    recipient: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


_UNCONFIRMED = (Confirmation(bearer=True),)  # what an assertion is held to that has none


class Authentication(NamedTuple):
    """When and how the subject signed in, in the words of the assertion."""

    instant: datetime | None
    method: str | None
    session_ends: datetime | None = None  # from when on a session by it must be over


class Assertion(NamedTuple):
    """What an assertion says, in the words of neither version."""

    id: str
    issuer: str
    issued_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    audiences: tuple[tuple[str, ...], ...]  # one entry for each restriction; all of them must hold
    confirmations: tuple[Confirmation, ...]  # one of them must hold, if there are any
    claims: tuple[Claim, ...]
    authentications: tuple[Authentication, ...] = ()

    @property
    def audience(self) -> str | None:
        """Every audience that is named: whoever compares afterwards must not take one of several for the only one."""
        return " ".join(audience for audiences in self.audiences for audience in audiences) or None


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one version of SAML from the other when an assertion is read."""

    format: TokenFormat
    root: str  # the tag, {namespace}name
    id_attribute: str
    encrypted_root: str  # the tag that an encrypted assertion has instead
    issuer: Callable[[etree._Element], str]  # raises InvalidSamlToken
    audience: str  # the path of those that are named
    assertion: Callable[[etree._Element], Assertion]  # raises InvalidSamlToken
    attribute: str  # the tag
    claims: Callable[[Sequence[etree._Element], str], Iterable[Claim]]  # of attributes, by their issuer


class Document(NamedTuple):
    """An assertion as it came, parsed: nothing that it says is true until it is verified, which takes it apart."""

    version: Version
    element: etree._Element
    size: int  # bytes


def statements(claims: Sequence[Claim]) -> tuple[str | None, dict[str, list[str]]]:
    """Answer the name of the subject and the other claims' values by type in their order, all escaped as XML text.

    An assertion has one subject: several nameidentifier claims are refused, because rules have no order and any choice
    between them would be an accident. Who acts for the subject is not for claims to say. Raises UnwritableClaim.
    """
    values: dict[str, list[str]] = {}
    for claim in claims:
        values.setdefault(claim.type, []).append(_escaped(claim))
    names = values.pop(NAME_IDENTIFIER, [])
    acting = next(filter(names_actor, values), None)
    if acting is not None:
        raise UnwritableClaim(f"The claim type {acting!a} is the service's own: it says who acts for the subject.")
    if len(names) > 1:
        raise UnwritableClaim(f"A SAML token names one subject, but there are {len(names)} nameidentifier claims.")
    return (names[0] if names else None), values


def statement_instants(descriptor: TokenDescriptor) -> tuple[str, str]:
    """Answer when the assertion is issued and when its subject signed in, which mostly is the same instant."""
    issued, signed_in = descriptor.issued_at, descriptor.authenticated_at
    text = instant(issued)
    return text, text if signed_in is issued else instant(signed_in)


def refused(reason: str) -> InvalidSamlToken:
    """Answer the error of every assertion that is refused; the true reason is for the log only."""
    return InvalidSamlToken("SAML token is invalid.", detail=reason)


def children(parent: etree._Element, *names: str) -> dict[str, list[etree._Element]]:
    """Answer the child elements by local name; raises InvalidSamlToken for one of another name or namespace."""
    found: dict[str, list[etree._Element]] = {name: [] for name in names}
    tag = str(parent.tag)
    known = _tags(tag[: tag.rfind("}") + 1], names)
    for child in parent:
        name = known.get(child.tag)
        if name is None:
            raise refused(f"shape: {_local(parent)} holds {child.tag}, which is not understood")
        found[name].append(child)
    return found


def single(parent: etree._Element, name: str, found: Sequence[etree._Element]) -> etree._Element:
    """Answer the one element of the list; raises InvalidSamlToken when there is none or more."""
    element = optional(parent, name, found)
    if element is None:
        raise refused(f"shape: {_local(parent)} has no {name}")
    return element


def optional(parent: etree._Element, name: str, found: Sequence[etree._Element]) -> etree._Element | None:
    """Answer the one element of the list or None; raises InvalidSamlToken when there are more."""
    if len(found) > 1:
        raise refused(f"shape: {_local(parent)} has {len(found)} of {name}")
    return found[0] if found else None


def text(element: etree._Element) -> str:
    """Answer the text of an element; raises InvalidSamlToken when it has child elements."""
    if len(element):
        raise refused(f"shape: {_local(element)} has child elements")
    return element.text or ""


def name(element: etree._Element | None, issuer: str) -> tuple[Claim, ...]:
    """Answer the claim that the name of a subject is, if it has one; raises InvalidSamlToken as `text`."""
    return () if element is None else (Claim(NAME_IDENTIFIER, text(element), issuer),)


def values(attribute: etree._Element) -> Iterator[str]:
    """Answer the values of an attribute that are text; a nil one is none, and one that has elements is no claim."""
    for value in children(attribute, "AttributeValue")["AttributeValue"]:
        if not len(value) and value.get(_NIL) not in ("true", "1"):
            yield text(value)


def attribute(element: etree._Element, name: str) -> str:
    """Answer a required attribute; raises InvalidSamlToken when it is absent or empty."""
    value = element.get(name)
    if not value:
        raise refused(f"shape: {_local(element)} has no {name}")
    return value


def instant_attribute(element: etree._Element, name: str) -> datetime | None:
    """Answer an optional attribute of type xs:dateTime; raises InvalidSamlToken when it is not strictly that."""
    value = element.get(name)
    return None if value is None else parse_instant(value)


def issue_instant(element: etree._Element) -> datetime:
    """Answer the IssueInstant of an assertion; raises InvalidSamlToken when it is absent or not strictly a time."""
    return parse_instant(attribute(element, "IssueInstant"))


def read(version: Version, token: bytes, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify an assertion, then hold what was signed against what is trusted.

    `now` is aware UTC. Raises InvalidSamlToken, InvalidSignature or InvalidAudience; the `detail` begins with what was
    wrong (SAML 2.0 Core, 2.5.1; SAML 1.1 Core, 2.3.2.1).
    """
    return read_document(document(version, token), trusted, now)


def document(version: Version, token: bytes) -> Document:
    """Parse what should be an assertion of this version; raises InvalidSamlToken."""
    return Document(version, parsed(token), len(token))


def read_document(came: Document, trusted: Trusted, now: datetime) -> VerifiedToken:
    """Verify what was parsed, and read it as `read` does: once, and nothing but what was signed."""
    version = came.version
    element, key = _verified(came, trusted, Expected(version.root, version.id_attribute, now, trusted.allow_sha1))
    assertion = version.assertion(element)
    actors = saml_actors.read(assertion.claims, version.attribute, version.claims)
    accepted = _accepted(assertion, key, trusted, now)
    return accepted._replace(actors=actors) if actors else accepted


def decrypted(element: bytes, decrypters: Sequence[Decrypter], algorithm: ContentEncryption) -> TokenProof:
    """Decrypt an assertion; which version of SAML it is of shows its root, and all else its reader.

    Raises InvalidEncryptedToken, as `sts.crypto.xmlenc.decrypt`.
    """
    plaintext = decrypt(element, decrypters, algorithm)
    try:
        is_old = root_tag(plaintext) == _ASSERTION11
    except (BadRequest, PayloadTooLarge):
        is_old = False  # nor is it one of the other version, as its reader will say
    return TokenProof(TokenFormat.SAML11 if is_old else TokenFormat.SAML20, plaintext)


def _escaped(claim: Claim) -> str:
    try:
        return escape_text(claim.value)
    except UnwritableClaim:
        refuse_uncarriable((claim,))  # the same refusal, but it names the claim
        raise


def _verified(came: Document, trusted: Trusted, expected: Expected) -> tuple[etree._Element, VerificationKey]:
    """Answer the signed element and the key that verified it; keys are tried in the order given."""
    keys = {key.material: key for key in trusted.keys if key.kind is Kind.CERTIFICATE and key.use is Use.SIGNING}
    try:
        signed = verified(came.element, tuple(keys), expected)
    except UnknownSigner:
        verify_decoy(came.size)  # it may have been encrypted: then time would tell what was decrypted to what
        raise
    return signed.element, keys[signed.certificate]


def _accepted(assertion: Assertion, key: VerificationKey, trusted: Trusted, now: datetime) -> VerifiedToken:
    if assertion.issuer != trusted.issuer:
        raise refused("issuer: not the trusted one")
    if assertion.issued_at > now + trusted.skew:
        raise refused("time: issued in the future")
    _check_audience(assertion, trusted)
    lifetime, holder = _confirmed(assertion, trusted, now)
    authentication = _authentication(assertion)
    session_ends = _session_ends(assertion)
    if session_ends is not None and session_ends <= now - trusted.skew:
        raise refused("time: the session is over")
    return VerifiedToken(
        id=assertion.id,
        issuer=assertion.issuer,
        audience=trusted.audience or assertion.audience,
        not_before=lifetime.not_before,
        expires_at=_last_end(assertion),
        claims=assertion.claims,
        key=key,
        authenticated_at=authentication.instant,
        authentication_method=authentication.method,
        issued_at=assertion.issued_at,
        holder=holder,
        session_ends=session_ends,
    )


def _session_ends(assertion: Assertion) -> datetime | None:
    """The first end of several (SAML 2.0 Core, 2.7.2)."""
    ends = (said.session_ends for said in assertion.authentications)
    return min((end for end in ends if end is not None), default=None)


def _authentication(assertion: Assertion) -> Authentication:
    """The oldest sign-in of several: who asks for a fresh one must not be shown a newer beside it."""
    dated = [(said.instant, said) for said in assertion.authentications if said.instant is not None]
    undated = next(iter(assertion.authentications), Authentication(None, None))
    return min(dated, key=lambda pair: pair[0])[1] if dated else undated


def _check_audience(assertion: Assertion, trusted: Trusted) -> None:
    if trusted.audience is None:
        return
    if not assertion.audiences:
        raise InvalidAudience("Audience validation failed.", detail="audience: no restriction")
    if not all(trusted.audience in audiences for audiences in assertion.audiences):
        raise InvalidAudience("Audience validation failed.", detail="audience: a restriction does not name ours")


def _confirmed(assertion: Assertion, trusted: Trusted, now: datetime) -> tuple[Lifetime, ConfirmationKey | None]:
    """Answer lifetime and key of the first confirmation that holds; raises what is wrong with the first if none does.

    No confirmation at all asks for nothing, which is usual in WS-Federation, unless one is required.
    """
    if trusted.require_confirmation and not assertion.confirmations:
        raise refused("confirmation: none")
    reasons = []
    for confirmation in assertion.confirmations or _UNCONFIRMED:
        try:
            return _checked(assertion, confirmation, trusted, now)
        except InvalidSamlToken as error:
            reasons.append(error)
    raise reasons[0]


def _last_end(assertion: Assertion) -> datetime | None:
    """When the last of its confirmations ends: until then a use of it must be known, whichever held the first time."""
    ends = (_end(assertion, confirmation) for confirmation in assertion.confirmations or _UNCONFIRMED)
    return max((end for end in ends if end is not None), default=None)


def _end(assertion: Assertion, confirmation: Confirmation) -> datetime | None:
    ends = (assertion.expires_at, confirmation.expires_at)
    return min((instant for instant in ends if instant is not None), default=None)


def _checked(
    assertion: Assertion, confirmation: Confirmation, trusted: Trusted, now: datetime
) -> tuple[Lifetime, ConfirmationKey | None]:
    holder = _holder(confirmation, trusted.holder_of_key)
    if confirmation.recipient is not None and confirmation.recipient not in trusted.recipients:
        raise refused("recipient: not ours")
    begins = (assertion.not_before, confirmation.not_before)
    lifetime = Lifetime(
        max((instant for instant in begins if instant is not None), default=None), _end(assertion, confirmation)
    )
    check_lifetime(lifetime, trusted, now, refused)
    return lifetime, holder


def _holder(confirmation: Confirmation, policy: HolderPolicy) -> ConfirmationKey | None:
    """Answer the key that must be proved, None where whoever bears the assertion may use it."""
    if confirmation.bearer:
        if policy is HolderPolicy.REQUIRED:
            raise refused("confirmation: not holder-of-key")
        return None
    if confirmation.key_info is None or policy is HolderPolicy.REFUSED:
        raise refused("confirmation: not bearer")
    try:
        return confirmation_key.read(confirmation.key_info)
    except BadRequest as error:
        raise refused(f"confirmation: {error.detail or error.message}") from error


@lru_cache(maxsize=256)
def _tags(namespace: str, names: tuple[str, ...]) -> Mapping[object, str]:
    """The local names of elements by their tags."""
    return {f"{namespace}{name}": name for name in names}


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
