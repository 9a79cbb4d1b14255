"""Foreign WS-Trust clients that know nothing but the address of our description: zeep, and MSAL."""

import hmac
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import zeep
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from msal import wstrust_request
from zeep.exceptions import Fault
from zeep.transports import Transport
from zeep.wsse import utils
from zeep.wsse.username import UsernameToken

from sts.core.claims import NAME_IDENTIFIER, ROLE
from tests.crypto.identities import private_key
from tests.crypto.key_infos import key_info, key_value
from tests.flows.server import Server
from tests.flows.tokens import read_saml
from tests.flows.world import SECRET
from tests.interop.metadata import ASSERTIONS, METADATA, signing_certificates
from tests.tokens.holders import proof_keys, public_key
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

TRUST_13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
TRUST_2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
TRUST_14 = "http://docs.oasis-open.org/ws-sx/ws-trust/200802"
ACTOR = "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor"
NO_PROOF_KEY = "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey"
JWT = "urn:ietf:params:oauth:token-type:jwt"
TYPES = {
    "saml11": "urn:oasis:names:tc:SAML:1.0:assertion",
    "saml20": "urn:oasis:names:tc:SAML:2.0:assertion",
    "jwt": JWT,
}
VERSIONS = pytest.mark.parametrize("version", ["saml11", "saml20"])
PORTS = {TRUST_13: "UserNameWSTrust13", TRUST_2005: "UserNameWSTrustFeb2005"}
DIALECTS = pytest.mark.parametrize("trust", PORTS, ids=["1.3", "2005"])
GUIDE = (Path(__file__).parents[2] / "docs" / "wstrust.md").read_text(encoding="utf-8")
FENCED = re.MULTILINE | re.DOTALL
MESSAGE = b"<s:Body>what the client asks of the relying party</s:Body>"


def session() -> requests.Session:
    """Connections that nothing in the environment changes."""
    made = requests.Session()
    made.trust_env = False
    return made


def credential(name: str, password: str) -> UsernameToken:
    """Who asks, and when."""
    now = datetime.now(UTC)
    created, expires = ((now + timedelta(minutes=m)).strftime("%Y-%m-%dT%H:%M:%SZ") for m in (0, 5))
    stamp = utils.WSU.Timestamp(utils.WSU.Created(created), utils.WSU.Expires(expires))
    return UsernameToken(name, password, timestamp_token=stamp)


@dataclass(frozen=True)
class Caller:
    """A zeep client, made from the description of a namespace."""

    client: zeep.Client
    trust: str

    def call(self, action: str, *more: dict[str, Any]) -> Any:
        """Ask, with whatever the request holds besides its type."""
        service = self.client.bind("SecurityTokenService", PORTS[self.trust])
        name = ("Trust13" if self.trust == TRUST_13 else "TrustFeb2005") + action
        return service[name](_value_1=[{"RequestType": f"{self.trust}/{action}"}, *more])

    def issue(self, party: str, **more: Any) -> Any:
        """The RequestSecurityTokenResponse for a relying party."""
        answer = self.call("Issue", {"_value_1": applies_to(party)}, *({name: more[name]} for name in more))
        return answer["RequestSecurityTokenResponse"][0] if self.trust == TRUST_13 else answer


def caller(server: Server, trust: str = TRUST_13, password: str = SECRET, name: str = "worker") -> Caller:
    """A client of the running server."""
    transport = Transport(session=session())
    address = f"{server.base_url}/contoso/v2/wstrust/mex"
    return Caller(zeep.Client(address, transport=transport, wsse=credential(name, password)), trust)


def applies_to(party: str) -> etree._Element:
    """For whom the token is."""
    policy, addressing = "http://schemas.xmlsoap.org/ws/2004/09/policy", "http://www.w3.org/2005/08/addressing"
    element = etree.Element(f"{{{policy}}}AppliesTo")
    endpoint = etree.SubElement(element, f"{{{addressing}}}EndpointReference")
    etree.SubElement(endpoint, f"{{{addressing}}}Address").text = f"https://{party}.example/"
    return element


def found(response: Any, name: str) -> Any:
    """What zeep made of an element of a response."""
    (value,) = [part[name] for part in response["_value_1"] if name in part]
    return value


def inside(response: Any) -> etree._Element:
    """The token of a response, which the description says nothing about."""
    (token,) = found(response, "RequestedSecurityToken")["_value_1"]
    assert isinstance(token, etree._Element)
    return token


@pytest.fixture
def primary(server: Server) -> bytes:
    """The first signing certificate in the metadata."""
    return signing_certificates(server.document(METADATA))[0]


