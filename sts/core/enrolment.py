"""A service identity enrols a certificate of its namespace's tenant CA: authenticate, choose the CA, certify."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sts.core.authentication import authenticate
from sts.core.errors import AuthenticationFailed
from sts.core.model import Namespace
from sts.core.parts import Parts
from sts.core.tenant_ca import EnrolmentRequest, IssuedCertificate, device, issuing_authority


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A certificate, whose it is, and which credential issued it."""

    certificate: IssuedCertificate
    principal: str
    credential_id: int


def enrol(
    request: EnrolmentRequest, parts: Parts, now: datetime, with_authority: Callable[[Namespace], Namespace]
) -> Enrolled:
    """Issue the certificate that a service identity asks for itself; raises the StsError of the first that refuses.

    Nothing of the certification request is looked at, and nothing is made, before its sender is known;
    `with_authority` then answers the namespace with a tenant CA if it never had one.
    """
    namespace = parts.directory.namespace(request.namespace)
    principal = authenticate(namespace, request, parts, now)
    identity = parts.directory.service_identity(namespace, principal.name)
    if identity is None:
        raise AuthenticationFailed(detail=f"service identity '{principal.name}' was deleted meanwhile")
    namespace = with_authority(namespace)
    credential = issuing_authority(namespace, now)
    authority = parts.key_ring.authority(namespace, credential)
    certificate = authority.certify(request.certification_request, device(identity, now))
    return Enrolled(certificate, principal.name, credential.id)
