"""Clients that authenticate with certificates, which a proxy in front of the service forwards."""

import base64
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from werkzeug.test import TestResponse

from sts.crypto.certificates import pem
from sts.operations import trusted_cas
from sts.operations.trusted_cas import TrustedCAName
from tests.crypto.factories import FACTORY, Factory
from tests.flows.world import World, open_world

PROXY: Final = "10.0.0.1"
HEADER: Final = "ClientCert"
SETTINGS: Final = {"trusted_proxies": (ip_network(PROXY),), "client_certificate_header": HEADER}


def behind_a_proxy(home: Path, **settings: Any) -> World:
    """The service of a folder, which believes its proxy's header."""
    return open_world(home, **{**SETTINGS, **settings})


def byte_sequence(certificate: bytes) -> str:
    """A certificate as RFC 9440 writes it."""
    return f":{base64.b64encode(certificate).decode()}:"


def escaped_pem(certificate: bytes) -> str:
    """A certificate as nginx writes it."""
    return quote(pem(certificate).decode(), safe="")


def present(
    world: World, certificate: bytes | str | None, *, party: str = "jwt", source: str = PROXY, **changes: str | None
) -> TestResponse:
    """Ask `oauth2/token` for a token with a certificate, or with this header; `None` leaves a field out."""
    form = {
        "grant_type": "client_credentials",
        "client_id": "worker",
        "resource": f"https://{party}.example/",
        **changes,
    }
    header = byte_sequence(certificate) if isinstance(certificate, bytes) else certificate
    return world.post(
        "oauth2/token",
        {name: value for name, value in form.items() if value is not None},
        headers={} if header is None else {HEADER: header},
        environ_overrides={"REMOTE_ADDR": source},
    )


def trust(world: World, factory: Factory = FACTORY, namespace: str = "contoso") -> TrustedCAName:
    """Add a factory's CA and prove that it holds its key."""
    named = TrustedCAName(namespace, f"{factory.name}-{factory.generation}")
    installation = world.service.installation
    trusted_cas.add(installation, named, factory.certificate(), world.now)
    code = trusted_cas.new_code(installation, named, world.now).code
    trusted_cas.verify(installation, named, factory.prove(code), world.now)
    return named
