"""Enrolment over Secure Transport: each view parses, makes one call, renders."""

from typing import Final

from flask import Blueprint, Response, request

from sts.core.errors import StsError
from sts.operations.enrolment import enrol, trusted_authorities
from sts.protocols import addresses, est
from sts.web.arrival import read_request
from sts.web.context import current_arrival, current_service, hold, note, refused, response

enrolment: Final = Blueprint("enrolment", __name__)


@enrolment.errorhandler(StsError)
def refuse(error: StsError) -> Response:
    """Every refusal, as RFC 7030 shapes it."""
    return refused(error, est.refuse(error, current_arrival().trace_id))


@enrolment.get(f"/<namespace>/{addresses.EST_CACERTS}")
def cacerts(namespace: str) -> Response:
    """The CAs to trust."""
    service = current_service()
    known = trusted_authorities(service.directory, namespace, service.clock())
    return response(est.render_authorities(known))


@enrolment.post(f"/<namespace>/{addresses.EST_SIMPLEENROLL}")
@enrolment.post(f"/<namespace>/{addresses.EST_SIMPLEREENROLL}")
def simpleenroll(namespace: str) -> Response:
    """A certificate for the service identity that asks; asking again for the same name is no different."""
    service = current_service()
    asked = est.parse(read_request(current_arrival(), request.environ), namespace)
    enrolled = enrol(service.installation, asked, service.parts, service.clock())
    hold(f"the certificate of '{enrolled.principal}'", est.refuse)
    note(
        principal=enrolled.principal,
        serial=f"{enrolled.certificate.serial:x}",
        expires_at=enrolled.certificate.not_after.isoformat(),
        credential_id=enrolled.credential_id,
    )
    return response(est.render(enrolled))
