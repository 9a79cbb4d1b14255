"""X.509 certificates: read by strict rules, judged when they come in, and made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from sts.core.errors import InvalidCertificate
from sts.core.model import KeyType
from sts.crypto import asn1
from sts.crypto.keys import PublicKey, certified_key, generate_key, key_type, require_strong
from sts.crypto.pem import Block, NotPem, from_base64, is_pem, pem_blocks
from sts.crypto.roots import require_chain
from sts.crypto.signer import PrivateKey

SIZE_LIMIT: Final = 65_536  # bytes of a certificate file
_Value = TypeVar("_Value", bound=x509.ExtensionType)

START_LIMIT: Final = timedelta(days=3653)  # a beginning further ahead is a mistake

_DIGESTS: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_SERIAL_SIZE: Final = 20  # octets; RFC 5280, 4.1.2.2

_DER_START: Final = b"\x30"
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
_EXPOSED_KEY: Final = (
    "the file holds a private key where only a certificate is expected; nothing was stored."
    " If others could read it on its way here, the key is exposed: replace it"
)

_OTHER_THAN_TLS_SERVER: Final = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # document signing, RFC 9336
        x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),  # document signing, Microsoft
    }
)


class Purpose(Enum):
    """What a certificate is to be used for, and whose it is."""

    SIGNING = "sign tokens"
    DECRYPTION = "decrypt tokens"
    ENCRYPTION = "encrypt tokens to a partner"
    VERIFICATION = "verify a partner's signatures"
    CA = "issue certificates"

    @property
    def encrypts(self) -> bool:
        """Whether keys are transported under it, which only RSA does."""
        return self in (Purpose.DECRYPTION, Purpose.ENCRYPTION)


_USAGE_BITS: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_SUFFICIENT_USAGES: Final = {  # one of these, where a certificate limits its usage
    Purpose.SIGNING: ("digital_signature", "content_commitment"),
    Purpose.VERIFICATION: ("digital_signature", "content_commitment"),
    Purpose.DECRYPTION: ("key_encipherment",),
    Purpose.ENCRYPTION: ("key_encipherment",),
    Purpose.CA: ("key_cert_sign",),
}
_GENERATED_USAGES: Final = {
    Purpose.SIGNING: ("digital_signature",),
    Purpose.VERIFICATION: ("digital_signature",),
    Purpose.DECRYPTION: ("key_encipherment", "data_encipherment"),
    Purpose.ENCRYPTION: ("key_encipherment", "data_encipherment"),
    Purpose.CA: ("key_cert_sign", "crl_sign"),
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    der: bytes = field(repr=False)
    subject: str  # RFC 4514
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    thumbprint: str  # SHA-1, lower-case hex
    thumbprint_sha256: str
    key_type: str  # rsa2048, p256


@lru_cache(maxsize=1024)
def parse(der: bytes) -> Certificate:
    """What a DER certificate says, without judging it: for bytes that passed `load` before.

    Raises InvalidCertificate when they are no certificate or its key is of no known kind.
    """
    return _describe(_decode(der))


@lru_cache(maxsize=4096)
def public_key(der: bytes) -> PublicKey:
    """The public key of a DER certificate; raises InvalidCertificate."""
    return certified_key(_decode(der))


def public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo (DER) of a DER certificate; raises InvalidCertificate."""
    return public_key(der).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load(data: bytes) -> Certificate:
    """The one certificate of a file: DER, PEM, or the base64 of DER, and nothing else beside it.

    Raises InvalidCertificate for any other content, a weak key, a SHA-1 or MD5 signature, or a serial number or
    dates that RFC 5280, 4.1.2 does not allow. Dates and usage are judged by `accept`.
    """
    der = _der(data)
    _require_serial(der)
    certificate = _decode(der)
    _require_understood(certificate)
    require_strong(certified_key(certificate))
    described = _describe(certificate)
    if described.not_after < described.not_before:
        raise InvalidCertificate("the certificate ends before it begins")
    return described


