"""The description of the endpoints, as the readers of clients take it apart."""

import pytest
from lxml import etree
from msal.mex import Mex

from sts.protocols.wstrust import wsdl
from sts.protocols.wstrust.names import DIALECTS, Credential, Dialect, address

HTTPS, HTTP = "https://sts.example/contoso/", "http://127.0.0.1:8000/contoso/"
NS = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "wsp": "http://schemas.xmlsoap.org/ws/2004/09/policy",
    "wsa10": "http://www.w3.org/2005/08/addressing",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "xs": "http://www.w3.org/2001/XMLSchema",
}
POLICIES = {
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512": "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702",
    "http://schemas.xmlsoap.org/ws/2005/02/trust": "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy",
}
ENDPOINTS = pytest.mark.parametrize(
    ("dialect", "credential"),
    [(dialect, credential) for dialect in DIALECTS for credential in Credential],
    ids=lambda part: part.path if isinstance(part, Dialect) else str(part),
)
TOKENS = {
    Credential.USERNAME: ("SignedEncryptedSupportingTokens", "SignedSupportingTokens", "UsernameToken"),
    Credential.CERTIFICATE: ("EndorsingSupportingTokens", "EndorsingSupportingTokens", "X509Token"),
    Credential.BEARER: ("SignedEncryptedSupportingTokens", "SignedSupportingTokens", "IssuedToken"),
    Credential.SYMMETRIC: ("EndorsingSupportingTokens", "EndorsingSupportingTokens", "IssuedToken"),
    Credential.ASYMMETRIC: ("EndorsingSupportingTokens", "EndorsingSupportingTokens", "IssuedToken"),
}


def described(issuer: str) -> etree._Element:
    """The description, read."""
    return etree.fromstring(wsdl.document(issuer))


def port(root: etree._Element, dialect: Dialect, credential: Credential) -> etree._Element:
    """The one port of an endpoint, found by its address."""
    end = "/" + address(dialect, credential)
    (found,) = [p for p in root.iterfind("wsdl:service/wsdl:port", NS) if location(p).endswith(end)]
    return found


def location(at: etree._Element) -> str:
    """The address of a port, which it says twice."""
    (soap,) = at.findall("soap12:address", NS)
    assert at.findtext("wsa10:EndpointReference/wsa10:Address", None, NS) == soap.get("location")
    return soap.get("location") or ""


def policy(root: etree._Element, at: etree._Element) -> etree._Element:
    """The assertions of the policy that a port's binding refers to."""
    name = (at.get("binding") or "").partition(":")[2]
    (binding,) = [b for b in root.iterfind("wsdl:binding", NS) if b.get("name") == name]
    (reference,) = binding.findall("wsp:PolicyReference", NS)
    identifier = f"{{{NS['wsu']}}}Id"
    (found,) = [p for p in root.iterfind("wsp:Policy", NS) if f"#{p.get(identifier)}" == reference.get("URI")]
    everything = found.find("wsp:ExactlyOne/wsp:All", NS)
    assert everything is not None
    return everything


@ENDPOINTS
@pytest.mark.parametrize("issuer", [HTTPS, HTTP])
def test_every_endpoint_has_a_port_at_its_address(issuer: str, dialect: Dialect, credential: Credential) -> None:
    assert location(port(described(issuer), dialect, credential)) == issuer + address(dialect, credential)


@ENDPOINTS
def test_a_policy_asks_for_the_credential_of_its_endpoint(dialect: Dialect, credential: Credential) -> None:
    root = described(HTTPS)
    assertions = policy(root, port(root, dialect, credential))
    security = POLICIES[dialect.namespace]
    new, old, token = TOKENS[credential]
    supporting = new if security.endswith("200702") else old
    (found,) = assertions.findall(f"{{{security}}}{supporting}/wsp:Policy/{{{security}}}{token}", NS)
    assert found.get(f"{{{security}}}IncludeToken") == f"{security}/IncludeToken/AlwaysToRecipient"
    assert assertions.find(f"{{{security}}}TransportBinding/wsp:Policy/{{{security}}}IncludeTimestamp", NS) is not None
    suite = f"{{{security}}}TransportBinding/wsp:Policy/{{{security}}}AlgorithmSuite/wsp:Policy/*"
    assert [etree.QName(found).localname for found in assertions.findall(suite, NS)] == ["Basic256Sha256"]


