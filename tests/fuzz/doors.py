"""What is fuzzed through the doors of a whole service: answers of identity providers, and people's requests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any
from urllib.parse import quote_plus, urlsplit

from sts.protocols.addresses import IDENTITY_PROVIDERS, LOCAL_SIGN_IN, WS_FEDERATION
from tests.flows.people import Page, Person
from tests.fuzz.mutations import Mutator
from tests.fuzz.running import Execute, Forged
from tests.fuzz.world import PARTIES, donors, honest, last_record, require_stated, sealed, service, visitor
from tests.protocols.wresults import adfs, bare, collection, token_first

RESPONSES: tuple[Callable[[str], str], ...] = (adfs, bare, collection, token_first)
PEOPLE = ("alice", "bob")
REPLIES = tuple(f"https://{name}.example/" for name in (*PARTIES.values(), "choice", "form", "told"))
PROVIDERS = tuple(f"https://{name}.example/ls" for name in (*PARTIES, "other"))


class Failed(AssertionError):
    """An internal error, or an answer that leads where nobody is registered."""


def _answered(random: Random, name: str) -> str:
    """Bring a changed answer of an identity provider, with the state and the cookie of a sign-in that we began."""
    person = Person(service(), source=visitor())
    state = person.sign_in(PARTIES[name]).asked["wctx"]
    document = _answer(Mutator(random, donors(name)), name)
    with _noting(document):
        page = person.bring(state, document)
        return _judged(page, last_record(person.world))


@contextmanager
def _noting(sent: object) -> Iterator[None]:
    """Have a failure say what was sent, since keys and IDs are others the next time."""
    try:
        yield
    except Exception as error:
        error.add_note(f"from {sent!r}")
        raise


def _judged(page: Page, record: Mapping[str, object]) -> str:
    """Why an answer was refused; raises Forged and Failed."""
    if page.status == 200:
        require_stated(page)
        if record.get("principal") not in PEOPLE:
            raise Forged(str(record))
        return ""
    if not 400 <= page.status < 500 or "wresult" in page.answer.text or "principal" in record:
        raise Failed(f"{page.status}: {record}")
    return _reason(record)


def _answer(mutator: Mutator, name: str) -> bytes:
    """A response of which the token, its encryption, what is around it or all of them are changed."""
    random, token = mutator.random, honest(mutator.random, name)
    if random.random() < 0.4:
        token = mutator.changed(token)
    travelling = sealed(random, name, token)
    if random.random() < (0.5 if travelling != token else 0.3):
        travelling = mutator.changed(travelling)
    head, tail = random.choice(RESPONSES)("@").encode().split(b"@")
    document = head + travelling + tail
    return mutator.changed(document) if random.random() < 0.4 else document


def _reason(record: Mapping[str, object]) -> str:
    detail = str(record.get("detail") or record.get("message") or "")
    return detail.partition(":")[0][:60]


NAMES = (
    *("wa", "wtrealm", "wreply", "wctx", "whr", "wfresh", "wauth", "wct", "protocol", "redirect", "email", "wresult"),
    *("wreq", "wp", "wencoding", "state", "username", "password", "version", "callback", "request_id", "reply_to", "x"),
)
VALUES = (
    *("wsignin1.0", "wsignin1.0", "wsignin1.0", "wsignout1.0", "wsignoutcleanup1.0", "wattr1.0", "", " ", "0", "-1"),
    *("https://jwt.example/", "https://choice.example/", "https://form.example/", "https://told.example/", "urn:x"),
    *("https://jwt.example/signin", "https://jwt.example/other?x=1", "https://jwt.example@evil.example/"),
    *("https://evil.example/", "//evil.example/", "javascript:alert(1)", "https://[::1", "https://jwt.example:0x1/"),
    *(
        "adfs",
        "other",
        "local",
        "ann",
        "ann@adfs.example",
        "@",
        "a@b@c",
        "\u017f",
        "\udcff",
        "\x00",
        "\r\nSet-Cookie: a=b",
    ),
    *("2026-06-01T12:00:00Z", "2026-13-01T00:00:00Z", "javascriptnotify", "form", "true", "false", "1" * 4000),
    *("<script>alert(1)</script>", '"><img src=x>', "x" * 3000, "a.b", "alert", "1.0", "9" * 20, "10 ", "\u0661"),
    *("<t:RequestSecurityTokenResponse/>", "urn:oasis:names:tc:SAML:1.0:am:password", "{}", "%", "+", "&", "=", ";"),
)
RAW = (b"%", b"%zz", b"%00", b"%ff", b"\xff", b"&&", b"=", b";", b"+", b"%u0041", b"%c0%80", b"%ed%a0%80", b"#", b"?")
PATHS = (WS_FEDERATION, WS_FEDERATION, WS_FEDERATION, LOCAL_SIGN_IN, IDENTITY_PROVIDERS)
METHODS = (*("GET", "POST") * 8, "HEAD", "PUT", "OPTIONS")


def _asked(random: Random) -> str:
    """Ask to sign in or out, or for the feed, with any parameters at all."""
    person = Person(service(), source=visitor())
    if random.random() < 0.3:
        person.sign_in(random.choice(("jwt", "choice", "form")))
    path = f"/contoso/{random.choice(PATHS)}"
    others = (path.upper(), f"{path}/", path.replace("contoso", "nobody"))
    path = random.choice(others) if random.random() < 0.1 else path
    asked: dict[str, Any] = {
        "path": path,
        "method": random.choice(METHODS),
        "query_string": parameters(random).decode("latin-1"),
        "data": parameters(random) if random.random() < 0.5 else None,
        "content_type": random.choice(("application/x-www-form-urlencoded", "text/plain", "")) or None,
        "headers": _cookies(random),
    }
    with _noting(asked):
        source = {"REMOTE_ADDR": person.source}
        answer = person.client.open(**asked, base_url=person.base_url, environ_overrides=source)
        record = last_record(person.world)
        if answer.status_code >= 500 or {"principal", "token_id"} & record.keys():
            raise Failed(f"{answer.status_code}: {record}")
        require_known(person, Page(answer))
    return _reason(record) if "error" in record else ""


def parameters(random: Random) -> bytes:
    """Fields of a request, encoded: usual ones, hostile ones, and what is no encoding."""
    fields = [(b"wa", b"wsignin1.0"), (b"wtrealm", b"https%3A%2F%2Fjwt.example%2F")] if random.random() < 0.6 else []
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 2, 3, 3, 5, 120))):
        value = quote_plus(random.choice(VALUES), errors="surrogateescape").encode()
        if random.random() < 0.15:
            at = random.randint(0, len(value))
            value = value[:at] + random.choice(RAW) + value[at:]
        fields.append((random.choice(NAMES).encode(), value))
    if random.random() < 0.3:
        random.shuffle(fields)
    return b"&".join(name + b"=" + value for name, value in fields)


def _cookies(random: Random) -> Mapping[str, str]:
    if random.random() < 0.7:
        return {}
    text = "".join(chr(random.randrange(32, 256)) for _ in range(random.choice((1, 20, 300))))
    name = random.choice(("__Host-sts", "sts-contoso-browser", "sts-contoso-session", "=", "a"))
    return {"Cookie": f"{name}={text}"}


def require_known(person: Person, page: Page) -> None:
    """Return if the answer leads only where somebody is registered, and hands out no token; raises Failed."""
    addresses = [page.location] if page.location else []
    if page.answer.mimetype == "text/html" and page.answer.text:  # a HEAD has none
        addresses += [page.action, *page.links.values(), *page.frames]
    for address in filter(None, addresses):
        base = urlsplit(address)._replace(query="", fragment="").geturl()
        ours = f"{person.base_url}/"
        if not (base.startswith(ours) or base in PROVIDERS or base.startswith(REPLIES)):
            raise Failed(f"leads to {address!r}")
    if "wresult" in page.answer.text and "<form" in page.answer.text and page.fields.get("wresult"):
        raise Forged(page.answer.text)


def _answers_of(name: str) -> Execute:
    return lambda random: _answered(random, name)


KINDS: dict[str, Execute] = {
    "responses at the door": _answers_of("adfs"),
    "encrypted responses at the door (GCM)": _answers_of("sealing"),
    "encrypted responses at the door (CBC)": _answers_of("cbc"),
    "sign-in requests at the door": _asked,
}
