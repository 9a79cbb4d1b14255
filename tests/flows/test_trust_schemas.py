"""What the WS-Trust endpoints send, whole, held against published schemas and those of our own description.

The published ones are those of the envelope of SOAP 1.1, of WS-Trust 1.3, and of what stands in the headers. There is
none of WS-Trust of February 2005 to be had: its responses are read in the namespace of 1.3, where they have the same
elements. Nor is there one of the subcodes of faults, which are names in prose: `test_wstrust_faults.py` holds them
against that.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from sts.core.claims import NAME_IDENTIFIER
from tests.flows.test_trust_tokens import JWT, asking, issued
from tests.flows.world import World
from tests.protocols.wstrust.messages import (
    SOAP11,
    SOAP12,
    TRUST_13,
    TRUST_2005,
    WSA10,
    WSA2004,
    TrustMessage,
    request,
    timestamp,
    username_token,
)
from tests.schemas import validate
from tests.threats.endpoints import send
from tests.threats.trust_door import POSSESSED, SAML20, deliver, furnished, good

RESPONSE = (
    *("ws-trust-1.3.xsd", "saml-schema-assertion-2.0.xsd", "cs-sstc-schema-assertion-1.1.xsd"),
    *("oasis-200401-wss-wssecurity-secext-1.0.xsd", "xenc-schema.xsd"),
)
ENVELOPE = ("soap-envelope.xsd", "ws-addr.xsd", *RESPONSE)
TRUSTS = pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])


@pytest.fixture(scope="module")
def service(module_world: World) -> World:
    """A service for everybody."""
    return furnished(module_world)


def validate_answer(answer: TestResponse) -> None:
    """Hold an answer against the schemas: all of SOAP 1.1; of 1.2, which has none here, headers and body."""
    written = answer.data.replace(TRUST_2005.encode(), TRUST_13.encode())
    root = etree.fromstring(written)
    if etree.QName(root).namespace == SOAP11:
        validate(written, *ENVELOPE)
        return
    header, body = root
    for part in header:
        validate(etree.tostring(part, with_tail=False), *ENVELOPE)
    validate(etree.tostring(body[0], with_tail=False), *RESPONSE)


def to_issue(service: World, trust: str, realm: str = SAML20, *more: str) -> TrustMessage:
    """A request for a token, in one of the dialects."""
    return good(service, request(realm, *more, namespace=trust), trust=trust)


def of_many(service: World, trust: str) -> TrustMessage:
    """A request for several tokens at once, which 1.3 alone has."""
    each = (request(realm) for realm in (SAML20, "https://saml11.example/", "https://jwt.example/"))
    batch = "".join(each).replace(f"{TRUST_13}/Issue", f"{TRUST_13}/BatchIssue")
    body = f'<t:RequestSecurityTokenCollection xmlns:t="{TRUST_13}">{batch}</t:RequestSecurityTokenCollection>'
    return good(service, body, action=f"{TRUST_13}/RST/BatchIssue")


def keyed(service: World, trust: str) -> TrustMessage:
    return to_issue(service, trust, POSSESSED, f"<t:KeyType>{trust}/SymmetricKey</t:KeyType>")


def computed(service: World, trust: str) -> TrustMessage:
    secret = f'<t:BinarySecret Type="{trust}/Nonce">{"A" * 43}=</t:BinarySecret>'
    kind = f"<t:KeyType>{trust}/SymmetricKey</t:KeyType>"
    return to_issue(service, trust, POSSESSED, kind, f"<t:Entropy>{secret}</t:Entropy>")


def with_claims(service: World, trust: str) -> TrustMessage:
    dialect = "http://schemas.xmlsoap.org/ws/2005/05/identity"
    asked = f'<i:ClaimType xmlns:i="{dialect}" Uri="{NAME_IDENTIFIER}"/>'
    return to_issue(service, trust, SAML20, f'<t:Claims Dialect="{dialect}">{asked}</t:Claims>')


def reformatted(service: World, trust: str) -> TrustMessage:
    return asking(service, "Validate", issued(service), trust=trust, more=f"<t:TokenType>{JWT}</t:TokenType>")


def to_validate_nothing(service: World, trust: str) -> TrustMessage:
    token = issued(service).replace(b"worker", b"walker")
    return asking(service, "Validate", token, trust=trust)


GRANTED: dict[str, Callable[[World, str], TrustMessage]] = {
    "to issue": to_issue,
    "SAML 1.1": lambda service, trust: to_issue(service, trust, "https://saml11.example/"),
    "a JWT": lambda service, trust: to_issue(service, trust, "https://jwt.example/"),
    "a SWT": lambda service, trust: to_issue(service, trust, "https://swt.example/"),
    "with a key": keyed,
    "with a computed key": computed,
    "with these claims": with_claims,
    "that is renewable": lambda s, trust: to_issue(s, trust, SAML20, "<t:Renewing/>"),
    "not to be renewed": lambda s, trust: to_issue(s, trust, SAML20, '<t:Renewing Allow="false"/>'),
    "to validate": lambda s, trust: asking(s, "Validate", issued(s), trust=trust),
    "to validate what is not": to_validate_nothing,
    "to validate in another format": reformatted,
    "to renew": lambda s, trust: asking(s, "Renew", issued(s), trust=trust),
    "to cancel": lambda s, trust: asking(s, "Cancel", issued(s), trust=trust),
}


@TRUSTS
@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["SOAP 1.1", "SOAP 1.2"])
@pytest.mark.parametrize("name", GRANTED)
def test_an_answer_is_valid_as_it_is_sent(service: World, name: str, soap: str, trust: str) -> None:
    answer = deliver(service, GRANTED[name](service, trust).changed(soap=soap))
    assert answer.status_code == 200, answer.text
    validate_answer(answer)


@pytest.fixture(scope="module")
def described(service: World) -> dict[str, etree.XMLSchema]:
    """The schemas of both dialects' messages, in the description that the service hands out."""
    types = etree.fromstring(service.get("v2/wstrust/mex").data).iter("{http://www.w3.org/2001/XMLSchema}schema")
    return {
        str(schema.get("targetNamespace")): etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
        for schema in types
    }


