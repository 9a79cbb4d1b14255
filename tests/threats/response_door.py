"""The door where browsers bring the answers of identity providers, and its one answer to every bad one."""

from collections.abc import Mapping

from werkzeug.test import TestResponse

from sts.protocols.addresses import WS_FEDERATION
from tests.flows.people import Page, Person
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.endpoints import Refusal, require_no_secret, seen_refused, stranger
from tests.threats.identity_providers import CONFIGURATION, NAMESPACE, Stage, stage, trust

PARTIES = ("swt", "jwt", "saml11", "saml20")
PROVIDERS = ("adfs", "other", "gcm", "cbc", "old", "curve", "disabled")
RECIPIENT = NAMESPACE + WS_FEDERATION
ISSUED = {"token_id", "principal", "credential_id"}  # what the log says of a token
_CURVE = '  - {name: curve, issuer: "urn:curve", certificates: [idp-p256.cer]}\n'
_PARTY = """  - {{name: {name}, realm: "https://{name}.example/", token_format: {name}, rule_groups: [people],
     reply: ["https://{name}.example/signin"], identity_providers: [{providers}]}}
"""


def _configuration(unsolicited: str) -> str:
    """The trusted identity providers, each with an address to sign in at, and a relying party for each format."""
    head, _, rest = CONFIGURATION.partition("relying_parties:\n")
    _, _, groups = rest.partition("rule_groups:\n")
    lines = []
    for line in head.replace("service_identities:", _CURVE + "service_identities:").splitlines():
        name = line.partition("{name: ")[2].partition(",")[0]
        is_provider = name in PROVIDERS and "issuer:" in line
        more = f', sign_in_url: "https://{name}.example/ls", unsolicited: {str(name == unsolicited).lower()}}}'
        lines.append(line.replace("}", more) if is_provider else line)
    parties = "".join(_PARTY.format(name=name, providers=", ".join(PROVIDERS)) for name in PARTIES)
    curve = "      - {input: {issuer: curve}}\n"
    return (
        "\n".join(lines)
        + f"\nrelying_parties:\n{parties}rule_groups:\n"
        + groups.replace("  - name: all", curve + "  - name: all")
    )


def open_door(world: World, unsolicited: str = "") -> World:
    """Let people sign in at the service by the identity providers that it trusts; by one of them also unasked."""
    return trust(world, _configuration(unsolicited))


def staged(world: World, **changes: str) -> Stage:
    """A stage for an assertion that is sent here."""
    return stage(world, **{"recipient": RECIPIENT, **changes})


def begun(world: World, provider: str = "adfs", party: str = "jwt") -> tuple[Person, str]:
    """Somebody whom a relying party has sent here, and whom we sent on to an identity provider with this state."""
    person = Person(world, source=stranger())
    page = person.sign_in(party, whr=provider)
    assert page.location.startswith(f"https://{provider}.example/ls?"), page.text
    return person, page.asked["wctx"]


def brought(world: World, token: bytes, provider: str = "adfs", party: str = "jwt") -> Page:
    """Sign in with what carries this token."""
    person, state = begun(world, provider, party)
    return person.bring(state, response(token.decode()))


def refused(world: World, wresult: bytes, provider: str = "adfs") -> Refusal:
    """Sign in with any answer of an identity provider, and see that refused: no token, no session, nobody named."""
    person, state = begun(world, provider)
    return _refused(person, {"wctx": state, "wresult": wresult})


def refused_unasked(world: World, token: bytes, party: str = "jwt") -> Refusal:
    """Bring a token that nobody asked for, and see that refused."""
    fields: dict[str, str | bytes] = {"wtrealm": f"https://{party}.example/", "wresult": _around(token)}
    return _refused(Person(world, source=stranger()), fields)


def brought_unasked(world: World, token: bytes, party: str = "jwt") -> Page:
    """Bring a token that nobody asked for."""
    person = Person(world, source=stranger())
    wanted: dict[str, str | bytes] = {"wa": "wsignin1.0", "wtrealm": f"https://{party}.example/"}
    return person.post(person.at(), {**wanted, "wresult": _around(token)})


def _refused(person: Person, fields: Mapping[str, str | bytes]) -> Refusal:
    cookies, pages = person.cookies(), list[Page]()

    def bring() -> TestResponse:
        pages.append(person.post(person.at(), {"wa": "wsignin1.0", **fields}))
        return pages[0].answer

    found = seen_refused(person.world, bring)
    assert (pages[0].action, pages[0].fields, pages[0].location) == ("", {}, "")
    assert person.cookies() == cookies
    assert not ISSUED & found.record.keys()
    secret = [str(fields.get("wctx", "")), *cookies.values()]
    require_no_secret(person.world, pages[0].answer, *(value for value in secret if len(value) > 20))
    return found


def _around(token: bytes) -> bytes:
    before, after = response("@").encode().split(b"@")
    return before + token + after


def refused_token(world: World, token: bytes, provider: str = "adfs") -> Refusal:
    """The same for a token in a response as AD FS writes it."""
    return refused(world, _around(token), provider)
