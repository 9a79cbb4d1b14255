"""What is sent in a session: every kind of request, and every kind of mistake."""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import count
from random import Random
from typing import NamedTuple

from tests.crypto.identities import rsa_key
from tests.flows.world import SECRET
from tests.protocols.wstrust.messages import (
    SOAP11,
    TRUST_13,
    TRUST_2005,
    USERNAME_PROFILE,
    TrustMessage,
    binary_token,
    by_rsa,
    request,
    signed,
    timestamp,
    username_token,
)
from tests.threats.identity_providers import Stage, assertion, unsigned
from tests.threats.trust_door import mechanic

SAML20, POSSESSED = "https://saml20.example/", "https://pop.example/"
_numbers = count(1)


class Verdict(Enum):
    """What must become of a message."""

    GRANTED = "granted"
    REFUSED = "refused"
    EITHER = "either"


class Sent(NamedTuple):
    """An HTTP request, and what must become of it."""

    path: str  # below the namespace
    media_type: str
    body: bytes
    verdict: Verdict
    method: str = "POST"


@dataclass(frozen=True)
class Scene:
    """Where and when somebody asks, and the assertions that he was given before."""

    root: str  # of the namespace
    now: datetime
    random: Random
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=8))

    def message(self, body: str | None = None, **changes: object) -> TrustMessage:
        """A message that is granted, unless something in it is changed."""
        asked = request(SAML20) if body is None else body
        made = TrustMessage(self.now, username_token("worker", SECRET), asked).changed(**changes)
        return made if "to" in changes else replace(made, to=self.root + made.path)

    def stage(self, endpoint: str) -> Stage:
        """Where an assertion of the identity provider is presented."""
        return Stage(self.now, next(_numbers), self.root, f"{self.root}v2/wstrust/13/{endpoint}")


Kind = Callable[[Scene], Sent]


def sent(message: TrustMessage, verdict: Verdict, body: bytes | None = None) -> Sent:
    """A message, or other bytes in its place."""
    return Sent(message.path, message.media_type, message.xml() if body is None else body, verdict)


def asking(body: str, **changes: object) -> Kind:
    """A request that is granted."""
    return lambda scene: sent(scene.message(body, **changes), Verdict.GRANTED)


def refused(body: str | None = None, **changes: object) -> Kind:
    """A request that is not."""
    return lambda scene: sent(scene.message(body, **changes), Verdict.REFUSED)


def instead(change: Callable[[bytes], bytes]) -> Kind:
    """Other bytes than those of a good message."""

    def kind(scene: Scene) -> Sent:
        message = scene.message()
        return sent(message, Verdict.REFUSED, change(message.xml()))

    return kind


def key(kind: str, *more: str) -> str:
    """A request for a token that is bound to a key."""
    return request(POSSESSED, f"<t:KeyType>{TRUST_13}/{kind}</t:KeyType>", *more)


def entropy(size: int) -> str:
    """The caller's part of a key."""
    secret = b64encode(bytes(size)).decode()
    return f'<t:Entropy><t:BinarySecret Type="{TRUST_13}/Nonce">{secret}</t:BinarySecret></t:Entropy>'


def _collection(scene: Scene) -> Sent:
    both = request(SAML20) + request("https://jwt.example/")
    body = f'<t:RequestSecurityTokenCollection xmlns:t="{TRUST_13}">{both}</t:RequestSecurityTokenCollection>'
    return sent(scene.message(body), Verdict.GRANTED)


def _exchange(scene: Scene) -> Sent:
    token = assertion(scene.stage("issuedtoken-bearer")).decode()
    return sent(scene.message(endpoint="issuedtoken-bearer", token=token), Verdict.GRANTED)


def _forged(scene: Scene) -> Sent:
    token = unsigned(scene.stage("issuedtoken-bearer"))
    return sent(scene.message(endpoint="issuedtoken-bearer", token=token), Verdict.REFUSED)


def _delegated(scene: Scene) -> Sent:
    token = assertion(scene.stage("username")).decode()
    body = request(SAML20, f"<t:OnBehalfOf>{token}</t:OnBehalfOf>")
    return sent(scene.message(body, token=username_token("butler", SECRET)), Verdict.GRANTED)


def _undelegated(scene: Scene) -> Sent:
    token = assertion(scene.stage("username")).decode()
    return sent(scene.message(request(SAML20, f"<t:OnBehalfOf>{token}</t:OnBehalfOf>")), Verdict.REFUSED)


def _by_certificate(scene: Scene) -> tuple[TrustMessage, bytes]:
    name = f"_t{next(_numbers)}"
    stamp = timestamp(scene.now).replace("_0", name)
    message = scene.message(endpoint="certificate", token=binary_token(mechanic()), stamp=stamp)
    return message, signed(message.xml(), replace(by_rsa(rsa_key("mechanic")), references=(name, "_1")))


def _signed(scene: Scene) -> Sent:
    message, body = _by_certificate(scene)
    return sent(message, Verdict.GRANTED, body)


def _signed_and_changed(scene: Scene) -> Sent:
    message, body = _by_certificate(scene)
    return sent(message, Verdict.REFUSED, body.replace(b"saml20.example", b"jwt.example"))


