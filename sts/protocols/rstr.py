"""RequestSecurityTokenResponse, which carries a token in WS-Federation: written and taken apart (acs.md, 4.3, 4.4)."""

from typing import Final

from lxml import etree

from sts.core.errors import BadRequest, InvalidSignInResponse
from sts.core.exchange import IssuedToken, TokenProof
from sts.crypto.xml import NS, escape_attribute, escape_text, instant, parse
from sts.protocols.token_elements import (
    BINARY_TOKEN,
    ENCRYPTED_ASSERTION,
    SAML_ELEMENTS,
    acs_token_element,
    cut_out,
    reference,
)

TRUST_2005: Final = "http://schemas.xmlsoap.org/ws/2005/02/trust"
TRUST_13: Final = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"

_WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_WSP: Final = "http://schemas.xmlsoap.org/ws/2004/09/policy"
_NO_PROOF_KEY: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey"
_RESPONSES: Final = frozenset(
    f"{{{trust}}}RequestSecurityTokenResponse{more}" for trust in (TRUST_2005, TRUST_13) for more in ("", "Collection")
)
_ANY_TOKEN: Final = ("{*}Assertion", "{*}EncryptedAssertion", "{*}EncryptedData")  # of any namespace, or of none
_MAX_TOLD: Final = 200  # characters of what a stranger wrote, in the log


def feb2005(issued: IssuedToken, context: str | None) -> bytes:
    """Write the response that carries a token, in the namespace of February 2005 and the order that ACS had.

    The token stands in it byte for byte, so that its signature holds. `context` is the relying party's `wctx`. An
    encrypted token is not referred to: its ID is part of what is secret (WS-Trust February 2005, 4.2).
    """
    named = "" if context is None else f' Context="{escape_attribute(context)}"'
    begin, end = instant(issued.issued_at.replace(microsecond=0)), instant(issued.expires_at)
    before = (
        f'<t:RequestSecurityTokenResponse{named} xmlns:t="{TRUST_2005}"><t:Lifetime>'
        f'<wsu:Created xmlns:wsu="{_WSU}">{begin}</wsu:Created><wsu:Expires xmlns:wsu="{_WSU}">{end}</wsu:Expires>'
        f'</t:Lifetime><wsp:AppliesTo xmlns:wsp="{_WSP}"><EndpointReference xmlns="{NS["wsa"]}">'
        f"<Address>{escape_text(issued.audience)}</Address></EndpointReference></wsp:AppliesTo>"
        "<t:RequestedSecurityToken>"
    )
    after = (
        f"</t:RequestedSecurityToken>{_references(issued)}<t:TokenType>{issued.format.uri}</t:TokenType>"
        f"<t:RequestType>{TRUST_2005}/Issue</t:RequestType><t:KeyType>{_NO_PROOF_KEY}</t:KeyType>"
        "</t:RequestSecurityTokenResponse>"
    )
    return before.encode() + acs_token_element(issued) + after.encode()


def _references(issued: IssuedToken) -> str:
    if issued.encrypted or not issued.format.is_saml:
        return ""
    return "".join(f"<t:{name}>{reference(issued)}</t:{name}>" for name in _REFERENCE_NAMES)


_REFERENCE_NAMES: Final = ("RequestedAttachedReference", "RequestedUnattachedReference")


def cut(wresult: bytes) -> TokenProof:
    """Cut the token out of a response: one of February 2005 or of WS-Trust 1.3, there also in a collection of one.

    The document holds exactly one assertion or encrypted one, at the one place where it belongs; white space around it
    does not matter. The answer is the element alone with the namespaces that it inherits. Nothing is verified. Raises
    InvalidSignInResponse, and PayloadTooLarge above 256 kB.
    """
    try:
        root = parse(wresult.strip())
    except BadRequest as error:
        raise _refused(error.detail or error.message) from error
    token = _token(_response(root))
    _refuse_more(root, token)
    return cut_out(token)


def carried(response: bytes) -> bytes | None:
    """Answer the token in a response that somebody wants to look at, whichever way it went; None where this is none.

    SAML is as `cut` has it, SWT and JWT are out of their BinarySecurityToken. Raises InvalidSignInResponse.
    """
    try:
        root = parse(response.strip())
    except BadRequest:
        return None
    if root.tag not in _RESPONSES:
        return None
    binary = root.find(f".//{BINARY_TOKEN}")
    if binary is None:
        return cut(response).token
    try:
        return cut_out(binary).token
    except BadRequest as error:
        raise _refused(error.detail or error.message) from error


def _response(root: etree._Element) -> etree._Element:
    """The RequestSecurityTokenResponse: the root, or all that a collection of WS-Trust 1.3 holds."""
    if root.tag == f"{{{TRUST_13}}}RequestSecurityTokenResponseCollection":
        if len(root) != 1:
            raise _refused(f"shape: a collection of {len(root)}")
        root = root[0]
    elif root.tag == f"{{{TRUST_2005}}}RequestSecurityTokenResponse":
        return root
    if root.tag != f"{{{TRUST_13}}}RequestSecurityTokenResponse":
        raise _refused(f"root: {str(root.tag)[:_MAX_TOLD]}{_fault(root)}")
    return root


def _token(response: etree._Element) -> etree._Element:
    """What RequestedSecurityToken holds, which is a token that can be read."""
    namespace = str(response.tag).rpartition("}")[0]
    places = list(response.iterchildren(f"{namespace}}}RequestedSecurityToken"))
    if len(places) != 1:
        raise _refused(f"shape: {len(places)} of RequestedSecurityToken")
    place = places[0]
    if len(place) != 1:
        raise _refused(f"assertion count: {len(place)} elements in RequestedSecurityToken")
    token = place[0]
    if token.tag not in SAML_ELEMENTS:
        raise _refused(f"assertion count: none; the token is {str(token.tag)[:_MAX_TOLD]}")
    if f"{place.text or ''}{token.tail or ''}".strip():
        raise _refused("shape: text beside the token")
    return token


def _refuse_more(root: etree._Element, token: etree._Element) -> None:
    """Whatever looks like an assertion, in any namespace, is the token or the content of an EncryptedAssertion."""
    found = list(root.iter(*_ANY_TOKEN))
    expected = (
        [token, *token.iterchildren(f"{{{NS['xenc']}}}EncryptedData")] if token.tag == ENCRYPTED_ASSERTION else [token]
    )
    if found != expected or len(expected) > 2:
        raise _refused(f"assertion count: {len(found)}, where {len(expected)} belong")


def _fault(root: etree._Element) -> str:
    """What an identity provider says that reports a fault instead of a token, for the log."""
    text = " ".join("".join(map(str, root.itertext())).split())
    return f", which says: {text[:_MAX_TOLD]!r}" if text else ""


def _refused(detail: str) -> InvalidSignInResponse:
    return InvalidSignInResponse(detail=detail)
