"""Every way to ask for a token, for every relying party."""

import re
from datetime import timedelta

import pytest

from tests.flows.doors import DOORS, ONE_OF_EACH, Caller, Door, realm_of
from tests.flows.tokens import PARTIES, content_of
from tests.flows.world import World, members

EVERY_DOOR = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
EACH_PROTOCOL = pytest.mark.parametrize("door", ONE_OF_EACH, ids=lambda door: door.name)
TRACE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@EVERY_DOOR
@pytest.mark.parametrize("party", PARTIES)
def test_a_door_gives_the_tokens_of_the_formats_that_it_delivers(still_world: World, door: Door, party: str) -> None:
    answer = door(still_world, Caller(realm_of(party)))
    if party not in door.parties:
        assert (answer.status_code, "which this endpoint does not issue" in answer.text) == (400, True)
        return
    assert answer.status_code == 200, answer.text
    got = door.read(answer)
    content = content_of(still_world, party, got.token)
    assert content.audience == realm_of(party)
    assert content.expires_at == still_world.now + timedelta(seconds=got.expires_in)
    assert got.expires_in == 600


@pytest.mark.parametrize(("party", "token_type"), [("saml11", "saml1"), ("saml20", "saml2")])
def test_saml_at_the_oauth_door_is_named_as_token_exchange_has_it(
    still_world: World, party: str, token_type: str
) -> None:
    given = members(still_world.oauth(party))
    assert given["issued_token_type"] == f"urn:ietf:params:oauth:token-type:{token_type}"
    assert given["token_type"] == "N_A"
    assert re.fullmatch(r"[A-Za-z0-9_-]+", given["access_token"])