@DIALECTS
@VERSIONS
def test_zeep_obtains_an_assertion_that_xmlsec1_verifies(
    server: Server, primary: bytes, trust: str, version: str, tmp_path: Path
) -> None:
    asking = caller(server, trust)
    bearer = f"{TRUST_13}/Bearer" if trust == TRUST_13 else NO_PROOF_KEY
    response = asking.issue(version, TokenType=TYPES[version], KeyType=bearer)
    assert found(response, "TokenType") == TYPES[version]
    token = etree.tostring(inside(response), with_tail=False)
    verify_with_xmlsec1(token, primary, *ASSERTIONS[version], tmp_path)
    content = read_saml(token, primary, datetime.now(UTC))
    assert (content.audience, content.claims[ROLE]) == (f"https://{version}.example/", ["sender"])


@DIALECTS
def test_zeep_obtains_a_jwt_that_pyjwt_verifies(server: Server, trust: str) -> None:
    asking = caller(server, trust)
    response = asking.issue("jwt", TokenType=JWT)
    wrapped = inside(response)
    assert (etree.QName(wrapped).localname, wrapped.get("ValueType")) == ("BinarySecurityToken", JWT)
    token = b64decode(wrapped.text or "").decode()
    issuer = f"{server.base_url}/contoso/"
    key = jwt.PyJWKClient(f"{issuer}.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience="https://jwt.example/", issuer=issuer)
    assert claims["role"] == "sender"


@pytest.mark.parametrize("mode", ["cbc", "gcm"])
@VERSIONS
def test_xmlsec1_decrypts_and_verifies_what_zeep_obtains(
    server: Server, primary: bytes, version: str, mode: str, recipient: RSAPrivateKey, tmp_path: Path
) -> None:
    encrypted = etree.tostring(inside(caller(server).issue(f"{version}-{mode}")), with_tail=False)
    assert b"worker" not in encrypted
    verify_with_xmlsec1(assertion_in(encrypted, recipient, tmp_path), primary, *ASSERTIONS[version], tmp_path)


def assertion_in(encrypted: bytes, recipient: RSAPrivateKey, folder: Path) -> bytes:
    """The assertion, as xmlsec1 decrypts it for its relying party."""
    opened = etree.fromstring(decrypt_with_xmlsec1(encrypted, recipient, folder))
    return etree.tostring(opened if etree.QName(opened).localname == "Assertion" else opened[0])


@DIALECTS
@VERSIONS
def test_the_relying_party_finds_the_proof_key_that_zeep_is_given(
    server: Server, primary: bytes, trust: str, version: str, recipient: RSAPrivateKey, tmp_path: Path
) -> None:
    asking = caller(server, trust)
    response = asking.issue(f"{version}-pop", KeyType=f"{trust}/SymmetricKey", KeySize=256)
    given = found(response, "RequestedProofToken")["BinarySecret"]
    assert given["Type"] == f"{trust}/SymmetricKey"
    assert found(response, "KeySize") == 256
    encrypted = etree.tostring(inside(response), with_tail=False)
    assertion = assertion_in(encrypted, recipient, tmp_path)
    verify_with_xmlsec1(assertion, primary, *ASSERTIONS[version], tmp_path)
    (known,) = proof_keys(assertion, recipient)
    by_client = hmac.digest(given["_value_1"], MESSAGE, "sha256")
    assert hmac.compare_digest(hmac.digest(known, MESSAGE, "sha256"), by_client)


def assertion_of(response: Any) -> bytes:
    """The assertion in a response, byte for byte."""
    return etree.tostring(inside(response), with_tail=False)


def target(action: str, token: bytes) -> dict[str, Any]:
    """What a request is about."""
    return {f"{action}Target": {"_value_1": [etree.fromstring(token)]}}


@DIALECTS
@VERSIONS
def test_xmlsec1_verifies_what_zeep_has_renewed(
    server: Server, primary: bytes, trust: str, version: str, tmp_path: Path
) -> None:
    asking = caller(server, trust)
    old = assertion_of(asking.issue(version))
    new = assertion_of(asking.call("Renew", target("Renew", old)))
    verify_with_xmlsec1(new, primary, *ASSERTIONS[version], tmp_path)
    assert ASSERTIONS[version][0] in etree.fromstring(new).attrib
    assert etree.fromstring(new).attrib != etree.fromstring(old).attrib


@DIALECTS
@VERSIONS
def test_xmlsec1_verifies_what_zeep_has_issued_anew_in_the_other_version(
    server: Server, primary: bytes, trust: str, version: str, tmp_path: Path
) -> None:
    (other,) = {"saml11", "saml20"} - {version}
    asking = caller(server, trust)
    response = asking.call(
        "Validate", {"TokenType": TYPES[other]}, target("Validate", assertion_of(asking.issue(version)))
    )
    assert found(response, "Status")["Code"] == f"{trust}/status/valid"
    token = assertion_of(response)
    verify_with_xmlsec1(token, primary, *ASSERTIONS[other], tmp_path)
    content = read_saml(token, primary, datetime.now(UTC))
    assert (content.audience, content.claims[ROLE]) == (f"https://{version}.example/", ["sender"])


@DIALECTS
@VERSIONS
@pytest.mark.parametrize("name", ["OnBehalfOf", "ActAs"])
def test_xmlsec1_verifies_what_zeep_obtains_for_somebody_else(
    server: Server, primary: bytes, name: str, trust: str, version: str, tmp_path: Path
) -> None:
    element = etree.Element(f"{{{TRUST_14 if name == 'ActAs' else trust}}}{name}")
    element.append(inside(caller(server, trust).issue("saml20")))
    butler = caller(server, trust, name="butler")
    answer = butler.call("Issue", {"_value_1": applies_to(version)}, {"_value_1": element})
    token = assertion_of(answer["RequestSecurityTokenResponse"][0] if trust == TRUST_13 else answer)
    verify_with_xmlsec1(token, primary, *ASSERTIONS[version], tmp_path)
    claims = read_saml(token, primary, datetime.now(UTC)).claims
    assert (claims[NAME_IDENTIFIER], "butler" in str(claims[ACTOR])) == (["worker"], True)


@DIALECTS
@VERSIONS
@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_xmlsec1_decrypts_and_verifies_what_names_the_key_of_zeep(
    server: Server, primary: bytes, kind: str, trust: str, version: str, recipient: RSAPrivateKey, tmp_path: Path
) -> None:
    used = etree.Element(f"{{{trust}}}UseKey")
    used.append(etree.fromstring(key_info(key_value(kind, "client"))))
    key_type = {"KeyType": f"{trust}/PublicKey"}
    answer = caller(server, trust).call(
        "Issue", {"_value_1": applies_to(f"{version}-pop")}, key_type, {"_value_1": used}
    )
    response = answer["RequestSecurityTokenResponse"][0] if trust == TRUST_13 else answer
    assertion = assertion_in(assertion_of(response), recipient, tmp_path)
    verify_with_xmlsec1(assertion, primary, *ASSERTIONS[version], tmp_path)
    assert public_key(assertion) == private_key(kind, "client").public_key()


def test_zeep_follows_a_token_to_its_end(server: Server) -> None:
    asking = caller(server)
    token = assertion_of(asking.issue("saml20"))

    def ask(action: str) -> Any:
        return asking.call(action, target(action, token))

    assert found(ask("Validate"), "Status")["Code"] == f"{TRUST_13}/status/valid"
    found(ask("Cancel"), "RequestedTokenCancelled")
    assert found(ask("Validate"), "Status")["Code"] == f"{TRUST_13}/status/invalid"


@DIALECTS
def test_a_wrong_password_is_a_fault_that_zeep_raises(server: Server, trust: str) -> None:
    with pytest.raises(Fault, match=r"ACS50012: Authentication failed\. Trace ID: [0-9a-f-]{36}") as raised:
        caller(server, trust, "wrong").issue("saml20")
    assert raised.value.code.endswith("Sender")
    assert [subcode.text for subcode in raised.value.subcodes] == [f"{{{trust}}}FailedAuthentication"]


def test_zeep_raises_why_there_is_no_proof_of_possession(server: Server) -> None:
    asking = caller(server)
    with pytest.raises(Fault, match="ACS50000"):
        asking.issue("saml20", KeyType=f"{TRUST_13}/SymmetricKey")


@VERSIONS
def test_the_zeep_of_the_guide_obtains_what_xmlsec1_verifies(
    server: Server, primary: bytes, version: str, tmp_path: Path
) -> None:
    (shown,) = [block for block in re.findall(r"^```python\n(.*?)^```$", GUIDE, FENCED) if "class Caller" in block]
    names: dict[str, Any] = {}
    exec(compile(shown, "docs/wstrust.md", "exec"), names)
    address = f"{server.base_url}/contoso/v2/wstrust/mex"
    client = zeep.Client(address, transport=Transport(session=session()), wsse=names["Caller"]("worker", SECRET))
    for _ in range(2):
        token = names["obtain"](client, f"https://{version}.example/", TYPES[version])
        verify_with_xmlsec1(token, primary, *ASSERTIONS[version], tmp_path)


@DIALECTS
@VERSIONS
def test_msal_obtains_an_assertion_that_xmlsec1_verifies(
    server: Server, primary: bytes, trust: str, version: str, tmp_path: Path
) -> None:
    address = f"{server.base_url}/contoso/v2/wstrust/{'13' if trust == TRUST_13 else '2005'}/username"
    action, realm = f"{trust}/RST/Issue", f"https://{version}.example/"
    got = wstrust_request.send_request("worker", SECRET, realm, address, action, session())
    assert got["type"] == TYPES[version]
    verify_with_xmlsec1(got["token"], primary, *ASSERTIONS[version], tmp_path)
