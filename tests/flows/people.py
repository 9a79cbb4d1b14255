"""People with browsers: what they see, and what they do with it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from lxml import etree
from werkzeug.test import Client, TestResponse

from tests.flows.world import SECRET, World

SIGN_IN = "v2/wsfederation"
LOCAL = "v2/wsfederation/local"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
TRUST = "http://schemas.xmlsoap.org/ws/2005/02/trust"


@dataclass(frozen=True)
class Page:
    """A page, as far as tests look at it."""

    answer: TestResponse

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status_code

    @property
    def text(self) -> str:
        """The words on it."""
        return " ".join(" ".join(self._tree.xpath("//main//text()")).split())

    @property
    def heading(self) -> str:
        """Its heading."""
        return str(self._tree.xpath("string(//h1)"))

    @property
    def action(self) -> str:
        """Where its form goes."""
        return str(self._tree.xpath("string(//form/@action)"))

    @property
    def fields(self) -> dict[str, str]:
        """What its first form carries."""
        inputs = self._tree.xpath("(//form)[1]//input[@type='hidden']")
        return {str(one.get("name")): str(one.get("value")) for one in inputs}

    @property
    def typed(self) -> str:
        """The name that stands in the form for a local account."""
        return str(self._tree.xpath("string(//input[@name='username']/@value)"))

    @property
    def focus(self) -> str:
        """The field in which typing begins."""
        return str(self._tree.xpath("string(//input[@autofocus]/@name)"))

    @property
    def links(self) -> dict[str, str]:
        """Its links, by their words."""
        return {" ".join("".join(a.itertext()).split()): str(a.get("href")) for a in self._tree.xpath("//a")}

    @property
    def frames(self) -> list[str]:
        """The addresses in its frames."""
        return [str(address) for address in self._tree.xpath("//iframe/@src")]

    @property
    def location(self) -> str:
        """Where it redirects to."""
        return self.answer.headers.get("Location", "")

    @property
    def asked(self) -> dict[str, str]:
        """The query of the address that it redirects to."""
        return dict(parse_qsl(urlsplit(self.location).query, strict_parsing=True))

    @property
    def policy(self) -> dict[str, str]:
        """Its Content-Security-Policy."""
        parts = (part.strip().partition(" ") for part in self.answer.headers["Content-Security-Policy"].split(";"))
        return {name: value for name, _, value in parts}

    @property
    def notified(self) -> str:
        """What it hands to the application around the browser."""
        return str(self._tree.xpath("string(//*[@id='answer'])"))

    @property
    def wresult(self) -> str:
        """The response that it carries to a relying party."""
        assert self.status == 200, self.text
        return self.fields["wresult"]

    @property
    def token(self) -> bytes:
        """The token in that, out of its BinarySecurityToken if it is in one."""
        response = etree.fromstring(self.wresult.encode())
        (token,) = response.find(f"{{{TRUST}}}RequestedSecurityToken")  # type: ignore[misc]
        if token.tag == f"{{{WSSE}}}BinarySecurityToken":
            return base64.b64decode(token.text or "")
        return etree.tostring(token, with_tail=False)

    @property
    def _tree(self) -> etree._Element:
        return etree.HTML(self.answer.text)


@dataclass
class Person:
    """Somebody with a browser, who visits a namespace."""

    world: World
    source: str = "192.0.2.10"
    namespace: str = "contoso"
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.world.client.application)

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self.world.service.settings.base_url

    def get(self, address: str) -> Page:
        """Follow a link."""
        return self._open("GET", address)

    def post(self, address: str, fields: Mapping[str, str | bytes]) -> Page:
        """Send a form."""
        return self._open("POST", address, urlencode(fields).encode())

    def _open(self, method: str, address: str, data: bytes | None = None) -> Page:
        path = address.removeprefix(self.base_url)
        assert path.startswith("/"), address
        answer = self.client.open(
            path,
            method=method,
            data=data,
            base_url=self.base_url,
            content_type=None if data is None else "application/x-www-form-urlencoded",
            environ_overrides={"REMOTE_ADDR": self.source},
        )
        return Page(answer)

    def at(self, path: str = SIGN_IN, **query: str) -> str:
        """An address of the namespace."""
        return f"/{self.namespace}/{path}" + (f"?{urlencode(query)}" if query else "")

    def sign_in(self, party: str, **more: str) -> Page:
        """Come to sign in to one of the world's relying parties."""
        return self.get(self.at(wa="wsignin1.0", wtrealm=f"https://{party}.example/", **more))

    def type(self, page: Page, name: str = "ann", password: str = SECRET) -> Page:
        """Fill in the form of a local identity provider."""
        return self.post(page.action, {**page.fields, "username": name, "password": password})

    def bring(self, state: str, wresult: str | bytes) -> Page:
        """Bring an identity provider's answer."""
        return self.post(self.at(), {"wa": "wsignin1.0", "wctx": state, "wresult": wresult})

    def sign_out(self, **more: str) -> Page:
        """Sign out."""
        return self.get(self.at(wa="wsignout1.0", **more))

    def cookies(self) -> dict[str, str]:
        """What the browser keeps for the service, by name."""
        host = urlsplit(self.base_url).hostname or ""
        return {cookie.key: cookie.value for cookie in self.client._cookies.values() if cookie.domain == host}
