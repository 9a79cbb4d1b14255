"""KeyInfo elements that name public keys, as clients write them."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.crypto.identities import certificate, private_key

DS = "http://www.w3.org/2000/09/xmldsig#"
CURVES = {
    "secp256r1": "urn:oid:1.2.840.10045.3.1.7",
    "secp384r1": "urn:oid:1.3.132.0.34",
    "secp521r1": "urn:oid:1.3.132.0.35",
}


def key_info(*children: str) -> bytes:
    """A KeyInfo of these."""
    return f'<ds:KeyInfo xmlns:ds="{DS}">{"".join(children)}</ds:KeyInfo>'.encode()


def x509_data(*certificates: bytes) -> str:
    """An X509Data of DER certificates."""
    texts = (f"<ds:X509Certificate>{b64encode(der).decode()}</ds:X509Certificate>" for der in certificates)
    return f"<ds:X509Data>{''.join(texts)}</ds:X509Data>"


def key_value(kind: str, owner: str = "idp") -> str:
    """The owner's public key of this kind as a KeyValue."""
    key = private_key(kind, owner).public_key()
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return rsa_key_value(numbers.n, numbers.e)
    assert isinstance(key, EllipticCurvePublicKey)
    point = b64encode(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()
    return (
        '<ds:KeyValue><dsig11:ECKeyValue xmlns:dsig11="http://www.w3.org/2009/xmldsig11#">'
        f'<dsig11:NamedCurve URI="{CURVES.get(key.curve.name, "urn:oid:1.3.132.0.10")}"/>'
        f"<dsig11:PublicKey>{point}</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue>"
    )


def rsa_key_value(modulus: int, exponent: int) -> str:
    """An RSAKeyValue of any numbers."""
    texts = [b64encode(number.to_bytes(number.bit_length() // 8 + 1, "big")).decode() for number in (modulus, exponent)]
    return (
        f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{texts[0]}</ds:Modulus><ds:Exponent>{texts[1]}</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue>"
    )


def spki(kind: str, owner: str = "idp") -> bytes:
    """The owner's public key of this kind, DER."""
    return private_key(kind, owner).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def whole(kind: str, owner: str = "idp") -> bytes:
    """A KeyInfo with the owner's certificate."""
    return key_info(x509_data(certificate(kind, owner)))
