"""The token that a parameter holds or refers to, cut out unread (WS-Trust 1.3, 5, 6, 7 and 9.1)."""

from typing import Final

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.exchange import TokenProof
from sts.crypto.xml import ID_ATTRIBUTES
from sts.protocols.token_elements import cut_out
from sts.protocols.wstrust.names import WSSE
from sts.protocols.wstrust.request_elements import only_child, refuse_text, text

REFERENCE_TO_TOKEN: Final = f"{{{WSSE}}}SecurityTokenReference"

_DIRECT: Final = f"{{{WSSE}}}Reference"
_KEY_IDENTIFIER: Final = f"{{{WSSE}}}KeyIdentifier"
_HEADER_TOKENS: Final = f"./{{*}}Header/{{{WSSE}}}Security/*"
_SAML_IDENTIFIERS: Final = frozenset(
    {
        "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID",
        "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID",
    }
)


def token_in(place: etree._Element) -> TokenProof:
    """The token that stands in a parameter, or in the security header of the message if a reference means it.

    Raises BadRequest where there is no token, or one of another kind than this service reads.
    """
    token = only_child(place)
    if token.tag == REFERENCE_TO_TOKEN:
        token = _referred_to(token)
    return cut_out(token)


def direct_reference(reference: etree._Element) -> str:
    """The ID that a SecurityTokenReference names, within the message; raises BadRequest (WS-Security 1.1, 7)."""
    means = only_child(reference)
    if means.tag == _KEY_IDENTIFIER and means.get("ValueType") in _SAML_IDENTIFIERS:
        return text(means)
    uri = means.get("URI", "") if means.tag == _DIRECT else ""
    refuse_text(means)
    if len(means) or len(uri) < 2 or not uri.startswith("#"):
        raise BadRequest(
            "a SecurityTokenReference here is a Reference to an ID within the message, or the KeyIdentifier of a SAML "
            "assertion"
        )
    return uri[1:]


def _referred_to(reference: etree._Element) -> etree._Element:
    wanted = direct_reference(reference)
    message = reference.getroottree().getroot()
    for token in message.iterfind(_HEADER_TOKENS):
        named = {str(name).rpartition("}")[2]: value for name, value in token.items()}
        if any(named.get(name) == wanted for name in ID_ATTRIBUTES):
            return token
    raise BadRequest("a SecurityTokenReference means no token in the security header; send the token itself")
