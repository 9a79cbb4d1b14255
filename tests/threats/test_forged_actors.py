"""No identity provider says that somebody acts for whom it does not vouch: one of ours, or of another provider."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest
from werkzeug.test import TestResponse

from sts.core.claims import ACTOR
from sts.core.exchange import Actor, TokenDescriptor
from sts.core.model import TokenFormat
from sts.core.uris import JWT_TOKEN
from tests.core.test_acceptance import MODULES, said
from tests.crypto.identities import signer
from tests.flows.tokens import content_of
from tests.flows.world import SECRET, World, members
from tests.protocols.wstrust.messages import binary_token, request, username_token
from tests.threats.assertion_doors import encoded, issued_in
from tests.threats.endpoints import seen_refused, send
from tests.threats.identity_providers import ADFS, NAMESPACE, OTHER, Said, assertion, stage, values
from tests.threats.jwts import by_worker
from tests.threats.trust_door import deliver, furnished, good

REALM = "https://jwt.example/"
FRONT = Actor("front", ADFS)
FORMATS = pytest.mark.parametrize("token_format", [TokenFormat.SAML20, TokenFormat.JWT])
_numbers = count(1)

Door = Callable[[World, bytes], TestResponse]


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    return furnished(shared_world)


def described(service: World, *actors: Actor) -> TokenDescriptor:
    """What the identity provider says of alice, for whom somebody acts."""
    now = service.now
    return said(
        id=f"{next(_numbers):032x}",
        audience=NAMESPACE,
        issued_at=now,
        not_before=now,
        expires_at=now + timedelta(hours=1),
        authenticated_at=now,
        actors=actors,
    )


def token(service: World, token_format: TokenFormat, *actors: Actor) -> bytes:
    """The same as a token."""
    told = described(service, *actors)
    written: bytes = MODULES[token_format].write(told, signer("rsa2048", "idp"))
    return written


def element(presented: bytes) -> str:
    return presented.decode() if presented.startswith(b"<") else binary_token(presented, JWT_TOKEN)


def by_oauth(service: World, presented: bytes, realm: str = REALM) -> TestResponse:
    """Exchange a token at oauth2/token."""
    grant = "saml2-bearer" if presented.startswith(b"<") else "jwt-bearer"
    assertion = encoded(presented) if presented.startswith(b"<") else presented.decode()
    form = {"grant_type": f"urn:ietf:params:oauth:grant-type:{grant}", "assertion": assertion, "resource": realm}
    return send(service, "/contoso/oauth2/token", form)


def by_caller(service: World, presented: bytes) -> TestResponse:
    """Present a token at WS-Trust as the caller's own."""
    return deliver(service, good(service, request(REALM), endpoint="issuedtoken-bearer", token=element(presented)))


def by_butler(service: World, presented: bytes) -> TestResponse:
    """Present a token at WS-Trust for somebody else."""
    body = request(REALM, f"<t:OnBehalfOf>{element(presented)}</t:OnBehalfOf>")
    return deliver(service, good(service, body, token=username_token("butler", SECRET)))


DOORS = pytest.mark.parametrize("door", [by_oauth, by_caller, by_butler])


def acting(door: Door, answer: TestResponse) -> list[tuple[str, str]]:
    """Who acts, by the token that was issued, the nearest first, without the butler who presented it."""
    assert answer.status_code == 200, answer.text
    issued = members(answer)["access_token"].encode() if door is by_oauth else issued_in(answer)
    said_of = json.loads(base64.urlsafe_b64decode(issued.split(b".")[1] + b"=="))
    found = []
    while "act" in said_of:
        said_of = said_of["act"]
        found.append((said_of["sub"], said_of["iss"]))
    if door is by_butler:
        assert found[0] == ("butler", NAMESPACE)
        return found[1:]
    return found


FORGED = {
    "this namespace": NAMESPACE,
    "this namespace without its slash": NAMESPACE.rstrip("/"),
    "this namespace in capitals": f" {NAMESPACE.upper()}",
    "ours": "LOCAL AUTHORITY",
    "our accounts": "local",
    "another identity provider": OTHER,
    "the name of another": "other",
    "one that is disabled": "urn:disabled",
}


@DOORS
@FORMATS
@pytest.mark.parametrize("voucher", FORGED.values(), ids=FORGED)
def test_an_actor_of_ours_or_of_another_provider_is_refused_at_any_depth(
    service: World, voucher: str, token_format: TokenFormat, door: Door
) -> None:
    butler = Actor("butler", voucher)
    for actors in ((butler,), (FRONT, butler), (butler, FRONT)):
        presented = token(service, token_format, *actors)
        found = seen_refused(service, lambda presented=presented: door(service, presented))
        assert found.status == 400
        assert "'butler'" not in found.body
        assert "(actor)" in found.reason
        assert "identity provider 'adfs' names an actor of" in found.reason


HONEST = {
    "its own": ADFS,
    "its own by its name": "adfs",
    "of nobody that we know": "https://elsewhere.example/",
}


@DOORS
@FORMATS
@pytest.mark.parametrize("voucher", HONEST.values(), ids=HONEST)
def test_an_actor_for_whom_nobody_vouches_whom_we_ask_stays(
    service: World, voucher: str, token_format: TokenFormat, door: Door
) -> None:
    answer = door(service, token(service, token_format, Actor("back", voucher), FRONT))
    assert acting(door, answer) == [("back", voucher), FRONT]


@pytest.mark.parametrize("claim_type", ["actort", "ActorT", " actort", f"{ACTOR} ", ACTOR.upper()])
@pytest.mark.parametrize("party", ["jwt", "saml20", "swt"])
def test_a_claim_that_careless_readers_take_for_an_actor_is_left_out(
    service: World, party: str, claim_type: str
) -> None:
    said_of_alice = Said(attributes=values({claim_type: "butler", "urn:color": "red"}))
    presented = assertion(stage(service, recipient=f"{NAMESPACE}v2/wstrust/13/issuedtoken-bearer"), said_of_alice)
    message = good(
        service, request(f"https://{party}.example/"), endpoint="issuedtoken-bearer", token=presented.decode()
    )
    claims = content_of(service, party, issued_in(deliver(service, message))).claims
    assert claims["urn:color"] == ["red"]
    assert not [kind for kind in claims if "actor" in kind.lower()]


@DOORS
def test_what_a_service_identity_says_of_actors_is_not_heard(service: World, door: Door) -> None:
    forged = {"sub": "butler", "iss": NAMESPACE}
    assert acting(door, door(service, by_worker(service, act=forged))) == []