def accept(certificate: Certificate, now: datetime, *, purpose: Purpose, roots: Sequence[bytes]) -> tuple[str, ...]:
    """Judge a certificate that is about to be saved, and answer what is odd about it but tolerable.

    `roots` are the DER certificates of trusted issuers. Raises InvalidCertificate when it has expired, is not meant
    for the purpose, or is neither self-signed nor issued by a root. Chains are judged here and never again.
    """
    warnings = judge(certificate, now, purpose)
    x509_certificate = _decode(certificate.der)
    if not _is_self_signed(x509_certificate):
        require_chain(x509_certificate, tuple(roots), max(now, certificate.not_before))
    return warnings


def judge(certificate: Certificate, now: datetime, purpose: Purpose) -> tuple[str, ...]:
    """Judge its dates and usage as `accept` does, whoever issued it; answers what is odd but tolerable.

    Raises InvalidCertificate.
    """
    return (*_judge_dates(certificate, now), *judge_usage(_decode(certificate.der), purpose))


def judge_usage(certificate: x509.Certificate, purpose: Purpose) -> list[str]:
    """Judge what it may be used for; answers what is odd but tolerable; raises InvalidCertificate."""
    if purpose.encrypts and not isinstance(certified_key(certificate), rsa.RSAPublicKey):
        raise InvalidCertificate(f"a certificate to {purpose.value} must have an RSA key")
    constraints = extension(certificate, x509.BasicConstraints)
    if purpose is Purpose.CA and not (constraints and constraints.ca):
        raise InvalidCertificate("the certificate is not that of a CA: its basic constraints do not say so")
    if purpose is Purpose.CA and extension(certificate, x509.NameConstraints) is not None:
        raise InvalidCertificate("the CA may certify certain names only (name constraints), which nobody would check")
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not any(getattr(usage, bit) for bit in _SUFFICIENT_USAGES[purpose]):
        raise InvalidCertificate(f"the certificate's key usage does not allow it to {purpose.value}")
    extended = extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and purpose is not Purpose.CA and _OTHER_THAN_TLS_SERVER.isdisjoint(extended):
        return [f"the certificate's extended key usage does not foresee that it is used to {purpose.value}"]
    return []


def generate(
    subject: str, kind: KeyType, not_before: datetime, not_after: datetime, purpose: Purpose
) -> tuple[PrivateKey, bytes]:
    """A new key and its self-signed DER certificate (SHA-256).

    `subject` is RFC 4514 text. Raises InvalidCertificate for a subject that X.509 cannot carry, dates in the wrong
    order, or a key type that the purpose does not allow.
    """
    if not_after <= not_before:
        raise InvalidCertificate("a certificate must end after it begins")
    if purpose.encrypts and kind not in (KeyType.RSA2048, KeyType.RSA3072, KeyType.RSA4096):
        raise InvalidCertificate("decryption and encryption certificates are RSA")
    name = _name(subject)
    key = generate_key(kind)
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=purpose is Purpose.CA, path_length=None), critical=True)
        .add_extension(_key_usage(purpose), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.DER)


def pem(der: bytes) -> bytes:
    """The PEM text of a DER certificate (RFC 7468)."""
    return _decode(der).public_bytes(Encoding.PEM)


