"""The description of the WS-Trust endpoints, asked for by a SOAP message."""

from typing import Final

from flask import Blueprint, Response, request

from sts.core.errors import NotFound, StsError
from sts.operations.publish import DocumentKind
from sts.protocols import addresses
from sts.protocols.content_type import media_type
from sts.protocols.wstrust import addressing, faults, mex, soap
from sts.protocols.wstrust.addressing import Reply
from sts.protocols.wstrust.errors import UnreachableDestination
from sts.protocols.wstrust.names import WS_TRUST_13
from sts.protocols.wstrust.soap import SoapVersion
from sts.web.arrival import Arrival, read_request
from sts.web.context import current_arrival, current_service, refused, response
from sts.web.trust_endpoints import roots

_SOAP: Final = frozenset(version.media_type for version in SoapVersion)

metadata_exchange: Final = Blueprint("metadata_exchange", __name__)


@metadata_exchange.post(f"/<namespace>/{addresses.WS_TRUST_MEX}")
def exchange_metadata(namespace: str) -> Response:
    """The description in an envelope (WS-MetadataExchange, WS-Transfer Get); every refusal is a SOAP fault."""
    service, arrival = current_service(), current_arrival()
    now = service.clock()
    reply = Reply(soap.version_of_media_type(arrival.content_type))
    try:
        asked = read_request(arrival, request.environ)
        root = soap.document(asked)
        reply = Reply(soap.version_spoken(root))
        envelope = soap.taken_apart(root)
        reply = addressing.reply_to(envelope)
        soap.require_understood(envelope, addressing.UNDERSTOOD)
        known = service.directory.namespace(namespace)
        action = addressing.arrived(envelope, mex.place(roots(known)), asked)
        document = service.publications.document(known, DocumentKind.TRUST_DESCRIPTION, now)
        return response(mex.answer(envelope, action, document.body))
    except StsError as error:
        return _fault(error, reply)


def is_message(arrival: Arrival) -> bool:
    """Whether a request comes from somebody who reads SOAP faults and nothing else.

    That is whoever posts to the description, or SOAP to an address beside it where no endpoint is.
    """
    path = f"{arrival.route.lower().rstrip('/')}/"
    if arrival.method != "POST" or not path.startswith(addresses.WS_TRUST):
        return False
    return path == f"{addresses.WS_TRUST_MEX}/" or media_type(arrival.content_type) in _SOAP


def refuse_message(error: StsError) -> Response:
    """Refuse a message that nobody read."""
    if isinstance(error, NotFound):
        error = UnreachableDestination(error.message)
    return _fault(error, Reply(soap.version_of_media_type(current_arrival().content_type)))


def _fault(error: StsError, reply: Reply) -> Response:
    arrival, now = current_arrival(), current_service().clock()
    circumstances = faults.Circumstances(WS_TRUST_13, reply, arrival.trace_id, now)
    return refused(error, faults.refuse(error, circumstances))
