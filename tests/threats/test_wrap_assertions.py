"""Rows S11 to S18, S20 and S21 at WRAPv0.9: simple web tokens that service identities made themselves."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest

from sts.store.purging import purge
from tests.flows.world import World
from tests.threats.endpoints import BASE_URL, WRAP, Refusal, ask, refused
from tests.tokens.compact import seconds, swt

KEYS = {"worker": b"w" * 32, "old": b"o" * 32}
AUDIENCE = f"{BASE_URL}/contoso/WRAPv0.9/"
PUBLIC_ANSWER = "Error:Code:401:SubCode:T0:Detail:ACS50012: Authentication failed.:TraceID:ID:TimeStamp:INSTANT"
DAY = timedelta(hours=24)
_numbers = count()


def text(world: World, name: str = "worker", audience: str = AUDIENCE, ahead: timedelta = timedelta(hours=1)) -> bytes:
    """What a service identity signs; never twice the same."""
    own = f"Audience={quote_plus(audience)}&ExpiresOn={seconds(world.now + ahead)}&Issuer={quote_plus(name)}"
    return f"number={next(_numbers)}&{own}".encode()


def form(token: bytes) -> dict[str, str | bytes]:
    """A request that presents a token."""
    return {"wrap_assertion_format": "SWT", "wrap_assertion": token, WRAP.realm: "https://swt.example/"}


def present(world: World, token: bytes) -> int:
    """The status of a request that presents a token."""
    return ask(world, WRAP, form(token)).status_code


def refusal(world: World, token: bytes) -> Refusal:
    """Present a token and see it refused with the one public answer."""
    found = refused(world, WRAP, form(token))
    assert (found.status, found.body) == (401, PUBLIC_ANSWER)
    assert token.decode("latin-1") not in world.log.read_text()
    return found


def mac(signed: bytes, length: int = 32) -> str:
    """The base64 of a MAC, or of its beginning."""
    return b64encode(hmac.digest(KEYS["worker"], signed, "sha256")[:length]).decode()


def with_mac(signed: bytes, encoded: str) -> bytes:
    """A token that ends in any text as its MAC."""
    return signed + b"&HMACSHA256=" + quote_plus(encoded).encode()


def non_canonical(signed: bytes) -> bytes:
    """A token whose MAC decodes to the right bytes, though nobody would encode them so."""
    right = mac(signed)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = right[:-2] + alphabet[alphabet.index(right[-2]) + 1] + "="
    assert b64decode(twin) == b64decode(right)
    return with_mac(signed, twin)


def test_harmless_token_is_accepted(shared_world: World) -> None:
    for name, key in KEYS.items():
        answer = ask(shared_world, WRAP, form(swt(text(shared_world, name), key)))
        assert answer.status_code == 200
        assert name in parse_qs(answer.text)["wrap_access_token"][0]


Mangle = Callable[[bytes], bytes]
BAD: list[tuple[str, Mangle, str]] = [
    ("S11-audience-twice", lambda own: swt(own + b"&Audience=x", KEYS["worker"]), "duplicate"),
    ("S11-issuer-twice", lambda own: swt(b"Issuer=old&" + own, KEYS["worker"]), "duplicate"),
    ("S11-escaped", lambda own: swt(own + b"&%41udience=x", KEYS["worker"]), "duplicate"),
    ("S11-other-case", lambda own: swt(own + b"&issuer=old", KEYS["worker"]), "format"),
    ("S12-parameter", lambda own: swt(own, KEYS["worker"]) + b"&role=admin", "format"),
    ("S12-line", lambda own: swt(own, KEYS["worker"]) + b"\r\n", "format"),
    ("S12-blank", lambda own: swt(own, KEYS["worker"]) + b" ", "format"),
    ("S13-signed-twice", lambda own: swt(swt(own, KEYS["worker"]), KEYS["worker"]), "format"),
    ("S13-first", lambda own: swt(b"HMACSHA256=x&" + own, KEYS["worker"]), "format"),
    ("S15-non-canonical", non_canonical, "format"),
    ("S15-no-padding", lambda own: with_mac(own, mac(own)[:-1]), "format"),
    ("S15-junk", lambda own: with_mac(own, mac(own)[:9] + " " + mac(own)[9:]), "format"),
    ("S15-not-ascii", lambda own: with_mac(own, "é" + mac(own)), "format"),
    ("S16-16-bytes", lambda own: with_mac(own, mac(own, 16)), "signature"),
    ("S16-no-bytes", lambda own: with_mac(own, ""), "signature"),
    ("S17-everywhere", lambda own: swt(own.replace(b"&", b";"), KEYS["worker"]), "format"),
    ("S17-once", lambda own: swt(own + b"&a=b;role=admin", KEYS["worker"]), "format"),
    ("S18-other-identitys-key", lambda own: swt(own, KEYS["old"]), "signature"),
    ("S18-no-key", lambda own: swt(own, b""), "signature"),
    ("S21-not-utf8", lambda own: swt(own + b"&a=%ff", KEYS["worker"]), "format"),
    ("S21-overlong", lambda own: swt(own + b"&a=%c0%80", KEYS["worker"]), "format"),
    ("S21-surrogate", lambda own: swt(own + b"&a=%ed%a0%80", KEYS["worker"]), "format"),
    ("S21-half", lambda own: swt(own + b"&a=%4", KEYS["worker"]), "format"),
    ("S21-unescaped", lambda own: swt(own + "&a=é".encode(), KEYS["worker"]), "format"),
    ("other-text", lambda own: b"not a token at all", "format"),
    ("huge", lambda own: swt(own + b"&a=" + b"b" * 20_000, KEYS["worker"]), "size"),
]  # fmt: skip


@pytest.mark.parametrize(("mangle", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_mangled_token_is_refused(shared_world: World, mangle: Mangle, reason: str) -> None:
    found = refusal(shared_world, mangle(text(shared_world)))
    assert (found.status, found.record["detail"].partition(":")[0]) == (401, reason)


@pytest.mark.parametrize(
    "instant", ["0", "-1", "1" + "0" * 30, "1e9", "%205", "+5", "05", "", "0x5", "253402300800", "1" * 5000]
)
def test_s14_expiry_that_is_no_plain_number_of_seconds_is_refused(shared_world: World, instant: str) -> None:
    token = swt(f"Audience={quote_plus(AUDIENCE)}&ExpiresOn={instant}&Issuer=worker".encode(), KEYS["worker"])
    found = refusal(shared_world, token)
    assert found.record["detail"] == "time: ExpiresOn is not a number of seconds"


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (DAY, None),
        (DAY + timedelta(seconds=1), "time: the lifetime is too long"),
        (DAY * 3650, "time: the lifetime is too long"),
        (timedelta(minutes=-3, seconds=1), None),
        (timedelta(minutes=-3), "time: expired"),
    ],
    ids=str,
)
def test_s14_token_ends_at_most_24_hours_ahead(shared_world: World, ahead: timedelta, reason: str | None) -> None:
    token = swt(text(shared_world, ahead=ahead), KEYS["worker"])
    if reason is None:
        assert present(shared_world, token) == 200
    else:
        assert refusal(shared_world, token).record["detail"] == reason


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [("old", b"", 200), ("worker", b"", 401), ("old", b"&HMACSHA256=x", 401), ("gone", b"", 401), ("nobody", b"", 401)],
)
def test_minimal_form_is_accepted_only_where_the_identity_allows_it(
    shared_world: World, name: str, more: bytes, expected: int
) -> None:
    token = swt(f"Issuer={name}".encode() + more, KEYS.get(name, KEYS["old"]))
    if expected == 200:
        assert present(shared_world, token) == present(shared_world, token) == 200
    else:
        assert refusal(shared_world, token).status == expected


@pytest.mark.parametrize(
    "name", ["nobody", "gone", "WORKER", "worker ", "wörker", "\x00", "' OR 1=1--", "w" * 9000], ids=ascii
)
def test_token_of_an_identity_that_cannot_sign_looks_like_a_wrong_signature(shared_world: World, name: str) -> None:
    own = text(shared_world).replace(b"Issuer=worker", f"Issuer={quote_plus(name)}".encode())
    for key in KEYS.values():
        assert refusal(shared_world, swt(own, key)).record["error"] == "ACS50006"


@pytest.mark.parametrize(
    "audience",
    [
        "https://orders.example/",
        AUDIENCE.replace("contoso", "fabrikam"),
        AUDIENCE + "x",
        "",
        BASE_URL + ".evil.example/",
    ],
)
def test_token_for_another_audience_is_refused(shared_world: World, audience: str) -> None:
    found = refusal(shared_world, swt(text(shared_world, audience=audience), KEYS["worker"]))
    assert found.record["error"] == "ACS50010"


def test_wrong_token_and_wrong_password_have_one_answer(shared_world: World) -> None:
    by_token = refusal(shared_world, swt(text(shared_world), KEYS["old"]))
    assert by_token.answer == refused(shared_world, WRAP, WRAP.form("nobody", "wrong")).answer


def test_s18_token_that_we_issued_does_not_get_another(shared_world: World) -> None:
    issued = shared_world.token("swt")
    assert refusal(shared_world, issued).record["error"] == "ACS50006"


@pytest.mark.parametrize("position", [0, 31], ids=["S20-first-byte", "S20-last-byte"])
@pytest.mark.parametrize("name", ["worker", "nobody", "gone"])
def test_wherever_a_mac_differs_the_work_is_the_same(
    shared_world: World, monkeypatch: pytest.MonkeyPatch, position: int, name: str
) -> None:
    own = text(shared_world).replace(b"Issuer=worker", f"Issuer={name}".encode())
    wrong = bytearray(hmac.digest(KEYS["worker"], own, "sha256"))
    wrong[position] ^= 1
    token = with_mac(own, b64encode(wrong).decode())
    present(shared_world, token)
    calls: list[tuple[str, list[int]]] = []

    def spy(function: str) -> Callable[..., Any]:
        real = getattr(hmac, function)

        def counted(*arguments: Any) -> Any:
            calls.append((function, [len(argument) for argument in arguments]))
            return real(*arguments)

        return counted

    for function in ("digest", "compare_digest"):
        monkeypatch.setattr(hmac, function, spy(function))
    assert present(shared_world, token) == 401
    assert calls == [("digest", [32, len(own), 6]), ("compare_digest", [32, 32])]


def test_token_is_accepted_once(world: World, neighbour: World) -> None:
    token = swt(text(world), KEYS["worker"])
    assert present(world, token) == 200
    found = refusal(world, token)
    assert found.record["error"] == "ACS50013"
    assert refusal(neighbour, token).record["error"] == "ACS50013"


def test_token_that_is_encoded_in_another_way_is_the_same_token(world: World) -> None:
    own = text(world)
    upper = with_mac(own, mac(own))
    head, _, tail = upper.rpartition(b"=")
    assert present(world, upper) == 200
    assert refusal(world, head + b"=" + tail.replace(b"%3D", b"%3d")).record["error"] == "ACS50013"
    assert refusal(world, head + b"=" + tail.replace(b"%3D", b"=")).record["detail"].startswith("format")


def test_token_is_accepted_once_of_sixteen_times_at_once(world: World, neighbour: World) -> None:
    """Two workers on one database, eight requests each."""
    workers = [world, neighbour]
    for worker in workers:
        assert present(worker, swt(text(worker), KEYS["worker"])) == 200
    token = swt(text(world), KEYS["worker"])
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda number: present(workers[number % 2], token), range(16)))
    assert sorted(statuses) == [200] + [401] * 15
    assert [record.get("error") for record in world.records()[-16:]].count("ACS50013") == 15


def test_token_stays_used_until_nobody_accepts_it(world: World) -> None:
    token = swt(text(world, ahead=timedelta(hours=2)), KEYS["worker"])
    assert present(world, token) == 200
    for _ in range(8):
        world.move(minutes=15)
        present(world, swt(text(world), KEYS["worker"]))
        purge(world.service.installation.database, world.now)
        assert refusal(world, token).record["error"] == "ACS50013"
    world.move(minutes=3)
    assert refusal(world, token).record["detail"] == "time: expired"


def test_clock_set_back_opens_no_replay_window(world: World) -> None:
    token = swt(text(world), KEYS["worker"])
    assert present(world, token) == 200
    world.move(hours=3)
    assert purge(world.service.installation.database, world.now) == 1
    world.move(hours=-3)
    assert refusal(world, token).record["error"] == "ACS50013"
