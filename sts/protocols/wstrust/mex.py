"""WS-MetadataExchange (September 2004): the description of a namespace's endpoints, asked for by a message."""

from collections.abc import Mapping
from typing import Final

from sts.protocols.addresses import WS_TRUST_MEX
from sts.protocols.http import Answer
from sts.protocols.wstrust import addressing, soap, wsdl
from sts.protocols.wstrust.addressing import Place
from sts.protocols.wstrust.errors import BadEnvelope
from sts.protocols.wstrust.soap import Envelope

MEX: Final = "http://schemas.xmlsoap.org/ws/2004/09/mex"

_GET: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"  # all of it (WS-Transfer, 3.1); the body is empty
_GET_METADATA: Final = f"{MEX}/GetMetadata/Request"  # of one dialect, or all of it (4.2)
_ANSWERS: Final[Mapping[str, str]] = {
    _GET: f"{_GET}Response",
    _GET_METADATA: f"{MEX}/GetMetadata/Response",
}


def place(roots: tuple[str, ...]) -> Place:
    """Where the description is asked for; `roots` are what the addresses of a namespace begin with."""
    return Place(WS_TRUST_MEX, roots, _ANSWERS)


def answer(envelope: Envelope, action: str, description: bytes) -> Answer:
    """Answer a message with the WSDL document.

    There is one; whoever asks for another dialect or document gets none. Raises BadEnvelope.
    """
    section = _section(description) if _wants_description(envelope, action) else b""
    body = b'<mex:Metadata xmlns:mex="%b">%b</mex:Metadata>' % (MEX.encode(), section)
    header = addressing.reply_to(envelope).header(_ANSWERS[action])
    return soap.answer(envelope.version, 200, soap.written(envelope.version, header, body))


def _wants_description(envelope: Envelope, action: str) -> bool:
    if action == _GET:
        return True
    if [str(child.tag) for child in envelope.body] != [f"{{{MEX}}}GetMetadata"]:
        raise BadEnvelope("the body of this Action holds one GetMetadata")
    dialect, identifier = (envelope.content.findtext(f"{{{MEX}}}{name}") for name in ("Dialect", "Identifier"))
    return _is_or_any(dialect, wsdl.WSDL) and _is_or_any(identifier, wsdl.TARGET)


def _is_or_any(asked: str | None, offered: str) -> bool:
    return asked is None or asked.strip() == offered


def _section(description: bytes) -> bytes:
    start = f'<mex:MetadataSection Dialect="{wsdl.WSDL}" Identifier="{wsdl.TARGET}">'.encode()
    return start + description + b"</mex:MetadataSection>"