def of_own(action: str) -> Kind:
    """A request about an assertion that was issued here before; to issue one where there is none."""

    def kind(scene: Scene) -> Sent:
        if not scene.tokens:
            return sent(scene.message(), Verdict.GRANTED)
        token = scene.tokens.pop() if action == "Cancel" else scene.tokens[-1]
        body = request(SAML20, f"<t:{action}Target>{token}</t:{action}Target>", action=action)
        return sent(scene.message(body, action=f"{TRUST_13}/RST/{action}"), Verdict.GRANTED)

    return kind


def _again(scene: Scene) -> Sent:
    """The MessageID of a message that everybody knows; granted at most once."""
    return sent(scene.message(message_id="urn:uuid:00000000-0000-0000-0000-000000000000"), Verdict.EITHER)


def _mutated(scene: Scene) -> Sent:
    """A good message with some bytes of it changed by chance."""
    message = scene.message()
    body = bytearray(message.xml())
    for _ in range(scene.random.randint(1, 4)):
        body[scene.random.randrange(len(body))] = scene.random.randrange(256)
    return sent(message, Verdict.EITHER, bytes(body))


def _cut(scene: Scene) -> Sent:
    message = scene.message()
    body = message.xml()
    return sent(message, Verdict.REFUSED, body[: scene.random.randrange(len(body))])


def _old(scene: Scene) -> Sent:
    return sent(scene.message(stamp=timestamp(scene.now - timedelta(minutes=10))), Verdict.REFUSED)


def _got(scene: Scene) -> Sent:
    return Sent("v2/wstrust/13/username", "application/soap+xml", b"", Verdict.REFUSED, method="GET")


TWO = "</e:Address><e:Address>https://jwt.example/"
DIGEST = username_token("worker", b64encode(bytes(20)).decode(), kind=f"{USERNAME_PROFILE}#PasswordDigest")
GOOD: Mapping[str, Kind] = {
    "a SAML 2.0 assertion": asking(request(SAML20)),
    "a SAML 1.1 assertion": asking(request("https://saml11.example/")),
    "a JWT": asking(request("https://jwt.example/")),
    "a SWT": asking(request("https://swt.example/")),
    "in February 2005": asking(request(SAML20, namespace=TRUST_2005), trust=TRUST_2005),
    "in SOAP 1.1": asking(request(SAML20), soap=SOAP11),
    "two at once": _collection,
    "a whole key": asking(key("SymmetricKey")),
    "a computed key": asking(key("SymmetricKey", entropy(32))),
    "a century": asking(
        request(
            SAML20,
            '<t:Lifetime><u:Expires xmlns:u="http://docs.oasis-open.org/wss/2004/01/'
            'oasis-200401-wss-wssecurity-utility-1.0.xsd">2126-01-01T00:00:00Z</u:Expires></t:Lifetime>',
        )
    ),
    "an assertion for another": _exchange,
    "for somebody else": _delegated,
    "by certificate": _signed,
    "to validate": of_own("Validate"),
    "to renew": of_own("Renew"),
    "to cancel": of_own("Cancel"),
}
BAD: Mapping[str, Kind] = {
    "a message twice": _again,
    "chance": _mutated,
    "an end too early": _cut,
    "too old": _old,
    "no timestamp": refused(stamp=""),
    "to somebody else": refused(to="https://sts.example/"),
    "another action": refused(action=f"{TRUST_13}/RST/Renew"),
    "no action": refused(action=""),
    "no MessageID": refused(message_id=None),
    "an answer elsewhere": refused(reply_to="http://169.254.169.254/"),
    "a header not understood": refused(headers='<x:H xmlns:x="urn:x" s:mustUnderstand="1"/>'),
    "an unknown relying party": refused(request("https://nowhere.example/")),
    "two addresses": refused(request(SAML20 + TWO)),
    "no relying party": refused(request("")),
    "a weak key": refused(key("SymmetricKey", entropy(0))),
    "a key for one that takes none": refused(request(SAML20, f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType>")),
    "another computation": refused(
        key("SymmetricKey", f"<t:ComputedKeyAlgorithm>{TRUST_13}/CK/HASH</t:ComputedKeyAlgorithm>")
    ),
    "a negotiation": refused(request(SAML20, "<t:BinaryExchange/>")),
    "an unknown element": refused(request(SAML20, '<x:Y xmlns:x="urn:x"/>')),
    "a token type unknown": refused(request(SAML20, "<t:TokenType>urn:x</t:TokenType>")),
    "another body": refused("<t:Other xmlns:t='urn:x'/>"),
    "a digest": refused(token=DIGEST),
    "no credential": refused(token=""),
    "two credentials": refused(token=username_token("worker", SECRET) + binary_token(b"a.b.c")),
    "an unsigned assertion": _forged,
    "not allowed to act": _undelegated,
    "signed, then changed": _signed_and_changed,
    "a GET": _got,
    "nothing": instead(lambda body: b""),
    "a NUL": instead(lambda body: body + b"\0"),
    "UTF-16": instead(lambda body: body.decode().encode("utf-16")),
    "a document type": instead(lambda body: b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + body),
    "no XML": instead(lambda body: b"grant_type=client_credentials"),
    "a deep one": instead(lambda body: b"<a>" * 300 + b"</a>" * 300),
    "a large one": instead(lambda body: body + b" " * 265_000),
}


def chosen(scene: Scene) -> tuple[str, Sent]:
    """What comes next: as often something good as something bad."""
    kinds = scene.random.choice((GOOD, BAD))
    name = scene.random.choice(list(kinds))
    return name, kinds[name](scene)