@ENDPOINTS
def test_a_token_with_a_key_signs_the_body(dialect: Dialect, credential: Credential) -> None:
    root = described(HTTPS)
    bodies = list(policy(root, port(root, dialect, credential)).iter("{*}Body"))
    assert len(bodies) == (0 if credential in (Credential.USERNAME, Credential.BEARER) else 1)
    assert all(etree.QName(body.getparent()).localname == "SignedParts" for body in bodies)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.path)
def test_an_issued_token_is_asked_for_with_the_key_type_that_its_endpoint_takes(dialect: Dialect) -> None:
    root = described(HTTPS)
    for credential in (Credential.BEARER, Credential.SYMMETRIC, Credential.ASYMMETRIC):
        (kind,) = policy(root, port(root, dialect, credential)).iter(f"{{{dialect.namespace}}}KeyType")
        assert dialect.key_types[kind.text or ""] is credential.key


@ENDPOINTS
def test_nothing_is_promised_of_a_transport_without_tls(dialect: Dialect, credential: Credential) -> None:
    root = described(HTTP)
    assertions = policy(root, port(root, dialect, credential))
    names = [etree.QName(element).localname for element in assertions]
    assert "TransportBinding" not in names
    assert names[0] in ("SupportingTokens", "EndorsingSupportingTokens")


def test_names_are_unique_and_every_reference_leads_somewhere() -> None:
    root = described(HTTPS)
    for kind in ("message", "portType", "binding"):
        names = [element.get("name") for element in root.iterfind(f"wsdl:{kind}", NS)]
        assert len(names) == len(set(names)) > 0
    messages = {f"tns:{element.get('name')}" for element in root.iterfind("wsdl:message", NS)}
    ends = root.findall("wsdl:portType/wsdl:operation/*", NS)
    assert {end.get("message") for end in ends} == messages
    types = {f"tns:{element.get('name')}" for element in root.iterfind("wsdl:portType", NS)}
    assert {binding.get("type") for binding in root.iterfind("wsdl:binding", NS)} == types


@pytest.mark.parametrize(
    "schema", described(HTTPS).findall("wsdl:types/xs:schema", NS), ids=lambda s: s.get("targetNamespace")
)
def test_the_types_are_a_schema_that_holds_every_element_of_the_messages(schema: etree._Element) -> None:
    etree.XMLSchema(schema)
    declared = {element.get("name") for element in schema.iterfind("xs:element", NS)}
    namespace = schema.get("targetNamespace")
    named = set()
    for part in described(HTTPS).iterfind("wsdl:message/wsdl:part", NS):
        prefix, _, name = (part.get("element") or "").partition(":")
        if part.nsmap[prefix] == namespace:
            named.add(name)
    assert named
    assert named <= declared


def test_addresses_are_escaped() -> None:
    assert location(port(described("https://sts.example/a&b/"), DIALECTS[0], Credential.USERNAME)).startswith(
        "https://sts.example/a&b/"
    )


def test_msal_chooses_the_endpoint_for_passwords() -> None:
    found = Mex(wsdl.document(HTTPS).decode()).get_wstrust_username_password_endpoint()
    assert found == {
        "address": f"{HTTPS}v2/wstrust/13/username",
        "action": "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue",
    }


def test_msal_finds_the_older_endpoint_where_the_newer_is_not() -> None:
    root = described(HTTPS)
    newer = port(root, DIALECTS[0], Credential.USERNAME)
    parent = newer.getparent()
    assert parent is not None
    parent.remove(newer)
    found = Mex(etree.tostring(root, encoding="unicode")).get_wstrust_username_password_endpoint()
    assert found == {
        "address": f"{HTTPS}v2/wstrust/2005/username",
        "action": "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue",
    }


def test_msal_takes_nothing_that_is_not_https() -> None:
    assert Mex(wsdl.document(HTTP).decode()).get_wstrust_username_password_endpoint() is None
