"""XML Signature: enveloped signatures, written over canonical text and verified in a strict order."""

from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from lxml import etree

from sts.core.errors import BadRequest, InvalidSamlToken, InvalidSignature, NoSigningCertificate, PayloadTooLarge
from sts.core.model import SignatureAlgorithm
from sts.core.ports import Signer
from sts.crypto.enveloped import ALL_DIGESTS, STRONG_DIGESTS, signed_parent
from sts.crypto.signature_value import RSA_SHA1, SignatureValue, UnknownSigner, signature_value
from sts.crypto.xml import NS, escape_attribute, parse, parse_metadata

EXCLUSIVE_C14N: Final = NS["ec"]
ENVELOPED: Final = NS["ds"] + "enveloped-signature"
SHA256: Final = NS["xenc"] + "sha256"
MAX_CANDIDATES: Final = 8
MIN_RSA_BITS: Final = 2048

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURE_METHODS = {
    SignatureAlgorithm.RS256: _MORE + "rsa-sha256",
    SignatureAlgorithm.ES256: _MORE + "ecdsa-sha256",
    SignatureAlgorithm.ES384: _MORE + "ecdsa-sha384",
    SignatureAlgorithm.ES512: _MORE + "ecdsa-sha512",
}

_CURVES = (SECP256R1, SECP384R1, SECP521R1)

_ANY_ASSERTION = ("{*}Assertion", "{*}EncryptedAssertion", "{*}EncryptedData")  # of any namespace, or of none
_ID_ATTRIBUTES = {f"{{{NS['saml11']}}}Assertion": "AssertionID", f"{{{NS['saml20']}}}Assertion": "ID"}
_NO_IDS = ("#", "xpointer(")  # after the # of a reference they would mean something else
_WHITE_SPACE = " \t\n"
_SIGNATURE = f"{{{NS['ds']}}}Signature"
_SIGNED_INFO = f"{{{NS['ds']}}}SignedInfo"
_SIGNATURE_CHILDREN = [_SIGNED_INFO, f"{{{NS['ds']}}}SignatureValue"]
_KEY_INFO = f"{{{NS['ds']}}}KeyInfo"
_SIGNED_INFO_CHILDREN = [f"{{{NS['ds']}}}{name}" for name in ("CanonicalizationMethod", "SignatureMethod", "Reference")]
_REFERENCE_CHILDREN = [f"{{{NS['ds']}}}{name}" for name in ("Transforms", "DigestMethod", "DigestValue")]
_TRANSFORM = f"{{{NS['ds']}}}Transform"

_SIGNATURE_START = f'<ds:Signature xmlns:ds="{NS["ds"]}"><ds:SignedInfo'
_CANONICAL_START = f'<ds:SignedInfo xmlns:ds="{NS["ds"]}"'
_BEFORE_DIGEST = (
    '"><ds:Transforms>'
    f'<ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>'
    f'<ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform>'
    "</ds:Transforms>"
    f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>'
)
_AFTER_DIGEST = "</ds:DigestValue></ds:Reference></ds:SignedInfo>"
_PLACEHOLDER = f'<ds:Signature xmlns:ds="{NS["ds"]}"></ds:Signature>'


class _Frame(NamedTuple):
    """What surrounds reference, digest and signature value in every signature of one key.

    KeyInfo has no prefix: there is software that looks for the certificate by that name alone (acs.md, 4.5).
    """

    before_reference: str
    after_value: str


class Signed(NamedTuple):
    """What was signed, re-parsed from what was digested, and the certificate (DER) under which it verified."""

    element: etree._Element
    certificate: bytes


class _Claimed(NamedTuple):
    """A signature that has the right shape and place, the ID of what it says it is of, and the value it ends in."""

    signature: etree._Element
    id: str
    value: SignatureValue


class _Pinned(NamedTuple):
    """What a certificate is to those whose signatures it verifies."""

    der: bytes
    key: CertificatePublicKeyTypes
    not_before: datetime
    not_after: datetime
    strong: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """What a signed element must be; nothing in the element itself may loosen it."""

    root: str  # the tag, {namespace}name
    id_attribute: str  # "ID", or "AssertionID" for SAML 1.1
    now: datetime  # the candidates' validity is held against it
    allow_sha1: bool = False  # an explicit setting of one partner


