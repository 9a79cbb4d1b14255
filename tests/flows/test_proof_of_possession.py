"""Proof of possession, whole: a client asks, a relying party decrypts, and knows the client by the key it proves.

The relying party is code of the tests' own: it has its private key, and the namespace's certificate from the metadata.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256 as Sha256
from lxml import etree

from sts.core.exchange import HolderOfKey, PublicHolder, SymmetricHolder
from sts.core.model import ContentEncryption
from sts.tokens import saml20
from tests.crypto.identities import certificate, private_key, rsa_key
from tests.crypto.key_infos import key_info, key_value, spki, x509_data
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
    response,
    send,
)
from tests.flows.tokens import verified_assertion
from tests.flows.world import SECRET, World
from tests.interop.metadata import ASSERTIONS, METADATA, signing_certificates
from tests.protocols.wstrust.messages import (
    HMAC_SHA1,
    HMAC_SHA256,
    SHA1,
    SHA256,
    TRUST_13,
    TrustMessage,
    by_rsa,
    by_secret,
    request,
    signed,
    username_token,
)
from tests.tokens.holders import decrypted, proof_keys, public_key
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

RELYING_PARTIES = pytest.mark.parametrize("party", ["pop11", "pop20"])
SHA = Sha256()
MESSAGE = b"<s:Body>what the client asks of the relying party</s:Body>"
NOT_BELIEVED = "t:FailedAuthentication ACS50012"
ENTROPY = bytes(range(32))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from believing(tmp_path_factory.mktemp("proof"))


@pytest.fixture
def world(shared: World) -> World:
    """The service, a second later: no message is signed twice."""
    shared.move(seconds=1)
    return shared


def ask(world: World, party: str, *more: str) -> etree._Element:
    """The RequestSecurityTokenResponse to the service identity that has a password."""
    body = request(f"https://{party}.example/", *more)
    return response(send(world, TrustMessage(world.now, username_token("worker", SECRET), body)))


def read(world: World, told: etree._Element) -> bytes:
    """The assertion as its relying party reads it: decrypted, and verified by the metadata of the namespace."""
    assertion = decrypted(requested(told), rsa_key("rp"))
    return etree.tostring(verified_assertion(assertion, signing_certificate(world), world.now))


def requested(told: etree._Element) -> bytes:
    """The token in a response, which is encrypted."""
    found = told.find(f"{{{TRUST_13}}}RequestedSecurityToken")
    assert found is not None
    assert etree.QName(found[0]).localname in ("EncryptedAssertion", "EncryptedData")
    return etree.tostring(found[0], with_tail=False)


def signing_certificate(world: World) -> bytes:
    """What the namespace's metadata names."""
    return signing_certificates(world.get(METADATA).data)[0]


def secret(told: etree._Element, parent: str, kind: str) -> bytes:
    """The BinarySecret of this kind in a part of a response."""
    found = told.find(f"{{{TRUST_13}}}{parent}/{{{TRUST_13}}}BinarySecret")
    assert found is not None, etree.tostring(told)
    assert found.get("Type") == f"{TRUST_13}/{kind}"
    return b64decode(found.text or "")


def key_type(kind: str) -> str:
    return f"<t:KeyType>{TRUST_13}/{kind}</t:KeyType>"


def entropy(octets: bytes) -> str:
    encoded = b64encode(octets).decode()
    return f'<t:Entropy><t:BinarySecret Type="{TRUST_13}/Nonce">{encoded}</t:BinarySecret></t:Entropy>'


def assert_proved(found: bytes, held: bytes) -> None:
    """The relying party's key verifies what the client authenticated with its own."""
    by_client = hmac.digest(held, MESSAGE, "sha256")
    assert hmac.compare_digest(hmac.digest(found, MESSAGE, "sha256"), by_client)


@RELYING_PARTIES
def test_the_relying_party_finds_the_key_that_the_client_was_given(world: World, party: str) -> None:
    told = ask(world, party, key_type("SymmetricKey"), "<t:KeySize>256</t:KeySize>")
    given = secret(told, "RequestedProofToken", "SymmetricKey")
    (found,) = proof_keys(read(world, told), rsa_key("rp"))
    assert len(given) == 32
    assert_proved(found, given)


@RELYING_PARTIES
def test_xmlsec1_decrypts_and_verifies_what_the_relying_party_gets(world: World, party: str, tmp_path: Path) -> None:
    token = requested(ask(world, party, key_type("SymmetricKey")))
    opened = etree.fromstring(decrypt_with_xmlsec1(token, rsa_key("rp"), tmp_path))
    assertion = opened if "AssertionID" in opened.attrib else opened[0]
    version = "saml11" if party == "pop11" else "saml20"
    verify_with_xmlsec1(etree.tostring(assertion), signing_certificate(world), *ASSERTIONS[version], tmp_path)


