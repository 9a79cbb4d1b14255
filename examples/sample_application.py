"""Two applications to sign in to, which trust the token service of `make run` and share no code with it.

`orders` takes SAML 2.0, `reports` takes JWT. Each verifies what it is sent with libraries that anybody has (signxml,
PyJWT) against what the token service publishes, and shows what it verified. Everything is in memory.
"""

import base64
import json
import logging
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import jwt
from flask import Flask, abort, redirect, render_template, request
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

STS = os.environ.get("STS_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
HERE = os.environ.get("SAMPLE_URL", "http://127.0.0.1:8001").rstrip("/")
ISSUER = f"{STS}/demo/"
SIGN_IN = f"{ISSUER}v2/wsfederation"
METADATA = f"{ISSUER}FederationMetadata/2007-06/FederationMetadata.xml"
KEYS = f"{ISSUER}.well-known/jwks.json"
SKEW = timedelta(minutes=3)

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
NAMES = {
    "t": "http://schemas.xmlsoap.org/ws/2005/02/trust",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "saml": SAML,
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}

Checks = list[str]
Claims = list[tuple[str, str]]


class Refused(Exception):
    """A sign-in that does not hold, and why."""


@dataclass(frozen=True, slots=True)
class Application:
    """One of the two, and how it reads tokens."""

    name: str
    title: str
    takes: str

    @property
    def realm(self) -> str:
        """Its name at the token service, and its address."""
        return f"{HERE}/{self.name}/"


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in, and how we know."""

    name: str
    claims: Claims
    checks: Checks
    token: str


APPLICATIONS = {
    "orders": Application("orders", "Orders", "SAML 2.0"),
    "reports": Application("reports", "Reports", "JWT"),
}

app = Flask(__name__, template_folder="sample_templates")
visits: dict[str, Visit] = {}
seen: set[str] = set()  # ids of tokens that were used


@app.get("/")
def index() -> str:
    """Both applications."""
    return render_template("index.html", applications=APPLICATIONS.values(), sts=STS)


@app.get("/favicon.ico")
def icon() -> tuple[str, int]:
    """None, although every browser asks for it."""
    return "", 204


@app.get("/<name>/")
def show(name: str) -> Response | str:
    """The application: a page for whoever is signed in, a link for everybody else."""
    application = known(name)
    if request.args.get("wa") == "wsignoutcleanup1.0":
        return signed_out(application)
    visit = visits.get(request.cookies.get(f"{name}-visit", ""))
    if visit is None:
        return render_template("welcome.html", application=application)
    leave = address({"wa": "wsignout1.0", "wtrealm": application.realm, "wreply": application.realm})
    others = [other for other in APPLICATIONS.values() if other is not application]
    return render_template("visit.html", application=application, visit=visit, leave=leave, others=others)


@app.get("/<name>/sign-in")
def begin(name: str) -> Response:
    """Send the person to the token service; the answer must come back with what only this browser knows."""
    application, state = known(name), secrets.token_urlsafe(16)
    answer = redirect(address({"wa": "wsignin1.0", "wtrealm": application.realm, "wctx": state}))
    answer.set_cookie(f"{name}-state", state, max_age=600, httponly=True, samesite="Lax", path=f"/{name}/")
    return answer


@app.post("/<name>/")
def finish(name: str) -> Response | tuple[str, int]:
    """Take the token that the browser carries here from the token service."""
    application, state = known(name), request.cookies.get(f"{name}-state", "")
    try:
        if not state or not secrets.compare_digest(state.encode(), request.form.get("wctx", "").encode()):
            raise Refused("this sign-in was not begun by this browser")
        visit = READERS[application.name](application, request.form.get("wresult", "").encode(), datetime.now(UTC))
    except Refused as error:
        return render_template("refused.html", application=application, reason=str(error), details=None), 403
    key = secrets.token_urlsafe(32)
    visits[key] = visit
    answer = redirect(application.realm, 303)
    answer.set_cookie(f"{name}-visit", key, httponly=True, samesite="Lax", path=f"/{name}/")
    answer.delete_cookie(f"{name}-state", path=f"/{name}/")
    return answer


@app.post("/<name>/error")
def failed(name: str) -> tuple[str, int]:
    """Show why the token service could not sign the person in."""
    application = known(name)
    try:
        details = json.loads(request.form.get("ErrorDetails", ""))
        reason = "; ".join(f"{one['errorCode']}: {one['errorMessage']}" for one in details["errors"])
        page = render_template("refused.html", application=application, reason=reason, details=details)
        page.encode()  # half a character cannot be sent
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # anybody can post here
        abort(400, "ErrorDetails is not what the token service writes.")
    return page, 403


def known(name: str) -> Application:
    """The application of this name; answers 404 for any other."""
    return APPLICATIONS.get(name) or abort(404)


def address(parameters: dict[str, str]) -> str:
    """The token service's address with these parameters."""
    return f"{SIGN_IN}?{urlencode(parameters)}"


def signed_out(application: Application) -> Response:
    """Forget who was here; the token service asks for this from its sign-out page."""
    visits.pop(request.cookies.get(f"{application.name}-visit", ""), None)
    answer = Response("signed out\n", mimetype="text/plain", headers={"Cache-Control": "no-store"})
    answer.delete_cookie(f"{application.name}-visit", path=f"/{application.name}/")
    return answer


def requested_token(wresult: bytes) -> etree._Element:
    """The one element inside RequestedSecurityToken."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        response = etree.fromstring(wresult, parser)
    except etree.XMLSyntaxError as error:
        raise Refused("the answer is not XML") from error
    if response.tag != f"{{{NAMES['t']}}}RequestSecurityTokenResponse":
        raise Refused("the answer is no response")
    return one(response, "./t:RequestedSecurityToken/*")


def read_saml(application: Application, wresult: bytes, now: datetime) -> Visit:
    """Verify a SAML 2.0 assertion, and read nothing but what was signed."""
    assertion = verified_assertion(etree.tostring(requested_token(wresult), with_tail=False))
    checks = [f"signed by the key of a certificate in {METADATA}"]
    if one(assertion, "./saml:Issuer").text != ISSUER:
        raise Refused("another issuer")
    checks.append(f"issued by {ISSUER}")
    if [
        audience.text
        for audience in assertion.iterfind("./saml:Conditions/saml:AudienceRestriction/saml:Audience", NAMES)
    ] != [application.realm]:
        raise Refused("meant for another application")
    checks.append(f"meant for {application.realm}")
    conditions = one(assertion, "./saml:Conditions")
    begin, end = (datetime.fromisoformat(conditions.get(name, "")) for name in ("NotBefore", "NotOnOrAfter"))
    if not begin - SKEW <= now < end + SKEW:
        raise Refused("not valid now")
    checks.append(f"valid from {begin:%H:%M:%S} to {end:%H:%M:%S} UTC")
    use_once(assertion.get("ID", ""), checks)
    name = one(assertion, "./saml:Subject/saml:NameID").text or ""
    claims = [("nameidentifier (NameID)", name)] + [
        (attribute.get("Name", ""), value.text or "")
        for attribute in assertion.iterfind("./saml:AttributeStatement/saml:Attribute", NAMES)
        for value in attribute.iterfind("./saml:AttributeValue", NAMES)
    ]
    etree.indent(assertion)
    return Visit(name, claims, checks, etree.tostring(assertion).decode())


def verified_assertion(assertion: bytes) -> etree._Element:
    """What was signed, under one of the certificates that the token service publishes."""
    metadata = etree.fromstring(fetch(METADATA))
    path = "./md:RoleDescriptor/md:KeyDescriptor[@use='signing']/ds:KeyInfo/ds:X509Data/ds:X509Certificate"
    for certificate in {element.text for element in metadata.iterfind(path, NAMES)}:
        pem = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
        try:
            result = XMLVerifier().verify(
                assertion, x509_cert=pem, id_attribute="ID", expect_config=SignatureConfiguration(location="./")
            )
        except SignXMLException:
            continue  # the next certificate may be the one
        signed = None if isinstance(result, list) else result.signed_xml
        if signed is not None and signed.tag == f"{{{SAML}}}Assertion":
            return signed
    raise Refused("no published certificate verifies the signature")


def read_jwt(application: Application, wresult: bytes, now: datetime) -> Visit:
    """Verify a JSON web token; WS-Federation carries it in a BinarySecurityToken."""
    element = requested_token(wresult)
    if element.tag != f"{{{NAMES['wsse']}}}BinarySecurityToken":
        raise Refused("the answer holds no JSON web token")
    token = base64.b64decode(element.text or "").decode("ascii", "replace")
    try:
        key = jwt.PyJWKClient(KEYS).get_signing_key_from_jwt(token)
        members = jwt.decode(token, key, ["RS256"], audience=application.realm, issuer=ISSUER, leeway=SKEW)
    except jwt.PyJWTError as error:
        raise Refused(f"the token does not hold: {error}") from error
    end = datetime.fromtimestamp(members["exp"], UTC)
    checks = [
        f"signed by a key in {KEYS}",
        f"issued by {ISSUER}",
        f"meant for {application.realm}",
        f"valid at {now:%H:%M:%S}, until {end:%H:%M:%S} UTC",
    ]
    use_once(members["jti"], checks)
    claims = [(name, str(value)) for name, value in members.items() if name not in {"iat", "nbf", "exp", "jti"}]
    shown = json.dumps({"header": jwt.get_unverified_header(token), "payload": members}, indent=2)
    return Visit(members.get("nameid", "somebody"), claims, checks, f"{token}\n\n{shown}")


def use_once(identifier: str, checks: Checks) -> None:
    """Refuse a token that was used before."""
    if identifier in seen:
        raise Refused("this token was used before")
    seen.add(identifier)
    checks.append("used for the first time")


def one(element: etree._Element, path: str) -> etree._Element:
    """The only element at a path."""
    found = element.findall(path, NAMES)
    if len(found) != 1:
        raise Refused(f"the token has {len(found)} of {path}")
    return found[0]


def fetch(url: str) -> bytes:
    """What the token service publishes."""
    with urlopen(url, timeout=10) as answer:  # noqa: S310 our own configuration
        body: bytes = answer.read()
        return body


READERS = {"orders": read_saml, "reports": read_jwt}


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the token service tells of every request already
    place = urlsplit(HERE)
    make_server(place.hostname or "127.0.0.1", place.port or 80, app, threaded=True).serve_forever()
