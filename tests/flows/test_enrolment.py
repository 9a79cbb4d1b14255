"""Devices get a certificate for the day, and whoever they connect to can verify it with OpenSSL."""

import base64
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sts.core.model import Use
from sts.operations import credential_states, tenant_ca
from sts.operations.credential_states import Breakage
from sts.operations.rings import Selection
from sts.operations.tenant_ca import ProofOrder, ring_of
from sts.store import credentials
from sts.store.tables import credential as rows
from tests.crypto.authorities import elliptic_key, rsa_key
from tests.crypto.wishes import ASKING_FOR_A_CA, bad_requests, request
from tests.flows.certified import HEADER
from tests.flows.devices import (
    CACERTS,
    ENROLL,
    REENROLL,
    add_next,
    basic,
    certificate_of,
    certificates_of,
    enrol,
    enrol_with,
    root_of,
    tenant_cas,
    turn_to,
)
from tests.flows.self_issued import self_issued
from tests.flows.test_no_sql import statements
from tests.flows.world import World
from tests.openssl import Chain, certificates_in, certification_request, openssl, verify

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def authority(world: World) -> bytes:
    [held] = tenant_cas(world)
    assert held.certificate is not None
    return held.certificate


def dates(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


@pytest.mark.parametrize("path", [ENROLL, REENROLL])
def test_a_password_gets_a_certificate_for_a_day(still_world: World, path: str) -> None:
    answer = enrol(still_world, path=path)
    assert answer.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    made = certificate_of(answer)
    assert made.subject.rfc4514_string() == "CN=worker"
    assert made.public_key() == elliptic_key("device").public_key()
    [held] = tenant_cas(still_world)
    assert dates(made) == (max(held.not_before, still_world.now - 5 * MINUTE), still_world.now + DAY)


def test_a_key_gets_one_too(still_world: World) -> None:
    token = self_issued(still_world).decode()
    assert certificate_of(enrol(still_world, authorization=f"Bearer {token}")).subject.rfc4514_string() == "CN=worker"
    assert enrol(still_world, authorization=f"Bearer {token}").status_code == 401  # once


def test_openssl_enrols_and_openssl_verifies(still_world: World, tmp_path: Path) -> None:
    wish = certification_request(tmp_path, "-newkey", "rsa:2048", "-subj", "/O=Contoso/CN=worker")
    (tmp_path / "answer.b64").write_bytes(enrol(still_world, wish).data)
    (tmp_path / "cacerts.b64").write_bytes(still_world.get(CACERTS).data)
    for name in ("answer", "cacerts"):
        openssl(tmp_path, "base64", "-d", "-in", f"{name}.b64", "-out", f"{name}.p7")
    [device] = certificates_in(tmp_path, (tmp_path / "answer.p7").read_bytes())
    known = certificates_in(tmp_path, (tmp_path / "cacerts.p7").read_bytes())
    assert sorted(known) == sorted([authority(still_world), root_of(still_world)])
    verify(
        tmp_path, Chain(device, [root_of(still_world)], [authority(still_world)]), still_world.now, purpose="sslclient"
    )
    verify(tmp_path, Chain(device, known), still_world.now + DAY - MINUTE, purpose="sslclient")
    with pytest.raises(AssertionError, match="expired"):
        verify(tmp_path, Chain(device, known), still_world.now + DAY + MINUTE)
    (tmp_path / "device.cer").write_bytes(device)
    matching = openssl(tmp_path, "x509", "-inform", "DER", "-in", "device.cer", "-noout", "-pubkey")
    assert openssl(tmp_path, "pkey", "-in", "device.key", "-pubout") == matching


def test_openssl_verifies_what_a_device_signed_with_its_certificate(still_world: World, tmp_path: Path) -> None:
    wish = certification_request(tmp_path, "-newkey", "rsa:2048", "-subj", "/CN=worker")
    device = certificate_of(enrol(still_world, wish))
    pem = x509.load_der_x509_certificate(authority(still_world)).public_bytes(Encoding.PEM)
    (tmp_path / "device.pem").write_bytes(device.public_bytes(Encoding.PEM))
    root = x509.load_der_x509_certificate(root_of(still_world)).public_bytes(Encoding.PEM)
    (tmp_path / "known.pem").write_bytes(pem + root)
    (tmp_path / "report.txt").write_text("21.5 degrees\n")
    openssl(
        tmp_path,
        *("cms", "-sign", "-in", "report.txt", "-signer", "device.pem", "-inkey", "device.key", "-nodetach"),
        *("-outform", "DER", "-out", "report.cms"),
    )
    at = str(int(still_world.now.timestamp()))
    read = openssl(
        tmp_path,
        *("cms", "-verify", "-inform", "DER", "-in", "report.cms", "-CAfile", "known.pem", "-attime", at),
        *("-purpose", "sslclient"),
    )
    assert b"21.5 degrees" in read


@pytest.mark.parametrize("key", [rsa_key(), elliptic_key()], ids=["rsa", "p256"])
def test_the_certificate_is_for_the_devices_own_key(still_world: World, key: object) -> None:
    assert certificate_of(enrol(still_world, request(key=key))).public_key() == key.public_key()  # type: ignore[attr-defined]


def test_a_request_that_names_nobody_gets_a_certificate_in_its_senders_name(still_world: World) -> None:
    assert certificate_of(enrol(still_world, request(names=[]))).subject.rfc4514_string() == "CN=worker"


def test_nobody_becomes_a_ca_by_asking(still_world: World) -> None:
    made = certificate_of(enrol(still_world, request(extensions=ASKING_FOR_A_CA)))
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False


BAD = {name: each for name, each in bad_requests().items() if name != "too large"}


@pytest.mark.parametrize(("wish", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_refused_and_recorded_once(still_world: World, wish: bytes, reason: str) -> None:
    before = len(still_world.records())
    answer = enrol(still_world, wish)
    assert answer.status_code == 400
    assert reason in answer.text
    [record] = still_world.records()[before:]
    assert (record["status"], "serial" in record) == (400, False)
    assert reason in record["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not base64!", 400),
        (request(), 400),
        (base64.b64encode(request())[:-1], 400),
        (base64.b64encode(b"\x30" * 10_241), 413),
        (b"A" * 20_000, 413),
        (b"A" * 300_001, 413),
    ],
)
def test_a_malformed_body_is_refused(still_world: World, body: bytes, status: int) -> None:
    answer = enrol(still_world, body=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "the device sent no credentials"),
        (basic(password="wrong"), "the password is wrong"),
        (basic("somebody"), "unknown service identity"),
        (basic("gone"), "service identity 'gone' is disabled"),
        (basic("old"), "no password"),
        ("Bearer Issuer=worker&HMACSHA256=AAAA", ""),
        ("Negotiate abc", "the Authorization header's scheme is neither Basic nor Bearer"),
    ],
)
def test_whoever_is_not_known_gets_one_answer(world: World, authorization: str, reason: str) -> None:
    answer = enrol(world, bad_requests()["RSA of 1024 bits"][0], authorization=authorization)
    assert answer.status_code == 401
    assert answer.text.startswith("ACS50012: Authentication failed.\nTrace id: ")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="est", charset="UTF-8"'
    [record] = world.records()
    assert (record["status"], "serial" in record) == (401, False)
    assert reason in record["detail"]


