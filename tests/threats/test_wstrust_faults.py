"""Answers and faults of the WS-Trust endpoints, as clients of either version of SOAP read them."""

import pytest
from lxml import etree

from tests.flows.world import World
from tests.protocols.wstrust.messages import SOAP11, SOAP12, TRUST_13, TRUST_2005, WSA2004, WSSE, WSU, request
from tests.threats.endpoints import seen_refused, send
from tests.threats.trust_door import deliver, fault, furnished, good, granted, read_fault


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    """A service for everybody."""
    return furnished(shared_world)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["13/username", "2005/issuedtoken-bearer", "13/certificate/"])
def test_other_methods_than_post_are_told_so(service: World, method: str, path: str) -> None:
    refusal = seen_refused(service, lambda: send(service, f"/contoso/v2/wstrust/{path}", method=method))
    assert refusal.status == 405
    assert ("Allow", "POST") in refusal.headers


def test_fault_of_soap_11_has_its_code_and_its_status(service: World) -> None:
    answer = deliver(service, good(service, request("https://unknown.example/"), soap=SOAP11))
    assert (answer.status_code, answer.content_type) == (500, "text/xml; charset=utf-8")
    found = etree.fromstring(answer.data).find(f"{{{SOAP11}}}Body/{{{SOAP11}}}Fault")
    assert found is not None
    code = found.find("faultcode")
    assert code is not None
    prefix, _, name = (code.text or "").partition(":")
    assert (code.nsmap[prefix], name) == (TRUST_13, "InvalidScope")
    assert "ACS50001" in (found.findtext("faultstring") or "")


def test_fault_speaks_the_dialect_and_the_addressing_of_the_message(service: World) -> None:
    message = good(
        service, request("https://unknown.example/", namespace=TRUST_2005), trust=TRUST_2005, addressing=WSA2004
    )
    found = fault(service, message)
    assert found.subcode == "InvalidScope"
    assert TRUST_2005 in found.refusal.body
    assert f"{WSA2004}/fault" in found.refusal.body
    assert ">urn:uuid:ID</a:RelatesTo>" in found.refusal.body


def test_what_nobody_reads_is_refused_in_the_version_that_http_names(service: World) -> None:
    path = "/contoso/v2/wstrust/13/username"
    for content_type, namespace in (
        ("text/xml", SOAP11),
        ("Text/XML;charset=utf-8", SOAP11),
        ("text/xml2", SOAP12),
        ("application/soap+xml", SOAP12),
        ("", SOAP12),
    ):
        answer = send(service, path, b"x" * 300_001, headers={"Content-Type": content_type})
        assert answer.status_code == (500 if namespace == SOAP11 else 400)
        assert f'xmlns:s="{namespace}"' in answer.text
        assert "too large" in answer.text


def test_envelope_of_another_version_is_told_which_are_spoken(service: World) -> None:
    message = good(service)
    found = fault(service, message, message.xml().replace(SOAP12.encode(), b"urn:soap"))
    assert found.code == "VersionMismatch"
    assert found.refusal.body.count("SupportedEnvelope") == 2


def test_unknown_namespace_is_a_fault_too(service: World) -> None:
    refusal = seen_refused(service, lambda: send(service, "/nobody/v2/wstrust/13/username", good(service).xml()))
    assert read_fault(refusal).subcode == "DestinationUnreachable"


def test_answer_carries_its_own_timestamp_and_names_the_request(service: World) -> None:
    message = good(service)
    root = granted(service, message)
    created = root.findtext(f"{{{SOAP12}}}Header/{{{WSSE}}}Security/{{{WSU}}}Timestamp/{{{WSU}}}Created")
    assert created == f"{service.now:%Y-%m-%dT%H:%M:%S}.000Z"
    actions = [element.text for element in root.iter("{http://www.w3.org/2005/08/addressing}Action")]
    assert actions == [f"{TRUST_13}/RSTRC/IssueFinal"]


STRAYS = ["13/user", "13/username/more", "13", "", "2005/", "14/username", "13/windows", "mex/more"]


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
@pytest.mark.parametrize("path", STRAYS)
def test_message_to_an_address_where_no_endpoint_is_gets_a_fault(service: World, path: str, soap: str) -> None:
    message = good(service, soap=soap)
    answer = send(service, f"/contoso/v2/wstrust/{path}", message.xml(), content_type=message.media_type)
    root = etree.fromstring(answer.data)
    assert (answer.status_code, answer.mimetype) == (500 if soap == SOAP11 else 400, message.media_type.split(";")[0])
    assert root.find(f"{{{soap}}}Body/{{{soap}}}Fault") is not None
    assert "a:DestinationUnreachable" in answer.text
    assert "ACS10001: there is nothing at this address. Trace ID" in answer.text
    record = service.records()[-1]
    assert (record["error"], record["status"]) == ("ACS10001", answer.status_code)


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("POST", "v2/wstrust/13/user", "application/json"),
        ("POST", "v2/wstrust/13/user", ""),
        ("GET", "v2/wstrust/13/user", ""),
        ("PUT", "v2/wstrust/13/user", "text/xml"),
        ("POST", "v2/wstrusts", "text/xml"),
        ("POST", "oauth2/tokens", "text/xml"),
    ],
)
def test_whoever_sends_no_soap_there_is_told_in_problem_details(
    service: World, method: str, path: str, content_type: str
) -> None:
    refusal = seen_refused(
        service, lambda: send(service, f"/contoso/{path}", b"x", method=method, content_type=content_type)
    )
    assert refusal.status == 404
    assert ("Content-Type", "application/problem+json") in refusal.headers
