"""What goes wrong in a sign-in: told to the relying party where it wants to hear, else to the person."""

import json
import os
import sqlite3

import pytest
import sqlalchemy as sa

from sts.store import tables
from tests.flows.people import WSSE, Person
from tests.flows.signing_in import ADFS, ADFS_CONFIGURATION, signed_in
from tests.flows.test_database_away import database_away
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.test_wresult import REFUSED as UNREAD

FORGED = ADFS.sending(issuer="https://somebody-else.example/")
UNREADABLE = {
    "a fault of SOAP": UNREAD["a fault"][0],
    "nothing": "",
    "no XML": "no token today",
    "no token": UNREAD["no token"][0],
    "two assertions": UNREAD["D04"][0],
    "an identifier twice": UNREAD["D14-Id"][0],
    "a comment": UNREAD["D16"][0],
    "a processing instruction": UNREAD["D17"][0],
    "a DTD": UNREAD["X06"][0],
    "CDATA": UNREAD["X18"][0],
    "65 namespaces": UNREAD["X24"][0],
    "a binary token": response(f'<wsse:BinarySecurityToken xmlns:wsse="{WSSE}">ZS5lLmU=</wsse:BinarySecurityToken>'),
    "an assertion without a response": UNREAD["bare assertion"][0],
}


def test_unknown_realm_is_told_with_code_and_trace(still_people: World) -> None:
    page = Person(still_people).sign_in("nobody")
    assert (page.status, page.heading) == (400, "This application is not known here")
    assert "ACS50001: Relying party with name 'https://nobody.example/' was not found." in page.text
    assert page.answer.headers["Request-Id"] in page.text
    assert "2026-06-01 12:00:00Z" in page.text
    assert page.answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "ACS20012"),
        ({"wa": "wsignin2.0"}, "ACS20012"),
        ({"wa": "wsignin1.0"}, "ACS20000"),
        ({"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", "wfresh": "soon"}, "ACS20000"),
        ({"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", "wreply": "https://evil.example/"}, "ACS50011"),
        ({"wa": "wsignin1.0", "wtrealm": "https://nowhere.example/"}, "ACS50011"),
    ],
)
def test_request_that_is_not_in_order_is_told_to_the_person(
    still_people: World, query: dict[str, str], code: str
) -> None:
    person = Person(still_people)
    page = person.get(person.at(**query))
    assert page.status == 400
    assert code in page.text
    assert still_people.records()[-1]["status"] == 400


def test_error_address_gets_the_details_by_post(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("told", wctx="c"))
    page = person.bring(state, FORGED.answer(still_people))
    assert (page.status, page.action) == (400, "https://told.example/error")
    assert page.policy["form-action"] == "https://told.example"
    told = json.loads(page.fields["ErrorDetails"])
    assert told.pop("traceId") == page.answer.headers["Request-Id"]
    assert [line["errorCode"] for line in told.pop("errors")] == ["ACS20001"]
    assert told == {
        "context": "c",
        "httpReturnCode": 400,
        "identityProvider": "adfs",
        "timeStamp": "2026-06-01 12:00:00Z",
    }


@pytest.mark.parametrize("octets", [b"\xff", b"\xe9t\xe9", b"\xed\xa0\x80"])
def test_address_that_is_not_utf_8_is_refused(still_people: World, octets: bytes) -> None:
    """The real server refuses it by itself."""
    person = Person(still_people)
    query = person.at(wa="wsignin1.0", wtrealm="https://jwt.example/").partition("?")[2] + "&wctx="
    answer = person.client.get(person.at(), environ_overrides={"QUERY_STRING": query + octets.decode("latin-1")})
    assert (answer.status_code, "the form is not UTF-8" in answer.text) == (400, True)


@pytest.mark.parametrize("document", UNREADABLE.values(), ids=UNREADABLE)
def test_answer_that_cannot_be_read_is_told_and_ends_the_sign_in_too(still_people: World, document: str) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("told", wctx="c"))
    page = person.bring(state, document)
    assert (page.status, page.action) == (400, "https://told.example/error")
    told = json.loads(page.fields["ErrorDetails"])
    assert [line["errorCode"] for line in told["errors"]] == ["ACS20001"]
    assert told["context"] == "c"
    assert still_people.records()[-1]["provider"] == "adfs"
    assert person.bring(state, ADFS.answer(still_people)).status == 400
    assert "is over already" in still_people.records()[-1]["detail"]


@pytest.mark.parametrize("document", UNREADABLE.values(), ids=UNREADABLE)
def test_answer_of_another_browser_is_not_read(still_people: World, document: str) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("told"))
    assert Person(still_people).bring(state, document).action == ""
    assert "the answer came from" in still_people.records()[-1]["detail"]
    assert person.bring(state, ADFS.answer(still_people)).status == 200


@pytest.mark.parametrize("wresult", ["garbage", ""])
def test_sign_in_that_is_over_is_not_told_to_have_failed(people: World, wresult: str) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("told"))
    assert person.bring(state, ADFS.answer(people)).status == 200
    page = person.bring(state, wresult)
    assert (page.status, page.action) == (400, "")
    assert "is over already" in people.records()[-1]["detail"]


