"""Signing in by browser: from a relying party to an identity provider and back, in every format."""

import base64
import hashlib
import html
import json
import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.model import ContentEncryption, TokenFormat
from sts.crypto.xmldsig import sign_canonical
from tests.flows.identity_provider import Encryption, signer
from tests.flows.operators import DECRYPTION, NAMESPACE, first, generate, promote
from tests.flows.people import Person
from tests.flows.signing_in import (
    ADFS,
    OTHER,
    REPLY,
    SEALING,
    SEALING_CONFIGURATION,
    allow_unsolicited,
    signed_in,
    unasked,
)
from tests.flows.tokens import FORMATS, content_of
from tests.flows.world import World, open_world
from tests.protocols.wresults import adfs as response

INCOMING = pytest.mark.parametrize("incoming", [TokenFormat.SAML11, TokenFormat.SAML20])


@pytest.mark.parametrize("outgoing", FORMATS)
@INCOMING
def test_sign_in_at_an_identity_provider_brings_a_token(
    still_people: World, incoming: TokenFormat, outgoing: str
) -> None:
    person = Person(still_people)
    sent = person.sign_in(outgoing, wctx="rm=0&id=passive", wct="2026-06-01T12:00:00Z", wauth="urn:x")
    assert {**sent.asked, "wctx": ""} == {
        "wa": "wsignin1.0",
        "wtrealm": "http://127.0.0.1:8000/contoso/",
        "wreply": "http://127.0.0.1:8000/contoso/v2/wsfederation",
        "wct": "2026-06-01T12:00:00.000Z",
        "wauth": "urn:x",
        "wctx": "",
    }
    page = person.bring(sent.asked["wctx"], replace(ADFS, token_format=incoming).answer(still_people))
    assert (page.action, page.fields["wa"], page.fields["wctx"]) == (
        REPLY.format(outgoing),
        "wsignin1.0",
        "rm=0&id=passive",
    )
    content = content_of(still_people, outgoing, page.token)
    assert (content.issuer, content.audience) == ("http://127.0.0.1:8000/contoso/", f"https://{outgoing}.example/")
    assert content.claims[NAME_IDENTIFIER] == ["alice"]
    assert content.claims[ROLE] == ["reader"]
    assert content.claims[IDENTITY_PROVIDER] == [ADFS.issuer]


@pytest.mark.parametrize("algorithm", ContentEncryption)
@INCOMING
def test_encrypted_answers_are_read_by_the_primary_and_by_every_other_decryption_certificate(
    people: World, incoming: TokenFormat, algorithm: ContentEncryption
) -> None:
    if algorithm is not ContentEncryption.AES256_GCM:
        people.apply(f"namespace: contoso\nidentity_providers: [{{{SEALING_CONFIGURATION}, decryption: {algorithm}}}]")
    older = first(people, DECRYPTION)
    newer = generate(people, DECRYPTION)
    promote(people, DECRYPTION, newer)
    people.move(seconds=10)
    for credential in (newer, older):
        assert credential.certificate is not None
        provider = replace(SEALING, token_format=incoming, encryption=Encryption(credential.certificate, algorithm))
        page = signed_in(Person(people), "sealed", provider)
        assert content_of(people, "sealed", page.token).claims[NAME_IDENTIFIER] == ["alice"]


def test_sign_in_by_post_goes_on_by_a_page_that_works_without_scripts(still_people: World) -> None:
    person = Person(still_people)
    signed_in(person, "swt")
    page = person.post(person.at(), {"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", "wfresh": "0"})
    assert (page.status, page.policy["form-action"]) == (200, "'none'")
    assert page.links["Continue"].startswith("https://adfs.example/ls?wa=wsignin1.0&")


@pytest.mark.parametrize("path", ["v2/wsfederation", "V2/WSFederation", "v2/wsfederation/", "V2/WSFEDERATION/"])
def test_address_does_not_depend_on_case_or_a_trailing_slash(still_people: World, path: str) -> None:
    person = Person(still_people)
    page = person.get(person.at(path, wa="wsignin1.0", wtrealm="https://jwt.example/"))
    assert page.location.startswith("https://adfs.example/ls?")


