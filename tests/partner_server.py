"""A partner's web server: real TLS on a local port, under a root of the tests' own, at a made-up public address."""

import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sts.operations.fetching import Network, Reach

HOST = "partner.example"
URL = f"https://{HOST}/metadata.xml"
PUBLIC = "93.184.215.14"

Answer = Callable[[socket.socket], None]


@cache
def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate(name, key.public_key(), (_name(name), key), is_authority=True)


def root(name: str = "test root") -> bytes:
    """The DER of a root that the tests trust."""
    return _authority(name)[1].public_bytes(Encoding.DER)


def plain(body: bytes, head: str = "HTTP/1.1 200 OK") -> Answer:
    """An answer with this body."""
    whole = f"{head}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    return lambda connection: connection.sendall(whole)


@dataclass
class PartnerServer:
    """Answers each connection once, with what `answer` is at that time, and notes what it was asked."""

    port: int
    answer: Answer
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # which the client wanted (SNI)
    ended: Event = field(default_factory=Event)


@contextmanager
def serving(answer: Answer, host: str = HOST, authority: str = "test root") -> Iterator[PartnerServer]:
    """A server with a certificate for the host."""
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryDirectory() as folder:
        server = PartnerServer(listener.getsockname()[1], answer)
        context = _server_context(Path(folder) / "server.pem", host, authority)
        context.sni_callback = lambda connection, name, _: server.names.append(name)
        thread = Thread(target=_serve, args=(listener, context, server), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port)).close()
            thread.join()


@dataclass
class Names:
    """A name service of the tests' own, and a wire on which every public address is the server's port."""

    port: int = 0
    answers: Sequence[Sequence[str]] = ((PUBLIC,),)  # one after the other; the last one stays
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)

    def network(self, limit: float = 10.0) -> Network:
        return Network(self.resolve, self.connect, limit)

    def reach(self, limit: float = 10.0, base_url: str = "https://sts.example") -> Reach:
        return Reach(base_url, (root(),), self.network(limit))

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(("127.0.0.1", self.port), seconds)


def _serve(listener: socket.socket, context: ssl.SSLContext, server: PartnerServer) -> None:
    while True:
        plain_socket, _ = listener.accept()
        with plain_socket:
            if server.ended.is_set():
                return
            plain_socket.settimeout(10)
            with suppress(OSError), context.wrap_socket(plain_socket, server_side=True) as connection:
                server.requests.append(connection.recv(65536))
                server.answer(connection)


def _server_context(file: Path, host: str, authority: str) -> ssl.SSLContext:
    issuer, certificate = _authority(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    own = _certificate(host, key.public_key(), (certificate.subject, issuer), is_authority=False)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + own.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey],
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC).replace(microsecond=0)
    builder = x509.CertificateBuilder(issuer[0], _name(name), key, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=7))
    constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer[1], hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
