"""A relying party whose encryption certificate is over, or is gone: over WS-Trust a fault, and nothing in the clear."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from sts.store import relying_parties
from tests.crypto.identities import rsa_key
from tests.crypto.key_infos import key_info, key_value
from tests.flows.recipient import write_certificate
from tests.flows.test_encryption import READABLE
from tests.flows.test_trust_tokens import JWT, asking
from tests.flows.world import START, World, open_world
from tests.protocols.wstrust.messages import TRUST_13, TRUST_2005, TrustMessage, request
from tests.threats.trust_door import SAML20, Fault, fault, good, granted
from tests.tokens.holders import decrypted

PARTIES = """
namespace: contoso
relying_parties:
  - {name: sealed11, realm: "https://sealed11.example/", token_format: saml11, rule_groups: [all], encryption: required,
     encryption_certificate: sealed.cer, proof_of_possession: true}
  - {name: sealed20, realm: "https://sealed20.example/", token_format: saml20, rule_groups: [all], encryption: required,
     encryption_certificate: sealed.cer, proof_of_possession: true}
  - {name: turning, realm: "https://turning.example/", token_format: saml20, rule_groups: [all]}
"""
TURNED = """
namespace: contoso
relying_parties:
  - {name: turning, realm: "https://turning.example/", token_format: saml20, rule_groups: [all], encryption: required,
     encryption_certificate: sealed.cer}
"""
END = START + timedelta(days=30)
TRUSTS = pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])
SEALED = pytest.mark.parametrize("party", ["sealed11", "sealed20"])
USE_KEY = f"<t:UseKey>{key_info(key_value('rsa2048', 'client')).decode()}</t:UseKey>"
BEARER = {TRUST_13: f"{TRUST_13}/Bearer", TRUST_2005: "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey"}
FORMATS = pytest.mark.parametrize(
    ("token_type", "code"), [("urn:oasis:names:tc:SAML:1.0:assertion", "ACS50005"), (JWT, "ACS50000")]
)
KEYS = ("no", "Bearer", "SymmetricKey", "PublicKey")
SECRETS = ("BinarySecret", "EncryptedData", "EncryptedAssertion", "RequestedSecurityToken")


def to(world: World, party: str, trust: str, key: str = "no", *more: str) -> TrustMessage:
    """A request for a token that is bound to a key of some kind."""
    kind = BEARER[trust] if key == "Bearer" else f"{trust}/{key}"
    wish = "" if key == "no" else f"<t:KeyType>{kind}</t:KeyType>"
    used = USE_KEY if key == "PublicKey" else ""
    return good(world, request(f"https://{party}.example/", wish, used, *more, namespace=trust), trust=trust)


def lose(world: World, party: str) -> None:
    """Take a relying party's certificate away, which is refused where it is saved."""
    found = world.relying_party(party)
    with world.service.installation.database.changing("tests", world.now) as change:
        change.audit("contoso", "test", party, {})
        relying_parties.save(change, world.namespace, replace(found, encryption_certificate=None))


@dataclass(frozen=True)
class Lapsed:
    """A service whose relying parties have no certificate now, and tokens that can be read from before that."""

    world: World
    plain: bytes  # issued before encryption was required
    bound: bytes  # to a public key; its relying party has decrypted it


def token_in(root: etree._Element) -> bytes:
    """The token in an answer."""
    found = root.find(".//{*}RequestedSecurityToken/*")
    assert found is not None
    return etree.tostring(found, with_tail=False)


@pytest.fixture(scope="module", params=["expired", "missing"])
def lapsed(request: pytest.FixtureRequest, pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lapsed]:
    """A service whose relying parties were served, until their certificate was over or gone."""
    home = tmp_path_factory.mktemp("lapsed")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    world = open_world(home)
    write_certificate(home / "sealed.cer", rsa_key("rp"), START - timedelta(days=1), END)
    world.apply(PARTIES)
    world.clock.now = END - timedelta(minutes=1)
    plain = token_in(granted(world, to(world, "turning", TRUST_13)))
    world.apply(TURNED)
    for party in ("sealed11", "sealed20", "turning"):
        for key in KEYS[: 2 if party == "turning" else None]:
            granted(world, to(world, party, TRUST_13, key))
            assert world.records()[-1]["encrypted"] is True
    bound = decrypted(token_in(granted(world, to(world, "sealed20", TRUST_13, "PublicKey"))), rsa_key("rp"))
    if request.param == "missing":
        for party in ("sealed11", "sealed20", "turning"):
            lose(world, party)
    else:
        world.clock.now = END + timedelta(seconds=1)
    yield Lapsed(world, plain, bound)
    world.close()


def require_nothing_told(found: Fault, code: str = "ACS50005") -> None:
    """See that the fault is about the certificate, and that no token or key, readable or not, is in the answer."""
    body = found.refusal.body
    assert (found.subcode, found.refusal.record["error"]) == ("RequestFailed", code)
    assert not {"token_id", "principal", "format"} & found.refusal.record.keys()
    assert [text for text in READABLE if text in body.encode()] == []
    assert [name for name in SECRETS if name in body] == []


@TRUSTS
@SEALED
@pytest.mark.parametrize("key", KEYS)
def test_there_is_a_fault_and_no_token(lapsed: Lapsed, party: str, key: str, trust: str) -> None:
    found = fault(lapsed.world, to(lapsed.world, party, trust, key))
    require_nothing_told(found)
    assert f"relying party '{party}' must be encrypted" in found.refusal.reason


@TRUSTS
@FORMATS
def test_no_other_format_helps(lapsed: Lapsed, token_type: str, code: str, trust: str) -> None:
    message = to(lapsed.world, "turning", trust, "no", f"<t:TokenType>{token_type}</t:TokenType>")
    require_nothing_told(fault(lapsed.world, message), code)


@TRUSTS
def test_entropy_of_the_client_helps_no_more(lapsed: Lapsed, trust: str) -> None:
    secret = f'<t:BinarySecret Type="{trust}/Nonce">{"A" * 43}=</t:BinarySecret>'
    message = to(lapsed.world, "sealed20", trust, "SymmetricKey", f"<t:Entropy>{secret}</t:Entropy>")
    require_nothing_told(fault(lapsed.world, message))


def test_of_a_collection_nothing_is_issued(lapsed: Lapsed) -> None:
    both = request(SAML20) + request("https://sealed20.example/")
    batch = both.replace(f"{TRUST_13}/Issue", f"{TRUST_13}/BatchIssue")
    body = f'<t:RequestSecurityTokenCollection xmlns:t="{TRUST_13}">{batch}</t:RequestSecurityTokenCollection>'
    require_nothing_told(fault(lapsed.world, good(lapsed.world, body, action=f"{TRUST_13}/RST/BatchIssue")))


@TRUSTS
def test_a_token_from_before_is_not_renewed_in_the_clear(lapsed: Lapsed, trust: str) -> None:
    for token in (lapsed.plain, lapsed.bound):
        require_nothing_told(fault(lapsed.world, asking(lapsed.world, "Renew", token, trust=trust)))


@TRUSTS
@FORMATS
def test_a_token_from_before_is_not_issued_anew_in_the_clear(
    lapsed: Lapsed, token_type: str, code: str, trust: str
) -> None:
    message = asking(
        lapsed.world, "Validate", lapsed.plain, trust=trust, more=f"<t:TokenType>{token_type}</t:TokenType>"
    )
    require_nothing_told(fault(lapsed.world, message), code)
