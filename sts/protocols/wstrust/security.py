"""The security header of a message: when it was sent, who sent it, and how that is proved (WS-Security 1.1)."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.exchange import CertificateProof, Proof, PublicKey
from sts.core.presented import FRESH, SKEW
from sts.core.trust import MessageIdentity, Possession
from sts.crypto import xml
from sts.crypto.key_info import certified
from sts.crypto.message_signature import identifiers, verify_possession
from sts.protocols.token_elements import BINARY_TOKEN, SAML_ELEMENTS, binary_octets, cut_out
from sts.protocols.wstrust import username_token
from sts.protocols.wstrust.addressing import Addressed
from sts.protocols.wstrust.errors import BadSecurity, MessageExpired, UnsupportedSecurityToken
from sts.protocols.wstrust.header_elements import instant, local_name, only_children, required
from sts.protocols.wstrust.names import WSSE, WSU, X509_V3, Credential
from sts.protocols.wstrust.security_signature import DERIVED_KEYS, SIGNATURE, SignedParts, possession
from sts.protocols.wstrust.soap import Envelope

WINDOW: Final = FRESH  # how far a message's Created may be from our clock, either way
SECURITY: Final = f"{{{WSSE}}}Security"

_TIMESTAMP: Final = f"{{{WSU}}}Timestamp"
_CREATED: Final = f"{{{WSU}}}Created"
_EXPIRES: Final = f"{{{WSU}}}Expires"
_USERNAME_TOKEN: Final = f"{{{WSSE}}}UsernameToken"
_TOKENS: Final = frozenset({_USERNAME_TOKEN, BINARY_TOKEN, *SAML_ELEMENTS})
_SIGNING: Final = frozenset({SIGNATURE, *DERIVED_KEYS})
_KNOWN: Final = _SIGNING | _TOKENS | {_TIMESTAMP}
_TAKEN: Final = {
    Credential.USERNAME: "a UsernameToken",
    Credential.CERTIFICATE: "a BinarySecurityToken with an X.509 certificate and a signature, or a TLS certificate",
    Credential.BEARER: "an issued token",
    Credential.SYMMETRIC: "an issued token and a signature with its secret key",
    Credential.ASYMMETRIC: "an issued token and a signature with its private key",
}
_UNSIGNED: Final = (Credential.USERNAME, Credential.BEARER)
_REMEMBERED: Final = WINDOW + timedelta(seconds=1)


class Secured(NamedTuple):
    """Who sends a message, how he proves it, and what makes the message one of its own."""

    proof: Proof
    message: MessageIdentity
    possession: Possession | None = None
    key_names: frozenset[str] = frozenset()  # the IDs by which the message calls the key that signed it


class Message(NamedTuple):
    """What is known of a message when its security header is read."""

    envelope: Envelope
    addressed: Addressed
    client_certificate: bytes | None  # DER, of the caller's end of the TLS connection


def read(message: Message, credential: Credential, now: datetime) -> Secured:
    """Read the one security header of a message: one Timestamp, and the one credential that the endpoint takes.

    A signature covers the Timestamp and the Body; with a certificate it is verified here, with an issued token once the
    token's key is known. Raises BadSecurity, MessageExpired, UnsupportedSecurityToken, InvalidSignature,
    AuthenticationFailed.
    """
    header = _only_header(message.envelope)
    identity = MessageIdentity(_fresh_until(header.timestamp, now), message.addressed.message_id)
    tokens = header.tokens
    if len(tokens) > 1 or (not tokens and credential is not Credential.CERTIFICATE):
        raise BadSecurity(f"this endpoint takes {_TAKEN[credential]}; the security header holds {len(tokens)} tokens")
    if header.signing and (credential in _UNSIGNED or not tokens):
        raise BadSecurity(f"this endpoint takes {_TAKEN[credential]}, unsigned")
    if credential is Credential.USERNAME:
        return _by_username(tokens[0], identity, now)
    if not tokens:
        return _by_tls(message, identity)
    if credential is Credential.CERTIFICATE:
        return _by_certificate(message, header, identity)
    proof = _issued(tokens[0], credential)
    if credential is Credential.BEARER:
        return Secured(proof, identity)
    proved = possession(header.element, tokens[0], _parts(message, header))
    return _signed(Secured(proof, identity, proved), header)


def written(now: datetime) -> bytes:
    """The security header of an answer: when it was made, which clients that sent a Timestamp look for."""
    created, expires = xml.instant(now), xml.instant(now + WINDOW)
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}"><wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="_0">'
        f"<wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp></wsse:Security>"
    ).encode()


class _Header(NamedTuple):
    """A security header, and what it holds."""

    element: etree._Element
    timestamp: etree._Element
    tokens: Sequence[etree._Element]
    signing: bool  # whether it holds a signature, or a key that is derived for one


def _only_header(envelope: Envelope) -> _Header:
    found = envelope.named(SECURITY)
    if len(found) != 1:
        raise BadSecurity(f"a message has one security header for us, this one {len(found)}")
    element, text_beside, tokens, tags = found[0], found[0].text or "", [], []
    for child in element:
        tag = str(child.tag)
        if tag not in _KNOWN:
            raise UnsupportedSecurityToken(
                f"{local_name(child)} in a security header is not read here", detail=tag[:200]
            )
        if tag in _TOKENS:
            tokens.append(child)
        tags.append(tag)
        text_beside += child.tail or ""
    if text_beside.strip():
        raise BadSecurity("the security header holds text beside its elements")
    return _Header(element, required(element, _TIMESTAMP), tokens, not _SIGNING.isdisjoint(tags))


def _fresh_until(timestamp: etree._Element, now: datetime) -> datetime:
    """When the message ends to be fresh; raises BadSecurity, and MessageExpired if it is not fresh now."""
    times = only_children(timestamp, (_CREATED, _EXPIRES))
    created, expires = instant(times[_CREATED]), instant(times[_EXPIRES])
    if expires <= created:
        raise BadSecurity("the Timestamp expires before it was created")
    if abs(created - now) > WINDOW or expires + SKEW < now:
        raise MessageExpired(
            "the message has expired, or is from the future: "
            f"Created is at most {WINDOW // timedelta(minutes=1)} minutes from this service's clock, "
            f"and Expires at most {SKEW // timedelta(minutes=1)} minutes behind it",
            detail=f"Created {created.isoformat()}, Expires {expires.isoformat()}",
        )
    return created + _REMEMBERED


def _by_username(token: etree._Element, identity: MessageIdentity, now: datetime) -> Secured:
    if token.tag != _USERNAME_TOKEN:
        raise _other_token(token, Credential.USERNAME)
    proof, nonce = username_token.read(token, WINDOW, now)
    return Secured(proof, identity if nonce is None else identity._replace(nonce=nonce))


def _by_tls(message: Message, identity: MessageIdentity) -> Secured:
    """By the certificate of the TLS connection, where the message itself names nobody."""
    if message.client_certificate is None:
        raise BadSecurity(f"this endpoint takes {_TAKEN[Credential.CERTIFICATE]}; the message has neither")
    return Secured(CertificateProof(message.client_certificate), identity)


def _by_certificate(message: Message, header: _Header, identity: MessageIdentity) -> Secured:
    """By the certificate in the message, whose private key signed it."""
    token = header.tokens[0]
    if token.tag != BINARY_TOKEN or token.get("ValueType") != X509_V3:
        raise _other_token(token, Credential.CERTIFICATE)
    try:
        named = certified(binary_octets(token))
    except BadRequest as error:
        raise BadSecurity(error.message, detail=error.detail) from error
    proved = possession(header.element, token, _parts(message, header))
    verify_possession(proved, PublicKey(named.public_key))
    return _signed(Secured(CertificateProof(named.certificate or b""), identity, proved), header)


def _issued(token: etree._Element, credential: Credential) -> Proof:
    if token.tag == _USERNAME_TOKEN or token.get("ValueType") == X509_V3:
        raise _other_token(token, credential)
    try:
        return cut_out(token)
    except BadRequest as error:
        raise UnsupportedSecurityToken(error.message, detail=error.detail) from error


def _parts(message: Message, header: _Header) -> SignedParts:
    return SignedParts((header.timestamp, message.envelope.body), message.addressed.headers)


def _signed(secured: Secured, header: _Header) -> Secured:
    """The same of a signed message: it comes once even under another MessageID, which need not be signed."""
    octets = b"" if secured.possession is None else secured.possession.octets
    identity = secured.message._replace(nonce=b64encode(sha256(octets).digest()).decode())
    names = frozenset({*identifiers(required(header.element, SIGNATURE)), *identifiers(header.tokens[0])})
    return secured._replace(message=identity, key_names=names)


def _other_token(token: etree._Element, credential: Credential) -> UnsupportedSecurityToken:
    return UnsupportedSecurityToken(f"this endpoint takes {_TAKEN[credential]}, not a {_kind(token)}")


def _kind(token: etree._Element) -> str:
    value_type: Sequence[str] = (token.get("ValueType") or "").rpartition("#")
    return f"{local_name(token)} {value_type[2][:100]}".strip()
