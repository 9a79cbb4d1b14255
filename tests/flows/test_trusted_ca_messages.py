"""Devices of a factory whose CA is trusted call the certificate endpoints of WS-Trust, each in its own name.

By TLS, as the proxy's header has it, and by the certificate in a signed message.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from sts.operations import trusted_cas
from sts.operations.trusted_cas import TrustedCAName
from tests.crypto.authorities import DAY
from tests.crypto.authorities import NOW as ISSUED
from tests.crypto.factories import CLIENT_AUTH, FACTORY, NAMESAKE, OF_A_CA, SERVER_AUTH, STRANGER, self_made
from tests.crypto.identities import rsa_key
from tests.flows.certified import HEADER, PROXY, behind_a_proxy, byte_sequence, escaped_pem, trust
from tests.flows.tokens import SAML20
from tests.flows.world import START, World, lend
from tests.protocols.wstrust.messages import (
    SOAP11,
    SOAP12,
    TRUST_13,
    TRUST_2005,
    TrustMessage,
    binary_token,
    by_rsa,
    request,
    signed,
)

REALM = "https://saml20.example/"
STRANGERS = "192.0.2.7"
UNKNOWN = "no CA that is trusted now is its issuer"


@pytest.fixture(scope="module")
def shared(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service behind a proxy that trusts the factory, and whose neighbour trusts another."""
    home = tmp_path_factory.mktemp("factory")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    for made in lend(behind_a_proxy(home)):
        made.apply("namespace: fabrikam\n")
        trust(made)
        trust(made, STRANGER, "fabrikam")
        yield made


@pytest.fixture
def world(shared: World) -> World:
    """The service, at the instant at which the certificates of the tests are good."""
    shared.clock.now = START
    return shared


def calling(world: World, **changes: object) -> TrustMessage:
    """A message to the certificate endpoint that names nobody."""
    return TrustMessage(world.now, "", request(REALM), endpoint="certificate").changed(**changes)


def present(world: World, header: str, source: str = PROXY, message: TrustMessage | None = None) -> TestResponse:
    """Send a message over a connection with a client certificate, as its proxy tells it."""
    sent = message or calling(world)
    return world.post(
        sent.path,
        sent.xml(),
        headers={"Content-Type": sent.media_type, HEADER: header},
        environ_overrides={"REMOTE_ADDR": source},
    )


def sign(world: World, certificate: bytes, signer: str = "device", source: str = STRANGERS) -> TestResponse:
    """Send a message with a certificate in it, signed by an RSA key of this owner."""
    message = calling(world, token=binary_token(certificate))
    body = signed(message.xml(), by_rsa(rsa_key(signer)))
    return world.post(message.path, body, content_type=message.media_type, environ_overrides={"REMOTE_ADDR": source})


def in_the_name_of(world: World, answer: TestResponse) -> str:
    """Whom the token in an answer is about, and the log says the same."""
    assert answer.status_code == 200, answer.text
    assertion = next(etree.fromstring(answer.data).iter(f"{{{SAML20}}}Assertion"))
    name = assertion.findtext(f"{{{SAML20}}}Subject/{{{SAML20}}}NameID") or ""
    assert world.records()[-1]["principal"] == name
    return name


def require_refused(world: World, answer: TestResponse, reason: str) -> None:
    """Refused as whoever cannot be believed, with the true reason in the log alone."""
    assert answer.status_code == 400, answer.text
    code = next(etree.fromstring(answer.data).iter(f"{{{SOAP12}}}Subcode"))
    assert "".join(code.itertext()) == "t:FailedAuthentication"
    record = world.records()[-1]
    assert reason in record["detail"]
    assert reason not in answer.text
    assert "principal" not in record


@pytest.mark.parametrize("write", [byte_sequence, escaped_pem], ids=["RFC 9440", "nginx"])
@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005])
@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_a_device_of_a_verified_ca_gets_a_token_in_its_own_name(
    world: World, soap: str, trust: str, write: Callable[[bytes], str]
) -> None:
    message = calling(world, body=request(REALM, namespace=trust), soap=soap, trust=trust)
    answer = present(world, write(FACTORY.issue()), message=message)
    assert in_the_name_of(world, answer) == "worker"
    assert world.records()[-1]["source"] == PROXY


