"""The messages of WS-Trust that `benchmarks.worst` looks among: envelopes that grow out of genes, at the real doors.

Each is signed as it should be, by a key of the stranger's own: his certificate is nobody's, and the assertion that he
presents was signed by nobody. So all is read and every digest computed, and what is measured is what any stranger can
have done.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lxml import etree

from benchmarks import worst_assertions
from benchmarks.worst_assertions import Door, document, filler
from sts.assemble import Service, assemble
from sts.core.model import KeyType
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import SoftwareSigner
from sts.crypto.xml import MESSAGE, NS, instant
from sts.operations.apply import ApplyRequest, apply
from sts.protocols.http import HttpRequest
from sts.protocols.wstrust.names import SOAP12, WS_TRUST_13, WSSE, WSU, X509_V3
from sts.settings import Settings
from sts.web.trust_endpoints import TRUST_DOORS

ENDPOINTS: Final = ("certificate", "issuedtoken-bearer", "issuedtoken-symmetric", "issuedtoken-asymmetric")

_ROOT: Final = "http://127.0.0.1:8000/trust/"
_DAY: Final = timedelta(days=1)
_PINNED: Final = 8  # certificates of the identity provider: as many as are ever tried
_ENVELOPE: Final = 6000  # bytes at most that a message has besides what grows
_IDENTITY: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity"
_TRUST: Final = WS_TRUST_13.namespace
_TO_TOKEN: Final = '<wsse:SecurityTokenReference><wsse:Reference URI="#_a"/></wsse:SecurityTokenReference>'
_CONFIGURATION: Final = """
namespace: trust
identity_providers:
  - {name: idp, issuer: "urn:idp", sign_in_url: "https://idp.example/", certificates: [CERTIFICATES]}
relying_parties:
  - {name: jwt, realm: "urn:rp", token_format: jwt, identity_providers: [idp]}
