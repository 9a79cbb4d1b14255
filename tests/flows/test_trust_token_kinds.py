"""Whoever may ask over WS-Trust, by every kind of proof, in both dialects: each gets a token about himself."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree

from sts.core.claims import NAME_IDENTIFIER
from sts.core.exchange import HolderOfKey, PublicHolder
from sts.core.model import ContentEncryption
from sts.core.uris import JWT_TOKEN, SWT_TOKEN
from sts.tokens import saml11, saml20
from tests.crypto.identities import certificate, rsa_key
from tests.crypto.key_infos import spki
from tests.flows.operators import NAMESPACE as RING
from tests.flows.operators import first
from tests.flows.possession import PARTIES, PROOF_KEY, WRAPPED, held, reference
from tests.flows.self_issued import OLD_KEY, self_issued
from tests.flows.self_issued import signed as swt
from tests.flows.tokens import content_of, verified_assertion
from tests.flows.world import SECRET, World
from tests.interop.metadata import ASSERTIONS
from tests.protocols.wstrust.messages import (
    PATHS,
    ROOT,
    TRUST_13,
    TRUST_2005,
    Signing,
    TrustMessage,
    binary_token,
    by_rsa,
    by_secret,
    request,
    signed,
    timestamp,
    username_token,
)
from tests.threats.hostile_assertions import honest_saml11
from tests.threats.identity_providers import Said, Stage, assertion, stage
from tests.threats.jwts import by_worker, made
from tests.threats.signatures import Recipe
from tests.threats.test_xml_signature import rsa
from tests.threats.trust_door import SAML20, fault, furnished, good, granted, mechanic
from tests.tokens.holders import decrypted, proof_keys, public_key
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

TRUSTS = pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])
VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
SAML20_ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
ALICE = "alice@corp.example"
_numbers = count(1)


@pytest.fixture(scope="module")
def service(module_world: World) -> World:
    """A service with everybody who may ask, and relying parties that take proof of possession."""
    furnished(module_world)
    module_world.apply(PARTIES)
    return module_world


def here(trust: str) -> str:
    """The address of the endpoint for bearer tokens."""
    return f"{ROOT}v2/wstrust/{PATHS[trust]}/issuedtoken-bearer"


def at(service: World, trust: str) -> Stage:
    """Where an assertion is presented."""
    return stage(service, recipient=here(trust))


def jwt(token: bytes) -> str:
    return binary_token(token, JWT_TOKEN)


def own_swt(service: World, audience: str = ROOT) -> str:
    """A SWT of the service identity that has a key."""
    return binary_token(self_issued(service, 600 + next(_numbers), {"Audience": audience}), SWT_TOKEN)


def robots(service: World, trust: str) -> bytes:
    """A SAML 2.0 assertion that a service identity signed with its certificate."""
    said = Said(issuer="robot", subject="<saml:NameID>robot</saml:NameID>")
    return assertion(at(service, trust), said, Recipe(sign=rsa("rsa2048", "robot", hashes.SHA256())))


def sealed(module: ModuleType, token: bytes) -> str:
    """An assertion that only we can read."""
    written: bytes = module.encrypt(token, certificate("rsa2048", "sts"), ContentEncryption.AES256_GCM)
    return written.decode()


Make = Callable[[World, str], str]
BEARERS: dict[str, tuple[Make, str]] = {
    "a JWT of a provider": (lambda w, trust: jwt(made(w)), "alice"),
    "a JWT of a provider, on a curve": (lambda w, trust: jwt(made(w, "p256", "ES256", aud=here(trust))), "alice"),
    "a JWT by certificate": (lambda w, trust: jwt(made(w, iss="robot", sub="robot", owner="robot")), "robot"),
    "a JWT by key": (lambda w, trust: jwt(by_worker(w, aud=here(trust))), "worker"),
    "a SWT by key": (lambda w, trust: own_swt(w), "worker"),
    "a SWT by key, for the endpoint": (lambda w, trust: own_swt(w, here(trust)), "worker"),
    "SAML 1.1 of a provider": (lambda w, trust: honest_saml11(at(w, trust)).decode(), ALICE),
    "SAML 1.1, encrypted": (lambda w, trust: sealed(saml11, honest_saml11(at(w, trust), "urn:gcm")), ALICE),
    "SAML 1.1 by certificate": (lambda w, trust: honest_saml11(at(w, trust), "robot", "robot").decode(), "robot"),
    "SAML 2.0 of a provider": (lambda w, trust: assertion(at(w, trust)).decode(), ALICE),
    "SAML 2.0, encrypted": (lambda w, trust: sealed(saml20, assertion(at(w, trust), Said(issuer="urn:gcm"))), ALICE),
    "SAML 2.0 by certificate": (lambda w, trust: robots(w, trust).decode(), "robot"),
}


def asking(service: World, trust: str, endpoint: str, token: str, *more: str, realm: str = SAML20) -> TrustMessage:
    """A message that is like no other, even where it is signed."""
    stamp = timestamp(service.now).replace("_0", f"_s{next(_numbers)}")
    body = request(realm, *more, namespace=trust)
    return TrustMessage(service.now, token, body, endpoint=endpoint, trust=trust, stamp=stamp)


def sealed_by(message: TrustMessage, signing: Signing) -> bytes:
    """The message, signed over its Timestamp and its body."""
    assert message.stamp is not None
    name = message.stamp.split('"')[1]
    return signed(message.xml(), replace(signing, references=(name, "_1")))


def require_about(service: World, trust: str, root: etree._Element, name: str) -> None:
    """See that an answer is of its dialect, and that its token, which verifies, is about somebody."""
    assert root.find(f".//{{{trust}}}RequestSecurityTokenResponse") is not None
    token = etree.tostring(next(root.iter(SAML20_ASSERTION)), with_tail=False)
    content = content_of(service, "saml20", token)
    assert (content.audience, content.claims[NAME_IDENTIFIER]) == (SAML20, [name])
    assert service.records()[-1]["principal"] == name


@TRUSTS
@pytest.mark.parametrize("kind", BEARERS)
def test_a_bearer_token_is_taken_once(service: World, kind: str, trust: str) -> None:
    make, name = BEARERS[kind]
    message = asking(service, trust, "issuedtoken-bearer", make(service, trust))
    require_about(service, trust, granted(service, message), name)
    found = fault(service, message.changed())
    assert (found.subcode, "used before" in found.detail) == ("FailedAuthentication", True), found.detail


@TRUSTS
def test_a_swt_without_an_end_is_taken_where_the_identity_allows_it(service: World, trust: str) -> None:
    token = binary_token(swt({"Issuer": "old"}, OLD_KEY), SWT_TOKEN)
    for _ in range(2):
        message = asking(service, trust, "issuedtoken-bearer", token)
        require_about(service, trust, granted(service, message), "old")


@TRUSTS
@pytest.mark.parametrize("door", ["oauth2/token", "v2/OAuth2-13", "WRAPv0.9/"])
def test_a_token_for_another_kind_of_door_is_refused_here(service: World, door: str, trust: str) -> None:
    elsewhere = ROOT + door
    tokens = (
        own_swt(service, elsewhere),
        jwt(made(service, aud=elsewhere)),
        assertion(stage(service, audience=elsewhere, recipient=here(trust))).decode(),
    )
    for token in tokens:
        found = fault(service, asking(service, trust, "issuedtoken-bearer", token))
        assert (found.subcode, "audience" in found.detail) == ("FailedAuthentication", True), found.detail


PROOFS: dict[str, tuple[HolderOfKey, Signing]] = {
    "symmetric": (WRAPPED, by_secret(PROOF_KEY)),
    "asymmetric": (PublicHolder(spki("rsa2048", "client")), by_rsa(rsa_key("client"))),
}


@TRUSTS
@VERSIONS
@pytest.mark.parametrize("kind", PROOFS)
def test_a_holder_of_key_assertion_is_taken_from_its_holder(
    service: World, kind: str, module: ModuleType, trust: str
) -> None:
    holder, signing = PROOFS[kind]
    number = next(_numbers)
    token = held(service, module, holder, number).decode()
    named = replace(signing, key_info=reference(module, number))
    message = asking(service, trust, f"issuedtoken-{kind}", token)
    require_about(service, trust, granted(service, message, sealed_by(message, named)), "alice")
    stolen = replace(by_secret(bytes(32)) if kind == "symmetric" else by_rsa(rsa_key("thief")), key_info=named.key_info)
    message = asking(service, trust, f"issuedtoken-{kind}", token)
    assert fault(service, message, sealed_by(message, stolen)).subcode == "FailedAuthentication"


@TRUSTS
def test_a_certificate_is_taken_with_the_signature_of_its_key(service: World, trust: str) -> None:
    message = asking(service, trust, "certificate", binary_token(mechanic()))
    signing = by_rsa(rsa_key("mechanic"))
    require_about(service, trust, granted(service, message, sealed_by(message, signing)), "mechanic")
    message = asking(service, trust, "certificate", binary_token(mechanic()))
    found = fault(service, message, sealed_by(message, by_rsa(rsa_key("thief"))))
    assert found.subcode == "FailedAuthentication"


@TRUSTS
def test_a_password_is_taken(service: World, trust: str) -> None:
    message = good(service, request(SAML20, namespace=trust), trust=trust)
    require_about(service, trust, granted(service, message), "worker")


@TRUSTS
@pytest.mark.parametrize("party", ["pop11", "pop20"])
def test_a_password_gets_a_secret_key_that_the_relying_party_finds(service: World, party: str, trust: str) -> None:
    kind = f"<t:KeyType>{trust}/SymmetricKey</t:KeyType>"
    password = username_token("worker", SECRET)
    message = asking(service, trust, "username", password, kind, realm=f"https://{party}.example/")
    root = granted(service, message)
    secret = root.find(f".//{{{trust}}}RequestedProofToken/{{{trust}}}BinarySecret")
    token = root.find(f".//{{{trust}}}RequestedSecurityToken/*")
    assert secret is not None
    assert token is not None
    assert secret.get("Type") == f"{trust}/SymmetricKey"
    read = verified_assertion(decrypted(etree.tostring(token), rsa_key("rp")), own_certificate(service), service.now)
    assert proof_keys(etree.tostring(read), rsa_key("rp")) == {b64decode(secret.text or "")}


@TRUSTS
@pytest.mark.parametrize("party", ["pop11", "pop20"])
def test_xmlsec1_opens_and_verifies_a_token_with_the_key_that_was_proved_and_its_renewal(
    service: World, party: str, trust: str, tmp_path: Path
) -> None:
    asked = f"<t:KeyType>{trust}/PublicKey</t:KeyType>"
    message = asking(service, trust, "certificate", binary_token(mechanic()), asked, realm=f"https://{party}.example/")
    signing = by_rsa(rsa_key("mechanic"))
    opened = verified_by_xmlsec1(service, party, granted(service, message, sealed_by(message, signing)), tmp_path)
    body = (
        f'<t:RequestSecurityToken xmlns:t="{trust}"><t:RequestType>{trust}/Renew</t:RequestType>'
        f"<t:RenewTarget>{opened.decode()}</t:RenewTarget></t:RequestSecurityToken>"
    )
    message = asking(service, trust, "certificate", binary_token(mechanic()))
    message = message.changed(body=body, action=f"{trust}/RST/Renew")
    renewed = verified_by_xmlsec1(service, party, granted(service, message, sealed_by(message, signing)), tmp_path)
    assert renewed != opened
    assert public_key(renewed) == public_key(opened) == rsa_key("mechanic").public_key()


def verified_by_xmlsec1(service: World, party: str, root: etree._Element, folder: Path) -> bytes:
    """The assertion in an answer to a request for proof of possession, as xmlsec1 opens and verifies it."""
    token = root.find(".//{*}RequestedSecurityToken/*")
    assert token is not None
    opened = etree.fromstring(decrypt_with_xmlsec1(etree.tostring(token), rsa_key("rp"), folder))
    found = etree.tostring(opened if etree.QName(opened).localname == "Assertion" else opened[0])
    verify_with_xmlsec1(found, own_certificate(service), *ASSERTIONS[party.replace("pop", "saml")], folder)
    return found


def own_certificate(service: World) -> bytes:
    """What the namespace signs with."""
    found = first(service, RING).certificate
    assert found is not None
    return found