def body_of(message: bytes) -> etree._Element:
    return etree.fromstring(etree.tostring(etree.fromstring(message).find("{*}Body")[0], with_tail=False))


@TRUSTS
@pytest.mark.parametrize("name", GRANTED)
def test_a_request_and_its_answer_are_as_the_description_has_them(
    service: World, described: dict[str, etree.XMLSchema], name: str, trust: str
) -> None:
    message = GRANTED[name](service, trust)
    answer = deliver(service, message)
    assert answer.status_code == 200, answer.text
    for octets in (message.xml(), answer.data):
        described[trust].assertValid(body_of(octets))


def test_the_answer_to_a_collection_is_as_the_description_has_it(
    service: World, described: dict[str, etree.XMLSchema]
) -> None:
    described[TRUST_13].assertValid(body_of(deliver(service, of_many(service, TRUST_13)).data))


@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["SOAP 1.1", "SOAP 1.2"])
def test_a_collection_is_valid_as_it_is_sent(service: World, soap: str) -> None:
    answer = deliver(service, of_many(service, TRUST_13).changed(soap=soap))
    assert answer.text.count("<trust:RequestSecurityTokenResponse>") == 3
    validate_answer(answer)


def test_the_schemas_look_at_the_whole_envelope(service: World) -> None:
    written = deliver(service, good(service, soap=SOAP11)).data
    validate(written, *ENVELOPE)
    for genuine, forged in (
        (b"<trust:RequestedSecurityToken>", b"<trust:RequestedSecurityToken/><trust:RequestedSecurityToken>"),
        (b"</a:RelatesTo>", b"<a:More/></a:RelatesTo>"),
        (b"</s:Header>", b"</s:Header><s:Header/>"),
        (b"<trust:Lifetime>", b"<trust:Lifetime><trust:Life/>"),
    ):
        assert genuine in written
        with pytest.raises(etree.DocumentInvalid):
            validate(written.replace(genuine, forged), *ENVELOPE)


def altered(**changes: object) -> Callable[[World, str], TrustMessage]:
    return lambda service, trust: to_issue(service, trust).changed(**changes)


