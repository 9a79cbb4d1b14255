"""Certificates that a known CA should have issued: a client's, and the proof that somebody holds the CA's key."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sts.core.errors import AuthenticationFailed, InvalidCertificate
from sts.core.exchange import CertifiedClient
from sts.crypto.certificates import Purpose, extension, judge_usage, load

_CLIENT_USAGES: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


def certified_client(certificate: bytes, authorities: Sequence[bytes], now: datetime) -> CertifiedClient:
    """Whom a client's certificate names, since when, and which of these CAs issued it (core.ports.ClientCertificates).

    All are DER. It must be valid now, be no CA's, and allow TLS client authentication if it limits its usage
    (RFC 5280, 4.2.1.3 and 4.2.1.12). Raises AuthenticationFailed.
    """
    with _authentication():
        leaf = _leaf(certificate, now)
        _require_client_usage(leaf)
        name = _common_name(leaf)
        issuer = _issuer(leaf, authorities, now)
        return CertifiedClient(name, leaf.not_valid_before_utc, issuer)


def claimed_name(certificate: bytes) -> str:
    """The common name in a certificate (DER), whoever issued it; raises AuthenticationFailed."""
    with _authentication():
        return _common_name(x509.load_der_x509_certificate(load(certificate).der))


@contextmanager
def _authentication() -> Iterator[None]:
    """Whatever is wrong with a client's certificate, the client is told the same."""
    try:
        yield
    except InvalidCertificate as error:
        reason = f"{error.message} ({error.detail})" if error.detail else error.message
        raise AuthenticationFailed(detail=f"client certificate: {reason}") from error


def proved_code(proof: bytes, authority: bytes, now: datetime) -> str:
    """The common name in a certificate (DER, PEM or base64) with which the CA (DER) shows that it holds its key.

    Raises InvalidCertificate when it is a CA's own, not valid now, or not issued by that CA.
    """
    leaf = _leaf(load(proof).der, now)
    code = _common_name(leaf)
    _require_issued_by(leaf, _authority(authority), now)
    return code


def _leaf(der: bytes, now: datetime) -> x509.Certificate:
    described = load(der)
    if described.der != der:
        raise InvalidCertificate("the certificate is not in DER")
    if not described.not_before <= now.replace(microsecond=0) <= described.not_after:
        raise InvalidCertificate(
            f"the certificate is not valid now: it is from {described.not_before:%Y-%m-%dT%H:%M:%SZ} "
            f"to {described.not_after:%Y-%m-%dT%H:%M:%SZ}"
        )
    leaf = x509.load_der_x509_certificate(der)
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise InvalidCertificate("the certificate is a CA's own, where one that the CA issued to somebody is needed")
    return leaf


def _common_name(leaf: x509.Certificate) -> str:
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise InvalidCertificate(f"the certificate's subject has {len(names)} common names, where it needs one")
    return names[0].value


def _require_client_usage(leaf: x509.Certificate) -> None:
    extended = extension(leaf, x509.ExtendedKeyUsage)
    if extended is not None and not any(usage in extended for usage in _CLIENT_USAGES):
        raise InvalidCertificate("the certificate's extended key usage does not allow client authentication")
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        raise InvalidCertificate("the certificate's key usage does not allow client authentication")


def _issuer(leaf: x509.Certificate, authorities: Sequence[bytes], now: datetime) -> bytes:
    refusal = InvalidCertificate(f"no CA that is trusted now is its issuer {leaf.issuer.rfc4514_string()}")
    for authority in authorities:
        if _authority(authority).subject != leaf.issuer:
            continue
        try:
            _require_issued_by(leaf, _authority(authority), now)
        except InvalidCertificate as error:
            refusal = error
        else:
            return authority
    raise refusal


def _require_issued_by(leaf: x509.Certificate, authority: x509.Certificate, now: datetime) -> None:
    """Return if this very CA issued it and may; a chain of two needs no more (RFC 5280, 6.1.3).

    The library's own verifier of chains takes no certificate of version 1, which is what OpenSSL makes of a request
    unless it is told otherwise.
    """
    judge_usage(authority, Purpose.CA)
    if not authority.not_valid_before_utc <= now.replace(microsecond=0) <= authority.not_valid_after_utc:
        raise InvalidCertificate("the CA that should have issued the certificate is not valid now")
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise InvalidCertificate(
            "the certificate was not issued by the CA that should have", detail=str(error) or None
        ) from error


@lru_cache(maxsize=4096)
def _authority(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)
