"""Relying parties that verify every token with keys they seldom read: what a rollover must never break."""

import base64
import http.client
import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha1
from threading import Event, Thread
from urllib.parse import urlencode

import jwt
from cryptography import x509
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from benchmarks.server import HOST
from sts.core.errors import StsError
from sts.core.exchange import Trusted, VerificationKey
from sts.core.model import Kind
from sts.protocols.addresses import FEDERATION_METADATA, JWKS
from sts.tokens import saml11, saml20

FORMATS = ("jwt", "saml11", "saml20")
_ID_ATTRIBUTES = {"saml11": "AssertionID", "saml20": "ID"}
_READERS = {"saml11": saml11.read, "saml20": saml20.read}
_MAX_AGE = re.compile(r"max-age=(\d+)")
_NS = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}
_SIGNING = "md:RoleDescriptor/md:KeyDescriptor[@use='signing']/ds:KeyInfo/ds:X509Data/ds:X509Certificate"
_SIGNER = "ds:Signature/ds:KeyInfo/ds:X509Data/ds:X509Certificate"


Act = Callable[..., None]


class Refused(Exception):
    """A partner cannot use what it was given."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a partner behaves; seconds."""

    polling: float  # it reads the published keys no oftener than this, and not before their max-age is over
    pause: float  # between two tokens
    keeping: float  # it verifies each token again after this time, shorter than the token's life


@dataclass(frozen=True, slots=True)
class Client:
    """The account that asks for tokens."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Which relying party of which namespace a partner is, and where the service listens."""

    port: int
    namespace: str
    token_format: str  # also the name of the relying party

    @property
    def issuer(self) -> str:
        """Whose tokens it accepts."""
        return f"http://{HOST}:{self.port}/{self.namespace}/"

    @property
    def realm(self) -> str:
        """For whom they must be."""
        return f"https://{self.token_format}.example/"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that a partner could not use."""

    at: datetime
    partner: str
    what: str  # issuing, token, kept token, document
    reason: str
    age: float  # seconds since it read the keys


@dataclass(slots=True)
class Record:
    """What one partner saw."""

    issued: int = 0
    verified: int = 0
    verified_again: int = 0
    reads: int = 0
    signers: list[str] = field(default_factory=list)  # each time another one than before
    refusals: list[Refusal] = field(default_factory=list)


class Partner(Thread):
    """Asks for tokens at a steady pace and verifies each twice: when it comes and shortly before it ends."""

    def __init__(self, place: Place, client: Client, habits: Habits, delay: float) -> None:
        super().__init__(name=f"{place.namespace} {place.token_format} +{delay:.1f}s", daemon=True)
        self.record = Record()
        self._place = place
        self._client = client
        self._habits = habits
        self._delay = delay
        self._stopped = Event()
        self._keys: Mapping[str, bytes] = {}  # what verifies, by key id or thumbprint
        self._read_at = 0.0
        self._stale_at = 0.0
        self._kept: deque[tuple[float, bytes]] = deque()

    def run(self) -> None:
        """Go on until stopped."""
        wait = self._delay
        while not self._stopped.wait(wait):
            begun = time.monotonic()
            if begun >= self._stale_at:
                self._attempt("document", self._read)
            self._attempt("issuing", self._ask)
            while self._kept and self._kept[0][0] <= time.monotonic():
                self._verify_again(self._kept.popleft()[1])
            wait = max(0.0, begun + self._habits.pause - time.monotonic())

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self.join()

    def _attempt(self, what: str, act: Act, *given: bytes) -> bool:
        try:
            act(*given)
        except (Refused, OSError, http.client.HTTPException) as error:
            age = time.monotonic() - self._read_at
            reason = f"{type(error).__name__}: {error}"
            self.record.refusals.append(Refusal(datetime.now(UTC), self.name, what, reason, age))
            return False
        return True

    def _read(self) -> None:
        """Read the keys anew; metadata must be signed by a certificate that the document before it held."""
        is_jwt = self._place.token_format == "jwt"
        answer, body = self._send("GET", JWKS if is_jwt else FEDERATION_METADATA)
        self.record.reads += 1
        fresh = _jwks_keys(body) if is_jwt else _metadata_keys(body)
        if not is_jwt:
            _verify_xml(body, "ID", self._keys or fresh)
        found = _MAX_AGE.search(answer.getheader("Cache-Control", ""))
        self._keys, self._read_at = fresh, time.monotonic()
        self._stale_at = self._read_at + max(self._habits.polling, float(found[1]) if found else 0.0)

    def _ask(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client.name,
            "client_secret": self._client.secret,
            "resource": self._place.realm,
        }
        members = json.loads(self._send("POST", "oauth2/token", urlencode(form))[1])
        text: str = members["access_token"]
        token = text.encode() if self._place.token_format == "jwt" else base64.urlsafe_b64decode(text + "=" * 3)
        self.record.issued += 1
        if self._attempt("token", self._verify, token):
            self.record.verified += 1
        self._kept.append((time.monotonic() + self._habits.keeping, token))

    def _verify_again(self, token: bytes) -> None:
        if self._attempt("kept token", self._verify, token):
            self.record.verified_again += 1

    def _verify(self, token: bytes) -> None:
        """With foreign software, and every other assertion with the service's own reader too."""
        if self._place.token_format == "jwt":
            signer = _verify_jwt(token, self._keys, self._place)
        else:
            signer = _verify_xml(token, _ID_ATTRIBUTES[self._place.token_format], self._keys)
            if self.record.issued % 2:
                _read_assertion(token, tuple(self._keys.values()), self._place)
        if self.record.signers[-1:] != [signer] and signer not in self.record.signers:
            self.record.signers.append(signer)

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[http.client.HTTPResponse, bytes]:
        """One request over a connection of its own, so that any worker may answer; raises Refused unless it is 200."""
        connection = http.client.HTTPConnection(HOST, self._place.port, timeout=30)
        headers = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, f"/{self._place.namespace}/{path}", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(f"{answer.status} {content[:200].decode('utf-8', 'replace')}")
        return answer, content