def of_the_past(service: World, trust: str) -> TrustMessage:
    begin, end = f"{service.now:%Y-%m-%dT%H:%M:%SZ}", f"{service.now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    wish = f"<wsu:Created>{begin}</wsu:Created><wsu:Expires>{end}</wsu:Expires>"
    return to_issue(service, trust, SAML20, f"<t:Lifetime>{wish}</t:Lifetime>")


HEADER = '<x:H xmlns:x="urn:x" s:mustUnderstand="1"/>'
REFUSED: dict[str, Callable[[World, str], TrustMessage]] = {
    "InvalidRequest": altered(body="<t:Other xmlns:t='urn:x'/>"),
    "FailedAuthentication": altered(token=username_token("worker", "wrong")),
    "InvalidScope": lambda s, trust: to_issue(s, trust, "https://nowhere.example/"),
    "RequestFailed": lambda s, trust: to_issue(s, trust, "https://nobody.example/"),
    "InvalidTimeRange": of_the_past,
    "UnableToRenew": lambda s, trust: asking(s, "Renew", issued(s), trust=trust, name="butler"),
    "InvalidSecurity": altered(stamp=""),
    "UnsupportedSecurityToken": altered(endpoint="certificate"),
    "MessageExpired": lambda s, trust: to_issue(s, trust).changed(stamp=timestamp(s.now - timedelta(hours=1))),
    "InvalidAddressingHeader": altered(reply_to="http://169.254.169.254/"),
    "MessageAddressingHeaderRequired": altered(message_id=None),
    "DestinationUnreachable": altered(to="https://sts.example/"),
    "ActionNotSupported": altered(action="urn:anything"),
    "MustUnderstand": altered(headers=HEADER),
}
NAMES_OF_2004 = {
    "InvalidAddressingHeader": "InvalidMessageInformationHeader",
    "MessageAddressingHeaderRequired": "MessageInformationHeaderRequired",
}


def require_valid_fault(answer: TestResponse, code: str, status: int = 500) -> None:
    """See a fault of SOAP 1.1 that has this code, is valid by the schemas, and says why."""
    assert answer.status_code == status
    validate(answer.data, *ENVELOPE)
    found = etree.fromstring(answer.data).find(f"{{{SOAP11}}}Body/{{{SOAP11}}}Fault")
    assert found is not None
    assert (found.findtext("faultcode") or "").rpartition(":")[2] == code
    assert "Trace ID" in (found.findtext("faultstring") or "")


@TRUSTS
@pytest.mark.parametrize("addressing", [WSA10, WSA2004], ids=["addressing 1.0", "addressing 2004"])
@pytest.mark.parametrize("code", REFUSED)
def test_a_fault_of_soap_11_is_valid_as_it_is_sent(service: World, code: str, addressing: str, trust: str) -> None:
    message = replace(REFUSED[code](service, trust), soap=SOAP11, addressing=addressing)
    named = NAMES_OF_2004.get(code, code) if addressing == WSA2004 else code
    require_valid_fault(deliver(service, message), named)


UNREAD = {
    "no XML": (b"nonsense", "InvalidRequest"),
    "too large": (b"x" * 300_001, "InvalidRequest"),
    "another version": (b"<s:Envelope xmlns:s='urn:x'/>", "VersionMismatch"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_fault_about_what_is_no_message_is_valid_too(service: World, name: str) -> None:
    body, code = UNREAD[name]
    require_valid_fault(deliver(service, good(service, soap=SOAP11), body), code)


def test_a_fault_about_another_method_is_valid_too(service: World) -> None:
    path = f"/contoso/{good(service).path}"
    answer = send(service, path, method="PUT", headers={"Content-Type": "text/xml"})
    require_valid_fault(answer, "InvalidRequest", 405)


@pytest.mark.parametrize("header", [{"Content-Encoding": "gzip"}, {"Content-Type": "text/xml; charset=utf-16"}])
def test_a_fault_about_a_coding_is_valid_too(service: World, header: dict[str, str]) -> None:
    answer = deliver(service, good(service, soap=SOAP11), **header)
    require_valid_fault(answer, "InvalidRequest", 415)
