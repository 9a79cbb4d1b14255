"""The key whose possession confirms a subject, as a ds:KeyInfo (XML Signature 1.1, 4.5; SAML 2.0 Core, 2.4.1.3)."""

from base64 import b64decode
from binascii import b2a_base64
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from lxml import etree

from sts.core.errors import BadRequest, InvalidCertificate, InvalidEncryptedToken
from sts.core.exchange import ConfirmationKey, HolderOfKey, PublicHolder, PublicKey, SymmetricHolder, SymmetricWrapped
from sts.crypto import certificates, keys
from sts.crypto.encrypted_element import cut_key
from sts.crypto.encrypted_key import wrapped_key
from sts.crypto.xml import NS

_CURVES: Final = {  # as OIDs (RFC 5480, 2.1.1.1)
    "secp256r1": "urn:oid:1.2.840.10045.3.1.7",
    "secp384r1": "urn:oid:1.3.132.0.34",
    "secp521r1": "urn:oid:1.3.132.0.35",
}
_BY_OID: Final = {_CURVES[curve.name]: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
_DS, _DSIG11, _XENC = (f"{{{NS[prefix]}}}" for prefix in ("ds", "dsig11", "xenc"))
_START: Final = f'<ds:KeyInfo xmlns:ds="{NS["ds"]}">'
_END: Final = "</ds:KeyInfo>"


def write(holder: HolderOfKey) -> str:
    """The KeyInfo that says which key a token's holder must have; the text is canonical as it stands.

    A secret key is wrapped for the relying party; a public one is named by its certificate where it has one. Raises
    NoEncryptionCertificate unless the relying party's key is RSA.
    """
    if isinstance(holder, SymmetricHolder):
        wrapped = wrapped_key(holder.key, holder.certificate)
        return f'{_START}<xenc:EncryptedKey xmlns:xenc="{NS["xenc"]}">{wrapped}</xenc:EncryptedKey>{_END}'
    return f"{_START}{_public(holder)}{_END}"


def read(key_info: etree._Element) -> ConfirmationKey:
    """The one key of a KeyInfo: wrapped for us, or public and strong enough, said once or in several ways alike.

    Raises BadRequest, whose `detail` says what is wrong with it.
    """
    children = list(key_info)
    if [child.tag for child in children] == [f"{_XENC}EncryptedKey"]:
        return _wrapped(children[0])
    found = {_public_key(child) for child in children}
    if len(found) != 1:
        raise _refusal(f"{len(found)} keys")
    return found.pop()


def public_key(certificate: bytes) -> PublicKey:
    """The public key of a certificate (DER); raises InvalidCertificate unless it is strong enough."""
    return _strong(certificates.public_key(certificate))


def _public(holder: PublicHolder) -> str:
    if holder.certificate is not None:
        return f"<ds:X509Data><ds:X509Certificate>{_text(holder.certificate)}</ds:X509Certificate></ds:X509Data>"
    key = load_der_public_key(holder.public_key)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        value = (
            f"<ds:RSAKeyValue><ds:Modulus>{_crypto_binary(numbers.n)}</ds:Modulus>"
            f"<ds:Exponent>{_crypto_binary(numbers.e)}</ds:Exponent></ds:RSAKeyValue>"
        )
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        value = (
            f'<dsig11:ECKeyValue xmlns:dsig11="{NS["dsig11"]}">'
            f'<dsig11:NamedCurve URI="{_CURVES[key.curve.name]}"></dsig11:NamedCurve>'
            f"<dsig11:PublicKey>{_text(point)}</dsig11:PublicKey></dsig11:ECKeyValue>"
        )
    else:
        raise InvalidCertificate("the key is neither RSA nor on P-256, P-384 or P-521")
    return f"<ds:KeyValue>{value}</ds:KeyValue>"


def _wrapped(element: etree._Element) -> SymmetricWrapped:
    try:
        transport, wrapped = cut_key(element)
    except InvalidEncryptedToken as error:
        raise _refusal(error.detail or error.message) from error
    return SymmetricWrapped(wrapped, transport)


def _public_key(element: etree._Element) -> PublicKey:
    try:
        if element.tag == f"{_DS}X509Data":
            return public_key(_octets(_only(element, f"{_DS}X509Certificate")))
        if element.tag == f"{_DS}KeyValue" and len(element) == 1:
            return _strong(_key_value(element[0]))
    except (InvalidCertificate, UnsupportedAlgorithm, ValueError) as error:
        raise _refusal(str(error)) from error
    raise _refusal(f"{element.tag} is not understood")


def _key_value(value: etree._Element) -> keys.PublicKey:
    """The key that an RSAKeyValue or an ECKeyValue spells out; raises ValueError for one that is none."""
    if value.tag == f"{_DS}RSAKeyValue":
        modulus, exponent = (_number(_only(value, _DS + name)) for name in ("Modulus", "Exponent"))
        if modulus.bit_length() > keys.RSA_MAXIMUM or exponent >= keys.EXPONENT_MAXIMUM:
            raise _refusal("the RSA key is larger than any real one")
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if value.tag == f"{_DSIG11}ECKeyValue":
        curve = _BY_OID.get(_only(value, f"{_DSIG11}NamedCurve").get("URI", ""))
        if curve is None:
            raise _refusal("the curve is none of P-256, P-384 and P-521")
        point = _octets(_only(value, f"{_DSIG11}PublicKey"))
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    raise _refusal(f"{value.tag} is not understood")


def _strong(key: keys.PublicKey) -> PublicKey:
    keys.require_strong(key)
    return PublicKey(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise _refusal(f"{len(found)} of {tag}")
    return found[0]


def _number(element: etree._Element) -> int:
    return int.from_bytes(_octets(element), "big")


def _octets(element: etree._Element) -> bytes:
    """What an element holds in base64, which may be wrapped in lines; raises ValueError."""
    if len(element):
        raise _refusal(f"children of {element.tag}")
    return b64decode(b"".join((element.text or "").encode("ascii").split()), validate=True)


def _crypto_binary(value: int) -> str:
    """A number without leading zeros (XML Signature 1.1, 4.1)."""
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _refusal(detail: str) -> BadRequest:
    return BadRequest("The KeyInfo is not acceptable.", detail=f"key: {detail}")
