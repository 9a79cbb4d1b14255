"""The public key that a ds:KeyInfo names (XML Signature 1.1, 4.5): read by strict rules, believed by nobody."""

from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from sts.core.errors import BadRequest, InvalidCertificate
from sts.crypto.certificates import load
from sts.crypto.keys import RSA_MAXIMUM, PublicKey, certified_key, require_strong
from sts.crypto.pem import NotPem, from_base64
from sts.crypto.xml import NS

_DS: Final = f"{{{NS['ds']}}}"
_CERTIFICATE: Final = f"{_DS}X509Certificate"
_DSIG11: Final = "{http://www.w3.org/2009/xmldsig11#}"
_CURVES: Final = {
    "urn:oid:1.2.840.10045.3.1.7": ec.SECP256R1(),
    "urn:oid:1.3.132.0.34": ec.SECP384R1(),
    "urn:oid:1.3.132.0.35": ec.SECP521R1(),
}


class NamedKey(NamedTuple):
    """A public key, and the certificate that it came in."""

    public_key: bytes  # DER SubjectPublicKeyInfo
    certificate: bytes | None = None  # DER


def named_key(key_info: etree._Element) -> NamedKey:
    """The one key that a KeyInfo names: by a certificate, an RSAKeyValue or an ECKeyValue.

    It is RSA of 2048 bits or more, or on P-256, P-384 or P-521. Where it is named twice, both names mean the same key;
    what is no key of these is not looked at. Raises BadRequest.
    """
    found = [_certified(data) for data in key_info.findall(f"{_DS}X509Data") if data.find(_CERTIFICATE) is not None]
    found += [NamedKey(_key_value(value)) for value in key_info.findall(f"{_DS}KeyValue")]
    if not found:
        raise _refused("it holds neither an X509Certificate nor a KeyValue")
    if len({key.public_key for key in found}) > 1:
        raise _refused("it names more than one key")
    return found[0]


def certified(certificate: bytes) -> NamedKey:
    """The key of a DER certificate, which keeps the rules for certificates that come in; raises BadRequest."""
    try:
        der = load(certificate).der
        return NamedKey(_spki(certified_key(x509.load_der_x509_certificate(der))), der)
    except InvalidCertificate as error:
        raise _refused(error.message) from error


def _certified(data: etree._Element) -> NamedKey:
    certificates = data.findall(_CERTIFICATE)
    if len(certificates) > 1:
        raise _refused("an X509Data holds more than one certificate")
    return certified(_octets(certificates[0]))


def _key_value(value: etree._Element) -> bytes:
    if len(value) != 1:
        raise _refused("a KeyValue holds exactly one key")
    if value[0].tag == f"{_DS}RSAKeyValue":
        return _rsa(value[0])
    if value[0].tag == f"{_DSIG11}ECKeyValue":
        return _elliptic(value[0])
    raise _refused("its KeyValue is neither an RSAKeyValue nor an ECKeyValue")


def _rsa(value: etree._Element) -> bytes:
    modulus, exponent = (
        int.from_bytes(_octets(_only(value, f"{_DS}{name}")), "big") for name in ("Modulus", "Exponent")
    )
    if modulus.bit_length() > RSA_MAXIMUM:
        raise _refused(f"its RSA key has more than {RSA_MAXIMUM} bits")
    try:
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused("its RSAKeyValue is no RSA key") from error
    return _strong(key)


def _elliptic(value: etree._Element) -> bytes:
    curve = _CURVES.get(_only(value, f"{_DSIG11}NamedCurve").get("URI") or "")
    if curve is None:
        raise _refused(f"its ECKeyValue is on none of the curves {', '.join(_CURVES)}")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, _octets(_only(value, f"{_DSIG11}PublicKey")))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused("its ECKeyValue is no point on the curve") from error
    return _strong(key)


def _strong(key: PublicKey) -> bytes:
    try:
        require_strong(key)
    except InvalidCertificate as error:
        raise _refused(error.message) from error
    return _spki(key)


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise _refused(f"it has {len(found)} of {etree.QName(tag).localname}")
    return found[0]


def _octets(element: etree._Element) -> bytes:
    if len(element):
        raise _refused(f"{etree.QName(element).localname} holds elements")
    try:
        return from_base64((element.text or "").encode())
    except NotPem as error:
        raise _refused(f"{etree.QName(element).localname}: {error}") from error


def _refused(fault: str) -> BadRequest:
    return BadRequest(f"the KeyInfo cannot be used: {fault}")
