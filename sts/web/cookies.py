"""The cookies of people's browsers: named so that nobody else can set them, and no longer-lived than they must be."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response

REMEMBERED: Final = timedelta(days=180)  # the last choice, and the browser in which somebody signed in
LEAVING: Final = timedelta(minutes=10)  # for an identity provider to sign somebody out
_TOKEN: Final = re.compile("[A-Za-z0-9_-]{43}", re.ASCII)  # 256 random bits in base64url


class SameSite(StrEnum):
    """With which requests from other sites a cookie comes along."""

    LAX = "Lax"  # links
    NONE = "None"  # any: an identity provider posts its answer, and has us forget a session from a frame


@dataclass(slots=True)
class Jar:
    """The cookies of one request, and those that go with its answer."""

    cookies: Mapping[str, str]  # as they came
    namespace: str
    is_plain_http: bool
    _baked: list[tuple[str, str, SameSite, timedelta | None]] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """The hash of the browser's own cookie, "" if it brought none."""
        token = self._read("browser")
        return _hash(token) if _TOKEN.fullmatch(token) else ""

    @property
    def session(self) -> str:
        """The token of the session at the namespace."""
        return self._read(f"session-{self.namespace}")

    @property
    def device(self) -> str:
        """By what the browser is recognised when somebody signs in by password."""
        return self._read(f"device-{self.namespace}")

    @property
    def last_choice(self) -> str:
        """The name of the identity provider that was chosen last."""
        return self._read(f"choice-{self.namespace}")

    @property
    def leaving(self) -> str:
        """The query with which signing out goes on when the identity provider sends the browser back."""
        return self._read(f"leaving-{self.namespace}")

    def new_mark(self) -> str:
        """The mark of a browser that brought none: its cookie goes with the answer."""
        token = secrets.token_urlsafe(32)
        self._bake("browser", token, SameSite.LAX)
        return _hash(token)

    def keep_across_sites(self) -> None:
        """Have the browser's cookie come along when another site posts to us, as identity providers do."""
        token = next((value for name, value, *_ in self._baked if name == "browser"), self._read("browser"))
        self._baked = [cookie for cookie in self._baked if cookie[0] != "browser"]
        self._bake("browser", token, SameSite.NONE)

    def keep_session(self, token: str, same_site: SameSite) -> None:
        """Keep a session until the browser is closed."""
        self._bake(f"session-{self.namespace}", token, same_site)

    def end_session(self) -> None:
        """Forget the session; from a frame of another site too, where browsers take no other cookie."""
        self._bake(f"session-{self.namespace}", "", SameSite.NONE, timedelta())

    def keep_leaving(self, query: str) -> None:
        """Remember how signing out goes on after the identity provider."""
        self._bake(f"leaving-{self.namespace}", query, SameSite.LAX, LEAVING)

    def has_left(self) -> None:
        """Forget how signing out goes on."""
        self._bake(f"leaving-{self.namespace}", "", SameSite.LAX, timedelta())

    def keep_device(self, text: str) -> None:
        """Recognise the browser from now on."""
        self._bake(f"device-{self.namespace}", text, SameSite.LAX, REMEMBERED)

    def keep_choice(self, provider: str) -> None:
        """Remember the choice."""
        self._bake(f"choice-{self.namespace}", provider, SameSite.LAX, REMEMBERED)

    def headers(self) -> list[tuple[str, str]]:
        """What the answer's cookies are set with."""
        return [("Set-Cookie", self._header(*cookie)) for cookie in self._baked]

    def send(self, response: Response) -> Response:
        """The answer with its cookies."""
        response.headers.extend(self.headers())
        return response

    def _header(self, name: str, value: str, same_site: SameSite, age: timedelta | None) -> str:
        return dump_cookie(
            self._name(name),
            value,
            max_age=age,
            secure=not self.is_plain_http,
            httponly=True,
            samesite=SameSite.LAX if self.is_plain_http else same_site,  # None is for secure cookies alone
        )

    def _bake(self, name: str, value: str, same_site: SameSite, age: timedelta | None = None) -> None:
        self._baked.append((name, value, same_site, age))

    def _read(self, name: str) -> str:
        return self.cookies.get(self._name(name), "")

    def _name(self, name: str) -> str:
        """The name on the wire; `__Host-` keeps other hosts and paths from setting it (RFC 6265bis, 4.1.3.2)."""
        return f"sts-{name}" if self.is_plain_http else f"__Host-sts-{name}"


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
