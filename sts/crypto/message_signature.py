"""The signature over parts of a SOAP message, which proves that its sender holds a key (WS-Security 1.1, 8).

Verified in two halves: `cut` sees to what is signed, before anybody knows by which key; `verify_possession` to the key.
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha1, sha256, sha384, sha512
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from lxml import etree

from sts.core.errors import BadRequest, InvalidSignature
from sts.core.proof_keys import derive
from sts.core.trust import Possession, ProvedKey, SecretKey
from sts.crypto.enveloped import DIGESTS, SHA1
from sts.crypto.signature_value import SignatureValue
from sts.crypto.xml import ID_ATTRIBUTES, NS

MAX_REFERENCES: Final = 12
MAX_PREFIXES: Final = 16
MAX_DEPTH: Final = 50  # of a part with such prefixes, each of which is looked for on every level above every element
MIN_RSA_BITS: Final = 2048
MIN_SECRET: Final = 16  # bytes

_DS: Final = f"{{{NS['ds']}}}"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_HMAC_SHA1: Final = NS["ds"] + "hmac-sha1"
_MACS: Final[Mapping[str, Any]] = {
    _HMAC_SHA1: sha1,  # still a sound MAC, and all that old clients have
    _MORE + "hmac-sha256": sha256,
    _MORE + "hmac-sha384": sha384,
    _MORE + "hmac-sha512": sha512,
}
_PUBLIC_METHODS: Final = frozenset(
    _MORE + f"{family}-{digest}" for family in ("rsa", "ecdsa") for digest in ("sha256", "sha384", "sha512")
)
_CURVES: Final = (SECP256R1, SECP384R1, SECP521R1)
_PREFIX: Final = re.compile(r"#default|[A-Za-z_][\w.-]{0,63}", re.ASCII)


class _Reference(NamedTuple):
    """One signed part, and the digest that it must have."""

    element: etree._Element
    prefixes: Sequence[str]  # of namespaces that are canonicalised inclusively
    method: str
    digest: bytes


def cut(signature: etree._Element, required: Sequence[etree._Element], allowed: Sequence[etree._Element]) -> Possession:
    """Take a ds:Signature apart that covers every required element of its document, and nothing but them and `allowed`.

    Every reference names one of these elements by its ID, exclusively canonical without any other transform, and its
    digest holds. Whose key made it is not looked at. IDs are pairwise different in the document, as `parse` sees to.
    Raises InvalidSignature, and BadRequest where something required is not signed (XML Signature 1.1, 3.2.1).
    """
    signed_info = _signed_info(signature)
    method = signed_info[1].get("Algorithm") or ""
    if method not in _MACS and method not in _PUBLIC_METHODS:
        raise _refusal(f"signature method {method[:200]!r}")
    parts = _by_id([*required, *allowed])
    references = [_reference(element, parts) for element in signed_info.iterchildren(_DS + "Reference")]
    covered = [reference.element for reference in references]
    if len({id(element) for element in covered}) != len(covered):
        raise _refusal("reference: one element is signed twice")
    missing = [element for element in required if all(element is not one for one in covered)]
    if missing:
        names = ", ".join(etree.QName(element).localname for element in missing)
        raise BadRequest(f"the message's signature must cover {names}")
    for reference in references:
        _require_digest(reference, method)
    octets = _canonical(signed_info, _prefixes(signed_info[0]))
    return Possession(octets, _decoded(signature[1]), method)


def verify_possession(possession: Possession, key: ProvedKey) -> None:
    """Return if this key made the signature: a secret key, or one derived from it, or a public one.

    The kind of key decides which methods are accepted, never the message. Raises InvalidSignature, and BadRequest for
    a derivation that is not acceptable.
    """
    if isinstance(key, SecretKey):
        holds, kind = _is_authenticated(possession, key.key), "secret"
    else:
        holds, kind = _is_signed(possession, key.spki), "public"
    if not holds:
        raise _refusal(f"signature: {possession.method[:200]} does not verify under the {kind} key")


def _is_authenticated(possession: Possession, secret: bytes) -> bool:
    if possession.method not in _MACS or len(secret) < MIN_SECRET:
        return False
    key = secret if possession.derivation is None else derive(secret, possession.derivation)
    made = hmac.new(key, possession.octets, _MACS[possession.method]).digest()
    return hmac.compare_digest(made, possession.value)


def _is_signed(possession: Possession, spki: bytes) -> bool:
    if possession.method not in _PUBLIC_METHODS or possession.derivation is not None:
        return False
    value = SignatureValue(possession.method, possession.octets, possession.value)
    return value.verifies_under(_public_key(spki))


@lru_cache(maxsize=1024)
def _public_key(spki: bytes) -> RSAPublicKey | EllipticCurvePublicKey:
    try:
        key = load_der_public_key(spki)
    except ValueError as error:
        raise _refusal("key: cannot be read") from error
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise _refusal("key: neither RSA of 2048 bits or more nor on P-256, P-384, P-521")


def _signed_info(signature: etree._Element) -> etree._Element:
    """SignedInfo, once it and the signature have the one shape that is accepted."""
    children = _tags(signature)
    expected = [_DS + "SignedInfo", _DS + "SignatureValue"]
    if children not in (expected, [*expected, _DS + "KeyInfo"]):
        raise _refusal("children of Signature")
    signed_info = signature[0]
    tags = _tags(signed_info)
    if tags[:2] != [_DS + "CanonicalizationMethod", _DS + "SignatureMethod"] or len(signed_info[1]):
        raise _refusal("children of SignedInfo")
    if not 1 <= len(tags) - 2 <= MAX_REFERENCES or set(tags[2:]) != {_DS + "Reference"}:
        raise _refusal(f"reference: {len(tags) - 2} of them, or something else among them")
    return signed_info


def _reference(element: etree._Element, parts: Mapping[str, etree._Element]) -> _Reference:
    uri = element.get("URI") or ""
    target = parts.get(uri[1:]) if uri.startswith("#") else None
    if target is None:
        raise _refusal(f"reference: {uri[:200]!r} is no part of the message that may be signed")
    if _tags(element) != [_DS + "Transforms", _DS + "DigestMethod", _DS + "DigestValue"]:
        raise _refusal("reference: children of Reference")
    transforms, method, value = element
    if _tags(transforms) != [_DS + "Transform"] or len(method):
        raise _refusal("transforms: exactly one, exclusive c14n")
    prefixes = _prefixes(transforms[0])
    if prefixes and _depth(target) > MAX_DEPTH:
        raise _refusal(f"c14n: {etree.QName(target).localname} is nested too deep for inclusive prefixes")
    return _Reference(target, prefixes, method.get("Algorithm") or "", _decoded(value))


def _prefixes(canonicalisation: etree._Element) -> Sequence[str]:
    """The prefixes of a method's InclusiveNamespaces; raises InvalidSignature for any other method."""
    if canonicalisation.get("Algorithm") != NS["ec"]:
        raise _refusal("c14n: only exclusive, without comments")
    children = _tags(canonicalisation)
    if not children:
        return ()
    if children != [f"{{{NS['ec']}}}InclusiveNamespaces"] or len(canonicalisation[0]):
        raise _refusal("c14n: parameters")
    prefixes = (canonicalisation[0].get("PrefixList") or "").split()
    if len(prefixes) > MAX_PREFIXES or not all(map(_PREFIX.fullmatch, prefixes)):
        raise _refusal(f"c14n: {len(prefixes)} inclusive prefixes")
    return prefixes


