"""OAuth 2.0 as RFC 6749 has it: client credentials and assertions for tokens of all four formats.

SAML is given as RFC 8693 wraps it; the assertions are those of RFC 7522 and RFC 7523.
"""

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from datetime import datetime

from sts.core.errors import AuthenticationFailed, BadRequest, MissingField, StsError
from sts.core.exchange import CertificateProof, ClientAssertion, IssuedToken, PasswordProof, Proof, TokenRequest
from sts.core.model import TokenFormat
from sts.core.uris import OAUTH_SAML11, OAUTH_SAML20
from sts.protocols.assertions import CLIENT_CREDENTIALS, GRANTS, assertion, client_assertion
from sts.protocols.content_type import FORM, media_type
from sts.protocols.http import (
    Answer,
    Form,
    HttpRequest,
    form_decode,
    json_answer,
    posted_form,
    seconds_left,
)
from sts.protocols.refusals import refusal, retry_headers, text

FORMATS = frozenset(TokenFormat)

# Templates, because the alphabet of a token needs no escaping and a general encoder would read the whole token again.
_JWT_ANSWER = b'{"access_token":"%b","token_type":"Bearer","expires_in":%d}'
_SAML_ANSWERS = {
    token_format: (
        b'{"access_token":"%%b","issued_token_type":"%b","token_type":"N_A","expires_in":%%d}' % token_type.encode()
    )
    for token_format, token_type in ((TokenFormat.SAML11, OAUTH_SAML11), (TokenFormat.SAML20, OAUTH_SAML20))
}
_NOT_IN_DESCRIPTION = re.compile(r"[^ !#-\[\]-~]")  # RFC 6749, 5.2
_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Pragma", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
)
_IN_BODY = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})
_REALMS = frozenset({"resource", "audience", "scope"})
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="oauth2/token", charset="UTF-8"')


def parse(request: HttpRequest, namespace: str) -> TokenRequest:
    """Read a token request; the realm comes as `resource`, `audience` or `scope`.

    Raises MethodNotAllowed, PayloadTooLarge, BadRequest (MissingField), UnsupportedGrant, InvalidToken for an assertion
    that cannot be decoded, or AuthenticationFailed where the client does not authenticate as its grant demands
    (RFC 6749, 2.3.1, 3.2 and 4.4.2; RFC 7521, 4; RFC 8707, 2).
    """
    form = posted_form(request)
    if media_type(request.content_type) not in (FORM, ""):
        raise BadRequest(f"the body is not {FORM}")
    proof, client = _proofs(request, form)
    return TokenRequest(
        namespace=namespace,
        proof=proof,
        realm=_realm(form),
        formats=FORMATS,
        source=request.source,
        trace_id=request.trace_id,
        client=client,
    )


def _proofs(request: HttpRequest, form: Form) -> tuple[Proof, Proof | None]:
    """What the grant rests on, and the client that presents an assertion, if it says who it is (RFC 7521, 4.1)."""
    if form.single("grant_type") == CLIENT_CREDENTIALS:
        return _client(request, form), None
    proof = assertion(form, GRANTS)
    credentials = ("client_secret", "client_assertion", "client_assertion_type")
    if "authorization" in request.headers or any(form.optional(name) for name in credentials):
        return proof, _client(request, form)
    return proof, None


def _client(request: HttpRequest, form: Form) -> PasswordProof | CertificateProof | ClientAssertion:
    """A secret, in the header or the body, a token of the client's own, or else the certificate of the TLS connection.

    Only one of them (RFC 6749, 2.3; RFC 7521, 4.2; RFC 8705, 2).
    """
    authorization = request.headers.get("authorization")
    if authorization is not None and _IN_BODY.isdisjoint(form.values):
        return _basic(authorization)
    name, secret = form.optional("client_id"), form.optional("client_secret")
    own = client_assertion(form)
    if own is not None:
        if authorization is not None or secret is not None:
            raise BadRequest("a client authenticates in one way: with a client_assertion or with a secret, not both")
        return own
    if authorization is None:
        if name is not None and secret is not None:
            return PasswordProof(name, secret.encode())
        if name is not None and request.client_certificate is not None:
            return CertificateProof(request.client_certificate, name)
        raise AuthenticationFailed(detail="the client sent no credentials")
    if secret is not None:
        raise BadRequest("client credentials are in the Authorization header or in the body, not in both")
    proof = _basic(authorization)
    if name not in (None, proof.name):
        raise BadRequest("client_id differs from the Authorization header's")
    return proof


def _basic(authorization: str) -> PasswordProof:
    """Name and secret are form-encoded inside the header (RFC 6749, 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise AuthenticationFailed(detail="the Authorization header's scheme is not Basic")
    try:
        name, colon, secret = a2b_base64(encoded.strip(" "), strict_mode=True).decode().partition(":")
    except ValueError as error:
        raise BadRequest("the Authorization header is not base64 of UTF-8") from error
    if not (name and colon and secret):
        raise AuthenticationFailed(detail="the Authorization header lacks name or secret")
    return PasswordProof(form_decode(name), form_decode(secret).encode())


def _realm(form: Form) -> str:
    given = {value for name in _REALMS & form.values.keys() if (value := form.optional(name)) is not None}
    if not given:
        raise MissingField("resource")
    if len(given) > 1:
        raise BadRequest("resource, audience and scope name different realms")
    return given.pop()


def render(issued: IssuedToken, now: datetime) -> Answer:
    """The answer that carries a token (RFC 6749, 5.1; for SAML RFC 8693, 2.2.1: base64url, `N_A`)."""
    seconds = seconds_left(issued, now)
    if issued.format is TokenFormat.JWT:
        return Answer(200, _HEADERS, _JWT_ANSWER % (issued.token, seconds))
    if issued.format.is_saml:
        encoded = urlsafe_b64encode(issued.token).rstrip(b"=")
        return Answer(200, _HEADERS, _SAML_ANSWERS[issued.format] % (encoded, seconds))
    members = {"access_token": issued.token.decode(), "token_type": "Bearer", "expires_in": seconds}
    return json_answer(200, _HEADERS, members)


def refuse(error: StsError, trace_id: str, now: datetime) -> Answer:
    """The answer that refuses (RFC 6749, 5.2); the trace id is a member of its own."""
    row = refusal(error)
    challenge = (_CHALLENGE,) if row.rfc6749_status == 401 else ()
    headers = (*_HEADERS, *challenge, *retry_headers(error))
    description = _NOT_IN_DESCRIPTION.sub("?", text(error).replace('"', "'"))
    members = {"error": row.rfc6749_error, "error_description": description, "trace_id": trace_id}
    return json_answer(row.rfc6749_status, headers, members)
