"""XML Signature: a fast enveloped signature over canonical text."""

from binascii import b2a_base64
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from sts.core.errors import NoSigningCertificate
from sts.core.model import SignatureAlgorithm
from sts.core.ports import Signer
from sts.crypto.xml import NS, escape_attribute

EXCLUSIVE_C14N: Final = NS["ec"]
ENVELOPED: Final = NS["ds"] + "enveloped-signature"
SHA256: Final = NS["xenc"] + "sha256"

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURE_METHODS = {
    SignatureAlgorithm.RS256: _MORE + "rsa-sha256",
    SignatureAlgorithm.ES256: _MORE + "ecdsa-sha256",
    SignatureAlgorithm.ES384: _MORE + "ecdsa-sha384",
    SignatureAlgorithm.ES512: _MORE + "ecdsa-sha512",
}


class _Frame(NamedTuple):
    """What surrounds reference, digest and signature value in every signature of one key."""

    before_reference: str
    after_value: str


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


def sign_canonical(before: str, after: str, reference_id: str, signer: Signer) -> bytes:
    """Put an enveloped signature between two halves of an element's text.

    `before + after` is the exclusive canonical form of the unsigned element, which carries `reference_id` as its ID;
    the answer is canonical too. Raises NoSigningCertificate for a symmetric signer (XML Signature, 4 and 6).
    """
    frame = _frame(signer.algorithm, signer.certificate)
    head, tail = before.encode(), after.encode()
    digest = b2a_base64(sha256(head + tail).digest(), newline=False).decode()
    signed = f"{frame.before_reference}{escape_attribute(reference_id)}{_BEFORE_DIGEST}{digest}{_AFTER_DIGEST}"
    value = b2a_base64(signer.sign((_CANONICAL_START + signed).encode()), newline=False).decode()
    signature = f"{_SIGNATURE_START}{signed}<ds:SignatureValue>{value}{frame.after_value}"
    return head + signature.encode() + tail


@lru_cache(maxsize=4096)
def _frame(algorithm: SignatureAlgorithm, certificate: bytes | None) -> _Frame:
    if certificate is None or algorithm not in _SIGNATURE_METHODS:
        raise NoSigningCertificate("SAML is signed with a certificate; this credential is a symmetric key.")
    return _Frame(
        f'><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{_SIGNATURE_METHODS[algorithm]}"></ds:SignatureMethod><ds:Reference URI="#',
        "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
        + b2a_base64(certificate, newline=False).decode()
        + "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
    )
