"""A service identity enrols a certificate of its namespace's tenant CA: authenticate, choose the CA, certify."""

from dataclasses import dataclass
from datetime import datetime

from sts.core.authentication import authenticate
from sts.core.parts import Parts
from sts.core.tenant_ca import EnrolmentRequest, IssuedCertificate, device, issuing_authority


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A certificate, whose it is, and which credential issued it."""

    certificate: IssuedCertificate
    principal: str
    credential_id: int


def enrol(request: EnrolmentRequest, parts: Parts, now: datetime) -> Enrolled:
    """Issue the certificate that a service identity asks for itself; raises the StsError of the first that refuses.

    Nothing of the certification request is looked at before its sender is known.
    """
    namespace = parts.directory.namespace(request.namespace)
    principal = authenticate(namespace, request, parts, now)
    credential = issuing_authority(namespace, now)
    authority = parts.key_ring.authority(namespace, credential)
    certificate = authority.certify(request.certification_request, device(principal.name, now))
    return Enrolled(certificate, principal.name, credential.id)
