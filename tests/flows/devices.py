"""Devices that enrol certificates, and the tenant CAs that they come to trust."""

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from werkzeug.test import TestResponse

from sts.core.model import Credential, Use
from sts.operations import credential_states
from sts.operations.authorities import TenantCAOrder, make_tenant_ca
from sts.operations.credentials import Ring, store
from sts.operations.rings import Selection
from sts.operations.tenant_ca import ring_of
from tests.crypto.wishes import request
from tests.flows.certified import HEADER, PROXY, byte_sequence
from tests.flows.world import SECRET, World

ENROLL, REENROLL, CACERTS = (f".well-known/est/{name}" for name in ("simpleenroll", "simplereenroll", "cacerts"))


def basic(name: str = "worker", password: str = SECRET) -> str:
    """An Authorization header with a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def enrol(world: World, wish: bytes | None = None, *, path: str = ENROLL, **changes: Any) -> TestResponse:
    """Ask for a certificate by password, for a key of the device's own; `authorization` and `body` may differ."""
    body = base64.encodebytes(request() if wish is None else wish)
    authorization = changes.pop("authorization", basic())
    headers = {"Content-Type": "application/pkcs10", **({"Authorization": authorization} if authorization else {})}
    return world.post(path, changes.pop("body", body), headers={**headers, **changes.pop("headers", {})}, **changes)


def enrol_with(
    world: World, certificate: bytes, wish: bytes | None = None, *, path: str = REENROLL, source: str = PROXY
) -> TestResponse:
    """Ask for a certificate with the present one, which a proxy forwards."""
    headers = {HEADER: byte_sequence(certificate)}
    return enrol(world, wish, path=path, authorization="", headers=headers, environ_overrides={"REMOTE_ADDR": source})


def certificates_of(answer: TestResponse) -> list[bytes]:
    """The certificates (DER) in an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Transfer-Encoding"] == "base64"
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.data))
    return [each.public_bytes(Encoding.DER) for each in found]


def certificate_of(answer: TestResponse) -> x509.Certificate:
    """The one certificate in an answer."""
    [der] = certificates_of(answer)
    return x509.load_der_x509_certificate(der)


def add_next(world: World) -> Credential:
    """Make and publish the next tenant CA, as rollover does."""
    installation = world.service.installation
    material = make_tenant_ca(installation, TenantCAOrder(world.namespace), world.now)
    with installation.database.changing("tests", world.now) as change:
        return store(change, installation.key_ring, Ring(world.namespace, Use.TENANT_CA), material)


def turn_to(world: World, authority: Credential) -> None:
    """Have it issue from now on."""
    chosen = Selection(ring_of("contoso"), thumbprint=authority.thumbprint)
    credential_states.make_primary(world.service.installation, chosen, world.now)


def tenant_cas(world: World) -> list[Credential]:
    """The tenant CAs that the world's namespace holds, oldest first."""
    return [c for c in world.namespace.credentials if c.use is Use.TENANT_CA and c.deleted_at is None]


def root_of(world: World) -> bytes:
    """The certificate of the only root."""
    [root] = world.service.directory.roots()
    assert root.certificate is not None
    return root.certificate
