"""Devices enrol certificates of their namespace's tenant CA, and read which CAs to trust."""

from datetime import datetime

from sts.core import enrolment
from sts.core.enrolment import Enrolled
from sts.core.errors import NoIssuingAuthority
from sts.core.model import Namespace
from sts.core.parts import Parts
from sts.core.ports import Directory
from sts.core.tenant_ca import EnrolmentRequest, needs_first, root_certificates, tenant_ca_certificates
from sts.operations.authorities import make_first
from sts.operations.installation import Installation


def enrol(installation: Installation, request: EnrolmentRequest, parts: Parts, now: datetime) -> Enrolled:
    """Issue the certificate that a service identity asks for itself; raises what `core.enrolment.enrol` raises.

    A namespace that is older than tenant CAs gets its first, once it is known who asks.
    """

    def with_authority(namespace: Namespace) -> Namespace:
        if not needs_first(namespace):
            return namespace
        make_first(installation, namespace, now)
        return parts.directory.namespace(namespace.name)

    return enrolment.enrol(request, parts, now, with_authority)


def trusted_authorities(directory: Directory, name: str, now: datetime) -> tuple[bytes, ...]:
    """The certificates (DER) of the CAs to trust: the namespace's, the active one first, and the roots above them.

    During an overlap both tenant CAs are among them. Anybody may ask, so nothing is made for it. Raises
    NoIssuingAuthority for a namespace that never had a tenant CA, NamespaceNotFound, StoreUnavailable.
    """
    namespace = directory.namespace(name)
    if needs_first(namespace):
        raise NoIssuingAuthority(f"namespace {name} has no tenant CA yet; the service makes one within a minute")
    chosen = (*tenant_ca_certificates(namespace, now), *root_certificates(directory.roots(), now))
    return tuple(credential.certificate for credential in chosen if credential.certificate is not None)
