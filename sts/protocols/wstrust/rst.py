"""RequestSecurityToken, read: what is asked for, and what is not understood (WS-Trust 1.3, 3.1, 4.1, 4.2 and 9)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from lxml import etree

from sts.core.errors import BadRequest, FormatNotOffered, InvalidSamlToken, InvalidScope, InvalidTimeRange
from sts.core.exchange import TokenProof
from sts.core.model import TokenFormat
from sts.core.trust import Renewing, RequestedLifetime, TrustAction, TrustRequest
from sts.core.uris import WSS_SAML11_TOKEN, WSS_SAML20_TOKEN
from sts.crypto.xml import parse_instant
from sts.protocols.wstrust.claims import requested_claims
from sts.protocols.wstrust.key_request import PARAMETERS, key_request
from sts.protocols.wstrust.names import TRUST_14, WSA10, WSA2004, WSP15, WSP2004, WSU, Dialect
from sts.protocols.wstrust.request_elements import (
    MAX_TEXT,
    Known,
    Parameters,
    boolean,
    only_child,
    parameters,
    refuse_other_attributes,
    refuse_text,
    text,
)
from sts.protocols.wstrust.token_targets import token_in

MAX_REQUESTS: Final = 16  # of one collection

_TOKEN_TYPES: Final[Mapping[str, TokenFormat]] = {
    **{token_format.uri: token_format for token_format in TokenFormat},
    WSS_SAML11_TOKEN: TokenFormat.SAML11,
    WSS_SAML20_TOKEN: TokenFormat.SAML20,
}
_TARGETS: Final[Mapping[TrustAction, str]] = {
    TrustAction.VALIDATE: "ValidateTarget",
    TrustAction.RENEW: "RenewTarget",
    TrustAction.CANCEL: "CancelTarget",
}
_TARGET_NAMES: Final = frozenset(_TARGETS.values())
_MARKS: Final = frozenset({"Forwardable", "Delegatable"})
_ACT_AS: Final = f"{{{TRUST_14}}}ActAs"
_APPLIES_TO: Final = tuple(f"{{{namespace}}}AppliesTo" for namespace in (WSP2004, WSP15))
_ADDRESSES: Final[Mapping[str, str]] = {
    f"{{{namespace}}}EndpointReference": f"{{{namespace}}}Address" for namespace in (WSA10, WSA2004)
}
_NEGOTIATION: Final = "one message asks and one answers"
_SECRECY: Final = "TLS keeps secrets, and tokens are encrypted to their relying party as it is configured"
_DELEGATION: Final = "OnBehalfOf and ActAs say who acts for whom"
_KNOWN: Final = Known(
    names=frozenset(
        {
            *("TokenType", "RequestType", "SecondaryParameters", "Claims", "Lifetime", "Renewing", "OnBehalfOf"),
            *("KeyType", "KeySize", "Entropy", "ComputedKeyAlgorithm", "UseKey", *_TARGET_NAMES),
            *_MARKS,
            # wishes that need not be granted: who issued the token that is presented, and algorithms
            *("Issuer", "SignWith", "EncryptWith", "SignatureAlgorithm", "EncryptionAlgorithm"),
            *("CanonicalizationAlgorithm", "KeyWrapAlgorithm"),
        }
    ),
    tags=frozenset({*_APPLIES_TO, _ACT_AS}),
    refused={
        "AllowPostdating": "tokens begin to be valid when they are issued",
        **dict.fromkeys(("BinaryExchange", "SignChallenge", "SignChallengeResponse", "RequestKET"), _NEGOTIATION),
        **dict.fromkeys(("KeyExchangeToken", "Authenticator", "InteractiveChallengeResponse"), _NEGOTIATION),
        **dict.fromkeys(("Encryption", "ProofEncryption"), _SECRECY),
        **dict.fromkeys(("DelegateTo", "Participants"), _DELEGATION),
        **dict.fromkeys(("Policy", "PolicyReference"), "policies are not read"),
        "AuthenticationType": "the endpoint decides how one authenticates",
    },
)
_USUAL: Final = frozenset({"TokenType", "RequestType", *PARAMETERS, *_TARGET_NAMES, *_APPLIES_TO})
_SECONDARY: Final = ("TokenType", "KeyType", "KeySize", "Claims")


def parse(element: etree._Element, dialect: Dialect, signing: frozenset[str] = frozenset()) -> tuple[TrustRequest, ...]:
    """Read what the body of a message holds: one RequestSecurityToken, or in WS-Trust 1.3 a collection of 2 to 16.

    `signing` are the IDs by which the message calls the key that signed it: of its signature, and of the token in its
    security header. The tokens inside are cut out unread. What is not understood is refused (3.1); wishes that need
    not be granted are not. Raises BadRequest, InvalidScope, InvalidTimeRange or FormatNotOffered.
    """
    if element.tag == dialect.tag("RequestSecurityToken"):
        return (_request(element, dialect, signing),)
    if element.tag != dialect.tag("RequestSecurityTokenCollection") or not dialect.batch_types:
        raise BadRequest(f"the body holds no RequestSecurityToken of {dialect.namespace}")
    refuse_other_attributes(element)
    refuse_text(element)
    if not 2 <= len(element) <= MAX_REQUESTS:
        raise BadRequest(f"a RequestSecurityTokenCollection holds 2 to {MAX_REQUESTS} requests, and not {len(element)}")
    if any(child.tag != dialect.tag("RequestSecurityToken") for child in element):
        raise BadRequest("a RequestSecurityTokenCollection holds nothing but requests")
    requests = tuple(_request(child, dialect, signing) for child in element)
    if len({request.action for request in requests}) > 1:
        raise BadRequest("the requests of a RequestSecurityTokenCollection are all of one RequestType")
    return requests


def _request(element: etree._Element, dialect: Dialect, signing: frozenset[str]) -> TrustRequest:
    refuse_other_attributes(element, "Context")
    found = parameters(element, dialect, _KNOWN)
    action = _action(found, element)
    found = _with_secondary(found)
    token_type = _token_type(found, action)
    request = TrustRequest(
        action=action,
        realm=_realm(found, action),
        token_type=token_type,
        format=None if token_type is None else _TOKEN_TYPES.get(token_type),
        key=key_request(found, signing),
        target=_target(found, action),
        context=_context(element),
    )
    return request if found.elements.keys() <= _USUAL else _with_wishes(request, found)


def _with_wishes(request: TrustRequest, found: Parameters) -> TrustRequest:
    """The same request with what few ask for."""
    _refuse_marks(found)
    return request._replace(
        lifetime=_lifetime(found.elements.get("Lifetime")),
        claims=requested_claims(found.elements.get("Claims")),
        on_behalf_of=_for_whom(found.elements.get("OnBehalfOf"), request.action),
        act_as=_for_whom(found.elements.get(_ACT_AS), request.action),
        renewing=_renewing(found.elements.get("Renewing")),
    )


def _action(found: Parameters, element: etree._Element) -> TrustAction:
    """RequestType; in a collection it may also say that there are more (4.2)."""
    uri = found.text("RequestType")
    if uri is None:
        raise BadRequest("a RequestSecurityToken has no RequestType")
    parent = element.getparent()
    collected = parent is not None and parent.tag == found.dialect.tag("RequestSecurityTokenCollection")
    known = {**found.dialect.request_types, **found.dialect.batch_types} if collected else found.dialect.request_types
    if uri not in known:
        raise BadRequest(f"the RequestType is none of {', '.join(known)}")
    return known[uri]


def _with_secondary(found: Parameters) -> Parameters:
    """The parameters, and those for which the caller is not the originator where it said nothing itself (4.1)."""
    secondary = found.elements.get("SecondaryParameters")
    if secondary is None:
        return found
    elements = dict(found.elements)
    for name in _SECONDARY:
        places = secondary.findall(found.dialect.tag(name))
        if len(places) > 1:
            raise BadRequest(f"{name} is more than once in SecondaryParameters")
        if places:
            elements.setdefault(name, places[0])
    return Parameters(found.dialect, elements)


def _token_type(found: Parameters, action: TrustAction) -> str | None:
    """The URI of the token type that is asked for; of Validate a status alone, unless something else is asked (7)."""
    status = f"{found.dialect.namespace}/RSTR/Status"
    uri = found.text("TokenType")
    if action is TrustAction.VALIDATE and uri in (None, status):
        return status
    if uri is not None and uri not in _TOKEN_TYPES:
        raise FormatNotOffered(f"the TokenType is none of {', '.join(_TOKEN_TYPES)}")
    return uri


def _realm(found: Parameters, action: TrustAction) -> str | None:
    """The one address that AppliesTo names (WS-PolicyAttachment 1.2 and 1.5, 3.4); raises InvalidScope."""
    places = [place for place in map(found.elements.get, _APPLIES_TO) if place is not None]
    if not places and action is not TrustAction.ISSUE:
        return None
    if len(places) != 1:
        raise InvalidScope(f"a request has one AppliesTo, and not {len(places)}")
    try:
        endpoint = only_child(places[0])
        expected = _ADDRESSES.get(str(endpoint.tag))
        if expected is None:
            raise InvalidScope("AppliesTo holds no EndpointReference")
        addresses = list(endpoint.iter("{*}Address"))
        if len(addresses) != 1 or addresses[0].tag != expected or addresses[0].getparent() is not endpoint:
            raise InvalidScope(f"AppliesTo names one Address, and not {len(addresses)}")
        return text(addresses[0])
    except InvalidScope:
        raise
    except BadRequest as error:
        raise InvalidScope(error.message) from error


def _lifetime(element: etree._Element | None) -> RequestedLifetime:
    if element is None:
        return RequestedLifetime()
    found: dict[str, datetime] = {}
    if (element.text or "").strip():
        raise InvalidTimeRange("a Lifetime holds Created and Expires")
    for child in element:
        if child.tag not in (f"{{{WSU}}}Created", f"{{{WSU}}}Expires") or child.tag in found:
            raise InvalidTimeRange("a Lifetime has at most one Created and one Expires")
        try:
            found[str(child.tag)] = parse_instant(text(child))
        except (BadRequest, InvalidSamlToken) as error:
            raise InvalidTimeRange("a Lifetime cannot be read", detail=error.detail) from error
    wanted = RequestedLifetime(found.get(f"{{{WSU}}}Created"), found.get(f"{{{WSU}}}Expires"))
    if wanted.created is not None and wanted.expires is not None and wanted.created >= wanted.expires:
        raise InvalidTimeRange("a Lifetime ends before it begins")
    return wanted


def _renewing(element: etree._Element | None) -> Renewing | None:
    """Whether the token shall be renewable, and once it has expired (5.2)."""
    if element is None:
        return None
    refuse_other_attributes(element, "Allow", "OK")
    if not boolean(element.get("Allow", "true")):
        return Renewing.REFUSED
    return Renewing.AFTER_EXPIRY if boolean(element.get("OK", "false")) else Renewing.ALLOWED


def _refuse_marks(found: Parameters) -> None:
    """Refuse what tokens cannot be marked with (9.3): bound to a machine, or free to be handed on."""
    if not found.has_any(_MARKS):
        return
    if not boolean(found.text("Forwardable") or "true"):
        raise BadRequest("Forwardable cannot be false: tokens are not bound to machines")
    if boolean(found.text("Delegatable") or "false"):
        raise BadRequest(f"Delegatable cannot be true: {_DELEGATION}")


def _for_whom(element: etree._Element | None, action: TrustAction) -> TokenProof | None:
    if element is None:
        return None
    if action is not TrustAction.ISSUE:
        raise BadRequest(f"{etree.QName(element).localname} goes with the RequestType Issue only")
    return token_in(element)


def _target(found: Parameters, action: TrustAction) -> TokenProof | None:
    if action is TrustAction.ISSUE and not found.has_any(_TARGET_NAMES):
        return None
    there = [name for name in _TARGETS.values() if found.elements.get(name) is not None]
    expected = [_TARGETS[action]] if action in _TARGETS else []
    if there != expected:
        told = expected[0] if expected else f"no {' and no '.join(there)}"
        raise BadRequest(f"a request of type {action} has {told}")
    element = found.elements.get(expected[0]) if expected else None
    return None if element is None else token_in(element)


def _context(element: etree._Element) -> str | None:
    context = element.get("Context")
    if context is not None and len(context) > MAX_TEXT:
        raise BadRequest(f"a Context has more than {MAX_TEXT} characters")
    return context
