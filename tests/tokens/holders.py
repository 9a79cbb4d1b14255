"""Holder-of-key tokens for tests: who holds, and the relying party that takes such tokens apart with its own key."""

from base64 import b64decode
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from lxml import etree

from sts.core.exchange import HolderOfKey, HolderPolicy, PublicHolder, SymmetricHolder
from tests.crypto.identities import certificate
from tests.crypto.key_infos import spki
from tests.tokens.assertions import TRUSTED

PROOF_KEY = bytes(range(100, 132))
SYMMETRIC = SymmetricHolder(PROOF_KEY, certificate("rsa2048", "rp"))
HOLDERS: dict[str, HolderOfKey] = {
    "secret of 256 bits": SYMMETRIC,
    "secret of 128 bits": SymmetricHolder(PROOF_KEY[:16], certificate("rsa2048", "rp")),
    "certificate": PublicHolder(spki("rsa2048", "client"), certificate("rsa2048", "client")),
    "certificate on a curve": PublicHolder(spki("p256", "client"), certificate("p256", "client")),
    "rsa2048": PublicHolder(spki("rsa2048", "client")),
    "p256": PublicHolder(spki("p256", "client")),
    "p384": PublicHolder(spki("p384", "client")),
    "p521": PublicHolder(spki("p521", "client")),
}
TAKING = replace(TRUSTED, holder_of_key=HolderPolicy.ACCEPTED)
REQUIRING = replace(TRUSTED, holder_of_key=HolderPolicy.REQUIRED)

_XENC = {"xenc": "http://www.w3.org/2001/04/xmlenc#", "ds": "http://www.w3.org/2000/09/xmldsig#"}
_GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
_SCHEME = OAEP(MGF1(SHA1()), SHA1(), None)


def decrypted(element: bytes, key: RSAPrivateKey) -> bytes:
    """The assertion in an EncryptedAssertion or EncryptedData, as the relying party that holds the key sees it."""
    data = next(etree.fromstring(element).iter(f"{{{_XENC['xenc']}}}EncryptedData"))
    content_key = unwrapped(data.xpath("ds:KeyInfo/xenc:EncryptedKey", namespaces=_XENC)[0], key)
    content = _value(data)
    if data.xpath("string(xenc:EncryptionMethod/@Algorithm)", namespaces=_XENC) == _GCM:
        return AESGCM(content_key).decrypt(content[:12], content[12:], None)
    decryptor = Cipher(AES(content_key), CBC(content[:16])).decryptor()
    padded = decryptor.update(content[16:]) + decryptor.finalize()
    return padded[: -padded[-1]]


def proof_keys(assertion: bytes, key: RSAPrivateKey) -> set[bytes]:
    """The secret keys that an assertion's confirmations name, unwrapped."""
    wrapped = etree.fromstring(assertion).iter(f"{{{_XENC['xenc']}}}EncryptedKey")
    return {unwrapped(element, key) for element in wrapped}


def unwrapped(element: etree._Element, key: RSAPrivateKey) -> bytes:
    """The key in an EncryptedKey, which says that it is wrapped with OAEP and SHA-1."""
    algorithms = element.xpath("xenc:EncryptionMethod/@Algorithm", namespaces=_XENC)
    assert algorithms == ["http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"]
    digests = element.xpath("xenc:EncryptionMethod/ds:DigestMethod/@Algorithm", namespaces=_XENC)
    assert digests == ["http://www.w3.org/2000/09/xmldsig#sha1"]
    return key.decrypt(_value(element), _SCHEME)


def public_key(assertion: bytes) -> RSAPublicKey | EllipticCurvePublicKey:
    """The public key that an assertion's confirmation names: by certificate, or spelt out."""
    confirmation = next(etree.fromstring(assertion).iter("{*}SubjectConfirmation"))
    (named,) = confirmation.iter(f"{{{_XENC['ds']}}}KeyInfo")
    (content,) = named[0]
    texts = {etree.QName(child).localname: b64decode(child.text or "") for child in (content, *content)}
    if "X509Certificate" in texts:
        key = x509.load_der_x509_certificate(texts["X509Certificate"]).public_key()
    elif "Modulus" in texts:
        numbers = (int.from_bytes(texts[name], "big") for name in ("Exponent", "Modulus"))
        key = RSAPublicNumbers(*numbers).public_key()
    else:
        curve = {"1.2.840.10045.3.1.7": SECP256R1(), "1.3.132.0.34": SECP384R1()}
        key = EllipticCurvePublicKey.from_encoded_point(
            curve[content[0].get("URI", "").removeprefix("urn:oid:")], texts["PublicKey"]
        )
    assert isinstance(key, RSAPublicKey | EllipticCurvePublicKey)
    return key


def _value(element: etree._Element) -> bytes:
    return b64decode(element.xpath("string(xenc:CipherData/xenc:CipherValue)", namespaces=_XENC))
