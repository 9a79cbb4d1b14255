"""Sessions at the service: one sign-in for every relying party of a namespace, and none after signing out."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from sts.core.claims import NAME_IDENTIFIER
from sts.core.uris import AuthenticationMethod
from sts.store import service_identities, sessions, tables
from sts.store.purging import purge
from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, ADFS_CONFIGURATION, OTHER, REPLY, signed_in
from tests.flows.tokens import content_of
from tests.flows.world import World
from tests.threats.endpoints import rows_of

CLEANUP = "?wa=wsignoutcleanup1.0"


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(address).query))


def test_second_relying_party_gets_its_token_at_once(still_people: World) -> None:
    person = Person(still_people)
    signed_in(person, "jwt")
    for party in ("saml20", "swt", "saml11", "jwt"):
        page = person.sign_in(party, wctx="again")
        assert (page.action, page.fields["wctx"]) == (REPLY.format(party), "again")
        assert content_of(still_people, party, page.token).claims[NAME_IDENTIFIER] == ["alice"]
        record = still_people.records()[-1]
        assert (record["provider"], record["principal"], record["relying_party"]) == ("adfs", "alice", party)


def test_session_helps_only_where_its_identity_provider_is_allowed(still_people: World) -> None:
    person = Person(still_people)
    signed_in(person, "jwt")
    assert person.sign_in("form").heading == "Sign in to form"
    assert person.sign_in("sealed").location.startswith("https://sealing.example/")
    assert person.sign_in("choice").action == REPLY.format("choice")


@pytest.mark.parametrize(
    ("more", "place"), [({"whr": "other"}, "https://other.example/ls?"), ({"redirect": "false"}, "")]
)
def test_relying_party_that_wants_another_identity_provider_or_a_choice_gets_it(
    still_people: World, more: dict[str, str], place: str
) -> None:
    person = Person(still_people)
    signed_in(person, "jwt")
    page = person.sign_in("choice", **more)
    assert page.location.startswith(place)
    assert "wresult" not in page.answer.text


def test_session_is_not_used_where_a_fresher_sign_in_is_asked_for(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    people.move(minutes=5)
    assert person.sign_in("jwt", wfresh="6").action == REPLY.format("jwt")
    for minutes in ("5", "0"):
        assert person.sign_in("jwt", wfresh=minutes).asked["wfresh"] == minutes


@pytest.mark.parametrize(
    ("asked", "is_met"),
    [
        (AuthenticationMethod.PASSWORD, True),
        ("urn:oasis:names:tc:SAML:1.0:am:password", True),
        (AuthenticationMethod.UNSPECIFIED, True),
        (AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT, False),
        (AuthenticationMethod.X509, False),
        ("urn:example:second-factor", False),
    ],
)
def test_session_is_not_used_where_another_way_of_signing_in_is_asked_for(
    still_people: World, asked: str, is_met: bool
) -> None:
    person = Person(still_people)
    signed_in(person, "jwt")
    page = person.sign_in("jwt", wauth=asked)
    if is_met:
        assert page.action == REPLY.format("jwt")
    else:
        assert page.asked["wauth"] == asked


@pytest.mark.parametrize(
    "changed",
    [
        ADFS_CONFIGURATION.replace('https://adfs.example/"', 'https://new.example/"'),
        "name: adfs, kind: local",
    ],
    ids=["another issuer", "a form of our own"],
)
def test_session_ends_when_its_identity_provider_becomes_somebody_else(people: World, changed: str) -> None:
    person = Person(people)
    signed_in(person, "jwt", replace(ADFS, claims=((NAME_IDENTIFIER, "ann"),)))
    people.apply(f"namespace: contoso\nidentity_providers: [{{{changed}}}]")
    assert "wresult" not in person.sign_in("jwt").answer.text


def test_session_ends_when_the_namespace_says_so(people: World) -> None:
    people.apply("namespace: contoso\nsession: 30m")
    person = Person(people)
    signed_in(person, "jwt")
    people.move(minutes=29, seconds=59)
    assert person.sign_in("swt").action == REPLY.format("swt")
    people.move(seconds=1)
    assert person.sign_in("swt").location.startswith("https://adfs.example/")


def test_every_sign_in_has_a_session_id_of_its_own(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    before = person.cookies()["sts-session-contoso"]
    signed = person.bring(person.sign_in("jwt", wfresh="0").asked["wctx"], ADFS.answer(people))
    assert signed.status == 200
    after = person.cookies()["sts-session-contoso"]
    assert after != before
    thief = Person(people)
    thief.client.set_cookie("sts-session-contoso", before, domain="127.0.0.1")
    assert thief.sign_in("jwt").location.startswith("https://adfs.example/")


def test_session_of_one_namespace_is_worth_nothing_at_another(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    people.apply(ELSEWHERE)
    token = person.cookies()["sts-session-contoso"]
    stranger = Person(people, namespace="fabrikam")
    stranger.client.set_cookie("sts-session-fabrikam", token, domain="127.0.0.1")
    assert stranger.sign_in("jwt").heading == "Sign in to jwt"


ELSEWHERE = """
namespace: fabrikam
identity_providers: [{name: local, kind: local}, {name: adfs, kind: local}]
relying_parties:
  - {name: jwt, realm: "https://jwt.example/", token_format: jwt, reply: ["https://jwt.example/signin"],
     rule_groups: [], identity_providers: [local]}
