"""A device of a factory gets tokens with its certificate, from the day the factory's CA is verified until it goes."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509.oid import NameOID

from sts.operations import tenant_ca, trusted_cas
from sts.operations.rings import Selection
from sts.operations.tenant_ca import ProofOrder
from sts.operations.trusted_cas import TrustedCAName
from tests.crypto.authorities import elliptic_key
from tests.crypto.factories import FACTORY, NAMESAKE, STRANGER, self_made
from tests.flows.certified import behind_a_proxy, byte_sequence, escaped_pem, present, trust
from tests.flows.test_no_sql import statements
from tests.flows.tokens import PARTIES
from tests.flows.world import CONTOSO, SECRET, World, decode, lend, members, open_world


@pytest.fixture
def world(pattern: Path, tmp_path: Path) -> Iterator[World]:
    """A service of the test's own, behind a proxy."""
    shutil.copytree(pattern, tmp_path, dirs_exist_ok=True)
    yield from lend(behind_a_proxy(tmp_path))


def pin(world: World, certificate: bytes) -> None:
    (world.home / "pinned.cer").write_bytes(certificate)
    world.apply(CONTOSO.replace("{name: old,", "{name: old, certificate: pinned.cer,"))


@pytest.mark.parametrize("write", [byte_sequence, escaped_pem], ids=["RFC 9440", "nginx"])
def test_a_device_of_a_verified_ca_gets_a_token_in_its_own_name(world: World, write: Callable[[bytes], str]) -> None:
    device = write(FACTORY.issue())
    assert present(world, device).status_code == 401
    trust(world)
    answer = present(world, device)
    claims = jwt.decode(members(answer)["access_token"], options={"verify_signature": False})
    assert claims["nameid"] == "worker"
    assert world.records()[-1]["principal"] == "worker"
    assert world.records()[-1]["source"] == "10.0.0.1"


@pytest.mark.parametrize("party", PARTIES)
def test_a_certificate_serves_for_tokens_of_every_format(world: World, party: str) -> None:
    trust(world)
    assert present(world, FACTORY.issue(), party=party).status_code == 200


def test_a_saml_assertion_tells_that_a_certificate_authenticated(world: World) -> None:
    trust(world)
    assertion = decode(members(present(world, FACTORY.issue(), party="saml20"))["access_token"])
    assert assertion.count(b"urn:oasis:names:tc:SAML:2.0:ac:classes:X509") == 1


def test_a_pinned_certificate_serves_while_it_is_pinned(world: World) -> None:
    own, other = self_made(), self_made()
    assert present(world, own, client_id="old").status_code == 401
    pin(world, own)
    assert present(world, own, client_id="old").status_code == 200
    assert present(world, other, client_id="old").status_code == 401
    assert present(world, own, client_id="worker").status_code == 401
    pin(world, other)
    assert present(world, own, client_id="old").status_code == 401


def test_a_factory_changes_its_ca_without_a_gap(world: World) -> None:
    old = trust(world)
    devices = FACTORY.issue(), NAMESAKE.issue()
    assert [present(world, each).status_code for each in devices] == [200, 401]
    new = trust(world, NAMESAKE)
    assert [present(world, each).status_code for each in devices] == [200, 200]
    trusted_cas.remove(world.service.installation, old, world.now)
    assert [present(world, each).status_code for each in devices] == [401, 200]
    trusted_cas.replace(world.service.installation, new, FACTORY.certificate(), world.now)
    assert [present(world, each).status_code for each in devices] == [401, 401]


def test_a_change_reaches_the_other_workers(world: World) -> None:
    neighbour = behind_a_proxy(world.home)
    assert present(neighbour, FACTORY.issue()).status_code == 401
    named = trust(world)
    neighbour.service.directory.poll()
    assert present(neighbour, FACTORY.issue()).status_code == 200
    trusted_cas.remove(world.service.installation, named, world.now)
    neighbour.service.directory.poll()
    assert present(neighbour, FACTORY.issue()).status_code == 401
    neighbour.close()


