"""Which keys are good enough, and new ones."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import PublicKeyAlgorithmOID

from sts.core.errors import InvalidCertificate
from sts.core.model import KeyType
from sts.crypto.signer import PrivateKey

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

RSA_MINIMUM: Final = 2048  # bits
RSA_MAXIMUM: Final = 16_384  # bits; OpenSSL goes no further
EXPONENT_MINIMUM: Final = 65_537  # FIPS 186-5, A.1.1: 2**16 < e < 2**256
EXPONENT_MAXIMUM: Final = 2**256

_CURVES: Final = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}
_ALGORITHMS: Final = (PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5, PublicKeyAlgorithmOID.EC_PUBLIC_KEY)
_RSA_SIZES: Final = {KeyType.RSA2048: 2048, KeyType.RSA3072: 3072, KeyType.RSA4096: 4096}


def generate_key(key_type: KeyType) -> PrivateKey:
    """A new private key."""
    if key_type in _RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_SIZES[key_type])
    return ec.generate_private_key(ec.SECP256R1() if key_type is KeyType.P256 else ec.SECP384R1())


def certified_key(certificate: x509.Certificate) -> PublicKey:
    """The public key of a certificate; raises InvalidCertificate when it is neither plain RSA nor on a curve."""
    try:
        if certificate.public_key_algorithm_oid not in _ALGORITHMS:
            raise InvalidCertificate("the certificate's key is neither RSA nor ECDSA")
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidCertificate("the certificate's public key cannot be read") from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise InvalidCertificate("the certificate's key is neither RSA nor ECDSA")
    return key


def require_strong(key: PublicKey) -> None:
    """Return if the key is RSA of 2048 bits or more with a sound exponent, or on P-256, P-384 or P-521.

    Raises InvalidCertificate, which says what is wrong with the key.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise InvalidCertificate(f"the key is on the curve {key.curve.name}; use P-256, P-384 or P-521")
        return
    if not RSA_MINIMUM <= key.key_size <= RSA_MAXIMUM:
        raise InvalidCertificate(f"the RSA key has {key.key_size} bits; it needs {RSA_MINIMUM} to {RSA_MAXIMUM}")
    numbers = key.public_numbers()
    if numbers.n % 2 == 0:
        raise InvalidCertificate("the RSA key has an even modulus: the file is damaged or made to mislead")
    if numbers.e % 2 == 0 or not EXPONENT_MINIMUM <= numbers.e < EXPONENT_MAXIMUM:
        raise InvalidCertificate(f"the RSA key's public exponent is {numbers.e:#x}; it must be odd and at least 65537")


def key_type(key: PublicKey) -> str:
    """What the key is, in a word: rsa2048, p256."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa{key.key_size}"
    return _CURVES.get(key.curve.name, key.curve.name)
