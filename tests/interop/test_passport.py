"""npm passport-wsfed-saml2 as relying party: it takes our responses and refuses what was tampered with."""

import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.exchange import IssuedToken, TokenDescriptor
from sts.core.model import KeyType, TokenFormat
from sts.core.uris import AuthenticationMethod
from sts.crypto.certificates import Purpose, generate, parse, pem
from sts.crypto.signer import SoftwareSigner
from sts.protocols import wsfed
from sts.tokens import jwt, saml11, saml20
from tests.interop.node import run_node
from tests.tokens.assertions import claims

ISSUER = "https://sts.example/contoso/"
REALM = "https://orders.example/"
REPLY = "https://orders.example/in"
MODULES = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20, TokenFormat.JWT: jwt}
SAML = pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20])
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CLAIMS = claims((NAME_IDENTIFIER, "alice"), (ROLE, "reader"), (ROLE, "writer"), (IDENTITY_PROVIDER, "adfs & <co>"))


@lru_cache
def key(owner: str) -> SoftwareSigner:
    """A key of its own for each owner, whose certificate is good today or was long ago: passport looks at the clock."""
    now = LONG_AGO if owner == "long ago" else datetime.now(UTC).replace(microsecond=0)
    private, der = generate(
        f"CN={owner}", KeyType.RSA2048, now - timedelta(days=1), now + timedelta(days=1), Purpose.SIGNING
    )
    return SoftwareSigner.from_private_key(private, der)


def thumbprint(owner: str) -> str:
    """By which passport knows a certificate."""
    return parse(key(owner).certificate or b"").thumbprint


def wresult(token_format: TokenFormat, signer: SoftwareSigner, **changes: Any) -> str:
    """The `wresult` that we post for a token issued now."""
    now = datetime.now(UTC)
    begin = now.replace(microsecond=0)
    described = TokenDescriptor(
        id="0123456789abcdef0123456789abcdef",
        issuer=ISSUER,
        audience=REALM,
        issued_at=now,
        not_before=begin,
        expires_at=begin + timedelta(minutes=10),
        claims=CLAIMS,
        authenticated_at=now,
        authentication_method=AuthenticationMethod.PASSWORD,
    )._replace(**changes)
    issued = IssuedToken(
        token=MODULES[token_format].write(described, signer),
        format=token_format,
        id=described.id,
        audience=described.audience,
        issued_at=described.issued_at,
        expires_at=described.expires_at,
        relying_party="orders",
        principal="alice",
        credential_id=1,
    )
    return dict(wsfed.answer_form(issued, REPLY, "ctx").fields)["wresult"]


def sign_in(posted: str, **options: object) -> dict[str, Any]:
    """What passport makes of it; it trusts our certificate by its thumbprint."""
    ours = {"realm": REALM, "recipientUrl": REPLY, "thumbprints": [thumbprint("sts")]}
    return run_node("relying_party.js", {"options": ours | options, "wresult": posted})


def with_jwt(posted: str) -> dict[str, Any]:
    """The same of a JWT."""
    options = {"audience": REALM, "issuer": ISSUER, "algorithms": ["RS256"]}
    return sign_in(posted, jwt=options, cert=pem(key("sts").certificate or b"").decode())


@SAML
def test_passport_takes_our_assertion(token_format: TokenFormat) -> None:
    user = sign_in(wresult(token_format, key("sts")))["user"]
    assert user[NAME_IDENTIFIER] == "alice"
    assert user[ROLE] == ["reader", "writer"]
    assert user[IDENTITY_PROVIDER] == "adfs & <co>"
    assert user["issuer"] == ISSUER


@SAML
def test_passport_finds_our_certificate_and_looks_whether_it_has_expired(token_format: TokenFormat) -> None:
    posted = wresult(token_format, key("sts"))
    assert sign_in(posted, checkCertExpiration=True)["user"][NAME_IDENTIFIER] == "alice"
    refused = sign_in(
        wresult(token_format, key("long ago")), checkCertExpiration=True, thumbprints=[thumbprint("long ago")]
    )
    assert refused == {"refused": "The signing certificate is not currently valid."}
    hidden = re.sub("<(/?)(KeyInfo|X509Data|X509Certificate)\\b", r"<\1ds:\2", posted)
    assert hidden.count("ds:X509Certificate") == 2
    assert sign_in(hidden, checkCertExpiration=True) == refused


def test_passport_takes_our_jwt_once_it_is_unwrapped() -> None:
    user = with_jwt(wresult(TokenFormat.JWT, key("sts")))["user"]
    assert user["nameid"] == "alice"
    assert user["role"] == ["reader", "writer"]


TAMPERED: dict[str, tuple[Callable[[TokenFormat], str], str]] = {
    "another name": (lambda made: wresult(made, key("sts")).replace(">alice<", ">admin<"), "Signature check errors"),
    "another audience": (lambda made: wresult(made, key("sts"), audience="urn:other"), "Audience is invalid"),
    "another key": (lambda made: wresult(made, key("attacker")), "Invalid thumbprint"),
    "no signature": (
        lambda made: re.sub("<ds:Signature .*</ds:Signature>", "", wresult(made, key("sts"))),
        "Signature is missing",
    ),
    "expired": (
        lambda made: wresult(made, key("sts"), not_before=LONG_AGO, expires_at=LONG_AGO + timedelta(minutes=10)),
        "assertion has expired",
    ),
}


@SAML
@pytest.mark.parametrize("change", TAMPERED)
def test_passport_refuses_what_is_not_ours_or_not_for_it(token_format: TokenFormat, change: str) -> None:
    tamper, reason = TAMPERED[change]
    answer = sign_in(tamper(token_format))
    assert set(answer) == {"refused"}
    assert reason in answer["refused"]


def changed_jwt(posted: str) -> str:
    """Another payload under the same signature, in the same wrapping."""
    found = re.search(r">([A-Za-z0-9+/=]+)</wsse:BinarySecurityToken>", posted)
    assert found is not None
    header, payload, signature = b64decode(found.group(1)).split(b".")
    text = urlsafe_b64decode(payload + b"==").replace(b'"alice"', b'"admin"')
    forged = b".".join([header, urlsafe_b64encode(text).rstrip(b"="), signature])
    return posted.replace(found.group(1), b64encode(forged).decode())


TAMPERED_JWT: dict[str, tuple[Callable[[], str], str]] = {
    "payload": (lambda: changed_jwt(wresult(TokenFormat.JWT, key("sts"))), "invalid signature"),
    "key": (lambda: wresult(TokenFormat.JWT, key("attacker")), "invalid signature"),
    "audience": (lambda: wresult(TokenFormat.JWT, key("sts"), audience="urn:other"), "jwt audience invalid"),
}


@pytest.mark.parametrize("change", TAMPERED_JWT)
def test_passport_refuses_a_jwt_that_is_not_ours_or_not_for_it(change: str) -> None:
    tamper, reason = TAMPERED_JWT[change]
    answer = with_jwt(tamper())
    assert set(answer) == {"refused"}
    assert reason in answer["refused"]


def test_the_guide_shows_the_unwrapping_that_is_tested() -> None:
    root = Path(__file__).resolve().parents[2]
    program = (root / "tests/interop/npm/relying_party.js").read_text(encoding="utf-8")
    unwrapping = program[program.index("function unwrapJwt") : program.index("function signIn")].strip()
    assert unwrapping in (root / "docs/integrators.md").read_text(encoding="utf-8")
