"""The ds:KeyInfo with the key whose possession confirms a subject (SAML 2.0 Profiles, 3.1; SAML 1.1 Core, 2.4.2.3)."""

from binascii import b2a_base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from lxml import etree

from sts.core.errors import BadRequest, InvalidCertificate, InvalidEncryptedToken
from sts.core.exchange import ConfirmationKey, HolderOfKey, PublicHolder, PublicKey, SymmetricHolder, SymmetricWrapped
from sts.crypto.encrypted_element import cut_key
from sts.crypto.encrypted_key import wrapped_key
from sts.crypto.key_info import named_key
from sts.crypto.xml import NS

_CURVES: Final = {  # as OIDs (RFC 5480, 2.1.1.1)
    "secp256r1": "urn:oid:1.2.840.10045.3.1.7",
    "secp384r1": "urn:oid:1.3.132.0.34",
    "secp521r1": "urn:oid:1.3.132.0.35",
}
_ENCRYPTED_KEY: Final = f"{{{NS['xenc']}}}EncryptedKey"
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
    """The one key of a KeyInfo: a secret one that was wrapped for us, or a strong public one; raises BadRequest."""
    wrapped = key_info.findall(_ENCRYPTED_KEY)
    if not wrapped:
        return PublicKey(named_key(key_info).public_key)
    if len(key_info) > 1:
        raise BadRequest("the KeyInfo cannot be used: it names more than one key")
    try:
        transport, value = cut_key(wrapped[0])
    except InvalidEncryptedToken as error:
        raise BadRequest(
            "the KeyInfo cannot be used: its EncryptedKey is not understood", detail=error.detail
        ) from error
    return SymmetricWrapped(value, transport)


def _public(holder: PublicHolder) -> str:
    if holder.certificate is not None:
        return f"<ds:X509Data><ds:X509Certificate>{_text(holder.certificate)}</ds:X509Certificate></ds:X509Data>"
    key = load_der_public_key(holder.public_key)
    if isinstance(key, rsa.RSAPublicKey):
        value = _rsa(key.public_numbers())
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        value = _elliptic(key)
    else:
        raise InvalidCertificate("the key is neither RSA nor on P-256, P-384 or P-521")
    return f"<ds:KeyValue>{value}</ds:KeyValue>"


def _rsa(numbers: rsa.RSAPublicNumbers) -> str:
    modulus, exponent = (_text(n.to_bytes((n.bit_length() + 7) // 8, "big")) for n in (numbers.n, numbers.e))
    return f"<ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>{exponent}</ds:Exponent></ds:RSAKeyValue>"


def _elliptic(key: ec.EllipticCurvePublicKey) -> str:
    point = _text(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return (
        f'<dsig11:ECKeyValue xmlns:dsig11="{NS["dsig11"]}">'
        f'<dsig11:NamedCurve URI="{_CURVES[key.curve.name]}"></dsig11:NamedCurve>'
        f"<dsig11:PublicKey>{point}</dsig11:PublicKey></dsig11:ECKeyValue>"
    )


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
