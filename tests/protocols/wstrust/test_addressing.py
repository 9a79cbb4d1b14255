"""WS-Addressing: only what is for this endpoint, in its dialect, with an answer by the same connection."""

import pytest

from sts.core.errors import BadRequest
from sts.core.trust import TrustAction
from sts.protocols.wstrust import addressing, soap
from sts.protocols.wstrust.addressing import Addressed, Endpoint
from sts.protocols.wstrust.errors import AddressingRequired, BadAddressing, UnreachableDestination, UnsupportedAction
from sts.protocols.wstrust.names import FEBRUARY_2005, WS_TRUST_13, Credential
from tests.crypto.identities import NOW
from tests.protocols.wstrust.messages import (
    ROOT,
    SOAP11,
    TRUST_13,
    TRUST_2005,
    WSA10,
    WSA2004,
    TrustMessage,
    request,
    username_token,
)

GOOD = TrustMessage(NOW, username_token("worker", "secret"), request("https://rp.example/"))
ENDPOINT = Endpoint(WS_TRUST_13, Credential.USERNAME, (ROOT, "https://sts.contoso.example/"))


def read(message: TrustMessage, endpoint: Endpoint = ENDPOINT, **headers: str) -> Addressed:
    """What the addressing headers of a message say."""
    http = message.http(**headers)
    return addressing.read(soap.read(http), endpoint, http)


def test_a_good_message_says_what_it_wants_and_who_it_is() -> None:
    found = read(GOOD)
    assert (found.action, found.message_id) == (TrustAction.ISSUE, GOOD.message_id)
    assert len(found.headers) == 4


@pytest.mark.parametrize("action", TrustAction)
@pytest.mark.parametrize(("dialect", "trust"), [(WS_TRUST_13, TRUST_13), (FEBRUARY_2005, TRUST_2005)])
@pytest.mark.parametrize("namespace", [WSA10, WSA2004])
def test_both_dialects_are_spoken_in_both_versions_of_addressing(
    action: TrustAction, dialect: object, trust: str, namespace: str
) -> None:
    endpoint = ENDPOINT._replace(dialect=dialect)
    message = GOOD.changed(trust=trust, addressing=namespace, action=f"{trust}/RST/{action}")
    assert read(message, endpoint).action is action


@pytest.mark.parametrize(
    "to",
    [
        ROOT + "v2/wstrust/13/username/",
        ROOT + "V2/WSTrust/13/UserName",
        "https://sts.contoso.example/v2/wstrust/13/username",
    ],
)
def test_the_endpoint_is_known_by_each_of_its_addresses(to: str) -> None:
    assert read(GOOD.changed(to=to)).action is TrustAction.ISSUE


@pytest.mark.parametrize(
    "to",
    [
        ROOT + "v2/wstrust/13/certificate",
        ROOT + "v2/wstrust/2005/username",
        ROOT + "v2/wsfederation",
        "http://127.0.0.1:8000/fabrikam/v2/wstrust/13/username",
        "http://127.0.0.1:8000/CONTOSO/v2/wstrust/13/username",
        "http://127.0.0.1:8000.evil.example/contoso/v2/wstrust/13/username",
        ROOT + "v2/wstrust/13/username?x=1",
        ROOT + "v2/wstrust/13/username//",
        "http://www.w3.org/2005/08/addressing/anonymous",
        " ",
    ],
)
def test_a_message_for_somebody_else_is_refused(to: str) -> None:
    with pytest.raises(UnreachableDestination, match="v2/wstrust/13/username"):
        read(GOOD.changed(to=to))


@pytest.mark.parametrize(
    "action",
    [f"{TRUST_2005}/RST/Issue", f"{TRUST_13}/RST/SCT", f"{TRUST_13}/RST/KET", f"{TRUST_13}/RSTR/Issue", "urn:x"],
)
def test_an_action_of_something_else_is_refused(action: str) -> None:
    with pytest.raises(UnsupportedAction):
        read(GOOD.changed(action=action))


@pytest.mark.parametrize("name", ["To", "Action", "MessageID"])
def test_what_a_request_needs_must_be_there(name: str) -> None:
    changes = {"To": {"to": ""}, "Action": {"action": ""}, "MessageID": {"message_id": None}}[name]
    with pytest.raises(AddressingRequired, match=name):
        read(GOOD.changed(**changes))