def sign_canonical(before: str, after: str, reference_id: str, signer: Signer) -> bytes:
    """Put an enveloped signature between two halves of an element's text.

    `before + after` is the exclusive canonical form of the unsigned element, which carries `reference_id` as its ID;
    the answer is canonical too. Raises NoSigningCertificate for a symmetric signer (XML Signature 1.1, 4 and 6).
    """
    frame = _frame(signer.algorithm, signer.certificate)
    head, tail = before.encode(), after.encode()
    digest = b2a_base64(sha256(head + tail).digest(), newline=False).decode()
    signed = f"{frame.before_reference}{escape_attribute(reference_id)}{_BEFORE_DIGEST}{digest}{_AFTER_DIGEST}"
    value = b2a_base64(signer.sign((_CANONICAL_START + signed).encode()), newline=False).decode()
    signature = f"{_SIGNATURE_START}{signed}<ds:SignatureValue>{value}{frame.after_value}"
    return head + signature.encode() + tail


def sign_element(element: etree._Element, reference_id: str, signer: Signer, position: int) -> bytes:
    """Sign an element, which stays as it is; the signature becomes its child number `position`, from 0.

    Answers canonical UTF-8. Raises ValueError if the element holds a signature already.
    """
    copy = deepcopy(element)
    copy.insert(position, etree.Element(_SIGNATURE, nsmap={"ds": NS["ds"]}))
    if len(list(copy.iter(_SIGNATURE))) != 1:
        raise ValueError("the element holds a signature already")
    text = etree.tostring(copy, method="c14n", exclusive=True, with_comments=False).decode()
    before, _, after = text.partition(_PLACEHOLDER)
    return sign_canonical(before, after, reference_id, signer)


def verify(element: bytes, certificates: Sequence[bytes], expected: Expected) -> etree._Element:
    """Parse an element that stands alone, verify it as `verified` does, and answer only what was signed."""
    return verified(parsed(element), certificates, expected).element


def parsed(element: bytes) -> etree._Element:
    """Parse an element that stands alone; raises InvalidSamlToken for whatever is no XML that is read here."""
    try:
        return parse(element)
    except (BadRequest, PayloadTooLarge) as error:
        raise _malformed(error.detail or error.message) from error


def verified(element: etree._Element, certificates: Sequence[bytes], expected: Expected) -> Signed:
    """Verify the enveloped signature of an element that `parsed` answered, which it takes apart: it is read once.

    `certificates` are DER, pinned by the caller; what the message says about keys is ignored. At most
    MAX_CANDIDATES of them, those of accepted type and valid at `expected.now`, are tried. Raises InvalidSamlToken for
    the wrong shape and InvalidSignature for the wrong signature (XML Signature 1.1, 3.2).
    """
    signature, reference_id = _checked(element, expected.root, expected.id_attribute)
    return _tried(_claimed(signature, reference_id), certificates, expected)


def verify_metadata(document: bytes, certificates: Sequence[bytes], expected: Expected) -> etree._Element:
    """Verify the enveloped signature of a metadata document, and answer what was signed, re-parsed.

    As `verify`, within the wider limits of metadata; entities and roles in it may have signatures of their own, which
    are part of what is signed. Raises InvalidSamlToken and InvalidSignature (SAML 2.0 Metadata, 3).
    """
    try:
        root = parse_metadata(document)
    except (BadRequest, PayloadTooLarge) as error:
        raise _malformed(error.detail or error.message) from error
    reference_id = _check_root(root, expected.root, expected.id_attribute)
    signatures = root.findall(_SIGNATURE)
    if len(signatures) != 1:
        raise _unverified(f"signature count: {len(signatures)} of the root")
    _check_signature(signatures[0], reference_id)
    return _tried(_claimed(signatures[0], reference_id), certificates, expected).element


def _claimed(signature: etree._Element, reference_id: str) -> _Claimed:
    return _Claimed(signature, reference_id, signature_value(signature))


def _tried(claimed: _Claimed, certificates: Sequence[bytes], expected: Expected) -> Signed:
    """Only a signature that one of the candidates made is worth the cost of the document."""
    candidates = list(_candidates(certificates, expected.now))
    maker = next((pinned for pinned in candidates if claimed.value.verifies_under(pinned.key)), None)
    if maker is None:
        detail = f"signature: {claimed.value.method} by none of {len(candidates)} strong and valid certificates"
        raise UnknownSigner("The signature is not valid.", detail=detail)
    if claimed.value.method == RSA_SHA1 and not expected.allow_sha1:
        raise _unverified(f"InvalidInput: signature method {RSA_SHA1}")
    digests = ALL_DIGESTS if expected.allow_sha1 else STRONG_DIGESTS
    signed = signed_parent(claimed.signature, digests)
    if signed.tag != expected.root or signed.get(expected.id_attribute) != claimed.id:
        raise _unverified("another element was signed")
    return Signed(signed, maker.der)


