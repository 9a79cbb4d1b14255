"""The security header: one timestamp, exactly the credential of the endpoint, a signature over Timestamp and Body."""

from base64 import b64encode
from datetime import timedelta
from hashlib import sha1

import pytest

from sts.core.errors import AuthenticationFailed
from sts.core.exchange import CertificateProof, DigestProof, PasswordProof, TokenProof
from sts.core.model import TokenFormat
from sts.core.uris import JWT_TOKEN, SWT_TOKEN
from sts.protocols.wstrust.errors import BadSecurity, MessageExpired, UnsupportedSecurityToken
from tests.crypto.identities import NOW, certificate, rsa_key
from tests.protocols.wstrust.messages import (
    ENCRYPTED,
    SAML,
    SAML11,
    TrustMessage,
    at,
    binary_token,
    digest_token,
    nonce,
    read_security,
    request,
    timestamp,
    username_token,
)

USERNAME = TrustMessage(NOW, username_token("worker", "secret"), request("https://rp.example/"))
KEY = rsa_key("worker")
DER = certificate("rsa2048", "worker")
CERTIFICATE = USERNAME.changed(endpoint="certificate", token=binary_token(DER))
BEARER = USERNAME.changed(endpoint="issuedtoken-bearer", token=SAML)
SYMMETRIC = USERNAME.changed(endpoint="issuedtoken-symmetric", token=SAML)
SECRET = b"s" * 32
MINUTE = timedelta(minutes=1)


def test_a_name_and_a_password_in_the_clear_are_read_security() -> None:
    found = read_security(USERNAME)
    assert found.proof == PasswordProof("worker", b"secret")
    assert (found.message.id, found.message.nonce) == (USERNAME.message_id, None)
    assert NOW + 5 * MINUTE <= found.message.remember_until <= NOW + 6 * MINUTE


def test_a_password_without_a_type_is_in_the_clear() -> None:
    token = username_token("worker", "secret").replace(' Type="', ' x="')
    assert read_security(USERNAME.changed(token=token)).proof == PasswordProof("worker", b"secret")


def test_a_nonce_makes_the_message_one_that_comes_once() -> None:
    token = username_token("worker", "secret", nonce(b"0123456789abcdef", NOW))
    assert read_security(USERNAME.changed(token=token)).message.nonce == b64encode(b"0123456789abcdef").decode()


def test_a_digest_of_the_password_is_read_with_what_it_covers() -> None:
    proof = read_security(USERNAME.changed(token=digest_token("worker", "secret", b"n" * 16, NOW))).proof
    assert proof == DigestProof(
        "worker", b"n" * 16, at(NOW), NOW, sha1(b"n" * 16 + at(NOW).encode() + b"secret").digest()
    )


DIGEST = digest_token("worker", "secret", b"n" * 16, NOW)
ONE_NONCE = nonce(b"n" * 16, NOW)


@pytest.mark.parametrize(
    ("token", "cause"),
    [
        (username_token("worker", "secret").replace("#PasswordText", "#Other"), BadSecurity),
        (username_token("worker", "secret", "<wsse:Username>admin</wsse:Username>"), BadSecurity),
        (username_token("worker", "secret", "<wsse:Password>x</wsse:Password>"), BadSecurity),
        (username_token("worker", "<x/>"), BadSecurity),
        (username_token("worker", "secret", "<x/>"), BadSecurity),
        (username_token("worker", "secret", "<wsse:Nonce>!</wsse:Nonce>"), BadSecurity),
        (username_token("worker", "secret", "<wsse:Nonce/>"), BadSecurity),
        (username_token("worker", "secret", f"<wsse:Nonce>{'A' * 400}</wsse:Nonce>"), BadSecurity),
        (username_token("worker", "secret", "<wsu:Created>yesterday</wsu:Created>"), BadSecurity),
        (username_token("worker", "secret", nonce(b"n", NOW - 6 * MINUTE)), MessageExpired),
        (username_token("worker", "secret", nonce(b"n", NOW + 6 * MINUTE)), MessageExpired),
        (DIGEST.replace(ONE_NONCE, ""), BadSecurity),
        (DIGEST.replace("wsu:Created>", "wsu:Made>"), BadSecurity),
        (username_token("worker", "QUJD", ONE_NONCE).replace("#PasswordText", "#PasswordDigest"), AuthenticationFailed),
        ('<wsse:UsernameToken wsu:Id="_user"><wsse:Username>worker</wsse:Username></wsse:UsernameToken>', BadSecurity),
    ],
)
def test_a_username_token_of_another_shape_is_refused(token: str, cause: type[Exception]) -> None:
    with pytest.raises(cause):
        read_security(USERNAME.changed(token=token))