@RELYING_PARTIES
@pytest.mark.parametrize("bits", [128, 256, 512])
def test_the_relying_party_finds_the_key_that_the_client_computes(world: World, party: str, bits: int) -> None:
    told = ask(world, party, key_type("SymmetricKey"), f"<t:KeySize>{bits}</t:KeySize>", entropy(ENTROPY))
    computation = told.findtext(f"{{{TRUST_13}}}RequestedProofToken/{{{TRUST_13}}}ComputedKey")
    assert computation == f"{TRUST_13}/CK/PSHA1"
    (found,) = proof_keys(read(world, told), rsa_key("rp"))
    assert_proved(found, computed(ENTROPY, secret(told, "Entropy", "Nonce"), bits // 8))


@RELYING_PARTIES
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_the_relying_party_finds_the_public_key_that_the_client_named(world: World, party: str, kind: str) -> None:
    by_value = f"<t:UseKey>{key_info(key_value(kind, 'client')).decode()}</t:UseKey>"
    by_certificate = f"<t:UseKey>{key_info(x509_data(certificate(kind, 'client'))).decode()}</t:UseKey>"
    for use_key in (by_value, by_certificate):
        told = ask(world, party, key_type("PublicKey"), use_key)
        record = world.records()[-1]
        assert (record["key"], record["key_named"]) == ("public", True)
        assert told.find(f"{{{TRUST_13}}}RequestedProofToken") is None
        assert_signed(public_key(read(world, told)), kind)


def assert_signed(found: RSAPublicKey | EllipticCurvePublicKey, kind: str) -> None:
    """The relying party's key verifies what the client signed with its own."""
    if isinstance(found, RSAPublicKey):
        found.verify(rsa_key("client").sign(MESSAGE, PKCS1v15(), SHA), MESSAGE, PKCS1v15(), SHA)
        return
    key = private_key(kind, "client")
    assert isinstance(key, EllipticCurvePrivateKey)
    found.verify(key.sign(MESSAGE, ECDSA(SHA)), MESSAGE, ECDSA(SHA))


@VERSIONS
@pytest.mark.parametrize(("method", "digest"), [(HMAC_SHA256, SHA256), (HMAC_SHA1, SHA1)])
@pytest.mark.parametrize("owner", ["sts", "old"])
def test_whoever_proves_the_secret_of_an_assertion_is_answered(
    world: World, module: ModuleType, method: str, digest: str, owner: str
) -> None:
    holder = SymmetricHolder(PROOF_KEY, certificate("rsa2048", owner))
    message = presenting(world, held(world, module, holder), "symmetric")
    signing = replace(by_secret(PROOF_KEY, method), digest=digest, key_info=reference(module))
    response(send(world, message, signed(message.xml(), signing)))
    assert world.records()[-1]["principal"] == "alice"


@VERSIONS
@pytest.mark.parametrize("issuer", ["urn:gcm", "urn:cbc"])
def test_the_assertion_with_the_secret_may_be_encrypted_too(world: World, module: ModuleType, issuer: str) -> None:
    algorithm = ContentEncryption.AES256_GCM if issuer == "urn:gcm" else ContentEncryption.AES256_CBC
    token = module.encrypt(held(world, module, WRAPPED, issuer=issuer), certificate("rsa2048", "sts"), algorithm)
    proved = prove(world, token, PROOF_KEY, reference(module))
    assert response(proved) is not None
    assert fault(prove(world, token, bytes(32), reference(module))).startswith(NOT_BELIEVED)


UNPROVED: dict[str, tuple[HolderOfKey, bytes]] = {
    "another secret": (WRAPPED, bytes(32)),
    "a secret for somebody else": (SymmetricHolder(PROOF_KEY, certificate("rsa2048", "stranger")), PROOF_KEY),
    "a secret that is too short": (SymmetricHolder(PROOF_KEY[:8], certificate("rsa2048", "sts")), PROOF_KEY[:8]),
}


@VERSIONS
def test_a_secret_that_is_not_proved_has_one_answer_and_a_budget(world: World, module: ModuleType) -> None:
    world.move(minutes=2)
    answers = set()
    for number in range(20):
        holder, key = list(UNPROVED.values())[number % len(UNPROVED)]
        refused = prove(world, held(world, module, holder, number + 1), key, reference(module, number + 1))
        answers.add((refused.status_code, fault(refused)))
    assert len(answers) == 1, "a key that does not open and one that proves nothing are refused alike"
    throttled = prove(world, held(world, module, WRAPPED, 21), PROOF_KEY, reference(module, 21))
    assert fault(throttled) not in {told for _, told in answers}
    world.move(minutes=2)
    later = prove(world, held(world, module, WRAPPED, 22), PROOF_KEY, reference(module, 22))
    assert later.status_code == 200, later.text


@VERSIONS
def test_whoever_proves_the_private_key_of_an_assertion_is_answered(world: World, module: ModuleType) -> None:
    for number, named in enumerate((None, certificate("rsa2048", "client")), 1):
        world.move(seconds=1)
        token = held(world, module, PublicHolder(spki("rsa2048", "client"), named), number)
        message = presenting(world, token, "asymmetric")
        signing = replace(by_rsa(rsa_key("client")), key_info=reference(module, number))
        response(send(world, message, signed(message.xml(), signing)))
        assert world.records()[-1]["principal"] == "alice"


@VERSIONS
def test_a_thief_of_the_assertion_is_refused(world: World, module: ModuleType) -> None:
    message = presenting(world, held(world, module, PublicHolder(spki("rsa2048", "client"))), "asymmetric")
    signing = replace(by_rsa(rsa_key("thief")), key_info=reference(module))
    assert fault(send(world, message, signed(message.xml(), signing))).startswith(NOT_BELIEVED)
    assert "does not verify under the public key" in world.records()[-1]["detail"]
    assert fault(send(world, message.changed())).startswith("wsse:InvalidSecurity ")
    assert "Signature" in world.records()[-1]["message"]


@VERSIONS
@pytest.mark.parametrize(
    ("kind", "holder"),
    [
        ("bearer", WRAPPED),
        ("bearer", PublicHolder(spki("rsa2048", "client"))),
        ("symmetric", None),
        ("asymmetric", None),
        ("symmetric", PublicHolder(spki("rsa2048", "client"))),
        ("asymmetric", WRAPPED),
    ],
)
def test_each_endpoint_takes_its_own_kind_of_token_only(
    world: World, module: ModuleType, kind: str, holder: HolderOfKey | None
) -> None:
    message = presenting(world, held(world, module, holder), kind)
    told = [fault(send(world, message))]
    for signing in (by_secret(PROOF_KEY), by_rsa(rsa_key("client"))):
        again = message.changed()
        told.append(fault(send(world, again, signed(again.xml(), replace(signing, key_info=reference(module))))))
    unsigned, *signed_ones = [text.partition(" ")[0] for text in told]
    if kind == "bearer":
        assert (unsigned, {*signed_ones}) == (NOT_BELIEVED.partition(" ")[0], {"wsse:InvalidSecurity"})
    else:
        assert (unsigned, {*signed_ones}) == ("wsse:InvalidSecurity", {NOT_BELIEVED.partition(" ")[0]})


@RELYING_PARTIES
def test_the_key_that_was_proved_goes_on_to_the_next_token(world: World, party: str) -> None:
    token = held(world, saml20, PublicHolder(spki("rsa2048", "client")))
    message = presenting(world, token, "asymmetric", key_type("PublicKey"), realm=f"https://{party}.example/")
    signing = replace(by_rsa(rsa_key("client")), key_info=reference(saml20))
    told = response(send(world, message, signed(message.xml(), signing)))
    record = world.records()[-1]
    assert (record["key"], record.get("key_named")) == ("public", None)
    assert_signed(public_key(read(world, told)), "rsa2048")


@pytest.mark.parametrize(
    "wrong",
    [
        entropy(b""),
        entropy(bytes(15)),
        "<t:KeySize>64</t:KeySize>",
        "<t:KeySize>129</t:KeySize>",
        "<t:KeySize>4096</t:KeySize>",
    ],
)
def test_t17_a_key_that_would_be_weak_is_refused(world: World, wrong: str) -> None:
    body = request("https://pop20.example/", key_type("SymmetricKey"), wrong)
    told = fault(send(world, TrustMessage(world.now, username_token("worker", SECRET), body)))
    assert "bits" in told


def test_a_relying_party_that_takes_no_proof_gets_none(world: World) -> None:
    body = request("https://saml20.example/", key_type("SymmetricKey"))
    refused = send(world, TrustMessage(world.now, username_token("worker", SECRET), body))
    assert "takes bearer tokens only" in fault(refused)
    assert b"BinarySecret" not in refused.data