def require_signed_assertion(element: bytes) -> None:
    """Return if the bytes have the shape of one signed assertion, of either version; verifies nothing.

    Raises InvalidSamlToken or InvalidSignature as `verify` would before it uses a key.
    """
    root = parsed(element)
    if root.tag not in _ID_ATTRIBUTES:
        raise _malformed(f"root: {root.tag}")
    _checked(root, root.tag, _ID_ATTRIBUTES[root.tag])


def _checked(root: etree._Element, tag: str, id_attribute: str) -> tuple[etree._Element, str]:
    """Answer the signature and the root's ID, once everything that can be seen without a key is as it must be."""
    reference_id = _check_root(root, tag, id_attribute)
    signature = _only_signature(root)
    _check_signature(signature, reference_id)
    return signature, reference_id


def _check_root(root: etree._Element, tag: str, id_attribute: str) -> str:
    if root.tag != tag:
        raise _malformed(f"root: {root.tag}")
    nested = list(root.iterdescendants(*_ANY_ASSERTION))  # held: lxml frees deep ones alone at the cost of their depth
    if nested:
        raise _malformed(f"assertion count: {len(nested)} nested in {root.tag}")
    reference_id = root.get(id_attribute)
    if not reference_id or reference_id.startswith(_NO_IDS):
        raise _malformed(f"reference: no {id_attribute} that a reference could name")
    return reference_id


def _only_signature(root: etree._Element) -> etree._Element:
    signatures = list(root.iter(_SIGNATURE))
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise _unverified(f"signature count: {len(signatures)}, or not a child of the root")
    return signatures[0]


def _check_signature(signature: etree._Element, reference_id: str) -> None:
    children = _tags(signature)
    if children not in (_SIGNATURE_CHILDREN, [*_SIGNATURE_CHILDREN, _KEY_INFO]):
        raise _unverified("children of Signature")
    if (signature.tail or "").strip(_WHITE_SPACE):
        raise _unverified("text behind Signature")
    signed_info = signature[0]
    if _tags(signed_info) != _SIGNED_INFO_CHILDREN:
        raise _unverified("reference: children of SignedInfo")
    canonicalisation, _, reference = signed_info
    if canonicalisation.get("Algorithm") != EXCLUSIVE_C14N or len(canonicalisation):
        raise _unverified("c14n: only exclusive, without comments and parameters")
    if reference.get("URI") != "#" + reference_id:
        raise _unverified("reference: not the root's ID")
    if _tags(reference) != _REFERENCE_CHILDREN:
        raise _unverified("reference: children of Reference")
    transforms = reference[0]
    if _tags(transforms) != [_TRANSFORM, _TRANSFORM] or any(len(transform) for transform in transforms):
        raise _unverified("transforms: exactly two, without parameters")
    if [transform.get("Algorithm") for transform in transforms] != [ENVELOPED, EXCLUSIVE_C14N]:
        raise _unverified("transforms: only enveloped-signature, then exclusive c14n")


def _candidates(certificates: Sequence[bytes], now: datetime) -> Iterator[_Pinned]:
    usable = (
        pinned
        for pinned in map(_pinned, certificates)
        if pinned.strong and pinned.not_before <= now <= pinned.not_after
    )
    return islice(usable, MAX_CANDIDATES)


def _strong(key: CertificatePublicKeyTypes) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


@lru_cache(maxsize=1024)
def _pinned(der: bytes) -> _Pinned:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    return _Pinned(der, key, certificate.not_valid_before_utc, certificate.not_valid_after_utc, _strong(key))


@lru_cache(maxsize=4096)
def _frame(algorithm: SignatureAlgorithm, certificate: bytes | None) -> _Frame:
    if certificate is None or algorithm not in _SIGNATURE_METHODS:
        raise NoSigningCertificate("XML is signed with a certificate; this credential is a symmetric key.")
    return _Frame(
        f'><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{_SIGNATURE_METHODS[algorithm]}"></ds:SignatureMethod><ds:Reference URI="#',
        f'</ds:SignatureValue><KeyInfo xmlns="{NS["ds"]}"><X509Data><X509Certificate>'
        + b2a_base64(certificate, newline=False).decode()
        + "</X509Certificate></X509Data></KeyInfo></ds:Signature>",
    )


def _tags(element: etree._Element) -> list[str]:
    return [str(child.tag) for child in element]


def _malformed(detail: str) -> InvalidSamlToken:
    return InvalidSamlToken("SAML token is invalid.", detail=detail)


def _unverified(detail: str) -> InvalidSignature:
    return InvalidSignature("The signature is not valid.", detail=detail)