def test_answer_that_nobody_asked_for_and_that_cannot_be_read_is_told(people: World) -> None:
    fields = {"wa": "wsignin1.0", "wtrealm": "https://told.example/", "wresult": UNREADABLE["two assertions"]}
    person = Person(people)
    assert person.post(person.at(), fields).action == "", "nobody may send such"
    assert "without state" in people.records()[-1]["detail"]
    people.apply(f"namespace: contoso\nidentity_providers: [{{{ADFS_CONFIGURATION}, unsolicited: true}}]")
    page = person.post(person.at(), fields)
    assert (page.status, page.action) == (400, "https://told.example/error")
    assert "assertion count: 2" in people.records()[-1]["detail"]


BY = pytest.mark.parametrize("by", ["get", "post"])


@BY
@pytest.mark.parametrize("more", [{}, {"wtrealm": ""}], ids=["none", "and an empty realm"])
def test_answer_without_a_token_says_so_and_ends_the_sign_in(people: World, by: str, more: dict[str, str]) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("told"))
    fields = {"wa": "wsignin1.0", "wctx": state, **more}
    page = person.get(person.at(**fields)) if by == "get" else person.post(person.at(), {**fields})
    assert (page.status, page.action) == (400, "https://told.example/error")
    (line,) = json.loads(page.fields["ErrorDetails"])["errors"]
    assert line == {"errorCode": "ACS90011", "errorMessage": "The required field 'wresult' is missing."}
    assert person.bring(state, ADFS.answer(people)).status == 400
    assert "is over already" in people.records()[-1]["detail"]


@BY
def test_message_with_a_context_alone_says_what_is_missing(still_people: World, by: str) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(Person(still_people).sign_in("told"))
    for context in ("an application's own", state):
        fields = {"wa": "wsignin1.0", "wctx": context}
        page = person.get(person.at(**fields)) if by == "get" else person.post(person.at(), {**fields})
        assert (page.status, page.action) == (400, "")
        assert "'wtrealm'" in page.text
        assert "'wresult'" in page.text


def test_wrong_reply_is_never_told_to_the_error_address(still_people: World) -> None:
    page = Person(still_people).sign_in("told", wreply="https://evil.example/")
    assert (page.status, page.action) == (400, "")


def test_person_without_a_claim_that_counts_has_no_access(still_people: World) -> None:
    page = signed_in(Person(still_people), "closed")
    assert (page.status, page.heading) == (400, "You have no access")
    assert "ACS60001" in page.text


def test_what_an_identity_provider_sent_has_one_answer(still_people: World) -> None:
    texts = set()
    for provider in (FORGED, ADFS.sending(audience="https://x.example/"), ADFS.sending(expires_at=still_people.now)):
        page = signed_in(Person(still_people), "jwt", provider)
        assert page.status == 400
        texts.add(page.text.replace(page.answer.headers["Request-Id"], "TRACE"))
        assert still_people.records()[-1]["provider"] == "adfs"
    (text,) = texts
    assert "ACS20001" in text


def test_what_nobody_foresaw_is_a_page_too(people: World) -> None:
    person = Person(people)
    people.service.installation.database.close()
    with sqlite3.connect(people.home / "sts.db") as connection:
        connection.execute("UPDATE identity_provider SET kind = 'unheard of'")
    page = person.sign_in("jwt")
    assert (page.status, page.heading) == (500, "You could not be signed in")
    assert "unheard of" not in page.text
    assert "unheard of" in people.records()[-1]["detail"]


def test_without_the_database_nobody_signs_in_and_nothing_is_half_done(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    with database_away(people):
        page = person.bring(state, ADFS.answer(people))
        assert (page.status, page.heading) == (503, "Try again in a moment")
        assert page.answer.headers["Retry-After"] == "5"
        ADFS.asked_by(Person(people).sign_in("jwt"))
    assert person.bring(state, ADFS.answer(people)).status == 200


def test_token_that_cannot_be_written_down_is_not_handed_out(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, people.log_descriptor)
    os.close(full)
    page = person.bring(state, ADFS.answer(people))
    assert page.status == 503
    assert "wresult" not in page.answer.text


@pytest.mark.parametrize("column", ["sign_in_url", "image"])
def test_address_of_an_identity_provider_is_checked_when_it_is_used(people: World, column: str) -> None:
    with people.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.identity_provider).values({column: "javascript:alert(1)"}))
    for page in (Person(people).sign_in("jwt"), Person(people).sign_in("choice")):
        assert "javascript:" not in page.answer.text
        assert "javascript:" not in page.location


def test_error_address_is_checked_when_it_is_used(people: World) -> None:
    with people.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.relying_party).values(error_url="javascript:alert(1)"))
    page = signed_in(Person(people), "closed")
    assert page.status == 400
    assert "javascript:" not in page.answer.text
