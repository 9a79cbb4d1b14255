"""Rows T01-T18 at the WS-Trust endpoints, each sent to the real door."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from lxml import etree

from tests.crypto.identities import certificate, rsa_key
from tests.flows.test_database_away import database_away
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import (
    ROOT,
    SOAP11,
    SOAP12,
    TRUST_13,
    TRUST_2005,
    applies_to,
    binary_token,
    by_rsa,
    digest_token,
    nonce,
    request,
    signed,
    timestamp,
    username_token,
)
from tests.threats.endpoints import seen_refused
from tests.threats.identity_providers import assertion, stage, unsigned
from tests.threats.trust_door import (
    POSSESSED,
    SAML20,
    deliver,
    fault,
    furnished,
    good,
    granted,
    nobody_calls,
    read_fault,
    signed_message,
)

TRUST_14 = "http://docs.oasis-open.org/ws-sx/ws-trust/200802"
MINUTE = timedelta(minutes=1)
REFUSED = "FailedAuthentication"


@pytest.fixture(scope="module")
def service(shared_world: World) -> World:
    """A service for everybody."""
    return furnished(shared_world)


def symmetric(size: int) -> str:
    """What asks for a token with a secret key, to which the caller contributes so many bytes."""
    secret = "A" * (size * 4 // 3)
    entropy = f'<t:Entropy><t:BinarySecret Type="{TRUST_13}/Nonce">{secret}</t:BinarySecret></t:Entropy>'
    return f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType>{entropy}"


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005])
def test_a_good_message_is_granted_and_written_down(service: World, soap: str, trust: str) -> None:
    message = good(service, request(SAML20, namespace=trust), soap=soap, trust=trust)
    root = granted(service, message)
    token = next(root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"))
    record = service.records()[-1]
    assert token.get("ID") == f"_{record['token_id']}"
    assert (record["principal"], record["relying_party"], record["action"]) == ("worker", "saml20", "Issue")
    assert root.findtext(".//{http://www.w3.org/2005/08/addressing}RelatesTo") == message.message_id


def test_every_token_of_a_collection_is_written_down(service: World) -> None:
    one = request(SAML20).replace(f"{TRUST_13}/Issue", f"{TRUST_13}/BatchIssue")
    body = f'<t:RequestSecurityTokenCollection xmlns:t="{TRUST_13}">{one * 3}</t:RequestSecurityTokenCollection>'
    root = granted(service, good(service, body, action=f"{TRUST_13}/RST/BatchIssue"))
    record = service.records()[-1]
    noted = {record["token_id"], *(other["token_id"] for other in record["more_tokens"])}
    tokens = root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")
    assert {str(token.get("ID"))[1:] for token in tokens} == noted
    assert len(noted) == 3


def test_a_certificate_in_a_signed_message_names_its_service_identity(service: World) -> None:
    granted(service, *signed_message(service))
    assert service.records()[-1]["principal"] == "mechanic"


def test_a_pinned_certificate_names_its_service_identity_whatever_it_says_itself(service: World) -> None:
    token = binary_token(certificate("rsa2048", "robot"))
    message = good(service, endpoint="certificate", token=token)
    granted(service, message, signed(message.xml(), by_rsa(rsa_key("robot"))))
    assert service.records()[-1]["principal"] == "robot"


def test_a_certificate_that_is_pinned_to_nobody_names_nobody(service: World) -> None:
    token = binary_token(certificate("rsa2048", "attacker"))
    message = good(service, endpoint="certificate", token=token)
    assert fault(service, message, signed(message.xml(), by_rsa(rsa_key("attacker")))).subcode == REFUSED


def test_t01_message_without_a_timestamp_is_refused(service: World) -> None:
    assert fault(service, good(service, stamp="")).subcode == "InvalidSecurity"


STAMPS = {
    "T02 expired six minutes ago": (-7 * MINUTE, -6 * MINUTE),
    "T02 created six minutes ahead": (6 * MINUTE, 11 * MINUTE),
    "T02 an hour old with a long life": (-60 * MINUTE, 600 * MINUTE),
}


@pytest.mark.parametrize(("created", "expires"), STAMPS.values(), ids=STAMPS)
def test_message_out_of_its_time_is_refused(service: World, created: timedelta, expires: timedelta) -> None:
    stamp = timestamp(service.now + created, service.now + expires)
    assert fault(service, good(service, stamp=stamp)).subcode == "MessageExpired"


def test_t03_two_timestamps_are_refused(service: World) -> None:
    two = timestamp(service.now) + timestamp(service.now).replace('"_0"', '"_9"')
    assert fault(service, good(service, stamp=two)).subcode == "InvalidSecurity"


def test_t03_two_security_headers_are_refused(service: World) -> None:
    other = timestamp(service.now).replace('"_0"', '"_9"') + username_token("butler", SECRET).replace("_user", "_9u")
    message = good(service, after_security=f"<wsse:Security>{other}</wsse:Security>")
    assert fault(service, message).subcode == "InvalidSecurity"


def test_t04_nonce_comes_once_in_every_process(world: World, neighbour: World) -> None:
    furnished(world)
    neighbour.clock.now = world.now
    token = username_token("worker", SECRET, nonce(b"0123456789abcdef", world.now))
    granted(world, good(world, token=token))
    for here in (world, neighbour):
        found = fault(here, good(here, token=token))
        assert (found.subcode, "Nonce" in found.detail) == (REFUSED, True)


def test_t05_message_id_comes_once_in_every_process(world: World, neighbour: World) -> None:
    furnished(world)
    neighbour.clock.now = world.now
    message = good(world)
    granted(world, message)
    for here in (world, neighbour):
        found = fault(here, message)
        assert (found.subcode, "MessageID" in found.detail) == (REFUSED, True)


def test_t05_of_sixteen_at_once_one_is_granted(world: World) -> None:
    furnished(world)
    message = good(world)
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda _: deliver(world, message), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15


def test_t05_signed_message_comes_once_whatever_message_id_it_is_given(service: World) -> None:
    message, body = signed_message(service)
    granted(service, message, body)
    assert message.message_id is not None
    again = body.replace(message.message_id.encode(), b"urn:uuid:0f1e2d3c")
    assert fault(service, message, again).subcode == REFUSED


def test_t05_without_a_record_of_what_was_answered_nothing_is(world: World) -> None:
    furnished(world)
    granted(world, good(world))
    with database_away(world):
        answer = deliver(world, good(world))
    assert (answer.status_code, answer.headers["Retry-After"]) == (500, "5")
    assert "s:Receiver" in answer.text
    assert "ACS60021" in answer.text
    assert "Assertion" not in answer.text


@pytest.mark.parametrize(
    "to",
    [
        ROOT + "v2/wsfederation",
        ROOT + "v2/wstrust/13/certificate",
        "http://127.0.0.1:8000/fabrikam/v2/wstrust/13/username",
        "https://other.example/contoso/v2/wstrust/13/username",
    ],
)
def test_t06_message_for_another_service_is_refused(service: World, to: str) -> None:
    assert fault(service, good(service, to=to)).subcode == "DestinationUnreachable"


@pytest.mark.parametrize("action", ["Renew", "Cancel", "Validate"])
def test_t07_action_of_another_request_is_refused(service: World, action: str) -> None:
    found = fault(service, good(service, action=f"{TRUST_13}/RST/{action}"))
    assert (found.subcode, found.subsubcode) == ("InvalidAddressingHeader", "ActionMismatch")


@pytest.mark.parametrize("action", [f"{TRUST_13}/RST/SCT", f"{TRUST_2005}/RST/Issue", "urn:anything"])
def test_t07_action_of_another_endpoint_is_refused(service: World, action: str) -> None:
    assert fault(service, good(service, action=action)).subcode == "ActionNotSupported"


@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
def test_t08_answer_goes_nowhere_else(service: World, name: str) -> None:
    with nobody_calls() as address:
        for elsewhere in (address, "http://169.254.169.254/"):
            header = f"<a:{name}><a:Address>{elsewhere}</a:Address></a:{name}>"
            found = fault(service, good(service, reply_to=None, headers=header))
            assert (found.subcode, found.subsubcode) == ("InvalidAddressingHeader", "OnlyAnonymousAddressSupported")


@pytest.mark.parametrize("value", ["1", "true", " true ", "TRUE", "01", "yes"])
def test_t09_header_that_is_not_understood_is_named(service: World, value: str) -> None:
    header = f'<x:Transaction xmlns:x="urn:example:tx" s:mustUnderstand="{value}"/>'
    found = fault(service, good(service, headers=header))
    assert found.code == "MustUnderstand"
    told = etree.fromstring(found.refusal.body.encode()).find(f"{{{SOAP12}}}Header/{{{SOAP12}}}NotUnderstood")
    assert told is not None
    prefix, _, name = str(told.get("qname")).partition(":")
    assert (told.nsmap[prefix], name) == ("urn:example:tx", "Transaction")


def test_t10_relying_party_of_another_namespace_is_not_found(service: World) -> None:
    found = fault(service, good(service, request("https://secret.fabrikam.example/")))
    unknown = fault(service, good(service, request("https://secret.nowhere.example/")))
    assert found.subcode == unknown.subcode == "InvalidScope"
    assert found.reason.replace("fabrikam", "nowhere") == unknown.reason


@pytest.mark.parametrize("twice", [applies_to(POSSESSED), applies_to(SAML20)], ids=["T11 another", "T11 the same"])
def test_two_addresses_of_a_relying_party_are_refused(service: World, twice: str) -> None:
    assert fault(service, good(service, request(SAML20, twice))).code == "Sender"


def test_t11_one_reference_with_two_addresses_is_refused(service: World) -> None:
    body = request(SAML20).replace("</e:Address>", f"</e:Address><e:Address>{POSSESSED}</e:Address>")
    assert fault(service, good(service, body)).code == "Sender"


def delegated(name: str, token: str) -> str:
    """A request for somebody else, in the element of WS-Trust 1.3 or of 1.4."""
    start = (
        "t:OnBehalfOf" if name == "OnBehalfOf" else 'u:ActAs xmlns:u="http://docs.oasis-open.org/ws-sx/ws-trust/200802"'
    )
    return request(SAML20, f"<{start}>{token}</{start.partition(' ')[0]}>")


@pytest.mark.parametrize("name", ["OnBehalfOf", "ActAs"])
def test_t12_nobody_acts_for_whom_an_unsigned_assertion_names(service: World, name: str) -> None:
    butler = username_token("butler", SECRET)
    at = stage(service, recipient=ROOT + "v2/wstrust/13/username")
    honest = assertion(at).decode()
    granted(service, good(service, delegated(name, honest), token=butler))
    forged = unsigned(stage(service, recipient=ROOT + "v2/wstrust/13/username"))
    found = fault(service, good(service, delegated(name, forged), token=butler))
    assert (found.subcode, "signature" in found.detail) == (REFUSED, True)


@pytest.mark.parametrize("name", ["OnBehalfOf", "ActAs"])
def test_t12_who_may_not_act_for_others_does_not(service: World, name: str) -> None:
    honest = assertion(stage(service, recipient=ROOT + "v2/wstrust/13/username")).decode()
    found = fault(service, good(service, delegated(name, honest)))
    assert (found.subcode, "may_act" in found.reason) == ("RequestFailed", True)


def test_t13_body_outside_the_signed_part_is_refused(service: World) -> None:
    message, body = signed_message(service)
    start, end = body.index(b"<s:Body"), body.index(b"</s:Envelope>")
    genuine = body[start:end]
    forged = genuine.replace(b' wsu:Id="_1"', b"").replace(b"saml20.example", b"jwt.example")
    in_header = body[:start].replace(b"</s:Header>", b"<x:W xmlns:x='urn:x'>" + genuine + b"</x:W></s:Header>")
    assert fault(service, message, in_header + forged + body[end:]).code == "Sender"
    assert fault(service, message, body[:start] + genuine + forged + body[end:]).code == "Sender"
    assert fault(service, message, body[:start] + forged + genuine + body[end:]).code == "Sender"
    assert fault(service, message, body.replace(b"saml20.example", b"jwt.example")).subcode == REFUSED


@pytest.mark.parametrize("where", ["AppliesTo", "password"])
def test_t14_attachments_are_not_fetched(service: World, where: str) -> None:
    with nobody_calls() as address:
        include = f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="{address}"/>'
        message = (
            good(service, request(include))
            if where == "AppliesTo"
            else good(service, token=username_token("worker", include))
        )
        assert "XOP" in fault(service, message).reason


def test_t14_multipart_messages_are_refused(service: World) -> None:
    kind = 'multipart/related; type="application/xop+xml"'
    refusal = seen_refused(service, lambda: deliver(service, good(service), **{"Content-Type": kind}))
    assert refusal.status == 415
    assert "Content-Type" in read_fault(refusal).reason


DOCUMENT_TYPES = {
    "T15 plain": "<!DOCTYPE x>",
    "T15 internal entity": '<!DOCTYPE x [<!ENTITY e "worker">]>',
    "T15 external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "ADDRESS">]>',
    "T15 external subset": '<!DOCTYPE x SYSTEM "ADDRESS">',
    "T15 parameter entity": '<!DOCTYPE x [<!ENTITY % e SYSTEM "ADDRESS"> %e;]>',
}


@pytest.mark.parametrize("document_type", DOCUMENT_TYPES.values(), ids=DOCUMENT_TYPES)
def test_document_types_are_refused_and_not_read(service: World, document_type: str) -> None:
    with nobody_calls() as address:
        body = document_type.replace("ADDRESS", address).encode() + good(service).xml()
        assert "DTD" in fault(service, good(service), body).detail


def test_t16_lifetime_of_a_century_is_capped(service: World) -> None:
    end = service.now + timedelta(days=36_525)
    wish = f"<t:Lifetime><wsu:Expires>{end:%Y-%m-%dT%H:%M:%SZ}</wsu:Expires></t:Lifetime>"
    root = granted(service, good(service, request(SAML20, wish)))
    expires = root.findtext(
        f".//{{{TRUST_13}}}Lifetime/{{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}}Expires"
    )
    given = service.now + service.relying_party("saml20").token_lifetime
    assert expires == f"{given:%Y-%m-%dT%H:%M:%S}.000Z"


@pytest.mark.parametrize("size", [0, 3, 15], ids=["T17 none", "T17 three bytes", "T17 fifteen bytes"])
def test_secret_key_of_too_little_entropy_is_not_made(service: World, size: int) -> None:
    assert fault(service, good(service, request(POSSESSED, symmetric(size)))).subcode == "InvalidRequest"


def test_t17_sixteen_bytes_of_entropy_are_enough(service: World) -> None:
    root = granted(service, good(service, request(POSSESSED, symmetric(18))))
    assert root.find(f".//{{{TRUST_13}}}ComputedKey") is not None


def test_t18_digest_of_a_password_that_is_kept_as_a_hash_is_refused(service: World) -> None:
    token = digest_token("worker", SECRET, b"n" * 16, service.now)
    assert fault(service, good(service, token=token)).subcode == REFUSED


def test_t18_every_wrong_password_and_digest_has_one_answer(service: World) -> None:
    tokens = [
        digest_token("worker", SECRET, b"1" * 16, service.now),
        digest_token("digest", "wrong", b"2" * 16, service.now),
        digest_token("nobody", SECRET, b"3" * 16, service.now),
        username_token("worker", "wrong"),
        username_token("nobody", SECRET),
        username_token("gone", SECRET),
    ]
    found = {fault(service, good(service, token=token)).reason for token in tokens}
    assert len(found) == 1


def test_t18_digest_of_a_password_that_is_kept_recoverable_is_accepted_once(service: World) -> None:
    token = digest_token("digest", SECRET, b"r" * 16, service.now)
    granted(service, good(service, token=token))
    assert fault(service, good(service, token=token)).subcode == REFUSED


def test_t18_name_that_guesses_too_often_waits(world: World) -> None:
    furnished(world)
    wrong = username_token("worker", "wrong")
    answers = [deliver(world, good(world, token=wrong)) for _ in range(120)]
    assert answers[-1].status_code == 400
    assert "ACS90055" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) > 0
