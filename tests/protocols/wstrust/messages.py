"""SOAP messages as WS-Trust clients send them, whole or with one thing changed, signed by code of the tests' own."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha1, sha256
from itertools import count
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from sts.protocols.http import HttpRequest
from sts.protocols.wstrust import addressing, security, soap
from sts.protocols.wstrust.addressing import Endpoint
from sts.protocols.wstrust.names import WS_TRUST_13, Credential
from sts.protocols.wstrust.security import Message, Secured
from tests.crypto.identities import NOW

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSA10 = "http://www.w3.org/2005/08/addressing"
WSA2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
TRUST_13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
TRUST_2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
USERNAME_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
X509_V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
HMAC_SHA1 = f"{DS}hmac-sha1"
HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
SHA1 = f"{DS}sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ROOT = "http://127.0.0.1:8000/contoso/"
TRACE_ID = "5f36fac3-afe4-4e54-95ff-6f9d55be786e"
MEDIA_TYPES = {SOAP11: "text/xml; charset=utf-8", SOAP12: "application/soap+xml; charset=utf-8"}
PATHS = {TRUST_13: "13", TRUST_2005: "2005"}

TO_TOKEN = '<wsse:SecurityTokenReference><wsse:Reference URI="#_token"/></wsse:SecurityTokenReference>'

SAML = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_token"><saml:Issuer>x</saml:Issuer>'
    "</saml:Assertion>"
)
SAML11 = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" AssertionID="_token"/>'
ENCRYPTED = '<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Id="_token"/>'

_numbers = count(1)


def at(moment: datetime) -> str:
    """An instant as clients write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def timestamp(created: datetime, expires: datetime | None = None) -> str:
    """A Timestamp; five minutes long unless its end is given."""
    end = created + timedelta(minutes=5) if expires is None else expires
    return (
        f'<wsu:Timestamp wsu:Id="_0"><wsu:Created>{at(created)}</wsu:Created>'
        f"<wsu:Expires>{at(end)}</wsu:Expires></wsu:Timestamp>"
    )


def username_token(name: str, password: str, more: str = "", kind: str = f"{USERNAME_PROFILE}#PasswordText") -> str:
    """A UsernameToken."""
    return (
        f'<wsse:UsernameToken wsu:Id="_user"><wsse:Username>{name}</wsse:Username>'
        f'<wsse:Password Type="{kind}">{password}</wsse:Password>{more}</wsse:UsernameToken>'
    )


def nonce(value: bytes, created: datetime) -> str:
    """What keeps a UsernameToken from being sent twice."""
    encoded = b64encode(value).decode()
    return f'<wsse:Nonce EncodingType="{BASE64}">{encoded}</wsse:Nonce><wsu:Created>{at(created)}</wsu:Created>'


def digest_token(name: str, password: str, value: bytes, created: datetime) -> str:
    """A UsernameToken with a digest of the password (UsernameToken Profile 1.1, 3.1)."""
    digest = sha1(value + at(created).encode() + password.encode()).digest()
    return username_token(name, b64encode(digest).decode(), nonce(value, created), f"{USERNAME_PROFILE}#PasswordDigest")


def binary_token(value: bytes, value_type: str = X509_V3) -> str:
    """A BinarySecurityToken."""
    return (
        f'<wsse:BinarySecurityToken wsu:Id="_token" ValueType="{value_type}" EncodingType="{BASE64}">'
        f"{b64encode(value).decode()}</wsse:BinarySecurityToken>"
    )


def request(realm: str, *more: str, namespace: str = TRUST_13, action: str = "Issue") -> str:
    """A RequestSecurityToken."""
    return (
        f'<t:RequestSecurityToken xmlns:t="{namespace}"><t:RequestType>{namespace}/{action}</t:RequestType>'
        f"{applies_to(realm)}{''.join(more)}</t:RequestSecurityToken>"
    )


def applies_to(realm: str) -> str:
    """For whom a token is."""
    return (
        '<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">'
        f'<e:EndpointReference xmlns:e="{WSA10}"><e:Address>{realm}</e:Address></e:EndpointReference></wsp:AppliesTo>'
    )


def anonymous(namespace: str) -> str:
    """The address that means the connection itself."""
    return f"{namespace}/anonymous" if namespace == WSA10 else f"{namespace}/role/anonymous"


def new_id() -> str:
    """A MessageID that no other message has."""
    return f"urn:uuid:{UUID(int=next(_numbers))}"