def _depth(element: etree._Element) -> int:
    """How many levels an element has, its own included."""
    level, depth = [element], 0
    while level:
        level, depth = [child for parent in level for child in parent], depth + 1
    return depth


def _require_digest(reference: _Reference, signature_method: str) -> None:
    digest = DIGESTS.get(reference.method)
    if digest is None or (reference.method == SHA1 and signature_method != _HMAC_SHA1):
        raise _refusal(f"digest method {reference.method[:200]!r}")
    if not hmac.compare_digest(digest(_canonical(reference.element, reference.prefixes)), reference.digest):
        raise _refusal(f"digest of {etree.QName(reference.element).localname}")


def _canonical(element: etree._Element, prefixes: Sequence[str]) -> bytes:
    try:
        return etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            with_tail=False,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    except (etree.C14NError, ValueError) as error:
        raise _refusal(f"c14n: {type(error).__name__}") from error


def _by_id(elements: Sequence[etree._Element]) -> dict[str, etree._Element]:
    return {identifier: element for element in elements for identifier in identifiers(element)}


def identifiers(element: etree._Element) -> Iterator[str]:
    """The IDs by which a document may refer to an element."""
    for name, value in element.items():
        if str(name).rpartition("}")[2] in ID_ATTRIBUTES and value:
            yield str(value)


def _decoded(element: etree._Element) -> bytes:
    try:
        if len(element):
            raise ValueError("elements where text belongs")
        return b64decode(b"".join((element.text or "").encode("ascii").split()), validate=True)
    except ValueError as error:
        raise _refusal(f"{etree.QName(element).localname}: not base64") from error


def _tags(element: etree._Element) -> list[str]:
    return [str(child.tag) for child in element]


def _refusal(detail: str) -> InvalidSignature:
    return InvalidSignature("The signature is not valid.", detail=detail)
