"""Signing in at the real server: two workers, one browser."""

from collections.abc import Iterator
from datetime import UTC, datetime
from socket import create_connection
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import etree

from tests.flows.browsing import Browser, hidden
from tests.flows.server import Server, prepare, running
from tests.flows.world import SECRET

CONFIGURATION = """
namespace: contoso
identity_providers: [{name: local, kind: local}]
service_identities: [{name: ann, password: "env:WORKER_PASSWORD", interactive: true}]
rule_groups: [{name: people, rules: [{input: {issuer: LOCAL AUTHORITY}}]}]
relying_parties:
  - {name: orders, realm: "https://orders.example/", token_format: saml20, rule_groups: [people],
     reply: ["https://orders.example/signin"], identity_providers: [local]}
  - {name: stock, realm: "https://stock.example/", token_format: jwt, rule_groups: [people],
     reply: ["https://stock.example/signin"], identity_providers: [local]}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server in which people sign in."""
    now = datetime.now(UTC)
    prepared = prepare(tmp_path_factory.mktemp("server"), now)
    prepared.apply(CONFIGURATION, now)
    with running(prepared):
        yield prepared


def sign_in(server: Server, party: str) -> str:
    """The address of a sign-in."""
    query = urlencode({"wa": "wsignin1.0", "wtrealm": f"https://{party}.example/", "wctx": "c"})
    return f"{server.base_url}/contoso/v2/wsfederation?{query}"


def test_any_worker_goes_on_with_what_another_began(server: Server) -> None:
    for _ in range(8):
        browser = Browser()
        form = browser.open(sign_in(server, "orders"))
        fields = {"state": hidden(form, "state"), "username": "ann", "password": SECRET}
        posted = browser.open(str(form.xpath("string(//form/@action)")), fields)
        assert posted.xpath("string(//form/@action)") == "https://orders.example/signin"
        assert hidden(posted, "wctx") == "c"
        assert "Assertion" in hidden(posted, "wresult")
        assert "BinarySecurityToken" in hidden(browser.open(sign_in(server, "stock")), "wresult")


def asked(server: Server, context: bytes) -> etree._Element:
    """The choice of identity providers that a sign-in leads to whose address has these octets as its wctx."""
    base = urlsplit(server.base_url)
    query = urlencode({"wa": "wsignin1.0", "wtrealm": "https://orders.example/", "redirect": "false", "wctx": ""})
    with create_connection((base.hostname, base.port), timeout=30) as connection:
        head = f" HTTP/1.1\r\nHost: {base.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(f"GET /contoso/v2/wsfederation?{query}".encode() + context + head.encode())
        answer = connection.makefile("rb").read()
    return etree.HTML(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"\xc3\xa9t\xc3\xa9", "\u00e9t\u00e9"),
        (b"%C3%A9t\xc3\xa9", "\u00e9t\u00e9"),
        (b"\xe2\x82\xac\xf0\x9f\x98\x80", "\u20ac\U0001f600"),
    ],
)
def test_query_that_is_not_escaped_is_utf_8(server: Server, written: bytes, read: str) -> None:
    (address,) = asked(server, written).xpath("//a/@href")
    assert parse_qs(urlsplit(address).query)["wctx"] == [read]