def test_registered_reply_is_taken_and_the_first_is_the_default(still_people: World) -> None:
    for asked, given in ((None, "https://jwt.example/signin"), ("https://jwt.example/other?x=1",) * 2):
        person = Person(still_people)
        sent = person.sign_in("jwt", **({} if asked is None else {"wreply": asked}))
        page = person.bring(ADFS.asked_by(sent), ADFS.answer(still_people))
        assert page.action == given
        assert "wctx" not in page.fields


def test_page_that_brings_the_token_may_do_nothing_else(still_people: World) -> None:
    page = signed_in(Person(still_people), "saml20")
    assert {name: value for name, value in page.policy.items() if not value.startswith("'sha256-")} == {
        "default-src": "'none'",
        "form-action": "https://saml20.example",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    headers = page.answer.headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    script = page.answer.text.partition("<script>")[2].partition("</script>")[0]
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.policy["script-src"] == f"'sha256-{hashed}'"
    assert "Continue" in page.answer.text  # the button, where scripts do not run


def test_record_of_a_sign_in_names_everybody_and_the_token(still_people: World) -> None:
    page = signed_in(Person(still_people), "saml20")
    record = still_people.records()[-1]
    assert record["trace_id"] == page.answer.headers["Request-Id"]
    told = {name: record[name] for name in ("provider", "relying_party", "principal", "format")}
    assert told == {"provider": "adfs", "relying_party": "saml20", "principal": "alice", "format": "saml20"}
    assert record["token_id"].encode() in page.token
    assert record["credential_id"] == first(still_people, NAMESPACE).id
    assert "wresult" not in still_people.log.read_text()


@pytest.mark.parametrize("path", ["/v2/wsfederation", "/v2/wsfederation/", "/V2/WSFederation"])
def test_sign_in_at_a_host_name_of_the_namespace_goes_on_at_the_issuers_address(people: World, path: str) -> None:
    people.apply("namespace: contoso\nhosts: [contoso.sts.example]")
    query = "wa=wsignin1.0&wtrealm=https%3A%2F%2Fjwt.example%2F&wctx=a%26b%2Fc+d"
    answer = people.client.get(f"{path}?{query}", base_url="http://contoso.sts.example")
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"http://127.0.0.1:8000/contoso/v2/wsfederation?{query}"


def test_octets_in_an_address_go_on_as_they_came_but_escaped(people: World) -> None:
    people.apply("namespace: contoso\nhosts: [contoso.sts.example]")
    for octets, escaped in ((b"\xc3\xa9t\xc3\xa9", "%C3%A9t%C3%A9"), (b"\xff%20", "%FF%20")):
        query = {"QUERY_STRING": octets.decode("latin-1")}  # as PEP 3333 has it
        answer = people.client.get("/v2/wsfederation", base_url="http://contoso.sts.example", environ_overrides=query)
        assert answer.headers["Location"] == f"http://127.0.0.1:8000/contoso/v2/wsfederation?{escaped}"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 307),
        ("[::1]:8000", 307),
        ("127.0.0.1:8000", 302),
        ("localhost:9000", 302),  # a proxy's: the browser is at the right address
        ("localhost:99999", 302),
        ("localhost", 302),
    ],
)
def test_sign_in_by_another_name_of_the_machine_goes_on_at_the_one_that_cookies_and_forms_know(
    still_people: World, host: str, status: int
) -> None:
    path = "/contoso/v2/wsfederation?wa=wsignin1.0&wtrealm=https%3A%2F%2Fjwt.example%2F"
    answer = still_people.client.get(path, headers={"Host": host})
    assert answer.status_code == status, answer.text
    if status == 307:
        assert answer.headers["Location"] == f"http://127.0.0.1:8000{path}"


