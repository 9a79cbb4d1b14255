"""Tokens that a relying party makes with the key by which it verifies ours: nobody becomes somebody by them."""

import hmac
from base64 import b64encode
from urllib.parse import quote

import jwt
import pytest
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.model import Kind, Use
from tests.flows.test_trust_tokens import acting, asking, issued, status
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import username_token
from tests.threats.identity_providers import ADFS
from tests.threats.trust_door import SAML20, fault, furnished, good, granted

SWT = "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"
JWT = "urn:ietf:params:oauth:token-type:jwt"
MAKERS = pytest.mark.parametrize("make", ["swt", "jwt"])
VOUCHERS = pytest.mark.parametrize("voucher", ["http://127.0.0.1:8000/contoso/", ADFS])


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    return furnished(shared_world)


def shared_key(world: World) -> bytes:
    """The symmetric key of the namespace, which every relying party that relies on it has."""
    (found,) = (c for c in world.namespace.credentials if c.use is Use.SIGNING and c.kind is Kind.SYMMETRIC)
    return world.secret(found)


def forged(world: World, make: str, audience: str, voucher: str, **more: object) -> bytes:
    """A token about an administrator in our name, as it stands in a message; `more` members of a JWT."""
    ends = int(world.now.timestamp()) + 600
    if make == "jwt":
        said = {"iss": world.namespace.issuer, "aud": audience, "exp": ends, "jti": "1" * 32}
        told = {"nameid": "admin", "identityprovider": voucher}
        token, kind = jwt.encode({**said, **told, **more}, shared_key(world), "HS256").encode(), JWT
    else:
        fields = {NAME_IDENTIFIER: "admin", IDENTITY_PROVIDER: voucher, "Audience": audience, "ExpiresOn": str(ends)}
        fields["Issuer"] = world.namespace.issuer
        text = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in fields.items())
        mac = b64encode(hmac.digest(shared_key(world), text.encode(), "sha256")).decode()
        token, kind = f"{text}&HMACSHA256={quote(mac, '')}".encode(), SWT
    return (
        f'<wsse:BinarySecurityToken ValueType="{kind}">{b64encode(token).decode()}</wsse:BinarySecurityToken>'
    ).encode()


@MAKERS
@VOUCHERS
@pytest.mark.parametrize("token_type", ["urn:oasis:names:tc:SAML:2.0:assertion", JWT])
def test_a_forged_token_for_another_relying_party_is_not_issued_anew_under_our_certificate(
    service: World, make: str, voucher: str, token_type: str
) -> None:
    more = f"<t:TokenType>{token_type}</t:TokenType>"
    found = fault(service, asking(service, "Validate", forged(service, make, SAML20, voucher), more=more))
    assert "symmetric key" in found.reason


@MAKERS
@VOUCHERS
def test_who_may_act_for_others_does_not_become_whom_he_forges_a_token_about(
    service: World, make: str, voucher: str
) -> None:
    found = fault(service, acting(service, forged(service, make, "https://swt.example/", voucher)))
    assert "symmetric key" in found.reason


@pytest.mark.parametrize("actor", [{}, {"act": {"sub": "worker", "iss": "http://127.0.0.1:8000/contoso/"}}])
def test_a_forged_token_with_the_id_of_another_does_not_cancel_that_one(
    service: World, actor: dict[str, object]
) -> None:
    token = issued(service, good(service, token=username_token("butler", SECRET)))
    found = etree.fromstring(token).get("ID")
    about = {"jti": found, "nameid": "worker", **actor}
    granted(service, asking(service, "Cancel", forged(service, "jwt", SAML20, service.namespace.issuer, **about)))
    assert status(service, token)[0] == "valid"