STAMPS = {
    "T01 none": ("", BadSecurity),
    "T02 expired 6 minutes ago": (timestamp(NOW - 7 * MINUTE, NOW - 6 * MINUTE), MessageExpired),
    "T02 created 6 minutes ahead": (timestamp(NOW + 6 * MINUTE), MessageExpired),
    "T02 old, with a long life": (timestamp(NOW - 6 * MINUTE, NOW + 60 * MINUTE), MessageExpired),
    "T03 two": (timestamp(NOW) + timestamp(NOW).replace('"_0"', '"_9"'), BadSecurity),
    "ends before it begins": (timestamp(NOW, NOW - MINUTE), BadSecurity),
    "no end": (timestamp(NOW).partition("<wsu:Expires>")[0] + "</wsu:Timestamp>", BadSecurity),
    "two ends": (
        timestamp(NOW).replace("</wsu:Timestamp>", f"<wsu:Expires>{at(NOW)}</wsu:Expires></wsu:Timestamp>"),
        BadSecurity,
    ),
    "no zone": (timestamp(NOW).replace("Z<", "<"), BadSecurity),
    "an end beyond reckoning": (timestamp(NOW).replace(at(NOW + 5 * MINUTE), "9999-12-31T23:59:59Z"), BadSecurity),
    "something else": (timestamp(NOW).replace("</wsu:Timestamp>", "<x/></wsu:Timestamp>"), BadSecurity),
}


@pytest.mark.parametrize(("stamp", "cause"), STAMPS.values(), ids=STAMPS)
def test_a_message_without_one_fresh_timestamp_is_refused(stamp: str, cause: type[Exception]) -> None:
    with pytest.raises(cause):
        read_security(USERNAME.changed(stamp=stamp))


@pytest.mark.parametrize(
    "stamp",
    [
        timestamp(NOW - 5 * MINUTE, NOW),
        timestamp(NOW - 4 * MINUTE, NOW - 2 * MINUTE),
        timestamp(NOW + 5 * MINUTE),
        timestamp(NOW, NOW + 10 * MINUTE),
        timestamp(NOW).replace(".000Z", "+00:00"),
    ],
)
def test_clocks_may_differ_by_some_minutes(stamp: str) -> None:
    assert read_security(USERNAME.changed(stamp=stamp)).message.remember_until > NOW


def test_two_security_headers_are_refused() -> None:
    other = timestamp(NOW).replace("_0", "_9") + username_token("admin", "x").replace("_user", "_9u")
    second = f"<wsse:Security>{other}</wsse:Security>"
    with pytest.raises(BadSecurity, match="one security header"):
        read_security(USERNAME.changed(after_security=second))


def test_no_security_header_is_refused() -> None:
    body = USERNAME.xml().replace(b"wsse:Security", b"wsse:Insecurity")
    with pytest.raises(BadSecurity, match="one security header"):
        read_security(USERNAME, body)


WRONG: dict[str, tuple[TrustMessage, type[Exception]]] = {
    "no token": (USERNAME.changed(token=""), BadSecurity),
    "two tokens": (USERNAME.changed(security=SAML), BadSecurity),
    "two names": (USERNAME.changed(security=username_token("admin", "x").replace("_user", "_9")), BadSecurity),
    "a token for a password": (USERNAME.changed(token=SAML), UnsupportedSecurityToken),
    "a password for a token": (BEARER.changed(token=USERNAME.token), UnsupportedSecurityToken),
    "a password for a certificate": (CERTIFICATE.changed(token=USERNAME.token), UnsupportedSecurityToken),
    "a certificate for a token": (BEARER.changed(token=binary_token(DER)), UnsupportedSecurityToken),
    "a binary token of any kind": (BEARER.changed(token=binary_token(b"x", "urn:x")), UnsupportedSecurityToken),
    "no base64": (BEARER.changed(token=binary_token(b"x", JWT_TOKEN).replace("eA==", "!")), UnsupportedSecurityToken),
    "encrypted key": (USERNAME.changed(security="<x:EncryptedKey xmlns:x='urn:x'/>"), UnsupportedSecurityToken),
    "no certificate": (CERTIFICATE.changed(token=binary_token(b"no certificate")), BadSecurity),
    "unsigned": (CERTIFICATE, BadSecurity),
    "unsigned at the symmetric endpoint": (SYMMETRIC, BadSecurity),
    "nothing, without TLS": (CERTIFICATE.changed(token=""), BadSecurity),
}


@pytest.mark.parametrize(("message", "cause"), WRONG.values(), ids=WRONG)
def test_an_endpoint_takes_its_own_credential_and_no_other(message: TrustMessage, cause: type[Exception]) -> None:
    with pytest.raises(cause):
        read_security(message)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (SAML, TokenFormat.SAML20),
        (SAML11, TokenFormat.SAML11),
        (ENCRYPTED, None),
        ('<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>', None),
        (binary_token(b"a.b.c", JWT_TOKEN), TokenFormat.JWT),
        (binary_token(b"Issuer=x", SWT_TOKEN), TokenFormat.SWT),
    ],
)
def test_issued_tokens_are_cut_out_unread_security(token: str, expected: TokenFormat | None) -> None:
    proof = read_security(BEARER.changed(token=token)).proof
    assert isinstance(proof, TokenProof)
    assert proof.format is expected


def test_the_certificate_of_the_connection_stands_in_for_one_in_the_message() -> None:
    assert read_security(CERTIFICATE.changed(token=""), None, DER).proof == CertificateProof(DER)


def test_the_certificate_of_the_connection_does_not_make_up_for_a_missing_signature() -> None:
    with pytest.raises(BadSecurity, match="Signature"):
        read_security(CERTIFICATE, None, DER)
