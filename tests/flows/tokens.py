"""Tokens as relying parties read them: with foreign libraries, and none of the service's own readers."""

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.model import Credential, Kind, TokenFormat, Use
from tests.flows.world import World

SAML11 = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
ID_ATTRIBUTES = {SAML11: "AssertionID", SAML20: "ID"}
SHORT_NAMES = {"nameid": NAME_IDENTIFIER, "role": ROLE, "identityprovider": IDENTITY_PROVIDER}
REGISTERED = {"iss", "aud", "nbf", "exp", "iat", "jti", "sub", "client_id"}

CERTIFICATE_PARTIES = ("jwt", "saml11", "saml20")
KEY_PARTIES = ("swt", "hs256")
PARTIES = (*KEY_PARTIES, *CERTIFICATE_PARTIES)
FORMATS = ("swt", "jwt", "saml11", "saml20")


class Unverified(Exception):
    """The token does not verify under the key."""


@dataclass(frozen=True)
class Content:
    """What a token says."""

    issuer: str
    audience: str
    expires_at: datetime
    claims: Mapping[str, list[str]]


Reader = Callable[[bytes, bytes, datetime], Content]


def read_swt(token: bytes, key: bytes, now: datetime) -> Content:
    """Verify a simple web token under its 32 bytes."""
    text, mac = token.rsplit(b"&HMACSHA256=", 1)
    if not hmac.compare_digest(hmac.digest(key, text, "sha256"), base64.b64decode(unquote(mac.decode()))):
        raise Unverified
    fields = dict(parse_qsl(text.decode(), keep_blank_values=True, strict_parsing=True))
    expires_at = datetime.fromtimestamp(int(fields.pop("ExpiresOn")), UTC)
    issuer, audience = fields.pop("Issuer"), fields.pop("Audience")
    return Content(issuer, audience, expires_at, {name: value.split(",") for name, value in fields.items()})


def read_jwt(token: bytes, key: bytes, now: datetime) -> Content:
    """Verify a JSON web token under 32 bytes or a certificate (DER); its times are not judged."""
    unjudged = Options(verify_exp=False, verify_nbf=False, verify_iat=False, verify_aud=False)
    algorithms = ["HS256"] if len(key) == 32 else ["RS256", "ES256"]
    try:
        payload = jwt.decode(token, _public_key(key), algorithms=algorithms, options=unjudged)
    except (jwt.PyJWTError, TypeError) as error:
        raise Unverified from error
    claims = {
        SHORT_NAMES.get(name, name): value if isinstance(value, list) else [value]
        for name, value in payload.items()
        if name not in REGISTERED
    }
    return Content(payload["iss"], payload["aud"], datetime.fromtimestamp(payload["exp"], UTC), claims)


def _public_key(key: bytes) -> bytes | RSAPublicKey | EllipticCurvePublicKey:
    if len(key) == 32:
        return key
    found = x509.load_der_x509_certificate(key).public_key()
    assert isinstance(found, RSAPublicKey | EllipticCurvePublicKey)
    return found


def read_saml(token: bytes, certificate: bytes, now: datetime) -> Content:
    """Verify an assertion of either version under a certificate (DER), which must be valid now."""
    assertion = verified_assertion(token, certificate, now)
    return _saml11(assertion) if etree.QName(assertion).namespace == SAML11 else _saml20(assertion)


def verified_assertion(token: bytes, certificate: bytes, now: datetime) -> etree._Element:
    """What is signed in an assertion; raises Unverified."""
    return _verified(token, certificate, ID_ATTRIBUTES[str(etree.QName(etree.fromstring(token)).namespace)], now)


def verified_document(document: bytes, certificate: bytes, now: datetime) -> etree._Element:
    """What is signed in a metadata document; raises Unverified."""
    return _verified(document, certificate, "ID", now)


def _verified(document: bytes, certificate: bytes, id_attribute: str, now: datetime) -> etree._Element:
    now = now.replace(microsecond=0)
    try:
        result = XMLVerifier().verify(
            document,
            x509_cert=x509.load_der_x509_certificate(certificate),
            id_attribute=id_attribute,
            expect_config=SignatureConfiguration(location="./", verification_time=now),
        )
    except SignXMLException as error:
        raise Unverified from error
    assert isinstance(result, VerifyResult)
    assert result.signed_xml is not None
    return result.signed_xml


def _saml11(assertion: etree._Element) -> Content:
    def texts(path: str, within: etree._Element = assertion) -> list[str]:
        return [element.text or "" for element in within.findall(path, {"s": SAML11})]

    claims: dict[str, list[str]] = {NAME_IDENTIFIER: texts("s:AttributeStatement/s:Subject/s:NameIdentifier")}
    for attribute in assertion.findall("s:AttributeStatement/s:Attribute", {"s": SAML11}):
        name = f"{attribute.get('AttributeNamespace')}/{attribute.get('AttributeName')}"
        claims[name] = texts("s:AttributeValue", attribute)
    conditions = assertion.find("s:Conditions", {"s": SAML11})
    assert conditions is not None
    (audience,) = texts("s:Conditions/s:AudienceRestrictionCondition/s:Audience")
    return Content(assertion.get("Issuer", ""), audience, _end(conditions), claims)


def _saml20(assertion: etree._Element) -> Content:
    def texts(path: str, within: etree._Element = assertion) -> list[str]:
        return [element.text or "" for element in within.findall(path, {"s": SAML20})]

    claims: dict[str, list[str]] = {NAME_IDENTIFIER: texts("s:Subject/s:NameID")}
    for attribute in assertion.findall("s:AttributeStatement/s:Attribute", {"s": SAML20}):
        claims[attribute.get("Name", "")] = texts("s:AttributeValue", attribute)
    conditions = assertion.find("s:Conditions", {"s": SAML20})
    assert conditions is not None
    (issuer,), (audience,) = texts("s:Issuer"), texts("s:Conditions/s:AudienceRestriction/s:Audience")
    return Content(issuer, audience, _end(conditions), claims)


def _end(conditions: etree._Element) -> datetime:
    text = conditions.get("NotOnOrAfter", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", text)
    return datetime.fromisoformat(text)


READERS: Mapping[TokenFormat, Reader] = {
    TokenFormat.SWT: read_swt,
    TokenFormat.JWT: read_jwt,
    TokenFormat.SAML11: read_saml,
    TokenFormat.SAML20: read_saml,
}


def material(world: World, credential: Credential) -> bytes:
    """What verifies the signatures of a credential: its certificate (DER), or the key itself."""
    return world.secret(credential) if credential.kind is Kind.SYMMETRIC else credential.certificate or b""


def signer_of(world: World, party: str, token: bytes) -> Credential:
    """The one credential of the namespace or the relying party that signed a token."""
    relying_party = world.relying_party(party)
    read = READERS[relying_party.token_format]
    held = (*world.namespace.credentials, *relying_party.credentials)
    rings = [c for c in held if c.use is Use.SIGNING and c.kind is relying_party.kind and c.deleted_at is None]
    (found,) = [c for c in rings if _verifies(read, token, material(world, c), world.now)]
    return found


def _verifies(read: Reader, token: bytes, key: bytes, now: datetime) -> bool:
    try:
        read(token, key, now)
    except Unverified:
        return False
    return True


def content_of(world: World, party: str, token: bytes) -> Content:
    """What a token says, verified under the credential that signed it."""
    read = READERS[world.relying_party(party).token_format]
    return read(token, material(world, signer_of(world, party, token)), world.now)