def _jwks_keys(body: bytes) -> Mapping[str, bytes]:
    return {key["kid"]: json.dumps(key).encode() for key in json.loads(body)["keys"]}


def _metadata_keys(body: bytes) -> Mapping[str, bytes]:
    found = etree.fromstring(body).findall(_SIGNING, _NS)
    return {_thumbprint(der): der for der in (base64.b64decode(element.text or "") for element in found)}


def _thumbprint(der: bytes) -> str:
    return sha1(der).hexdigest()


def _verify_jwt(token: bytes, keys: Mapping[str, bytes], place: Place) -> str:
    try:
        kid: str = jwt.get_unverified_header(token)["kid"]
        if kid not in keys:
            raise Refused(f"signed by {kid}, which is none of {len(keys)}: {', '.join(keys)}")
        jwt.decode(token, jwt.PyJWK(json.loads(keys[kid])), ["RS256"], audience=place.realm, issuer=place.issuer)
    except jwt.PyJWTError as error:
        raise Refused(f"{type(error).__name__}: {error}") from error
    return kid


def _verify_xml(document: bytes, id_attribute: str, keys: Mapping[str, bytes]) -> str:
    element = etree.fromstring(document).find(_SIGNER, _NS)
    signer = "nobody" if element is None else _thumbprint(base64.b64decode(element.text or ""))
    if signer not in keys:
        raise Refused(f"signed by {signer}, which is none of {len(keys)}: {', '.join(keys)}")
    try:
        XMLVerifier().verify(
            document,
            x509_cert=x509.load_der_x509_certificate(keys[signer]),
            id_attribute=id_attribute,
            expect_config=SignatureConfiguration(
                location="./", verification_time=datetime.now(UTC).replace(microsecond=0)
            ),
        )
    except SignXMLException as error:
        raise Refused(f"{type(error).__name__}: {error} (signed by {signer})") from error
    return signer


def _read_assertion(token: bytes, certificates: Sequence[bytes], place: Place) -> None:
    keys = tuple(VerificationKey("", Kind.CERTIFICATE, der) for der in certificates)
    try:
        _READERS[place.token_format](token, Trusted(place.issuer, place.realm, keys), datetime.now(UTC))
    except StsError as error:
        raise Refused(f"{error.codes} {error.detail}") from error
