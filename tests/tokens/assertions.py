"""Assertions for tests: a descriptor, what a reader trusts, and honest signatures over edited assertions."""

from datetime import timedelta
from types import ModuleType

from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME, NAME_IDENTIFIER, ROLE
from sts.core.exchange import TokenDescriptor, Trusted, VerificationKey
from sts.core.model import Claim, Kind
from sts.core.uris import AuthenticationMethod
from sts.crypto.xmldsig import sign_element
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, signer

ISSUER = "https://sts.example/contoso/"
AUDIENCE = "https://orders.example/api/"
BEGIN = NOW - timedelta(seconds=3)
END = NOW + timedelta(minutes=10)
SKEW = timedelta(minutes=3)
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


def claims(*pairs: tuple[str, str]) -> tuple[Claim, ...]:
    """Claims of these types and values, as the token's issuer makes them."""
    return tuple(Claim(claim_type, value, ISSUER) for claim_type, value in pairs)


DESCRIPTOR = TokenDescriptor(
    id="0123456789abcdef0123456789abcdef",
    issuer=ISSUER,
    audience=AUDIENCE,
    issued_at=NOW.replace(microsecond=250_000),
    not_before=BEGIN,
    expires_at=END,
    claims=claims(
        (NAME_IDENTIFIER, "alice"),
        (NAME, "Alice & Bob"),
        (ROLE, "reader"),
        (ROLE, "writer"),
        (IDENTITY_PROVIDER, "adfs"),
    ),
    authenticated_at=NOW - timedelta(minutes=1),
    authentication_method=AuthenticationMethod.PASSWORD,
)


def described(*pairs: tuple[str, str]) -> TokenDescriptor:
    """The descriptor with these claims instead."""
    return DESCRIPTOR._replace(claims=claims(*pairs))


def key(kind: str = "rsa2048", owner: str = "idp") -> VerificationKey:
    """The verification key of an owner's certificate."""
    return VerificationKey(f"{owner}-{kind}", Kind.CERTIFICATE, certificate(kind, owner))


TRUSTED = Trusted(issuer=ISSUER, audience=AUDIENCE, keys=(key(),), skew=SKEW)


def written(module: ModuleType, descriptor: TokenDescriptor = DESCRIPTOR) -> bytes:
    """The descriptor's assertion in the version of SAML that the module is for."""
    token: bytes = module.write(descriptor, signer("rsa2048"))
    return token


def unsigned(token: bytes) -> str:
    """The canonical text of an assertion without its signature."""
    element = etree.fromstring(token)
    signature = element.find(SIGNATURE)
    assert signature is not None
    element.remove(signature)
    return etree.tostring(element, method="c14n", exclusive=True).decode()


def edited(module: ModuleType, *changes: tuple[str, str]) -> bytes:
    """The sample assertion with texts replaced, honestly signed by the identity provider that made it."""
    return resigned(module, written(module), *changes)


def resigned(module: ModuleType, token: bytes, *changes: tuple[str, str]) -> bytes:
    """An assertion with texts replaced, honestly signed by the identity provider that made it."""
    text = unsigned(token)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    element = etree.fromstring(text)
    identifier = element.get("AssertionID" if module is saml11 else "ID", "")
    return sign_element(element, identifier, signer("rsa2048"), 1 if module is saml20 else len(element))
