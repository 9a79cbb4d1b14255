"""The doors where assertions are exchanged for tokens, and their one answer to every bad one."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from sts.core.uris import JWT_TOKEN
from tests.flows.world import World
from tests.protocols.wstrust.messages import TRUST_13, WSSE, TrustMessage, binary_token, request
from tests.threats.endpoints import Refusal, seen_refused, send
from tests.threats.identity_providers import NAMESPACE

PARTY = "https://swt.example/"


def encoded(token: bytes) -> str:
    """An assertion as RFC 7522 has it."""
    return urlsafe_b64encode(token).decode().rstrip("=")


@dataclass(frozen=True)
class AssertionDoor:
    """A door where a SAML assertion arrives, and its answer to every bad one."""

    path: str
    form: Callable[[bytes, str], dict[str, str | bytes]]
    status: int
    told: str
    unread: str = "\0"  # what it says instead of a message that is no XML because of the token in it

    @property
    def recipient(self) -> str:
        """Its address."""
        return NAMESPACE + self.path

    def present(self, world: World, token: bytes, realm: str = PARTY, **options: str) -> TestResponse:
        """Ask for a token with the assertion."""
        return send(world, f"/contoso/{self.path}", self.form(token, realm), **options)

    def refusal(self, world: World, token: bytes, realm: str = PARTY) -> Refusal:
        """Ask for a token with the assertion, and see that refused with the one public answer."""
        found = seen_refused(world, lambda: self.present(world, token, realm))
        assert found.status == self.status
        assert self.told in found.body or self.unread in found.body
        return found


def oauth2(token: bytes, realm: str) -> dict[str, str | bytes]:
    grant = "urn:ietf:params:oauth:grant-type:saml2-bearer"
    return {"grant_type": grant, "assertion": encoded(token), "resource": realm}


def acs(token: bytes, realm: str) -> dict[str, str | bytes]:
    return {"grant_type": "urn:oasis:names:tc:SAML:2.0:assertion", "assertion": token, "scope": realm}


def wrap(token: bytes, realm: str) -> dict[str, str | bytes]:
    return {"wrap_assertion_format": "SAML", "wrap_assertion": token, "wrap_scope": realm}


@dataclass(frozen=True)
class TrustDoor(AssertionDoor):
    """The WS-Trust endpoint where an assertion in the security header says who asks."""

    def present(self, world: World, token: bytes, realm: str = PARTY, **options: str) -> TestResponse:
        """Ask for a token with the assertion."""
        message = TrustMessage(world.now, "TOKEN", request(realm), endpoint=self.path.rpartition("/")[2])
        element = token if token.lstrip().startswith(b"<") else binary_token(token, JWT_TOKEN).encode()
        body = message.xml().replace(b"TOKEN", element)
        return send(world, f"/contoso/{self.path}", body, content_type=message.media_type, **options)


def issued_in(answer: TestResponse) -> bytes:
    """The token in an answer of WS-Trust, out of its BinarySecurityToken if it is in one."""
    ((token,),) = etree.fromstring(answer.data).iter(f"{{{TRUST_13}}}RequestedSecurityToken")
    if token.tag == f"{{{WSSE}}}BinarySecurityToken":
        return b64decode(token.text or "")
    return etree.tostring(token, with_tail=False)


DENIED = "ACS50012: Authentication failed."
OAUTH2 = AssertionDoor("oauth2/token", oauth2, 400, '"error":"invalid_grant"')
ACS = AssertionDoor("v2/OAuth2-13", acs, 401, '"error":"invalid_client"')
WRAP = AssertionDoor("WRAPv0.9/", wrap, 401, DENIED)
TRUST = TrustDoor("v2/wstrust/13/issuedtoken-bearer", wrap, 400, DENIED, "ACS10000")
doors = pytest.mark.parametrize("door", [OAUTH2, ACS, WRAP], ids=["oauth2", "acs", "wrap"])
every_door = pytest.mark.parametrize("door", [OAUTH2, ACS, WRAP, TRUST], ids=["oauth2", "acs", "wrap", "wstrust"])
