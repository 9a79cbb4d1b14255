"""OAuth WRAP 0.9 as ACS spoke it: a name and password, or an assertion, for a simple web token (acs.md, 3.5)."""

from datetime import datetime

from sts.core.errors import BadRequest, StsError
from sts.core.exchange import IssuedToken, PasswordProof, Proof, TokenProof, TokenRequest
from sts.core.model import TokenFormat
from sts.protocols.content_type import FORM
from sts.protocols.http import Answer, Form, HttpRequest, posted_form, seconds_left, timestamp
from sts.protocols.refusals import chained_text, refusal, retry_headers

FORMATS = frozenset({TokenFormat.SWT})

_SUCCESS_HEADERS = (
    ("Content-Type", f"{FORM}; charset=us-ascii"),
    ("Cache-Control", "no-cache, no-store"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("X-Content-Type-Options", "nosniff"),
)
_FAILURE_HEADERS = (
    ("Content-Type", "text/plain; charset=us-ascii"),
    ("Cache-Control", "private"),
    ("X-Content-Type-Options", "nosniff"),
)


def parse(request: HttpRequest, namespace: str) -> TokenRequest:
    """Read a token request; the Content-Type does not matter, since old clients send none.

    Raises MethodNotAllowed, PayloadTooLarge or BadRequest (MissingField) (OAuth WRAP 0.9, 5.1, 5.2).
    """
    form = posted_form(request)
    return TokenRequest(
        namespace=namespace,
        realm=form.single("wrap_scope"),
        proof=_proof(form),
        formats=FORMATS,
        source=request.source,
        trace_id=request.trace_id,
    )


def _proof(form: Form) -> Proof:
    if form.optional("wrap_assertion") is None and form.optional("wrap_assertion_format") is None:
        return PasswordProof(form.single("wrap_name"), form.single("wrap_password").encode())
    if form.optional("wrap_name") is not None or form.optional("wrap_password") is not None:
        raise BadRequest("a request has a name and password or an assertion, not both")
    assertion = form.single("wrap_assertion")
    assertion_format = form.single("wrap_assertion_format")
    if assertion_format == "SWT":
        return TokenProof(TokenFormat.SWT, assertion.encode())
    if assertion_format == "SAML":
        return TokenProof(None, assertion.encode())
    raise BadRequest("wrap_assertion_format is neither SWT nor SAML")


def render(issued: IssuedToken, now: datetime) -> Answer:
    """The answer that carries a token; the lifetime is in the whole seconds left at `now`."""
    seconds = seconds_left(issued, now)
    body = b"wrap_access_token=%b&wrap_access_token_expires_in=%d" % (_encode(issued.token), seconds)
    return Answer(200, _SUCCESS_HEADERS, body)


def _encode(token: bytes) -> bytes:
    """Form-encode a simple web token with ACS's lower-case escapes: these four are all it has to escape."""
    return token.replace(b"%", b"%25").replace(b"=", b"%3d").replace(b"&", b"%26").replace(b"+", b"%2b")


def refuse(error: StsError, trace_id: str, now: datetime) -> Answer:
    """The answer that refuses, one line of printable ASCII."""
    status = refusal(error).status
    told = "".join(character if " " <= character <= "~" else "?" for character in chained_text(error))
    line = f"Error:Code:{status}:SubCode:T0:Detail:{told}:TraceID:{trace_id}:TimeStamp:{timestamp(now)}"
    identifiers = (("X-Ms-Request-Id", trace_id),)
    return Answer(status, _FAILURE_HEADERS + identifiers + retry_headers(error), line.encode("ascii", "replace"))