def extension(certificate: x509.Certificate, kind: type[_Value]) -> _Value | None:
    """The extension of this kind, None where the certificate has none; for one that passed `load`."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _der(data: bytes) -> bytes:
    if len(data) > SIZE_LIMIT:
        raise InvalidCertificate(f"a certificate file has at most {SIZE_LIMIT} bytes")
    try:
        if data[:1] == _DER_START:
            return data
        return _only_certificate(pem_blocks(data)) if is_pem(data) else from_base64(data)
    except NotPem as error:
        raise InvalidCertificate(f"the file is no certificate in DER, PEM or base64: {error}") from error


def _only_certificate(blocks: Sequence[Block]) -> bytes:
    if any(block.label.endswith("PRIVATE KEY") for block in blocks):
        raise InvalidCertificate(_EXPOSED_KEY)
    if [block.label for block in blocks] != ["CERTIFICATE"]:
        raise InvalidCertificate("the file must hold exactly one PEM certificate and nothing else")
    return blocks[0].der


def _require_serial(der: bytes) -> None:
    """Before the library sees it, which remarks on such serial numbers instead of refusing them."""
    try:
        outer = asn1.elements(asn1.element(der).content)
        if outer and outer[0].tag == asn1.INTEGER:  # the version that private keys and PKCS#12 begin with
            raise InvalidCertificate(_EXPOSED_KEY)
        fields = asn1.elements(outer[0].content) if outer else []
    except asn1.NotDer as error:
        raise InvalidCertificate(f"the file is not a DER certificate: {error}") from error
    serial = next((each.content for each in fields if each.tag != asn1.CONTEXT_0), b"")
    if not 0 < int.from_bytes(serial, "big", signed=True) < 2 ** (8 * _SERIAL_SIZE):
        raise InvalidCertificate("the certificate's serial number is not a positive number of at most 20 octets")


def _decode(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidCertificate("the file is not an X.509 certificate", detail=str(error)) from error


def _require_understood(certificate: x509.Certificate) -> None:
    try:
        digest = certificate.signature_hash_algorithm
        extensions = list(certificate.extensions)
    except UnsupportedAlgorithm as error:
        raise InvalidCertificate("the certificate is signed with an algorithm that is not known") from error
    except (ValueError, x509.DuplicateExtension) as error:
        raise InvalidCertificate("the certificate is malformed", detail=str(error)) from error
    if not isinstance(digest, _DIGESTS):
        name = "no hash" if digest is None else digest.name.upper()
        raise InvalidCertificate(f"the certificate is signed with {name}; SHA-256, SHA-384 or SHA-512 is needed")
    for each in extensions:
        if each.critical and isinstance(each.value, x509.UnrecognizedExtension):
            raise InvalidCertificate(f"the certificate's critical extension {each.oid.dotted_string} is not known")


def _describe(certificate: x509.Certificate) -> Certificate:
    der = certificate.public_bytes(Encoding.DER)
    try:
        return Certificate(
            der=der,
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial=certificate.serial_number,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
            thumbprint_sha256=hashlib.sha256(der).hexdigest(),
            key_type=key_type(certified_key(certificate)),
        )
    except ValueError as error:
        raise InvalidCertificate("the certificate is malformed", detail=str(error)) from error


def _judge_dates(certificate: Certificate, now: datetime) -> list[str]:
    if now > certificate.not_after:
        raise InvalidCertificate(f"the certificate {certificate.subject} expired on {certificate.not_after:{_INSTANT}}")
    if certificate.not_before - now > START_LIMIT:
        raise InvalidCertificate(
            f"the certificate {certificate.subject} begins on {certificate.not_before:{_INSTANT}}, over ten years ahead"
        )
    if now < certificate.not_before:
        return [f"the certificate is not valid before {certificate.not_before:{_INSTANT}}"]
    return []


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _name(subject: str) -> x509.Name:
    try:
        name = x509.Name.from_rfc4514_string(subject)
    except ValueError as error:
        raise InvalidCertificate(
            f"'{subject}' is not a subject such as CN=contoso,O=Contoso", detail=str(error)
        ) from error
    if not name.rdns:
        raise InvalidCertificate("a certificate's subject may not be empty")
    return name


def _key_usage(purpose: Purpose) -> x509.KeyUsage:
    allowed = _GENERATED_USAGES[purpose]
    return x509.KeyUsage(**{bit: bit in allowed for bit in _USAGE_BITS})
