"""Rows W01 to W22, A01, A05 to A07, A12 to A15 and N04 at the address where people sign in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from sts.core.errors import InvalidConfiguration
from sts.store import tables
from tests.flows.conftest import people, people_pattern, still_people
from tests.flows.identity_provider import Encryption, IdentityProvider
from tests.flows.operators import DECRYPTION, first
from tests.flows.people import SIGN_IN, Page, Person
from tests.flows.signing_in import ADFS, OTHER, REPLY, signed_in
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.endpoints import Refusal, seen_refused, stranger

__all__ = ["people", "people_pattern", "still_people"]

REPLIES = [
    pytest.param("https://jwt.example.evil.com/signin", id="W01"),
    pytest.param("https://jwt.example@evil.com/", id="W02-user"),
    pytest.param("https://jwt.example\\@evil.com/", id="W02-backslash"),
    pytest.param("//evil.com", id="W03-no scheme"),
    pytest.param("https:evil.com", id="W03-no slashes"),
    pytest.param("/\\evil.com", id="W03-backslash"),
    pytest.param("javascript:alert(1)", id="W04"),
    pytest.param("java\nscript:alert(1)", id="W04-line break"),
    pytest.param("https://jwt.example/signin/../../x", id="W05-dots"),
    pytest.param("https://jwt.example/signin?x=1", id="W05-query"),
    pytest.param("https://jwt.example/signin#f", id="W05-fragment"),
    pytest.param("https://jwt.example:443/signin", id="W05-port"),
    pytest.param("HTTPS://jwt.example/signin", id="W05-case"),
    pytest.param("https://jwt.example/signin\t", id="W05-tab"),
    pytest.param("https://jwt.example/signin ", id="W05-blank"),
    pytest.param("https://jwt.example/Signin", id="W05-path case"),
    pytest.param("https://jwt.example/other", id="W05-without query"),
    pytest.param("https://jwt。example/signin", id="W06-full stop"),
    pytest.param("https://jwt%2eexample/signin", id="W06-escape"),
    pytest.param("data:text/html,<script>alert(1)</script>", id="W07"),
]
BY = pytest.mark.parametrize("by", ["get", "post"])


def asking(person: Person, by: str, **fields: str) -> Callable[[], TestResponse]:
    """A sign-in request for later, by a link or a form, with which the browser brings some session."""
    wanted = {"wa": "wsignin1.0", "wtrealm": "https://jwt.example/", **fields}
    person.client.set_cookie("sts-session-contoso", "of another time", domain="127.0.0.1")
    return lambda: (person.get(person.at(**wanted)) if by == "get" else person.post(person.at(), wanted)).answer


def bringing(person: Person, state: str, wresult: str) -> Callable[[], TestResponse]:
    """An identity provider's answer for later."""
    return lambda: person.bring(state, wresult).answer


def require_nowhere(answer: TestResponse) -> None:
    """Nobody is sent anywhere, at once or by a form."""
    assert "Location" not in answer.headers
    page = Page(answer)
    assert (page.action, page.links, page.frames) == ("", {}, [])


@BY
@pytest.mark.parametrize("reply", REPLIES)
def test_reply_that_is_not_registered_byte_for_byte_is_refused(still_people: World, reply: str, by: str) -> None:
    answers: list[TestResponse] = []

    def ask() -> TestResponse:
        answers.append(asking(Person(still_people, source=stranger()), by, wreply=reply)())
        return answers[0]

    assert seen_refused(still_people, ask).status == 400
    require_nowhere(answers[0])


@BY
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"wtrealm": ""}, id="W08-missing"),
        pytest.param({"wtrealm": "https://nobody.example/"}, id="W08-unknown"),
        pytest.param({"wtrealm": "https://jwt.example"}, id="W08-without slash"),
        pytest.param({"wctx": "x" * 100_000}, id="W09-100 kB"),
        *(pytest.param({"wctx": each + "x" * 2048}, id=f"W09-boundary, {each!r}") for each in '=/+. &<"\u0660\n'),
        pytest.param({"wctx": "x" * 8193}, id="W09-boundary of base64url"),
    ],
)
def test_request_that_names_nobody_or_too_much_is_refused(still_people: World, fields: dict[str, str], by: str) -> None:
    assert seen_refused(still_people, asking(Person(still_people), by, **fields)).status in (400, 413)