def test_guessing_is_bounded_as_at_the_token_endpoints(world: World) -> None:
    statuses = [enrol(world, authorization=basic(password=f"guess {number}")).status_code for number in range(30)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    answer = enrol(world)
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert world.oauth("jwt").status_code == 429


def test_one_record_names_the_certificate_and_who_issued_it(world: World) -> None:
    made = certificate_of(enrol(world))
    [record] = world.records()
    assert record["path"] == f"/contoso/{ENROLL}"
    assert (record["status"], record["principal"]) == (200, "worker")
    assert record["serial"] == f"{made.serial_number:x}"
    assert record["credential_id"] == tenant_cas(world)[0].id
    assert "BEGIN" not in str(record)
    assert 'sts_requests_total{door="enrolment",status="200"} 1.0' in world.client.get("/metrics").text


def test_a_warm_process_enrols_without_the_database(still_world: World) -> None:
    enrol(still_world)
    still_world.get(CACERTS)
    with statements() as seen:
        for path in (ENROLL, REENROLL):
            assert enrol(still_world, path=path).status_code == 200
        assert still_world.get(CACERTS).status_code == 200
    assert seen == []


def test_enrolment_is_offered_at_the_namespaces_own_host(world: World) -> None:
    world.apply("namespace: contoso\nhosts: [contoso.sts.example]\n")
    own = {"base_url": "http://contoso.sts.example"}
    known = certificates_of(world.client.get(f"/{CACERTS}", **own))
    assert sorted(known) == sorted([authority(world), root_of(world)])
    headers = {"Authorization": basic(), "Content-Type": "application/pkcs10"}
    answer = world.client.post(f"/{ENROLL}", data=base64.b64encode(request()), headers=headers, **own)
    assert certificate_of(answer).subject.rfc4514_string() == "CN=worker"


@pytest.mark.parametrize(("path", "status"), [(CACERTS, 404), (ENROLL, 404)])
def test_a_namespace_that_is_not_there_is_not_found(still_world: World, path: str, status: int) -> None:
    url = f"/nowhere/{path}"
    headers = {"Authorization": basic(), "Content-Type": "application/pkcs10"}
    body = base64.b64encode(request())
    answer = (
        still_world.client.get(url) if path == CACERTS else still_world.client.post(url, data=body, headers=headers)
    )
    assert answer.status_code == status


@pytest.mark.parametrize(("method", "path"), [("GET", ENROLL), ("PUT", ENROLL), ("POST", CACERTS)])
def test_other_methods_are_refused(still_world: World, method: str, path: str) -> None:
    answer = still_world.client.open(f"/contoso/{path}", method=method)
    assert answer.status_code == 405
    assert ("POST" if path == ENROLL else "GET") in answer.headers["Allow"]


def test_an_identity_that_is_disabled_enrols_no_more(world: World) -> None:
    assert enrol(world).status_code == 200
    identities = '{name: worker, password: "env:WORKER_PASSWORD", symmetric_key: "env:WORKER_KEY", enabled: false}'
    world.apply(f"namespace: contoso\nservice_identities: [{identities}]\n")
    assert enrol(world).status_code == 401


def test_a_present_certificate_gets_the_next_ones_day_after_day(proxied: World) -> None:
    held = certificates_of(enrol(proxied))[0]
    for _ in range(5):
        proxied.move(hours=20)
        answer = enrol_with(proxied, held)
        made = certificate_of(answer)
        assert dates(made) == (proxied.now - 5 * MINUTE, proxied.now + DAY)
        assert made.subject.rfc4514_string() == "CN=worker"
        held = certificates_of(answer)[0]
    proxied.move(hours=25)
    assert enrol_with(proxied, held).status_code == 401


def test_a_certificate_counts_only_where_the_trusted_proxy_forwards_it(proxied: World) -> None:
    held = certificates_of(enrol(proxied))[0]
    assert enrol_with(proxied, held, path=ENROLL).status_code == 200
    assert enrol_with(proxied, held, source="192.0.2.1").status_code == 401


def test_a_present_certificate_gets_none_in_another_name(proxied: World) -> None:
    held = certificates_of(enrol(proxied))[0]
    assert enrol_with(proxied, held, request(names=["old"])).status_code == 400


def test_a_device_of_another_namespace_is_a_stranger(proxied: World) -> None:
    identities = '{name: worker, password: "env:WORKER_PASSWORD"}'
    proxied.apply(f"namespace: fabrikam\nservice_identities: [{identities}]\n")
    theirs = proxied.client.post(
        f"/fabrikam/{ENROLL}",
        data=base64.b64encode(request()),
        headers={"Authorization": basic(), "Content-Type": "application/pkcs10"},
        base_url="http://127.0.0.1:8000",
    )
    assert enrol_with(proxied, certificates_of(theirs)[0]).status_code == 401


def test_an_enrolled_certificate_gets_tokens(proxied: World) -> None:
    held = certificates_of(enrol(proxied))[0]
    form = {"grant_type": "client_credentials", "client_id": "worker", "resource": "https://jwt.example/"}
    headers = {HEADER: f":{base64.b64encode(held).decode()}:"}
    override = {"REMOTE_ADDR": "10.0.0.1"}
    assert proxied.post("oauth2/token", form, headers=headers, environ_overrides=override).status_code == 200


def test_both_tenant_cas_are_trusted_during_the_overlap(proxied: World, tmp_path: Path) -> None:
    first = tenant_cas(proxied)[0]
    proxied.move(days=640)
    by_the_old = certificates_of(enrol(proxied))[0]
    second = add_next(proxied)
    assert first.certificate is not None
    assert second.certificate is not None
    root = root_of(proxied)
    known = certificates_of(proxied.get(CACERTS))
    assert sorted(known) == sorted([first.certificate, second.certificate, root])
    assert certificate_of(enrol(proxied)).issuer.rfc4514_string() == first.subject
    proxied.move(seconds=10)
    turn_to(proxied, second)
    by_the_new = certificates_of(enrol_with(proxied, by_the_old))[0]
    for device, issuer in ((by_the_old, first.certificate), (by_the_new, second.certificate)):
        verify(tmp_path, Chain(device, [root], [issuer]), proxied.now, purpose="sslclient")
        assert enrol_with(proxied, device).status_code == 200
    assert sorted(certificates_of(proxied.get(CACERTS))) == sorted(known)
    proxied.move(days=91)
    assert sorted(certificates_of(proxied.get(CACERTS))) == sorted([second.certificate, root])


def test_nothing_that_a_tenant_ca_issues_outlives_it(world: World) -> None:
    [held] = tenant_cas(world)
    world.clock.now = held.not_after - timedelta(hours=6)
    assert certificate_of(enrol(world)).not_valid_after_utc == held.not_after
    world.move(hours=7)
    answer = enrol(world)
    assert answer.status_code == 503
    assert f"the tenant CA certificate {held.subject}" in answer.text
    assert "expired on" in answer.text
    [record] = world.records()[-1:]
    assert record["error"] == "ACS50004"


def test_a_revoked_tenant_ca_issues_nothing_and_is_trusted_no_more(world: World) -> None:
    [held] = tenant_cas(world)
    chosen = Selection(ring_of("contoso"), thumbprint=held.thumbprint)
    credential_states.revoke(world.service.installation, chosen, world.now, Breakage.ACCEPTED)
    assert enrol(world).status_code == 503
    assert certificates_of(world.get(CACERTS)) == [root_of(world)]


def test_an_older_namespace_gets_its_tenant_ca_when_somebody_it_knows_enrols(world: World) -> None:
    with world.service.installation.database.recording() as connection:
        connection.execute(sa.delete(rows).where(rows.c.use.in_([Use.TENANT_CA, Use.ROOT_CA])))
    for strangers in (world.get(CACERTS), enrol(world, authorization=""), enrol(world, authorization=basic("nobody"))):
        assert strangers.status_code in (401, 503)
        with world.service.installation.database.reading() as connection:
            assert credentials.list_roots(connection) == ()
    assert "has no tenant CA yet" in world.get(CACERTS).text
    for _ in range(2):
        assert enrol(world).status_code == 200
        assert world.get(CACERTS).status_code == 200
    assert len(tenant_cas(world)) == 1


def test_openssl_verifies_the_proof_of_a_running_service(still_world: World, tmp_path: Path) -> None:
    order = ProofOrder(Selection(ring_of("contoso")), "0123456789ABCDEF" * 3)
    proof = tenant_ca.prove(still_world.service.installation, order, still_world.now).certificate.der
    known = certificates_of(still_world.get(CACERTS))
    verify(tmp_path, Chain(proof, known), still_world.now)
    subject = x509.load_der_x509_certificate(proof).subject.rfc4514_string()
    assert subject == f"CN={order.code}"
