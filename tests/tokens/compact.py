"""What the tests of simple and JSON web tokens share: a descriptor, keys, and what a reader trusts."""

import dataclasses
import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from hypothesis import strategies

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.exchange import TokenDescriptor, Trusted, VerificationKey
from sts.core.model import Claim, Kind, Use
from sts.crypto.signer import SoftwareSigner
from tests.crypto.identities import NOW, certificate, signer

ISSUER = "https://sts.example/contoso/"
AUDIENCE = "https://orders.example/api/"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
ACTION = "net.windows.servicebus.action"

# What XML 1.0 can carry, and with it every format.
TEXT = strategies.text(
    strategies.characters(exclude_categories=("Cs",), exclude_characters="\ufffe\uffff").filter(
        lambda character: character >= " " or character in "\t\n\r"
    ),
    max_size=40,
)


def claim(claim_type: str, value: str) -> Claim:
    return Claim(claim_type, value, ISSUER)


def descriptor(*claims: Claim, **changes: Any) -> TokenDescriptor:
    """A token of ten minutes from NOW, for one service identity unless other claims are given."""
    made = TokenDescriptor(
        id="0123456789abcdef0123456789abcdef",
        issuer=ISSUER,
        audience=AUDIENCE,
        issued_at=NOW,
        not_before=NOW,
        expires_at=NOW + timedelta(minutes=10),
        claims=claims or (claim(NAME_IDENTIFIER, "svc one"), claim(IDENTITY_PROVIDER, ISSUER)),
        authenticated_at=NOW,
    )
    return made._replace(**changes)


def symmetric_signer(key: bytes = KEY) -> SoftwareSigner:
    return SoftwareSigner.from_symmetric(key, "fingerprint")


def symmetric(material: bytes = KEY, key_id: str = "fingerprint", use: Use = Use.SIGNING) -> VerificationKey:
    return VerificationKey(key_id, Kind.SYMMETRIC, material, use)


def asymmetric(kind: str = "rsa2048", owner: str = "idp", use: Use = Use.SIGNING) -> VerificationKey:
    return VerificationKey(signer(kind, owner).key_id, Kind.CERTIFICATE, certificate(kind, owner), use)


def trusting(*keys: VerificationKey, **changes: Any) -> Trusted:
    """What a reader holds these tokens against."""
    return dataclasses.replace(Trusted(ISSUER, AUDIENCE, keys or (symmetric(),)), **changes)


def seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def by_type(claims: tuple[Claim, ...]) -> dict[str, list[str]]:
    """The values of each claim type in their order; the order of types means nothing."""
    values: dict[str, list[str]] = {}
    for one in claims:
        values.setdefault(one.type, []).append(one.value)
    return values


def swt(text: bytes, key: bytes = KEY) -> bytes:
    """Put the right MAC at the end of any text."""
    mac = b64encode(hmac.digest(key, text, "sha256")).decode()
    return text + b"&HMACSHA256=" + quote_plus(mac).encode()


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def jws(header: Mapping[str, object] | bytes, payload: Mapping[str, object] | bytes, key: bytes = KEY) -> bytes:
    """Sign any header and payload, objects or raw JSON, with HMAC-SHA256, whatever the header says."""
    segments = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = b".".join(base64url(segment) for segment in segments)
    return signing_input + b"." + base64url(hmac.digest(key, signing_input, "sha256"))


def payload(**changes: object) -> dict[str, object]:
    """The members that a reader asks for; a change to None leaves the member out."""
    members: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "nbf": seconds(NOW),
        "exp": seconds(NOW + timedelta(minutes=10)),
        "jti": "once",
    }
    members.update(changes)
    return {name: value for name, value in members.items() if value is not None}


def members(token: bytes) -> dict[str, Any]:
    """What the payload of a JSON web token holds, unverified."""
    segment = token.split(b".")[1]
    read: dict[str, Any] = json.loads(urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    return read