@pytest.mark.parametrize(
    "realms", [pytest.param(("jwt", "swt"), id="W08-two"), pytest.param(("jwt",) * 2, id="W08-twice")]
)
def test_two_realms_are_refused(still_people: World, realms: tuple[str, ...]) -> None:
    person = Person(still_people)
    query = urlencode([("wa", "wsignin1.0"), *(("wtrealm", f"https://{name}.example/") for name in realms)])
    assert seen_refused(still_people, lambda: person.get(f"{person.at()}?{query}").answer).status == 400


def state_refused(world: World, person: Person, state: str) -> Refusal:
    """Bring an honest answer with a state, and see it refused for the state."""
    refusal = seen_refused(world, bringing(person, state, ADFS.answer(world)))
    assert (refusal.status, refusal.record["error"]) == (400, "ACS20001")
    assert "Please sign in again" in refusal.body
    return refusal


def test_w10_answer_without_our_cookie_is_refused(still_people: World) -> None:
    state = ADFS.asked_by(Person(still_people).sign_in("jwt"))
    assert "a browser that has or sends no cookie" in state_refused(still_people, Person(still_people), state).reason


def test_w11_answer_with_another_persons_state_is_refused(still_people: World) -> None:
    mallory, alice = Person(still_people), Person(still_people)
    planted = ADFS.asked_by(mallory.sign_in("jwt"))
    own = ADFS.asked_by(alice.sign_in("jwt"))
    assert "another browser" in state_refused(still_people, alice, planted).reason
    assert alice.bring(own, ADFS.answer(still_people)).action == REPLY.format("jwt")


def test_w12_state_is_used_once(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    assert person.bring(state, ADFS.answer(still_people)).status == 200
    assert "is over already" in state_refused(still_people, person, state).reason


def test_w12_state_is_used_up_by_an_answer_that_is_refused(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    assert person.bring(state, OTHER.answer(still_people)).status == 400
    assert "is over already" in state_refused(still_people, person, state).reason


def test_w13_state_that_was_changed_is_refused(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    for position in (0, 1, 20, len(state) // 2, len(state) - 1):
        letter = "A" if state[position] != "A" else "Q"
        state_refused(still_people, person, state[:position] + letter + state[position + 1 :])
    for other in (state[:-1], state[:10], f"{state}A", f"{state}=", f" {state} ", "x", "\u00e9", state.swapcase()):
        state_refused(still_people, person, other)
    assert person.bring(state, ADFS.answer(still_people)).status == 200


def test_state_of_another_namespace_is_refused(people: World) -> None:
    people.apply("namespace: fabrikam")
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    person.namespace = "fabrikam"
    assert "was begun at namespace 'contoso'" in state_refused(people, person, state).reason


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("javascript:alert(1)", id="W14-script"),
        pytest.param("http://jwt.evil.example/", id="W14-http"),
        pytest.param("data:text/html,x", id="W14-data"),
    ],
)
def test_relying_party_cannot_be_saved_with_such_a_reply(people: World, reply: str) -> None:
    with pytest.raises(InvalidConfiguration, match="reply"):
        people.apply(
            f"namespace: contoso\nrelying_parties: [{{name: jwt, realm: 'https://jwt.example/', "
            f"token_format: jwt, reply: ['{reply}']}}]"
        )


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("javascript:alert(1)", id="W15-script"),
        pytest.param("http://jwt.evil.example/", id="W15-http"),
        pytest.param("https://a;script-src *.evil.example/", id="W15-blank in the policy"),
        pytest.param("https://a;sandbox/", id="W15-semicolon in the policy"),
        pytest.param("https://ann@evil.example/", id="W15-user"),
    ],
)
def test_reply_that_got_into_the_database_is_refused_when_it_is_used(people: World, reply: str) -> None:
    with people.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.relying_party).values(reply=[reply]))
    for fields in ({}, {"wreply": reply}):
        assert seen_refused(people, asking(Person(people), "get", **fields)).status == 400


def test_w15_reply_that_was_removed_meanwhile_is_refused(people: World) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    people.apply(
        "namespace: contoso\nrelying_parties: [{name: jwt, realm: 'https://jwt.example/', token_format: jwt, "
        "reply: ['https://jwt.example/moved']}]"
    )
    refusal = seen_refused(people, bringing(person, state, ADFS.answer(people)))
    assert refusal.record["error"] == "ACS50011"


