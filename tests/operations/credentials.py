"""The namespace whose credentials the tests of the verbs work on, and what they ask about it."""

from datetime import datetime, timedelta

from sts.core.credentials import signing_credential
from sts.core.model import Credential, KeyType, Kind, Use
from sts.operations import new_credentials
from sts.operations.new_credentials import CertificateOrder
from sts.operations.rings import CredentialRow, Listing, Outcome, RingName, Selection, list_credentials
from tests.operations.workbench import DAY, NOW, Workbench

SECOND = timedelta(seconds=1)
SIGNING = RingName("contoso")
DECRYPTION = RingName("contoso", Use.DECRYPTION)
KEYS = RingName("contoso", kind=Kind.SYMMETRIC)
ORDERS = RingName("contoso", relying_party="orders")
ORDERS_KEYS = RingName("contoso", kind=Kind.SYMMETRIC, relying_party="orders")
CONTOSO = """
namespace: contoso
relying_parties:
  - {name: orders, realm: urn:orders, token_format: jwt}
  - {name: bills, realm: urn:bills, token_format: swt, managed: true}
"""


def generated(bench: Workbench, ring: RingName = SIGNING, now: datetime = NOW, life: timedelta = 365 * DAY) -> Outcome:
    """A certificate with a key that is quick to make, where the use allows it."""
    quick = KeyType.P256 if ring.use is Use.SIGNING else KeyType.RSA2048
    return new_credentials.generate_certificate(
        bench.installation, CertificateOrder(ring, "CN=new", life, quick, now), now
    )


def rows(bench: Workbench, now: datetime = NOW, **wanted: object) -> tuple[CredentialRow, ...]:
    return list_credentials(bench.installation, Listing("contoso", **{"kind": Kind.CERTIFICATE, **wanted}), now)


def signer(bench: Workbench, now: datetime, party: str = "orders") -> Credential:
    known = bench.known()
    assert known.namespace is not None
    return signing_credential(known.namespace, known.relying_parties[party], now)


def chosen(ring: RingName, outcome: Outcome) -> Selection:
    return Selection(ring, thumbprint=outcome.row.thumbprint)
