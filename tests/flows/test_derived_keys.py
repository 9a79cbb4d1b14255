"""Messages signed with a key that is derived from the secret of an assertion, in both versions of the derivation."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType

import pytest
from werkzeug.test import TestResponse

from sts.core.exchange import SymmetricHolder
from sts.tokens import saml20
from tests.crypto.identities import certificate
from tests.flows.possession import (
    PROOF_KEY,
    VERSIONS,
    WRAPPED,
    believing,
    computed,
    fault,
    held,
    presenting,
    prove,
    reference,
    send,
)
from tests.flows.world import World
from tests.protocols.wstrust.messages import (
    HMAC_SHA1,
    HMAC_SHA256,
    TRUST_13,
    TRUST_2005,
    TrustMessage,
    by_secret,
    request,
    signed,
)
from tests.protocols.wstrust.rsts import reference_to

SC13 = "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512"
SC2005 = "http://schemas.xmlsoap.org/ws/2005/02/sc"
CONVERSATIONS = pytest.mark.parametrize("namespace", [SC2005, SC13], ids=["2005/02", "200512"])
LABEL = b"WS-SecureConversationWS-SecureConversation"
NONCE = bytes(range(16))
STRANGERS = SymmetricHolder(PROOF_KEY, certificate("rsa2048", "stranger"))


@dataclass(frozen=True)
class Derived:
    """A DerivedKeyToken, and the key that its sender signs with."""

    places: str = ""  # where in the derived bytes the key is, as the message says
    nonce: bytes = NONCE
    label: str = ""
    begin: int = 0  # the same place, as the sender takes it
    length: int = 32
    seed: bytes = LABEL + NONCE
    refers_to: str = ""  # instead of the assertion
    attributes: str = ""

    def written(self, namespace: str, module: ModuleType) -> str:
        """As the security header holds it."""
        label = f"<c:Label>{self.label}</c:Label>" if self.label else ""
        return (
            f'<c:DerivedKeyToken xmlns:c="{namespace}" wsu:Id="_derived"{self.attributes}>'
            f"{self.refers_to or reference(module)}{self.places}{label}"
            f"<c:Nonce>{b64encode(self.nonce).decode()}</c:Nonce></c:DerivedKeyToken>"
        )

    @property
    def key(self) -> bytes:
        """What the sender signs with."""
        return computed(PROOF_KEY, self.seed, self.begin + self.length)[self.begin :]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from believing(tmp_path_factory.mktemp("derived"))


@pytest.fixture
def world(shared: World) -> World:
    """The service two minutes later: no message is signed twice, and no failure counts any more."""
    shared.move(minutes=2)
    return shared


def sent(
    world: World, message: TrustMessage, derived: str, key: bytes, to: str = "_derived", method: str = HMAC_SHA256
) -> TestResponse:
    """The answer to a message that is signed with a key, which its KeyInfo says is the derived one."""
    with_key = message.changed(security=derived)
    return send(world, with_key, signed(with_key.xml(), replace(by_secret(key, method), key_info=reference_to(to))))


def ask(
    world: World, derived: Derived, namespace: str = SC2005, module: ModuleType = saml20, number: int = 1
) -> TestResponse:
    """The answer to one who holds the secret of an assertion, and signs with what he derives from it."""
    reference_ = derived.refers_to or reference(module, number)
    message = presenting(world, held(world, module, WRAPPED, number), "symmetric")
    return sent(world, message, replace(derived, refers_to=reference_).written(namespace, module), derived.key)


GOOD = {
    "nothing said": Derived(),
    "the shortest": Derived("<c:Length>16</c:Length>", length=16),
    "the longest": Derived("<c:Length>64</c:Length>", length=64),
    "an offset": Derived("<c:Offset>20</c:Offset><c:Length>24</c:Length>", begin=20, length=24),
    "a generation": Derived("<c:Generation>3</c:Generation><c:Length>24</c:Length>", begin=72, length=24),
    "a generation of the usual length": Derived("<c:Generation>1</c:Generation>", begin=32),
    "a label": Derived(label="of our own", seed=b"of our own" + NONCE),
    "the algorithm": Derived(attributes=f' Algorithm="{SC2005}/dk/p_sha1"'),
}


@VERSIONS
@CONVERSATIONS
@pytest.mark.parametrize("derived", GOOD.values(), ids=GOOD)
def test_who_derives_a_key_as_his_message_says_is_answered(
    world: World, derived: Derived, namespace: str, module: ModuleType
) -> None:
    answer = ask(world, derived, namespace, module)
    assert answer.status_code == 200, answer.text
    record = world.records()[-1]
    assert (record["principal"], record["decrypted_by"] > 0) == ("alice", True)


@VERSIONS
@pytest.mark.parametrize("method", [HMAC_SHA1, HMAC_SHA256])
def test_a_client_of_february_2005_derives_its_key(world: World, module: ModuleType, method: str) -> None:
    message = replace(
        presenting(world, held(world, module, WRAPPED), "symmetric"),
        trust=TRUST_2005,
        body=request("https://jwt.example/", namespace=TRUST_2005),
    )
    derived = Derived("<c:Offset>0</c:Offset><c:Length>24</c:Length>", length=24)
    answer = sent(world, message, derived.written(SC2005, module), derived.key, method=method)
    assert answer.status_code == 200, answer.text
    assert f'<t:RequestSecurityTokenResponse xmlns:t="{TRUST_2005}"' in answer.text
    assert TRUST_13 not in answer.text


UNPROVED = {
    "another nonce": replace(GOOD["nothing said"], seed=LABEL + bytes(16)),
    "no nonce": replace(GOOD["nothing said"], seed=LABEL),
    "another label": replace(GOOD["a label"], seed=LABEL + NONCE),
    "another offset": replace(GOOD["an offset"], begin=21),
    "no offset": replace(GOOD["an offset"], begin=0),
    "another generation": replace(GOOD["a generation"], begin=48),
    "a generation that is taken for an offset": replace(GOOD["a generation"], begin=3),
    "another length": replace(GOOD["the longest"], length=63),
}


@CONVERSATIONS
def test_a_key_that_is_derived_in_another_way_has_one_answer_and_a_budget(world: World, namespace: str) -> None:
    answers = set()
    for number in range(20):
        derived = list(UNPROVED.values())[number % len(UNPROVED)]
        refused = ask(world, derived, namespace, number=number + 1)
        answers.add((refused.status_code, fault(refused)))
        assert "does not verify under the secret key" in world.records()[-1]["detail"]
    usual = prove(world, held(world, saml20, STRANGERS, 99), PROOF_KEY, reference(saml20, 99))
    throttled = fault(ask(world, GOOD["nothing said"], namespace, number=100))
    assert fault(usual) == throttled
    assert "ACS90055" in throttled
    world.move(minutes=2)
    again = prove(world, held(world, saml20, STRANGERS, 101), PROOF_KEY, reference(saml20, 101))
    assert answers == {(again.status_code, fault(again))}, "refused as one whose secret does not open is"
    assert ask(world, GOOD["nothing said"], namespace, number=102).status_code == 200


UNREADABLE = {
    "no length": replace(GOOD["the shortest"], places="<c:Length>0</c:Length>"),
    "too short": Derived("<c:Length>15</c:Length>", length=15),
    "too long": Derived("<c:Length>65</c:Length>", length=65),
    "too far": Derived("<c:Offset>4065</c:Offset>", begin=4065),
    "too far a generation": Derived("<c:Generation>128</c:Generation>", begin=4096),
    "the furthest generation": Derived("<c:Generation>999999</c:Generation><c:Length>64</c:Length>", length=64),
    "a generation and an offset": Derived("<c:Generation>1</c:Generation><c:Offset>32</c:Offset>", begin=32),
    "a negative offset": Derived("<c:Offset>-1</c:Offset>"),
    "a length in words": Derived("<c:Length>many</c:Length>"),
    "two lengths": Derived("<c:Length>32</c:Length><c:Length>32</c:Length>"),
    "too long a nonce": Derived(nonce=bytes(513), seed=LABEL + bytes(513)),
    "too long a label": Derived(label="l" * 1009, seed=b"l" * 1009 + NONCE),
    "another algorithm": Derived(attributes=' Algorithm="urn:sha256"'),
    "something else in it": Derived("<c:Properties/>"),
    "an unknown reference": Derived(refers_to=reference_to("_nobody")),
    "itself": Derived(refers_to=reference_to("_derived")),
    "a part that is signed": Derived(refers_to=reference_to("_1")),
}


@CONVERSATIONS
@pytest.mark.parametrize("derived", UNREADABLE.values(), ids=UNREADABLE)
def test_a_derivation_that_is_not_accepted_is_refused_before_any_key_is_used(
    world: World, derived: Derived, namespace: str
) -> None:
    answers = set()
    for number, holder in enumerate((WRAPPED, STRANGERS), 1):
        message = presenting(world, held(world, saml20, holder, number), "symmetric")
        known = replace(derived, refers_to=derived.refers_to or reference(saml20, number))
        refused = sent(world, message, known.written(namespace, saml20), derived.key)
        answers.add((refused.status_code, fault(refused)))
        assert "decrypted_by" not in world.records()[-1]
    ((status, told),) = answers
    assert status == 400
    assert told.startswith("wsse:InvalidSecurity ")


@CONVERSATIONS
def test_a_signature_refers_to_the_derived_key_beside_it_and_to_one_alone(world: World, namespace: str) -> None:
    message = presenting(world, held(world, saml20, WRAPPED), "symmetric")
    good = Derived()
    derived = good.written(namespace, saml20)
    for written, to in ((derived, "_nobody"), (derived, "_0"), (derived + derived.replace("_derived", "_b"), "_b")):
        assert fault(sent(world, message, written, good.key, to)).startswith("wsse:InvalidSecurity ")
    assert fault(sent(world, message, "", good.key)).startswith("wsse:InvalidSecurity ")


@VERSIONS
def test_only_the_secret_of_an_assertion_has_derived_keys(world: World, module: ModuleType) -> None:
    derived = Derived()
    for endpoint in ("bearer", "asymmetric"):
        message = presenting(world, held(world, module, WRAPPED), endpoint)
        told = fault(sent(world, message, derived.written(SC2005, module), derived.key))
        assert told.startswith("wsse:InvalidSecurity " if endpoint == "bearer" else "t:FailedAuthentication ")
