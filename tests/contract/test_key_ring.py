"""What every KeyRing does."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP

from sts.core.errors import KeyUnreadable
from sts.core.model import KeyTransport, KeyType, Namespace, ServiceIdentity, Use
from sts.core.tenant_ca import Subscriber
from sts.crypto import certificates
from sts.crypto.authority import make_root
from sts.crypto.certificates import Purpose
from sts.crypto.signer import private_key_bytes
from tests.contract.backends import Backend
from tests.core import builders
from tests.core.builders import DAY, NOW
from tests.crypto.wishes import request

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")


def test_symmetric_credential_signs_with_its_own_key(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    stored = backend.insert_credential(contoso, builders.key(thumbprint="ab" * 20), b"k" * 32)
    signer = backend.key_ring.signer(contoso, stored)
    assert signer.sign(b"data") == hmac.digest(b"k" * 32, b"data", hashlib.sha256)
    assert signer.key_id == base64.urlsafe_b64encode(bytes.fromhex("ab" * 20)).decode().rstrip("=")
    assert signer.certificate is None


def test_certificate_signs_with_its_private_key(backend: Backend) -> None:
    key, der = certificates.generate("CN=contoso", KeyType.P256, NOW, NOW + DAY, Purpose.SIGNING)
    contoso = backend.save_namespace(CONTOSO)
    stored = backend.insert_credential(contoso, builders.credential(certificate=der), private_key_bytes(key))
    signer = backend.other_process().key_ring.signer(contoso, stored)
    signature = signer.sign(b"data")
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public = certificates.public_key(der)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(utils.encode_dss_signature(r, s), b"data", ec.ECDSA(hashes.SHA256()))
    assert signer.certificate == der


def test_tenant_ca_certifies_until_it_is_destroyed(backend: Backend) -> None:
    key, der = make_root(Subscriber("contoso tenant CA", NOW, NOW + DAY), KeyType.P256)
    contoso = backend.save_namespace(CONTOSO)
    held = builders.credential(use=Use.TENANT_CA, certificate=der)
    stored = backend.insert_credential(contoso, held, private_key_bytes(key))
    other = backend.other_process()
    for process in (backend, other):
        process.directory.namespace("contoso")
        issued = process.key_ring.authority(contoso, stored).certify(request(), Subscriber("worker", NOW, NOW + DAY))
        assert certificates.parse(issued.der).issuer == "CN=contoso tenant CA"
    backend.delete_credential(contoso, stored)
    other.settle()
    for process in (backend, other):
        with pytest.raises(KeyUnreadable):
            process.key_ring.authority(contoso, stored)


def test_destroyed_credential_does_not_sign_any_more(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    stored = backend.insert_credential(contoso, builders.key(), b"k" * 32)
    other = backend.other_process()
    for process in (backend, other):
        process.directory.namespace("contoso")
        assert process.key_ring.signer(contoso, stored).sign(b"data")
    backend.delete_credential(contoso, stored)
    other.settle()
    for process in (backend, other):
        with pytest.raises(KeyUnreadable):
            process.key_ring.signer(contoso, stored)


def test_decryption_certificate_unwraps_until_it_is_destroyed(backend: Backend) -> None:
    key, der = certificates.generate("CN=contoso", KeyType.RSA2048, NOW, NOW + DAY, Purpose.DECRYPTION)
    public = certificates.public_key(der)
    assert isinstance(public, rsa.RSAPublicKey)
    wrapped = public.encrypt(b"c" * 32, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None))
    contoso = backend.save_namespace(CONTOSO)
    held = builders.credential(use=Use.DECRYPTION, certificate=der)
    stored = backend.insert_credential(contoso, held, private_key_bytes(key))
    other = backend.other_process()
    for process in (backend, other):
        process.directory.namespace("contoso")
        decrypter = process.key_ring.decrypter(contoso, stored)
        assert decrypter.unwrap(wrapped, KeyTransport.RSA_OAEP_11_SHA256) == b"c" * 32
    backend.delete_credential(contoso, stored)
    other.settle()
    for process in (backend, other):
        with pytest.raises(KeyUnreadable):
            process.key_ring.decrypter(contoso, stored)


def test_shared_key_follows_the_service_identity(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    worker = backend.save_service_identity(contoso, ServiceIdentity(0, "worker"), b"1" * 32)
    other = backend.other_process()
    for expected in (b"1" * 32, b"2" * 32):
        backend.save_service_identity(contoso, replace(worker, has_symmetric_key=True), expected)
        for process in (backend, other):
            process.settle()
            identity = process.directory.service_identity(contoso, "worker")
            assert identity
            assert identity.has_symmetric_key
            assert process.key_ring.shared_key(contoso, identity) == expected
            assert process.key_ring.shared_key(contoso, identity) == expected


def test_service_identity_without_a_key_has_none_to_give(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    worker = backend.save_service_identity(contoso, ServiceIdentity(0, "worker"))
    with pytest.raises(KeyUnreadable):
        backend.key_ring.shared_key(contoso, worker)


def test_symmetric_signing_key_is_read_until_it_is_destroyed(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    stored = backend.insert_credential(contoso, builders.key(), b"k" * 32)
    other = backend.other_process()
    for process in (backend, other):
        process.directory.namespace("contoso")
        assert process.key_ring.signing_key(contoso, stored) == b"k" * 32
    backend.delete_credential(contoso, stored)
    other.settle()
    for process in (backend, other):
        with pytest.raises(KeyUnreadable):
            process.key_ring.signing_key(contoso, stored)


def test_password_that_is_kept_recoverable_goes_with_its_hash_and_with_the_setting(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    worker = ServiceIdentity(0, "worker", password_hash="a hash", recoverable_password=True)

    def passwords() -> set[bytes | None]:
        found = set()
        for process in (backend, other):
            process.settle()
            identity = process.directory.service_identity(process.directory.namespace("contoso"), "worker")
            assert identity
            found.add(process.key_ring.recoverable_password(contoso, identity))
        return found

    other = backend.other_process()
    stored = backend.save_service_identity(contoso, worker)
    assert passwords() == {None}
    stored = backend.save_service_identity(contoso, stored, password=b"first")
    assert passwords() == {b"first"}
    stored = backend.save_service_identity(contoso, replace(stored, enabled=False))
    assert passwords() == {b"first"}
    stored = backend.save_service_identity(contoso, replace(stored, password_hash="another"))
    assert passwords() == {None}
    stored = backend.save_service_identity(contoso, stored, password=b"second")
    backend.save_service_identity(contoso, replace(stored, recoverable_password=False))
    assert passwords() == {None}