def test_sign_in_must_be_answered_within_ten_minutes(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    people.move(minutes=10, seconds=1)
    page = person.bring(state, ADFS.answer(people))
    assert (page.status, page.heading) == (400, "Please sign in again")
    assert "was begun at" in people.records()[-1]["detail"]


def test_two_sign_ins_in_one_browser_do_not_disturb_each_other(still_people: World) -> None:
    person = Person(still_people)
    first_state, second_state = (ADFS.asked_by(person.sign_in(party)) for party in ("jwt", "swt"))
    assert person.bring(second_state, ADFS.answer(still_people)).action == REPLY.format("swt")
    assert person.bring(first_state, ADFS.answer(still_people)).action == REPLY.format("jwt")


def test_any_process_takes_the_answer(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    with closing(open_world(people.home)) as other:
        elsewhere = Person(other)
        elsewhere.client._cookies = person.client._cookies
        assert elsewhere.bring(state, ADFS.answer(other)).action == REPLY.format("jwt")
    assert person.bring(state, ADFS.answer(people)).status == 400


def test_token_is_handed_to_the_application_around_the_browser_if_it_asks(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("swt", protocol="javascriptnotify", wctx="</script><b>"))
    page = person.bring(state, ADFS.answer(still_people))
    assert (page.status, page.policy["form-action"]) == (200, "'none'")
    handed = json.loads(page.notified)
    assert (handed["appliesTo"], handed["context"]) == ("https://swt.example/", "</script><b>")
    assert handed["expires"] - handed["created"] == 600
    assert "<b>" not in page.answer.text
    token = base64.b64decode(html.unescape(handed["securityToken"]).partition(">")[2].partition(">")[2].split("<")[0])
    assert content_of(still_people, "swt", token).claims[NAME_IDENTIFIER] == ["alice"]


def test_fresh_sign_in_is_passed_on_and_an_old_one_is_not_taken_for_it(people: World) -> None:
    person = Person(people)
    sent = person.sign_in("jwt", wfresh="0")
    assert sent.asked["wfresh"] == "0"
    old = ADFS.sending(authenticated_at=people.now - timedelta(hours=1))
    assert person.bring(ADFS.asked_by(sent), old.answer(people)).status == 401
    assert "fresh sign-in" in people.records()[-1]["detail"]
    sent = person.sign_in("jwt", wfresh="120")
    assert person.bring(ADFS.asked_by(sent), old.answer(people)).action == REPLY.format("jwt")


def silent(world: World) -> str:
    """An answer that does not say when anybody signed in."""
    before, _, rest = ADFS.token(world).decode().partition("<ds:Signature")
    after = rest.partition("</ds:Signature>")[2]
    said = re.sub("<AuthnStatement.*</AuthnStatement>", "", after)
    assert said != after
    return response(
        sign_canonical(before, said, before.partition(' ID="')[2].partition('"')[0], signer("adfs")).decode()
    )


@pytest.mark.parametrize("minutes", ["0", "30"])
def test_identity_provider_that_does_not_say_when_meets_no_wish_for_a_fresh_sign_in(
    people: World, minutes: str
) -> None:
    person = Person(people)
    for _ in range(2):  # by its answer, nor by the session that another one began
        page = person.bring(ADFS.asked_by(person.sign_in("jwt", wfresh=minutes)), silent(people))
        assert (page.status, page.fields) == (401, {})
        assert "the token does not say when 'alice' signed in" in people.records()[-1]["detail"]
        state = person.sign_in("jwt").asked.get("wctx")
        if state is not None:
            assert person.bring(state, silent(people)).action == REPLY.format("jwt")
    assert person.sign_in("swt").action == REPLY.format("swt")


class TestUnsolicited:
    """Answers that nobody asked for."""

    def test_it_is_refused_unless_the_identity_provider_may(self, people: World) -> None:
        person = Person(people)
        fields = unasked(people, "jwt")
        assert person.post(person.at(), fields).status == 400
        assert "without state" in people.records()[-1]["detail"]

    def test_it_goes_to_the_default_reply_where_it_may(self, people: World) -> None:
        allow_unsolicited(people)
        person = Person(people)
        fields = unasked(people, "jwt")
        page = person.post(person.at(), fields)
        assert page.action == REPLY.format("jwt")
        assert content_of(people, "jwt", page.token).claims[NAME_IDENTIFIER] == ["alice"]
        assert person.post(person.at(), fields).status == 400  # replayed

    def test_it_must_say_for_whom_and_come_from_that_one(self, people: World) -> None:
        allow_unsolicited(people)
        person = Person(people)
        assert person.post(person.at(), {"wa": "wsignin1.0", "wresult": ADFS.answer(people)}).status == 400
        fields = {"wa": "wsignin1.0", "wtrealm": "https://choice.example/", "wresult": OTHER.answer(people)}
        assert person.post(person.at(), fields).status == 400