"""


def test_database_holds_the_hash_of_a_session_token_and_never_the_token(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    (row,) = rows_of(people, tables.browser_session)
    token = person.cookies()["sts-session-contoso"]
    assert row.token_hash == sessions.hash_of(token)
    assert token not in str(row)
    assert token not in people.log.read_text()


def everywhere(person: Person) -> None:
    """Sign in to three relying parties, one of them twice."""
    signed_in(person, "jwt")
    person.sign_in("saml20")
    person.sign_in("saml20", wreply="https://saml20.example/other?x=1")
    person.sign_in("swt")


EVERYWHERE = {
    f"https://jwt.example/signin{CLEANUP}",
    f"https://saml20.example/signin{CLEANUP}",
    "https://saml20.example/other?x=1&wa=wsignoutcleanup1.0",
    f"https://swt.example/signin{CLEANUP}",
}


def test_signing_out_reaches_every_relying_party_then_the_identity_provider_then_the_reply(people: World) -> None:
    person = Person(people)
    everywhere(person)
    page = person.sign_out(wtrealm="https://jwt.example/", wreply="https://jwt.example/signin")
    assert set(page.frames) == EVERYWHERE
    assert page.policy["frame-src"] == "https://jwt.example https://saml20.example https://swt.example"
    onward = page.links["Continue"]
    assert onward.startswith("https://adfs.example/ls?")
    asked = query_of(onward)
    assert (asked["wa"], asked["wtrealm"]) == ("wsignout1.0", "http://127.0.0.1:8000/contoso/")
    assert asked["wreply"] == "http://127.0.0.1:8000/contoso/v2/wsfederation"  # as it is registered there
    assert "sts-session-contoso" not in person.cookies()
    back = person.get(asked["wreply"])
    assert (back.status, back.location) == (302, "https://jwt.example/signin")
    assert person.sign_in("swt").location.startswith("https://adfs.example/")


def test_reply_may_be_that_of_any_relying_party_of_the_session(people: World) -> None:
    person = Person(people)
    everywhere(person)
    page = person.sign_out(wreply="https://swt.example/signin")
    assert person.get(query_of(page.links["Continue"])["wreply"]).location == "https://swt.example/signin"


def test_session_of_a_local_account_ends_without_an_identity_provider(people: World) -> None:
    person = Person(people)
    person.type(person.sign_in("form"))
    page = person.sign_out(wtrealm="https://form.example/", wreply="https://form.example/signin")
    assert page.frames == [f"https://form.example/signin{CLEANUP}"]
    assert page.links["Continue"] == "https://form.example/signin"
    assert person.sign_in("form").heading == "Sign in to form"


def test_identity_provider_has_everybody_forget_from_its_own_frame(people: World) -> None:
    person = Person(people)
    everywhere(person)
    page = person.get(person.at(wa="wsignoutcleanup1.0"))
    assert set(page.frames) == EVERYWHERE
    assert page.policy["frame-ancestors"] == "https://adfs.example"
    assert "X-Frame-Options" not in page.answer.headers
    assert page.links == {}
    assert person.sign_in("jwt").location.startswith("https://adfs.example/")


def test_cleanup_after_the_session_is_over_may_still_be_shown_by_an_identity_provider(people: World) -> None:
    person = Person(people)
    everywhere(person)
    person.sign_out()
    page = person.get(person.at(wa="wsignoutcleanup1.0"))
    assert page.frames == []
    assert page.policy["frame-ancestors"] == "https://adfs.example https://other.example https://sealing.example"
    assert "X-Frame-Options" not in page.answer.headers


def test_address_without_a_query_goes_on_with_signing_out_once(people: World) -> None:
    person = Person(people)
    everywhere(person)
    person.sign_out(wtrealm="https://jwt.example/", wreply="https://jwt.example/signin")
    assert person.get(person.at()).location == "https://jwt.example/signin"
    assert person.get(person.at()).status == 400


def test_signing_out_twice_or_without_a_session_does_no_harm(still_people: World) -> None:
    person = Person(still_people)
    for _ in range(2):
        page = person.sign_out()
        assert (page.status, page.heading, page.frames) == (200, "You are signed out", [])


def test_relying_party_that_is_gone_or_moved_is_left_out(people: World) -> None:
    person = Person(people)
    everywhere(person)
    people.apply(MOVED)
    assert set(person.sign_out().frames) == EVERYWHERE - {f"https://swt.example/signin{CLEANUP}"}


MOVED = """
namespace: contoso
relying_parties: [{name: swt, realm: "https://swt.example/", token_format: swt, reply: ["https://swt.example/moved"]}]
"""


def test_new_sign_in_takes_over_what_must_be_signed_out_later(people: World) -> None:
    person = Person(people)
    signed_in(person, "jwt")
    state = OTHER.asked_by(person.sign_in("choice", whr="other"))
    assert person.bring(state, OTHER.answer(people)).status == 200
    assert set(person.sign_out().frames) == {REPLY.format("jwt") + CLEANUP, REPLY.format("choice") + CLEANUP}
    assert rows_of(people, tables.browser_session) == []


def test_sessions_that_are_over_are_forgotten(people: World) -> None:
    for _ in range(3):
        signed_in(Person(people), "jwt")
    people.move(hours=9)
    person = Person(people)
    signed_in(person, "jwt")
    assert person.sign_in("swt").status == 200
    assert purge(people.service.installation.database, people.now) == 3 * 3  # a sign-in, a token and a session each
    assert len(rows_of(people, tables.browser_session)) == 1
    assert len(rows_of(people, tables.browser_session_relying_party)) == 1
    assert len(rows_of(people, tables.replay)) == 2
    assert person.sign_in("saml20").status == 200


def test_page_after_signing_out_may_only_show_the_relying_parties(people: World) -> None:
    person = Person(people)
    everywhere(person)
    page: Page = person.sign_out()
    assert page.policy["default-src"] == page.policy["form-action"] == page.policy["frame-ancestors"] == "'none'"


def test_head_neither_signs_in_nor_out(still_people: World) -> None:
    person = Person(still_people)
    signed_in(person, "jwt")
    kept = rows_of(still_people, tables.browser_session_relying_party)
    for query in ("wa=wsignin1.0&wtrealm=https%3A%2F%2Fswt.example%2F", "wa=wsignout1.0"):
        answer = person.client.head(f"/contoso/v2/wsfederation?{query}", base_url=person.base_url)
        assert (answer.status_code, answer.headers["Allow"], answer.data) == (405, "GET, POST", b"")
        assert "Set-Cookie" not in answer.headers
        assert "token_id" not in still_people.records()[-1]
    assert rows_of(still_people, tables.browser_session_relying_party) == kept
    assert person.sign_in("swt").action == REPLY.format("swt")


ENDED = {
    "another password": ("{name: ann, password: 'env:NEW', interactive: true}", "service_identities"),
    "disabled": (
        "{name: ann, password: 'env:WORKER_PASSWORD', interactive: true, enabled: false}",
        "service_identities",
    ),
    "no form": ("{name: ann, password: 'env:WORKER_PASSWORD'}", "service_identities"),
    "provider disabled": ("{name: local, kind: local, enabled: false}", "identity_providers"),
}
RESTORED = """
namespace: contoso
service_identities: [{name: ann, password: "env:WORKER_PASSWORD", interactive: true}]
identity_providers: [{name: local, kind: local}]
"""


@pytest.mark.parametrize(("changed", "kind"), ENDED.values(), ids=ENDED.keys())
def test_session_of_an_account_is_over_for_good_in_the_same_second(people: World, changed: str, kind: str) -> None:
    person, federated = Person(people), Person(people)
    person.type(person.sign_in("form"))
    signed_in(federated, "jwt", replace(ADFS, claims=((NAME_IDENTIFIER, "ann"),)))
    assert person.sign_in("choice").action == REPLY.format("choice")
    people.apply(f"namespace: contoso\n{kind}: [{changed}]", {"NEW": "another password"})
    people.apply(RESTORED)
    assert person.sign_in("form").heading == "Sign in to form"
    assert federated.sign_in("jwt").action == REPLY.format("jwt"), "who has the name elsewhere is somebody else"


def test_session_of_an_account_is_over_when_the_account_is_deleted(people: World) -> None:
    person, other = Person(people), Person(people)
    person.type(person.sign_in("form"))
    people.apply(RESTORED.replace("ann", "anna"))
    other.type(other.sign_in("form"), "anna")
    with people.service.installation.database.changing("tests", people.now) as change:
        change.audit("contoso", "test", "ann", {})
        service_identities.delete(
            change, people.namespace, service_identities.find(change.connection, people.namespace, "ann")
        )
    assert person.sign_in("form").heading == "Sign in to form"
    people.apply(RESTORED)
    assert person.sign_in("form").heading == "Sign in to form"
    assert other.sign_in("form").action == REPLY.format("form")


def test_session_of_an_identity_provider_is_over_when_it_was_disabled(people: World) -> None:
    person, other = Person(people), Person(people)
    signed_in(person, "jwt")
    other.bring(OTHER.asked_by(other.sign_in("choice", whr="other")), OTHER.answer(people))
    for state in ("false", "true"):
        people.apply(f"namespace: contoso\nidentity_providers: [{{{ADFS_CONFIGURATION}, enabled: {state}}}]")
    assert person.sign_in("jwt").location.startswith("https://adfs.example/")
    assert other.sign_in("choice").action == REPLY.format("choice")


ROLLING = ADFS_CONFIGURATION.replace("[adfs.cer]", "[adfs.cer, other.cer]")
ROLLED = ADFS_CONFIGURATION.replace("[adfs.cer]", "[other.cer]")


def test_session_of_an_identity_provider_is_over_when_a_valid_certificate_is_taken_from_it(people: World) -> None:
    """Whoever had its key may have been anybody, and be signed in."""
    person = Person(people)
    signed_in(person, "jwt")
    for changed in (f"{ADFS_CONFIGURATION}, display_name: Another", ROLLING):
        people.apply(f"namespace: contoso\nidentity_providers: [{{{changed}}}]")
        assert person.sign_in("swt").status == 200
    people.apply(f"namespace: contoso\nidentity_providers: [{{{ROLLED}}}]")
    assert person.sign_in("swt").status == 302
    assert rows_of(people, tables.browser_session) == []


def test_session_of_an_identity_provider_goes_on_when_its_expired_certificate_goes(people: World) -> None:
    people.apply(f"namespace: contoso\nidentity_providers: [{{{ROLLING}}}]")
    person = Person(people)
    signed_in(person, "jwt")
    with people.service.installation.database.recording() as connection:
        connection.execute(sa.update(tables.partner_certificate).values(not_after=people.now - timedelta(seconds=1)))
    people.apply(f"namespace: contoso\nidentity_providers: [{{{ROLLED}}}]")
    assert person.sign_in("swt").status == 200