@pytest.mark.parametrize("name", ["To", "Action", "MessageID", "messageID", "ReplyTo"])
def test_a_header_that_is_there_twice_is_refused(name: str) -> None:
    with pytest.raises(BadAddressing) as refused:
        read(GOOD.changed(headers=f"<a:{name}>urn:x</a:{name}>"))
    assert refused.value.problem == "InvalidCardinality"


@pytest.mark.parametrize("identifier", ["", " ", "x" * 257, "<x/>"])
def test_a_message_id_is_short_and_not_empty(identifier: str) -> None:
    with pytest.raises(BadAddressing, match="MessageID"):
        read(GOOD.changed(message_id=identifier))


def test_the_message_id_of_clients_with_the_wrong_case_is_read() -> None:
    message = GOOD.changed(id_header="messageID")
    assert read(message).message_id == message.message_id


def test_headers_of_two_versions_of_addressing_are_not_mixed() -> None:
    with pytest.raises(BadAddressing, match="two versions"):
        read(GOOD.changed(headers=f'<b:From xmlns:b="{WSA2004}"/>'))


@pytest.mark.parametrize("address", ["http://169.254.169.254/", f"{WSA10}/none", "", ROOT])
@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
def test_an_answer_goes_nowhere_else(name: str, address: str) -> None:
    elsewhere = f"<a:{name}><a:Address>{address}</a:Address></a:{name}>"
    with pytest.raises(BadAddressing) as refused:
        read(GOOD.changed(reply_to=None, headers=elsewhere))
    assert refused.value.problem == "OnlyAnonymousAddressSupported"


@pytest.mark.parametrize("content", ["", f"<a:Address>{WSA10}/anonymous</a:Address>" * 2])
def test_an_endpoint_reference_has_one_address(content: str) -> None:
    with pytest.raises(BadAddressing, match="one Address"):
        read(GOOD.changed(reply_to=None, headers=f"<a:ReplyTo>{content}</a:ReplyTo>"))


def test_an_answer_by_default_goes_back_by_the_same_connection() -> None:
    assert read(GOOD.changed(reply_to=None)).action is TrustAction.ISSUE


@pytest.mark.parametrize("told", [f'"{TRUST_13}/RST/Issue"', f"{TRUST_13}/RST/Issue", '""', ""])
def test_http_may_name_the_action_too_quoted_or_not(told: str) -> None:
    assert read(GOOD.changed(soap=SOAP11), soapaction=told).action is TrustAction.ISSUE
    content_type = f"application/soap+xml; charset=utf-8; action={told}"
    assert read(GOOD, content_type=content_type).action is TrustAction.ISSUE


@pytest.mark.parametrize(
    "headers",
    [
        {"soapaction": f'"{TRUST_13}/RST/Cancel"'},
        {"content_type": f'application/soap+xml; action="{TRUST_13}/RST/Cancel"'},
    ],
)
def test_http_must_not_name_another_action(headers: dict[str, str]) -> None:
    with pytest.raises(BadAddressing) as refused:
        read(GOOD, **headers)
    assert refused.value.problem == "ActionMismatch"


@pytest.mark.parametrize(
    ("changes", "namespace", "named"),
    [
        ({}, WSA10, True),
        ({"addressing": WSA2004}, WSA2004, True),
        ({"message_id": None}, WSA10, False),
        ({"message_id": "x" * 300}, WSA10, False),
        ({"to": "urn:wrong"}, WSA10, True),
    ],
)
def test_even_what_is_refused_is_answered_in_its_own_words(
    changes: dict[str, str], namespace: str, named: bool
) -> None:
    message = GOOD.changed(**changes)
    reply = addressing.reply_to(soap.read(message.http()))
    assert reply.namespace == namespace
    assert reply.relates_to == (message.message_id if named else None)


def test_every_refusal_here_is_the_callers_fault() -> None:
    for cause in (BadAddressing, AddressingRequired, UnreachableDestination, UnsupportedAction):
        assert issubclass(cause, BadRequest)
