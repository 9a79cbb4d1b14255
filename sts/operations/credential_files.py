"""The verbs that hand out: a certificate to whoever verifies, a symmetric key to its relying party."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

from sts.core.errors import NotFound
from sts.crypto import certificates
from sts.operations.installation import Installation
from sts.operations.rings import CredentialRow, Selection, open_ring, row_of, select


@dataclass(frozen=True, slots=True)
class CertificateCopy:
    """A certificate as it is handed out; private keys never are."""

    row: CredentialRow
    der: bytes = field(repr=False)

    @property
    def pem(self) -> bytes:
        """The certificate as PEM text."""
        return certificates.pem(self.der)


@dataclass(frozen=True, slots=True)
class KeyCopy:
    """A symmetric key as it is handed out."""

    row: CredentialRow
    value: str = field(repr=False)  # standard base64 of the 32 bytes


def download_certificate(installation: Installation, selection: Selection, now: datetime) -> CertificateCopy:
    """Answer a certificate, the active one unless another is selected; raises NotFound."""
    with installation.database.reading() as connection:
        opened = open_ring(connection, installation, selection.ring)
        chosen = select(connection, opened, selection, now)
    if chosen.certificate is None:
        raise NotFound("a symmetric key has no certificate")
    return CertificateCopy(row_of(opened, chosen, now), chosen.certificate)


def export_key(installation: Installation, selection: Selection, now: datetime) -> KeyCopy:
    """Answer a symmetric key, the active one unless another is selected; the audit trail says who took it.

    Raises NotFound, KeyUnreadable.
    """
    with installation.database.changing(installation.actor, now) as change:
        opened = open_ring(change.connection, installation, selection.ring)
        chosen = select(change.connection, opened, selection, now)
        value = base64.b64encode(installation.key_ring.secret(opened.namespace, chosen)).decode("ascii")
        details = {"scope": chosen.scope, "use": chosen.use, "thumbprint": chosen.thumbprint}
        change.audit(opened.namespace.name, "symmetric.export", f"credential:{chosen.id}", details)
    return KeyCopy(row_of(opened, chosen, now), value)
