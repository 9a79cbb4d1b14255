"""Enrolment over Secure Transport: parse, render, refuse."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7

from sts.core.enrolment import Enrolled
from sts.core.errors import (
    AuthenticationFailed,
    BadRequest,
    InsecureTransport,
    InvalidCertificate,
    InvalidJwtToken,
    InvalidSignature,
    KeyUnreadable,
    NamespaceNotFound,
    NoIssuingAuthority,
    PayloadTooLarge,
    StoreUnavailable,
    StsError,
    TooManyRequests,
)
from sts.core.exchange import CertificateProof, PasswordProof, Proof, TokenProof
from sts.core.model import TokenFormat
from sts.core.tenant_ca import IssuedCertificate
from sts.protocols import est
from sts.protocols.http import HttpRequest
from tests.crypto.authorities import certificate
from tests.crypto.wishes import request as wish
from tests.protocols.requests import NOW, SECRET, TRACE_ID, basic, post

WISH = wish()
PRESENT = b"the certificate of the TLS connection"


def asked(body: bytes | None = None, authorization: str = basic(f"worker:{SECRET}"), **headers: str) -> HttpRequest:
    """A request to enrol; an empty header is not sent."""
    given = {"content_type": "application/pkcs10", "authorization": authorization, **headers}
    body = base64.b64encode(WISH) if body is None else body
    return post(body, **{name: value for name, value in given.items() if value})


def test_a_request_is_whose_it_is_and_what_it_wishes() -> None:
    parsed = est.parse(asked(), "contoso")
    assert (parsed.namespace, parsed.source, parsed.trace_id) == ("contoso", "192.0.2.1", TRACE_ID)
    assert parsed.certification_request == WISH
    assert parsed.proof == PasswordProof("worker", SECRET.encode())


@pytest.mark.parametrize(
    "body",
    [
        base64.encodebytes(WISH),
        base64.encodebytes(WISH).replace(b"\n", b"\r\n"),
        b"\r\n" + base64.b64encode(WISH) + b"\r\n\r\n",
    ],
    ids=["lines", "CRLF lines", "blank lines around it"],
)
def test_line_breaks_in_base64_mean_nothing(body: bytes) -> None:
    assert est.parse(asked(body), "contoso").certification_request == WISH


@pytest.mark.parametrize("content_type", ["application/pkcs10", "Application/PKCS10; charset=utf-8", ""])
def test_the_type_of_the_body_may_be_left_out(content_type: str) -> None:
    assert est.parse(asked(content_type=content_type), "contoso").certification_request == WISH


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (basic("worker:a:b"), PasswordProof("worker", b"a:b")),
        (basic("worker:%41+"), PasswordProof("worker", b"%41+")),
        (basic("w\u00f6rker:p\u00e4ss"), PasswordProof("w\u00f6rker", "p\u00e4ss".encode())),
        (basic("worker:x").replace("Basic", "bAsIc"), PasswordProof("worker", b"x")),
        ("Bearer Issuer=worker&HMACSHA256=x", TokenProof(TokenFormat.SWT, b"Issuer=worker&HMACSHA256=x")),
        ("bearer aa.bb.cc", TokenProof(TokenFormat.JWT, b"aa.bb.cc")),
    ],
)
def test_who_asks_is_read_from_the_authorization_header(authorization: str, expected: Proof) -> None:
    assert est.parse(asked(authorization=authorization), "contoso").proof == expected


def test_without_that_header_the_certificate_of_the_connection_says_who_asks() -> None:
    present = asked(authorization="")._replace(client_certificate=PRESENT)
    assert est.parse(present, "contoso").proof == CertificateProof(PRESENT)
    both = asked()._replace(client_certificate=PRESENT)
    assert isinstance(est.parse(both, "contoso").proof, PasswordProof)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (asked(authorization=""), AuthenticationFailed),
        (asked(authorization="Digest username=worker"), AuthenticationFailed),
        (asked(authorization=basic("worker")), AuthenticationFailed),
        (asked(authorization=basic(":secret")), AuthenticationFailed),
        (asked(authorization=basic("worker:")), AuthenticationFailed),
        (asked(authorization="Basic ####"), BadRequest),
        (asked(authorization=basic(b"worker:\xff")), BadRequest),
        (asked(b"not base64!"), BadRequest),
        (asked(base64.b64encode(WISH)[:-1]), BadRequest),
        (asked(b"QUI="), None),
        (asked(b"QUJ="), BadRequest),
        (asked(b"-----BEGIN CERTIFICATE REQUEST-----\nQUI=\n-----END CERTIFICATE REQUEST-----\n"), BadRequest),
        (asked(WISH), BadRequest),
        (asked(content_type="application/x-www-form-urlencoded"), BadRequest),
        (asked(content_type="application/pkcs7-mime"), BadRequest),
        (asked(b"A" * 16_385), PayloadTooLarge),
        (asked(base64.b64encode(b"A" * 10_241)), PayloadTooLarge),
        (asked(base64.b64encode(b"A" * 10_240)), None),
    ],
)
def test_a_malformed_request_is_refused(request_: HttpRequest, refusal: type[StsError] | None) -> None:
    if refusal is None:
        est.parse(request_, "contoso")
        return
    with pytest.raises(refusal):
        est.parse(request_, "contoso")


def test_the_answer_carries_the_certificate_alone() -> None:
    der = certificate()
    answer = est.render(Enrolled(IssuedCertificate(der, 1, NOW, NOW + timedelta(days=1)), "worker", 7))
    headers = dict(answer.headers)
    assert answer.status == 200
    assert headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert headers["Content-Transfer-Encoding"] == "base64"
    assert headers["Cache-Control"] == "no-store"
    assert all(len(line) <= 76 for line in answer.body.splitlines())
    [read] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.body))
    assert read.serial_number == 4711


def test_the_answer_with_authorities_carries_all_of_them() -> None:
    ders = [certificate(), certificate()]
    answer = est.render_authorities(ders)
    assert dict(answer.headers)["Content-Type"] == "application/pkcs7-mime"
    assert len(pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.body))) == 2


# (what was refused, the status, the words, a header besides)
REFUSALS: list[tuple[StsError, int, str, tuple[str, str] | None]] = [
    (BadRequest("no"), 400, "ACS90013: no", None),
    (InvalidCertificate("bad key", detail="secret reason"), 400, "ACS80001: bad key", None),
    (InsecureTransport("https only"), 400, "ACS90013: https only", None),
    (
        AuthenticationFailed(detail="unknown service identity"),
        401,
        "ACS50012: Authentication failed.",
        ("WWW-Authenticate", 'Basic realm="est", charset="UTF-8"'),
    ),
    (InvalidSignature("wrong key"), 401, "ACS50012: Authentication failed.", None),
    (InvalidJwtToken("bad shape"), 401, "ACS50012: Authentication failed.", None),
    (NamespaceNotFound("there is no namespace 'x'"), 404, "ACS50001: there is no namespace 'x'", None),
    (PayloadTooLarge("too large"), 413, "ACS90013: too large", None),
    (TooManyRequests("later", retry_after=30), 429, "ACS90055: later", ("Retry-After", "30")),
    (NoIssuingAuthority("the CA expired"), 503, "ACS50004: the CA expired", None),
    (StoreUnavailable("away"), 503, "ACS60021: away", ("Retry-After", "5")),
    (KeyUnreadable("credential 7"), 500, "ACS50000: There was an error issuing a token.", None),
]


@pytest.mark.parametrize(("error", "status", "words", "header"), REFUSALS, ids=lambda value: type(value).__name__)
def test_a_refusal_says_what_the_caller_may_know(
    error: StsError, status: int, words: str, header: tuple[str, str] | None
) -> None:
    answer = est.refuse(error, TRACE_ID)
    assert answer.status == status
    assert answer.body.decode() == f"{words}\nTrace id: {TRACE_ID}\n"
    assert dict(answer.headers)["Content-Type"] == "text/plain; charset=utf-8"
    assert header is None or header in answer.headers
    assert ("WWW-Authenticate" in dict(answer.headers)) == (status == 401)
