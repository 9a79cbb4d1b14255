"""A service, an identity provider and an application at three sites, over TLS, as in earnest."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sts.core.claims import NAME_IDENTIFIER
from sts.core.exchange import TokenDescriptor
from sts.core.model import Claim, KeyType
from sts.core.uris import AuthenticationMethod
from sts.crypto.certificates import Purpose, generate
from sts.crypto.signer import SoftwareSigner
from sts.tokens import saml20
from tests.browser.demo import free_ports
from tests.cli.console import PROGRAM, Console
from tests.cli.test_serve import STOP_LIMIT, wait_until_live
from tests.crypto.authorities import Issuer, Leaf, certificate, elliptic_key
from tests.protocols.wresults import adfs as response

CONFIGURATION = """
namespace: contoso
identity_providers:
  - {{name: adfs, issuer: "https://adfs.example/", sign_in_url: "{provider}", certificates: [adfs.cer]}}
  - {{name: local, kind: local}}
service_identities: [{{name: ann, password: "env:ANN_PASSWORD", interactive: true}}]
relying_parties:
  - name: Reports
    realm: https://reports.example/
    reply: ["{application}"]
    token_format: jwt
    identity_providers: [local]
    rule_groups: [people]
  - name: Orders
    realm: https://orders.example/
    reply: ["{application}"]
    token_format: jwt
    identity_providers: [adfs]
    rule_groups: [people]
rule_groups:
  - {{name: people, rules: [{{input: {{issuer: adfs}}}}, {{input: {{issuer: LOCAL AUTHORITY}}}}]}}
"""
POSTED = (
    '<form method="post" action="{action}"><input type="hidden" name="wa" value="wsignin1.0">'
    '<input type="hidden" name="wctx" value="{state}"><input type="hidden" name="wresult" value="{wresult}"></form>'
    "<script>document.forms[0].submit()</script>"
)
ASKED = (
    '<form method="post" action="{action}"><input type="hidden" name="wa" value="wsignin1.0">'
    '<input type="hidden" name="wtrealm" value="https://reports.example/">'
    '<textarea name="wctx">a&amp;b\n\u20ac</textarea></form><script>document.forms[0].submit()</script>'
)
PASSWORD = "correct horse battery staple"


class Quiet(ThreadingHTTPServer):
    """A server that bears with browsers which end a handshake because they know nobody who signed the certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Raise whatever is no such end."""
        if not isinstance(sys.exception(), ssl.SSLError):
            raise


@dataclass
class Sites:
    """The three, as the browser sees them."""

    service_port: int
    other_port: int
    signer: SoftwareSigner
    signed_in: int = 0  # how often somebody reached the application with a response
    contexts: list[str] = field(default_factory=list)  # that came back with those
    cleanups: list[str] = field(default_factory=list)  # where the application was told to forget

    @property
    def base_url(self) -> str:
        """The service."""
        return f"https://sts.example:{self.service_port}"

    @property
    def issuer(self) -> str:
        """The namespace at the service."""
        return f"{self.base_url}/contoso/"

    @property
    def application(self) -> str:
        """Where tokens are delivered."""
        return f"https://orders.example:{self.other_port}/signin"

    @property
    def provider(self) -> str:
        """Where people sign in."""
        return f"https://adfs.example:{self.other_port}/ls"

    def address(self, action: str) -> str:
        """Where the application sends people."""
        return f"{self.issuer}v2/wsfederation?wa={action}&wtrealm=https://orders.example/"

    @property
    def asking(self) -> str:
        """A page of the application that sends people to sign in by a form of its own."""
        return f"https://orders.example:{self.other_port}/asking"

    def answer(self, host: str, path: str) -> str:
        """The page of the identity provider or of the application."""
        asked = dict(parse_qsl(urlsplit(path).query))
        return self._provide(asked) if host.startswith("adfs") else self._apply(path, asked)

    def _provide(self, asked: dict[str, str]) -> str:
        if asked["wa"] == "wsignin1.0":
            wresult = escape(response(self._token().decode()))
            return POSTED.format(action=escape(asked["wreply"]), state=escape(asked["wctx"]), wresult=wresult)
        cleanup = escape(f"{self.issuer}v2/wsfederation?wa=wsignoutcleanup1.0")
        onward = f'<a href="{escape(asked["wreply"])}">Back</a>' if "wreply" in asked else ""
        return f'<h1>Goodbye</h1><iframe src="{cleanup}"></iframe>{onward}'

    def _apply(self, path: str, asked: dict[str, str]) -> str:
        if asked.get("wa") == "wsignoutcleanup1.0":
            self.cleanups.append(path)
        if path == "/asking":
            return ASKED.format(action=f"{self.issuer}v2/wsfederation")
        return "<h1>Orders</h1>"

    def _token(self) -> bytes:
        now = datetime.now(UTC)
        descriptor = TokenDescriptor(
            id=os.urandom(16).hex(),
            issuer="https://adfs.example/",
            audience=self.issuer,
            issued_at=now,
            not_before=now,
            expires_at=now + timedelta(minutes=5),
            claims=(Claim(NAME_IDENTIFIER, "ann", "https://adfs.example/"),),
            authenticated_at=now,
            authentication_method=AuthenticationMethod.PASSWORD,
        )
        return saml20.write(descriptor, self.signer)


@contextmanager
def running_sites(home: Path) -> Iterator[Sites]:
    """Run all three until the end of the block."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    key, public = generate("CN=adfs", KeyType.RSA2048, begin, begin + timedelta(days=30), Purpose.SIGNING)
    (home / "adfs.cer").write_bytes(public)
    sites = Sites(*free_ports(), SoftwareSigner.from_private_key(key, public))
    _write_tls(home)
    with _others(sites, home), _service(sites, home):
        yield sites


@contextmanager
def _service(sites: Sites, home: Path) -> Iterator[None]:
    console, port = Console(home), str(sites.service_port)
    text = CONFIGURATION.format(provider=sites.provider, application=sites.application)
    (home / "contoso.yaml").write_text(text)
    console.ok("apply", home / "contoso.yaml", STS_BASE_URL=sites.base_url, ANN_PASSWORD=PASSWORD)
    files = ("--tls-certificate", str(home / "tls.pem"), "--tls-key", str(home / "tls.key"))
    command = [*PROGRAM, "serve", "--host", "127.0.0.1", "--port", port, "--workers", "1", *files]
    environ = console.environment(STS_BASE_URL=sites.base_url)
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    try:
        wait_until_live(server, sites.service_port, trust)
        yield
    finally:
        server.terminate()
        server.wait(STOP_LIMIT)


@contextmanager
def _others(sites: Sites, home: Path) -> Iterator[None]:
    """The identity provider and the application, by their host names."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_icon = self.path == "/favicon.ico"
            self._send("" if is_icon else sites.answer(self.headers["Host"], self.path))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"]))
            fields = dict(parse_qsl(form.decode()))
            sites.signed_in += "wresult" in fields
            sites.contexts.append(fields.get("wctx", ""))
            self._send("<h1>Orders</h1>")

        def _send(self, page: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *about: object) -> None:
            """Say nothing."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(home / "tls.pem", home / "tls.key")
    with Quiet(("127.0.0.1", sites.other_port), Answer) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _write_tls(home: Path) -> None:
    """A certificate that nobody has reason to trust."""
    key = elliptic_key("tls")
    der = certificate(Leaf(key.public_key()), Issuer("CN=leaf", key))
    (home / "tls.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    (home / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
