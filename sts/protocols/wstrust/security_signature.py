"""The signature in a security header: what it covers, and the one token whose key must have made it."""

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.proof_keys import DEFAULT_LABEL, DEFAULT_LENGTH, require_derivable
from sts.core.trust import Derivation, Possession
from sts.crypto.message_signature import cut, identifiers
from sts.crypto.xml import NS
from sts.protocols.token_elements import BINARY_TOKEN, SAML_ELEMENTS, binary_octets
from sts.protocols.wstrust.errors import BadSecurity
from sts.protocols.wstrust.header_elements import local_name, octets, optional, require_only, required, text
from sts.protocols.wstrust.names import SC13, SC2005, WSSE

DERIVED_KEYS: Final = tuple(f"{{{namespace}}}DerivedKeyToken" for namespace in (SC2005, SC13))
SIGNATURE: Final = f"{{{NS['ds']}}}Signature"

_REFERENCE: Final = f"{{{WSSE}}}SecurityTokenReference"
_SAML_IDS: Final = ("ID", "AssertionID")
_THUMBPRINT: Final = "#ThumbprintSHA1"
_LONGEST_NONCE: Final = 512  # bytes
_NUMBER: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


class SignedParts(NamedTuple):
    """What a message's signature must cover, and what it may."""

    required: Sequence[etree._Element]
    allowed: Sequence[etree._Element]


def possession(security: etree._Element, token: etree._Element, parts: SignedParts) -> Possession:
    """The proof that the sender holds the key of a token: the one signature of a security header, unverified.

    Its KeyInfo refers to that token, or to the one key in the header that is derived from the token's. Raises
    BadSecurity and InvalidSignature.
    """
    signature = required(security, SIGNATURE)
    derived = _only_derived(security)
    elements = [*parts.allowed, token, *([] if derived is None else [derived])]
    try:
        cut_out = cut(signature, parts.required, elements)
    except BadRequest as error:
        raise BadSecurity(error.message, detail=error.detail) from error
    key_info = optional(signature, f"{{{NS['ds']}}}KeyInfo")
    if derived is None:
        if key_info is not None:
            _require_reference(key_info, token)
        return cut_out
    if key_info is None or not _refers(required(key_info, _REFERENCE), derived):
        raise BadSecurity("the signature's KeyInfo does not refer to the DerivedKeyToken")
    return cut_out._replace(derivation=_derivation(derived, token))


def _only_derived(security: etree._Element) -> etree._Element | None:
    found = [child for child in security if child.tag in DERIVED_KEYS]
    if len(found) > 1:
        raise BadSecurity(f"Security holds {len(found)} of DerivedKeyToken")
    return found[0] if found else None


def _derivation(derived: etree._Element, token: etree._Element) -> Derivation:
    """How the key of a DerivedKeyToken comes from that of the token (WS-SecureConversation 1.3, 7)."""
    namespace = etree.QName(derived).namespace
    algorithm = derived.get("Algorithm", f"{namespace}/dk/p_sha1")
    if algorithm not in (f"{SC2005}/dk/p_sha1", f"{SC13}/dk/p_sha1"):
        raise BadSecurity("a derived key is made by P_SHA1")
    names = ("Generation", "Offset", "Length", "Label", "Nonce")
    require_only(derived, (_REFERENCE, *(f"{{{namespace}}}{name}" for name in names)))
    _require_reference(derived, token)
    generation, offset, length, label, nonce = (optional(derived, f"{{{namespace}}}{name}") for name in names)
    if generation is not None and offset is not None:
        raise BadSecurity("a DerivedKeyToken has a Generation or an Offset, not both")
    size = DEFAULT_LENGTH if length is None else _number(length)
    begin = 0 if offset is None else _number(offset)
    derivation = Derivation(
        label=DEFAULT_LABEL if label is None else text(label).encode(),
        nonce=b"" if nonce is None else octets(nonce, _LONGEST_NONCE),
        offset=begin if generation is None else _number(generation) * size,
        length=size,
    )
    try:
        require_derivable(derivation)  # here, where it costs none of our private keys an operation
    except BadRequest as error:
        raise BadSecurity(error.message) from error
    return derivation


def _number(element: etree._Element) -> int:
    found = text(element).strip()
    if _NUMBER.fullmatch(found) is None:
        raise BadSecurity(f"{local_name(element)} is a number")
    return int(found)


def _require_reference(parent: etree._Element, token: etree._Element) -> None:
    if not _refers(required(parent, _REFERENCE), token):
        raise BadSecurity(f"{local_name(parent)} does not refer to the token in the security header")


def _refers(reference: etree._Element, target: etree._Element) -> bool:
    """Whether a SecurityTokenReference may mean this element: the key is the element's, whatever else is said of it.

    What cannot be compared without opening the token, such as the ID of an encrypted one, is taken to be true.
    """
    if len(reference) != 1:
        raise BadSecurity("a SecurityTokenReference refers in one way")
    way = reference[0]
    if way.tag == f"{{{WSSE}}}Reference":
        return (way.get("URI") or "").removeprefix("#") in set(identifiers(target))
    if target.tag in DERIVED_KEYS:
        return False
    if way.tag == f"{{{NS['ds']}}}X509Data":
        return target.tag == BINARY_TOKEN
    if way.tag != f"{{{WSSE}}}KeyIdentifier":
        raise BadSecurity(f"a SecurityTokenReference by {local_name(way)} is not read here")
    named = text(way).strip()
    if (way.get("ValueType") or "").endswith(_THUMBPRINT):
        return target.tag == BINARY_TOKEN and named == _thumbprint(binary_octets(target))
    if SAML_ELEMENTS.get(str(target.tag)) is None:
        return True
    return named in {target.get(name) for name in _SAML_IDS}


def _thumbprint(certificate: bytes) -> str:
    return b64encode(sha1(certificate, usedforsecurity=False).digest()).decode()