def test_certificates_end_with_their_dates_and_those_of_their_ca(world: World) -> None:
    trust(world)
    device = FACTORY.issue()
    world.move(days=9)
    assert present(world, device).status_code == 200
    world.move(days=1)
    assert present(world, device).status_code == 401
    world.move(days=3650)
    late = FACTORY.issue(not_before=world.now.replace(microsecond=0), not_after=world.now.replace(year=2099))
    assert present(world, late).status_code == 401
    assert "no CA that is trusted now" in world.records()[-1]["detail"]


def test_where_there_is_a_secret_it_decides(world: World) -> None:
    trust(world)
    device, foreign = FACTORY.issue(), STRANGER.issue()
    assert present(world, device, client_secret="wrong").status_code == 401
    assert present(world, foreign, client_secret=SECRET).status_code == 200
    assert present(world, None, client_secret=SECRET).status_code == 200
    assert present(world, None).status_code == 401


def test_certificates_cost_no_sql_once_the_process_is_warm(world: World) -> None:
    trust(world)
    own = self_made()
    pin(world, own)
    assert present(world, FACTORY.issue()).status_code == 200
    assert present(world, own, client_id="old").status_code == 200
    with statements() as seen:
        for _ in range(20):
            assert present(world, FACTORY.issue()).status_code == 200
            assert present(world, own, client_id="old").status_code == 200
            assert present(world, STRANGER.issue()).status_code == 401
    assert seen == []


def test_discovery_offers_certificates_where_they_are_read(world: World, pattern: Path, tmp_path: Path) -> None:
    always = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    plain = open_world(shutil.copytree(pattern, tmp_path / "plain"))
    documents = ("/contoso/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/contoso")
    for path in documents:
        for service, methods in (
            (world, [*always, "tls_client_auth", "self_signed_tls_client_auth"]),
            (plain, always),
        ):
            answer = service.client.get(path, base_url="http://127.0.0.1:8000")
            assert members(answer)["token_endpoint_auth_methods_supported"] == methods
    plain.close()


def test_the_ca_of_another_namespace_vouches_for_nobody_here(world: World) -> None:
    world.apply("namespace: fabrikam\n")
    trust(world, namespace="fabrikam")
    assert present(world, FACTORY.issue()).status_code == 401


def test_a_tenant_ca_is_trusted_by_another_namespace_once_it_has_proved_itself(world: World) -> None:
    world.apply("namespace: fabrikam\n")
    installation, fabrikam = world.service.installation, Selection(tenant_ca.ring_of("fabrikam"))
    named = TrustedCAName("contoso", "fabrikam")
    trusted_cas.add(installation, named, tenant_ca.download(installation, fabrikam, world.now).der, world.now)
    code = trusted_cas.new_code(installation, named, world.now).code
    proof = tenant_ca.prove(installation, ProofOrder(fabrikam, code), world.now).certificate.der
    assert trusted_cas.verify(installation, named, proof, world.now).status == "Verified"


def test_a_certificate_that_a_device_enrolled_for_a_day_gets_it_tokens_that_day(world: World) -> None:
    key = elliptic_key("device")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "worker")])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, SHA256()).public_bytes(Encoding.DER)
    answer = world.post(
        ".well-known/est/simpleenroll",
        base64.encodebytes(request),
        content_type="application/pkcs10",
        auth=("worker", SECRET),
    )
    assert answer.status_code == 200, answer.text
    (issued,) = load_der_pkcs7_certificates(base64.b64decode(answer.data))
    device = issued.public_bytes(Encoding.DER)
    assert present(world, device).status_code == 200
    assert present(world, device, client_id="old").status_code == 401
    world.move(hours=24, seconds=1)
    assert present(world, device).status_code == 401
    assert "not valid now" in world.records()[-1]["detail"]
