"""The public roots (certifi), an installation's own, and whether a certificate chains to them."""

import warnings
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from sts.core.errors import InvalidCertificate


def load_roots(extra: Path | None) -> tuple[bytes, ...]:
    """The DER of every trusted issuer: certifi's, and those of a PEM file of private or intermediate CAs.

    Raises InvalidCertificate when the file cannot be read as one or more PEM certificates of CAs.
    """
    public = _certificates(Path(certifi.where()).read_bytes())
    if extra is None:
        return _der(public)
    try:
        added = _certificates(extra.read_bytes())
        strangers = [each.subject.rfc4514_string() for each in added if not _is_authority(each)]
    except OSError as error:
        raise InvalidCertificate(f"the extra roots {extra} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidCertificate(f"the extra roots {extra} are not a PEM file of certificates") from error
    if strangers:
        raise InvalidCertificate(f"the extra roots {extra} hold what is no CA certificate: {'; '.join(strangers)}")
    return _der(public + added)


def require_chain(certificate: x509.Certificate, roots: tuple[bytes, ...], moment: datetime) -> None:
    """Return if one of the roots issued the certificate and both are valid at the moment; raises InvalidCertificate.

    Checked by the rules of RFC 5280, 6, with every extension of the leaf allowed: it identifies no TLS server.
    """
    if not roots:
        raise _untrusted("there are no roots")
    verifier = (
        PolicyBuilder()
        .store(_store(roots))
        .time(moment)
        .extension_policies(ca_policy=_authority_policy(), ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, [])
    except VerificationError as error:
        raise _untrusted(str(error)) from error


def _untrusted(detail: str) -> InvalidCertificate:
    return InvalidCertificate(
        "the certificate is neither self-signed nor issued by a public root or one of the extra roots", detail=detail
    )


def _certificates(pem: bytes) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one public root has the serial number 0, which the library remarks on
        return x509.load_pem_x509_certificates(pem)


def _der(certificates: list[x509.Certificate]) -> tuple[bytes, ...]:
    return tuple(each.public_bytes(Encoding.DER) for each in certificates)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


@lru_cache(maxsize=4)
def _store(roots: tuple[bytes, ...]) -> Store:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Store([x509.load_der_x509_certificate(each) for each in roots])


def _authority_policy() -> ExtensionPolicy:
    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_certificate_signing)
    )


def _require_certificate_signing(_policy: Policy, _authority: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("the issuer's key usage does not allow signing certificates")
