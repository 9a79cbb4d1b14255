"""One real server for all foreign software, configured and keyed an hour ago so that everything is in effect."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sts.core.model import KeyType
from sts.operations.credential_states import make_primary
from sts.operations.new_credentials import CertificateOrder, generate_certificate
from sts.operations.rings import RingName, Selection
from tests.flows.recipient import write_certificate
from tests.flows.server import Server, prepare, running
from tests.flows.world import CONTOSO

SEALED = """
namespace: contoso
service_identities:
  - {name: butler, password: "env:WORKER_PASSWORD", may_act: true}
relying_parties:
  - {name: saml11-cbc, realm: "https://saml11-cbc.example/", token_format: saml11, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, encryption_algorithm: aes256-cbc}
  - {name: saml11-gcm, realm: "https://saml11-gcm.example/", token_format: saml11, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, encryption_algorithm: aes256-gcm}
  - {name: saml20-cbc, realm: "https://saml20-cbc.example/", token_format: saml20, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, encryption_algorithm: aes256-cbc}
  - {name: saml20-gcm, realm: "https://saml20-gcm.example/", token_format: saml20, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, encryption_algorithm: aes256-gcm}
  - {name: saml11-pop, realm: "https://saml11-pop.example/", token_format: saml11, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, proof_of_possession: true}
  - {name: saml20-pop, realm: "https://saml20-pop.example/", token_format: saml20, rule_groups: [all],
     encryption: required, encryption_certificate: sealed.cer, proof_of_possession: true}
"""
CURVES = {"p256": KeyType.P256, "p384": KeyType.P384}


@pytest.fixture(scope="session")
def recipient() -> rsa.RSAPrivateKey:
    """The key of the relying parties that take encrypted tokens."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def server(recipient: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the namespace `contoso`, whose primary is RSA, and of one namespace for each curve."""
    now = datetime.now(UTC)
    then = now - timedelta(hours=1)
    prepared = prepare(tmp_path_factory.mktemp("interop"), then)
    write_certificate(prepared.installation.home / "sealed.cer", recipient, then, now + timedelta(days=1))
    prepared.apply(CONTOSO, then)
    prepared.apply(SEALED, then)
    for name, key_type in CURVES.items():
        prepared.apply(CONTOSO.replace("contoso", name), then)
        ring = RingName(name)
        made = generate_certificate(prepared.installation, CertificateOrder(ring, key_type=key_type), then)
        chosen = Selection(ring, thumbprint=made.row.thumbprint)
        make_primary(prepared.installation, chosen, then + timedelta(minutes=1))
    with running(prepared) as live:
        yield live
