"""The requests with assertions that `benchmarks.worst` looks among: documents that grow out of genes, and their doors.

Each is sent as a form through what a request goes through, from the body to the refusal. None is signed by a
certificate that is trusted, so everything measured is what any stranger can make the service do.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sts.core.errors import InvalidSamlToken
from sts.core.exchange import Claimed, TokenProof, Trusted, VerificationKey
from sts.core.model import ContentEncryption, KeyType, Kind, TokenFormat
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.xml import MESSAGE, NS
from sts.protocols import wrap, wsfed
from sts.protocols.content_type import FORM
from sts.protocols.http import MAX_BODY, HttpRequest
from sts.tokens import saml, saml11, saml20

TEXTS = ("x", "&amp;", "&#60;", "&#x1F600;", "\u00e4", "\U0001f600", "&lt;", " ", "A", "\n")
DAY = timedelta(days=1)
AROUND = 4000  # bytes at most that a document has besides what grows

_TRANSFORM = f'<ds:Transform Algorithm="{NS["ec"]}"/>'
_SIGNED_INFO = (
    f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{NS["ec"]}"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_a">'
    f'<ds:Transforms><ds:Transform Algorithm="{NS["ds"]}enveloped-signature"/>{_TRANSFORM}</ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{NS["xenc"]}sha256"/><ds:DigestValue>'
)
_VALUE = b64encode(bytes(255) + b"\x01").decode()
_INSTANTS = ("2026-11-21T22:00:00Z", "2026-11-21T22:10:00Z")
_RESPONSE = (
    b'<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust">'
    b"<t:RequestedSecurityToken>%b</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>"
)


@dataclass(frozen=True, slots=True)
class Genes:
    """How many of what a document has, and where; the document is cut to the size that is allowed."""

    elements: int = 100  # beside each other
    depth: int = 1  # of the elements around them
    attributes: int = 0  # of each element
    identifiers: int = 0  # of each element, at most four
    declarations: int = 0  # of namespaces at the root
    nested: int = 0  # declarations, one on each level
    prefix: int = 0  # which declared prefix the elements have; 0: none
    text: int = 0  # characters in each element
    padding: int = 0  # characters in one place
    kind: int = 0  # of text
    place: int = 0  # of the padding: text, attribute, digest, signature value, KeyInfo, ID
    where: int = 0  # the elements stand in Advice, in KeyInfo, or are claims with values
    old: int = 0  # 1: an assertion of SAML 1.1 by its root
    escaped: int = 0  # 1: every byte of the form that may be is escaped


RANGES = Genes(
    elements=2 * MESSAGE.elements,
    depth=250,
    attributes=10_000,
    identifiers=4,
    declarations=MESSAGE.declarations - 4,
    nested=MESSAGE.declarations - 4,
    prefix=MESSAGE.declarations - 4,
    text=200,
    padding=MESSAGE.size,
    kind=len(TEXTS) - 1,
    place=5,
    where=2,
    old=1,
    escaped=1,
)
SEEDS = (
    Genes(),
    RANGES,
    Genes(elements=MESSAGE.elements - 20, attributes=2),
    Genes(elements=MESSAGE.elements // 2 - 20, where=2, identifiers=4),
    Genes(elements=1, attributes=8000),
    Genes(elements=MESSAGE.all_attributes // MESSAGE.attributes - 1, attributes=MESSAGE.attributes),
)


def document(genes: Genes, most: int) -> bytes:
    """The assertion that grows out of them, of so many bytes at most."""
    text, room = TEXTS[genes.kind], most - AROUND
    padding = text * min(genes.padding // len(text.encode()), room // len(text.encode()))
    padded = ["", "", "", "", "", ""]
    padded[genes.place] = padding
    filling = filler(genes, (room - len(padding.encode())))
    content, key_info, claims = (filling if genes.where == place else "" for place in range(3))
    declared = "".join(f' xmlns:p{n}="urn:{n}"' for n in range(1, genes.declarations + 1))
    identifier = "_a" + "".join(character for character in padded[5] if character not in "<&\n ")
    version, id_attribute = ("saml11", "AssertionID") if genes.old else ("saml20", "ID")
    signature = (
        f'<ds:Signature xmlns:ds="{NS["ds"]}">{_SIGNED_INFO.replace("#_a", "#" + identifier)}{padded[2]}'
        f"</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>{_VALUE}{padded[3]}</ds:SignatureValue>"
        f"<ds:KeyInfo>{padded[4]}{key_info}</ds:KeyInfo></ds:Signature>"
    )
    conditions = f'<saml:Conditions NotBefore="{_INSTANTS[0]}" NotOnOrAfter="{_INSTANTS[1]}"/>'
    advice = f"<saml:Advice>{content}{padded[0]}</saml:Advice>"
    if genes.old:
        subject = "<saml:Subject><saml:NameIdentifier>a</saml:NameIdentifier></saml:Subject>"
        said = f"{conditions}{advice}<saml:AttributeStatement>{subject}{claims}</saml:AttributeStatement>{signature}"
    else:
        subject = "<saml:Subject><saml:NameID>a</saml:NameID></saml:Subject>"
        statement = f"<saml:AttributeStatement>{claims}</saml:AttributeStatement>"
        said = f"<saml:Issuer>urn:idp</saml:Issuer>{signature}{subject}{conditions}{advice}{statement}"
    return (
        f'<saml:Assertion xmlns:saml="{NS[version]}"{declared} {id_attribute}="{identifier}" Version="2.0"'
        f' MajorVersion="1" MinorVersion="1" Issuer="urn:idp" IssueInstant="{_INSTANTS[0]}" a="{padded[1]}">'
        f"{said}</saml:Assertion>"
    ).encode()


def filler(genes: Genes, room: int) -> str:
    """The elements beside each other, within others, of so many bytes at most."""
    prefix = f"p{genes.prefix}:" if 0 < genes.prefix <= genes.declarations else ""
    attributes = "".join(f' b{n}=""' for n in range(genes.attributes))
    text = TEXTS[genes.kind] * (genes.text // len(TEXTS[genes.kind]))
    parts, used = [], 0
    for number in range(genes.elements):
        names = ("ID", "Id", "id", "AssertionID")[: genes.identifiers]
        identifiers = "".join(f' {name}="{name[0]}{len(name)}{number}"' for name in names)
        if genes.where == 2:
            value = f"<saml:AttributeValue{attributes}>{text}</saml:AttributeValue>"
            name = f'AttributeName="{number}" AttributeNamespace="urn:x"' if genes.old else f'Name="urn:{number}"'
            part = f"<saml:Attribute {name}{identifiers}>{value}</saml:Attribute>"
        else:
            part = f"<{prefix}a{identifiers}{attributes}>{text}</{prefix}a>"
        used += len(part.encode())
        if used > room:
            break
        parts.append(part)
    if genes.where == 2:
        return "".join(parts)
    levels = [f' xmlns:q{n}="urn:q{n}"' if n < genes.nested else "" for n in range(genes.depth)]
    return "".join(f"<c{level}>" for level in levels) + "".join(parts) + "</c>" * len(levels)


def room_of(genes: Genes) -> int:
    """How large a token may be."""
    return (MAX_BODY // 3 if genes.escaped else MESSAGE.size) - 1000


def signing_in(token: bytes, genes: Genes) -> bytes:
    """The form that brings it back from an identity provider."""
    return b"wa=wsignin1.0&wctx=x&wresult=" + _encoded(_RESPONSE % token, genes)


def exchanging(token: bytes, genes: Genes) -> bytes:
    """The form that exchanges it."""
    return b"wrap_scope=urn%3Aus&wrap_assertion_format=SAML&wrap_assertion=" + _encoded(token, genes)


def _encoded(token: bytes, genes: Genes) -> bytes:
    if genes.escaped:
        return b"%" + token.hex("%").encode()
    return token.replace(b"%", b"%25").replace(b"&", b"%26").replace(b"+", b"%2B")


def _request(body: bytes) -> HttpRequest:
    return HttpRequest("POST", "/", {"content-type": FORM}, "", body, "192.0.2.1", "")


class Door(NamedTuple):
    """A way into the service: the form that a document comes in, and what is done until it is refused."""

    body: Callable[[Genes], bytes]
    refuse: Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Victim:
    """A reader with as many pinned certificates as are ever tried, and decryption keys."""

    trusted: Trusted
    decrypters: Sequence[SoftwareDecrypter]
    recipient: bytes
    now: datetime

    @classmethod
    def make(cls) -> "Victim":
        """One with keys of its own."""
        now = datetime.now(UTC)
        pairs = [
            certificates.generate(f"CN={n}", KeyType.RSA2048, now - DAY, now + DAY, Purpose.DECRYPTION)
            for n in range(8)
        ]
        keys = tuple(VerificationKey("", Kind.CERTIFICATE, certificate) for _, certificate in pairs)
        decrypters = [SoftwareDecrypter.from_private_key(key) for key, _ in pairs[:2]]
        return cls(Trusted("urn:idp", "urn:us", keys), decrypters, pairs[0][1], now)

    def doors(self) -> dict[str, Door]:
        """All ways by which an assertion comes."""
        return {
            "sign-in": Door(lambda genes: signing_in(_plain(genes), genes), self._sign_in),
            "sign-in, encrypted": Door(lambda genes: signing_in(self._sealed(genes), genes), self._sign_in),
            "exchange": Door(lambda genes: exchanging(_plain(genes), genes), self._exchange),
            "exchange, encrypted": Door(lambda genes: exchanging(self._sealed(genes), genes), self._exchange),
        }

    def _sealed(self, genes: Genes) -> bytes:
        plaintext = document(genes, room_of(genes) * 3 // 4 - AROUND)
        return saml20.encrypt(plaintext, self.recipient, ContentEncryption.AES256_CBC)

    def _sign_in(self, body: bytes) -> None:
        message = wsfed.parse(_request(body))
        if not isinstance(message, wsfed.SignInResponse):
            raise TypeError("no response of an identity provider")
        self._read(self._opened(message.proof()))

    def _exchange(self, body: bytes) -> None:
        """As `sts.core.redemption` does."""
        proof = wrap.parse(_request(body), "").proof
        if not isinstance(proof, TokenProof):
            raise TypeError("no assertion")
        claimed = _claimed(proof)
        if claimed.encrypted:
            claimed = _claimed(self._opened(proof))
        claimed.read(self.trusted, self.now)

    def _opened(self, proof: TokenProof) -> TokenProof:
        if proof.format is not None:
            return proof
        return saml.decrypted(proof.token, self.decrypters, ContentEncryption.AES256_CBC)

    def _read(self, proof: TokenProof) -> None:
        reader = saml11 if proof.format is TokenFormat.SAML11 else saml20
        reader.read(proof.token, self.trusted, self.now)


def _plain(genes: Genes) -> bytes:
    return document(genes, room_of(genes))


def _claimed(proof: TokenProof) -> Claimed:
    """What it says of itself: of a format that is not known, one is tried after the other."""
    if proof.format is not TokenFormat.SAML11:
        try:
            return saml20.claimed(proof.token)
        except InvalidSamlToken:
            if proof.format is TokenFormat.SAML20:
                raise
    return saml11.claimed(proof.token)
