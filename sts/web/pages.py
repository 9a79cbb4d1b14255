"""What Flask serves: sign-in, published documents, enrolment, health."""

import traceback
from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from sts.assemble import Service
from sts.core.errors import BadRequest, MethodNotAllowed, NotFound, StoreUnavailable, StsError
from sts.operations.publish import DocumentKind
from sts.protocols import addresses
from sts.protocols.http import MAX_BODY, MAX_FIELDS
from sts.web.context import current_arrival, current_service, note_error, refused
from sts.web.enrolment import enrolment
from sts.web.metadata_exchange import is_message, metadata_exchange, refuse_message
from sts.web.metrics import Metrics
from sts.web.problem import problem
from sts.web.sign_in import METHODS, sign_in
from sts.web.sign_in_pages import prepare_post_page, stray_page
from sts.web.start_page import start_page

documents = Blueprint("documents", __name__)
health = Blueprint("health", __name__)


def create_pages(service: Service, metrics: Metrics) -> Flask:
    """The Flask application behind the edge."""
    app = Flask("sts.web", static_folder=None)
    app.url_map.merge_slashes = False  # it would redirect, by the caller's own scheme and host
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, MAX_FORM_PARTS=MAX_FIELDS, MAX_FORM_MEMORY_SIZE=MAX_BODY)
    app.extensions["sts"] = service
    app.extensions["sts-metrics"] = metrics
    app.register_blueprint(documents)
    app.register_blueprint(enrolment)
    app.register_blueprint(health)
    app.register_blueprint(metadata_exchange)
    app.register_blueprint(sign_in)
    app.register_blueprint(start_page)
    app.before_request(_require_faultless)
    app.register_error_handler(StsError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    with app.app_context():
        prepare_post_page()
    return app


def _require_faultless() -> None:
    """What the edge found wrong is refused here, in the words of whoever answers at the address."""
    fault = current_arrival().fault
    if fault is not None:
        raise fault


def _refuse(error: StsError) -> Response:
    """Problem details for software, a page for people: browsers ask for HTML before anything else. SOAP has faults."""
    if is_message(current_arrival()):
        return refuse_message(error)
    trace_id, now = current_arrival().trace_id, current_service().clock()
    answer = problem(error, trace_id, now)
    if request.accept_mimetypes.best_match(("application/problem+json", "text/html")) != "text/html":
        return refused(error, answer)
    note_error(error)
    return stray_page(error, trace_id, now, answer)


def _refuse_http(error: HTTPException) -> Response:
    """What the framework itself refuses looks like every other refusal."""
    if error.code == HTTPStatus.NOT_FOUND:
        return _refuse(NotFound("there is nothing at this address"))
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        route = request.path.removeprefix("/").partition("/")[2]
        known = METHODS.get(route) or sorted(getattr(error, "valid_methods", None) or ())
        return _refuse(MethodNotAllowed(*known))
    if error.code is None or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = getattr(error, "original_exception", None) or error
        return _refuse(StsError("internal error", detail="".join(traceback.format_exception(cause))))
    return _refuse(BadRequest(error.description or "the request cannot be read"))


def _publish(namespace: str, kind: DocumentKind) -> BaseResponse:
    service = current_service()
    now: datetime = service.clock()
    document = service.publications.document(service.directory.namespace(namespace), kind, now)
    response = Response(document.body, mimetype=document.media_type)
    response.headers["ETag"] = document.etag
    response.headers["Cache-Control"] = f"public, max-age={document.max_age(now)}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if kind is not DocumentKind.FEDERATION_METADATA:
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response.make_conditional(request)


@documents.get(f"/<namespace>/{addresses.FEDERATION_METADATA}")
def federation_metadata(namespace: str) -> BaseResponse:
    """The signed federation metadata."""
    return _publish(namespace, DocumentKind.FEDERATION_METADATA)


@documents.get(f"/<namespace>/{addresses.OPENID_CONFIGURATION}")
def openid_configuration(namespace: str) -> BaseResponse:
    """OpenID Connect discovery."""
    return _publish(namespace, DocumentKind.OPENID_CONFIGURATION)


@documents.get("/.well-known/oauth-authorization-server/<namespace>")
@documents.get("/.well-known/oauth-authorization-server/<namespace>/")
def authorization_server(namespace: str) -> BaseResponse:
    """OAuth 2.0 authorization server metadata (RFC 8414, 3.1: the issuer's path follows the well-known one)."""
    return _publish(namespace, DocumentKind.AUTHORIZATION_SERVER)


@documents.get(f"/<namespace>/{addresses.JWKS}")
def jwks(namespace: str) -> BaseResponse:
    """The public keys that verify tokens."""
    return _publish(namespace, DocumentKind.JWKS)


@documents.get(f"/<namespace>/{addresses.WS_TRUST_MEX}")
def trust_description(namespace: str) -> BaseResponse:
    """What a WS-Trust client is generated from (WS-MetadataExchange 1.1, 4: the metadata of an address by GET)."""
    return _publish(namespace, DocumentKind.TRUST_DESCRIPTION)


@health.get("/health/live")
def live() -> Response:
    """Whether the process answers; it depends on nothing."""
    return Response("ok\n", mimetype="text/plain", headers={"Cache-Control": "no-store"})


@health.get("/health/ready")
def ready() -> Response:
    """Whether the database answers too."""
    try:
        with current_service().installation.database.reading():
            return Response("ready\n", mimetype="text/plain", headers={"Cache-Control": "no-store"})
    except StoreUnavailable as error:
        return _refuse(error)


@health.get("/metrics")
def metrics() -> Response:
    """The counters, for Prometheus."""
    counted: Metrics = current_app.extensions["sts-metrics"]
    return Response(counted.render(), content_type="text/plain; version=0.0.4; charset=utf-8")
