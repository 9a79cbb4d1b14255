"""The cheap half of verifying an XML signature: whose key its value verifies under, whatever it is that was signed.

Until that is known, nothing is done with a document whose cost depends on its size.
"""

from base64 import b64decode
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from lxml import etree

from sts.core.errors import InvalidSignature

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA1: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
_RSA = {
    RSA_SHA1: SHA1(),  # noqa: S303 (whether it is allowed is decided elsewhere)
    _MORE + "rsa-sha256": SHA256(),
    _MORE + "rsa-sha384": SHA384(),
    _MORE + "rsa-sha512": SHA512(),
}
_ECDSA = {
    _MORE + "ecdsa-sha256": SHA256(),
    _MORE + "ecdsa-sha384": SHA384(),
    _MORE + "ecdsa-sha512": SHA512(),
}


class UnknownSigner(InvalidSignature):
    """Nobody who is trusted made the signature; what it covers was not looked at."""


class SignatureValue(NamedTuple):
    """What was signed in the end, how, and the signature's octets."""

    method: str
    signed_info: bytes  # canonical
    value: bytes

    def verifies_under(self, key: CertificatePublicKeyTypes) -> bool:
        """Whether a public key made this value; False too for a method that is not the key's."""
        if isinstance(key, RSAPublicKey) and self.method in _RSA:
            return self._is_of_rsa(key, _RSA[self.method])
        if isinstance(key, EllipticCurvePublicKey) and self.method in _ECDSA:
            return self._is_on_curve(key, _ECDSA[self.method])
        return False

    def _is_of_rsa(self, key: RSAPublicKey, digest: HashAlgorithm) -> bool:
        try:
            key.verify(self.value, self.signed_info, PKCS1v15(), digest)
        except WrongSignature:
            return False
        return True

    def _is_on_curve(self, key: EllipticCurvePublicKey, digest: HashAlgorithm) -> bool:
        """The value is r || s, each as long as the curve's order (XML Signature 1.1, 6.4.3)."""
        size = (key.key_size + 7) // 8
        if len(self.value) != 2 * size:
            return False
        r, s = (int.from_bytes(half, "big") for half in (self.value[:size], self.value[size:]))
        try:
            key.verify(encode_dss_signature(r, s), self.signed_info, ECDSA(digest))
        except WrongSignature:
            return False
        return True


def signature_value(signature: etree._Element) -> SignatureValue:
    """Take a ds:Signature apart whose children are known to be right: SignedInfo, exclusively canonical, and the value.

    Raises UnknownSigner.
    """
    signed_info, value = signature[0], signature[1]
    try:
        canonical = etree.tostring(signed_info, method="c14n", exclusive=True, with_comments=False, with_tail=False)
        octets = b64decode(b"".join((value.text or "").encode("ascii").split()), validate=True)
    except (etree.C14NError, ValueError) as error:
        raise UnknownSigner("The signature is not valid.", detail=f"signature value: {type(error).__name__}") from error
    return SignatureValue(signed_info[1].get("Algorithm") or "", canonical, octets)