@dataclass(frozen=True)
class TrustMessage:
    """A message; a field that is None leaves its element out."""

    now: datetime
    token: str
    body: str
    endpoint: str = "username"
    trust: str = TRUST_13
    soap: str = SOAP12
    addressing: str = WSA10
    action: str | None = None  # None: to issue
    to: str | None = None  # None: the endpoint
    id_header: str = "MessageID"
    message_id: str | None = field(default_factory=new_id)
    reply_to: str | None = "anonymous"
    headers: str = ""  # more of them
    stamp: str | None = None  # None: made now
    security: str = ""  # more in the security header
    after_security: str = ""
    body_id: str = ' wsu:Id="_1"'

    @property
    def path(self) -> str:
        """The endpoint's address below the namespace."""
        return f"v2/wstrust/{PATHS[self.trust]}/{self.endpoint}"

    @property
    def media_type(self) -> str:
        """What HTTP says that it is."""
        return MEDIA_TYPES[self.soap]

    def xml(self) -> bytes:
        """The message's bytes."""
        stamp = timestamp(self.now) if self.stamp is None else self.stamp
        return (
            f'<s:Envelope xmlns:s="{self.soap}" xmlns:a="{self.addressing}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}">'
            f'<s:Header>{self._addressing()}{self.headers}<wsse:Security s:mustUnderstand="1">{stamp}{self.token}'
            f"{self.security}</wsse:Security>{self.after_security}</s:Header>"
            f"<s:Body{self.body_id}>{self.body}</s:Body></s:Envelope>"
        ).encode()

    def _addressing(self) -> str:
        action = f"{self.trust}/RST/Issue" if self.action is None else self.action
        written = f'<a:Action s:mustUnderstand="1">{action}</a:Action>' if action else ""
        if self.message_id is not None:
            written += f"<a:{self.id_header}>{self.message_id}</a:{self.id_header}>"
        if self.reply_to is not None:
            address = anonymous(self.addressing) if self.reply_to == "anonymous" else self.reply_to
            written += f"<a:ReplyTo><a:Address>{address}</a:Address></a:ReplyTo>"
        to = ROOT + self.path if self.to is None else self.to
        return written + (f'<a:To s:mustUnderstand="1" wsu:Id="_to">{to}</a:To>' if to else "")

    def changed(self, **changes: object) -> "TrustMessage":
        """The same with other fields, and a MessageID of its own."""
        return replace(self, **{"message_id": new_id(), **changes})  # type: ignore[arg-type]

    def http(self, body: bytes | None = None, **headers: str) -> HttpRequest:
        """The request that carries it, or other bytes in its place."""
        named = {"content-type": self.media_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
        sent = self.xml() if body is None else body
        return HttpRequest("POST", f"/contoso/{self.path}", named, "", sent, "192.0.2.1", TRACE_ID)


@dataclass(frozen=True)
class Signing:
    """How a message is signed: by what, over what, and what its KeyInfo says."""

    sign: Callable[[bytes], bytes]
    method: str = RSA_SHA256
    digest: str = SHA256
    references: Sequence[str] = ("_0", "_1")
    key_info: str = TO_TOKEN
    transform: str = EXCLUSIVE
    canonicalisation: str = EXCLUSIVE
    in_transform: str = ""  # what stands in it


def by_rsa(key: RSAPrivateKey) -> Signing:
    """Signed by a private key."""
    return Signing(partial(key.sign, padding=padding.PKCS1v15(), algorithm=hashes.SHA256()))


def by_secret(key: bytes, method: str = HMAC_SHA256) -> Signing:
    """Authenticated by a secret key."""
    return Signing(lambda data: hmac.digest(key, data, "sha1" if method == HMAC_SHA1 else "sha256"), method)


def signed(message: bytes, signing: Signing) -> bytes:
    """The message with a signature at the end of its security header."""
    root = etree.fromstring(message)
    security = root.find(f".//{{{WSSE}}}Security")
    assert security is not None
    references = "".join(_reference(root, name, signing) for name in signing.references)
    text = (
        f'<ds:Signature xmlns:ds="{DS}" xmlns:wsse="{WSSE}" Id="_signature"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{signing.canonicalisation}"/>'
        f'<ds:SignatureMethod Algorithm="{signing.method}"/>{references}</ds:SignedInfo>'
        f"<ds:SignatureValue/><ds:KeyInfo>{signing.key_info}</ds:KeyInfo></ds:Signature>"
    )
    signature = etree.fromstring(text)
    security.append(signature)
    octets = etree.tostring(signature[0], method="c14n", exclusive=True)
    signature[1].text = b64encode(signing.sign(octets)).decode()
    return etree.tostring(root)


def _reference(root: etree._Element, name: str, signing: Signing) -> str:
    found = root.xpath(
        "//*[@*[local-name()='Id' or local-name()='ID' or local-name()='AssertionID'] = $name]", name=name
    )
    assert isinstance(found, list)
    octets = etree.tostring(found[0], method="c14n", exclusive=True, with_tail=False)  # type: ignore[arg-type]
    digest = {SHA1: sha1, SHA256: sha256}[signing.digest](octets).digest()
    return (
        f'<ds:Reference URI="#{name}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{signing.transform}">{signing.in_transform}</ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{signing.digest}"/>'
        f"<ds:DigestValue>{b64encode(digest).decode()}</ds:DigestValue></ds:Reference>"
    )


def read_security(message: TrustMessage, body: bytes | None = None, client_certificate: bytes | None = None) -> Secured:
    """What the security header of a message says."""
    http = message.http(body)
    envelope = soap.read(http)
    credential = Credential(message.endpoint)
    addressed = addressing.read(envelope, Endpoint(WS_TRUST_13, credential, (ROOT,)), http)
    return security.read(Message(envelope, addressed, client_certificate), credential, NOW)
