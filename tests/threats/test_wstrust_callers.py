"""The log names the caller of a WS-Trust message that is refused once his credentials held, and nobody before."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import ROOT, SOAP11, TRUST_13, TrustMessage, request, username_token
from tests.threats.identity_providers import Stage, assertion, stage, unsigned
from tests.threats.test_wstrust import delegated
from tests.threats.trust_door import POSSESSED, SAML20, deliver, fault, furnished, good, granted, signed_message

Sent = tuple[TrustMessage, bytes]
Way = Callable[[World, str], Sent]  # one to authenticate, with a body
BEARER = "issuedtoken-bearer"
SYMMETRIC = f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType>"
UNKNOWN = request("https://nowhere.example/")


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    """A service for everybody."""
    return furnished(shared_world)


def by_password(world: World, body: str) -> Sent:
    message = good(world, body)
    return message, message.xml()


def presented(world: World, endpoint: str = BEARER) -> Stage:
    """An identity provider whose token is for an endpoint."""
    return stage(world, recipient=f"{ROOT}v2/wstrust/13/{endpoint}")


def by_token(world: World, body: str) -> Sent:
    message = good(world, body, endpoint=BEARER, token=assertion(presented(world)).decode())
    return message, message.xml()


WAYS: dict[str, tuple[Way, str]] = {
    "password": (by_password, "worker"),
    "certificate": (signed_message, "mechanic"),
    "token": (by_token, "alice@corp.example"),
}


@pytest.mark.parametrize(("way", "name"), WAYS.values(), ids=WAYS)
def test_whoever_authenticates_in_any_way_is_named_when_he_is_refused(service: World, way: Way, name: str) -> None:
    record = fault(service, *way(service, UNKNOWN)).refusal.record
    assert (record["caller"], record["error"]) == (name, "ACS50001")
    assert "principal" not in record


def past(world: World) -> str:
    """A lifetime that is over."""
    return f"<t:Lifetime><wsu:Expires>{world.now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}</wsu:Expires></t:Lifetime>"


REFUSALS: dict[str, Callable[[World], str]] = {
    "no claims": lambda world: request("https://nobody.example/"),
    "a relying party that is disabled": lambda world: request("https://disabled.example/"),
    "a lifetime that is over": lambda world: request(SAML20, past(world)),
    "a key that is not offered": lambda world: request(SAML20, SYMMETRIC),
    "a weak key": lambda world: request(POSSESSED, SYMMETRIC, "<t:KeySize>64</t:KeySize>"),
    "acting for others": lambda world: delegated("ActAs", assertion(stage(world)).decode()),
}


@pytest.mark.parametrize("asked", REFUSALS.values(), ids=REFUSALS)
def test_whatever_is_refused_names_the_caller(service: World, asked: Callable[[World], str]) -> None:
    assert fault(service, good(service, asked(service))).refusal.record["caller"] == "worker"


def test_who_acts_for_a_forged_name_is_named_himself(service: World) -> None:
    body = delegated("OnBehalfOf", unsigned(presented(service, "username")))
    record = fault(service, good(service, body, token=username_token("butler", SECRET))).refusal.record
    assert (record["caller"], record["error"]) == ("butler", "ACS50006")


def test_a_message_that_comes_again_names_whose_it_is(service: World) -> None:
    message = good(service)
    granted(service, message)
    record = fault(service, message).refusal.record
    assert (record["caller"], "used before" in record["message"]) == ("worker", True)


def test_a_fault_of_soap_11_names_the_caller_too(service: World) -> None:
    answer = deliver(service, good(service, UNKNOWN, soap=SOAP11))
    assert (answer.status_code, service.records()[-1]["caller"]) == (500, "worker")
    assert "worker" not in answer.text


UNKNOWN_CALLERS: dict[str, Callable[[World], Sent]] = {
    "a wrong password": lambda world: by(world, token=username_token("worker", "wrong")),
    "an unknown name": lambda world: by(world, token=username_token("nobody", SECRET)),
    "a disabled one": lambda world: by(world, token=username_token("gone", SECRET)),
    "a message without a time": lambda world: by(world, stamp=""),
    "an unsigned token": lambda world: by(world, endpoint=BEARER, token=unsigned(presented(world))),
    "another body than was signed": lambda world: changed(signed_message(world)),
}


def by(world: World, **changes: object) -> Sent:
    """A message that is not what it should be."""
    message = good(world, **changes)
    return message, message.xml()


def changed(sent: Sent) -> Sent:
    """The same signed message for another relying party."""
    return sent[0], sent[1].replace(b"saml20.example", b"jwt.example")


@pytest.mark.parametrize("send", UNKNOWN_CALLERS.values(), ids=UNKNOWN_CALLERS)
def test_who_did_not_authenticate_is_not_named(service: World, send: Callable[[World], Sent]) -> None:
    record = fault(service, *send(service)).refusal.record
    assert not {"caller", "principal"} & record.keys()
