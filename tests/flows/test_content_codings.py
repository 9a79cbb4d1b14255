"""A body is read as HTTP says that it is written, or not at all: content codings, media types and character sets."""

import gzip
from collections.abc import Mapping

import pytest
from lxml import etree
from werkzeug.test import TestResponse

from tests.flows.world import World
from tests.protocols.wstrust.messages import SOAP11, SOAP12, TRUST_13, TRUST_2005, TrustMessage
from tests.threats.endpoints import Endpoint, ask, endpoints
from tests.threats.trust_door import good

SOAPS = pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["SOAP 1.1", "SOAP 1.2"])
CODINGS = ("gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "gzip, identity", "utf-8", ",")
MEX = "v2/wstrust/mex"


def send(world: World, message: TrustMessage, body: bytes | None = None, **headers: str) -> TestResponse:
    """Send a message under other headers."""
    sent = message.xml() if body is None else body
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return world.post(message.path, sent, headers={"Content-Type": message.media_type, **named})


def require_unsupported(world: World, answer: TestResponse, soap: str, words: str) -> None:
    """Refused as HTTP has it, by a fault of the version that was spoken and with one record."""
    assert answer.status_code == 415, answer.text
    assert etree.QName(etree.fromstring(answer.data)).namespace == soap
    assert (words in answer.text, "s:Fault" in answer.text) == (True, True)
    record = world.records()[-1]
    assert (record["status"], words in record["message"]) == (415, True)
    assert not {"principal", "caller"} & record.keys()


@SOAPS
@pytest.mark.parametrize("coding", CODINGS)
def test_a_message_with_a_content_coding_is_refused_whatever_it_holds(
    still_world: World, soap: str, coding: str
) -> None:
    message = good(still_world, soap=soap)
    for body in (message.xml(), gzip.compress(message.xml()), b""):
        answer = send(still_world, message, body, Content_Encoding=coding)
        require_unsupported(still_world, answer, soap, "Content-Encoding")
        assert answer.headers["Accept-Encoding"] == "identity"
    assert send(still_world, message).status_code == 200, "nothing of it was used up"


@pytest.mark.parametrize("coding", ["identity", "Identity", " identity ", ""])
def test_a_message_that_says_it_is_as_it_is_is_answered(still_world: World, coding: str) -> None:
    assert send(still_world, good(still_world), Content_Encoding=coding).status_code == 200


CHARSETS = {
    "utf-16": "charset=utf-16",
    "UTF-16LE": "Charset=UTF-16LE",
    "quoted": 'charset="utf-16"',
    "Latin 1": "charset=iso-8859-1",
    "ASCII": "charset=us-ascii",
    "UTF-7": "charset=utf-7",
    "spaces": " ; charset = utf-32 ",
    "none": "charset=",
    "two": "charset=utf-8; charset=utf-16",
    "after another parameter": 'action="urn:x;charset=utf-8"; charset=utf-16',
}


@SOAPS
@pytest.mark.parametrize("parameters", CHARSETS.values(), ids=CHARSETS)
def test_a_message_in_another_character_set_is_refused_whatever_it_holds(
    still_world: World, soap: str, parameters: str
) -> None:
    message = good(still_world, soap=soap)
    kind = f"{message.media_type.partition(';')[0]}; {parameters}"
    for body in (message.xml(), message.xml().decode().encode("utf-16")):
        answer = send(still_world, message, body, Content_Type=kind)
        require_unsupported(still_world, answer, soap, "a message is in UTF-8")
        assert "Accept-Encoding" not in answer.headers
    assert send(still_world, message).status_code == 200


@SOAPS
@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005])
@pytest.mark.parametrize(
    "parameters",
    ["", ";charset=UTF-8", '; charset="utf-8"', "; charset=utf8", '; start-info="x;charset=utf-16"', "; charset"],
)
def test_a_message_in_utf_8_is_answered_however_that_is_said(
    still_world: World, soap: str, trust: str, parameters: str
) -> None:
    message = good(still_world, soap=soap, trust=trust)
    if trust == TRUST_2005:
        message = message.changed(body=message.body.replace(TRUST_13, TRUST_2005))
    kind = message.media_type.partition(";")[0] + parameters
    assert send(still_world, message, Content_Type=kind).status_code == 200


ISSUE = f"{TRUST_13}/RST/Issue"
SLASHED = ISSUE.replace("/", "\\/")
ACTIONS = {
    "a token": (f"action={ISSUE}", 200),
    "quoted": (f'charset=utf-8; Action = "{ISSUE}"', 200),
    "escaped": (f'action="{SLASHED}"', 200),
    "within another parameter": (f'start-info="x;action=urn:y"; action="{ISSUE}"', 200),
    "another": ('action="urn:y"', 400),
    "another, as a token": ("action=urn:y", 400),
    "two": (f'action="{ISSUE}"; action="urn:y"', 400),
    "half quoted": (f'action="{ISSUE}"urn:y', 400),
    "after a badly written one": (f'start-info="x; action={ISSUE}/urn:y', 400),
}


@pytest.mark.parametrize(("parameters", "status"), ACTIONS.values(), ids=ACTIONS)
def test_the_action_of_a_message_is_the_one_that_http_names(still_world: World, parameters: str, status: int) -> None:
    answer = send(still_world, good(still_world), Content_Type=f"application/soap+xml; {parameters}")
    assert answer.status_code == status
    assert ("ActionMismatch" in answer.text) == (status == 400)


@pytest.mark.parametrize(
    "headers",
    [{"Content-Encoding": "gzip"}, {"Content-Type": "application/soap+xml; charset=utf-16"}],
    ids=["a content coding", "a character set"],
)
def test_a_message_to_the_description_is_held_to_the_same(still_world: World, headers: Mapping[str, str]) -> None:
    named = {"Content-Type": "application/soap+xml", **headers}
    answer = still_world.post(MEX, good(still_world).xml(), headers=named)
    assert (answer.status_code, etree.QName(etree.fromstring(answer.data)).namespace) == (415, SOAP12)


@endpoints
def test_a_form_with_a_content_coding_is_refused_at_every_token_door(still_world: World, endpoint: Endpoint) -> None:
    assert ask(still_world, endpoint).status_code == 200
    coded = ask(still_world, endpoint, headers={"Content-Encoding": "gzip"})
    assert (coded.status_code, coded.headers["Accept-Encoding"]) == (415, "identity")
    assert "Content-Encoding" in still_world.records()[-1]["message"]


def test_a_sign_in_with_a_content_coding_is_refused(still_world: World) -> None:
    coded = still_world.post("v2/wsfederation", {"wa": "wsignin1.0"}, headers={"Content-Encoding": "gzip"})
    assert (coded.status_code, still_world.records()[-1]["error"]) == (415, "ACS90013")
