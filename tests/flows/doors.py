"""The token endpoints as clients call them, each with its own shape of request and answer."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlencode

from werkzeug.test import TestResponse

from tests.flows.tokens import PARTIES
from tests.flows.world import SECRET, World, decode, members

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Caller:
    """Who asks for what."""

    realm: str
    name: str = "worker"
    secret: str = SECRET
    source: str = "192.0.2.1"


@dataclass(frozen=True)
class Got:
    """A token out of an answer, and the seconds that the answer gives it."""

    token: bytes
    expires_in: int


@dataclass(frozen=True)
class Door:
    """One way to ask for a token."""

    name: str
    path: str
    ask: Callable[[World, str, Caller], TestResponse]
    read: Callable[[TestResponse], Got]
    parties: tuple[str, ...]  # of the world's relying parties, those whose format is delivered here

    def __call__(self, world: World, caller: Caller) -> TestResponse:
        """Ask."""
        return self.ask(world, self.path, caller)


def _send(world: World, path: str, form: Mapping[str, str], caller: Caller, **headers: str) -> TestResponse:
    return world.post(
        path,
        urlencode(form).encode(),
        headers=headers,
        environ_overrides={"REMOTE_ADDR": caller.source},
    )


def _with_secret_in_body(world: World, path: str, caller: Caller) -> TestResponse:
    credentials = {"client_id": caller.name, "client_secret": caller.secret}
    form = {"grant_type": "client_credentials", **credentials, "resource": caller.realm}
    return _send(world, path, form, caller, **{"Content-Type": FORM})


def _with_basic(world: World, path: str, caller: Caller) -> TestResponse:
    pair = f"{quote_plus(caller.name)}:{quote_plus(caller.secret)}"
    authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    form = {"grant_type": "client_credentials", "scope": caller.realm}
    return _send(world, path, form, caller, Authorization=authorization, **{"Content-Type": FORM})


def _as_acs(world: World, path: str, caller: Caller) -> TestResponse:
    credentials = {"client_id": caller.name, "client_secret": caller.secret}
    form = {"grant_type": "client_credentials", **credentials, "scope": caller.realm}
    return _send(world, path, form, caller, **{"Content-Type": FORM})


def _as_wrap(world: World, path: str, caller: Caller) -> TestResponse:
    form = {"wrap_name": caller.name, "wrap_password": caller.secret, "wrap_scope": caller.realm}
    return _send(world, path, form, caller, **{"Content-Type": FORM})


def _as_wrap_without_content_type(world: World, path: str, caller: Caller) -> TestResponse:
    form = {"wrap_name": caller.name, "wrap_password": caller.secret, "wrap_scope": caller.realm}
    return _send(world, path, form, caller)


def _read_rfc6749(answer: TestResponse) -> Got:
    given = members(answer)
    if given["token_type"] == "N_A":
        return Got(decode(given["access_token"]), given["expires_in"])
    assert given["token_type"] == "Bearer"
    return Got(given["access_token"].encode(), given["expires_in"])


def _read_acs(answer: TestResponse) -> Got:
    given = members(answer)
    assert isinstance(given["expires_in"], str)
    return Got(given["access_token"].encode(), int(given["expires_in"]))


def _read_wrap(answer: TestResponse) -> Got:
    assert answer.text.startswith("wrap_access_token=")
    (_, token), (name, seconds) = parse_qsl(answer.text, strict_parsing=True)
    assert name == "wrap_access_token_expires_in"
    return Got(token.encode(), int(seconds))


ACS_PARTIES = ("swt", "jwt", "hs256")
WRAP_PARTIES = ("swt",)
DOORS = (
    Door("body", "oauth2/token", _with_secret_in_body, _read_rfc6749, PARTIES),
    Door("basic", "oauth2/token", _with_basic, _read_rfc6749, PARTIES),
    *(
        Door(path, path, _as_acs, _read_acs, ACS_PARTIES)
        for path in ("v2/OAuth2-13", "v2/OAuth2-13/", "v2/oauth2-13", "V2/OAUTH2-13/")
    ),
    *(Door(path, path, _as_wrap, _read_wrap, WRAP_PARTIES) for path in ("WRAPv0.9", "WRAPv0.9/", "wrapV0.9")),
    *(
        Door(f"{path} untyped", path, _as_wrap_without_content_type, _read_wrap, WRAP_PARTIES)
        for path in ("WRAPv0.9", "WRAPv0.9/")
    ),
)
ONE_OF_EACH = (DOORS[0], DOORS[2], DOORS[6])


def realm_of(party: str) -> str:
    """The realm of one of the world's relying parties."""
    return f"https://{party}.example/"