MARKUP = '"><script>alert(1)</script>'


def test_w16_context_is_escaped(still_people: World) -> None:
    person = Person(still_people)
    pages = [person.sign_in("choice", wctx=MARKUP), person.sign_in("choice", whr=f"{MARKUP}@x")]
    state = ADFS.asked_by(person.sign_in("jwt", wctx=MARKUP))
    pages.append(person.bring(state, ADFS.answer(still_people)))
    assert pages[-1].fields["wctx"] == MARKUP
    for page in pages:
        assert "<script>alert" not in page.answer.text
        assert "'unsafe" not in page.answer.headers["Content-Security-Policy"]
        assert page.policy["default-src"] == page.policy["base-uri"] == "'none'"


def test_w17_name_of_an_identity_provider_is_escaped(people: World) -> None:
    with people.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.identity_provider).values(display_name=MARKUP))
    page = Person(people).sign_in("choice")
    assert list(page.links) == [MARKUP]
    assert "<script>alert" not in page.answer.text


def test_w18_no_page_is_shown_in_a_frame(still_people: World) -> None:
    person = Person(still_people)
    shown = [
        person.sign_in("choice"),
        person.sign_in("form"),
        person.sign_in("nobody"),
        signed_in(person, "jwt"),
        person.sign_out(),
    ]
    for page in shown:
        assert page.policy["frame-ancestors"] == "'none'"
        assert page.answer.headers["X-Frame-Options"] == "DENY"


def posting(person: Person, body: bytes) -> Callable[[], TestResponse]:
    """Any body for later."""
    return lambda: person.client.post(
        f"/contoso/{SIGN_IN}",
        data=body,
        base_url=person.base_url,
        content_type="application/x-www-form-urlencoded",
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"wa=wsignin1.0&wresult=" + b"x" * 50_000_000, 413, id="W19"),
        pytest.param(b"&".join([b"a=b"] * 600_000), 413, id="W20"),
        pytest.param(b"&".join([b"a=b"] * 101), 400, id="W20-boundary"),
        pytest.param(b"wa=wsignin1.0&wtrealm=%ff", 400, id="W21"),
        pytest.param(b"wa=wsignin1.0&wtrealm=\xff", 400, id="W21-raw"),
    ],
)
def test_form_that_is_too_much_or_no_text_is_refused(still_people: World, body: bytes, status: int) -> None:
    assert seen_refused(still_people, posting(Person(still_people), body)).status == status


@pytest.mark.parametrize("wa", ["wsignout1.0", "wsignoutcleanup1.0"])
@pytest.mark.parametrize(
    "reply", [pytest.param(f"https://evil.example/{wreply}", id=f"W22-{wreply}") for wreply in ("", "signin")]
)
@pytest.mark.parametrize("realm", [None, "https://jwt.example/"])
def test_signing_out_leads_to_no_address_that_is_not_registered(
    still_people: World, wa: str, reply: str, realm: str | None
) -> None:
    person = Person(still_people)
    named = {} if realm is None else {"wtrealm": realm}
    for _ in range(2):
        signed_in(person, "jwt")
        page = person.get(person.at(wa=wa, wreply=reply, **named))
        assert page.status == 200
        assert "evil.example" not in page.answer.text + page.location
        assert ADFS.asked_by(person.sign_in("jwt"))  # and signed out all the same


def token_refused(world: World, person: Person, state: str, wresult: str) -> Refusal:
    """Bring an answer whose token is refused with the one public answer."""
    refusal = seen_refused(world, bringing(person, state, wresult))
    assert refusal.status == 400
    assert "ACS20001" in refusal.body
    assert "wresult" not in refusal.body
    return refusal


def test_a01_token_of_another_identity_provider_is_refused(still_people: World) -> None:
    person = Person(still_people)
    state = ADFS.asked_by(person.sign_in("choice", whr="adfs"))
    assert "signature" in token_refused(still_people, person, state, OTHER.answer(still_people)).reason.lower()
    state = ADFS.asked_by(person.sign_in("choice", whr="adfs"))
    pretending = OTHER.sending(issuer=ADFS.issuer)
    token_refused(still_people, person, state, pretending.answer(still_people))


