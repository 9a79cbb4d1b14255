"""Enrolment over Secure Transport (RFC 7030, with the base64 of RFC 8951): CA certificates, enrolment, re-enrolment."""

from base64 import b64decode, encodebytes
from collections.abc import Sequence
from typing import Final

from sts.core.enrolment import Enrolled
from sts.core.errors import (
    AuthenticationFailed,
    BadRequest,
    InvalidCertificate,
    IssuingFailed,
    PayloadTooLarge,
    StsError,
)
from sts.core.exchange import CertificateProof, PasswordProof, Proof, TokenProof
from sts.core.model import TokenFormat
from sts.core.tenant_ca import EnrolmentRequest
from sts.crypto import pkcs7
from sts.crypto.certification_requests import SIZE_LIMIT
from sts.crypto.pem import NotPem, from_base64
from sts.protocols import refusals
from sts.protocols.content_type import media_type
from sts.protocols.http import Answer, HttpRequest

PKCS10: Final = "application/pkcs10"
MAX_TEXT: Final = 16_384  # bytes: the largest request in base64, with its line breaks

_CERTIFICATES: Final = "application/pkcs7-mime"
_ISSUED: Final = "application/pkcs7-mime; smime-type=certs-only"
_COMMON: Final = (("X-Content-Type-Options", "nosniff"),)
_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="est", charset="UTF-8"')


def parse(request: HttpRequest, namespace: str) -> EnrolmentRequest:
    """Read a request to enrol or to enrol again (RFC 7030, 4.2.1 and 4.2.2).

    Who asks says so by password (Basic), by a token that it signed with its symmetric key (Bearer), or by the
    certificate of its TLS connection. Raises PayloadTooLarge, BadRequest, or AuthenticationFailed where it says not.
    """
    if len(request.body) > MAX_TEXT:
        raise PayloadTooLarge("the certification request is too large", detail=f"{len(request.body)} bytes")
    if media_type(request.content_type) not in (PKCS10, ""):
        raise BadRequest(f"the body is not {PKCS10}")
    return EnrolmentRequest(
        namespace=namespace,
        proof=_proof(request),
        certification_request=_certification_request(request.body),
        source=request.source,
        trace_id=request.trace_id,
    )


def _certification_request(body: bytes) -> bytes:
    try:
        der = from_base64(body)
    except NotPem as error:
        raise BadRequest("the body is not a certification request in base64", detail=str(error)) from error
    if len(der) > SIZE_LIMIT:
        raise PayloadTooLarge("the certification request is too large", detail=f"{len(der)} bytes")
    return der


def _proof(request: HttpRequest) -> Proof:
    """What the Authorization header says, or else the TLS connection (RFC 7030, 3.2.3 and 3.3.2)."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        if request.client_certificate is None:
            raise AuthenticationFailed(detail="the device sent no credentials")
        return CertificateProof(request.client_certificate)
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        return _basic(given.strip(" "))
    if scheme.lower() == "bearer":
        return _bearer(given.strip(" "))
    raise AuthenticationFailed(detail="the Authorization header's scheme is neither Basic nor Bearer")


def _basic(encoded: str) -> PasswordProof:
    """Name and password (RFC 7617, 2)."""
    try:
        name, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise BadRequest("the Authorization header is not base64 of UTF-8") from error
    if not (name and colon and password):
        raise AuthenticationFailed(detail="the Authorization header lacks name or password")
    return PasswordProof(name, password.encode())


def _bearer(token: str) -> TokenProof:
    """A simple web token, whose fields have `=`, or a JSON web token, which has none."""
    token_format = TokenFormat.SWT if "=" in token else TokenFormat.JWT
    return TokenProof(token_format, token.encode(errors="surrogatepass"))


def render(enrolled: Enrolled) -> Answer:
    """The answer that carries the certificate that was issued, and no other (RFC 7030, 4.2.3)."""
    return _message(pkcs7.certificates_only([enrolled.certificate.der]), _ISSUED, "no-store")


def render_authorities(certificates: Sequence[bytes]) -> Answer:
    """The answer that carries the certificates of the CAs to trust (RFC 7030, 4.1.3)."""
    return _message(pkcs7.certificates_only(certificates), _CERTIFICATES, "no-cache")


def _message(der: bytes, content_type: str, cache_control: str) -> Answer:
    headers = (
        ("Content-Type", content_type),
        ("Content-Transfer-Encoding", "base64"),
        ("Cache-Control", cache_control),
        *_COMMON,
    )
    return Answer(200, headers, encodebytes(der))


def refuse(error: StsError, trace_id: str) -> Answer:
    """The answer that refuses, as a sentence for people (RFC 7030, 4.2.3)."""
    status, told = _told(error)
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        *_COMMON,
        *((_CHALLENGE,) if status == 401 else ()),
        *refusals.retry_headers(error),
    )
    return Answer(status, headers, f"{told}\nTrace id: {trace_id}\n".encode(errors="replace"))


def _told(error: StsError) -> tuple[int, str]:
    if isinstance(error, InvalidCertificate):
        return 400, error.codes
    if isinstance(error, IssuingFailed):  # it stays so until a person acts, and is nothing the device did
        return 503, error.codes
    return refusals.refusal(error).status, refusals.text(error)