"""

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Genes:
    """How many of what a message has, and where; it is cut to the size that is allowed."""

    elements: int = 0  # beside each other
    depth: int = 1  # of the elements around them
    attributes: int = 0  # of each element
    identifiers: int = 0  # of each element, at most four
    declarations: int = 0  # of namespaces at the envelope
    nested: int = 0  # declarations, one on each level
    prefix: int = 0  # which declared prefix the elements have; 0: none
    text: int = 0  # characters in each element
    kind: int = 0  # of text
    place: int = 0  # the elements stand in the request, in a header, in KeyInfo, in the token
    headers: int = 0  # that nobody knows
    understood: int = 0  # 1: they must be understood
    timestamps: int = 0  # beside the one that belongs
    references: int = 0  # signed parts beside those that belong
    inclusive: int = 0  # prefixes in each of the canonicalisations
    requests: int = 1  # more than 1: a collection
    claims: int = 0  # that each request asks for
    more: int = 0  # 1: To is signed, too, and holds as much text as an element
    old: int = 0  # 1: an assertion of SAML 1.1


RANGES = Genes(
    elements=2 * MESSAGE.elements,
    depth=250,
    attributes=MESSAGE.attributes + 1,
    identifiers=4,
    declarations=MESSAGE.declarations,
    nested=MESSAGE.declarations,
    prefix=MESSAGE.declarations,
    text=MESSAGE.size // 3,
    kind=len(worst_assertions.TEXTS) - 1,
    place=3,
    headers=2 * MESSAGE.elements,
    understood=1,
    timestamps=MESSAGE.elements,
    references=MESSAGE.elements // 5,
    inclusive=20,
    requests=20,
    claims=MESSAGE.elements,
    more=1,
    old=1,
)
SEEDS = (
    Genes(),
    *(Genes(elements=MESSAGE.elements - 80, attributes=2, place=place) for place in range(4)),
    Genes(elements=40, depth=45, nested=40, inclusive=16),
    Genes(elements=MESSAGE.elements - 120, declarations=40, prefix=40, inclusive=16, attributes=1),
    Genes(elements=1, text=MESSAGE.size // 3, kind=1),
    Genes(headers=MESSAGE.elements - 80),
    Genes(headers=MESSAGE.elements - 80, understood=1),
    Genes(timestamps=MESSAGE.elements // 3),
    Genes(references=10, inclusive=16),
    Genes(references=MESSAGE.elements // 5 - 20),
    Genes(requests=16, claims=100),
    Genes(
        elements=MESSAGE.elements - 80, depth=4, attributes=2, text=MESSAGE.size // 4, kind=1, place=3, more=1, old=1
    ),
    Genes(elements=MESSAGE.elements - 120, depth=27, attributes=1, declarations=40, prefix=39, text=7, inclusive=16),
)


@dataclass(frozen=True, slots=True)
class Besieged:
    """A service to which a stranger with a key of his own sends messages."""

    service: Service
    stranger: SoftwareSigner
    certificate: bytes
    now: datetime

    def doors(self) -> dict[str, Door]:
        """The endpoints at which whoever calls is refused without work that is counted, as that of a password is."""
        return {
            f"wstrust {endpoint}": Door(partial(self.message, endpoint), partial(self._refuse, endpoint))
            for endpoint in ENDPOINTS
        }

    def message(self, endpoint: str, genes: Genes) -> bytes:
        """The message that grows out of them, signed by the stranger unless the endpoint takes none that is."""
        room = MESSAGE.size - _ENVELOPE
        if endpoint == "certificate":
            token = _binary_token(self.certificate)
        else:
            inside = _grown(genes) if genes.place == 3 else worst_assertions.Genes(elements=0, old=genes.old)
            token = document(inside, room).decode()
            room -= len(token.encode())
        root = etree.fromstring(_envelope(endpoint, genes, token, self.now, room), etree.XMLParser(huge_tree=True))
        if endpoint != "issuedtoken-bearer":
            self._sign(root, genes)
        return etree.tostring(root)

    def _sign(self, root: etree._Element, genes: Genes) -> None:
        security = root.find(f".//{{{WSSE}}}Security")
        if security is None:
            raise TypeError("no security header")
        parts = [*root.iter(f"{{{WSU}}}Timestamp"), root[1]][-2:] + ([root[0][1]] if genes.more else [])
        names = [f"p{n}" for n in range(1, min(genes.inclusive, genes.declarations) + 1)]
        names += ["s", "a", "wsse", "wsu"][: max(0, genes.inclusive - len(names))]
        names += [f"n{n}" for n in range(genes.inclusive - len(names))]
        references = "".join(_reference(part, names) for part in parts) * (1 + genes.references // len(parts))
        info = filler(replace(_grown(genes), prefix=0), MESSAGE.size // 4) if genes.place == 2 else ""
        key_info = f"<ds:KeyInfo>{_TO_TOKEN}{info}</ds:KeyInfo>" if info else ""
        method = _method("Canonicalization", names)
        signature = etree.fromstring(
            f'<ds:Signature xmlns:ds="{NS["ds"]}" xmlns:wsse="{WSSE}"><ds:SignedInfo>{method}'
            f'<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>{references}'
            f"</ds:SignedInfo><ds:SignatureValue/>{key_info}</ds:Signature>"
        )
        security.append(signature)
        signature[1].text = b64encode(self.stranger.sign(_canonical(signature[0], names))).decode()

    def _refuse(self, endpoint: str, body: bytes) -> None:
        headers = {"content-type": "application/soap+xml; charset=utf-8"}
        path = f"{WS_TRUST_13.path}/{endpoint}"
        request = HttpRequest("POST", f"/trust/v2/wstrust/{path}", headers, "", body, f"stranger {next(_numbers)}", "")
        outcome = TRUST_DOORS[f"v2/wstrust/{path}"].exchange(request, "trust", self.service.trust, self.now)
        if outcome.error is not None:
            raise outcome.error


@contextmanager
def besieged() -> Iterator[Besieged]:
    """A service in a folder of its own, which believes an identity provider with as many keys as are ever tried."""
    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="sts-worst-") as folder:
        home = Path(folder)
        service = assemble(Settings.from_environ({"STS_HOME": folder}), lambda: now)
        names = [f"idp{number}.cer" for number in range(_PINNED)]
        for name in names:
            (home / name).write_bytes(_pair(now)[1])
        text = _CONFIGURATION.replace("CERTIFICATES", ", ".join(names))
        apply(service.installation, ApplyRequest(text.encode(), home, {}), now)
        key, certificate = _pair(now)
        yield Besieged(service, SoftwareSigner.from_private_key(key, certificate), certificate, now)
        service.installation.database.close()


def _pair(now: datetime) -> tuple[certificates.PrivateKey, bytes]:
    return certificates.generate("CN=stranger", KeyType.RSA2048, now - _DAY, now + 30 * _DAY, Purpose.SIGNING)


def _grown(genes: Genes) -> worst_assertions.Genes:
    """The genes of what grows, as an assertion has them."""
    names = ("depth", "attributes", "identifiers", "declarations", "nested", "prefix", "text", "kind", "old")
    return worst_assertions.Genes(genes.elements, **{name: getattr(genes, name) for name in names})


def _envelope(endpoint: str, genes: Genes, token: str, now: datetime, room: int) -> bytes:
    filling = filler(_grown(genes), room // 2) if genes.place < 2 else ""
    declared = "".join(f' xmlns:p{n}="urn:{n}"' for n in range(1, genes.declarations + 1))
    must = ' s:mustUnderstand="1"' if genes.understood else ""
    room = (room - len(filling.encode())) // 2
    headers = f"<h{must}/>" * min(genes.headers, room // 32)
    made, ended = instant(now), instant(now + timedelta(minutes=5))
    times = f"<wsu:Created>{made}</wsu:Created><wsu:Expires>{ended}</wsu:Expires>"
    stamps = f"<wsu:Timestamp>{times}</wsu:Timestamp>" * min(genes.timestamps, room // 256)
    return (
        f'<s:Envelope xmlns:s="{SOAP12}" xmlns:a="{NS["wsa"]}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"{declared}>'
        f"<s:Header><a:Action>{_TRUST}/RST/Issue</a:Action>"
        f'<a:To wsu:Id="_to">{_ROOT}v2/wstrust/13/{endpoint}</a:To><a:MessageID>urn:{next(_numbers)}</a:MessageID>'
        f"{headers}<x>{filling if genes.place == 1 else ''}</x>"
        f'<wsse:Security s:mustUnderstand="1">{stamps}<wsu:Timestamp wsu:Id="_0">{times}</wsu:Timestamp>'
        f'{token}</wsse:Security></s:Header><s:Body wsu:Id="_1">{_requests(genes, filling, room)}</s:Body></s:Envelope>'
    ).encode()


def _requests(genes: Genes, filling: str, room: int) -> str:
    wanted = "".join(f'<i:ClaimType Uri="{number}"/>' for number in range(min(genes.claims, room // 32)))
    one = (
        f"<t:RequestSecurityToken><t:RequestType>{_TRUST}/{'Batch' if genes.requests > 1 else ''}Issue</t:RequestType>"
        "<p:AppliesTo><a:EndpointReference><a:Address>urn:rp</a:Address></a:EndpointReference></p:AppliesTo>"
        f'<t:Claims Dialect="{_IDENTITY}">{wanted}</t:Claims>'
        f"<t:SecondaryParameters>{filling if genes.place == 0 else ''}</t:SecondaryParameters></t:RequestSecurityToken>"
    )
    name = "RequestSecurityTokenCollection" if genes.requests > 1 else "RequestSecurityToken"
    namespaces = f'xmlns:t="{_TRUST}" xmlns:p="http://schemas.xmlsoap.org/ws/2004/09/policy" xmlns:i="{_IDENTITY}"'
    if genes.requests > 1:
        return f"<t:{name} {namespaces}>{one * genes.requests}</t:{name}>"
    return one.replace(f"<t:{name}>", f"<t:{name} {namespaces}>", 1)


def _binary_token(certificate: bytes) -> str:
    return (
        f'<wsse:BinarySecurityToken wsu:Id="_a" ValueType="{X509_V3}">{b64encode(certificate).decode()}'
        "</wsse:BinarySecurityToken>"
    )


def _reference(part: etree._Element, names: list[str]) -> str:
    digest = b64encode(sha256(_canonical(part, names)).digest()).decode()
    return (
        f'<ds:Reference URI="#{part.get(f"{{{WSU}}}Id")}"><ds:Transforms>{_method("", names)}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{NS["xenc"]}sha256"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>'
    )


def _method(kind: str, names: list[str]) -> str:
    name = "CanonicalizationMethod" if kind else "Transform"
    prefixes = f'<ec:InclusiveNamespaces xmlns:ec="{NS["ec"]}" PrefixList="{" ".join(names)}"/>' if names else ""
    return f'<ds:{name} Algorithm="{NS["ec"]}">{prefixes}</ds:{name}>'


def _canonical(part: etree._Element, names: list[str]) -> bytes:
    return etree.tostring(part, method="c14n", exclusive=True, with_tail=False, inclusive_ns_prefixes=names or None)
