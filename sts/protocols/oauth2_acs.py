"""OAuth 2.0 in ACS's dialect of draft 13, for clients that were written for it (acs.md, 3.6)."""

from datetime import datetime

from sts.core.errors import StsError
from sts.core.exchange import IssuedToken, PasswordProof, Proof, TokenRequest
from sts.core.model import TokenFormat
from sts.protocols.assertions import ACS_GRANTS, CLIENT_CREDENTIALS, assertion
from sts.protocols.http import Answer, Form, HttpRequest, json_answer, posted_form, seconds_left, timestamp
from sts.protocols.refusals import chained_text, refusal, retry_headers

FORMATS = frozenset({TokenFormat.SWT, TokenFormat.JWT})

_HEADERS = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("Cache-Control", "public, no-store, max-age=0"),
    ("X-Content-Type-Options", "nosniff"),
)


def parse(request: HttpRequest, namespace: str) -> TokenRequest:
    """Read a token request; secrets and assertions (as they are, SAML too) are in the body, the realm in `scope`.

    Raises MethodNotAllowed, PayloadTooLarge, BadRequest (MissingField) or UnsupportedGrant.
    """
    form = posted_form(request)
    proof, client = _proofs(form)
    return TokenRequest(
        namespace=namespace,
        realm=form.single("scope"),
        proof=proof,
        formats=FORMATS,
        source=request.source,
        trace_id=request.trace_id,
        client=client,
    )


def _proofs(form: Form) -> tuple[Proof, Proof | None]:
    """What the grant rests on, and the client that presents an assertion, if it gives a secret too."""
    if form.single("grant_type") == CLIENT_CREDENTIALS:
        return _client(form), None
    proof = assertion(form, ACS_GRANTS)
    return proof, _client(form) if form.optional("client_secret") is not None else None


def _client(form: Form) -> PasswordProof:
    return PasswordProof(form.single("client_id"), form.single("client_secret").encode())


def render(issued: IssuedToken, now: datetime) -> Answer:
    """The answer that carries a token: its type is a URI, its lifetime in seconds a string."""
    members = {
        "token_type": issued.format.uri,
        "access_token": issued.token.decode(),
        "expires_in": str(seconds_left(issued, now)),
        "scope": issued.audience,
    }
    return json_answer(200, _HEADERS, members)


def refuse(error: StsError, trace_id: str, now: datetime) -> Answer:
    """The answer that refuses; the description ends in lines that carry the trace id and the instant."""
    row = refusal(error)
    description = (
        f"{chained_text(error)}\r\nTrace ID: {trace_id}\r\nCorrelation ID: {trace_id}\r\nTimestamp: {timestamp(now)}"
    )
    headers = (*_HEADERS, ("X-Ms-Request-Id", trace_id), *retry_headers(error))
    return json_answer(row.status, headers, {"error": row.acs_error, "error_description": description})