DISABLED = 'namespace: contoso\nidentity_providers: [{name: adfs, issuer: "https://adfs.example/", enabled: false, '
CLOSED = "namespace: contoso\nrelying_parties: [{name: jwt, realm: 'https://jwt.example/', token_format: jwt, "
REGISTERED = "reply: ['https://jwt.example/signin'], rule_groups: [people], "


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(DISABLED + "certificates: [adfs.cer]}]", "'adfs' is disabled", id="A05"),
        pytest.param(CLOSED + REGISTERED + "identity_providers: [adfs], enabled: false}]", "is disabled", id="A06"),
        pytest.param(CLOSED + REGISTERED + "identity_providers: [other]}]", "adfs", id="A07"),
    ],
)
def test_what_is_closed_between_two_legs_is_closed(people: World, change: str, reason: str) -> None:
    person = Person(people)
    state = ADFS.asked_by(person.sign_in("jwt"))
    people.apply(change)
    assert reason in seen_refused(people, bringing(person, state, ADFS.answer(people))).reason


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(DISABLED + "certificates: [adfs.cer]}]", id="A05-session"),
        pytest.param(CLOSED + REGISTERED + "identity_providers: [adfs], enabled: false}]", id="A06-session"),
        pytest.param(CLOSED + REGISTERED + "identity_providers: [other]}]", id="A07-session"),
    ],
)
def test_session_does_not_outlive_what_is_closed(people: World, change: str) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    people.apply(change)
    page = person.sign_in("jwt")
    assert "wresult" not in page.answer.text
    assert page.status == 400 or page.location.startswith("https://other.example/")


def twice(world: World, again: Callable[[str], str], provider: IdentityProvider = ADFS, party: str = "jwt") -> Refusal:
    """Have two people bring the same token, the second with something about it changed."""
    alice, mallory = Person(world), Person(world)
    states = [provider.asked_by(person.sign_in(party)) for person in (alice, mallory)]
    wresult = provider.answer(world)
    assert alice.bring(states[0], wresult).status == 200
    return token_refused(world, mallory, states[1], again(wresult))


def test_a12_token_is_good_for_one_sign_in(still_people: World) -> None:
    assert "used before" in twice(still_people, str).reason


def test_a13_blanks_around_the_token_do_not_make_it_another(still_people: World) -> None:
    def spaced(wresult: str) -> str:
        return wresult.replace("<t:RequestedSecurityToken>", "<t:RequestedSecurityToken>\n  ")

    assert "used before" in twice(still_people, spaced).reason


def test_a14_of_sixteen_at_once_one_is_let_in(people: World) -> None:
    wresult = ADFS.answer(people)
    everybody = [Person(people) for _ in range(16)]
    states = [ADFS.asked_by(person.sign_in("jwt")) for person in everybody]
    start = Barrier(16)

    def bring(person: Person, state: str) -> int:
        start.wait()
        return person.bring(state, wresult).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(bring, everybody, states))
    assert sorted(statuses) == [200] + [400] * 15


def test_a15_token_that_is_encrypted_afresh_is_the_same_token(still_people: World) -> None:
    provider = IdentityProvider("sealing", encryption=Encryption.to(first(still_people, DECRYPTION)))
    token = provider.token(still_people)
    alice, mallory = Person(still_people), Person(still_people)
    for person, status in ((alice, 200), (mallory, 400)):
        state = provider.asked_by(person.sign_in("sealed"))
        assert person.bring(state, response(provider.encrypted(token).decode())).status == status
    assert "used before" in str(still_people.records()[-1])


def test_n04_failures_to_decrypt_have_a_budget(people: World) -> None:
    provider = IdentityProvider("sealing", encryption=Encryption.to(first(people, DECRYPTION)))
    person = Person(people, source="192.0.2.77")
    statuses = []
    for _ in range(22):
        state = provider.asked_by(person.sign_in("sealed"))
        head, separator, tail = provider.answer(people).rpartition("</xenc:CipherValue>")
        statuses.append(person.bring(state, f"{head[:-12]}AAAAAAAAAAA={separator}{tail}").status)
    assert statuses == [400] * 20 + [429] * 2
    state = provider.asked_by(person.sign_in("sealed"))
    assert person.bring(state, provider.answer(people)).status == 429
    honest = Person(people, source="192.0.2.78")
    state = provider.asked_by(honest.sign_in("sealed"))
    assert honest.bring(state, provider.answer(people)).status == 200
    people.move(minutes=1)
    state = provider.asked_by(person.sign_in("sealed"))
    assert person.bring(state, provider.answer(people)).status == 200
