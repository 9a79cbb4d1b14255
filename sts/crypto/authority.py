"""Certificate authorities: a root, the CA below it, and the certificates that those issue (RFC 5280, 4)."""

import secrets
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sts.core.errors import InvalidCertificate, KeyUnreadable, NoIssuingAuthority
from sts.core.model import KeyType
from sts.core.tenant_ca import IssuedCertificate, Subscriber
from sts.crypto import certificates, certification_requests
from sts.crypto.keys import PublicKey, generate_key
from sts.crypto.signer import PrivateKey

NAME_LIMIT: Final = 64  # bytes of a common name that every X.509 reader takes (X.520, ub-common-name: characters)

_AUTHORITY: Final = ("key_cert_sign", "crl_sign")
_PROOF: Final = ("digital_signature", "content_commitment", "key_encipherment")
_DEVICE: Final = ("digital_signature",)
_DEVICE_RSA: Final = ("digital_signature", "key_encipherment")
_USAGES: Final = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)

Extensions = Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True, eq=False)
class SoftwareAuthority:
    """A CA whose private key is in this process's memory; nothing it shows of itself holds the key."""

    certificate: bytes = field(repr=False)  # DER
    _parsed: x509.Certificate = field(repr=False)
    _key: PrivateKey = field(repr=False)

    @classmethod
    def from_private_key(cls, key: PrivateKey, certificate: bytes) -> Self:
        """The CA of a private key and its DER certificate; raises KeyUnreadable when they are not a pair."""
        parsed = x509.load_der_x509_certificate(certificate)
        if parsed.public_key() != key.public_key():
            raise KeyUnreadable("the private key is not that of the certificate")
        return cls(certificate, parsed, key)

    def certify(self, request: bytes, subscriber: Subscriber) -> IssuedCertificate:
        """Issue the certificate that a PKCS#10 request (DER) asks for: for its key, for TLS clients, and no CA.

        The subject is the subscriber, whom the request names too or leaves out. Raises InvalidCertificate for a
        request that names anybody else or does not prove that its sender holds a strong key; NoIssuingAuthority.
        """
        asked = certification_requests.load(request)
        if asked.common_names not in ((), (subscriber.name,)):
            raise InvalidCertificate(
                f"the certification request must name CN={subscriber.name}, or nobody",
                detail=f"it names {', '.join(asked.common_names)[:200]!r}",
            )
        usage = _DEVICE_RSA if isinstance(asked.public_key, rsa.RSAPublicKey) else _DEVICE
        client = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        return self._issue(subscriber, asked.public_key, [_end_entity(), _usage(usage), client])

    def prove(self, subscriber: Subscriber) -> IssuedCertificate:
        """Issue a certificate that proves possession of this CA's key: the subscriber's name is the code asked for.

        Nobody holds its private key. A name of more than 64 characters breaks X.520's bound, on the asker's wish.
        """
        throwaway = generate_key(KeyType.RSA2048).public_key()
        return self._issue(subscriber, throwaway, [_end_entity(), _usage(_PROOF)])

    def subordinate(self, subscriber: Subscriber, kind: KeyType) -> tuple[PrivateKey, bytes]:
        """A new key and the DER certificate of a CA below this one, which may issue to end entities only."""
        key = generate_key(kind)
        constraints = (x509.BasicConstraints(ca=True, path_length=0), True)
        return key, self._issue(subscriber, key.public_key(), [constraints, _usage(_AUTHORITY)]).der

    def _issue(self, subscriber: Subscriber, key: PublicKey, extensions: Extensions) -> IssuedCertificate:
        own = self._parsed
        begin = max(subscriber.not_before, own.not_valid_before_utc)
        end = min(subscriber.not_after, own.not_valid_after_utc)
        if end <= begin:
            raise NoIssuingAuthority(f"the CA {own.subject.rfc4514_string()} is not valid while {subscriber.name} is")
        issuer_key = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key)
        builder = x509.CertificateBuilder(own.subject, _name(subscriber.name), key, _serial(), begin, end)
        made = _sign(builder, [*extensions, (identifier, False)], key, self._key)
        return IssuedCertificate(made.public_bytes(Encoding.DER), made.serial_number, begin, end)


def make_root(subscriber: Subscriber, kind: KeyType) -> tuple[PrivateKey, bytes]:
    """A new key and the self-signed DER certificate of a root, below which there is one more level of CAs."""
    key = generate_key(kind)
    public, name = key.public_key(), _name(subscriber.name)
    constraints = (x509.BasicConstraints(ca=True, path_length=1), True)
    begin, end = subscriber.not_before, subscriber.not_after
    builder = x509.CertificateBuilder(name, name, public, _serial(), begin, end)
    return key, _sign(builder, [constraints, _usage(_AUTHORITY)], public, key).public_bytes(Encoding.DER)


def issuer_among(certificate: bytes, candidates: Sequence[bytes]) -> bytes:
    """The one of these certificates (DER) whose key signed another; raises InvalidCertificate."""
    issued = x509.load_der_x509_certificate(certificate)
    for candidate in candidates:
        try:
            issued.verify_directly_issued_by(x509.load_der_x509_certificate(candidate))
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return candidate
    raise InvalidCertificate(f"the issuer of {certificates.parse(certificate).subject} is not known here")


def _sign(
    builder: x509.CertificateBuilder, extensions: Extensions, subject_key: PublicKey, key: PrivateKey
) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(subject_key)
    for extension, critical in [*extensions, (identifier, False)]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, _digest(key))


def _digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    is_larger = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > hashes.SHA256.digest_size * 8
    return hashes.SHA384() if is_larger else hashes.SHA256()


def _name(common_name: str) -> x509.Name:
    """A subject of one common name; a code that is longer than the library allows is its asker's wish (ADR 10)."""
    if len(common_name.encode()) <= NAME_LIMIT:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on what it is told not to refuse
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)])


def _serial() -> int:
    """128 random bits, never zero (RFC 5280, 4.1.2.2)."""
    return 1 + secrets.randbelow(2**128 - 1)


def _end_entity() -> tuple[x509.ExtensionType, bool]:
    return x509.BasicConstraints(ca=False, path_length=None), True


def _usage(allowed: Sequence[str]) -> tuple[x509.ExtensionType, bool]:
    return x509.KeyUsage(**{bit: bit in allowed for bit in _USAGES}), True
