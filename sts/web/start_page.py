"""The page at the root: what this is, or what its operator put there (STS_START_PAGE)."""

from typing import Final

from flask import Blueprint, Response

from sts.web.context import current_service
from sts.web.sign_in_pages import plain_page

start_page: Final = Blueprint("start_page", __name__)

# An operator's page may be styled and show images of its own; scripts, frames and forms it has none.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


@start_page.get("/")
def show() -> Response:
    """The operator's page, read anew each time; where there is none, a sentence for whoever strayed here."""
    file = current_service().settings.start_page
    if file is None:
        return plain_page("start.html")
    page = Response(file.read_text(encoding="utf-8"), mimetype="text/html")
    page.headers.update({"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"})
    return page


@start_page.get("/favicon.ico")
def icon() -> Response:
    """None: every browser asks for it, and that is no fault."""
    return Response(status=204, headers={"Cache-Control": "public, max-age=86400"})
