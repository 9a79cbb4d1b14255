"""Claims that a request asks for (WS-Trust 1.3, 4.1; WS-Federation 1.2, 9.3; Identity Selector Interoperability)."""

from collections.abc import Mapping
from typing import Final

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.trust import RequestedClaims
from sts.crypto.xml import NS
from sts.protocols.wstrust.request_elements import boolean, refuse_text

_IDENTITY: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity"
_AUTHORIZATION_2006: Final = "http://schemas.xmlsoap.org/ws/2006/12/authorization"
_NAMESPACES: Final[Mapping[str, str]] = {  # by dialect
    _IDENTITY: _IDENTITY,
    f"{NS['auth']}/authclaims": NS["auth"],
    f"{_AUTHORIZATION_2006}/authclaims": _AUTHORIZATION_2006,
}
_CLAIM_TYPES: Final = frozenset(f"{{{namespace}}}ClaimType" for namespace in _NAMESPACES.values())
_EXPLANATIONS: Final = frozenset({"DisplayName", "Description", "DisplayValue"})  # for people


def requested_claims(element: etree._Element | None) -> RequestedClaims:
    """The claim types that are asked for, in their order, those that must be there apart from the others.

    A claim that must have a certain value is not asked for here: the rules alone make values. Raises BadRequest.
    """
    if element is None:
        return RequestedClaims()
    tags = _tags(element)
    refuse_text(element)
    required: dict[str, None] = {}
    optional: dict[str, None] = {}
    for child in element:
        if child.tag not in tags:
            raise BadRequest(f"{etree.QName(child).localname[:200]} is no ClaimType of the Claims' Dialect")
        (optional if boolean(child.get("Optional", "false")) else required)[_uri(child)] = None
    return RequestedClaims(tuple(required), tuple(uri for uri in optional if uri not in required))


def _tags(element: etree._Element) -> frozenset[str]:
    dialect = element.get("Dialect")
    if dialect is None:
        return _CLAIM_TYPES
    namespace = _NAMESPACES.get(dialect.strip())
    if namespace is None:
        raise BadRequest(f"the Dialect of Claims is none of {', '.join(_NAMESPACES)}")
    return frozenset({f"{{{namespace}}}ClaimType"})


def _uri(claim: etree._Element) -> str:
    uri = (claim.get("Uri") or "").strip()
    if not uri:
        raise BadRequest("a ClaimType has no Uri")
    wish = next((child for child in claim if etree.QName(child).localname not in _EXPLANATIONS), None)
    if wish is not None:
        raise BadRequest(
            f"the claim '{uri[:200]}' is asked for with {etree.QName(wish).localname[:200]}, which is not understood; "
            "claim types can be asked for, not their values"
        )
    return uri