@pytest.mark.parametrize("field", ["resource", "audience", "scope"])
def test_the_realm_may_come_as_resource_audience_or_scope(still_world: World, field: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": Caller("").secret}
    assert still_world.post("oauth2/token", {**form, field: realm_of("jwt")}).status_code == 200


@pytest.mark.parametrize(
    ("party", "token_type"),
    [
        ("swt", "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"),
        ("jwt", "urn:ietf:params:oauth:token-type:jwt"),
    ],
)
def test_the_dialect_of_acs_names_the_token_type_by_its_uri(still_world: World, party: str, token_type: str) -> None:
    answer = ONE_OF_EACH[1](still_world, Caller(realm_of(party)))
    assert members(answer)["token_type"] == token_type
    assert members(answer)["scope"] == realm_of(party)


@EVERY_DOOR
def test_no_answer_may_be_stored(still_world: World, door: Door) -> None:
    assert "no-store" in door(still_world, Caller(realm_of(door.parties[0]))).headers["Cache-Control"]


REFUSALS = [
    pytest.param(Caller(realm_of("swt"), secret="wrong"), 401, "ACS50012", id="wrong password"),
    pytest.param(Caller(realm_of("swt"), name="nobody"), 401, "ACS50012", id="unknown name"),
    pytest.param(Caller(realm_of("swt"), name="gone"), 401, "ACS50012", id="disabled identity"),
    pytest.param(Caller(realm_of("swt"), name="old"), 401, "ACS50012", id="identity without a password"),
    pytest.param(Caller("https://unknown.example/"), 400, "ACS50001", id="unknown realm"),
    pytest.param(Caller(realm_of("disabled")), 400, "ACS50001", id="disabled relying party"),
    pytest.param(Caller("https://swt.example/" + "x" * 2100), 400, "ACS90013", id="endless realm"),
    pytest.param(Caller(""), 400, "ACS90011", id="no realm"),
    pytest.param(Caller(realm_of("swt"), secret=""), None, None, id="no password"),
]


@EACH_PROTOCOL
@pytest.mark.parametrize(("caller", "status", "code"), REFUSALS)
def test_a_refusal_has_the_shape_of_its_protocol_and_one_record(
    world: World, door: Door, caller: Caller, status: int | None, code: str | None
) -> None:
    answer = door(world, caller)
    expected = (status, code) if status is not None else (401, "ACS50012") if door is DOORS[0] else (400, "ACS90011")
    assert (answer.status_code, answer.text.count(f"{expected[1]}:")) == (expected[0], 1), answer.text
    (record,) = world.records()
    assert (record["status"], record["error"]) == expected
    assert TRACE.fullmatch(record["trace_id"])
    assert record["trace_id"] in answer.text
    assert answer.headers["Request-Id"] == record["trace_id"]


def test_the_errors_of_wrap_are_one_line_of_text(world: World) -> None:
    answer = world.wrap(wrap_password="wrong")
    (record,) = world.records()
    assert answer.text == (
        "Error:Code:401:SubCode:T0:Detail:ACS50012: Authentication failed."
        f":TraceID:{record['trace_id']}:TimeStamp:2026-06-01 12:00:00Z"
    )
    assert answer.headers["Content-Type"] == "text/plain; charset=us-ascii"
    assert answer.headers["x-ms-request-id"] == record["trace_id"]


def test_the_errors_of_acs_end_in_their_trace(world: World) -> None:
    answer = ONE_OF_EACH[1](world, Caller(realm_of("swt"), secret="wrong"))
    (record,) = world.records()
    trace = record["trace_id"]
    assert members(answer) == {
        "error": "invalid_client",
        "error_description": f"ACS50012: Authentication failed.\r\nTrace ID: {trace}\r\nCorrelation ID: {trace}"
        "\r\nTimestamp: 2026-06-01 12:00:00Z",
    }


def test_the_oauth_door_challenges_who_failed_to_authenticate(world: World) -> None:
    answer = DOORS[1](world, Caller(realm_of("swt"), secret="wrong"))
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert members(answer)["error"] == "invalid_client"


@EACH_PROTOCOL
@pytest.mark.parametrize("names", [("worker", "nobody"), ("nobody", "gone"), ("gone", "old")])
def test_a_wrong_password_an_unknown_and_a_disabled_name_look_the_same(
    world: World, door: Door, names: tuple[str, str]
) -> None:
    answers = [door(world, Caller(realm_of("swt"), name=name, secret="wrong")) for name in names]
    first, second = [re.sub(TRACE, "", answer.text) for answer in answers]
    assert first == second
    assert answers[0].status_code == answers[1].status_code


@EACH_PROTOCOL
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_a_door_answers_post_only(still_world: World, door: Door, method: str) -> None:
    address = f"/contoso/{door.path}"
    answer = still_world.client.open(address, method=method, base_url="http://127.0.0.1:8000")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@EACH_PROTOCOL
def test_an_unknown_namespace_is_not_found(still_world: World, door: Door) -> None:
    answer = still_world.client.post(f"/fabrikam/{door.path}", data={}, base_url="http://127.0.0.1:8000")
    assert answer.status_code in (400, 404)  # what is wrong with the form may be told first
    form = {"grant_type": "client_credentials", "client_id": "worker", "client_secret": "x", "scope": "urn:x"}
    wrap = {"wrap_name": "worker", "wrap_password": "x", "wrap_scope": "urn:x"}
    path = f"/fabrikam/{door.path}"
    answer = still_world.client.post(path, data={**form, **wrap}, base_url="http://127.0.0.1:8000")
    assert (answer.status_code, "ACS50001" in answer.text) == (404, True)


@EACH_PROTOCOL
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=" + b"x" * 300_001, 413),
        (b"&".join(b"f%d=1" % number for number in range(101)), 400),
        (b"a=%zz", 400),
        (b"a=%ff", 400),
        (b"a=\xff", 400),
        (b"wrap_scope=%00", 400),
        (b"wrap_name=a&wrap_name=b&client_id=a&client_id=b&grant_type=a&grant_type=b", 400),
        (b"", 400),
    ],
    ids=["too large", "too many fields", "bad escape", "not UTF-8", "raw bytes", "NUL", "twice", "empty"],
)
def test_a_body_that_is_no_proper_form_is_refused(still_world: World, door: Door, body: bytes, status: int) -> None:
    answer = still_world.post(door.path, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == status, answer.text


@EACH_PROTOCOL
def test_a_message_that_breaks_off_is_not_taken_for_a_shorter_one(still_world: World, door: Door) -> None:
    body = b"wrap_name=worker&client_id=worker&grant_type=client_credentials"
    longer = {"CONTENT_LENGTH": str(len(body) + 1)}
    answer = still_world.post(door.path, body, environ_overrides=longer)
    assert (answer.status_code, "the message is incomplete" in answer.text) == (400, True)


@EACH_PROTOCOL
def test_a_secret_in_the_address_is_refused_even_if_it_is_right(world: World, door: Door) -> None:
    answer = world.post(f"{door.path}?client_secret=correct+horse", b"")
    assert answer.status_code == 400
    assert "horse" not in world.log.read_text()


def test_another_grant_is_refused_by_name(still_world: World) -> None:
    for path in ("oauth2/token", "v2/OAuth2-13"):
        answer = still_world.post(path, {"grant_type": "password", "username": "worker", "password": "x"})
        assert (answer.status_code, members(answer)["error"]) == (400, "unsupported_grant_type")
        assert "ACS70003" in answer.text


def test_guessing_is_bounded_by_name_and_source(world: World) -> None:
    guess = Caller(realm_of("swt"), secret="wrong", source="192.0.2.7")
    answers = [ONE_OF_EACH[0](world, guess).status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2
    refused = ONE_OF_EACH[0](world, guess)
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert "ACS90055" in refused.text
    right = ONE_OF_EACH[0](world, Caller(realm_of("swt"), source="192.0.2.7"))
    assert right.status_code == 429
    elsewhere = ONE_OF_EACH[0](world, Caller(realm_of("swt"), source="192.0.2.8"))
    assert elsewhere.status_code == 200
    world.move(minutes=15)
    assert ONE_OF_EACH[0](world, Caller(realm_of("swt"), source="192.0.2.7")).status_code == 200


def test_guessing_at_one_door_counts_at_the_others(world: World) -> None:
    guess = Caller(realm_of("swt"), secret="wrong")
    for number in range(10):
        ONE_OF_EACH[number % 3](world, guess)
    assert [door(world, guess).status_code for door in ONE_OF_EACH] == [429, 429, 429]


def test_answers_of_the_oauth_doors_are_json(still_world: World) -> None:
    for door in ONE_OF_EACH[:2]:
        for caller in (Caller(realm_of("jwt")), Caller("")):
            answer = door(still_world, caller)
            assert answer.headers["Content-Type"].startswith("application/json")
            assert members(answer)