def test_a_device_that_signs_its_message_gets_a_token_from_wherever_it_calls(world: World) -> None:
    certificate = FACTORY.issue(key=rsa_key("device").public_key())
    assert in_the_name_of(world, sign(world, certificate)) == "worker"


REFUSED: dict[str, tuple[bytes, str]] = {
    "it ended a second ago": (FACTORY.issue(not_after=START.replace(hour=11, minute=59, second=59)), "not valid now"),
    "it begins in a second": (FACTORY.issue(not_before=START.replace(second=1)), "not valid now"),
    "its CA is trusted by nobody": (replace(FACTORY, name="nobody's").issue(), UNKNOWN),
    "its CA is trusted by another namespace": (STRANGER.issue(), UNKNOWN),
    "its CA has the name of one that is trusted": (NAMESAKE.issue(), "was not issued by the CA that should have"),
    "its CA is itself, under the name of one": (self_made("worker"), UNKNOWN),
    "it is a CA's": (FACTORY.issue(extensions=OF_A_CA), "CA's own"),
    "it is for servers": (FACTORY.issue(extensions=(SERVER_AUTH,)), "extended key usage"),
    "it names nobody": (FACTORY.issue("CN=nobody", extensions=(CLIENT_AUTH,)), "unknown service identity"),
    "it names who is disabled": (FACTORY.issue("CN=gone", extensions=(CLIENT_AUTH,)), "disabled"),
}


@pytest.mark.parametrize(("certificate", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_certificate_of_another_kind_is_refused_as_any_other(world: World, certificate: bytes, reason: str) -> None:
    require_refused(world, present(world, byte_sequence(certificate)), reason)


SIGNED: dict[str, tuple[dict[str, datetime], str, str]] = {
    "it ended": ({"not_after": START.replace(hour=11)}, "device", "not valid now"),
    "another key signed": ({}, "thief", "does not verify under the public key"),
}


@pytest.mark.parametrize(("changes", "signer", "reason"), SIGNED.values(), ids=SIGNED)
def test_a_signed_message_that_proves_nothing_is_refused(
    world: World, changes: dict[str, datetime], signer: str, reason: str
) -> None:
    certificate = FACTORY.issue(key=rsa_key("device").public_key(), **changes)
    require_refused(world, sign(world, certificate, signer), reason)


def test_a_signed_message_with_the_certificate_of_an_unknown_ca_is_refused(world: World) -> None:
    require_refused(world, sign(world, NAMESAKE.issue(key=rsa_key("device").public_key())), "was not issued by")


@pytest.mark.parametrize("source", [STRANGERS, "10.0.0.2", "::1", ""])
def test_only_the_proxy_is_believed(world: World, source: str) -> None:
    answer = present(world, byte_sequence(FACTORY.issue()), source)
    assert answer.status_code == 400
    assert "wsse:InvalidSecurity" in answer.text
    assert "the message has neither" in world.records()[-1]["message"]


def test_a_certificate_that_cannot_be_read_is_refused_with_a_fault(world: World) -> None:
    answer = present(world, ":AAAA:")
    assert (answer.status_code, "s:Fault" in answer.text) == (400, True)


def test_a_ca_is_trusted_from_its_proof_until_it_ends_or_is_removed(pattern: Path, tmp_path: Path) -> None:
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    for world in lend(behind_a_proxy(tmp_path)):
        named = TrustedCAName("contoso", "factory-1")
        device = byte_sequence(FACTORY.issue(not_after=ISSUED + 9999 * DAY))
        require_refused(world, present(world, device), UNKNOWN)
        trusted_cas.add(world.service.installation, named, FACTORY.certificate(), world.now)
        require_refused(world, present(world, device), UNKNOWN)
        code = trusted_cas.new_code(world.service.installation, named, world.now).code
        trusted_cas.verify(world.service.installation, named, FACTORY.prove(code), world.now)
        assert in_the_name_of(world, present(world, device)) == "worker"
        begun = world.now
        world.clock.now = ISSUED + 3651 * DAY
        require_refused(world, present(world, device), UNKNOWN)
        world.clock.now = begun
        assert in_the_name_of(world, present(world, device)) == "worker"
        trusted_cas.remove(world.service.installation, named, world.now)
        require_refused(world, present(world, device), UNKNOWN)
